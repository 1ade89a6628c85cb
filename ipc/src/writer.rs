//! The producer's half of the protocol, whatever memory it runs on.
//!
//! | line | written by | how often | read by |
//! |---|---|---|---|
//! | slot | producer | every message | consumer, spinning on it |
//! | count | producer | every message | nobody on the hot path |
//! | consumer cursor | consumer | every commit | producer, only when its cached copy says full |
//! | consumer sleep | consumer | when it falls asleep or wakes | producer, every message (shared until then) |

use crate::{
    barrier::Barrier,
    clock,
    error::PushError,
    fail::fail_point,
    memory::Memory,
    message::Message,
    pages::{MOST, add},
    slot::whole,
    wait::{self, Bell, Sleeper},
};
use std::{
    marker::PhantomData,
    sync::atomic::Ordering::{Relaxed, Release},
};

/// Slots ahead whose lines are asked for while a message is written. Streaming 56-byte messages through
/// 1,024 slots went from 55 to 17 ns a message with it, through 65,536 from 29 to 9; 128 is worse.
const CLAIM_AHEAD: u64 = 32;

/// The writing end of a ring.
pub(crate) struct Writer<T: Message> {
    memory: Memory,
    _message: PhantomData<T>,
    /// Sequence of the next message. Always in sync.
    next: u64,
    /// Everything below it is free to overwrite. May be stale, then too low.
    limit: u64,
    gated: bool,
    /// `sequence & stamp_mask == 0` is stamped, where slots have stamps at all.
    stamp_mask: u64,
    barrier: Barrier,
    /// The consumer's sleep that was last ended by us.
    woken: u32,
    sleeper: Sleeper,
}

impl<T: Message> Writer<T> {
    /// Takes up the producer's work where the last one stopped. The caller holds the role.
    ///
    /// # Errors
    ///
    /// What is wrong with the counters, in words.
    pub(crate) fn resume(memory: Memory, gated: bool, stamp_every: u64) -> Result<Self, String> {
        assert!(memory.carries::<T>(), "attach has compared the layouts");
        let page = memory.producer();
        // SAFETY: asserted above.
        let state = |n| unsafe { memory.slot::<T>(n) }.state();
        // Relaxed, here and below: the last producer's stores are visible, because its lock has passed
        // through the kernel to us.
        let counted = page.count.published.load(Relaxed);
        if counted > MOST {
            return Err(format!("{counted} messages are counted"));
        }
        if counted > 0 && state(counted - 1) != whole(counted - 1) {
            return Err(format!(
                "{counted} messages are counted, but the last of them is not in its slot"
            ));
        }
        // It may have died between slots and count.
        let uncounted = (counted..counted + memory.capacity())
            .take_while(|n| state(*n) == whole(*n))
            .count();
        let next = counted + uncounted as u64;
        page.count.published.store(next, Relaxed);
        fail_point!("attach: producer recovered");
        // Our goodbye is taken back; a consumer that reads 0 here knows the role to be held already.
        page.wake.closed.store(0, Release);
        fail_point!("attach: producer reopened");
        let sleeper = Sleeper::resume(&page.sleep);
        let writer = Self {
            next,
            limit: 0,
            gated,
            stamp_mask: stamp_every.wrapping_sub(1),
            barrier: Barrier::register(),
            woken: 0,
            sleeper,
            memory,
            _message: PhantomData,
        };
        // The last producer may have died between publishing and waking.
        wait::wake_shared(&writer.memory.producer().wake.word);
        Ok(writer)
    }

    /// Publishes a message; see [`crate::Producer::push`].
    #[inline(always)]
    pub(crate) fn push(&mut self, message: &T) -> Result<u64, PushError> {
        let sequence = self.next;
        if self.gated && sequence >= self.limit {
            self.refresh_limit()?;
        }
        let stamp = self.memory.stamped() && sequence & self.stamp_mask == 0;
        let sent_ns = if stamp { clock::mono_ns() } else { 0 };
        // SAFETY: `resume` has asserted that this memory carries T.
        unsafe { self.memory.slot::<T>(sequence) }.write(sequence, sent_ns, message);
        if self.gated && sequence + CLAIM_AHEAD < self.limit {
            // SAFETY: as above.
            unsafe { self.memory.claim::<T>(sequence + CLAIM_AHEAD) };
        }
        fail_point!("push: published");
        self.next = sequence + 1;
        // Relaxed: only a count. What a slot holds is told by its own word.
        self.memory
            .producer()
            .count
            .published
            .store(self.next, Relaxed);
        fail_point!("push: counted");
        self.wake_sleeper();
        Ok(sequence)
    }

    /// Messages published since the ring was created.
    pub(crate) fn published(&self) -> u64 {
        self.next
    }

    /// Whether a push would find room now.
    pub(crate) fn has_room(&self) -> bool {
        let free_from = self.memory.consumer().cursor.position();
        !self.gated
            || self.next < self.limit
            || self.next < free_from.saturating_add(self.memory.capacity())
    }

    /// Announces a sleep until there is room; see [`crate::WakeSource::arm`].
    pub(crate) fn arm(&mut self) -> Bell<'_> {
        let word = &self.memory.consumer().wake.word;
        self.sleeper.announce(&self.memory.producer().sleep, word)
    }

    /// Takes it back.
    pub(crate) fn disarm(&mut self) {
        self.sleeper.withdraw(&self.memory.producer().sleep);
    }

    /// Says that nothing more will come from this process.
    pub(crate) fn close(&mut self) {
        let wake = &self.memory.producer().wake;
        // Pairs with the Acquire load in Reader::closed: all our messages are visible with it.
        wake.closed.store(1, Release);
        fail_point!("close: said");
        wait::wake_shared(&wake.word);
    }

    /// Looks at the consumer's position, because the cached limit says full.
    #[cold]
    fn refresh_limit(&mut self) -> Result<(), PushError> {
        let position = self.memory.consumer().cursor.position();
        if position > self.next {
            return Err(PushError::PeerDamaged {
                position,
                published: self.next,
            });
        }
        // A position that went back lowers the limit below `next`: full, never an overwrite.
        self.limit = position.saturating_add(self.memory.capacity());
        if self.next >= self.limit {
            add(&self.memory.producer().count.full, 1);
            return Err(PushError::Full);
        }
        Ok(())
    }

    #[inline(always)]
    fn wake_sleeper(&mut self) {
        self.barrier.before_looking_for_sleepers();
        let epoch = self.memory.consumer().sleep.epoch.load(Relaxed);
        if epoch % 2 == 1 && epoch != self.woken {
            self.woken = epoch;
            wait::wake_peer(&self.memory.producer().wake);
        }
    }
}
