//! Our ring, between two processes.

use super::{Receiver, Sender};
use crate::{Failure, payload::Payload};
use ipc::{Consumer, Kind, Producer, PushError, RingOptions, create_ring};
use std::path::Path;

/// Creates the file of a lossless ring.
///
/// # Errors
///
/// As [`create_ring`].
pub fn create<T: Payload>(path: &Path, slots: u32, stamp_every: u32) -> Result<(), Failure> {
    create_ring::<T>(
        path,
        RingOptions {
            kind: Kind::Lossless,
            capacity: slots,
            stamp_every,
            ..RingOptions::default()
        },
    )?;
    Ok(())
}

impl<T: Payload> Sender<T> for Producer<T> {
    #[inline(always)]
    fn send(&mut self, message: &T) -> Result<bool, Failure> {
        match self.push(message) {
            Ok(_) => Ok(true),
            Err(PushError::Full) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl<T: Payload> Receiver<T> for Consumer<T> {
    #[inline(always)]
    fn receive(&mut self) -> Option<T> {
        self.pop().ok().map(|received| received.message)
    }

    #[inline(always)]
    fn commit(&mut self) {
        Consumer::commit(self);
    }
}
