//! The latest value by index: a table of one-line slots, one writer, any number of readers.
//!
//! A ring carries every event in order; a board answers "what is it now" at once. A process that
//! restarts maps the board and knows the state of the world before its first message. A row is a
//! slot of the ring's line protocol, with the number of its writes in place of a sequence number. A writer
//! that dies in the middle of a row leaves that row without a value until it is written again.

use crate::{
    clock,
    error::Error,
    fail::fail_point,
    header::Info,
    memory::{Memory, Slot},
    message::Message,
    pages::{MOST, add},
    residency::Residency,
    role::{self, Peer, Role},
    segment::{Access, Segment, View},
};
use std::{marker::PhantomData, path::Path};

/// Times that a reader looks at a row which is being written before it gives up for now.
pub(crate) const ATTEMPTS: usize = 1000;

/// The one writer of a board.
pub struct BoardWriter<T: Message> {
    rows: Rows<T>,
    segment: Segment,
}

/// A reader of a board. It maps everything read-only, and no writer notices it.
pub struct BoardReader<T: Message> {
    rows: Rows<T>,
    segment: Segment,
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

/// Why a row has no value to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BoardError {
    /// The board ends before it.
    #[error("row {index} is outside the board's {rows} rows")]
    Outside {
        /// The row asked for.
        index: u32,
        /// Rows of the board.
        rows: u32,
    },
    /// Its writer is in the middle of writing it: stopped there, or dead. What a dead one left so is lost,
    /// until the row is written again.
    #[error("row {index} is being written")]
    BeingWritten {
        /// The row asked for.
        index: u32,
    },
}

/// The rows of a board as slots of the line protocol.
struct Rows<T> {
    memory: Memory,
    capacity: u32,
    _message: PhantomData<T>,
}

impl<T: Message> BoardWriter<T> {
    /// Attaches to an existing board as its writer.
    ///
    /// # Errors
    ///
    /// [`Error::RoleTaken`] while another process is its writer, and as [`crate::Producer::attach`].
    pub fn attach(path: &Path) -> Result<Self, Error> {
        let mut segment = Segment::open(path, Access::Write)?;
        segment.expect::<T>(true)?;
        fail_point!("attach: opened");
        segment.take(Role::Producer)?;
        fail_point!("attach: role taken");
        let rows = Rows::map(&mut segment, View::Producer)?;
        fail_point!("attach: mapped");
        let page = rows.memory.producer();
        page.life.beat();
        page.holder.sign();
        Ok(Self { rows, segment })
    }

    /// Says under which name this process holds the role, for whoever looks at the board; at first it is
    /// that of its program. What is longer than 56 bytes is cut.
    pub fn introduce(&self, name: &str) {
        self.rows.memory.producer().holder.rename(name);
    }

    /// Says that this process lives, for whoever looks at the board; as [`crate::Producer::beat`].
    #[inline]
    pub fn beat(&self) {
        self.rows.memory.producer().life.beat();
    }

    /// Writes a row.
    ///
    /// # Errors
    ///
    /// [`BoardError::Outside`], and then nothing is written.
    #[inline]
    pub fn write(&mut self, index: u32, value: &T) -> Result<(), BoardError> {
        let row = self.rows.row(index)?;
        // A row left half-written by a writer that died holds an odd word: its number is used again.
        // An impossible one begins anew rather than overflow.
        let writes = Some(row.state() / 2)
            .filter(|writes| *writes < MOST)
            .unwrap_or(0);
        row.write(writes, clock::mono_ns(), value);
        fail_point!("board: written");
        add(&self.rows.memory.producer().count.published, 1);
        Ok(())
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

impl<T: Message> Drop for BoardWriter<T> {
    fn drop(&mut self) {
        // As of a producer: a panic is a death.
        if !std::thread::panicking() && self.segment.is_held_here() {
            self.rows.memory.producer().holder.leave();
        }
    }
}

impl<T: Message> BoardReader<T> {
    /// Opens a board for reading.
    ///
    /// # Errors
    ///
    /// As [`crate::Observer::open`], and [`Error::Layout`] when it shows another message.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let mut segment = Segment::open(path, Access::Read)?;
        segment.expect::<T>(true)?;
        let rows = Rows::map(&mut segment, View::Reader)?;
        Ok(Self { rows, segment })
    }

    /// The latest value of a row; `None` when it was never written.
    ///
    /// # Errors
    ///
    /// [`BoardError::Outside`], or [`BoardError::BeingWritten`] when its writer does not get done with
    /// it: look again later.
    pub fn read(&self, index: u32) -> Result<Option<Row<T>>, BoardError> {
        let row = self.rows.row(index)?;
        for _ in 0..ATTEMPTS {
            let state = row.state();
            if state == 0 {
                return Ok(None);
            }
            if state.is_multiple_of(2)
                && let Some(read) = row.read_untorn(state)
            {
                return Ok(Some(Row {
                    value: read.message,
                    version: state / 2,
                    written_ns: read.sent_ns,
                }));
            }
            std::hint::spin_loop();
        }
        Err(BoardError::BeingWritten { index })
    }

    /// Whether somebody is the board's writer now. A board tells no death by itself: ask this, or see how
    /// old [`Row::written_ns`] is. A system call: not for the hot path.
    #[must_use]
    pub fn writer(&self) -> Peer {
        if role::is_held(&self.segment.file, Role::Producer) {
            Peer::Attached
        } else {
            Peer::Absent
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

impl<T: Message> Rows<T> {
    fn map(segment: &mut Segment, view: View) -> Result<Self, Error> {
        let maps = segment.map(view)?;
        let info = &segment.info;
        Ok(Self {
            memory: Memory::mapped(info, maps),
            capacity: info.capacity,
            _message: PhantomData,
        })
    }

    #[inline]
    fn row(&self, index: u32) -> Result<Slot<'_, T>, BoardError> {
        if index >= self.capacity {
            return Err(BoardError::Outside {
                index,
                rows: self.capacity,
            });
        }
        // SAFETY: both callers of `map` have compared the layouts, size included.
        Ok(unsafe { self.memory.slots() }.slot(u64::from(index)))
    }
}
