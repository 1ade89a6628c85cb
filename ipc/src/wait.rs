//! Waiting for the first of several sources: spin, yield, sleep until woken.

use crate::{
    barrier,
    fail::fail_point,
    futex::{self, MOST_WORDS, Scope, Seen, Waits},
    pages::{SleepLine, WakeLine, add},
    sync::{AtomicU32, fence},
};
use std::{
    sync::{
        Arc,
        atomic::Ordering::{Acquire, Relaxed, Release, SeqCst},
    },
    time::Duration,
};

/// Longest sleep when a wake-up could be missed: `membarrier` is refused, or too many sources.
pub(crate) const UNSURE_SLEEP: Duration = Duration::from_millis(1);
/// Longest sleep at all, so that a loop gets to its housekeeping, and finds what a peer published that
/// was stopped or killed before it rang.
pub(crate) const LONGEST_SLEEP: Duration = Duration::from_millis(50);
/// Most sources that one sleep can wait for; each has two words at most.
const MOST_SOURCES: usize = MOST_WORDS / 2;
/// Rounds of spinning before a loop that may sleep begins to yield, and before it sleeps.
const SPINS: u32 = 16;
const YIELDS: u32 = 2;
/// Pauses between two looks for room: looking takes the reader's line away from it.
const PAUSES: u32 = 64;

/// How far down the ladder a loop may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ladder {
    /// Never leave the core. For a loop that has its core to itself.
    Spin,
    /// Give the core away between any two looks, and never sleep. For loops that share cores, and whose
    /// wake-ups would cost more than the looks of the others: each look waits for one of every other.
    Yield,
    /// Spin and yield briefly, then sleep until woken. For loops that share cores.
    Sleep,
}

/// Something that a loop can wait for: a ring's consumer (a message, or the news that its producer is
/// gone), its producer (room), or a
/// [`Doorbell`]'s owner.
pub trait WakeSource {
    /// Whether there is something to do.
    fn is_ready(&self) -> bool;
    /// Announces that this loop is about to sleep. What becomes ready afterwards rings the bell, if
    /// the waiter has run its barrier in between.
    fn arm(&mut self) -> Bell<'_>;
    /// Takes the announcement back.
    fn disarm(&mut self);
}

/// What rings when an armed source becomes ready: one word, or two.
#[derive(Clone, Copy)]
pub struct Bell<'source>(pub(crate) Seen<'source>, pub(crate) Option<Seen<'source>>);

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
            (Ladder::Spin, _) | (Ladder::Sleep, ..=SPINS) => std::hint::spin_loop(),
            (Ladder::Yield, _) => std::thread::yield_now(),
            (Ladder::Sleep, rounds) if rounds <= SPINS + YIELDS => std::thread::yield_now(),
            (Ladder::Sleep, _) => sleep(sources),
        }
    }

    /// As [`Waiter::wait`], for a producer that waits for room. It looks less often: every look takes
    /// the consumer's line away from the consumer.
    #[inline]
    pub fn wait_for_room(&mut self, producer: &mut dyn WakeSource) {
        (0..PAUSES).for_each(|_| std::hint::spin_loop());
        self.wait(&mut [producer]);
    }
}

/// Sleeps until one of the sources rings, or a time-out.
fn sleep(sources: &mut [&mut dyn WakeSource]) {
    let mut waits = Waits::none();
    for source in sources.iter_mut() {
        let Bell(word, second) = source.arm();
        waits.add(word);
        second.into_iter().for_each(|word| waits.add(word));
    }
    fail_point!("sleep: announced");
    let reliable = barrier::before_looking_for_work() && sources.len() <= MOST_SOURCES;
    let limit = if reliable {
        LONGEST_SLEEP
    } else {
        UNSURE_SLEEP
    };
    // S2: after the barrier, or what was published just before the epoch showed would be slept through.
    if !sources.iter().any(|source| source.is_ready()) {
        waits.sleep(limit, UNSURE_SLEEP);
    }
    fail_point!("sleep: over");
    for source in sources.iter_mut() {
        source.disarm();
    }
}

/// One role's announcements of its sleeps, on its own line of the segment.
#[derive(Debug)]
pub(crate) struct Sleeper {
    epoch: u32,
}

impl Sleeper {
    /// Continues the epochs of the last holder of the role, awake.
    pub(crate) fn resume(line: &SleepLine) -> Self {
        let epoch = line.epoch.load(Relaxed);
        let epoch = epoch.wrapping_add(epoch % 2);
        line.epoch.store(epoch, Relaxed);
        fail_point!("attach: awake");
        Self { epoch }
    }

    /// S1: shows a new, odd epoch. The bell is the other side's word.
    pub(crate) fn announce<'word>(
        &mut self,
        line: &SleepLine,
        word: &'word AtomicU32,
    ) -> Bell<'word> {
        let value = word.load(Relaxed);
        // Read before the epoch is shown: a waker that sees the epoch changes the word after it.
        fence(Acquire);
        self.epoch = self.epoch.wrapping_add(1) | 1;
        line.epoch.store(self.epoch, Relaxed);
        let seen = Seen {
            word,
            value,
            scope: Scope::Shared,
        };
        Bell(seen, None)
    }

    /// Shows an even epoch.
    pub(crate) fn withdraw(&mut self, line: &SleepLine) {
        self.epoch = self.epoch.wrapping_add(self.epoch % 2);
        line.epoch.store(self.epoch, Relaxed);
    }
}

/// Changes a word that the other side's sleeper may wait on, and wakes it.
pub(crate) fn wake_shared(word: &AtomicU32) {
    word.fetch_add(1, Release);
    fail_point!("wake: word changed");
    futex::wake(word, Scope::Shared);
}

/// Wakes the peer if an epoch of its that was not seen before says that it sleeps.
#[cold]
pub(crate) fn wake_if_asleep(epoch: u32, line: &WakeLine) {
    if epoch % 2 == 1 {
        fail_point!("wake: needed");
        add(&line.wakes, 1);
        wake_shared(&line.word);
    }
}

/// Rings within one process: wakes the one loop that waits for its owner.
#[derive(Debug, Default)]
pub struct Doorbell {
    word: AtomicU32,
    armed: AtomicU32,
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
        // Pairs with the fence in before_looking_for_work: either we see the mark, or the sleeper
        // sees what was published.
        fence(SeqCst);
        if self.armed.load(Relaxed) != 0 {
            self.word.fetch_add(1, Release);
            futex::wake(&self.word, Scope::Private);
        }
    }

    /// Announces a sleep; see [`WakeSource::arm`].
    pub fn arm(&self) -> Bell<'_> {
        let value = self.word.load(Acquire);
        self.armed.store(1, Relaxed);
        let seen = Seen {
            word: &self.word,
            value,
            scope: Scope::Private,
        };
        Bell(seen, None)
    }

    /// Takes the announcement back; see [`WakeSource::disarm`].
    pub fn disarm(&self) {
        self.armed.store(0, Relaxed);
    }
}
