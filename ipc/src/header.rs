//! The first page of a segment: geometry, schema and identity. Immutable once the magic is stored.
//!
//! Whatever is read here is an allegation until [`Info::parse`] has checked all of it; every later
//! index is derived from the checked copy, never from shared memory.

use crate::{error::Error, message};
use std::path::{Path, PathBuf};

/// `ARBEESq1` read as a little-endian number; written last.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"ARBEESq1");
/// Version of the segment's format. 2: slots of 2 MiB and more start on a boundary of huge pages, and
/// the producer's page has a line of its life. 3: each role says who holds it, and the consumer records ages.
pub(crate) const FORMAT: u32 = 3;
/// Bytes of the header proper; the schema text follows it in the same page.
pub(crate) const SCHEMA_AT: usize = 128;
/// Bytes of the header page that may be used, whatever the size of a page.
pub(crate) const HEADER_BYTES: usize = 4096;
/// Bytes of the consumer's region that are used: its lines and its histograms.
pub(crate) const CONSUMER_BYTES: usize = 16_384;
/// Most slots in a ring, or rows on a board.
pub(crate) const MAX_CAPACITY: u32 = 1 << 24;
/// Bytes of a huge page; where they have another size, the slots are merely aligned.
pub(crate) const HUGE_PAGE: usize = 2 << 20;
/// Bytes of a cache line.
pub(crate) const LINE: usize = 64;

/// What a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A ring whose producer waits for its consumer.
    Lossless,
    /// A ring whose producer never waits; its reader is told exactly how many messages it lost.
    LatestWins,
    /// A latest-value board.
    Board,
}

impl Kind {
    /// Its name in texts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lossless => "lossless ring",
            Self::LatestWins => "latest-wins ring",
            Self::Board => "board",
        }
    }

    pub(crate) const fn code(self) -> u32 {
        match self {
            Self::Lossless => 1,
            Self::LatestWins => 2,
            Self::Board => 3,
        }
    }

    const fn from_code(code: u32) -> Option<Self> {
        match code {
            1 => Some(Self::Lossless),
            2 => Some(Self::LatestWins),
            3 => Some(Self::Board),
            _ => None,
        }
    }
}

/// The checked content of a segment's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The file.
    pub path: PathBuf,
    /// Ring or board.
    pub kind: Kind,
    /// Slots of a ring, rows of a board.
    pub capacity: u32,
    /// Bytes of a message.
    pub message_size: u32,
    /// Every how many messages one carries a time stamp; 0 for never.
    pub stamp_every: u32,
    /// Bytes between two regions that are protected separately, at least a page.
    pub granule: u32,
    /// Schema text of the message.
    pub schema: String,
    /// Fingerprint of the schema text.
    pub fingerprint: u64,
    /// Identity of this very segment, fresh at every creation.
    pub instance: u64,
    /// When it was created, ns since the Unix epoch.
    pub created_unix_ns: u64,
    /// Who created it; for display only.
    pub creator_pid: u32,
}

impl Info {
    /// Bytes between two slots: whole cache lines.
    pub(crate) fn stride(&self) -> usize {
        ((1 + self.stamp_words()) * 8 + self.message_size as usize).next_multiple_of(LINE)
    }

    /// Words between the sequence number and the payload.
    pub(crate) const fn stamp_words(&self) -> usize {
        (self.stamp_every > 0) as usize
    }

    /// Offset and length of the producer's region.
    pub(crate) const fn producer_region(&self) -> (usize, usize) {
        (self.granule as usize, self.granule as usize)
    }

    /// Offset and length of the consumer's region.
    pub(crate) fn consumer_region(&self) -> (usize, usize) {
        (
            2 * self.granule as usize,
            CONSUMER_BYTES.next_multiple_of(self.granule as usize),
        )
    }

    /// Offset and length of the slots. Those that fill a huge page start where one can start.
    pub(crate) fn slot_region(&self) -> (usize, usize) {
        let (offset, length) = self.consumer_region();
        let (end, slots) = (offset + length, self.stride() * self.capacity as usize);
        let aligned = if slots < HUGE_PAGE {
            end
        } else {
            end.next_multiple_of(HUGE_PAGE)
        };
        (aligned, slots)
    }

    /// Bytes of the whole file.
    pub(crate) fn file_length(&self) -> u64 {
        let (offset, length) = self.slot_region();
        (offset + length) as u64
    }

    /// The header page as bytes, without the magic.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Error> {
        if self.schema.len() > HEADER_BYTES - SCHEMA_AT {
            let reason = format!(
                "its schema text has {} bytes, at most {} fit",
                self.schema.len(),
                HEADER_BYTES - SCHEMA_AT
            );
            return Err(Error::Options {
                path: self.path.clone(),
                reason,
            });
        }
        let mut bytes = vec![0; HEADER_BYTES];
        let length = u32::try_from(self.schema.len()).unwrap_or(0);
        let words = [
            FORMAT,
            self.kind.code(),
            self.capacity,
            self.message_size,
            self.stamp_every,
            self.granule,
            length,
            self.creator_pid,
        ];
        for (index, word) in words.into_iter().enumerate() {
            bytes[8 + 4 * index..12 + 4 * index].copy_from_slice(&word.to_le_bytes());
        }
        for (index, word) in [self.fingerprint, self.instance, self.created_unix_ns]
            .into_iter()
            .enumerate()
        {
            bytes[40 + 8 * index..48 + 8 * index].copy_from_slice(&word.to_le_bytes());
        }
        bytes[SCHEMA_AT..SCHEMA_AT + self.schema.len()].copy_from_slice(self.schema.as_bytes());
        Ok(bytes)
    }

    /// Checks a copy of the header page of `path`, a file of `file_length` bytes.
    pub(crate) fn parse(path: &Path, bytes: &[u8], file_length: u64) -> Result<Self, Error> {
        let invalid = |reason: String| Error::Invalid {
            path: path.to_owned(),
            reason,
        };
        if bytes.len() < HEADER_BYTES {
            return Err(invalid(format!(
                "{} bytes, a header has {HEADER_BYTES}",
                bytes.len()
            )));
        }
        let wide = |at: usize| u64::from_le_bytes(std::array::from_fn(|index| bytes[at + index]));
        let narrow = |index: usize| {
            u32::from_le_bytes(std::array::from_fn(|byte| bytes[8 + 4 * index + byte]))
        };
        if wide(0) != MAGIC {
            return Err(invalid(format!(
                "magic {:#018x}, expected {MAGIC:#018x}",
                wide(0)
            )));
        }
        if narrow(0) != FORMAT {
            return Err(Error::Format {
                path: path.to_owned(),
                found: narrow(0),
                expected: FORMAT,
            });
        }
        let kind =
            Kind::from_code(narrow(1)).ok_or_else(|| invalid(format!("kind {}", narrow(1))))?;
        let schema_length = narrow(6) as usize;
        if schema_length > HEADER_BYTES - SCHEMA_AT {
            return Err(invalid(format!("a schema text of {schema_length} bytes")));
        }
        let schema = std::str::from_utf8(&bytes[SCHEMA_AT..SCHEMA_AT + schema_length])
            .map_err(|_| invalid("a schema text that is not UTF-8".into()))?;
        let info = Self {
            path: path.to_owned(),
            kind,
            capacity: narrow(2),
            message_size: narrow(3),
            stamp_every: narrow(4),
            granule: narrow(5),
            creator_pid: narrow(7),
            fingerprint: wide(40),
            instance: wide(48),
            created_unix_ns: wide(56),
            schema: schema.to_owned(),
        };
        info.check_geometry().map_err(invalid)?;
        if info.fingerprint != message::fingerprint(&info.schema) {
            return Err(invalid(
                "a fingerprint that does not belong to its schema text".into(),
            ));
        }
        if info.file_length() != file_length {
            return Err(invalid(format!(
                "{file_length} bytes, its geometry needs {}",
                info.file_length()
            )));
        }
        Ok(info)
    }

    /// Refuses what no segment can have, so that nothing derived from it overflows.
    pub(crate) fn check_geometry(&self) -> Result<(), String> {
        if !self.capacity.is_power_of_two() || self.capacity < 4 || self.capacity > MAX_CAPACITY {
            return Err(format!(
                "a capacity of {}; a power of two from 4 to {MAX_CAPACITY} is needed",
                self.capacity
            ));
        }
        if self.message_size == 0
            || self.message_size > 4096
            || !self.message_size.is_multiple_of(8)
        {
            return Err(format!(
                "a message of {} bytes; a multiple of 8 up to 4096 is needed",
                self.message_size
            ));
        }
        if self.stamp_every != 0 && !self.stamp_every.is_power_of_two() {
            return Err(format!(
                "a time stamp every {} messages; a power of two is needed",
                self.stamp_every
            ));
        }
        if !self.granule.is_power_of_two() || self.granule < 4096 || self.granule > 1 << 20 {
            return Err(format!(
                "regions of {} bytes; a power of two from 4096 to 1048576 is needed",
                self.granule
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Info {
        let schema = "Price v1 8\nbid u64 0 ticks\n".to_owned();
        Info {
            path: "x.ring".into(),
            kind: Kind::Lossless,
            capacity: 16,
            message_size: 8,
            stamp_every: 1,
            granule: 4096,
            fingerprint: message::fingerprint(&schema),
            schema,
            instance: 7,
            created_unix_ns: 8,
            creator_pid: 9,
        }
    }

    fn page(info: &Info) -> Vec<u8> {
        let mut bytes = info.encode().unwrap();
        bytes[..8].copy_from_slice(&MAGIC.to_le_bytes());
        bytes
    }

    #[test]
    fn a_header_survives_the_round_trip() {
        let info = sample();
        assert_eq!(
            Info::parse(&info.path, &page(&info), info.file_length()).unwrap(),
            info
        );
    }

    #[test]
    fn a_header_without_its_magic_is_refused() {
        let info = sample();
        let error =
            Info::parse(&info.path, &info.encode().unwrap(), info.file_length()).unwrap_err();
        assert!(error.to_string().contains("magic"), "{error}");
    }

    #[test]
    fn an_older_format_is_named() {
        let info = sample();
        let mut bytes = page(&info);
        bytes[8] = 9;
        let error = Info::parse(&info.path, &bytes, info.file_length()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("format 9, this program reads format 3"),
            "{error}"
        );
    }

    #[test]
    fn slots_that_fill_a_huge_page_start_where_one_can_start() {
        let small = Info {
            capacity: 1 << 14,
            ..sample()
        };
        assert_eq!(small.slot_region(), (6 * 4096, 1 << 20));
        let large = Info {
            capacity: 1 << 15,
            ..sample()
        };
        assert_eq!(large.slot_region(), (HUGE_PAGE, HUGE_PAGE));
        assert_eq!(large.file_length(), 2 * HUGE_PAGE as u64);
    }

    proptest! {
        /// Any bytes after the magic either parse to a geometry that fits the file, or are refused.
        #[test]
        fn any_header_is_refused_or_fits(flips in prop::collection::vec((8_usize..256, any::<u8>()), 0..8), length in any::<u64>()) {
            let info = sample();
            let mut bytes = page(&info);
            for (at, value) in flips {
                bytes[at] = value;
            }
            for length in [length, info.file_length()] {
                if let Ok(parsed) = Info::parse(&info.path, &bytes, length) {
                    prop_assert_eq!(parsed.file_length(), length);
                }
            }
        }
    }
}
