//! Threads for what waits on the outside world.

use super::Failure;
use std::{future::Future, thread::JoinHandle};

/// Runs a future to its end on a thread of its own with a single-threaded runtime.
///
/// The thread keeps the affinity of its creator, so create it before the hot loop is pinned.
///
/// # Errors
///
/// When the thread or its runtime cannot be created.
pub fn io_thread<F, Fut>(name: &str, future: F) -> Result<JoinHandle<Fut::Output>, Failure>
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future,
    Fut::Output: Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io(format!("create the runtime of thread `{name}`"), error))?;
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || runtime.block_on(future()))
        .map_err(|error| Failure::io(format!("create thread `{name}`"), error))
}
