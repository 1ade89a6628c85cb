//! A peer that writes whatever it likes, while we work: every call returns, and nothing crashes.
//!
//! One thread scribbles over the regions that the other side of a role writes, at random and with values
//! that look right; the role goes on working, waiting included. What it reads may be nonsense.

use ipc::{
    BoardOptions, BoardReader, BoardWriter, Consumer, Kind, Ladder, Observer, Producer,
    RingOptions, Waiter, create_board, create_ring,
};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    fs::OpenOptions,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tempfile::TempDir;

ipc::message! {
    /// A message of two lines.
    pub struct Echo v1 {
        /// The number.
        words: [u64; 9] = "count",
    }
}

/// Regions of a segment with pages of 4096 bytes.
const PRODUCER: Range<u64> = 4096..8192;
const CONSUMER: Range<u64> = 8192..24576;
const SLOTS: Range<u64> = 24576..24576 + 8 * 128;
/// How long each role is bothered.
const TIME: Duration = Duration::from_millis(600);

struct Ring {
    _directory: TempDir,
    path: PathBuf,
}

fn ring(kind: Kind) -> Ring {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("echo.ring");
    let options = RingOptions {
        kind,
        capacity: 8,
        ..RingOptions::default()
    };
    create_ring::<Echo>(&path, options).unwrap();
    Ring {
        _directory: directory,
        path,
    }
}

/// Writes into the regions until told to stop.
struct Scribbler {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl Scribbler {
    fn start(path: &Path, regions: &'static [Range<u64>], seed: u64) -> Self {
        let file = OpenOptions::new().write(true).open(path).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                let mut random = ChaCha8Rng::seed_from_u64(seed);
                let mut written = 0;
                while !stop.load(Relaxed) {
                    let region = &regions[random.random_range(0..regions.len())];
                    let offset = random.random_range(region.start / 8..region.end / 8) * 8;
                    let value = match random.random_range(0..4) {
                        0 => random.next_u64(),
                        1 => u64::MAX - random.random_range(0..4),
                        // Near what a sound peer could write.
                        _ => random.random_range(0..4096),
                    };
                    file.write_all_at(&value.to_ne_bytes(), offset).unwrap();
                    written += 1;
                }
                written
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Scribbler {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        let written = self.thread.take().map(JoinHandle::join);
        assert!(matches!(written, Some(Ok(1..))), "nothing was scribbled");
    }
}

/// Repeats a round until the time is up.
fn for_a_while(mut round: impl FnMut()) {
    let end = Instant::now() + TIME;
    while Instant::now() < end {
        round();
    }
}

#[test]
fn a_consumer_survives_any_producer() {
    for (seed, kind) in [Kind::Lossless, Kind::LatestWins].into_iter().enumerate() {
        let ring = ring(kind);
        let mut producer = Producer::<Echo>::attach(&ring.path).unwrap();
        let _scribbler = Scribbler::start(&ring.path, &[PRODUCER, SLOTS], seed as u64);
        let observer = Observer::open(&ring.path).unwrap();
        let mut waiter = Waiter::new(Ladder::Sleep);
        let mut consumer = None;
        for_a_while(|| {
            let Some(reader) = &mut consumer else {
                // A damaged ring may be refused; its counters change again.
                consumer = Consumer::<Echo>::attach(&ring.path).ok();
                return;
            };
            let _ = producer.push(&Echo { words: [7; 9] });
            reader.stale_after(Some(Duration::from_millis(20)));
            let _ = reader.pop();
            let _ = reader.drain(100, |received| assert_eq!(received.message.words.len(), 9));
            reader.commit();
            waiter.wait(&mut [reader]);
            let statistics = observer.statistics();
            let _ = observer.read::<Echo>(statistics.published.wrapping_sub(1));
            let _ = observer.read_bytes(statistics.position);
            let _ = observer.latency().quantile(0.99);
            if reader.is_damaged() {
                consumer = None;
            }
        });
    }
}

#[test]
fn a_producer_survives_any_consumer() {
    for (seed, kind) in [Kind::Lossless, Kind::LatestWins].into_iter().enumerate() {
        let ring = ring(kind);
        let mut producer = Producer::<Echo>::attach(&ring.path).unwrap();
        let _scribbler = Scribbler::start(&ring.path, &[CONSUMER], 10 + seed as u64);
        let mut waiter = Waiter::new(Ladder::Sleep);
        let batch = [Echo { words: [3; 9] }; 11];
        for_a_while(|| {
            let _ = producer.push(&batch[0]);
            match producer.push_batch(&batch) {
                Ok(pushed) => assert!((1..=11).contains(&pushed)),
                Err(_) => waiter.wait_for_room(&mut producer),
            }
            producer.beat();
        });
    }
}

#[test]
fn both_ends_of_a_board_survive_any_rows() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("echo.board");
    let options = BoardOptions {
        rows: 8,
        ..BoardOptions::default()
    };
    create_board::<Echo>(&path, options).unwrap();
    let mut writer = BoardWriter::<Echo>::attach(&path).unwrap();
    let reader = BoardReader::<Echo>::open(&path).unwrap();
    let _scribbler = Scribbler::start(&path, &[PRODUCER, CONSUMER, SLOTS], 20);
    let observer = Observer::open(&path).unwrap();
    for_a_while(|| {
        for index in 0..9 {
            let _ = writer.write(index, &Echo { words: [5; 9] });
            let _ = reader.read(index);
            let _ = observer.read_row(index);
        }
    });
}
