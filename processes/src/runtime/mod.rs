//! What every process of the pipeline shares: start, rings, waiting, threads, stop.
//!
//! One thread owns each process's loop. Whatever waits for the outside world runs on I/O threads
//! of the same process and is reached through the queues of [`handoff`].

mod arrival;
mod context;
mod control;
mod failure;
pub mod handoff;
mod io;
mod passages;
mod presence;
#[cfg(feature = "redis-hot-path")]
pub(crate) mod redis_path;
mod rings;
mod scheduling;

pub(crate) use arrival::{await_pipeline, take_addresses};
pub use context::{Context, main};
pub(crate) use context::{LAUNCHER_VARIABLE, die_with_launcher, heed_signals};
pub use control::{Control, Gate};
pub use failure::Failure;
pub use io::io_thread;
pub use passages::Passages;
pub use rings::{Carried, Idle, Input, Output};
