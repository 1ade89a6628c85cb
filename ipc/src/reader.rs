//! The consumer's half of the protocol, whatever memory it runs on.

use crate::{
    barrier::Barrier,
    clock,
    consumer::Received,
    fail::fail_point,
    memory::{Memory, Slot},
    message::Message,
    pages::{Cursor, MOST},
    slot::whole,
    wait::{self, Bell, Sleeper},
};
use std::{
    marker::PhantomData,
    sync::atomic::Ordering::{Acquire, Relaxed},
};

/// Times that one pop moves on after being overrun, before it lets its caller do something else.
const MOST_SKIPS: u32 = 4;

/// The reading end of a ring.
pub(crate) struct Reader<T: Message> {
    memory: Memory,
    _message: PhantomData<T>,
    /// Sequence of the next message to read. Always in sync.
    next: u64,
    /// What the ring knows. Always in sync.
    committed: Cursor,
    /// Messages lost below `next`. Always in sync.
    lost: u64,
    /// Of those, how many the caller has been told of.
    told: u64,
    /// First sequence after the last gap: a commit below it would have to divide the loss.
    gap_end: u64,
    gated: bool,
    damaged: bool,
    barrier: Barrier,
    /// The producer's sleep that was last ended by us.
    woken: u32,
    sleeper: Sleeper,
}

impl<T: Message> Reader<T> {
    /// Takes up the consumer's work behind the last commit. The caller holds the role.
    ///
    /// # Errors
    ///
    /// What is wrong with the counters, in words.
    pub(crate) fn resume(memory: Memory, gated: bool) -> Result<Self, String> {
        assert!(memory.carries::<T>(), "attach has compared the layouts");
        let committed = memory.consumer().cursor.own();
        // Relaxed: a plausibility check; each slot vouches for itself.
        let published = memory.producer().count.published.load(Relaxed);
        // One more than counted is possible: the producer counts after it publishes.
        let sound = committed.lost <= committed.position
            && committed.position <= published.saturating_add(1)
            && published <= MOST;
        if !sound {
            return Err(format!(
                "the consumer's position is {} with {} lost, but {published} messages were published",
                committed.position, committed.lost
            ));
        }
        let sleeper = Sleeper::resume(&memory.consumer().sleep);
        let reader = Self {
            next: committed.position,
            lost: committed.lost,
            told: committed.lost,
            gap_end: committed.position,
            committed,
            gated,
            damaged: false,
            barrier: Barrier::register(),
            woken: 0,
            sleeper,
            memory,
            _message: PhantomData,
        };
        fail_point!("attach: consumer resumed");
        // The last consumer may have died between committing and waking.
        wait::wake_shared(&reader.memory.consumer().wake.word);
        Ok(reader)
    }

    /// The next message; see [`crate::Consumer::pop`].
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<Received<T>> {
        for _ in 0..=MOST_SKIPS {
            let slot = self.slot();
            let state = slot.state();
            if state < whole(self.next) || self.damaged {
                return None;
            }
            if state == whole(self.next) {
                let read = if self.gated {
                    Some(slot.read())
                } else {
                    slot.read_untorn(state)
                };
                if let Some(read) = read {
                    fail_point!("pop: read");
                    let sequence = self.next;
                    self.next += 1;
                    if read.sent_ns != 0 {
                        let age = clock::mono_ns().saturating_sub(read.sent_ns);
                        self.memory.consumer().histogram.record(age);
                    }
                    let lost = self.lost - self.told;
                    self.told = self.lost;
                    return Some(Received {
                        message: read.message,
                        sequence,
                        sent_ns: read.sent_ns,
                        lost,
                    });
                }
            }
            self.skip_overwritten(state);
        }
        None
    }

    /// Everything below `position` is done with; see [`crate::Consumer::commit_to`].
    #[inline(always)]
    pub(crate) fn commit_to(&mut self, position: u64) {
        if position <= self.committed.position || position > self.next || position < self.gap_end {
            return;
        }
        let to = Cursor {
            position,
            lost: self.lost,
        };
        fail_point!("commit: begun");
        self.memory.consumer().cursor.commit(self.committed, to);
        self.committed = to;
        fail_point!("commit: committed");
        self.wake_sleeper();
    }

    /// Whether [`Reader::pop`] has something to say.
    #[inline(always)]
    pub(crate) fn has_message(&self) -> bool {
        !self.damaged && self.slot().state() >= whole(self.next)
    }

    /// Sequence of the next message to read.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Messages lost since the ring was created.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Whether the ring has been found in a state that no sound producer leaves.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// Whether the last producer has said goodbye.
    pub(crate) fn closed(&self) -> bool {
        // Pairs with the Release store in Writer::close.
        self.memory.producer().wake.closed.load(Acquire) != 0
    }

    /// Announces a sleep until there is a message; see [`crate::WakeSource::arm`].
    pub(crate) fn arm(&mut self) -> Bell<'_> {
        let word = &self.memory.producer().wake.word;
        self.sleeper.announce(&self.memory.consumer().sleep, word)
    }

    /// Takes it back.
    pub(crate) fn disarm(&mut self) {
        self.sleeper.withdraw(&self.memory.consumer().sleep);
    }

    /// The slot of the next message.
    #[inline(always)]
    fn slot(&self) -> Slot<'_, T> {
        // SAFETY: `resume` has asserted that this memory carries T.
        unsafe { self.memory.slot(self.next) }
    }

    /// Moves on to a message that the producer will not overwrite at once, and counts what was lost.
    #[cold]
    fn skip_overwritten(&mut self, state: u64) {
        let capacity = self.memory.capacity();
        // The state itself proves that the writer has begun message (state - 1) / 2. The count may be
        // ahead of what we see of the slots (Relaxed): then the target is simply not there yet.
        let counted = self.memory.producer().count.published.load(Relaxed);
        let reached = counted.max((state - 1) / 2);
        // Half of the ring is left between us and the writer.
        let target = reached.saturating_sub(capacity / 2);
        if self.gated || target <= self.next || reached > MOST {
            // A lossless producer overwrites nothing unread, and no producer gets that far.
            self.damaged |= self.gated || reached > MOST;
            return;
        }
        self.lost += target - self.next;
        self.next = target;
        self.gap_end = target;
        fail_point!("pop: skipped");
    }

    #[inline(always)]
    fn wake_sleeper(&mut self) {
        if !self.gated {
            return;
        }
        self.barrier.before_looking_for_sleepers();
        let epoch = self.memory.producer().sleep.epoch.load(Relaxed);
        if epoch % 2 == 1 && epoch != self.woken {
            self.woken = epoch;
            wait::wake_peer(&self.memory.consumer().wake);
        }
    }
}
