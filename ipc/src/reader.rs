//! The consumer's half of the protocol, whatever memory it runs on.

use crate::{
    barrier::Barrier,
    clock,
    consumer::Received,
    fail::fail_point,
    holder::HolderLine,
    memory::{Memory, Slot},
    message::{Message, origin_ns},
    pages::{Cursor, LifeLine, MOST},
    slot::{Read, whole},
    wait::{self, Bell, Sleeper},
};
use std::{marker::PhantomData, sync::atomic::Ordering::Relaxed};

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
    /// First sequence after the last gap told: a commit below it would have to divide the loss.
    gap_end: u64,
    /// Where the gap begins that has not been told yet, if `told` is less than `lost`.
    gap_start: u64,
    gated: bool,
    /// Lossless and not damaged: the next message is the one in its slot, or none.
    exact: bool,
    damaged: bool,
    barrier: Barrier,
    /// The producer's sleep, or waking, that we last looked at.
    seen: u32,
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
        // More than counted is possible: the producer counts after it publishes, a whole batch at once.
        let sound = committed.lost <= committed.position
            && committed.position <= published.saturating_add(memory.capacity())
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
            gap_start: committed.position,
            committed,
            gated,
            exact: gated,
            damaged: false,
            barrier: Barrier::register(),
            seen: 0,
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
        if !self.exact {
            return self.pop_latest();
        }
        let slot = self.slot();
        let state = slot.state();
        if state == whole(self.next) {
            let read = slot.read();
            return Some(self.take(read, 0));
        }
        if state > whole(self.next) {
            self.skip_overwritten(state);
        }
        None
    }

    /// Up to `most` messages; see [`crate::Consumer::drain`].
    #[inline(always)]
    pub(crate) fn drain(&mut self, most: usize, mut work: impl FnMut(Received<T>)) -> usize {
        // SAFETY: `resume` has asserted that this memory carries T.
        let slots = unsafe { self.memory.slots::<T>() };
        // At most a ringful: a producer that never waits could keep us here for ever.
        let most = most.min(usize::try_from(self.memory.capacity()).unwrap_or(usize::MAX));
        let mut count = 0;
        let mut sequence = self.next;
        while self.exact && count < most {
            let slot = slots.slot(sequence);
            if slot.state() != whole(sequence) {
                break;
            }
            let received = self.received(sequence, slot.read(), 0);
            sequence += 1;
            count += 1;
            // Before the work: as after a pop.
            self.next = sequence;
            work(received);
        }
        // One by one where messages may be overwritten, and to find out about one that is not as it should be.
        while count < most
            && let Some(received) = self.pop()
        {
            count += 1;
            work(received);
        }
        count
    }

    /// The next message that the producer has not overwritten meanwhile.
    #[inline]
    fn pop_latest(&mut self) -> Option<Received<T>> {
        for _ in 0..=MOST_SKIPS {
            let slot = self.slot();
            let state = slot.state();
            if state < whole(self.next) || self.damaged {
                return None;
            }
            if state > whole(self.next) {
                self.skip_overwritten(state);
            } else if let Some(read) = slot.read_untorn(state) {
                let lost = self.lost - self.told;
                if lost > 0 {
                    self.told = self.lost;
                    self.gap_end = self.next;
                }
                return Some(self.take(read, lost));
            }
            // Overwritten under our eyes: the next look tells how far.
        }
        None
    }

    /// Moves on behind a message that has been read.
    #[inline(always)]
    fn take(&mut self, read: Read<T>, lost: u64) -> Received<T> {
        let sequence = self.next;
        self.next += 1;
        self.received(sequence, read, lost)
    }

    /// A message that has been read, its latency recorded.
    #[inline(always)]
    fn received(&self, sequence: u64, read: Read<T>, lost: u64) -> Received<T> {
        fail_point!("pop: read");
        let popped_ns = if read.sent_ns == 0 {
            0
        } else {
            self.record_times(&read)
        };
        Received {
            message: read.message,
            sequence,
            sent_ns: read.sent_ns,
            popped_ns,
            lost,
        }
    }

    /// Records how long a stamped message took, and how old what caused it is; returns the time.
    #[inline(always)]
    fn record_times(&self, read: &Read<T>) -> u64 {
        let (now, page) = (clock::mono_ns(), self.memory.consumer());
        page.latency.record(now.saturating_sub(read.sent_ns));
        if let Some(origin_ns) = origin_ns(&read.message) {
            page.age.record(now.saturating_sub(origin_ns));
        }
        now
    }

    /// Everything below `position` is done with; see [`crate::Consumer::commit_to`].
    #[inline(always)]
    pub(crate) fn commit_to(&mut self, position: u64) {
        let position = if self.told == self.lost {
            position
        } else {
            // A gap that nobody has been told of stays open: a successor finds it again, and tells.
            position.min(self.gap_start)
        };
        if position <= self.committed.position || position > self.next || position < self.gap_end {
            return;
        }
        let to = Cursor {
            position,
            lost: self.told,
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

    /// Where the consumer says who it is.
    pub(crate) fn holder(&self) -> &HolderLine {
        &self.memory.consumer().holder
    }

    /// What the producer says of its own life.
    #[inline]
    pub(crate) fn life(&self) -> &LifeLine {
        &self.memory.producer().life
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
        unsafe { self.memory.slots() }.slot(self.next)
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
        // A lossless producer overwrites nothing unread, no producer gets that far, and the message
        // after this one in its slot is a whole lap away.
        if self.gated || reached > MOST || (state - 1) / 2 < self.next + capacity {
            self.damaged = true;
            self.exact = false;
            return;
        }
        if self.told == self.lost {
            self.gap_start = self.next;
        }
        self.lost += target - self.next;
        self.next = target;
        fail_point!("pop: skipped");
    }

    #[inline(always)]
    fn wake_sleeper(&mut self) {
        if !self.gated {
            return;
        }
        self.barrier.before_looking_for_sleepers();
        let epoch = self.memory.producer().sleep.epoch.load(Relaxed);
        if epoch != self.seen {
            self.seen = epoch;
            wait::wake_if_asleep(epoch, &self.memory.consumer().wake);
        }
    }
}
