//! The producer's half of the protocol, whatever memory it runs on. Which lines it writes and reads, and how
//! often, is a table in [`crate::manual`].

use crate::{
    barrier::Barrier,
    clock,
    error::PushError,
    fail::fail_point,
    holder::HolderLine,
    memory::{Memory, Slots},
    message::Message,
    pages::{MOST, add},
    slot::whole,
    wait::{self, Bell, Sleeper},
};
use std::{marker::PhantomData, sync::atomic::Ordering::Relaxed};

/// Slots ahead whose lines are asked for while a message is written. Without it, streaming takes three
/// times as long; 16 to 64 are alike, 128 is worse in a ring of 1,024.
const CLAIM_AHEAD: u64 = 64;

/// The writing end of a ring.
pub(crate) struct Writer<T: Message> {
    memory: Memory,
    _message: PhantomData<T>,
    /// Sequence of the next message. Always in sync.
    next: u64,
    /// Everything below it is free to overwrite. May be stale, then too low.
    limit: u64,
    /// Slots ahead of `next` whose lines are asked for.
    claim_ahead: u64,
    /// Half of the slots.
    half: usize,
    /// `sequence & stamp_mask == 0` is stamped, where slots have stamps at all.
    stamp_mask: u64,
    barrier: Barrier,
    /// The consumer's sleep, or waking, that we last looked at.
    seen: u32,
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
        let slots = unsafe { memory.slots::<T>() };
        let state = |n| slots.slot(n).state();
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
        page.life.begin(next);
        let sleeper = Sleeper::resume(&page.sleep);
        let writer = Self {
            next,
            // A producer that waits for nobody has room for ever.
            limit: if gated { 0 } else { u64::MAX },
            half: usize::try_from(memory.capacity() / 2).unwrap_or(1).max(1),
            claim_ahead: CLAIM_AHEAD.min(memory.capacity() / 8),
            stamp_mask: stamp_every.wrapping_sub(1),
            barrier: Barrier::register(),
            seen: 0,
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
        if sequence >= self.limit {
            self.refresh_limit()?;
        }
        let sent_ns = if self.stamps(sequence) {
            clock::mono_ns()
        } else {
            0
        };
        self.track().write(sequence, sent_ns, message);
        self.count(sequence + 1);
        Ok(sequence)
    }

    /// Publishes a message with the time of another push; see [`crate::Producer::push_stamped`].
    pub(crate) fn push_stamped(&mut self, message: &T, sent_ns: u64) -> Result<u64, PushError> {
        let sequence = self.next;
        if sequence >= self.limit {
            self.refresh_limit()?;
        }
        let stamp = if self.stamps(sequence) { sent_ns } else { 0 };
        self.track().write(sequence, stamp, message);
        self.count(sequence + 1);
        Ok(sequence)
    }

    /// Publishes as many as there is room for; see [`crate::Producer::push_batch`].
    #[inline(always)]
    pub(crate) fn push_batch(&mut self, messages: &[T]) -> Result<usize, PushError> {
        let mut pushed = 0;
        // At most half of the ring between two counts: a successor looks for the last message counted.
        for part in messages.chunks(self.half) {
            match self.push_part(part) {
                Ok(count) => {
                    pushed += count;
                    if count < part.len() {
                        break;
                    }
                }
                Err(error) if pushed == 0 => return Err(error),
                // The next call says why.
                Err(_) => break,
            }
        }
        Ok(pushed)
    }

    #[inline(always)]
    fn push_part(&mut self, messages: &[T]) -> Result<usize, PushError> {
        let first = self.next;
        let wanted = messages.len() as u64;
        if self.limit.saturating_sub(first) < wanted {
            self.refresh_limit()?;
        }
        let end = first + wanted.min(self.limit.saturating_sub(first));
        let sent_ns = if self.memory.stamped() {
            clock::mono_ns()
        } else {
            0
        };
        let (track, mask) = (self.track(), self.stamp_mask);
        for (sequence, message) in (first..end).zip(messages) {
            let stamp = if sequence & mask == 0 { sent_ns } else { 0 };
            track.write(sequence, stamp, message);
        }
        self.count(end);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "at most the length of a slice"
        )]
        Ok((end - first) as usize)
    }

    /// Whether the message carries the time of its push.
    #[inline(always)]
    fn stamps(&self, sequence: u64) -> bool {
        self.memory.stamped() && sequence & self.stamp_mask == 0
    }

    /// Where messages are written.
    #[inline(always)]
    fn track(&self) -> Track<'_, T> {
        Track {
            // SAFETY: `resume` has asserted that this memory carries T.
            slots: unsafe { self.memory.slots() },
            limit: self.limit,
            claim_ahead: self.claim_ahead,
        }
    }

    /// Counts what has been published below `next`, and wakes who waits for it.
    #[inline(always)]
    fn count(&mut self, next: u64) {
        self.next = next;
        // Relaxed: only a count. What a slot holds is told by its own word.
        self.memory.producer().count.published.store(next, Relaxed);
        fail_point!("push: counted");
        self.wake_sleeper();
    }

    /// Where the producer says who it is.
    pub(crate) fn holder(&self) -> &HolderLine {
        &self.memory.producer().holder
    }

    /// Messages published since the ring was created.
    pub(crate) fn published(&self) -> u64 {
        self.next
    }

    /// Whether a push would find room now.
    pub(crate) fn has_room(&self) -> bool {
        let free_from = self.memory.consumer().cursor.position();
        self.next < self.limit || self.next < free_from.saturating_add(self.memory.capacity())
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
        let page = self.memory.producer();
        page.life.end();
        fail_point!("close: said");
        wait::wake_shared(&page.wake.word);
    }

    /// Says that this process lives; see [`crate::Producer::beat`].
    #[inline]
    pub(crate) fn beat(&self) {
        self.memory.producer().life.beat();
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
        if epoch != self.seen {
            self.seen = epoch;
            wait::wake_if_asleep(epoch, &self.memory.producer().wake);
        }
    }
}

/// Free slots, and how far ahead they are asked for.
struct Track<'memory, T> {
    slots: Slots<'memory, T>,
    limit: u64,
    claim_ahead: u64,
}

impl<T: Message> Track<'_, T> {
    /// Writes into a slot that is free, and asks for one that will be written soon.
    #[inline(always)]
    fn write(&self, sequence: u64, sent_ns: u64, message: &T) {
        self.slots.slot(sequence).write(sequence, sent_ns, message);
        let ahead = sequence + self.claim_ahead;
        if ahead < self.limit {
            self.slots.claim(ahead);
        }
        fail_point!("push: published");
    }
}
