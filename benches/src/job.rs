//! What a partner process is to do, as it is told on its command line.

use crate::{
    Failure,
    carrier::{Carrier, Ways},
    entry,
    experiment::{chain::Hops, fanin},
    link::Link,
    open_loop::Schedule,
    partner::serve,
    payload::Size,
};
use serde::{Deserialize, Serialize};

/// A job and where to do it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Assignment {
    /// What to do.
    pub job: Job,
    /// On which core.
    pub core: usize,
}

/// What to do. `who` is an [`entry::Entry::id`].
#[derive(Debug, Serialize, Deserialize)]
pub enum Job {
    /// Send back what comes.
    RoundTrips {
        /// Through what.
        who: String,
        /// There, and back.
        ways: Ways,
    },
    /// Read a stream.
    Stream {
        /// Through what.
        who: String,
        /// In messages of what size.
        size: Size,
        /// Where it comes from.
        way: Link,
    },
    /// Wait for messages at fixed times.
    OpenLoop {
        /// Through what.
        who: String,
        /// When they are due.
        schedule: Schedule,
        /// Where they come from.
        way: Link,
    },
    /// Two stages of the pipeline.
    Chain {
        /// Through what.
        who: String,
        /// The four ways.
        hops: Box<Hops>,
    },
    /// Poll many rings.
    Fanin {
        /// So many.
        rings: u32,
        /// There, and back.
        ways: Ways,
    },
}

impl Assignment {
    /// The whole life of a partner process.
    ///
    /// # Errors
    ///
    /// When an end cannot be opened, or a window fails.
    pub fn carry_out(self) -> Result<(), Failure> {
        let work = match self.job {
            Job::RoundTrips { who, ways } => carrier(&who)?.far_round_trips(ways),
            Job::Stream { who, size, way } => carrier(&who)?.far_stream(size, way),
            Job::OpenLoop { who, schedule, way } => carrier(&who)?.far_open_loop(schedule, way),
            Job::Chain { who, hops } => carrier(&who)?.far_chain(*hops),
            Job::Fanin { rings, ways } => fanin::far(rings, ways),
        };
        serve(self.core, work)
    }
}

fn carrier(who: &str) -> Result<&'static dyn Carrier, Failure> {
    let entry = entry::by_id(who).ok_or_else(|| format!("{who}: no such transport"))?;
    Ok(entry.carrier)
}
