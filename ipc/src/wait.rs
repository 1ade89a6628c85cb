//! Waiting for the first of several rings, and waking a sleeper without taxing the producer.
//!
//! The ladder: spin, yield, sleep on a futex. Before it sleeps, the consumer stores its epoch (S1),
//! runs a barrier on every core (B), and looks for messages once more (S2). The producer publishes
//! (P1), and looks for an epoch (P2). The barrier is asymmetric: the sleeper pays with `membarrier`,
//! the producer needs only to keep its compiler from swapping P1 and P2. Either P2 sees the epoch
//! and wakes, or S2 sees the message. Where the kernel refuses `membarrier`, the producer runs a
//! full fence, and a sleeper without it never sleeps longer than [`UNSURE_SLEEP`].

use crate::clock;
use nix::libc;
use std::{
    sync::{
        Arc,
        atomic::{
            AtomicU32,
            Ordering::{Acquire, Relaxed, Release, SeqCst},
            compiler_fence, fence,
        },
    },
    time::Duration,
};

/// Longest sleep when a wake-up could be missed: `membarrier` is refused, or too many sources.
const UNSURE_SLEEP: Duration = Duration::from_millis(1);
/// Longest sleep at all, so that a loop gets to its housekeeping.
const LONGEST_SLEEP: Duration = Duration::from_millis(50);
/// Most futexes in one `futex_waitv` call.
const MOST_SOURCES: usize = 128;

/// How far down the ladder a loop may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ladder {
    /// Never leave the core. For a loop that has its core to itself.
    Spin,
    /// Spin and yield briefly, then sleep until woken. For loops that share cores.
    Sleep,
}

/// Something that a loop can wait for: a ring's consumer, or a [`Doorbell`].
pub trait WakeSource {
    /// Whether there is something to take.
    fn is_ready(&self) -> bool;
    /// Announces that this loop is about to sleep. What becomes ready afterwards rings the bell.
    fn arm(&mut self) -> Bell<'_>;
    /// Takes the announcement back.
    fn disarm(&mut self);
    /// Whether a ring of the bell can be relied upon.
    fn may_sleep(&self) -> bool {
        true
    }
}

/// A futex word with the value that it had when its source was armed.
pub struct Bell<'source> {
    word: &'source AtomicU32,
    seen: u32,
    flags: u32,
}

impl<'source> Bell<'source> {
    /// A bell in memory shared between processes.
    pub(crate) const fn shared(word: &'source AtomicU32, seen: u32) -> Self {
        Self {
            word,
            seen,
            flags: FUTEX2_SIZE_U32,
        }
    }

    const fn private(word: &'source AtomicU32, seen: u32) -> Self {
        Self {
            word,
            seen,
            flags: FUTEX2_SIZE_U32 | FUTEX2_PRIVATE,
        }
    }
}

/// Waits by the ladder.
#[derive(Debug)]
pub struct Waiter {
    ladder: Ladder,
    rounds: u32,
}

impl Waiter {
    /// A waiter on the first rung.
    #[must_use]
    pub const fn new(ladder: Ladder) -> Self {
        Self { ladder, rounds: 0 }
    }

    /// There was work: back to the first rung.
    #[inline]
    pub const fn progress(&mut self) {
        self.rounds = 0;
    }

    /// There was no work in a whole round: goes one rung down. Returns when a source may be ready,
    /// and at the latest after 50 ms.
    #[inline]
    pub fn wait(&mut self, sources: &mut [&mut dyn WakeSource]) {
        self.rounds = self.rounds.saturating_add(1);
        match (self.ladder, self.rounds) {
            (Ladder::Spin, _) | (Ladder::Sleep, ..=16) => std::hint::spin_loop(),
            (Ladder::Sleep, ..=18) => std::thread::yield_now(),
            (Ladder::Sleep, _) => sleep(sources),
        }
    }

    /// Waits for something that cannot ring, such as room in a full ring: spins, then yields.
    #[inline]
    pub fn wait_blind(&mut self) {
        self.rounds = self.rounds.saturating_add(1);
        match (self.ladder, self.rounds) {
            (Ladder::Spin, _) | (Ladder::Sleep, ..=16) => std::hint::spin_loop(),
            (Ladder::Sleep, _) => std::thread::yield_now(),
        }
    }
}

/// Sleeps until one of the sources rings, or a time-out.
fn sleep(sources: &mut [&mut dyn WakeSource]) {
    let sure = sources.len() <= MOST_SOURCES && sources.iter().all(|source| source.may_sleep());
    let limit = if sure { LONGEST_SLEEP } else { UNSURE_SLEEP };
    let mut waiters = [FutexWaitv::default(); MOST_SOURCES];
    let mut armed = 0;
    let mut ready = false;
    for (source, waiter) in sources.iter_mut().zip(&mut waiters) {
        let bell = source.arm();
        *waiter = FutexWaitv::of(&bell);
        armed += 1;
        // S2: after arming, or a message pushed just before the epoch showed would be slept through.
        ready |= source.is_ready();
    }
    if !ready {
        futex_wait_any(&waiters[..armed], limit);
    }
    for source in sources.iter_mut() {
        source.disarm();
    }
}

/// Rings within one process: wakes the loop that waits for its owner.
#[derive(Debug, Default)]
pub struct Doorbell {
    word: AtomicU32,
    epoch: AtomicU32,
}

impl Doorbell {
    /// A doorbell for sharing between the threads of a process.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Wakes the sleeper, if there is one. To be called after what it waits for has been published.
    #[inline]
    pub fn ring(&self) {
        // Pairs with the fence in arm: either we see the epoch, or the sleeper sees what was
        // published.
        fence(SeqCst);
        if self.epoch.load(Relaxed) != 0 {
            self.word.fetch_add(1, Release);
            futex_wake(&self.word, libc::FUTEX_PRIVATE_FLAG);
        }
    }

    /// Announces a sleep; see [`WakeSource::arm`].
    pub fn arm(&self) -> Bell<'_> {
        let seen = self.word.load(Acquire);
        self.epoch.store(1, Relaxed);
        // Pairs with the fence in ring.
        fence(SeqCst);
        Bell::private(&self.word, seen)
    }

    /// Takes the announcement back; see [`WakeSource::disarm`].
    pub fn disarm(&self) {
        self.epoch.store(0, Relaxed);
    }
}

/// Which half of the asymmetric barrier this process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Barrier {
    /// `membarrier` works: registered as a waker, or able to run it as a sleeper.
    Asymmetric,
    /// It is refused: full fences.
    Fence,
}

impl Barrier {
    /// For a producer: registers this process to be reached by other processes' barriers.
    pub(crate) fn for_waker() -> Self {
        Self::if_accepted(libc::MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED)
    }

    /// For a consumer: finds out whether it may run barriers.
    pub(crate) fn for_sleeper() -> Self {
        Self::if_accepted(libc::MEMBARRIER_CMD_GLOBAL_EXPEDITED)
    }

    fn if_accepted(command: libc::c_int) -> Self {
        if membarrier(command) {
            Self::Asymmetric
        } else {
            Self::Fence
        }
    }

    pub(crate) fn is_asymmetric(self) -> bool {
        self == Self::Asymmetric
    }

    /// Between P1 and P2. Pairs with before_looking_for_messages.
    #[inline]
    pub(crate) fn before_looking_for_sleepers(self) {
        match self {
            Self::Asymmetric => compiler_fence(SeqCst),
            Self::Fence => fence(SeqCst),
        }
    }

    /// Between S1 and S2. Pairs with before_looking_for_sleepers of every registered process.
    pub(crate) fn before_looking_for_messages(self) {
        fence(SeqCst);
        if self == Self::Asymmetric {
            membarrier(libc::MEMBARRIER_CMD_GLOBAL_EXPEDITED);
        }
    }
}

fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: membarrier takes three integers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

/// Changes a futex word that a sleeper in another process may wait on, and wakes it.
pub(crate) fn wake_shared(word: &AtomicU32) {
    word.fetch_add(1, Release);
    futex_wake(word, 0);
}

fn futex_wake(word: &AtomicU32, private: libc::c_int) {
    // SAFETY: FUTEX_WAKE only uses the address, which is valid for as long as the reference.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE | private,
            i32::MAX,
        )
    };
}

const FUTEX2_SIZE_U32: u32 = 2;
const FUTEX2_PRIVATE: u32 = 128;

/// `struct futex_waitv` of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct FutexWaitv {
    value: u64,
    address: u64,
    flags: u32,
    reserved: u32,
}

impl FutexWaitv {
    fn of(bell: &Bell<'_>) -> Self {
        Self {
            value: u64::from(bell.seen),
            address: bell.word.as_ptr() as u64,
            flags: bell.flags,
            reserved: 0,
        }
    }
}

/// Waits until one of the words has changed, is woken, or the time is up. A kernel without
/// `futex_waitv` (before 5.16) sleeps for [`UNSURE_SLEEP`] instead.
fn futex_wait_any(waiters: &[FutexWaitv], limit: Duration) {
    let due = u128::from(clock::mono_ns()) + limit.as_nanos();
    let timeout = libc::timespec {
        tv_sec: i64::try_from(due / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(due % 1_000_000_000).unwrap_or(0),
    };
    // SAFETY: the array holds `len` initialised entries, whose words outlive the call because the
    // sources are borrowed by the caller; the kernel only reads all of it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex_waitv,
            waiters.as_ptr(),
            waiters.len(),
            0,
            &raw const timeout,
            libc::CLOCK_MONOTONIC,
        )
    };
    if result < 0
        && matches!(
            nix::errno::Errno::last(),
            nix::errno::Errno::ENOSYS | nix::errno::Errno::EINVAL
        )
    {
        std::thread::sleep(UNSURE_SLEEP);
    }
}
