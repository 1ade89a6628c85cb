//! Single-producer single-consumer rings and latest-value boards in shared memory.
#![doc = include_str!("../README.md")]
//! # The source
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
//! | `verify` | whether what a segment holds fits together |
//! | `role` | who holds a role, by kernel lock, never by PID |
//! | `watch` | the death of a producer, told by the kernel |
//! | `wait`, `barrier`, `futex` | spin, yield, sleep; waking at the sleeper's cost |
//! | `asynchronous`, `listener` | a task awaits a ring (feature `async`); one thread sleeps for all tasks |
//! | `foreign` | what another library has mapped, as words (feature `foreign`) |
//! | `histogram` | hop latency and age in the segment |
//! | `holder` | who holds a role, in its own words |
//! | [`manual`] | how all of it works together, what it guarantees, where it ends |

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
#[cfg(feature = "foreign")]
pub mod foreign;
mod futex;
mod header;
mod histogram;
mod holder;
#[cfg(feature = "async")]
mod listener;
pub mod manual;
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
mod silence;
mod slot;
mod sync;
mod verify;
mod wait;
mod watch;
mod writer;

#[cfg(feature = "async")]
pub use asynchronous::{AsyncConsumer, AsyncProducer};
pub use board::{BoardError, BoardReader, BoardWriter, Row};
pub use bytemuck;
pub use consumer::{Consumer, Incarnation, Received};
pub use create::{
    BoardOptions, RingOptions, create_board, create_ring, held_role, remove_abandoned,
};
pub use difference::difference;
pub use error::{Error, PopError, PushError};
#[cfg(feature = "fail-points")]
pub use fail::FAIL_POINTS;
pub use header::{Info, Kind};
pub use histogram::Histogram;
pub use holder::Holder;
pub use message::{Field, Message, ORIGIN, fingerprint, message_version, schema};
pub use observer::{Life, Observer, RawMessage, Statistics};
pub use producer::Producer;
pub use record::{Record, Value};
pub use residency::Residency;
pub use role::{Peer, Role};
pub use schema::{Schema, SchemaError, SchemaField};
pub use verify::{Finding, Verification};
pub use wait::{Bell, Doorbell, Ladder, Waiter, WakeSource};
