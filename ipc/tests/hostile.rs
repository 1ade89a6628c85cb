//! Counters and words that no sound peer writes: refused or reported, never a crash, never believed.

use ipc::{
    BoardOptions, BoardReader, BoardWriter, Consumer, Kind, Observer, PopError, Producer,
    RingOptions, WakeSource, create_board, create_ring,
};
use proptest::prelude::*;
use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt,
    path::PathBuf,
};
use tempfile::TempDir;

ipc::message! {
    /// A message whose words all tell the same number.
    pub struct Echo v1 {
        /// The number.
        words: [u64; 6] = "count",
    }
}

/// Where things lie in a segment with pages of 4096 bytes.
const PUBLISHED: u64 = 4096;
const COMMITTED: u64 = 2 * 4096;
const SLOTS: u64 = 6 * 4096;

fn echo(number: u64) -> Echo {
    Echo { words: [number; 6] }
}

struct Ring {
    _directory: TempDir,
    path: PathBuf,
    file: File,
}

impl Ring {
    fn new(kind: Kind) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.ring");
        create_ring::<Echo>(
            &path,
            RingOptions {
                kind,
                capacity: 8,
                ..RingOptions::default()
            },
        )
        .unwrap();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .unwrap();
        Self {
            _directory: directory,
            path,
            file,
        }
    }

    fn with_messages(kind: Kind, count: u64) -> Self {
        let ring = Self::new(kind);
        let mut producer = Producer::<Echo>::attach(&ring.path).unwrap();
        for number in 0..count {
            producer.push(&echo(number)).unwrap();
        }
        ring
    }

    fn set(&self, offset: u64, value: u64) {
        self.file
            .write_all_at(&value.to_ne_bytes(), offset)
            .unwrap();
    }
}

#[test]
fn an_impossible_count_is_refused_by_both_roles() {
    for kind in [Kind::Lossless, Kind::LatestWins] {
        for count in [u64::MAX, 1 << 63, (1 << 63) + 1, 5] {
            let ring = Ring::with_messages(kind, 3);
            ring.set(PUBLISHED, count);
            let error = Producer::<Echo>::attach(&ring.path)
                .err()
                .unwrap()
                .to_string();
            assert!(error.contains("are counted"), "{kind:?} {count}: {error}");
            ring.set(COMMITTED, count.wrapping_mul(2));
            let both = Consumer::<Echo>::attach(&ring.path).map(|mut consumer| consumer.pop());
            assert!(matches!(both, Err(_) | Ok(Err(_))), "{kind:?} {count}");
        }
    }
}

#[test]
fn an_overwritten_message_of_a_lossless_ring_is_damage_and_not_loss() {
    let ring = Ring::with_messages(Kind::Lossless, 3);
    let mut consumer = Consumer::<Echo>::attach(&ring.path).unwrap();
    // Slot 0 claims to hold a later lap's message.
    ring.set(SLOTS, 2 * 8 + 2);
    assert_eq!(consumer.pop(), Err(PopError::Damaged));
    assert!(consumer.is_damaged());
    assert!(
        !consumer.has_message(),
        "a loop must be able to sleep on it"
    );
    assert!(!consumer.is_ready(), "its producer's end is no news either");
    assert_eq!(consumer.lost(), 0);
}

#[test]
fn a_latest_wins_reader_does_not_follow_an_impossible_word() {
    let ring = Ring::with_messages(Kind::LatestWins, 3);
    let mut consumer = Consumer::<Echo>::attach(&ring.path).unwrap();
    ring.set(SLOTS, u64::MAX);
    assert_eq!(consumer.pop(), Err(PopError::Damaged));
    assert!(consumer.is_damaged());
}

/// The consumer span on it for ever: there was something, and never a message.
#[test]
fn a_word_between_two_messages_of_a_slot_is_damage() {
    let ring = Ring::with_messages(Kind::LatestWins, 3);
    let mut consumer = Consumer::<Echo>::attach(&ring.path).unwrap();
    ring.set(SLOTS, 3);
    assert_eq!(consumer.pop(), Err(PopError::Damaged));
    assert!(!consumer.is_ready(), "a loop must be able to sleep on it");
}

/// The reader has moved on to a message that is not there yet, and commits before anybody is told.
#[test]
fn a_loss_that_was_committed_before_it_was_told_is_told_to_the_successor() {
    let ring = Ring::with_messages(Kind::LatestWins, 3);
    let mut consumer = Consumer::<Echo>::attach(&ring.path).unwrap();
    assert_eq!(consumer.pop().unwrap().sequence, 0);
    let mut producer = Producer::<Echo>::attach(&ring.path).unwrap();
    for number in 3..20 {
        producer.push(&echo(number)).unwrap();
    }
    // The count is ahead of what the reader sees of the slots.
    ring.set(PUBLISHED, 30);
    assert!(consumer.pop().is_err());
    assert_eq!(consumer.lost(), 25, "26 is half a ring behind 30");
    consumer.commit();
    drop(consumer);
    ring.set(PUBLISHED, 20);
    let mut successor = Consumer::<Echo>::attach(&ring.path).unwrap();
    let received = successor.pop().unwrap();
    assert_eq!(received.lost + 1, received.sequence, "one was read before");
    successor.commit();
    let statistics = Observer::open(&ring.path).unwrap().statistics();
    assert_eq!((statistics.consumed, statistics.lost), (2, received.lost));
}

#[test]
fn a_row_with_an_impossible_word_begins_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.board");
    create_board::<Echo>(
        &path,
        BoardOptions {
            rows: 4,
            ..BoardOptions::default()
        },
    )
    .unwrap();
    let mut writer = BoardWriter::<Echo>::attach(&path).unwrap();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    for word in [u64::MAX, u64::MAX - 1] {
        file.write_all_at(&word.to_ne_bytes(), SLOTS).unwrap();
        writer.write(0, &echo(7)).unwrap();
        let row = BoardReader::<Echo>::open(&path)
            .unwrap()
            .read(0)
            .unwrap()
            .unwrap();
        assert_eq!((row.value, row.version), (echo(7), 1));
    }
}

/// A crash between popping and committing, whatever was lost meanwhile, neither miscounts nor makes
/// the ring unusable.
#[test]
fn a_reader_that_dies_uncommitted_after_a_gap_loses_nothing_of_the_count() {
    let ring = Ring::new(Kind::LatestWins);
    let mut producer = Producer::<Echo>::attach(&ring.path).unwrap();
    let mut written = 0;
    let (mut read, mut lost) = (0, 0);
    for round in 0..50 {
        for _ in 0..(round * 7) % 23 {
            producer.push(&echo(written)).unwrap();
            written += 1;
        }
        let mut consumer = Consumer::<Echo>::attach(&ring.path).unwrap();
        let popped: Vec<_> = std::iter::from_fn(|| consumer.pop().ok()).collect();
        if round % 3 == 0 {
            // Dies here: its successor reads, and loses, the same again or more.
            continue;
        }
        consumer.commit();
        read += popped.len() as u64;
        lost += popped.iter().map(|received| received.lost).sum::<u64>();
        assert_eq!(
            (read + lost, lost),
            (written, consumer.lost()),
            "round {round}"
        );
    }
    let statistics = Observer::open(&ring.path).unwrap().statistics();
    assert_eq!((statistics.consumed, statistics.lost), (read, lost));
}

#[test]
fn a_commit_inside_a_gap_is_not_taken() {
    let ring = Ring::new(Kind::LatestWins);
    let mut producer = Producer::<Echo>::attach(&ring.path).unwrap();
    producer.push(&echo(0)).unwrap();
    let mut consumer = Consumer::<Echo>::attach(&ring.path).unwrap();
    consumer.pop().unwrap();
    for number in 1..100 {
        producer.push(&echo(number)).unwrap();
    }
    let after = consumer.pop().unwrap();
    assert!(after.lost > 0);
    consumer.commit_to(1);
    assert_eq!(Observer::open(&ring.path).unwrap().statistics().position, 0);
    consumer.commit();
    let statistics = Observer::open(&ring.path).unwrap().statistics();
    assert_eq!(
        (statistics.position, statistics.lost),
        (after.sequence + 1, after.lost)
    );
}

#[test]
fn a_sparse_copy_is_refused_before_it_can_end_in_a_signal() {
    let ring = Ring::new(Kind::Lossless);
    let copy = ring.path.with_extension("copy");
    let header = {
        let mut bytes = vec![0; 4096];
        ring.file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    };
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&copy)
        .unwrap();
    file.write_all_at(&header, 0).unwrap();
    file.set_len(ring.file.metadata().unwrap().len()).unwrap();
    nix::sys::stat::fchmod(&file, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let error = Producer::<Echo>::attach(&copy).err().unwrap().to_string();
    assert!(error.contains("not really allocated"), "{error}");
}

#[test]
fn a_file_open_to_everybody_is_refused() {
    let ring = Ring::new(Kind::Lossless);
    nix::sys::stat::fchmod(&ring.file, nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
    let error = Producer::<Echo>::attach(&ring.path)
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("gives rights to everybody"), "{error}");
}

proptest! {
    /// Any bytes in counters and slots: attach refuses, or what is popped is bounded and nothing panics.
    #[test]
    fn any_bytes_are_refused_or_survived(
        words in prop::collection::vec((0_u64..1600, prop_oneof![any::<u64>(), 0_u64..40]), 1..40),
        lossless in any::<bool>(),
        before_attach in any::<bool>(),
    ) {
        let kind = if lossless { Kind::Lossless } else { Kind::LatestWins };
        let ring = Ring::with_messages(kind, 5);
        let scribble = || {
            for (place, value) in &words {
                ring.set(PUBLISHED + place * 8, *value);
            }
        };
        if before_attach {
            scribble();
        }
        let (producer, consumer) = (Producer::<Echo>::attach(&ring.path), Consumer::<Echo>::attach(&ring.path));
        scribble();
        if let Ok(mut consumer) = consumer {
            for _ in 0..64 {
                let _ = consumer.pop();
                consumer.commit();
            }
        }
        if let Ok(mut producer) = producer {
            for number in 0..64 {
                let _ = producer.push(&echo(number));
            }
        }
        let observer = Observer::open(&ring.path).unwrap();
        let _ = (observer.statistics(), observer.latency().quantile(0.5));
        for sequence in [0, 3, u64::MAX] {
            let _ = (observer.read::<Echo>(sequence), observer.read_bytes(sequence));
        }
    }
}
