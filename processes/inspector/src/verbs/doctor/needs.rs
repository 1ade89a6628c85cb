//! What a pipeline file asks of its host.

use super::host::Host;
use crate::place::DEFAULT;
use pipeline::{Pipeline, Wait};
use std::path::{Path, PathBuf};

/// Bytes of a slot: the messages that a pipeline file can name fit into one cache line with their
/// sequence number and time stamp.
const SLOT: u64 = 64;
/// Bytes before the slots: header, producer's page, consumer's region.
const HEAD: u64 = 4096 + 4096 + 16_384;
/// From this size on, slots start where a huge page can.
pub(super) const HUGE_PAGE: u64 = 2 << 20;

/// What the host must have.
#[derive(Debug)]
pub(super) struct Needs {
    /// The pipeline; `None` for the host alone.
    pub(super) name: Option<String>,
    /// Hot processes, and the cores that the file gives them.
    pub(super) hot: Vec<(String, Option<usize>)>,
    pub(super) wait: Wait,
    /// The process with the greatest real-time priority, and the kernel's number of it.
    pub(super) priority: Option<(String, u8)>,
    /// Whether hot processes lock all of their memory.
    pub(super) lock_memory: bool,
    pub(super) ring_dir: PathBuf,
    segments: Vec<Segment>,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    bytes: u64,
    /// Who attaches to it.
    ends: Vec<String>,
}

impl Needs {
    /// Of the host alone.
    pub(super) fn none(ring_dir: Option<&Path>) -> Self {
        Self {
            name: None,
            hot: Vec::new(),
            wait: Wait::Auto,
            priority: None,
            lock_memory: false,
            ring_dir: ring_dir.unwrap_or(Path::new(DEFAULT)).to_owned(),
            segments: Vec::new(),
        }
    }

    /// Of a pipeline.
    pub(super) fn of(pipeline: &Pipeline) -> Self {
        let rings = pipeline.links.iter().map(|link| Segment {
            path: pipeline.ring_path(&link.name),
            bytes: segment_bytes(link.depth),
            ends: vec![link.from.clone(), link.to.clone()],
        });
        let boards = pipeline.boards.iter().map(|board| Segment {
            path: pipeline.board_path(&board.name),
            bytes: segment_bytes(board.slots),
            ends: pipeline
                .processes
                .iter()
                .filter(|process| process.hot)
                .map(|process| process.name.clone())
                .collect(),
        });
        Self {
            name: Some(pipeline.name.clone()),
            hot: pipeline
                .processes
                .iter()
                .filter(|process| process.hot)
                .map(|process| (process.name.clone(), process.cpu()))
                .collect(),
            wait: pipeline.wait,
            priority: pipeline
                .processes
                .iter()
                .filter_map(|process| Some((process.name.clone(), process.priority?.level())))
                .max_by_key(|(_, level)| *level),
            lock_memory: pipeline.lock_memory,
            ring_dir: pipeline.ring_dir(),
            segments: rings.chain(boards).collect(),
        }
    }

    /// Cores that the file gives to hot processes, in order.
    pub(super) fn cores(&self) -> Vec<usize> {
        let mut cores: Vec<usize> = self.hot.iter().filter_map(|(_, core)| *core).collect();
        cores.sort_unstable();
        cores.dedup();
        cores
    }

    /// Number of segments.
    pub(super) fn segments(&self) -> usize {
        self.segments.len()
    }

    /// Bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Bytes of those that are not laid out yet.
    pub(super) fn missing_bytes(&self, host: &Host) -> u64 {
        let missing = self
            .segments
            .iter()
            .filter(|segment| !host.path(&segment.path).exists());
        missing.map(|segment| segment.bytes).sum()
    }

    /// The process that attaches to most: its name, how many segments, their bytes.
    pub(super) fn greatest(&self) -> Option<(String, usize, u64)> {
        let mut sums: Vec<(String, usize, u64)> = Vec::new();
        for segment in &self.segments {
            for end in &segment.ends {
                match sums.iter_mut().find(|(name, ..)| name == end) {
                    Some((_, count, bytes)) => {
                        *count += 1;
                        *bytes += segment.bytes;
                    }
                    None => sums.push((end.clone(), 1, segment.bytes)),
                }
            }
        }
        sums.into_iter().max_by_key(|(.., bytes)| *bytes)
    }

    /// Whether a segment fills a huge page.
    pub(super) fn fill_huge_pages(&self) -> bool {
        self.segments
            .iter()
            .any(|segment| segment.bytes >= HUGE_PAGE + HEAD)
    }
}

/// Bytes of a segment of so many slots or rows.
fn segment_bytes(capacity: u32) -> u64 {
    let slots = u64::from(capacity) * SLOT;
    if slots < HUGE_PAGE {
        HEAD + slots
    } else {
        HEAD.next_multiple_of(HUGE_PAGE) + slots
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipc::{BoardOptions, RingOptions, create_board, create_ring};
    use layouts::{Fill, GameState, Order, OrderAck, PriceUpdate, Signal};
    use std::fs;

    /// Whatever the size of a slot becomes, the estimate is held against the files.
    #[test]
    fn segments_are_as_large_as_foreseen() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let options = |capacity| RingOptions {
            capacity,
            ..RingOptions::default()
        };
        create_ring::<PriceUpdate>(&path("a"), options(4096)).unwrap();
        create_ring::<GameState>(&path("b"), options(4)).unwrap();
        create_ring::<Signal>(&path("c"), options(1024)).unwrap();
        create_ring::<Order>(&path("d"), options(1 << 15)).unwrap();
        create_ring::<OrderAck>(&path("e"), options(1 << 14)).unwrap();
        create_ring::<Fill>(&path("f"), options(64)).unwrap();
        let board = BoardOptions {
            rows: 1024,
            ..BoardOptions::default()
        };
        create_board::<PriceUpdate>(&path("g"), board).unwrap();
        let wanted = [4096, 4, 1024, 1 << 15, 1 << 14, 64, 1024];
        for (name, capacity) in ["a", "b", "c", "d", "e", "f", "g"].iter().zip(wanted) {
            let length = fs::metadata(path(name)).unwrap().len();
            assert_eq!(segment_bytes(capacity), length, "{name}");
        }
    }
}
