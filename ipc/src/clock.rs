//! The one clock that every process of a host shares.

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds of `CLOCK_MONOTONIC`, comparable between the processes of one host.
///
/// Read through the vDSO where the kernel's clock source allows it, so not a system call there.
#[must_use]
pub fn mono_ns() -> u64 {
    read(ClockId::CLOCK_MONOTONIC)
}

/// As [`mono_ns`], as of the last tick of the kernel: 1 to 10 ms old, by its configuration. Costs a few
/// nanoseconds whatever the clock source, because no counter of the processor is read.
#[must_use]
pub fn coarse_mono_ns() -> u64 {
    read(ClockId::CLOCK_MONOTONIC_COARSE)
}

/// Nanoseconds since the Unix epoch, by `CLOCK_REALTIME`.
#[must_use]
pub fn unix_ns() -> u64 {
    read(ClockId::CLOCK_REALTIME)
}

fn read(clock: ClockId) -> u64 {
    // All of them exist on every Linux; zero would show at once as an absurd age.
    clock_gettime(clock).map_or(0, |time| {
        u64::try_from(time.tv_sec()).unwrap_or(0) * 1_000_000_000
            + u64::try_from(time.tv_nsec()).unwrap_or(0)
    })
}
