//! The floor of a reader that sleeps: a bare line, and a thread that is parked until it is written.

use super::{
    Receiver, Sender,
    bare::{LineReceiver, LineSender, line},
};
use crate::{Failure, patience::LONGEST};
use layouts::PriceUpdate;
use std::{
    sync::{Arc, OnceLock},
    thread::{self, Thread},
};

/// Both ends.
#[must_use]
pub fn pair() -> (Unparker, Parker) {
    let (sender, receiver) = line();
    let reader = Arc::new(OnceLock::new());
    (
        Unparker {
            line: sender,
            reader: Arc::clone(&reader),
        },
        Parker {
            line: receiver,
            reader,
        },
    )
}

/// The writing end, which wakes the reader.
pub struct Unparker {
    line: LineSender,
    reader: Arc<OnceLock<Thread>>,
}

/// The reading end, which parks.
pub struct Parker {
    line: LineReceiver,
    reader: Arc<OnceLock<Thread>>,
}

impl Sender<PriceUpdate> for Unparker {
    #[inline(always)]
    fn send(&mut self, message: &PriceUpdate) -> Result<bool, Failure> {
        self.line.send(message)?;
        // Before it has parked for the first time it spins, and needs no waking.
        if let Some(reader) = self.reader.get() {
            reader.unpark();
        }
        Ok(true)
    }

    fn next_window(&mut self) {
        Sender::<PriceUpdate>::next_window(&mut self.line);
    }
}

impl Receiver<PriceUpdate> for Parker {
    #[inline(always)]
    fn receive(&mut self) -> Option<PriceUpdate> {
        let message = self.line.receive();
        if message.is_none() {
            if self.reader.get().is_some() {
                thread::park_timeout(LONGEST);
            } else {
                // Looks once more after this: who wrote before that did not wake it.
                self.reader.get_or_init(thread::current);
            }
        }
        message
    }

    fn next_window(&mut self) {
        Receiver::<PriceUpdate>::next_window(&mut self.line);
    }
}
