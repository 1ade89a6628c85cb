//! Looking at a segment without any effect on it: everything is mapped read-only.

use crate::{
    error::Error,
    header::Info,
    histogram::Histogram,
    memory::Memory,
    message::Message,
    pages::MOST,
    residency::Residency,
    role::{self, Role},
    segment::{Access, Segment, View},
    slot::whole,
};
use std::{path::Path, sync::atomic::Ordering::Relaxed};

/// A reader of a segment's counters and messages that no role notices.
pub struct Observer {
    segment: Segment,
    memory: Memory,
}

/// The counters of a ring at one moment. Position and loss belong together; the producer's counters
/// may be some messages ahead of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statistics {
    /// Messages published since creation.
    pub published: u64,
    /// Messages below the consumer's position: consumed and lost.
    pub position: u64,
    /// Messages consumed and committed.
    pub consumed: u64,
    /// Messages lost.
    pub lost: u64,
    /// Times that a push found the ring full.
    pub full: u64,
    /// Times that the producer woke the consumer.
    pub wakes: u64,
    /// Whether a live process is the producer.
    pub producer_attached: bool,
    /// Whether a live process is the consumer.
    pub consumer_attached: bool,
}

impl Observer {
    /// Opens a segment for looking.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Invalid`] and [`Error::Format`] as their texts say.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let mut segment = Segment::open(path, Access::Read)?;
        let maps = segment.map(View::Observer)?;
        let memory = Memory::mapped(&segment.info, maps);
        Ok(Self { segment, memory })
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

    /// The counters now. Two system calls.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        // The consumer's side first, so that its position is as little as possible ahead of the count.
        let cursor = self.memory.consumer().cursor.observe();
        let (count, wake) = (&self.memory.producer().count, &self.memory.producer().wake);
        Statistics {
            // The producer counts after it publishes, so a message may be consumed before it counts.
            published: count.published.load(Relaxed).max(cursor.position),
            position: cursor.position,
            consumed: cursor.position.saturating_sub(cursor.lost),
            lost: cursor.lost,
            full: count.full.load(Relaxed),
            wakes: wake.wakes.load(Relaxed),
            producer_attached: role::is_held(&self.segment.file, Role::Producer),
            consumer_attached: role::is_held(&self.segment.file, Role::Consumer),
        }
    }

    /// The latency from push to pop, as the consumer recorded it.
    #[must_use]
    pub fn histogram(&self) -> Histogram {
        self.memory.consumer().histogram.snapshot()
    }

    /// Message number `sequence` of a ring, if its slot still holds it whole.
    ///
    /// # Errors
    ///
    /// [`Error::Layout`] when the ring does not carry `T`, [`Error::Kind`] for a board.
    pub fn read<T: Message>(&self, sequence: u64) -> Result<Option<T>, Error> {
        self.segment.expect::<T>(false)?;
        if sequence > MOST {
            return Ok(None);
        }
        // SAFETY: `expect` has compared the layouts, size included.
        let slot = unsafe { self.memory.slot::<T>(sequence) };
        if slot.state() != whole(sequence) {
            return Ok(None);
        }
        Ok(slot.read_untorn(whole(sequence)).map(|read| read.message))
    }
}
