//! What an observer sees with no message compiled in, and that its count is exact.

use ipc::{
    BoardReader, BoardWriter, Kind, Message, Observer, Producer, RingOptions, create_board,
    create_ring,
};
use proptest::prelude::*;
use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::SeqCst},
};
use tempfile::TempDir;

ipc::message! {
    /// A message whose words all tell the same number.
    pub struct Echo v1 {
        /// The number.
        words: [u64; 6] = "count",
    }
}

ipc::message! {
    /// A message of more than a line.
    pub struct Long v12 {
        /// The number.
        number: u64 = "count",
        /// The same.
        words: [u64; 20] = "count",
    }
}

/// Where things lie in a segment with pages of 4096 bytes.
const MESSAGE_SIZE: u64 = 20;
const PUBLISHED: u64 = 4096;
const SLOTS: u64 = 6 * 4096;

fn echo(number: u64) -> Echo {
    Echo { words: [number; 6] }
}

fn long(number: u64) -> Long {
    Long {
        number,
        words: [number; 20],
    }
}

fn ring<T: Message>(kind: Kind, capacity: u32, stamp_every: u32) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.ring");
    let options = RingOptions {
        kind,
        capacity,
        stamp_every,
        ..RingOptions::default()
    };
    create_ring::<T>(&path, options).unwrap();
    (directory, path)
}

fn opened(path: &Path) -> File {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap()
}

fn set(path: &Path, offset: u64, value: u64) {
    opened(path)
        .write_all_at(&value.to_ne_bytes(), offset)
        .unwrap();
}

/// The text by which a ring's own schema shows message `sequence`.
fn shown(observer: &Observer, sequence: u64) -> Option<String> {
    let message = observer.read_bytes(sequence).unwrap()?;
    assert_eq!(message.sequence, sequence);
    let schema = observer.schema().unwrap();
    Some(schema.decode(&message.bytes).unwrap().to_string())
}

#[test]
fn any_ring_is_decoded_from_its_own_schema() {
    let (_directory, path) = ring::<Echo>(Kind::LatestWins, 4, 2);
    let mut producer = Producer::<Echo>::attach(&path).unwrap();
    let before = ipc::clock::mono_ns();
    for number in 0..6 {
        producer.push(&echo(number)).unwrap();
    }
    let observer = Observer::open(&path).unwrap();
    for sequence in [0, 1, 6, u64::MAX] {
        assert_eq!(shown(&observer, sequence), None, "overwritten or to come");
    }
    for sequence in 2..6 {
        let text = format!("Echo v1 {{ words: {:?} }}", [sequence; 6]);
        assert_eq!(shown(&observer, sequence), Some(text));
        let sent_ns = observer.read_bytes(sequence).unwrap().unwrap().sent_ns;
        let stamped = sequence % 2 == 0;
        assert_eq!((before..=ipc::clock::mono_ns()).contains(&sent_ns), stamped);
        assert_eq!(sent_ns == 0, !stamped);
    }
    assert!(
        observer
            .read_row(0)
            .unwrap_err()
            .to_string()
            .contains("opened as a board")
    );
}

#[test]
fn messages_of_several_lines_are_decoded_with_and_without_stamps() {
    for stamp_every in [0, 1] {
        let (_directory, path) = ring::<Long>(Kind::Lossless, 4, stamp_every);
        let mut producer = Producer::<Long>::attach(&path).unwrap();
        for number in 10..14 {
            producer.push(&long(number)).unwrap();
        }
        let observer = Observer::open(&path).unwrap();
        for sequence in 0..4 {
            let number = sequence + 10;
            let text = format!("Long v12 {{ number: {number}, words: {:?} }}", [number; 20]);
            assert_eq!(shown(&observer, sequence), Some(text));
            assert_eq!(observer.read::<Long>(sequence).unwrap(), Some(long(number)));
        }
    }
}

#[test]
fn any_board_is_decoded_row_by_row() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.board");
    create_board::<Echo>(
        &path,
        ipc::BoardOptions {
            rows: 4,
            ..ipc::BoardOptions::default()
        },
    )
    .unwrap();
    let mut writer = BoardWriter::<Echo>::attach(&path).unwrap();
    for number in 1..=5 {
        writer.write(2, &echo(number)).unwrap();
    }
    let observer = Observer::open(&path).unwrap();
    assert_eq!(observer.statistics().published, 5);
    assert_eq!(observer.read_row(0).unwrap(), None, "never written");
    let row = observer.read_row(2).unwrap().unwrap();
    let typed = BoardReader::<Echo>::open(&path)
        .unwrap()
        .read(2)
        .unwrap()
        .unwrap();
    assert_eq!((row.version, row.written_ns), (5, typed.written_ns));
    let schema = observer.schema().unwrap();
    assert_eq!(
        schema.decode(&row.value).unwrap().to_string(),
        "Echo v1 { words: [5, 5, 5, 5, 5, 5] }"
    );
    set(&path, SLOTS + 2 * 64, 2 * 5 + 1);
    let being_written = observer.read_row(2).unwrap_err().to_string();
    assert!(
        being_written.contains("test.board: row 2 is being written"),
        "{being_written}"
    );
    let outside = observer.read_row(4).unwrap_err().to_string();
    assert!(
        outside.contains("row 4 is outside the board's 4 rows"),
        "{outside}"
    );
    let ring = observer.read_bytes(0).unwrap_err().to_string();
    assert!(ring.contains("is a board, opened as a ring"), "{ring}");
}

/// A slot of 40 bytes and one of 48 are both one line, so the geometry does not betray it.
#[test]
fn a_header_that_contradicts_its_schema_is_refused_by_all() {
    let (_directory, path) = ring::<Echo>(Kind::Lossless, 8, 1);
    opened(&path)
        .write_all_at(&40_u32.to_ne_bytes(), MESSAGE_SIZE)
        .unwrap();
    let observer = Observer::open(&path).unwrap();
    let error = observer.schema().unwrap_err().to_string();
    assert!(
        error.contains("its messages have 40 bytes, its schema says 48"),
        "{error}"
    );
    let error = Producer::<Echo>::attach(&path).err().unwrap().to_string();
    assert!(
        error.contains("size: 40 bytes by the segment's header, 48 bytes in its schema"),
        "{error}"
    );
}

/// Never behind what is published before it is asked, nor ahead of what is afterwards, nor torn.
#[test]
fn the_count_is_exact_while_the_producer_runs() {
    const COUNT: u64 = 100_000;
    for capacity in [4, 1024] {
        let (_directory, path) = ring::<Echo>(Kind::LatestWins, capacity, 0);
        let observer = Observer::open(&path).unwrap();
        let published = AtomicU64::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut producer = Producer::<Echo>::attach(&path).unwrap();
                for number in 0..COUNT {
                    producer.push(&echo(number)).unwrap();
                    published.store(number + 1, SeqCst);
                }
            });
            loop {
                let before = published.load(SeqCst);
                let seen = observer.statistics().published;
                // One more than the thread has told of may be in its slot.
                let after = published.load(SeqCst) + 1;
                assert!(
                    (before..=after).contains(&seen),
                    "{before} <= {seen} <= {after}"
                );
                if seen == COUNT {
                    break;
                }
                if let Some(number) = seen.checked_sub(1)
                    && let Some(message) = observer.read_bytes(number).unwrap()
                {
                    assert_eq!(
                        message.bytes,
                        ipc::bytemuck::bytes_of(&echo(number)),
                        "torn"
                    );
                }
            }
        });
    }
}

proptest! {
    /// However far the count is behind its slots, up to all of them, and whether or not the next message
    /// is half written.
    #[test]
    fn the_count_is_exact_when_a_producer_died_before_counting(
        count in 0_u64..40, behind in 0_u64..=16, half in any::<bool>(), lossless in any::<bool>(),
    ) {
        let kind = if lossless { Kind::Lossless } else { Kind::LatestWins };
        let count = if lossless { count.min(16) } else { count };
        let (_directory, path) = ring::<Echo>(kind, 16, 0);
        let mut producer = Producer::<Echo>::attach(&path).unwrap();
        for number in 0..count {
            producer.push(&echo(number)).unwrap();
        }
        drop(producer);
        set(&path, PUBLISHED, count.saturating_sub(behind));
        if half && (count < 16 || !lossless) {
            set(&path, SLOTS + count % 16 * 64, 2 * count + 1);
        }
        prop_assert_eq!(Observer::open(&path).unwrap().statistics().published, count);
        // The producer's own successor agrees, where it finds the last message counted.
        if behind < 15 {
            let successor = Producer::<Echo>::attach(&path).unwrap();
            prop_assert_eq!(successor.published(), count);
        }
    }
}
