//! Which cores the two sides of a measurement run on.

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use std::io;

/// The first two cores that this process may use.
///
/// # Errors
///
/// When there is only one: two sides on one core measure the scheduler.
pub fn two_cores() -> io::Result<(usize, usize)> {
    let set = sched_getaffinity(Pid::from_raw(0))?;
    let mut cores = (0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or(false));
    cores.next().zip(cores.next()).ok_or_else(|| {
        io::Error::other("one core only: two sides on one core would measure the scheduler")
    })
}

/// Pins the calling thread.
///
/// # Errors
///
/// When the core may not be used.
pub fn to(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}
