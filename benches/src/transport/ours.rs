//! Our ring, between two processes: message by message, spinning or asleep, and by batches.

use super::{End, Receiver, Sender, Transport};
use crate::{
    Failure,
    carrier::Remote,
    entry::{Entry, Part},
    exchange::PAUSES,
    link::Link,
    meter::Meter,
    patience::{LONGEST, Patience},
    payload::{Carried, Numbered},
    rounds::OURS,
    row::Waiting,
};
use ipc::{Consumer, Kind, Ladder, Producer, PushError, RingOptions, Waiter, create_ring};
use std::{path::Path, time::Instant};

/// Messages of a batch: as many as `rtrb` has in a chunk.
const BATCH: usize = super::rtrb::CHUNK;

/// In the tables.
pub const ENTRIES: &[Entry] = &[
    Entry::new(
        OURS,
        &[
            Part::Hop,
            Part::Stream,
            Part::Sweep,
            Part::Stamps,
            Part::Rate,
            Part::Wake,
            Part::Chain,
        ],
        &Remote::<Ring<0>>::NEW,
    ),
    Entry::new(
        "ours, stamped 1 in 64",
        &[Part::Stamps],
        &Remote::<Ring<64>>::NEW,
    ),
    Entry::new(
        "ours, stamped",
        &[Part::Hop, Part::Stamps],
        &Remote::<Ring<1>>::NEW,
    ),
    Entry::new(
        "ours, batches of 64",
        &[Part::Stream, Part::Sweep],
        &Remote::<Batches>::NEW,
    ),
    Entry::new("ours, yielding", &[Part::Wake], &Remote::<Yielding>::NEW).waits(Waiting::Yields),
    Entry::new(
        "ours, asleep",
        &[Part::Hop, Part::Rate, Part::Wake, Part::Chain],
        &Remote::<Sleeping>::NEW,
    )
    .waits(Waiting::Sleeps),
];

/// Creates the file of a lossless ring.
///
/// # Errors
///
/// As [`create_ring`].
pub fn create<T: Carried>(path: &Path, slots: u32, stamp_every: u32) -> Result<(), Failure> {
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

/// Message by message; the reader spins. Every so many messages are stamped with their time.
pub struct Ring<const STAMP_EVERY: u32>;

impl<const STAMP_EVERY: u32> Transport for Ring<STAMP_EVERY> {
    const FIRST: End = End::Sender;
    type Sender<T: Carried> = Producer<T>;
    type Receiver<T: Carried> = Consumer<T>;

    fn sender<T: Carried>(link: &Link) -> Result<Producer<T>, Failure> {
        let path = link.file("ring");
        create::<T>(&path, link.slots, STAMP_EVERY)?;
        Ok(Producer::attach(&path)?)
    }

    fn receiver<T: Carried>(link: &Link) -> Result<Consumer<T>, Failure> {
        Ok(Consumer::attach(&link.file("ring"))?)
    }
}

impl<T: Carried> Sender<T> for Producer<T> {
    #[inline(always)]
    fn send(&mut self, message: &T) -> Result<bool, Failure> {
        match self.push(message) {
            Ok(_) => Ok(true),
            Err(PushError::Full) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl<T: Carried> Receiver<T> for Consumer<T> {
    #[inline(always)]
    fn receive(&mut self) -> Option<T> {
        self.pop().ok().map(|received| received.message)
    }

    #[inline(always)]
    fn commit(&mut self) {
        Consumer::commit(self);
    }
}

/// The same ring; the reader spins and yields briefly, then sleeps until woken.
pub struct Sleeping;

impl Transport for Sleeping {
    const FIRST: End = End::Sender;
    type Sender<T: Carried> = Producer<T>;
    type Receiver<T: Carried> = Sleeper<T>;

    fn sender<T: Carried>(link: &Link) -> Result<Producer<T>, Failure> {
        Ring::<0>::sender(link)
    }

    fn receiver<T: Carried>(link: &Link) -> Result<Sleeper<T>, Failure> {
        Ok(Sleeper {
            consumer: Ring::<0>::receiver(link)?,
            waiter: Waiter::new(Ladder::Sleep),
            empty_since: None,
        })
    }
}

/// The same ring; the reader lets others run between two looks.
pub struct Yielding;

impl Transport for Yielding {
    const FIRST: End = End::Sender;
    type Sender<T: Carried> = Producer<T>;
    type Receiver<T: Carried> = Yielder<T>;

    fn sender<T: Carried>(link: &Link) -> Result<Producer<T>, Failure> {
        Ring::<0>::sender(link)
    }

    fn receiver<T: Carried>(link: &Link) -> Result<Yielder<T>, Failure> {
        Ok(Yielder(Ring::<0>::receiver(link)?))
    }
}

/// A reader that yields.
pub struct Yielder<T: Carried>(Consumer<T>);

impl<T: Carried> Receiver<T> for Yielder<T> {
    #[inline(always)]
    fn receive(&mut self) -> Option<T> {
        let received = self.0.receive();
        if received.is_none() {
            std::thread::yield_now();
        }
        received
    }

    #[inline(always)]
    fn commit(&mut self) {
        self.0.commit();
    }
}

/// A reader that sleeps.
pub struct Sleeper<T: Carried> {
    consumer: Consumer<T>,
    waiter: Waiter,
    empty_since: Option<Instant>,
}

impl<T: Carried> Receiver<T> for Sleeper<T> {
    #[inline(always)]
    fn receive(&mut self) -> Option<T> {
        if let Ok(received) = self.consumer.pop() {
            self.waiter.progress();
            self.empty_since = None;
            return Some(received.message);
        }
        self.empty_since.get_or_insert_with(Instant::now);
        self.waiter.wait(&mut [&mut self.consumer]);
        None
    }

    fn check(&mut self) -> Result<(), Failure> {
        match self.empty_since {
            Some(since) if since.elapsed() > LONGEST => {
                Err(format!("the other side did nothing for {LONGEST:?}").into())
            }
            _ => Ok(()),
        }
    }

    #[inline(always)]
    fn commit(&mut self) {
        self.consumer.commit();
    }
}

/// The same ring, by batches of up to [`BATCH`].
pub struct Batches;

impl Transport for Batches {
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
