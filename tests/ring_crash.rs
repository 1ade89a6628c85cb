//! Either role of a ring is killed while both run, and comes back: the stream is whole.

#![forbid(unsafe_code)]

use ipc::{Kind, Observer, RingOptions, create_ring};
use std::{
    path::PathBuf,
    process::{Child, Command},
};
use tempfile::TempDir;
use tests::{
    programs::program,
    scratch::await_some,
    stage::{Count, audit_lossless, logged},
};

const COUNT: u64 = 400_000;
const ROUNDS: u64 = 20;
const COMMIT_EVERY: u64 = 7;

struct Duel {
    _directory: TempDir,
    ring: PathBuf,
    log: PathBuf,
    observer: Observer,
}

impl Duel {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ring = directory.path().join("count.ring");
        create_ring::<Count>(
            &ring,
            RingOptions {
                kind: Kind::Lossless,
                capacity: 64,
                ..RingOptions::default()
            },
        )
        .unwrap();
        let observer = Observer::open(&ring).unwrap();
        Self {
            log: directory.path().join("log"),
            _directory: directory,
            ring,
            observer,
        }
    }

    fn producer(&self) -> Child {
        Command::new(program("stage"))
            .arg("push")
            .arg(&self.ring)
            .arg(COUNT.to_string())
            .spawn()
            .unwrap()
    }

    fn consumer(&self) -> Child {
        let (count, every) = (COUNT.to_string(), COMMIT_EVERY.to_string());
        Command::new(program("stage"))
            .arg("pop")
            .arg(&self.ring)
            .arg(count)
            .arg(&self.log)
            .arg(every)
            .spawn()
            .unwrap()
    }

    /// Waits until the stream has got as far as round `round` of `ROUNDS`. It yields instead of
    /// sleeping, so that the kill comes in the middle of the stream and not after it.
    fn await_round(&self, round: u64) {
        while self.observer.statistics().consumed < round * COUNT / (ROUNDS + 1) {
            std::thread::yield_now();
        }
    }

    fn audit(&self) -> u64 {
        audit_lossless(&logged(&self.log), COUNT, COMMIT_EVERY).unwrap()
    }
}

fn kill(child: &mut Child) {
    assert!(
        child.try_wait().unwrap().is_none(),
        "it was to be killed at work, but had finished"
    );
    child.kill().unwrap();
    child.wait().unwrap();
}

fn finish(mut child: Child) {
    assert!(child.wait().unwrap().success());
}

/// Killed at any moment: what it published is there, what it half wrote is not, and its successor
/// continues at the same sequence.
#[test]
fn a_killed_producer_is_continued_at_the_exact_sequence() {
    let duel = Duel::new();
    let consumer = duel.consumer();
    let mut producer = duel.producer();
    for round in 1..=ROUNDS {
        duel.await_round(round);
        kill(&mut producer);
        producer = duel.producer();
    }
    finish(producer);
    finish(consumer);
    assert_eq!(duel.audit(), 0, "the consumer was never killed");
}

/// Killed at any moment: nothing is lost while it is away, and only what it had not committed comes
/// again.
#[test]
fn a_killed_consumer_sees_again_only_what_it_had_not_committed() {
    let duel = Duel::new();
    let producer = duel.producer();
    let mut consumer = duel.consumer();
    for round in 1..=ROUNDS {
        duel.await_round(round);
        kill(&mut consumer);
        consumer = duel.consumer();
    }
    finish(producer);
    finish(consumer);
    duel.audit();
}

/// A stopped process keeps its role: nobody takes over from one that may wake up.
#[test]
fn a_stopped_producer_cannot_be_replaced_until_it_is_dead() {
    use nix::{sys::signal, unistd::Pid};
    let duel = Duel::new();
    let mut producer = duel.producer();
    await_some("the ring to fill", || {
        (duel.observer.statistics().published == 64).then_some(())
    });
    let pid = Pid::from_raw(i32::try_from(producer.id()).unwrap());
    signal::kill(pid, signal::Signal::SIGSTOP).unwrap();
    let refused = Command::new(program("stage"))
        .arg("push")
        .arg(&duel.ring)
        .arg("1")
        .output()
        .unwrap();
    assert!(!refused.status.success());
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        text.contains("RoleTaken") && text.contains("Producer"),
        "{text}"
    );
    kill(&mut producer);
    let consumer = duel.consumer();
    finish(duel.producer());
    finish(consumer);
    duel.audit();
}

/// The auditor itself can fail.
#[test]
fn the_auditor_notices_loss_tearing_and_repetition() {
    assert_eq!(audit_lossless(&[0, 1, 2], 3, 7), Ok(0));
    assert_eq!(audit_lossless(&[0, 1, 0, 1, 2], 3, 7), Ok(2));
    for (numbers, count) in [
        (&[0, 2][..], 3),
        (&[0, 1], 3),
        (&[0, u64::MAX], 2),
        (&[0, 1, 2, 3, 4, 5, 6, 7, 8, 0], 9),
    ] {
        assert!(audit_lossless(numbers, count, 7).is_err(), "{numbers:?}");
    }
}
