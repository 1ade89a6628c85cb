//! The pages that each role writes for the other and for observers: one writer, any readers, no lock.

use crate::{
    clock,
    fail::fail_point,
    histogram::HistogramPage,
    holder::HolderLine,
    sync::{AtomicU32, AtomicU64, fence},
};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Times that two words are looked at, to find two that belong together, before what is there is taken.
const ATTEMPTS: usize = 1000;

/// Above it no counter of a sound segment ever gets: at a message a nanosecond that takes a century.
/// Sequence words (`2n + 2`) below it do not overflow.
pub(crate) const MOST: u64 = u64::MAX / 4;

/// The producer's page. Written by the producer only; each line for another pace of writing.
#[repr(C)]
#[derive(Default)]
pub(crate) struct ProducerPage {
    /// Written at every message; nobody looks at it on the hot path.
    pub(crate) count: CountLine,
    /// Written when the producer waits for room, read by the consumer at every commit.
    pub(crate) sleep: SleepLine,
    /// Written when a sleeping consumer is woken.
    pub(crate) wake: WakeLine,
    /// Written at start and end, and now and then by a producer that has nothing to say.
    pub(crate) life: LifeLine,
    /// Written at start.
    pub(crate) holder: HolderLine,
}

/// The consumer's region. Written by the consumer only; each line for another pace of writing.
#[repr(C)]
#[derive(Default)]
pub(crate) struct ConsumerPage {
    /// Written at every commit, read by the producer when the ring seems full.
    pub(crate) cursor: CursorLine,
    /// Written when the consumer goes to sleep, read by the producer at every push.
    pub(crate) sleep: SleepLine,
    /// Written when a producer that waits for room is woken.
    pub(crate) wake: WakeLine,
    /// Written at start.
    pub(crate) holder: HolderLine,
    /// How long the stamped messages took from push to pop.
    pub(crate) latency: HistogramPage,
    /// How old what caused them was by then.
    pub(crate) age: HistogramPage,
}

/// What the producer has done.
#[repr(C, align(64))]
#[derive(Default)]
pub(crate) struct CountLine {
    /// Messages published; behind the slots by at most a batch, half of the ring.
    pub(crate) published: AtomicU64,
    /// Times that the producer looked for room and found none.
    pub(crate) full: AtomicU64,
}

/// How far the consumer is: position and loss change together, in one store.
#[repr(C, align(64))]
#[derive(Default)]
pub(crate) struct CursorLine {
    /// `2 x position + which`: every message below the position is done with, and `lost[which]` of
    /// them were lost.
    committed: AtomicU64,
    lost: [AtomicU64; 2],
}

/// Whether the writer of this line sleeps.
#[repr(C, align(64))]
#[derive(Default)]
pub(crate) struct SleepLine {
    /// Odd while asleep. Only grows, also from one process to its successor, so that no two sleeps
    /// look the same to the waker.
    pub(crate) epoch: AtomicU32,
}

/// What the other side's sleep waits on.
#[repr(C, align(64))]
#[derive(Default)]
pub(crate) struct WakeLine {
    /// The futex word.
    pub(crate) word: AtomicU32,
    /// Times that a sleeper was woken.
    pub(crate) wakes: AtomicU64,
}

/// What a producer says of its own life. Nothing here decides who holds the role: that is a lock.
#[repr(C, align(64))]
#[derive(Default)]
pub(crate) struct LifeLine {
    /// Producers that the ring has had: the number of the latest one, 0 before the first.
    pub(crate) incarnation: AtomicU64,
    /// The first message of the latest two incarnations, each at its number's last bit.
    first: [AtomicU64; 2],
    /// The incarnation that was the last to say goodbye.
    closed: AtomicU64,
    /// When a producer last said that it lives, ns of `CLOCK_MONOTONIC_COARSE`.
    beat_ns: AtomicU64,
}

impl LifeLine {
    /// A producer begins, with message `next`. It holds the role already.
    pub(crate) fn begin(&self, next: u64) {
        self.beat();
        self.show(next);
    }

    /// Shows the number of a producer that begins with message `next`.
    pub(crate) fn show(&self, next: u64) {
        let incarnation = self.incarnation.load(Relaxed).wrapping_add(1).max(1);
        // Pairs with the second fence in `latest`: who sees it sees that the last but one is over.
        self.first[usize::from(incarnation % 2 == 1)].store(next, Release);
        // Pairs with the fence in Watched::look: who sees the number, and then finds the role free, knows
        // that this producer is gone. And with the fences in `latest`.
        self.incarnation.store(incarnation, Release);
        fail_point!("attach: incarnation stored");
    }

    /// The latest incarnation, and its first message.
    #[inline]
    pub(crate) fn latest(&self) -> (u64, u64) {
        let mut latest = (0, 0);
        for _ in 0..ATTEMPTS {
            let incarnation = self.incarnation.load(Relaxed);
            // Pairs with the Release store in `begin`: its first message is seen with it.
            fence(Acquire);
            let first = self.first[usize::from(incarnation % 2 == 1)].load(Relaxed);
            latest = (incarnation, first);
            // The cell is written again only after one more producer has come.
            fence(Acquire);
            if self.incarnation.load(Relaxed) == incarnation {
                break;
            }
        }
        latest
    }

    /// It says goodbye.
    pub(crate) fn end(&self) {
        // Pairs with the fence in `goodbye`: all its messages are visible with it.
        self.closed.store(self.incarnation.load(Relaxed), Release);
    }

    /// The incarnation that was the last to say goodbye; 0 when none has.
    pub(crate) fn goodbye(&self) -> u64 {
        let goodbye = self.closed.load(Relaxed);
        // Pairs with the Release store in `end`.
        fence(Acquire);
        goodbye
    }

    /// It says that it lives. A store only when the clock has ticked: readers keep the line meanwhile.
    pub(crate) fn beat(&self) {
        let now = clock::coarse_mono_ns();
        if self.beat_ns.load(Relaxed) != now {
            self.beat_ns.store(now, Relaxed);
        }
    }

    /// When it last did so; an allegation like everything here.
    pub(crate) fn beat_ns(&self) -> u64 {
        self.beat_ns.load(Relaxed)
    }
}

#[cfg(not(loom))]
const _: () = assert!(
    size_of::<ConsumerPage>() <= crate::header::CONSUMER_BYTES && size_of::<ProducerPage>() == 320
);

/// A consumer's position with what was lost below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cursor {
    pub(crate) position: u64,
    pub(crate) lost: u64,
}

impl CursorLine {
    /// For the consumer, on its own line.
    pub(crate) fn own(&self) -> Cursor {
        // Only consumers write here, one at a time, and the caller holds the role: Relaxed.
        let committed = self.committed.load(Relaxed);
        Cursor {
            position: committed / 2,
            lost: self.lost[usize::from(committed % 2 == 1)].load(Relaxed),
        }
    }

    /// For the producer: the position alone.
    #[inline(always)]
    pub(crate) fn position(&self) -> u64 {
        let committed = self.committed.load(Relaxed);
        // A2 pairs with R2 in `commit`: the consumer's reads of every slot below are over.
        fence(Acquire);
        committed / 2
    }

    /// For observers: both, of one commit; of two when the loss changes at every look.
    pub(crate) fn observe(&self) -> Cursor {
        let cells = || [self.lost[0].load(Relaxed), self.lost[1].load(Relaxed)];
        let mut cursor = Cursor::default();
        for _ in 0..ATTEMPTS {
            let before = cells();
            // Keeps the position's load behind those of the cells. Pairs with the Release stores in
            // `commit`.
            fence(Acquire);
            let committed = self.committed.load(Relaxed);
            // R2's partner for observers, and keeps the second look at the cells behind it.
            fence(Acquire);
            let which = usize::from(committed % 2 == 1);
            cursor = Cursor {
                position: committed / 2,
                lost: cells()[which],
            };
            // Losses only grow: a cell that is the same before and after was so when the position was
            // loaded, and the position says that it was in use.
            if before[which] == cursor.lost {
                break;
            }
        }
        cursor
    }

    /// Publishes a position, and the loss below it if that changed.
    #[inline(always)]
    pub(crate) fn commit(&self, from: Cursor, to: Cursor) {
        let mut which = self.committed.load(Relaxed) % 2;
        if to.lost != from.lost {
            // The cell not in use: a crash before the next store leaves the old pair whole.
            which ^= 1;
            self.lost[usize::from(which == 1)].store(to.lost, Release);
            fail_point!("commit: loss stored");
        }
        // R2 pairs with A2 in `position`, and with the loads in `observe`.
        self.committed.store(2 * to.position + which, Release);
    }
}

/// Adds to a counter that only this process writes: no locked instruction is needed.
#[inline]
pub(crate) fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(amount), Relaxed);
}
