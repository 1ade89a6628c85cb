//! The asymmetric barrier between a waker's publication and its look at the sleeper.
//!
//! A sleeper stores its epoch (S1), runs the barrier on every core (B), and looks for work once more
//! (S2). A waker publishes (P1), and looks for an epoch (P2). Either P2 sees the epoch and wakes, or
//! S2 sees the work: the sleeper's `membarrier` orders S1 before S2 and, on the waker's core, P1
//! before P2, so the waker needs only to keep its compiler from swapping them. Where the kernel
//! refuses `membarrier`, wakers run a full fence, and a sleeper must not rely on being woken by those
//! who were told otherwise.

use crate::sync::fence;
use std::sync::atomic::Ordering::SeqCst;

/// What this process can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Barrier {
    /// `membarrier` reaches this process, and it can run it.
    Asymmetric,
    /// Refused: full fences.
    Fence,
}

impl Barrier {
    /// Registers this process to be reached by other processes' barriers, and tries one.
    pub(crate) fn register() -> Self {
        if kernel::register() && kernel::run() {
            Self::Asymmetric
        } else {
            Self::Fence
        }
    }

    /// Between P1 and P2. Pairs with [`before_looking_for_work`].
    #[inline]
    pub(crate) fn before_looking_for_sleepers(self) {
        match self {
            Self::Asymmetric => kernel::compiler_only(),
            Self::Fence => fence(SeqCst),
        }
    }
}

/// Between S1 and S2. Pairs with [`Barrier::before_looking_for_sleepers`] of every registered process.
/// Whether a wake-up can now be relied upon.
pub(crate) fn before_looking_for_work() -> bool {
    fence(SeqCst);
    kernel::run()
}

#[cfg(not(loom))]
mod kernel {
    use nix::libc;
    use std::sync::atomic::{Ordering::SeqCst, compiler_fence};

    pub(super) fn register() -> bool {
        membarrier(libc::MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED)
    }

    pub(super) fn run() -> bool {
        membarrier(libc::MEMBARRIER_CMD_GLOBAL_EXPEDITED)
    }

    #[inline]
    pub(super) fn compiler_only() {
        compiler_fence(SeqCst);
    }

    fn membarrier(command: libc::c_int) -> bool {
        // SAFETY: membarrier takes three integers and touches no memory of ours.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }
}

/// A model has no kernel to run a barrier on another core: what `membarrier` makes of the waker's
/// compiler fence, a full fence, stands in its place.
#[cfg(loom)]
mod kernel {
    use crate::sync::fence;
    use std::sync::atomic::Ordering::SeqCst;

    pub(super) fn register() -> bool {
        true
    }

    pub(super) fn run() -> bool {
        true
    }

    pub(super) fn compiler_only() {
        fence(SeqCst);
    }
}
