//! What carries the messages: our ring, others' rings, and the floor below them all.
//!
//! Every end is inlined into the loop that uses it: a message that goes through a call's return slot
//! is written by words and read by vectors, which costs more than the ring.

use crate::Failure;
use serde::{Deserialize, Serialize};

pub mod bare;
pub mod ours;
pub mod ringfire;
pub mod rtrb;

/// The sending end.
pub trait Sender<T> {
    /// Sends; `false` when there is no room.
    ///
    /// # Errors
    ///
    /// When the transport is broken.
    fn send(&mut self, message: &T) -> Result<bool, Failure>;

    /// A window begins.
    fn next_window(&mut self) {}
}

/// The receiving end.
pub trait Receiver<T> {
    /// The next message, if there is one.
    fn receive(&mut self) -> Option<T>;

    /// Gives the room of what was received back, where that is an act of its own.
    fn commit(&mut self) {}

    /// A window begins.
    fn next_window(&mut self) {}
}

/// A transport whose other end may be in another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shared {
    /// Our ring, message by message.
    Ours,
    /// Our ring, by batches.
    OursBatches,
    /// The crate `ringfire`, lossless.
    Ringfire,
}
