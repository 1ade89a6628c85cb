//! The reading role of a ring.
//!
//! Consuming is at-least-once: [`Consumer::pop`] advances in this process, and only
//! [`Consumer::commit`] says to the ring that the work is done. A successor continues behind the
//! last commit.
//!
//! Where there is no message, [`Consumer::pop`] says why: the producer's death, goodbye or silence are
//! learned from the call that every loop makes anyway.

use crate::{
    error::{Error, PopError},
    fail::fail_point,
    header::{Info, Kind},
    memory::Memory,
    message::Message,
    reader::Reader,
    residency::Residency,
    role::{self, Peer, Role},
    segment::{Access, Segment, View},
    silence::Silence,
    wait::{Bell, WakeSource},
    watch::Watch,
};
use std::{path::Path, sync::atomic::Ordering::Relaxed, time::Duration};

/// A message out of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received<T> {
    /// The message.
    pub message: T,
    /// Its number in the ring, from 0.
    pub sequence: u64,
    /// When it was pushed, ns of `CLOCK_MONOTONIC`; 0 where the ring did not stamp it.
    pub sent_ns: u64,
    /// When it was popped, ns of `CLOCK_MONOTONIC`; 0 where the ring did not stamp it.
    pub popped_ns: u64,
    /// Messages lost between the one before and this one. Always 0 in a lossless ring.
    pub lost: u64,
}

/// A producer of a ring, one of those that took the role one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incarnation {
    /// Counted from 1; 0 before the first has come.
    pub number: u64,
    /// The first message that is its own, not of those before it.
    pub first_sequence: u64,
}

/// The one consumer of a ring.
pub struct Consumer<T: Message> {
    reader: Reader<T>,
    watch: Watch,
    /// The last incarnation of the producer whose end is of no interest any more: it has a successor.
    succeeded: u64,
    /// The last incarnation whose end a pop has told.
    told: u64,
    /// The message that it waited for when it came.
    first: u64,
    silence: Option<Silence>,
    segment: Segment,
}

impl<T: Message> Consumer<T> {
    /// Attaches to an existing ring as its consumer, and continues behind the last commit.
    ///
    /// The first consumer of a process starts the thread that watches the producers of all of them
    /// (`ipc-watch`; it takes no signals). Threads inherit cores and priorities: attach first, then pin.
    /// Do not fork afterwards without `exec`: the child would share the role.
    ///
    /// # Errors
    ///
    /// [`Error::RoleTaken`] while another process is its consumer, [`Error::Layout`] when it carries
    /// another message, and what else [`Error`] names.
    pub fn attach(path: &Path) -> Result<Self, Error> {
        let mut segment = Segment::open(path, Access::Write)?;
        segment.expect::<T>(false)?;
        fail_point!("attach: opened");
        segment.take(Role::Consumer)?;
        fail_point!("attach: role taken");
        let maps = segment.map(View::Consumer)?;
        let info = &segment.info;
        fail_point!("attach: mapped");
        let reader = Reader::resume(Memory::mapped(info, maps), info.kind == Kind::Lossless)
            .map_err(|reason| Error::Damaged {
                path: path.to_owned(),
                reason,
            })?;
        reader.holder().sign();
        Ok(Self {
            first: reader.next(),
            reader,
            watch: Watch::start(&segment)?,
            succeeded: 0,
            told: 0,
            silence: None,
            segment,
        })
    }

    /// Says under which name this process holds the role, for whoever looks at the ring; at first it is
    /// that of its program. What is longer than 56 bytes is cut.
    pub fn introduce(&self, name: &str) {
        self.reader.holder().rename(name);
    }

    /// The next message, or why there is none.
    ///
    /// A stamped message's hop latency is recorded in the segment, and its age where it says when what
    /// caused it came in ([`crate::ORIGIN`]).
    ///
    /// # Errors
    ///
    /// [`PopError::Empty`] while there is none yet; [`PopError::Closed`] or [`PopError::PeerDead`] at
    /// every call once the producer is gone and everything that it published has been popped, until a
    /// successor attaches; [`PopError::Stale`] beyond the bound of [`Consumer::stale_after`];
    /// [`PopError::Damaged`] for good.
    ///
    /// A death is noticed within milliseconds, and wakes a loop that sleeps on this consumer. Neither a
    /// stopped producer nor one that gets no processor time is taken for dead.
    #[inline(always)]
    pub fn pop(&mut self) -> Result<Received<T>, PopError> {
        if let Some(received) = self.reader.pop() {
            return Ok(received);
        }
        match self.why_empty() {
            Some(reason) => Err(reason),
            None => self.reader.pop().ok_or(PopError::Empty),
        }
    }

    /// Asks [`Consumer::pop`] to tell a silence longer than `bound` as [`PopError::Stale`]; `None`, as at
    /// first, never to.
    ///
    /// The silence begins when the ring is first found empty after a message, and ends with a message
    /// or with a beat of the producer ([`crate::Producer::beat`]; its attaching is one). Until the first
    /// message nothing but the beats counts: a consumer that comes to a producer that has long been
    /// silent is told at once. So a producer that lives and beats is never stale, a stopped one is, and
    /// one that never came is not. It is timed by the kernel's tick: bounds below some 10 ms make no
    /// sense.
    pub fn stale_after(&mut self, bound: Option<Duration>) {
        self.silence = bound.map(|bound| Silence::new(bound, self.first));
    }

    /// Why there is no message; `None` when there is one after all. It does not return that itself: then
    /// every message would pass through memory, which takes twice as long.
    #[inline]
    fn why_empty(&mut self) -> Option<PopError> {
        let nothing_new = self.watch.news().gone() == self.succeeded;
        if nothing_new && self.silence.is_none() && !self.reader.is_damaged() {
            return Some(PopError::Empty);
        }
        self.look_closer()
    }

    #[cold]
    #[inline(never)]
    fn look_closer(&mut self) -> Option<PopError> {
        if self.reader.is_damaged() {
            return Some(PopError::Damaged);
        }
        let gone = self.watch.news().gone();
        if gone != self.succeeded {
            if self.is_latest(gone) {
                return self.last_words(gone);
            }
            self.succeeded = gone;
        }
        let (next, beat_ns) = (self.reader.next(), self.reader.life().beat_ns());
        // Who has not come yet is not silent.
        let has_come = !self.is_latest(0);
        match &mut self.silence {
            Some(silence) if has_come => Some(silence.judge(next, beat_ns)),
            _ => Some(PopError::Empty),
        }
    }

    /// The producer is gone. What it published just before counts.
    fn last_words(&mut self, gone: u64) -> Option<PopError> {
        if self.reader.has_message() {
            return None;
        }
        self.told = gone;
        Some(if self.reader.life().goodbye() == gone {
            PopError::Closed
        } else {
            PopError::PeerDead
        })
    }

    /// Whether no producer has come after this incarnation.
    fn is_latest(&self, incarnation: u64) -> bool {
        // Relaxed: who has told us of this incarnation has seen its number here. A successor that comes
        // just now is seen at the next look.
        self.reader.life().incarnation.load(Relaxed) == incarnation
    }

    /// The last incarnation of the producer whose end a pop has told.
    #[cfg(feature = "async")]
    pub(crate) fn told(&self) -> u64 {
        self.told
    }

    /// After a pop that found nothing: how soon another one may have news of a silence that no bell
    /// rings for.
    #[cfg(feature = "async")]
    pub(crate) fn silence_left(&self) -> Option<Duration> {
        // Who is known to be gone is not silent.
        if self.is_latest(self.told) {
            return None;
        }
        self.silence.as_ref()?.left(self.reader.life().beat_ns())
    }

    /// Whether the producer is gone, and no pop has said so yet.
    fn has_news(&self) -> bool {
        let gone = self.watch.news().gone();
        gone != self.succeeded
            && gone != self.told
            && self.is_latest(gone)
            && !self.reader.is_damaged()
    }

    /// Pops messages into `work` until there are none, or `most` have been popped, or a ringful; returns
    /// how many.
    ///
    /// As [`Consumer::pop`] in a loop: what was popped is not committed.
    ///
    /// # Errors
    ///
    /// As [`Consumer::pop`], when there was none at all.
    #[inline(always)]
    pub fn drain(
        &mut self,
        most: usize,
        mut work: impl FnMut(Received<T>),
    ) -> Result<usize, PopError> {
        let count = self.reader.drain(most, &mut work);
        if count == 0 && most > 0 {
            return match self.why_empty() {
                Some(reason) => Err(reason),
                None => Ok(self.reader.drain(most, &mut work)),
            };
        }
        Ok(count)
    }

    /// Says that the work on everything popped so far is done.
    ///
    /// A lossless ring has room only where something was committed: who commits less often than every
    /// [`Info::capacity`] messages waits for ever, as does the producer.
    ///
    /// A gap in a latest-wins ring is committed once it has been told, with the message behind it.
    #[inline(always)]
    pub fn commit(&mut self) {
        self.reader.commit_to(self.reader.next());
    }

    /// Says that the work on every message with a sequence below `position` is done. Positions that
    /// were never popped, or that lie behind the last commit, are ignored; so are those before the
    /// last gap of a latest-wins ring, whose loss cannot be divided.
    #[inline(always)]
    pub fn commit_to(&mut self, position: u64) {
        self.reader.commit_to(position);
    }

    /// Whether a message, or the news of lost ones, is waiting.
    #[inline(always)]
    #[must_use]
    pub fn has_message(&self) -> bool {
        self.reader.has_message()
    }

    /// Sequence of the next message that [`Consumer::pop`] will look for.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.reader.next()
    }

    /// Messages lost since the ring was created; `popped + lost` is the position.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.reader.lost()
    }

    /// Whether the ring was found in a state that no producer of this library leaves: an unread
    /// message of a lossless ring overwritten, or an impossible count. Nothing more is read from it.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.reader.is_damaged()
    }

    /// What is known of the producer. A system call: not for the hot path.
    #[must_use]
    pub fn producer(&self) -> Peer {
        let held = || role::is_held(&self.segment.file, Role::Producer);
        if held() {
            return Peer::Attached;
        }
        let goodbye = self.reader.life().goodbye();
        if goodbye != 0 && self.is_latest(goodbye) {
            return Peer::Closed;
        }
        // A successor may have come between the two looks.
        if held() { Peer::Attached } else { Peer::Absent }
    }

    /// Which producer writes the ring, or was the last to. Two loads of a line that changes only when a
    /// producer comes or goes.
    #[inline]
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        let (number, first_sequence) = self.reader.life().latest();
        Incarnation {
            number,
            first_sequence,
        }
    }

    /// The checked header.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.segment.info
    }

    /// What memory the attach obtained.
    #[must_use]
    pub fn residency(&self) -> &Residency {
        &self.segment.residency
    }
}

impl<T: Message> Drop for Consumer<T> {
    fn drop(&mut self) {
        // As of a producer: a panic is a death.
        if !std::thread::panicking() && self.segment.is_held_here() {
            self.reader.holder().leave();
        }
    }
}

/// Ready when there is a message, or news of the producer's end that no pop has told yet.
impl<T: Message> WakeSource for Consumer<T> {
    fn is_ready(&self) -> bool {
        self.has_message() || self.has_news()
    }

    fn arm(&mut self) -> Bell<'_> {
        // Before `is_ready` is asked: what is told afterwards changes the word.
        let news = self.watch.news().seen();
        Bell(self.reader.arm().0, Some(news))
    }

    fn disarm(&mut self) {
        self.reader.disarm();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{Producer, RingOptions, create_ring, futex::Waits};
    use std::time::Instant;

    #[repr(C)]
    #[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
    struct Count(u64);

    impl Message for Count {
        const NAME: &'static str = "Count";
        const VERSION: u16 = 1;
        const FIELDS: &'static [crate::Field] = &[];
    }

    fn ring() -> (tempfile::TempDir, Producer<Count>, Consumer<Count>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("count.ring");
        create_ring::<Count>(&path, RingOptions::default()).unwrap();
        let producer = Producer::attach(&path).unwrap();
        let consumer = Consumer::attach(&path).unwrap();
        (directory, producer, consumer)
    }

    /// The news alone wake the sleeper, before the longest sleep of a loop would have ended.
    #[test]
    fn the_end_of_a_producer_changes_the_word_that_its_consumer_sleeps_on() {
        let (_directory, producer, mut consumer) = ring();
        let Bell(_, news) = consumer.arm();
        let mut waits = Waits::none();
        waits.add(news.unwrap());
        let (limit, began) = (Duration::from_secs(60), Instant::now());
        std::thread::spawn(move || drop(producer));
        waits.sleep(limit, limit);
        assert!(began.elapsed() < limit / 2);
        consumer.disarm();
        assert!(consumer.is_ready());
    }

    /// A pop that has found nothing, and only then hears of the end, looks once more.
    #[test]
    fn a_last_message_between_the_looks_is_popped_before_the_end_is_told() {
        let (_directory, mut producer, mut consumer) = ring();
        assert!(consumer.reader.pop().is_none());
        producer.push(&Count(7)).unwrap();
        drop(producer);
        let due = Instant::now() + Duration::from_secs(30);
        while consumer.watch.news().gone() == 0 {
            assert!(Instant::now() < due, "nothing was told");
            std::thread::yield_now();
        }
        assert_eq!(consumer.why_empty(), None, "there is one after all");
        assert_eq!(consumer.pop().unwrap().message, Count(7));
        assert_eq!(consumer.pop(), Err(PopError::Closed));
    }

    #[test]
    #[cfg(feature = "async")]
    fn no_silence_is_awaited_of_a_producer_whose_end_was_told() {
        let (directory, producer, mut consumer) = ring();
        consumer.stale_after(Some(Duration::from_secs(60)));
        assert_eq!(consumer.pop(), Err(PopError::Empty));
        assert!(consumer.silence_left().is_some());
        drop(producer);
        let due = Instant::now() + Duration::from_secs(30);
        while consumer.pop() != Err(PopError::Closed) {
            assert!(Instant::now() < due, "nothing was told");
            std::thread::yield_now();
        }
        assert_eq!(consumer.silence_left(), None);
        let _successor = Producer::<Count>::attach(&directory.path().join("count.ring")).unwrap();
        assert_eq!(consumer.pop(), Err(PopError::Empty));
        assert!(consumer.silence_left().is_some());
    }
}
