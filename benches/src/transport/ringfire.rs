//! The crate `ringfire`: rings in shared memory, here lossless, between two processes.

use super::{Receiver, Sender};
use crate::{Failure, payload::Payload};
use ringfire::{FlowControl, RingConsumer, RingProducer, RingProducerBuilder};
use std::path::Path;

/// Creates a ring and attaches as its producer.
///
/// # Errors
///
/// When its file cannot be had.
pub fn create<T: Payload>(path: &Path, slots: u32) -> Result<RingProducer<T>, Failure> {
    Ok(RingProducerBuilder::new(u64::from(slots))
        .flow_control(FlowControl::LosslessBackpressure)
        .max_readers(1)
        .build(path)?)
}

/// Attaches as a consumer.
///
/// # Errors
///
/// When there is no such ring.
pub fn attach<T: Payload>(path: &Path) -> Result<RingConsumer<T>, Failure> {
    Ok(RingConsumer::attach(path)?)
}

impl<T: Payload> Sender<T> for RingProducer<T> {
    #[inline(always)]
    fn send(&mut self, message: &T) -> Result<bool, Failure> {
        // Full is its only error.
        Ok(self.try_push(message).is_ok())
    }
}

impl<T: Payload> Receiver<T> for RingConsumer<T> {
    #[inline(always)]
    fn receive(&mut self) -> Option<T> {
        self.try_recv()
    }
}
