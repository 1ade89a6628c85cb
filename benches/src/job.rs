//! What a partner process is to do, as it is told on its command line.

use crate::{
    Failure,
    exchange::{consume, echo},
    experiment::wake::{self, Rung},
    meter::{Meter, Plan},
    partner::{Work, serve},
    payload::{Numbered, Payload, Size},
    transport::{Receiver, Sender, Shared, ours, ringfire},
    with_payload,
};
use ipc::{Consumer, Producer};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A job and where to do it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Assignment {
    /// What to do.
    pub job: Job,
    /// On which core.
    pub core: usize,
}

/// What to do.
#[derive(Debug, Serialize, Deserialize)]
pub enum Job {
    /// Send back what comes.
    Echo {
        /// Through what.
        transport: Shared,
        /// In messages of what size.
        size: Size,
        /// Where it comes from.
        there: PathBuf,
        /// Where it goes.
        back: PathBuf,
    },
    /// Read a stream.
    Drain {
        /// Through what.
        transport: Shared,
        /// In messages of what size.
        size: Size,
        /// Where it comes from.
        path: PathBuf,
        /// The parts of a window.
        plan: Plan,
    },
    /// Wait for a message now and then.
    Wake {
        /// How to wait.
        rung: Rung,
        /// Where it comes from.
        path: PathBuf,
    },
}

impl Assignment {
    /// The whole life of a partner process.
    ///
    /// # Errors
    ///
    /// When the rings cannot be attached, or a window fails.
    pub fn carry_out(self) -> Result<(), Failure> {
        serve(self.core, || match self.job {
            Job::Echo {
                transport,
                size,
                there,
                back,
            } => with_payload!(size, Sent => echo_work::<Sent>(transport, &there, &back)),
            Job::Drain {
                transport,
                size,
                path,
                plan,
            } => with_payload!(size, Sent => drain_work::<Sent>(transport, &path, plan)),
            Job::Wake { rung, path } => wake::work(rung, &path),
        })
    }
}

/// Slots of the rings that carry round trips.
pub const ECHO_SLOTS: u32 = 4096;

fn echo_work<T: Payload>(transport: Shared, there: &Path, back: &Path) -> Result<Work, Failure> {
    Ok(match transport {
        Shared::Ours | Shared::OursBatches => {
            echoing(Consumer::<T>::attach(there)?, Producer::<T>::attach(back)?)
        }
        Shared::Ringfire => echoing(
            ringfire::attach::<T>(there)?,
            ringfire::create::<T>(back, ECHO_SLOTS)?,
        ),
    })
}

fn echoing<T: Numbered>(
    mut there: impl Receiver<T> + 'static,
    mut back: impl Sender<T> + 'static,
) -> Work {
    Box::new(move |count| echo(&mut there, &mut back, count))
}

fn drain_work<T: Payload>(transport: Shared, path: &Path, plan: Plan) -> Result<Work, Failure> {
    Ok(match transport {
        Shared::Ours => draining(Consumer::<T>::attach(path)?, plan),
        Shared::OursBatches => {
            let mut consumer = Consumer::<T>::attach(path)?;
            Box::new(move |_| {
                let mut meter = Meter::new(plan);
                ours::consume_batches(&mut consumer, &mut meter)?;
                meter.finish(T::WORDS)
            })
        }
        Shared::Ringfire => draining(ringfire::attach::<T>(path)?, plan),
    })
}

fn draining<T: Numbered>(mut from: impl Receiver<T> + 'static, plan: Plan) -> Work {
    Box::new(move |_| {
        let mut meter = Meter::new(plan);
        consume(&mut from, &mut meter)?;
        meter.finish(T::WORDS)
    })
}
