//! The crate `crossbeam-channel`: a bounded channel between two threads of one process. The reader
//! spins with `try_recv`, or sleeps in `recv_deadline`, which tries for a little while before it parks.
//!
//! Lossless and in order; any number of senders and receivers could share it, which is what it pays
//! for. The writer spins with `try_send` while there is no room, whichever way the reader waits.

use super::{InProcess, Receiver, Sender};
use crate::{
    Failure,
    carrier::Local,
    entry::{Entry, Part},
    patience::LONGEST,
    payload::Carried,
    row::Waiting,
};
use crossbeam_channel::{RecvTimeoutError, TryRecvError, TrySendError, bounded};
use std::time::Instant;

/// In the tables.
pub const ENTRIES: &[Entry] = &[
    Entry::new(
        "crossbeam-channel",
        &[Part::Hop, Part::Stream, Part::Rate],
        &Local::<Channel>::NEW,
    )
    .threads(),
    Entry::new(
        "crossbeam-channel, asleep",
        &[Part::Hop, Part::Stream, Part::Rate, Part::Wake],
        &Local::<Sleeping>::NEW,
    )
    .threads()
    .waits(Waiting::Sleeps),
];

/// The reader spins.
pub struct Channel;

impl InProcess for Channel {
    type Sender<T: Carried> = crossbeam_channel::Sender<T>;
    type Receiver<T: Carried> = Spinner<T>;

    fn pair<T: Carried>(slots: u32) -> Result<(Self::Sender<T>, Self::Receiver<T>), Failure> {
        let (sender, receiver) = bounded(usize::try_from(slots)?);
        Ok((
            sender,
            Spinner {
                receiver,
                gone: false,
            },
        ))
    }
}

impl<T: Carried> Sender<T> for crossbeam_channel::Sender<T> {
    #[inline(always)]
    fn send(&mut self, message: &T) -> Result<bool, Failure> {
        match self.try_send(*message) {
            Ok(()) => Ok(true),
            Err(TrySendError::Full(_)) => Ok(false),
            Err(TrySendError::Disconnected(_)) => Err("the receiver is gone".into()),
        }
    }
}

/// A reader that spins.
pub struct Spinner<T> {
    receiver: crossbeam_channel::Receiver<T>,
    gone: bool,
}

impl<T: Carried> Receiver<T> for Spinner<T> {
    #[inline(always)]
    fn receive(&mut self) -> Option<T> {
        self.receiver
            .try_recv()
            .map_err(|error| self.gone = error == TryRecvError::Disconnected)
            .ok()
    }

    fn check(&mut self) -> Result<(), Failure> {
        if self.gone {
            return Err("the sender is gone".into());
        }
        Ok(())
    }
}

/// The reader sleeps.
pub struct Sleeping;

impl InProcess for Sleeping {
    type Sender<T: Carried> = crossbeam_channel::Sender<T>;
    type Receiver<T: Carried> = Sleeper<T>;

    fn pair<T: Carried>(slots: u32) -> Result<(Self::Sender<T>, Self::Receiver<T>), Failure> {
        let (sender, receiver) = bounded(usize::try_from(slots)?);
        Ok((
            sender,
            Sleeper {
                receiver,
                deadline: Instant::now() + LONGEST,
                failure: None,
            },
        ))
    }
}

/// A reader that sleeps until a deadline: the window's, so that no message reads the clock for it.
pub struct Sleeper<T> {
    receiver: crossbeam_channel::Receiver<T>,
    deadline: Instant,
    failure: Option<RecvTimeoutError>,
}

impl<T: Carried> Receiver<T> for Sleeper<T> {
    #[inline(always)]
    fn receive(&mut self) -> Option<T> {
        self.receiver
            .recv_deadline(self.deadline)
            .map_err(|error| self.failure = Some(error))
            .ok()
    }

    fn check(&mut self) -> Result<(), Failure> {
        match self.failure.take() {
            Some(RecvTimeoutError::Timeout) => {
                Err(format!("the other side did nothing for {LONGEST:?}").into())
            }
            Some(RecvTimeoutError::Disconnected) => Err("the sender is gone".into()),
            None => Ok(()),
        }
    }

    fn next_window(&mut self) {
        self.deadline = Instant::now() + LONGEST;
    }
}
