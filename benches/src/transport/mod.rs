//! What carries the messages: our ring, others' rings, sockets, servers, and the floor below them all.
//!
//! One file each; each says in its first lines how it is used and what that leaves out. A transport
//! between processes is a [`Transport`], or a [`bytes::Wire`] if it carries bytes and somebody has to
//! encode; one between threads is an [`InProcess`].
//!
//! Every end is inlined into the loop that uses it: a message that goes through a call's return slot
//! is written by words and read by vectors, which costs more than a ring.

use crate::{
    Failure, exchange,
    link::Link,
    meter::Meter,
    payload::{Carried, Numbered},
};

#[cfg(feature = "aeron")]
pub mod aeron;
#[cfg(feature = "aeron")]
pub mod aeron_driver;
pub mod bare;
pub mod blocks;
pub mod board;
pub mod bytes;
pub mod connection;
pub mod crossbeam;
pub mod empty;
pub mod framing;
pub mod grpc;
pub mod grpc_service;
pub mod iceoryx2;
pub mod jetstream;
pub mod nats;
pub mod nats_talk;
pub mod ours;
pub mod ours_batches;
pub mod ours_waiting;
pub mod parked;
pub mod pipe;
pub mod redis_pub_sub;
pub mod redis_streams;
pub mod ringfire;
pub mod rtrb;
pub mod shared_memory;
pub mod tcp;
pub mod unix_seqpacket;
pub mod unix_stream;
pub mod watched;
pub mod zeromq;

/// The sending end.
pub trait Sender<T> {
    /// Sends; `false` when there is no room. What is sent may wait for [`Sender::flush`].
    ///
    /// # Errors
    ///
    /// When the transport is broken.
    fn send(&mut self, message: &T) -> Result<bool, Failure>;

    /// Everything sent is on its way.
    ///
    /// # Errors
    ///
    /// When the transport is broken.
    #[inline(always)]
    fn flush(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Sends messages number 0 to `count` as fast as there is room. To be replaced where a transport
    /// has a way of its own for many.
    ///
    /// # Errors
    ///
    /// When the reader is gone, or the transport is broken.
    fn produce(&mut self, count: u64) -> Result<(), Failure>
    where
        T: Numbered,
        Self: Sized,
    {
        exchange::produce(self, count)
    }

    /// A window begins.
    fn next_window(&mut self) {}
}

/// The receiving end.
pub trait Receiver<T> {
    /// The next message, if there is one: at once, or after sleeping for it, as the transport does.
    fn receive(&mut self) -> Option<T>;

    /// Whether there is nothing because something is broken. Asked only after nothing came, so that
    /// a message never travels with a reason.
    ///
    /// # Errors
    ///
    /// When the transport is broken.
    #[inline(always)]
    fn check(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Gives the room of what was received back, where that is an act of its own.
    #[inline(always)]
    fn commit(&mut self) {}

    /// Receives the messages of a window as fast as they come. To be replaced where a transport has
    /// a way of its own for many.
    ///
    /// # Errors
    ///
    /// When the writer is gone, or the transport is broken.
    fn consume(&mut self, meter: &mut Meter) -> Result<(), Failure>
    where
        T: Numbered,
        Self: Sized,
    {
        exchange::consume(self, meter)
    }

    /// A window begins.
    fn next_window(&mut self) {}
}

/// Which end of a link must be there before the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The sending one: it creates what the other attaches to.
    Sender,
    /// The receiving one: it listens, binds or subscribes.
    Receiver,
}

/// A transport whose ends are in two processes.
pub trait Transport: 'static {
    /// Which end opens first; the other opens only when that has returned.
    const FIRST: End = End::Receiver;
    /// Whether it takes part with messages of all sizes; each is code to compile.
    const SIZES: bool = false;
    /// Whether it may hold a whole window, however many slots were asked for: in buffers of the kernel,
    /// of a library, of a server.
    const DEEP: bool = false;
    /// The sending end.
    type Sender<T: Carried>: Sender<T>;
    /// The receiving end.
    type Receiver<T: Carried>: Receiver<T>;

    /// Opens the sending end.
    ///
    /// # Errors
    ///
    /// When it cannot be had.
    fn sender<T: Carried>(link: &Link) -> Result<Self::Sender<T>, Failure>;

    /// Opens the receiving end.
    ///
    /// # Errors
    ///
    /// When it cannot be had.
    fn receiver<T: Carried>(link: &Link) -> Result<Self::Receiver<T>, Failure>;
}

/// A transport whose ends are in two threads of one process.
pub trait InProcess: 'static {
    /// Whether it takes part with messages of all sizes; each is code to compile.
    const SIZES: bool = false;
    /// The sending end.
    type Sender<T: Carried>: Sender<T> + Send;
    /// The receiving end.
    type Receiver<T: Carried>: Receiver<T> + Send;

    /// Both ends.
    ///
    /// # Errors
    ///
    /// When there is no room for so many slots.
    #[expect(clippy::type_complexity, reason = "a pair of two named things")]
    fn pair<T: Carried>(slots: u32) -> Result<(Self::Sender<T>, Self::Receiver<T>), Failure>;
}
