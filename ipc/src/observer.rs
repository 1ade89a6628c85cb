//! Looking at a segment without any effect on it: everything is mapped read-only.

use crate::{
    board::{ATTEMPTS, BoardError, Row},
    error::Error,
    header::{Info, Kind},
    histogram::Histogram,
    holder::Holder,
    memory::Memory,
    message::Message,
    pages::MOST,
    residency::Residency,
    role::{self, Role},
    schema::Schema,
    segment::{Access, Segment, View},
    slot::whole,
};
use std::{path::Path, sync::atomic::Ordering::Relaxed};

/// A reader of a segment's counters and messages that no role notices.
///
/// It needs no message compiled in: with [`Observer::schema`], [`Observer::read_bytes`] and
/// [`Observer::read_row`] it shows whatever the segment carries.
pub struct Observer {
    pub(crate) segment: Segment,
    pub(crate) memory: Memory,
}

/// A message as bytes, to be decoded by its [`Schema`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMessage {
    /// The message.
    pub bytes: Vec<u8>,
    /// Its number in the ring, from 0.
    pub sequence: u64,
    /// When it was pushed, ns of `CLOCK_MONOTONIC`; 0 where it carries no time stamp.
    pub sent_ns: u64,
}

/// The counters of a ring at one moment. Position and loss belong together; the producer's counters
/// may be some messages ahead of them. Of a board only `published` and the producer count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statistics {
    /// Messages published since creation, exactly: also those that a producer died before counting.
    /// Of a board, how often its rows were written, short of one for each writer that died just then.
    pub published: u64,
    /// Messages below the consumer's position: consumed and lost.
    pub position: u64,
    /// Messages consumed and committed.
    pub consumed: u64,
    /// Messages lost.
    pub lost: u64,
    /// Times that a producer looked for room and found none.
    pub full: u64,
    /// Times that the producer woke the consumer.
    pub wakes: u64,
    /// Whether a live process is the producer.
    pub producer_attached: bool,
    /// Whether a live process is the consumer.
    pub consumer_attached: bool,
}

/// What the producers of a ring said of their lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// Producers that the ring has had; 0 before the first.
    pub incarnation: u64,
    /// The first message of the latest one.
    pub first_sequence: u64,
    /// Whether the latest one has said goodbye: then its absence is no death.
    pub closed: bool,
    /// When one last said that it lives, ns of `CLOCK_MONOTONIC_COARSE`; 0 before the first.
    pub beat_ns: u64,
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

    /// What its messages look like.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when the segment's schema text is none, or one of a message of another size.
    pub fn schema(&self) -> Result<Schema, Error> {
        let info = &self.segment.info;
        let invalid = |reason| Error::Invalid {
            path: info.path.clone(),
            reason,
        };
        let schema = Schema::parse(&info.schema).map_err(|error| invalid(error.to_string()))?;
        if schema.size() == info.message_size as usize {
            Ok(schema)
        } else {
            Err(invalid(format!(
                "its messages have {} bytes, its schema says {}",
                info.message_size,
                schema.size()
            )))
        }
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
            // A position beyond it is damage, which no subtraction should have to think of.
            published: self.published().max(cursor.position),
            position: cursor.position,
            consumed: cursor.position.saturating_sub(cursor.lost),
            lost: cursor.lost,
            full: count.full.load(Relaxed),
            wakes: wake.wakes.load(Relaxed),
            producer_attached: role::is_held(&self.segment.file, Role::Producer),
            consumer_attached: role::is_held(&self.segment.file, Role::Consumer),
        }
    }

    /// How long stamped messages took from push to pop, as the consumer recorded it.
    #[must_use]
    pub fn latency(&self) -> Histogram {
        self.memory.consumer().latency.snapshot()
    }

    /// How old what caused stamped messages was when they were popped: from the time in their field
    /// [`ORIGIN`](crate::ORIGIN) on. Empty where the ring's message has none.
    #[must_use]
    pub fn age(&self) -> Histogram {
        self.memory.consumer().age.snapshot()
    }

    /// Who holds a role, or was the last to: its own words, for people only.
    #[must_use]
    pub fn holder(&self, role: Role) -> Option<Holder> {
        match role {
            Role::Producer => self.memory.producer().holder.read(),
            Role::Consumer => self.memory.consumer().holder.read(),
        }
    }

    /// What the producers of a ring, one after the other, said of their lives. Of a board only its writer's beats.
    #[must_use]
    pub fn life(&self) -> Life {
        let life = &self.memory.producer().life;
        let (incarnation, first_sequence) = life.latest();
        Life {
            incarnation,
            first_sequence,
            closed: incarnation != 0 && life.goodbye() == incarnation,
            beat_ns: life.beat_ns(),
        }
    }

    /// Message number `sequence` of a ring, if its slot still holds it whole.
    ///
    /// # Errors
    ///
    /// [`Error::Layout`] when the ring does not carry `T`, [`Error::Kind`] for a board.
    pub fn read<T: Message>(&self, sequence: u64) -> Result<Option<T>, Error> {
        self.segment.expect::<T>(false)?;
        let mut message = T::zeroed();
        let copied = self.copy(sequence, bytemuck::bytes_of_mut(&mut message));
        Ok(copied.map(|_| message))
    }

    /// As [`Observer::read`], whatever the ring carries.
    ///
    /// # Errors
    ///
    /// [`Error::Kind`] for a board.
    pub fn read_bytes(&self, sequence: u64) -> Result<Option<RawMessage>, Error> {
        self.expect_board(false)?;
        let mut bytes = vec![0; self.segment.info.message_size as usize];
        Ok(self.copy(sequence, &mut bytes).map(|sent_ns| RawMessage {
            bytes,
            sequence,
            sent_ns,
        }))
    }

    /// The latest value of a row of a board, whatever it shows; `None` when it was never written.
    ///
    /// # Errors
    ///
    /// [`Error::Row`] as [`crate::BoardReader::read`], [`Error::Kind`] for a ring.
    pub fn read_row(&self, index: u32) -> Result<Option<Row<Vec<u8>>>, Error> {
        self.expect_board(true)?;
        let info = &self.segment.info;
        let refused = |source| Error::Row {
            path: info.path.clone(),
            source,
        };
        if index >= info.capacity {
            let rows = info.capacity;
            return Err(refused(BoardError::Outside { index, rows }));
        }
        let row = self.memory.untyped(u64::from(index));
        let mut value = vec![0; info.message_size as usize];
        for _ in 0..ATTEMPTS {
            let state = row.state();
            if state == 0 {
                return Ok(None);
            }
            if state.is_multiple_of(2)
                && let Some(written_ns) = row.copy_untorn(state, &mut value)
            {
                return Ok(Some(Row {
                    value,
                    version: state / 2,
                    written_ns,
                }));
            }
            std::hint::spin_loop();
        }
        Err(refused(BoardError::BeingWritten { index }))
    }

    fn expect_board(&self, board: bool) -> Result<(), Error> {
        let info = &self.segment.info;
        if (info.kind == Kind::Board) == board {
            return Ok(());
        }
        Err(Error::Kind {
            path: info.path.clone(),
            found: info.kind.name(),
            expected: if board { "board" } else { "ring" },
        })
    }

    /// Copies message `sequence` and returns its time stamp, if its slot still holds it whole.
    fn copy(&self, sequence: u64, bytes: &mut [u8]) -> Option<u64> {
        if sequence > MOST {
            return None;
        }
        let slot = self.memory.untyped(sequence);
        let there = slot.state() == whole(sequence);
        there
            .then(|| slot.copy_untorn(whole(sequence), bytes))
            .flatten()
    }

    /// Messages published at some moment of this call.
    ///
    /// The producer counts after it publishes, and may have died in between, so the count is where to
    /// begin: a message is published once its slot holds it or a later one. A sound count is at most a
    /// lap behind, and the slots of a lap divide into published ones and others, so that the border is found
    /// by halving. The slot below it was seen published and the one at it was not, whichever first:
    /// at some moment in between the border was there, however fast the producer is.
    pub(crate) fn published(&self) -> u64 {
        let counted = self.memory.producer().count.published.load(Relaxed);
        // The words of a board count the writes of its rows. An impossible count is shown as it is.
        if self.segment.info.kind == Kind::Board || counted > MOST {
            return counted;
        }
        let holds = |n| self.memory.untyped(n).state() >= whole(n);
        // Most often nothing is uncounted: one look.
        let mut high = 1;
        while high < self.memory.capacity() && holds(counted + high - 1) {
            high *= 2;
        }
        let mut low = high / 2;
        while low < high {
            let middle = low.midpoint(high);
            if holds(counted + middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        counted + low
    }
}
