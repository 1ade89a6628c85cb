//! `Observer::verify` names every contradiction that is made in a segment, finds none in a sound one, and none
//! beside roles at work.

use ipc::{
    BoardOptions, BoardWriter, Consumer, Finding, Kind, Observer, Producer, RingOptions,
    create_board, create_ring,
};
use proptest::prelude::*;
use std::{
    fs::{File, OpenOptions},
    mem::discriminant,
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
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
const INCARNATION: u64 = 4096 + 3 * 64;
const FIRST: u64 = INCARNATION + 8;
const CLOSED: u64 = INCARNATION + 24;
const BEAT: u64 = INCARNATION + 32;
const COMMITTED: u64 = 2 * 4096;
const LOST: u64 = COMMITTED + 8;
const SLOTS: u64 = 6 * 4096;
const STRIDE: u64 = 64;
const CAPACITY: u32 = 8;

struct Segment {
    _directory: TempDir,
    path: PathBuf,
    file: File,
}

impl Segment {
    fn new(kind: Kind, capacity: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.ring");
        if kind == Kind::Board {
            let options = BoardOptions {
                rows: capacity,
                ..BoardOptions::default()
            };
            create_board::<Echo>(&path, options).unwrap();
        } else {
            let options = RingOptions {
                kind,
                capacity,
                ..RingOptions::default()
            };
            create_ring::<Echo>(&path, options).unwrap();
        }
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

    /// A ring that so many messages went into, and some of them out again. Nobody is left.
    fn used(kind: Kind, pushed: u64, popped: u64) -> Self {
        let ring = Self::new(kind, CAPACITY);
        let mut producer = Producer::<Echo>::attach(&ring.path).unwrap();
        let mut consumer = Consumer::<Echo>::attach(&ring.path).unwrap();
        for number in 0..pushed {
            producer.push(&Echo { words: [number; 6] }).unwrap();
            if number < popped {
                consumer.pop().unwrap();
                consumer.commit();
            }
        }
        ring
    }

    fn set(&self, offset: u64, value: u64) {
        self.file
            .write_all_at(&value.to_ne_bytes(), offset)
            .unwrap();
    }

    fn findings(&self) -> Vec<Finding> {
        Observer::open(&self.path).unwrap().verify().findings
    }
}

#[test]
fn a_sound_ring_is_consistent_at_every_fill() {
    for kind in [Kind::Lossless, Kind::LatestWins] {
        for pushed in 0..3 * u64::from(CAPACITY) {
            for waiting in 0..=u64::from(CAPACITY).min(pushed) {
                let ring = Segment::used(kind, pushed, pushed - waiting);
                assert_eq!(ring.findings(), [], "{kind:?} {pushed} {waiting}");
            }
        }
    }
}

type Case = (u64, u64, Finding);

/// Where the slot of a message lies.
fn slot(sequence: u64) -> u64 {
    SLOTS + sequence % u64::from(CAPACITY) * STRIDE
}

fn whole(sequence: u64) -> u64 {
    2 * sequence + 2
}

/// Each word that is written into a ring of 8 slots with 20 messages, 15 of them consumed, leads to its finding.
fn each(cases: &[Case]) {
    for (offset, value, expected) in cases {
        let ring = Segment::used(Kind::Lossless, 20, 15);
        assert_eq!(ring.findings(), []);
        ring.set(*offset, *value);
        let found = ring.findings();
        let same = |finding: &Finding| discriminant(finding) == discriminant(expected);
        assert!(
            found.iter().any(same),
            "{expected:?} is not among {found:?}"
        );
        for finding in found {
            assert!(finding.to_string().len() > 20, "{finding}");
        }
    }
}

#[test]
fn counters_that_contradict_each_other_are_named() {
    each(&[
        (PUBLISHED, u64::MAX, Finding::Count { counted: u64::MAX }),
        (
            COMMITTED,
            2 * 21,
            Finding::Ahead {
                position: 21,
                published: 20,
            },
        ),
        (
            COMMITTED,
            2 * 11,
            Finding::Overrun {
                waiting: 9,
                capacity: 8,
            },
        ),
        (
            LOST,
            16,
            Finding::Loss {
                lost: 16,
                position: 15,
            },
        ),
        (LOST, 1, Finding::LosslessLoss { lost: 1 }),
        (INCARNATION, 0, Finding::Fatherless { published: 20 }),
        (
            CLOSED,
            2,
            Finding::Goodbye {
                closed: 2,
                incarnation: 1,
            },
        ),
        (
            FIRST + 8,
            21,
            Finding::Beginning {
                first: 21,
                published: 20,
            },
        ),
        (BEAT, u64::MAX, Finding::Beat { ahead_ns: 0 }),
    ]);
}

#[test]
fn slots_that_contradict_the_counters_are_named() {
    each(&[
        (slot(19), whole(20), Finding::Place { slot: 3, word: 0 }),
        (
            slot(19),
            whole(11),
            Finding::Missing {
                slot: 3,
                word: 24,
                counted: 19,
            },
        ),
        (
            slot(22),
            whole(22),
            Finding::Gap {
                slot: 4,
                sequence: 20,
            },
        ),
        (
            slot(19) + 8,
            u64::MAX,
            Finding::Stamp {
                slot: 3,
                ahead_ns: 0,
            },
        ),
    ]);
}

#[test]
fn a_message_over_one_that_waits_is_named() {
    let ring = Segment::used(Kind::Lossless, 20, 15);
    // Message 23 belongs to the slot of message 15, which has not been consumed.
    ring.set(SLOTS + 7 * STRIDE, 2 * 23 + 2);
    let (slot, sequence, position) = (7, 23, 15);
    let expected = Finding::Overwritten {
        slot,
        sequence,
        position,
    };
    assert!(ring.findings().contains(&expected), "{:?}", ring.findings());
}

#[test]
fn a_half_written_row_and_a_lost_write_are_named() {
    let board = Segment::new(Kind::Board, 4);
    let mut writer = BoardWriter::<Echo>::attach(&board.path).unwrap();
    for number in 0..10 {
        writer.write(number % 3, &Echo { words: [7; 6] }).unwrap();
    }
    assert_eq!(board.findings(), []);
    board.set(SLOTS + STRIDE, 2 * 4 + 1);
    assert_eq!(board.findings(), [], "its writer lives, and is writing it");
    drop(writer);
    assert_eq!(board.findings(), [Finding::HalfRow { row: 1 }]);
    board.set(SLOTS + STRIDE, 0);
    assert_eq!(
        board.findings(),
        [Finding::Writes {
            counted: 10,
            shown: 7
        }]
    );
}

#[test]
fn a_role_that_is_locked_by_nobody_who_attached_is_named() {
    let ring = Segment::used(Kind::Lossless, 3, 3);
    let observer = Observer::open(&ring.path).unwrap();
    assert_eq!(observer.verify_counters(), []);
    let lock = nix::libc::flock {
        l_type: nix::libc::F_WRLCK.try_into().unwrap(),
        l_whence: 0,
        l_start: 1,
        l_len: 1,
        l_pid: 0,
    };
    nix::fcntl::fcntl(&ring.file, nix::fcntl::FcntlArg::F_OFD_SETLK(&lock)).unwrap();
    let role = ipc::Role::Consumer;
    assert_eq!(observer.verify_counters(), [Finding::Lock { role }]);
}

#[test]
fn a_truncated_file_is_named_and_not_touched() {
    let ring = Segment::used(Kind::Lossless, 3, 3);
    let observer = Observer::open(&ring.path).unwrap();
    ring.file.set_len(8192).unwrap();
    let found = observer.verify().findings;
    assert!(
        matches!(found[..], [Finding::Length { found: 8192, .. }]),
        "{found:?}"
    );
}

/// Millions of messages go through rings of all sizes while they are verified: nothing is ever found.
#[test]
fn beside_roles_at_work_nothing_is_found() {
    for (kind, capacity) in [
        (Kind::Lossless, 4),
        (Kind::Lossless, 256),
        (Kind::LatestWins, 4),
        (Kind::LatestWins, 256),
    ] {
        let ring = Segment::new(kind, capacity);
        let over = AtomicBool::new(false);
        let mut producer = Producer::<Echo>::attach(&ring.path).unwrap();
        let mut consumer = Consumer::<Echo>::attach(&ring.path).unwrap();
        let observer = Observer::open(&ring.path).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                let batch = [Echo { words: [1; 6] }; 100];
                while !over.load(Relaxed) {
                    let _ = producer.push(&batch[0]);
                    let _ = producer.push_batch(&batch);
                }
            });
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    let _ = consumer.pop();
                    let _ = consumer.drain(33, |_| ());
                    consumer.commit();
                }
            });
            let (mut looks, due) = (0, Instant::now() + Duration::from_secs(60));
            let mut found = Vec::new();
            let laps = |looked: u32| {
                looked >= 500 && observer.statistics().published > 10 * u64::from(capacity)
            };
            while found.is_empty() && !laps(looks) && Instant::now() < due {
                looks += 1;
                found = observer.verify().findings;
                if looks % 25 == 0 {
                    thread::yield_now();
                }
            }
            over.store(true, Relaxed);
            assert_eq!(found, [], "{kind:?} {capacity} after {looks} looks");
            assert!(laps(looks), "{kind:?} {capacity}: a minute was too short");
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever stands in a segment behind its header, looking at all of it neither panics nor writes without end.
    #[test]
    fn any_words_are_looked_at(
        words in prop::collection::vec((512_u64..4 * 512, any::<u64>()), 0..8),
        slots in prop::collection::vec((0_u64..64, prop_oneof![any::<u64>(), 0_u64..100]), 0..16),
    ) {
        for kind in [Kind::Lossless, Kind::LatestWins, Kind::Board] {
            let segment = if kind == Kind::Board { Segment::new(kind, CAPACITY) } else { Segment::used(kind, 20, 15) };
            for (word, value) in &words {
                segment.set(word * 8, *value);
            }
            for (word, value) in &slots {
                segment.set(SLOTS + word * 8, *value);
            }
            prop_assert!(segment.findings().len() <= 16 + 8);
        }
    }
}
