//! Our ring, between two processes, message by message; the reader spins.

use super::{End, Receiver, Sender, Transport};
use crate::{
    Failure,
    carrier::Remote,
    entry::{Entry, Part},
    link::Link,
    payload::Carried,
    rounds::OURS,
};
use ipc::{Consumer, Kind, Producer, PushError, RingOptions, create_ring};

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
];

/// Message by message; the reader spins. Every so many messages are stamped with their time.
pub struct Ring<const STAMP_EVERY: u32>;

impl<const STAMP_EVERY: u32> Transport for Ring<STAMP_EVERY> {
    const SIZES: bool = true;
    const FIRST: End = End::Sender;
    type Sender<T: Carried> = Producer<T>;
    type Receiver<T: Carried> = Consumer<T>;

    fn sender<T: Carried>(link: &Link) -> Result<Producer<T>, Failure> {
        let path = link.file("ring");
        create_ring::<T>(
            &path,
            RingOptions {
                kind: Kind::Lossless,
                capacity: link.slots,
                stamp_every: STAMP_EVERY,
                ..RingOptions::default()
            },
        )?;
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
