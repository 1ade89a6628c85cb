//! The crate `ringfire`: rings in shared memory, here lossless, between two processes; the reader
//! spins.

use super::{End, Receiver, Sender, Transport};
use crate::{
    Failure,
    carrier::Remote,
    entry::{Entry, Part},
    link::Link,
    payload::Carried,
    rounds::RINGFIRE,
};
use ringfire::{FlowControl, RingConsumer, RingProducer, RingProducerBuilder};

/// In the tables.
pub const ENTRIES: &[Entry] = &[Entry::new(
    RINGFIRE,
    &[
        Part::Hop,
        Part::Stream,
        Part::Sweep,
        Part::Rate,
        Part::Chain,
    ],
    &Remote::<Ringfire>::NEW,
)];

/// Message by message.
pub struct Ringfire;

impl Transport for Ringfire {
    const SIZES: bool = true;
    const FIRST: End = End::Sender;
    type Sender<T: Carried> = RingProducer<T>;
    type Receiver<T: Carried> = RingConsumer<T>;

    fn sender<T: Carried>(link: &Link) -> Result<RingProducer<T>, Failure> {
        Ok(RingProducerBuilder::new(u64::from(link.slots))
            .flow_control(FlowControl::LosslessBackpressure)
            .max_readers(1)
            .build(link.file("ringfire"))?)
    }

    fn receiver<T: Carried>(link: &Link) -> Result<RingConsumer<T>, Failure> {
        Ok(RingConsumer::attach(link.file("ringfire"))?)
    }
}

impl<T: Carried> Sender<T> for RingProducer<T> {
    #[inline(always)]
    fn send(&mut self, message: &T) -> Result<bool, Failure> {
        // Full is its only error.
        Ok(self.try_push(message).is_ok())
    }
}

impl<T: Carried> Receiver<T> for RingConsumer<T> {
    #[inline(always)]
    fn receive(&mut self) -> Option<T> {
        self.try_recv()
    }
}
