//! Our ring, between two processes, by batches; the reader spins.

use super::{End, Receiver, Sender, Transport, ours::Ring};
use crate::{
    Failure,
    carrier::Remote,
    entry::{Entry, Part},
    exchange::PAUSES,
    link::Link,
    meter::Meter,
    patience::Patience,
    payload::{Carried, Numbered},
};
use ipc::{Consumer, Producer, PushError};

/// Messages of a batch: as many as `rtrb` has in a chunk.
const BATCH: usize = super::rtrb::CHUNK;

/// In the tables.
pub const ENTRIES: &[Entry] = &[Entry::new(
    "ours, batches of 64",
    &[Part::Stream, Part::Sweep],
    &Remote::<Batches>::NEW,
)];

/// By batches of up to 64.
pub struct Batches;

impl Transport for Batches {
    const SIZES: bool = true;
    const FIRST: End = End::Sender;
    type Sender<T: Carried> = BatchProducer<T>;
    type Receiver<T: Carried> = BatchConsumer<T>;

    fn sender<T: Carried>(link: &Link) -> Result<BatchProducer<T>, Failure> {
        Ok(BatchProducer(Ring::<0>::sender(link)?))
    }

    fn receiver<T: Carried>(link: &Link) -> Result<BatchConsumer<T>, Failure> {
        Ok(BatchConsumer(Ring::<0>::receiver(link)?))
    }
}

/// Pushes batches.
pub struct BatchProducer<T: Carried>(Producer<T>);

impl<T: Carried> Sender<T> for BatchProducer<T> {
    #[inline(always)]
    fn send(&mut self, message: &T) -> Result<bool, Failure> {
        self.0.send(message)
    }

    fn produce(&mut self, count: u64) -> Result<(), Failure>
    where
        T: Numbered,
    {
        let mut batch = Vec::with_capacity(BATCH);
        for first in (0..count).step_by(BATCH) {
            batch.clear();
            batch.extend((first..count.min(first + BATCH as u64)).map(T::numbered));
            let mut rest = batch.as_slice();
            let mut patience = Patience::default();
            while !rest.is_empty() {
                match self.0.push_batch(rest) {
                    Ok(pushed) => rest = &rest[pushed..],
                    Err(PushError::Full) => patience.spin()?,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

/// Drains batches of whatever is there.
pub struct BatchConsumer<T: Carried>(Consumer<T>);

impl<T: Carried> Receiver<T> for BatchConsumer<T> {
    #[inline(always)]
    fn receive(&mut self) -> Option<T> {
        self.0.receive()
    }

    #[inline(always)]
    fn commit(&mut self) {
        self.0.commit();
    }

    fn consume(&mut self, meter: &mut Meter) -> Result<(), Failure>
    where
        T: Numbered,
    {
        let mut patience = Patience::default();
        while !meter.is_done() {
            let mut sum = 0_u64;
            let drained = self.0.drain(BATCH, |received| {
                sum = sum.wrapping_add(received.message.sum());
            });
            let Ok(count) = drained else {
                for _ in 0..PAUSES {
                    patience.spin()?;
                }
                continue;
            };
            patience = Patience::default();
            self.0.commit();
            meter.take(count as u64, sum);
        }
        Ok(())
    }
}
