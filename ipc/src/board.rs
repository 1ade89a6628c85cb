//! The latest value by index: a table of one-line slots, one writer, any number of readers.
//!
//! A ring carries every event in order; a board answers "what is it now" at once. A process that
//! restarts maps the board and knows the state of the world before its first message. A row is a
//! slot of the ring's line protocol, with the number of its writes in place of a sequence number.

use crate::{
    clock,
    error::Error,
    header::Info,
    message::Message,
    role::Role,
    segment::{Access, Segment, producer_page},
    slot::Slots,
    stats::add,
};
use memmap2::MmapRaw;
use std::path::Path;

/// Times that a reader looks at a row which is being written before it gives up for now.
const ATTEMPTS: usize = 1000;

/// The one writer of a board.
pub struct BoardWriter<T: Message> {
    segment: Segment,
    own: MmapRaw,
    _rows: MmapRaw,
    rows: Rows<T>,
}

/// A reader of a board. It maps everything read-only, and no writer notices it.
pub struct BoardReader<T: Message> {
    segment: Segment,
    _rows: MmapRaw,
    rows: Rows<T>,
}

/// A row as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<T> {
    /// The value.
    pub value: T,
    /// Times that the row has been written, from 1.
    pub version: u64,
    /// When it was written, ns of `CLOCK_MONOTONIC`.
    pub written_ns: u64,
}

/// One slot a row.
struct Rows<T> {
    slots: Slots<T>,
    capacity: u32,
}

impl<T: Message> BoardWriter<T> {
    /// Attaches to an existing board as its writer.
    ///
    /// # Errors
    ///
    /// [`Error::RoleTaken`] while another process is its writer, and as [`crate::Producer::attach`].
    pub fn attach(path: &Path) -> Result<Self, Error> {
        let segment = Segment::open(path, Access::Write)?;
        segment.expect::<T>(true)?;
        segment.take(Role::Producer)?;
        let own = segment.map(segment.info.producer_region(), Access::Write)?;
        let (map, rows) = Rows::map(&segment, Access::Write)?;
        Ok(Self {
            segment,
            own,
            _rows: map,
            rows,
        })
    }

    /// Writes a row. Returns `false`, and writes nothing, for an index outside the board.
    #[inline]
    pub fn write(&mut self, index: u32, value: &T) -> bool {
        if index >= self.rows.capacity {
            return false;
        }
        // A row left half-written by a writer that died holds an odd word: its number is used again.
        let writes = self.rows.slots.word(u64::from(index)) / 2;
        self.rows
            .slots
            .write_at(u64::from(index), writes, clock::mono_ns(), value);
        add(&producer_page(&self.own).published, 1);
        true
    }

    /// The checked header.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.segment.info
    }
}

impl<T: Message> BoardReader<T> {
    /// Opens a board for reading.
    ///
    /// # Errors
    ///
    /// As [`crate::Observer::open`], and [`Error::Layout`] when it shows another message.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let segment = Segment::open(path, Access::Read)?;
        segment.expect::<T>(true)?;
        let (map, rows) = Rows::map(&segment, Access::Read)?;
        Ok(Self {
            segment,
            _rows: map,
            rows,
        })
    }

    /// The latest value of a row; `None` when it was never written, is outside the board, or its
    /// writer died in the middle of writing it.
    #[must_use]
    pub fn read(&self, index: u32) -> Option<Row<T>> {
        if index >= self.rows.capacity {
            return None;
        }
        for _ in 0..ATTEMPTS {
            let word = self.rows.slots.word(u64::from(index));
            if word == 0 {
                return None;
            }
            if word.is_multiple_of(2)
                && let Some(read) = self.rows.slots.read_untorn(u64::from(index), word)
            {
                return Some(Row {
                    value: read.message,
                    version: word / 2,
                    written_ns: read.sent_ns,
                });
            }
            std::hint::spin_loop();
        }
        None
    }

    /// The checked header.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.segment.info
    }
}

impl<T: Message> Rows<T> {
    fn map(segment: &Segment, access: Access) -> Result<(MmapRaw, Self), Error> {
        let map = segment.map(segment.info.slot_region(), access)?;
        // SAFETY: the mapping covers the slot region of this checked segment and is kept beside the
        // value by both callers; only the writer, which maps it writable, calls write.
        let slots = unsafe { Slots::new(map.as_ptr(), &segment.info) };
        Ok((
            map,
            Self {
                slots,
                capacity: segment.info.capacity,
            },
        ))
    }
}
