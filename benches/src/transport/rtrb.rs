//! The crate `rtrb`: a ring between two threads of one process, message by message and by chunks.

use super::{Receiver, Sender};
use crate::{Failure, exchange::PAUSES, meter::Meter, patience::Patience, payload::Payload};
use rtrb::{Consumer, Producer};

/// Messages of a chunk: as many as our consumer reads between two commits.
pub const CHUNK: usize = 64;

impl<T: Payload> Sender<T> for Producer<T> {
    #[inline(always)]
    fn send(&mut self, message: &T) -> Result<bool, Failure> {
        // Full is its only error.
        Ok(self.push(*message).is_ok())
    }
}

impl<T: Payload> Receiver<T> for Consumer<T> {
    #[inline(always)]
    fn receive(&mut self) -> Option<T> {
        self.pop().ok()
    }
}

/// Sends messages number 0 to `count`, by chunks.
///
/// # Errors
///
/// When the reader is gone.
pub fn produce_chunks<T: Payload>(ring: &mut Producer<T>, count: u64) -> Result<(), Failure> {
    let mut next = 0;
    while next < count {
        let length = usize::try_from(count - next).map_or(CHUNK, |left| left.min(CHUNK));
        let mut patience = Patience::default();
        let chunk = loop {
            match ring.write_chunk_uninit(length) {
                Ok(chunk) => break chunk,
                Err(_) => patience.spin()?,
            }
        };
        next += chunk.fill_from_iter((next..count).map(T::numbered)) as u64;
    }
    Ok(())
}

/// Receives a window's messages, by chunks of whatever is there, up to [`CHUNK`].
///
/// # Errors
///
/// When the writer is gone.
pub fn consume_chunks<T: Payload>(
    ring: &mut Consumer<T>,
    meter: &mut Meter,
) -> Result<(), Failure> {
    let mut patience = Patience::default();
    while !meter.is_done() {
        let there = ring.slots().min(CHUNK);
        let Ok(chunk) = ring.read_chunk(there) else {
            continue;
        };
        if there == 0 {
            for _ in 0..PAUSES {
                patience.spin()?;
            }
            continue;
        }
        patience = Patience::default();
        let (first, second) = chunk.as_slices();
        let sum = first
            .iter()
            .chain(second)
            .fold(0_u64, |sum, message| sum.wrapping_add(message.sum()));
        chunk.commit_all();
        meter.take(there as u64, sum);
    }
    Ok(())
}
