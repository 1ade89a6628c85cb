//! Our ring, between two processes.

use super::{Receiver, Sender};
use crate::{Failure, exchange::PAUSES, meter::Meter, patience::Patience, payload::Payload};
use ipc::{Consumer, Kind, Producer, PushError, RingOptions, create_ring};
use std::path::Path;

/// Messages of a batch: as many as `rtrb` has in a chunk.
const BATCH: u64 = super::rtrb::CHUNK as u64;

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

/// Sends messages number 0 to `count`, by batches.
///
/// # Errors
///
/// When the reader is gone.
pub fn produce_batches<T: Payload>(ring: &mut Producer<T>, count: u64) -> Result<(), Failure> {
    let mut batch = Vec::with_capacity(usize::try_from(BATCH)?);
    for first in (0..count).step_by(usize::try_from(BATCH)?) {
        batch.clear();
        batch.extend((first..count.min(first + BATCH)).map(T::numbered));
        let mut rest = batch.as_slice();
        let mut patience = Patience::default();
        while !rest.is_empty() {
            match ring.push_batch(rest) {
                Ok(pushed) => rest = &rest[pushed..],
                Err(PushError::Full) => patience.spin()?,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Receives a window's messages, by batches of whatever is there.
///
/// # Errors
///
/// When the writer is gone.
pub fn consume_batches<T: Payload>(
    ring: &mut Consumer<T>,
    meter: &mut Meter,
) -> Result<(), Failure> {
    let most = usize::try_from(BATCH)?;
    let mut patience = Patience::default();
    while !meter.is_done() {
        let mut sum = 0_u64;
        let drained = ring.drain(most, |received| {
            sum = sum.wrapping_add(received.message.sum());
        });
        let Ok(count) = drained else {
            for _ in 0..PAUSES {
                patience.spin()?;
            }
            continue;
        };
        patience = Patience::default();
        Consumer::commit(ring);
        meter.take(count as u64, sum);
    }
    Ok(())
}
