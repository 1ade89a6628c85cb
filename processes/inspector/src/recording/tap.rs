//! The tap: observers of rings that read every message and leave no trace.
//!
//! No bell rings for an observer, because that would cost the producer: it looks again and again.

use super::{Entry, Header, SegmentHead, Writer, merge};
use crate::{Failure, place::SegmentFile};
use ipc::{Observer, Row};
use layouts::control::ROW;
use pipeline::CONTROL;
use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// All that is tapped.
pub(crate) struct Tap {
    boards: Vec<(String, Observer)>,
    /// When the last recorded word of the launcher was written.
    word_ns: u64,
    rings: Vec<Ring>,
    merge: merge::Merge,
    /// Which file it was, to notice when another takes its name.
    files: Vec<(PathBuf, Option<u64>)>,
}

/// One ring.
struct Ring {
    tapped: Tapped,
    observer: Observer,
    segment: u16,
    /// Number of the next message.
    next: u64,
    /// Time of the last one.
    time_ns: u64,
}

/// What was read of a ring.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Tapped {
    /// Its name.
    pub(crate) name: String,
    /// Number of the first message.
    pub(crate) first: u64,
    /// Messages recorded.
    pub(crate) messages: u64,
    /// Messages overwritten before they could be read.
    pub(crate) lost: u64,
}

impl Tap {
    /// Taps segments of one pipeline, from the oldest messages that the rings still hold.
    ///
    /// # Errors
    ///
    /// When one of them cannot be read.
    pub(crate) fn open(segments: &[SegmentFile]) -> Result<Self, Failure> {
        let (mut boards, mut rings) = (Vec::new(), Vec::new());
        let files = segments.iter();
        let files = files.map(|file| (file.path.clone(), inode(&file.path)));
        let files = files.collect();
        for file in segments.iter().filter(|file| file.board) {
            boards.push((file.name.clone(), Observer::open(&file.path)?));
        }
        for file in segments.iter().filter(|file| !file.board) {
            let place = boards.len() + rings.len();
            let segment = u16::try_from(place)
                .map_err(|_| Failure::Other(format!("{place} segments are too many")))?;
            let observer = Observer::open(&file.path)?;
            let first = oldest(&observer)?;
            rings.push(Ring {
                tapped: Tapped {
                    name: file.name.clone(),
                    first,
                    messages: 0,
                    lost: 0,
                },
                observer,
                segment,
                next: first,
                time_ns: 0,
            });
        }
        Ok(Self {
            boards,
            word_ns: 0,
            rings,
            merge: merge::Merge::default(),
            files,
        })
    }

    /// The header of a recording of it.
    pub(crate) fn header(&self, pipeline: &str, pipeline_file: Option<String>) -> Header {
        let boards = self.boards.iter();
        let boards = boards.map(|(name, board)| SegmentHead::of(name, board.info(), 0));
        let rings = self.rings.iter();
        let rings = rings.map(|ring| {
            SegmentHead::of(&ring.tapped.name, ring.observer.info(), ring.tapped.first)
        });
        Header {
            pipeline: pipeline.to_owned(),
            began_unix_ns: ipc::clock::unix_ns(),
            began_mono_ns: ipc::clock::mono_ns(),
            pipeline_file,
            segments: boards.chain(rings).collect(),
        }
    }

    /// Takes the rows of the boards as they are now.
    ///
    /// # Errors
    ///
    /// When a board cannot be read; a row that is being written all the time is left out.
    pub(crate) fn take_rows(&mut self) -> Result<(), Failure> {
        for (segment, (name, board)) in (0..).zip(&self.boards) {
            for row in 0..board.info().capacity {
                let Ok(Some(found)) = board.read_row(row) else {
                    continue;
                };
                if name == CONTROL {
                    self.word_ns = found.written_ns;
                }
                self.merge
                    .take(found.written_ns, entry(segment, row, found));
            }
        }
        Ok(())
    }

    /// Takes what has come into the rings since the last look, and the launcher's word if it is another: what the
    /// other boards say is in the rings too.
    ///
    /// # Errors
    ///
    /// When a ring cannot be read.
    pub(crate) fn look(&mut self) -> Result<(), Failure> {
        self.take_word();
        for ring in &mut self.rings {
            ring.look(&mut self.merge)?;
        }
        Ok(())
    }

    fn take_word(&mut self) {
        let mut boards = (0..).zip(&self.boards);
        let Some((segment, (_, board))) = boards.find(|(_, (name, _))| name == CONTROL) else {
            return;
        };
        // One that is being written comes with the next look.
        let Ok(Some(found)) = board.read_row(ROW) else {
            return;
        };
        if found.written_ns > self.word_ns {
            self.word_ns = found.written_ns;
            self.merge
                .take(found.written_ns, entry(segment, ROW, found));
        }
    }

    /// Writes what is old enough to have its place; all of it when `ended`.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub(crate) fn pour(&mut self, writer: &mut Writer, ended: bool) -> Result<(), Failure> {
        let until_ns = if ended {
            u64::MAX
        } else {
            ipc::clock::mono_ns().saturating_sub(merge::HOLD_NS)
        };
        while let Some(entry) = self.merge.give(until_ns) {
            writer.add(&entry)?;
        }
        writer.flush()
    }

    /// What was read so far.
    pub(crate) fn tapped(&self) -> Vec<Tapped> {
        self.rings.iter().map(|ring| ring.tapped.clone()).collect()
    }

    /// Whether a segment has lost its name, or another one has it: that pipeline is over.
    pub(crate) fn is_over(&self) -> bool {
        self.files.iter().any(|(path, found)| inode(path) != *found)
    }
}

impl Ring {
    fn look(&mut self, merge: &mut merge::Merge) -> Result<(), Failure> {
        let published = self.observer.statistics().published;
        let mut missing = None;
        while self.next < published {
            let Some(message) = self.observer.read_bytes(self.next)? else {
                // Overwritten. As a consumer does: half of the ring is left between us and the producer.
                missing.get_or_insert(self.next);
                let reached = self.observer.statistics().published;
                let half = u64::from(self.observer.info().capacity / 2);
                self.next = reached.saturating_sub(half).max(self.next + 1);
                continue;
            };
            let now = ipc::clock::mono_ns();
            let sent_ns = if message.sent_ns == 0 {
                now
            } else {
                message.sent_ns
            };
            self.time_ns = self.time_ns.max(sent_ns);
            self.tell_gap(missing.take(), merge);
            let entry = Entry::Message {
                segment: self.segment,
                sequence: message.sequence,
                sent_ns: message.sent_ns,
                bytes: message.bytes,
            };
            merge.take(self.time_ns, entry);
            self.tapped.messages += 1;
            self.next += 1;
        }
        self.tell_gap(missing, merge);
        Ok(())
    }

    /// The gap from `first` up to the next message.
    fn tell_gap(&mut self, first: Option<u64>, merge: &mut merge::Merge) {
        let Some(first) = first else { return };
        let lost = self.next - first;
        self.tapped.lost += lost;
        let entry = Entry::Gap {
            segment: self.segment,
            first,
            lost,
            time_ns: self.time_ns,
        };
        merge.take(self.time_ns, entry);
    }
}

/// A row as it is recorded.
fn entry(segment: u16, row: u32, found: Row<Vec<u8>>) -> Entry {
    Entry::Row {
        segment,
        row,
        written_ns: found.written_ns,
        bytes: found.value,
    }
}

/// The oldest message of a ring that will be there for a while yet, or the next one that it will hold.
fn oldest(ring: &Observer) -> Result<u64, Failure> {
    let published = ring.statistics().published;
    // The last quarter may be overwritten before the first look.
    let held = u64::from(ring.info().capacity / 4 * 3);
    let mut first = published.saturating_sub(held);
    while first < published && ring.read_bytes(first)?.is_none() {
        first += 1;
    }
    Ok(first)
}

fn inode(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|found| found.ino())
}
