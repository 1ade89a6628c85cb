//! The reading role of a ring.
//!
//! Consuming is at-least-once: [`Consumer::pop`] advances in this process, and only
//! [`Consumer::commit`] says to the ring that the work is done. A successor continues behind the
//! last commit.

use crate::{
    error::Error,
    fail::fail_point,
    header::{Info, Kind},
    memory::Memory,
    message::Message,
    reader::Reader,
    residency::Residency,
    role::{self, Peer, Role},
    segment::{Access, Segment, View},
    wait::{Bell, WakeSource},
};
use std::path::Path;

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
    reader: Reader<T>,
    segment: Segment,
}

impl<T: Message> Consumer<T> {
    /// Attaches to an existing ring as its consumer, and continues behind the last commit.
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
        Ok(Self { reader, segment })
    }

    /// The next message, or `None` when there is none yet.
    ///
    /// A stamped message's hop latency is recorded in the segment's histogram.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<Received<T>> {
        self.reader.pop()
    }

    /// Pops messages into `work` until there are none, or `most` have been popped; returns how many.
    ///
    /// As [`Consumer::pop`] in a loop: what was popped is not committed.
    #[inline(always)]
    pub fn drain(&mut self, most: usize, work: impl FnMut(Received<T>)) -> usize {
        self.reader.drain(most, work)
    }

    /// Says that the work on everything popped so far is done.
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
        if self.reader.closed() {
            return Peer::Closed;
        }
        // A successor may have come, and taken the goodbye back, between the two looks.
        if held() { Peer::Attached } else { Peer::Absent }
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

/// Ready when there is a message.
impl<T: Message> WakeSource for Consumer<T> {
    fn is_ready(&self) -> bool {
        self.has_message()
    }

    fn arm(&mut self) -> Bell<'_> {
        self.reader.arm()
    }

    fn disarm(&mut self) {
        self.reader.disarm();
    }
}
