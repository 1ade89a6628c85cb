//! The laws of a ring: order, loss, commits, restarts, wake-ups.

use ipc::{
    Consumer, Kind, Ladder, Observer, Peer, PopError, Producer, PushError, RingOptions, Waiter,
    WakeSource, create_ring,
};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use proptest::prelude::*;
use std::{
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

ipc::message! {
    /// A message whose words all tell the same number, so that a torn one shows.
    pub struct Echo v1 {
        /// The number.
        words: [u64; 6] = "count",
    }
}

fn echo(number: u64) -> Echo {
    Echo { words: [number; 6] }
}

fn ring(kind: Kind, capacity: u32) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.ring");
    create_ring::<Echo>(
        &path,
        RingOptions {
            kind,
            capacity,
            ..RingOptions::default()
        },
    )
    .unwrap();
    (directory, path)
}

fn push_all(path: &Path, numbers: std::ops::Range<u64>) {
    let mut producer = Producer::<Echo>::attach(path).unwrap();
    let mut waiter = Waiter::new(Ladder::Sleep);
    for number in numbers {
        while producer.push(&echo(number)) == Err(PushError::Full) {
            waiter.wait_for_room(&mut producer);
        }
        waiter.progress();
    }
}

#[test]
fn a_lossless_ring_delivers_everything_in_order_between_two_threads() {
    const COUNT: u64 = 100_000;
    let (_directory, path) = ring(Kind::Lossless, 8);
    let mut consumer = Consumer::<Echo>::attach(&path).unwrap();
    let writer = std::thread::spawn(move || push_all(&path, 0..COUNT));
    let mut waiter = Waiter::new(Ladder::Sleep);
    let mut next = 0;
    while next < COUNT {
        match consumer.pop() {
            Ok(received) => {
                assert_eq!(
                    (received.sequence, received.message, received.lost),
                    (next, echo(next), 0)
                );
                next += 1;
                consumer.commit();
                waiter.progress();
            }
            Err(_) => waiter.wait(&mut [&mut consumer]),
        }
    }
    writer.join().unwrap();
    assert_eq!(consumer.producer(), Peer::Closed);
}

#[test]
fn in_a_latest_wins_ring_read_plus_lost_is_written_and_nothing_is_torn() {
    const COUNT: u64 = 300_000;
    let (_directory, path) = ring(Kind::LatestWins, 8);
    let mut consumer = Consumer::<Echo>::attach(&path).unwrap();
    let writer = std::thread::spawn(move || push_all(&path, 0..COUNT));
    let (mut read, mut lost) = (0, 0);
    let mut waiter = Waiter::new(Ladder::Sleep);
    while read + lost < COUNT {
        match consumer.pop() {
            Ok(received) => {
                assert_eq!(received.message, echo(received.sequence), "torn");
                lost += received.lost;
                assert_eq!(received.sequence, read + lost);
                read += 1;
                waiter.progress();
            }
            Err(_) => waiter.wait(&mut [&mut consumer]),
        }
    }
    writer.join().unwrap();
    assert_eq!((read + lost, lost), (COUNT, consumer.lost()));
}

#[test]
fn a_full_ring_stays_full_until_its_consumer_commits_and_without_one() {
    let (_directory, path) = ring(Kind::Lossless, 4);
    let mut producer = Producer::<Echo>::attach(&path).unwrap();
    for number in 0..4 {
        assert_eq!(producer.push(&echo(number)), Ok(number));
    }
    assert_eq!(
        producer.push(&echo(4)),
        Err(PushError::Full),
        "nobody has ever read"
    );
    let mut consumer = Consumer::<Echo>::attach(&path).unwrap();
    consumer.pop().unwrap();
    assert_eq!(
        producer.push(&echo(4)),
        Err(PushError::Full),
        "popped is not committed"
    );
    consumer.commit();
    assert_eq!(producer.push(&echo(4)), Ok(4));
    assert_eq!(producer.push(&echo(5)), Err(PushError::Full));
}

#[test]
fn a_successor_of_the_consumer_continues_behind_the_last_commit() {
    let (_directory, path) = ring(Kind::Lossless, 8);
    push_all(&path, 0..6);
    let mut consumer = Consumer::<Echo>::attach(&path).unwrap();
    for _ in 0..4 {
        consumer.pop().unwrap();
    }
    consumer.commit_to(2);
    consumer.commit_to(1);
    consumer.commit_to(99);
    drop(consumer);
    let mut successor = Consumer::<Echo>::attach(&path).unwrap();
    let rest: Vec<u64> = std::iter::from_fn(|| successor.pop().ok())
        .map(|received| received.sequence)
        .collect();
    assert_eq!(rest, [2, 3, 4, 5]);
}

#[test]
fn a_successor_of_the_producer_continues_at_the_exact_sequence() {
    for kind in [Kind::Lossless, Kind::LatestWins] {
        let (_directory, path) = ring(kind, 8);
        for start in [0, 3, 6] {
            push_all(&path, start..start + 3);
            let mut consumer = Consumer::<Echo>::attach(&path).unwrap();
            for number in start..start + 3 {
                assert_eq!(consumer.pop().unwrap().message, echo(number));
            }
            consumer.commit();
        }
    }
}

#[test]
fn batches_of_any_length_keep_a_latest_wins_ring_exact() {
    let (_directory, path) = ring(Kind::LatestWins, 8);
    let mut consumer = Consumer::<Echo>::attach(&path).unwrap();
    let (mut written, mut read, mut lost) = (0, 0, 0);
    for length in (0..40).chain([100, 3, 1]) {
        let mut producer = Producer::<Echo>::attach(&path).unwrap();
        let batch: Vec<Echo> = (written..written + length).map(echo).collect();
        let mut rest = batch.as_slice();
        while !rest.is_empty() {
            let pushed = producer.push_batch(rest).unwrap();
            assert_eq!(pushed, rest.len(), "it waits for nobody");
            rest = &rest[pushed..];
        }
        written += length;
        let _ = consumer.drain(usize::MAX, |received| {
            assert_eq!(received.message, echo(received.sequence));
            read += 1;
            lost += received.lost;
        });
        assert_eq!((read + lost, consumer.lost()), (written, lost));
        consumer.commit();
    }
    assert!(lost > 0);
}

#[test]
fn a_reader_sees_which_producer_writes_and_from_where() {
    let (_directory, path) = ring(Kind::Lossless, 8);
    let consumer = Consumer::<Echo>::attach(&path).unwrap();
    let is = |number, first_sequence| {
        let incarnation = consumer.incarnation();
        assert_eq!(
            (incarnation.number, incarnation.first_sequence),
            (number, first_sequence)
        );
    };
    is(0, 0);
    for (number, first) in [(1, 0), (2, 3), (3, 6)] {
        let mut producer = Producer::<Echo>::attach(&path).unwrap();
        is(number, first);
        for sequence in first..(first + 3).min(8) {
            producer.push(&echo(sequence)).unwrap();
        }
    }
    is(3, 6);
}

#[test]
fn a_slot_published_but_not_counted_by_a_producer_that_died_is_found_by_its_successor() {
    let (_directory, path) = ring(Kind::Lossless, 8);
    push_all(&path, 0..3);
    // As if it had died between the slot's last store and the count: the count is the page's first word.
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&2_u64.to_ne_bytes(), 4096).unwrap();
    let mut successor = Producer::<Echo>::attach(&path).unwrap();
    assert_eq!(successor.published(), 3);
    assert_eq!(successor.push(&echo(3)), Ok(3));
}

#[test]
fn a_half_written_slot_is_invisible_and_written_again() {
    let (_directory, path) = ring(Kind::Lossless, 8);
    push_all(&path, 0..3);
    // The slot of message 3 marked "being written" (2n + 1 = 7), with half a payload.
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let slot = 6 * 4096 + 3 * 64;
    file.write_all_at(&7_u64.to_ne_bytes(), slot).unwrap();
    file.write_all_at(&[0xAB; 24], slot + 16).unwrap();
    let mut consumer = Consumer::<Echo>::attach(&path).unwrap();
    for number in 0..3 {
        assert_eq!(consumer.pop().unwrap().message, echo(number));
    }
    assert_eq!(consumer.pop(), Err(PopError::Closed));
    push_all(&path, 3..4);
    assert_eq!(consumer.pop().unwrap().message, echo(3));
}

#[test]
fn a_consumer_that_claims_what_was_never_published_is_not_believed() {
    let (_directory, path) = ring(Kind::Lossless, 4);
    let mut producer = Producer::<Echo>::attach(&path).unwrap();
    for number in 0..4 {
        producer.push(&echo(number)).unwrap();
    }
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&u64::MAX.to_ne_bytes(), 2 * 4096)
        .unwrap();
    assert_eq!(
        producer.push(&echo(4)),
        Err(PushError::PeerDamaged {
            position: u64::MAX / 2,
            published: 4
        })
    );
    let error = Consumer::<Echo>::attach(&path).err().unwrap().to_string();
    assert!(error.contains("but 4 messages were published"), "{error}");
}

#[test]
fn sleepers_are_woken_for_every_message() {
    every_message_crosses_there_and_back(Ladder::Sleep);
}

/// On one core too, where the other loop gets on only when this one gives the core away.
#[test]
fn loops_that_spin_in_turns_see_every_message() {
    let mut one = CpuSet::new();
    let may = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let first = (0..CpuSet::count()).find(|cpu| may.is_set(*cpu) == Ok(true));
    one.set(first.unwrap()).unwrap();
    std::thread::spawn(move || {
        // Inherited by the threads that it starts.
        sched_setaffinity(Pid::from_raw(0), &one).unwrap();
        every_message_crosses_there_and_back(Ladder::Yield);
    })
    .join()
    .unwrap();
}

fn every_message_crosses_there_and_back(ladder: Ladder) {
    const COUNT: u64 = 2_000;
    let (_directory, path) = ring(Kind::Lossless, 64);
    let (_echo_directory, back) = ring(Kind::Lossless, 64);
    let mut pings = Consumer::<Echo>::attach(&path).unwrap();
    let mut pongs = Consumer::<Echo>::attach(&back).unwrap();
    let answering = std::thread::spawn({
        let (path, back) = (path.clone(), back.clone());
        move || {
            let mut producer = Producer::<Echo>::attach(&back).unwrap();
            let mut waiter = Waiter::new(ladder);
            for number in 0..COUNT {
                let received = loop {
                    match pings.pop() {
                        Ok(received) => break received,
                        Err(_) => waiter.wait(&mut [&mut pings]),
                    }
                };
                waiter.progress();
                assert_eq!(received.message, echo(number));
                pings.commit();
                producer.push(&received.message).unwrap();
            }
            drop(path);
        }
    });
    let mut producer = Producer::<Echo>::attach(&path).unwrap();
    let mut waiter = Waiter::new(ladder);
    for number in 0..COUNT {
        producer.push(&echo(number)).unwrap();
        loop {
            match pongs.pop() {
                Ok(received) => break assert_eq!(received.message, echo(number)),
                Err(_) => waiter.wait(&mut [&mut pongs]),
            }
        }
        waiter.progress();
        pongs.commit();
    }
    answering.join().unwrap();
    while pongs.pop() != Err(PopError::Closed) {
        waiter.wait(&mut [&mut pongs]);
    }
    assert!(
        pongs.arm_and_disarm(),
        "a source can be armed again after use"
    );
}

/// Arms and disarms once, and says whether nothing was ready in between.
trait ArmOnce {
    fn arm_and_disarm(&mut self) -> bool;
}

impl<S: WakeSource> ArmOnce for S {
    fn arm_and_disarm(&mut self) -> bool {
        let _ = self.arm();
        let ready = self.is_ready();
        self.disarm();
        !ready
    }
}

#[test]
fn an_observer_reads_messages_and_counters_and_changes_nothing() {
    let (_directory, path) = ring(Kind::Lossless, 8);
    push_all(&path, 0..5);
    let before = std::fs::read(&path).unwrap();
    let observer = Observer::open(&path).unwrap();
    assert_eq!(observer.read::<Echo>(4).unwrap(), Some(echo(4)));
    assert_eq!(observer.read::<Echo>(5).unwrap(), None);
    assert_eq!(observer.read::<Echo>(u64::MAX).unwrap(), None);
    let statistics = observer.statistics();
    assert_eq!(
        (statistics.published, statistics.consumed, statistics.lost),
        (5, 0, 0)
    );
    assert!(!statistics.producer_attached && !statistics.consumer_attached);
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let mut consumer = Consumer::<Echo>::attach(&path).unwrap();
    assert!(observer.statistics().consumer_attached);
    while consumer.pop().is_ok() {}
    consumer.commit();
    assert_eq!(observer.statistics().consumed, 5);
    assert_eq!(
        observer.latency().count(),
        5,
        "every message of this ring is stamped"
    );
}

#[test]
fn one_of_each_role_and_the_lock_goes_with_its_holder() {
    let (_directory, path) = ring(Kind::Lossless, 8);
    let producer = Producer::<Echo>::attach(&path).unwrap();
    let error = Producer::<Echo>::attach(&path).err().unwrap().to_string();
    assert!(
        error.contains("another live process is the producer"),
        "{error}"
    );
    let consumer = Consumer::<Echo>::attach(&path).unwrap();
    assert_eq!(
        (producer.consumer(), consumer.producer()),
        (Peer::Attached, Peer::Attached)
    );
    assert!(Consumer::<Echo>::attach(&path).is_err());
    drop(producer);
    assert_eq!(consumer.producer(), Peer::Closed);
    Producer::<Echo>::attach(&path).unwrap();
}

proptest! {
    /// Whatever the order of pushes, pops and commits: a lossless ring is a queue that holds at most
    /// its capacity of uncommitted messages.
    #[test]
    fn a_lossless_ring_is_a_bounded_queue(steps in prop::collection::vec(0_u8..8, 0..300)) {
        let (_directory, path) = ring(Kind::Lossless, 8);
        let mut producer = Producer::<Echo>::attach(&path).unwrap();
        let mut consumer = Consumer::<Echo>::attach(&path).unwrap();
        let (mut pushed, mut popped, mut committed) = (0, 0, 0);
        for step in steps {
            match step {
                3..6 => {
                    let batch: Vec<Echo> = (pushed..pushed + u64::from(step)).map(echo).collect();
                    let room = (8 - (pushed - committed)).min(u64::from(step));
                    let expected = if room == 0 { Err(PushError::Full) } else { Ok(usize::try_from(room).unwrap()) };
                    prop_assert_eq!(producer.push_batch(&batch), expected);
                    pushed += room;
                }
                6 => {
                    let mut drained = Vec::new();
                    let count = consumer.drain(5, |received| drained.push(received.message));
                    let expected: Vec<Echo> = (popped..pushed.min(popped + 5)).map(echo).collect();
                    let told = if expected.is_empty() { Err(PopError::Empty) } else { Ok(expected.len()) };
                    popped += expected.len() as u64;
                    prop_assert_eq!((count, drained), (told, expected));
                }
                0 => {
                    let expected = if pushed - committed < 8 { Ok(pushed) } else { Err(PushError::Full) };
                    prop_assert_eq!(producer.push(&echo(pushed)), expected);
                    pushed += u64::from(expected.is_ok());
                }
                1 => {
                    let received = consumer.pop();
                    prop_assert_eq!(received.ok().map(|received| received.message), (popped < pushed).then(|| echo(popped)));
                    popped += u64::from(received.is_ok());
                }
                _ => {
                    consumer.commit();
                    committed = popped;
                }
            }
        }
    }
}

/// What is played again keeps its time, where the ring keeps times at all.
#[test]
fn a_stamp_of_the_callers_is_the_one_that_is_read() {
    for (stamp_every, expected) in [(1, [7, 8, 9]), (2, [7, 0, 9]), (0, [0, 0, 0])] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.ring");
        let options = RingOptions {
            capacity: 4,
            stamp_every,
            ..RingOptions::default()
        };
        create_ring::<Echo>(&path, options).unwrap();
        let mut producer = Producer::<Echo>::attach(&path).unwrap();
        let mut consumer = Consumer::<Echo>::attach(&path).unwrap();
        for (sequence, sent_ns) in (0..).zip([7, 8, 9]) {
            let pushed = producer.push_stamped(&echo(sequence), sent_ns);
            assert_eq!(pushed, Ok(sequence));
        }
        assert_eq!(producer.push(&echo(3)), Ok(3));
        assert_eq!(producer.push_stamped(&echo(4), 1), Err(PushError::Full));
        for (sequence, sent_ns) in (0..).zip(expected) {
            let received = consumer.pop().unwrap();
            let seen = (received.sequence, received.message, received.sent_ns);
            assert_eq!(seen, (sequence, echo(sequence), sent_ns));
        }
    }
}
