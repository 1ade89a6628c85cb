//! The rules, one by one, on samples that are made up.

use super::*;
use crate::{
    place::SegmentFile,
    sample::{Reading, Unreadable},
};
use ipc::{Finding, Histogram, Holder, Life, Statistics};

const S: u64 = 1_000_000_000;
const NOW: u64 = 1_000 * S;
const CAPACITY: u32 = 1024;

/// A ring whose two sides live and work: 100 messages in and out in a second.
fn ring(name: &str, from: &str, to: &str) -> [Sample; 2] {
    let holder = |name: &str| {
        let pid = name.bytes().map(u32::from).sum();
        let name = name.into();
        let left = false;
        Some(Holder { pid, name, left })
    };
    let at = |at_ns: u64, messages: u64| Sample {
        file: SegmentFile {
            pipeline: "demo".into(),
            name: name.into(),
            board: false,
            path: format!("/rings/demo/{name}.ring").into(),
            asked: false,
        },
        at_ns,
        reading: Ok(Reading {
            kind: Kind::Lossless,
            message: Some("Order".into()),
            capacity: CAPACITY,
            instance: 7,
            created_mono_ns: NOW - 100 * S,
            counters: Statistics {
                published: messages,
                position: messages,
                consumed: messages,
                lost: 0,
                full: 0,
                wakes: 0,
                producer_attached: true,
                consumer_attached: true,
            },
            producer: holder(from),
            consumer: holder(to),
            life: Life {
                incarnation: 1,
                first_sequence: 0,
                closed: false,
                beat_ns: at_ns,
            },
            latency: Histogram::default(),
            age: Histogram::default(),
            last_ns: Some(at_ns),
            oldest_ns: None,
            presence: None,
            findings: Vec::new(),
        }),
    };
    [at(NOW - S, 10_000), at(NOW, 10_100)]
}

fn reading(sample: &mut Sample) -> &mut Reading {
    sample.reading.as_mut().unwrap()
}

/// Lets so many messages wait in each of the two samples.
fn waiting(pair: &mut [Sample; 2], depths: [u64; 2]) {
    for (sample, depth) in pair.iter_mut().zip(depths) {
        let oldest = sample.at_ns - S / 2;
        let reading = reading(sample);
        reading.counters.published = reading.counters.position + depth;
        reading.oldest_ns = (depth > 0).then_some(oldest);
    }
}

/// Makes the consumer stand still, with so many messages waiting.
fn stopped(pair: &mut [Sample; 2], depths: [u64; 2]) {
    reading(&mut pair[1]).counters.position = reading(&mut pair[0]).counters.position;
    waiting(pair, depths);
}

fn silent(pair: &mut [Sample; 2]) {
    for sample in pair {
        let reading = reading(sample);
        reading.counters.published = 10_000;
        reading.counters.position = 10_000;
        (reading.life.beat_ns, reading.last_ns) = (NOW - 3 * S, Some(NOW - 3 * S));
    }
}

fn judged(pairs: &[[Sample; 2]]) -> Vec<(String, Verdict)> {
    let side =
        |index: usize| -> Vec<Sample> { pairs.iter().map(|pair| pair[index].clone()).collect() };
    let judged = judge(&side(0), &side(1), &[], &Bounds::default());
    for one in &judged {
        assert_eq!(one.trouble, !one.next.is_empty(), "{one:?}");
        assert!(!one.evidence.is_empty(), "{one:?}");
    }
    judged
        .into_iter()
        .map(|one| (one.name, one.verdict))
        .collect()
}

fn verdict(pair: [Sample; 2]) -> Verdict {
    let name = pair[1].file.name.clone();
    let judged = judged(&[pair]);
    judged.into_iter().find(|one| one.0 == name).unwrap().1
}

#[track_caller]
fn expect(pairs: &[[Sample; 2]], expected: &[(&str, Verdict)]) {
    let mut found = judged(pairs);
    found.sort();
    let mut expected: Vec<(String, Verdict)> = expected
        .iter()
        .map(|(name, verdict)| ((*name).into(), *verdict))
        .collect();
    expected.sort();
    assert_eq!(found, expected);
}

type Fault = (&'static str, fn(&mut [Sample; 2]), Verdict);

/// Each change to a healthy ring leads to its one verdict.
fn each(faults: &[Fault]) {
    for (what, fault, expected) in faults {
        let mut pair = ring("orders", "signal_processor", "execution_service");
        fault(&mut pair);
        assert_eq!(verdict(pair), *expected, "{what}");
    }
}

#[test]
fn what_flows_and_what_waits_has_its_verdict() {
    each(&[
        ("none", |_| (), Verdict::Ok),
        ("nothing comes", |pair| stopped(pair, [0, 0]), Verdict::Idle),
        (
            "the consumer stands still",
            |pair| stopped(pair, [5, 9]),
            Verdict::Stuck,
        ),
        (
            "it stands still, and the ring is full",
            |pair| stopped(pair, [900, 1024]),
            Verdict::Stuck,
        ),
        (
            "what waits has just come",
            |pair| stopped(pair, [0, 9]),
            Verdict::Ok,
        ),
        (
            "the ring is full, and the consumer works",
            |pair| waiting(pair, [1024, 1024]),
            Verdict::Full,
        ),
        (
            "it fills in seconds",
            |pair| waiting(pair, [100, 400]),
            Verdict::Slow,
        ),
        (
            "it fills in half an hour",
            |pair| waiting(pair, [400, 400]),
            Verdict::Ok,
        ),
        ("it empties", |pair| waiting(pair, [900, 400]), Verdict::Ok),
        (
            "a latest-wins ring loses",
            |pair| {
                pair.iter_mut()
                    .for_each(|sample| reading(sample).kind = Kind::LatestWins);
                reading(&mut pair[1]).counters.lost = 3;
            },
            Verdict::Slow,
        ),
    ]);
}

#[test]
fn who_is_gone_or_never_came_has_its_verdict() {
    each(&[
        (
            "the producer is gone",
            |pair| reading(&mut pair[1]).counters.producer_attached = false,
            Verdict::Dead,
        ),
        (
            "the consumer is gone",
            |pair| reading(&mut pair[1]).counters.consumer_attached = false,
            Verdict::Dead,
        ),
        (
            "the producer has said goodbye",
            |pair| {
                stopped(pair, [0, 0]);
                let reading = reading(&mut pair[1]);
                reading.counters.producer_attached = false;
                reading.producer.as_mut().unwrap().left = true;
            },
            Verdict::Closed,
        ),
        (
            "no consumer has come",
            |pair| {
                let reading = reading(&mut pair[1]);
                reading.counters.consumer_attached = false;
                (reading.consumer, reading.counters.position) = (None, 0);
                reading.counters.published = 1023;
            },
            Verdict::Missing,
        ),
        (
            "no consumer has come, and the ring is full",
            |pair| {
                let reading = reading(&mut pair[1]);
                reading.counters.consumer_attached = false;
                (reading.consumer, reading.counters.position) = (None, 0);
                reading.counters.published = 1024;
            },
            Verdict::Misplaced,
        ),
    ]);
}

#[test]
fn silence_and_damage_have_their_verdict() {
    each(&[
        ("the producer is silent", silent, Verdict::Stale),
        (
            "it is silent, and has never beaten",
            |pair| {
                silent(pair);
                pair.iter_mut()
                    .for_each(|sample| reading(sample).life.beat_ns = NOW - 90 * S);
            },
            Verdict::Idle,
        ),
        (
            "the counters contradict each other",
            |pair| {
                reading(&mut pair[1]).findings = vec![Finding::Count { counted: u64::MAX }];
            },
            Verdict::Corrupt,
        ),
        (
            "the file is no segment",
            |pair| {
                let reason = "a.ring is not a usable segment: magic 0\n  fix: remove it".into();
                pair[1].reading = Err(Unreadable {
                    refused: false,
                    reason,
                });
            },
            Verdict::Corrupt,
        ),
    ]);
}

#[test]
fn a_lock_without_a_holder_is_a_fault_only_when_it_lasts() {
    let mut pair = ring("orders", "a", "b");
    let finding = Finding::Lock {
        role: ipc::Role::Consumer,
    };
    reading(&mut pair[1]).findings = vec![finding.clone()];
    assert_eq!(verdict(pair.clone()), Verdict::Ok);
    reading(&mut pair[0]).findings = vec![finding];
    assert_eq!(verdict(pair), Verdict::Corrupt);
}

#[test]
fn who_waits_for_room_further_on_is_blocked_and_not_stuck() {
    let mut first = ring("prices", "feed", "shard");
    let mut second = ring("signals", "shard", "risk");
    let mut third = ring("orders", "risk", "venue");
    stopped(&mut first, [5, 9]);
    stopped(&mut second, [1024, 1024]);
    stopped(&mut third, [1024, 1024]);
    expect(
        &[first, second, third],
        &[
            ("prices", Verdict::Blocked),
            ("signals", Verdict::Blocked),
            ("orders", Verdict::Stuck),
            ("feed", Verdict::Idle),
            ("shard", Verdict::Blocked),
            ("risk", Verdict::Blocked),
            ("venue", Verdict::Stuck),
        ],
    );
}

#[test]
fn two_that_wait_for_each_other_are_both_stuck() {
    let mut there = ring("orders", "risk", "venue");
    let mut back = ring("acks", "venue", "risk");
    stopped(&mut there, [1024, 1024]);
    stopped(&mut back, [1024, 1024]);
    let stuck = ["orders", "acks", "risk", "venue"].map(|name| (name, Verdict::Stuck));
    expect(&[there, back], &stuck);
}

#[test]
fn each_alone_on_its_own_file_is_misplaced() {
    let mut here = ring("orders", "risk", "venue");
    let mut there = here.clone();
    for sample in &mut here {
        reading(sample).counters.consumer_attached = false;
        reading(sample).consumer = None;
    }
    for sample in &mut there {
        sample.file.path = "/elsewhere/demo/orders.ring".into();
        let reading = reading(sample);
        reading.counters.producer_attached = false;
        (
            reading.producer,
            reading.counters.published,
            reading.counters.position,
        ) = (None, 0, 0);
    }
    let [ours, theirs] = [&here, &there].map(|pair| pair[1].file.path.clone());
    let all = [here[1].clone(), there[1].clone()];
    let found = judge(
        &[here[0].clone(), there[0].clone()],
        &all,
        &[],
        &Bounds::default(),
    );
    let misplaced: Vec<_> = found
        .iter()
        .filter(|one| one.verdict == Verdict::Misplaced)
        .collect();
    assert_eq!(misplaced.len(), 2, "{found:#?}");
    for one in misplaced {
        for path in [&ours, &theirs] {
            assert!(
                one.evidence.contains(path.to_str().unwrap()),
                "{}",
                one.evidence
            );
        }
    }
    let fine = found.iter().filter(|one| one.subject == Subject::Process);
    assert!(fine.into_iter().all(|one| !one.trouble), "{found:#?}");
}

#[test]
fn a_producer_above_its_average_is_the_one_who_is_too_fast() {
    let mut pair = ring("orders", "risk", "venue");
    waiting(&mut pair, [100, 400]);
    let one = |pair: &[Sample; 2]| {
        let judged = judge(&pair[..1], &pair[1..], &[], &Bounds::default());
        let slow = judged.into_iter().find(|one| one.subject == Subject::Ring);
        slow.unwrap()
    };
    // 400 in this second, and 105 on average.
    let fast = one(&pair);
    assert_eq!(fast.culprit.unwrap().name, "risk");
    assert!(
        fast.evidence.contains("3.8 times its average"),
        "{}",
        fast.evidence
    );
    for sample in &mut pair {
        reading(sample).created_mono_ns = NOW - 30 * S;
    }
    let slow = one(&pair);
    assert_eq!(slow.culprit.unwrap().name, "venue");
    assert!((slow.full_in_s.unwrap() - 624.0 / 300.0).abs() < 1e-9);
}
