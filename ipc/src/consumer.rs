//! The reading role of a ring.
//!
//! Consuming is at-least-once: [`Consumer::pop`] advances in this process, and only
//! [`Consumer::commit`] says to the ring that the work is done. A successor continues behind the
//! last commit.

use crate::{
    clock,
    error::Error,
    header::{Info, Kind},
    message::Message,
    role::{self, Peer, Role},
    segment::{Access, Segment, consumer_page, producer_page},
    slot::{Slots, whole},
    stats::ConsumerPage,
    wait::{self, Bell, WakeSource},
};
use memmap2::MmapRaw;
use std::{
    path::Path,
    sync::atomic::Ordering::{Acquire, Relaxed, Release},
};

/// A message out of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received<T> {
    /// The message.
    pub message: T,
    /// Its number in the ring, from 0.
    pub sequence: u64,
    /// When it was pushed, ns of `CLOCK_MONOTONIC`; 0 where the ring did not stamp it.
    pub sent_ns: u64,
    /// Messages lost between the one before and this one. Always 0 in a lossless ring.
    pub lost: u64,
}

/// The one consumer of a ring.
pub struct Consumer<T: Message> {
    segment: Segment,
    own: MmapRaw,
    peer: MmapRaw,
    _slots: MmapRaw,
    slots: Slots<T>,
    /// Sequence of the next message to read. Always in sync.
    next: u64,
    /// Position as the ring knows it. Always in sync.
    committed: u64,
    /// Messages lost below `next`. Always in sync.
    lost: u64,
    gated: bool,
    barrier: wait::Barrier,
    sleeps: u32,
}

impl<T: Message> Consumer<T> {
    /// Attaches to an existing ring as its consumer, and continues behind the last commit.
    ///
    /// # Errors
    ///
    /// [`Error::RoleTaken`] while another process is its consumer, [`Error::Layout`] when it carries
    /// another message, and what else [`Error`] names.
    pub fn attach(path: &Path) -> Result<Self, Error> {
        let segment = Segment::open(path, Access::Write)?;
        segment.expect::<T>(false)?;
        segment.take(Role::Consumer)?;
        let own = segment.map(segment.info.consumer_region(), Access::Write)?;
        let peer = segment.map(segment.info.producer_region(), Access::Read)?;
        let slot_map = segment.map(segment.info.slot_region(), Access::Read)?;
        // SAFETY: the mapping covers the slot region of this checked segment and is kept in the same
        // struct; it is read-only, and a consumer never calls Slots::write.
        let slots = unsafe { Slots::<T>::new(slot_map.as_ptr(), &segment.info) };
        let page = consumer_page(&own);
        // Only consumers write these, one at a time, and we hold the role: Relaxed.
        let (position, lost) = (
            page.cursor.position.load(Relaxed),
            page.cursor.lost.load(Relaxed),
        );
        let published = producer_page(&peer).published.load(Acquire);
        // One more than counted is possible: the producer counts after it publishes.
        if position > published.saturating_add(1) || lost > position {
            let reason = format!(
                "the consumer's position is {position} with {lost} lost, but {published} messages were published"
            );
            return Err(Error::Damaged {
                path: path.to_owned(),
                reason,
            });
        }
        page.sleep.epoch.store(0, Relaxed);
        Ok(Self {
            gated: segment.info.kind == Kind::Lossless,
            barrier: wait::Barrier::for_sleeper(),
            segment,
            own,
            peer,
            _slots: slot_map,
            slots,
            next: position,
            committed: position,
            lost,
            sleeps: 0,
        })
    }

    /// The next message, or `None` when there is none yet.
    ///
    /// A stamped message's hop latency is recorded in the segment's histogram.
    #[inline]
    pub fn pop(&mut self) -> Option<Received<T>> {
        let mut lost = 0;
        loop {
            let word = self.slots.word(self.next);
            if word < whole(self.next) {
                return None;
            }
            if word == whole(self.next) {
                let read = if self.gated {
                    Some(self.slots.read(self.next))
                } else {
                    self.slots.read_untorn(self.next, word)
                };
                if let Some(read) = read {
                    let sequence = self.next;
                    self.next += 1;
                    if read.sent_ns != 0 {
                        self.page()
                            .histogram
                            .record(clock::mono_ns().saturating_sub(read.sent_ns));
                    }
                    return Some(Received {
                        message: read.message,
                        sequence,
                        sent_ns: read.sent_ns,
                        lost,
                    });
                }
            }
            lost += self.skip_overwritten()?;
        }
    }

    /// Says that the work on everything popped so far is done.
    #[inline]
    pub fn commit(&mut self) {
        self.commit_to(self.next);
    }

    /// Says that the work on every message with a sequence below `position` is done. Positions that
    /// were never popped, or that lie behind the last commit, are ignored.
    #[inline]
    pub fn commit_to(&mut self, position: u64) {
        if position <= self.committed || position > self.next {
            return;
        }
        self.committed = position;
        let cursor = &self.page().cursor;
        cursor.lost.store(self.lost, Relaxed);
        // Pairs with the Acquire load in Producer::refresh_limit: our reads of the slots below are
        // over before the producer may see the position.
        cursor.position.store(position, Release);
    }

    /// Whether a message, or the news of lost ones, is waiting.
    #[inline]
    #[must_use]
    pub fn has_message(&self) -> bool {
        self.slots.word(self.next) >= whole(self.next)
    }

    /// Sequence of the next message that [`Consumer::pop`] will look for.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.next
    }

    /// Messages lost since the ring was created; `popped + lost` is the position.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// What is known of the producer. A system call: not for the hot path.
    #[must_use]
    pub fn producer(&self) -> Peer {
        if role::is_held(&self.segment.file, Role::Producer) {
            return Peer::Attached;
        }
        // Pairs with the Release store in the producer's Drop.
        match producer_page(&self.peer).closed.load(Acquire) {
            0 => Peer::Absent,
            _ => Peer::Closed,
        }
    }

    /// The checked header.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.segment.info
    }

    fn page(&self) -> &ConsumerPage {
        consumer_page(&self.own)
    }

    /// Moves on to a message that the producer will not overwrite at once, and says how many were
    /// lost. `None` when the producer's own count denies that it has overtaken us.
    #[cold]
    fn skip_overwritten(&mut self) -> Option<u64> {
        let capacity = u64::from(self.segment.info.capacity);
        // Pairs with the Release store in Producer::push: every slot below is at least that new.
        let published = producer_page(&self.peer).published.load(Acquire);
        // A quarter of the ring is left between us and the writer.
        let target = published.saturating_sub(capacity - capacity / 4);
        let lost = target.checked_sub(self.next).filter(|lost| *lost > 0)?;
        self.next = target;
        self.lost += lost;
        Some(lost)
    }
}

impl<T: Message> WakeSource for Consumer<T> {
    fn is_ready(&self) -> bool {
        self.has_message()
    }

    fn arm(&mut self) -> Bell<'_> {
        self.sleeps = self.sleeps.wrapping_add(1).max(1);
        let word = &producer_page(&self.peer).wake_word;
        // Read before the epoch is shown: a producer that sees the epoch changes the word after it.
        let seen = word.load(Acquire);
        consumer_page(&self.own)
            .sleep
            .epoch
            .store(self.sleeps, Relaxed);
        self.barrier.before_looking_for_messages();
        Bell::shared(word, seen)
    }

    fn disarm(&mut self) {
        self.page().sleep.epoch.store(0, Relaxed);
    }

    fn may_sleep(&self) -> bool {
        self.barrier.is_asymmetric()
    }
}

impl<T: Message> Drop for Consumer<T> {
    fn drop(&mut self) {
        self.page().sleep.epoch.store(0, Relaxed);
    }
}
