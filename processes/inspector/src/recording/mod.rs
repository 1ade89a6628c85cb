//! The file of a recording: what flowed through rings, in the order of its time stamps.
//!
//! ```text
//! "ARBEESr1" | version u32 | length u32 | header: JSON of that length | entries ...
//! ```
//!
//! An entry is a head of 24 bytes and a body, one behind the other, all numbers little-endian:
//!
//! | bytes | what | message | gap | row | end |
//! |---|---|---|---|---|---|
//! | 0 | kind, `u8` | 1 | 2 | 3 | 4 |
//! | 1 | zero | | | | |
//! | 2..4 | segment, `u16`: its place in the header | ring | ring | board | 0 |
//! | 4..8 | bytes of the body, `u32` | of a message | 8 | of a message | 0 |
//! | 8..16 | number, `u64` | sequence | first one lost | row | entries before it |
//! | 16..24 | time, `u64`, ns of `CLOCK_MONOTONIC` | sent | of the message behind it | written | 0 |
//! | 24.. | body | the message | how many are lost, `u64` | the value | - |
//!
//! Entries only grow the file, so what a killed recorder leaves is whole up to its last whole entry. Without an
//! end at its end it was cut off. The bytes of messages are as they were in the ring; the schema in the header
//! says what they mean.

mod merge;
mod read;
mod tap;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use read::{Ending, Entry, Reader};
pub(crate) use tap::{Tap, Tapped};
pub(crate) use write::Writer;

use ipc::{Info, Kind, Schema, SchemaError};
use serde::{Deserialize, Serialize};

/// First bytes of every recording.
const MAGIC: [u8; 8] = *b"ARBEESr1";
/// Version of the format.
const VERSION: u32 = 1;
/// Bytes of an entry's head.
const HEAD: usize = 24;
/// Bytes that a header may have: a pipeline file and some hundred schemas.
const MOST_HEADER: u32 = 1 << 24;

/// Kinds of entries.
const MESSAGE: u8 = 1;
const GAP: u8 = 2;
const ROW: u8 = 3;
const END: u8 = 4;

/// What was recorded, and of whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// Name of the pipeline.
    pub(crate) pipeline: String,
    /// When the recording began, ns since the Unix epoch.
    pub(crate) began_unix_ns: u64,
    /// The same moment, ns of `CLOCK_MONOTONIC`: all other times are of this clock.
    pub(crate) began_mono_ns: u64,
    /// The resolved pipeline file, without addresses and keys of the outside; none where it was not found.
    pub(crate) pipeline_file: Option<String>,
    /// Boards, then rings.
    pub(crate) segments: Vec<SegmentHead>,
}

/// One ring or board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentHead {
    /// As in the pipeline file.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: SegmentKind,
    /// Slots of a ring, rows of a board.
    pub(crate) capacity: u32,
    /// Bytes of a message.
    pub(crate) message_size: u32,
    /// Every how many messages one carries a time stamp; 0 for never.
    pub(crate) stamp_every: u32,
    /// Schema text of the message.
    pub(crate) schema: String,
    /// Fingerprint of it, 16 hexadecimal digits.
    pub(crate) fingerprint: String,
    /// Sequence number of the first message that was recorded; 0 for a board.
    pub(crate) first: u64,
}

/// What a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SegmentKind {
    /// A ring whose producer waits.
    Lossless,
    /// A ring whose producer never waits.
    LatestWins,
    /// A latest-value board.
    Board,
}

impl SegmentHead {
    /// The segment of that header, from message `first` on.
    pub(crate) fn of(name: &str, info: &Info, first: u64) -> Self {
        Self {
            name: name.to_owned(),
            kind: match info.kind {
                Kind::Lossless => SegmentKind::Lossless,
                Kind::LatestWins => SegmentKind::LatestWins,
                Kind::Board => SegmentKind::Board,
            },
            capacity: info.capacity,
            message_size: info.message_size,
            stamp_every: info.stamp_every,
            schema: info.schema.clone(),
            fingerprint: format!("{:016x}", info.fingerprint),
            first,
        }
    }

    /// Whether it is a board.
    pub(crate) fn is_board(&self) -> bool {
        self.kind == SegmentKind::Board
    }

    /// Name of the message, by the schema's first word.
    pub(crate) fn message(&self) -> &str {
        self.schema.split(' ').next().unwrap_or_default()
    }

    /// What its messages look like.
    pub(crate) fn layout(&self) -> Result<Schema, SchemaError> {
        Schema::parse(&self.schema)
    }

    /// What cannot be in a header, in words.
    fn fault(&self) -> Option<String> {
        let name = &self.name;
        let layout = match self.layout() {
            Ok(layout) => layout,
            Err(error) => return Some(format!("the schema of `{name}`: {error}")),
        };
        if layout.size() != self.message_size as usize {
            return Some(format!(
                "`{name}` has messages of {} bytes, its schema says {}",
                self.message_size,
                layout.size()
            ));
        }
        let fingerprint = format!("{:016x}", ipc::fingerprint(&self.schema));
        (fingerprint != self.fingerprint).then(|| {
            format!(
                "the fingerprint of `{name}`, {}, is not that of its schema, {fingerprint}",
                self.fingerprint
            )
        })
    }
}
