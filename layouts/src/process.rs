//! What a process says of itself, on a board of its own: for whoever watches the pipeline.

use crate::units::checked;
use bytemuck::CheckedBitPattern;

ipc::message! {
    /// The state of one process. Nothing depends on it: who lives, and who holds which ring, is told by locks.
    #[derive(Eq)]
    pub struct ProcessState v1 {
        /// When this incarnation began.
        started_unix_ns: u64 = "ns, Unix epoch",
        /// Processor time of all its threads.
        cpu_ns: u64 = "ns",
        /// Times that a thread of it was taken off its core.
        involuntary_switches: u64 = "times",
        /// Times that the process was started, this one included.
        starts: u32 = "times",
        /// In its own PID namespace; for people only.
        pid: u32 = "PID",
        /// The core of its hot loop; 4294967295 where it is not pinned.
        core: u32 = "core",
        /// A [`ProcessPhase`].
        phase: u8 = "0 starting, 1 running, 2 stopping, 3 ended",
        /// Whether it has a hot loop.
        hot: u8 = "0 no, 1 yes",
        /// Always zero.
        padding: [u8; 2] = "zero",
    }
}
const _: () = assert!(size_of::<ProcessState>() == 40);

/// How far a process has got in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, CheckedBitPattern, bytemuck::NoUninit)]
#[repr(u8)]
pub enum ProcessPhase {
    /// Attaching, recovering, connecting.
    Starting = 0,
    /// Able to work.
    Running = 1,
    /// Asked to stop: finishing what it has.
    Stopping = 2,
    /// Done, in order.
    Ended = 3,
}

impl ProcessState {
    /// In [`ProcessState::core`], of a process that is not pinned.
    pub const NOT_PINNED: u32 = u32::MAX;

    /// How far it has got, or `None` for a byte that means nothing.
    #[must_use]
    pub fn phase(&self) -> Option<ProcessPhase> {
        checked(self.phase)
    }
}
