//! Looking at a segment without any effect on it: everything is mapped read-only.

use crate::{
    error::Error,
    header::Info,
    message::Message,
    role::{self, Role},
    segment::{Access, Segment, consumer_page, producer_page},
    slot::{Slots, whole},
    stats::Histogram,
};
use memmap2::MmapRaw;
use std::{
    path::Path,
    sync::atomic::Ordering::{Acquire, Relaxed},
};

/// A reader of a segment's counters and messages that no role notices.
pub struct Observer {
    segment: Segment,
    producer: MmapRaw,
    consumer: MmapRaw,
    slots: MmapRaw,
}

/// The counters of a ring at one moment. Each is exact; together they may be some messages apart.
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
        let segment = Segment::open(path, Access::Read)?;
        let producer = segment.map(segment.info.producer_region(), Access::Read)?;
        let consumer = segment.map(segment.info.consumer_region(), Access::Read)?;
        let slots = segment.map(segment.info.slot_region(), Access::Read)?;
        Ok(Self {
            segment,
            producer,
            consumer,
            slots,
        })
    }

    /// The checked header.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.segment.info
    }

    /// The counters now. Two system calls.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let cursor = &consumer_page(&self.consumer).cursor;
        // The consumer's side first, so that its position is never seen ahead of the count.
        let (position, lost) = (cursor.position.load(Acquire), cursor.lost.load(Relaxed));
        let page = producer_page(&self.producer);
        Statistics {
            published: page.published.load(Acquire),
            position,
            consumed: position.saturating_sub(lost),
            lost,
            full: page.full.load(Relaxed),
            wakes: page.wakes.load(Relaxed),
            producer_attached: role::is_held(&self.segment.file, Role::Producer),
            consumer_attached: role::is_held(&self.segment.file, Role::Consumer),
        }
    }

    /// The latency from push to pop, as the consumer recorded it.
    #[must_use]
    pub fn histogram(&self) -> Histogram {
        consumer_page(&self.consumer).histogram.snapshot()
    }

    /// Message number `sequence` of a ring, if its slot still holds it whole.
    ///
    /// # Errors
    ///
    /// [`Error::Layout`] when the ring does not carry `T`, [`Error::Kind`] for a board.
    pub fn read<T: Message>(&self, sequence: u64) -> Result<Option<T>, Error> {
        self.segment.expect::<T>(false)?;
        // SAFETY: the mapping covers the slot region of this checked segment and outlives the value;
        // it is only read.
        let slots = unsafe { Slots::<T>::new(self.slots.as_ptr(), &self.segment.info) };
        if sequence > u64::MAX / 4 || slots.word(sequence) != whole(sequence) {
            return Ok(None);
        }
        Ok(slots
            .read_untorn(sequence, whole(sequence))
            .map(|read| read.message))
    }
}
