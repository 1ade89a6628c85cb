//! Reading a recording: everything in it is an allegation until checked.

use super::{END, GAP, HEAD, Header, MAGIC, MESSAGE, MOST_HEADER, ROW, VERSION};
use crate::Failure;
use std::{
    fs::File,
    io::{self, BufReader, Read as _},
    path::{Path, PathBuf},
};

/// What a recording holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A message of a ring.
    Message {
        /// Place of the ring in the header.
        segment: u16,
        /// Its number in the ring.
        sequence: u64,
        /// When it was pushed, ns of `CLOCK_MONOTONIC`; 0 where the ring did not stamp it.
        sent_ns: u64,
        /// The message.
        bytes: Vec<u8>,
    },
    /// Messages that were overwritten before they could be read.
    Gap {
        /// Place of the ring in the header.
        segment: u16,
        /// Number of the first one.
        first: u64,
        /// How many.
        lost: u64,
        /// When the message behind it was pushed.
        time_ns: u64,
    },
    /// A row of a board when the recording began; the launcher's word, whenever it was another.
    Row {
        /// Place of the board in the header.
        segment: u16,
        /// Which.
        row: u32,
        /// When it was written.
        written_ns: u64,
        /// Its value.
        bytes: Vec<u8>,
    },
}

/// How a recording ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As its recorder meant it to.
    Complete,
    /// In the middle: the recorder was killed, or the file was cut.
    Cut {
        /// Bytes behind the last whole entry.
        rest: usize,
    },
    /// What follows is no entry.
    Damaged {
        /// Where, bytes from the start.
        at: u64,
        /// What is there.
        reason: String,
    },
}

impl std::fmt::Display for Ending {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Complete => write!(out, "complete"),
            Self::Cut { rest: 0 } => write!(out, "cut off behind its last entry"),
            Self::Cut { rest } => write!(out, "cut off {rest} bytes into an entry"),
            Self::Damaged { at, reason } => write!(out, "damaged at byte {at}: {reason}"),
        }
    }
}

/// A recording that is read from its beginning.
pub(crate) struct Reader {
    header: Header,
    file: BufReader<File>,
    /// Next message or gap of each segment.
    next: Vec<u64>,
    /// Bytes of the whole entries so far, and of the header.
    at: u64,
    entries: u64,
    ending: Option<Ending>,
}

impl Reader {
    /// Opens a recording.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is none, or is of another version.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |error| Failure::io(format!("read `{}`", path.display()), error);
        let mut file = BufReader::new(File::open(path).map_err(failed)?);
        let mut start = [0; 16];
        let found = fill(&mut file, &mut start).map_err(failed)?;
        if found < start.len() || start[..8] != MAGIC {
            return Err(refused(path, "it does not begin like one"));
        }
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|byte| start[at + byte]));
        if word(8) != VERSION {
            let reason = format!(
                "it has format {}, this program reads format {VERSION}",
                word(8)
            );
            return Err(refused(path, &reason));
        }
        if word(12) > MOST_HEADER {
            return Err(refused(path, &format!("a header of {} bytes", word(12))));
        }
        let mut text = vec![0; word(12) as usize];
        if fill(&mut file, &mut text).map_err(failed)? < text.len() {
            return Err(refused(path, "it was cut off in its header"));
        }
        let header: Header = serde_json::from_slice(&text)
            .map_err(|error| refused(path, &format!("its header: {error}")))?;
        let mut segments = header.segments.iter();
        if let Some(fault) = segments.find_map(super::SegmentHead::fault) {
            return Err(refused(path, &fault));
        }
        Ok(Self {
            next: header
                .segments
                .iter()
                .map(|segment| segment.first)
                .collect(),
            header,
            file,
            at: (start.len() + text.len()) as u64,
            entries: 0,
            ending: None,
        })
    }

    /// What was recorded.
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// The next entry; `None` at the end, and then [`Reader::ending`] says how it ends.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, Failure> {
        if self.ending.is_some() {
            return Ok(None);
        }
        let looked = self.look();
        match looked.map_err(|error| Failure::io("read the recording", error))? {
            Ok(entry) => Ok(Some(entry)),
            Err(ending) => {
                self.ending = Some(ending);
                Ok(None)
            }
        }
    }

    /// How it ends; nothing before its end has been reached.
    pub(crate) fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    fn look(&mut self) -> io::Result<Result<Entry, Ending>> {
        let mut head = [0; HEAD];
        let found = fill(&mut self.file, &mut head)?;
        if found < HEAD {
            return Ok(Err(Ending::Cut { rest: found }));
        }
        let wide = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| head[at + byte]));
        let segment = u16::from_le_bytes([head[2], head[3]]);
        let length = u32::from_le_bytes(std::array::from_fn(|byte| head[4 + byte]));
        let (number, time_ns) = (wide(8), wide(16));
        if let Err(reason) = self.check(head[0], segment, length, number) {
            let at = self.at;
            return Ok(Err(Ending::Damaged { at, reason }));
        }
        if head[0] == END {
            return Ok(Err(Ending::Complete));
        }
        let mut bytes = vec![0; length as usize];
        let body = fill(&mut self.file, &mut bytes)?;
        if body < bytes.len() {
            return Ok(Err(Ending::Cut { rest: HEAD + body }));
        }
        let entry = match head[0] {
            MESSAGE => Entry::Message {
                segment,
                sequence: number,
                sent_ns: time_ns,
                bytes,
            },
            GAP => Entry::Gap {
                segment,
                first: number,
                lost: u64::from_le_bytes(std::array::from_fn(|byte| bytes[byte])),
                time_ns,
            },
            _ => Entry::Row {
                segment,
                // Checked to be below the board's rows.
                row: u32::try_from(number).unwrap_or(u32::MAX),
                written_ns: time_ns,
                bytes,
            },
        };
        self.pass(&entry);
        self.at += (HEAD + length as usize) as u64;
        self.entries += 1;
        Ok(Ok(entry))
    }

    /// Refuses a head that no recorder writes.
    fn check(&self, kind: u8, segment: u16, length: u32, number: u64) -> Result<(), String> {
        if kind == END {
            return match (number == self.entries, length) {
                (true, 0) => Ok(()),
                _ => Err(format!(
                    "an end behind {number} entries, there are {}",
                    self.entries
                )),
            };
        }
        let place = usize::from(segment);
        let (Some(head), Some(next)) = (self.header.segments.get(place), self.next.get(place))
        else {
            return Err(format!(
                "an entry of segment {segment}, there are {}",
                self.header.segments.len()
            ));
        };
        let expected = if kind == GAP { 8 } else { head.message_size };
        if length != expected {
            return Err(format!("{length} bytes, {expected} are expected"));
        }
        match (kind, head.is_board()) {
            (MESSAGE | GAP, false) if number == *next => Ok(()),
            (MESSAGE | GAP, false) => Err(format!(
                "number {number} of `{}`, {next} is the next",
                head.name
            )),
            (ROW, true) if number < u64::from(head.capacity) => Ok(()),
            (ROW, true) => Err(format!(
                "row {number} of `{}`, which has {}",
                head.name, head.capacity
            )),
            _ => Err(format!("kind {kind} of an entry of `{}`", head.name)),
        }
    }

    fn pass(&mut self, entry: &Entry) {
        let (segment, count) = match entry {
            Entry::Message { segment, .. } => (*segment, 1),
            Entry::Gap { segment, lost, .. } => (*segment, *lost),
            Entry::Row { .. } => return,
        };
        if let Some(next) = self.next.get_mut(usize::from(segment)) {
            *next = next.saturating_add(count);
        }
    }
}

/// Reads as many bytes as there are, at most all that are asked for.
fn fill(file: &mut BufReader<File>, bytes: &mut [u8]) -> io::Result<usize> {
    let mut found = 0;
    while found < bytes.len() {
        match file.read(&mut bytes[found..]) {
            Ok(0) => break,
            Ok(count) => found += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn refused(path: &Path, reason: &str) -> Failure {
    let path: PathBuf = path.to_owned();
    Failure::Other(format!(
        "`{}` is no recording that can be read: {reason}",
        path.display()
    ))
}
