//! Single-producer single-consumer rings and latest-value boards in shared memory.
//!
//! Two processes map one file. The producer writes fixed-layout messages into slots of whole cache
//! lines; sequence number and payload share the line, so a message costs one cache-line transfer.
//! Neither side allocates, locks or enters the kernel to send or receive, except to wake a peer
//! that chose to sleep.
//!
//! ```
//! ipc::message! {
//!     /// One level of a book changed.
//!     pub struct BookDelta v1 {
//!         /// When it happened.
//!         event_mono_ns: u64 = "ns, CLOCK_MONOTONIC",
//!         /// Price of the level.
//!         price_ticks: i64 = "ticks",
//!     }
//! }
//! # fn main() -> Result<(), ipc::Error> {
//! # let directory = tempfile::tempdir().unwrap();
//! let path = directory.path().join("deltas.ring");
//! ipc::create_ring::<BookDelta>(&path, ipc::RingOptions { capacity: 1024, ..Default::default() })?;
//!
//! let mut producer = ipc::Producer::<BookDelta>::attach(&path)?; // usually in one process
//! let mut consumer = ipc::Consumer::<BookDelta>::attach(&path)?; // and in another
//! producer.push(&BookDelta { event_mono_ns: ipc::clock::mono_ns(), price_ticks: 42 }).unwrap();
//!
//! let received = consumer.pop().unwrap();
//! assert_eq!((received.sequence, received.message.price_ticks), (0, 42));
//! consumer.commit(); // the work is done: a successor would continue behind it
//! # Ok(())
//! # }
//! ```
//!
//! Every attach obtains its memory at once: mapped, touched, locked where the limit allows, in huge
//! pages where they are offered. [`Producer::residency`] and its like say what was obtained.
//!
//! A file that is unlinked under a live ring disturbs nobody who is in it. One that is truncated kills
//! whoever touches a page that is gone, by SIGBUS, observers included: no look at its length would be in
//! time. It is a death like any other: the role is free, the peer learns of it, attach refuses what is
//! left, and [`remove_abandoned`] removes it.
//!
//! | module | what |
//! |---|---|
//! | `message` | the trait, schema text and fingerprint of a message |
//! | `schema`, `record`, `difference` | the text read back: messages decoded with none compiled in, two layouts compared |
//! | `header`, `create`, `segment` | the file: geometry, creation, per-role mapping |
//! | `residency` | what memory an attach obtained: resident, locked, in huge pages |
//! | `pages`, `memory` | what lies in it: counters by role, slots |
//! | `slot` | the line protocol |
//! | `writer`, `reader` | the two halves of the ring's protocol, on whatever memory |
//! | `producer`, `consumer`, `observer` | one role each, on a file |
//! | `board` | the latest value by index: one writer, any readers |
//! | `role` | who holds a role, by kernel lock, never by PID |
//! | `watch` | the death of a producer, told by the kernel |
//! | `wait`, `barrier`, `futex` | spin, yield, sleep; waking without a tax on the producer |
//! | `asynchronous`, `listener` | a task awaits a ring (feature `async`); one thread sleeps for all tasks |
//! | `histogram` | hop latency in the segment |

// The `message!` macro names the crate; its own unit tests use it too.
#[cfg(test)]
extern crate self as ipc;

#[cfg(feature = "async")]
mod asynchronous;
mod barrier;
mod board;
pub mod clock;
mod consumer;
mod create;
mod difference;
mod error;
mod fail;
mod futex;
mod header;
mod histogram;
#[cfg(feature = "async")]
mod listener;
mod memory;
mod message;
#[cfg(all(test, loom))]
mod models;
mod observer;
mod pages;
mod producer;
mod reader;
mod record;
mod residency;
mod role;
mod schema;
mod segment;
mod slot;
mod sync;
mod wait;
mod watch;
mod writer;

#[cfg(feature = "async")]
pub use asynchronous::{AsyncConsumer, AsyncProducer};
pub use board::{BoardError, BoardReader, BoardWriter, Row};
pub use bytemuck;
pub use consumer::{Consumer, Received};
pub use create::{BoardOptions, RingOptions, create_board, create_ring, remove_abandoned};
pub use difference::difference;
pub use error::{Error, PopError, PushError};
#[cfg(feature = "fail-points")]
pub use fail::FAIL_POINTS;
pub use header::{Info, Kind};
pub use histogram::Histogram;
pub use message::{Field, Message, fingerprint, message_version, schema};
pub use observer::{Observer, RawMessage, Statistics};
pub use producer::Producer;
pub use record::{Record, Value};
pub use residency::Residency;
pub use role::{Peer, Role};
pub use schema::{Schema, SchemaError, SchemaField};
pub use wait::{Bell, Doorbell, Ladder, Waiter, WakeSource};
