//! Faults that other systems shipped, each as a test that it cannot happen here.

#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "storm and crash walk use the rest of it")]
mod auditor;
#[path = "known_faults/other_process.rs"]
mod other_process;

use auditor::{Manner, Part, Shape, Stream, life::Life};
use ipc::{
    Consumer, Error, Kind, Observer, Producer, PushError, RingOptions, create_ring,
    remove_abandoned,
};
use nix::{
    sys::{
        prctl,
        signal::{Signal, kill},
        wait::waitpid,
    },
    unistd::{ForkResult, fork, pause},
};
use other_process::{Other, program};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

ipc::message! {
    /// A bid and an ask.
    pub struct Quote v1 {
        /// The bid.
        bid: u64 = "ticks",
        /// The ask.
        ask: u64 = "ticks",
    }
}

/// The same message as another build has it.
mod other_build {
    ipc::message! {
        /// A bid and an ask.
        pub struct Quote v1 {
            /// The ask.
            ask: u64 = "ticks",
            /// The bid.
            bid: u64 = "ticks",
        }
    }
}

fn quote(number: u64) -> Quote {
    Quote {
        bid: number,
        ask: number + 1,
    }
}

fn options(capacity: u32) -> RingOptions {
    RingOptions {
        capacity,
        ..RingOptions::default()
    }
}

fn stream(kind: Kind) -> Stream {
    Stream::new(Shape {
        kind,
        capacity: 64,
        stamp_every: 1,
        commit_every: 7,
        wide: false,
    })
    .unwrap()
}

fn start(stream: &Stream, part: Part) -> Life {
    let manner = Manner {
        seconds: 0,
        ..Manner::default()
    };
    Life::start(stream.cast(program().unwrap(), part, manner)).unwrap()
}

fn await_true(what: &str, mut look: impl FnMut() -> bool) {
    let due = Instant::now() + Duration::from_secs(30);
    while !look() {
        assert!(Instant::now() < due, "waited half a minute for {what}");
        thread::yield_now();
    }
}

/// Waits until `count` more messages have been committed.
fn await_messages(stream: &Stream, count: u64) {
    let before = stream.observer.statistics().position;
    await_true("messages", || {
        stream.verdict().unwrap();
        stream.observer.statistics().position >= before + count
    });
}

/// Whether this machine lets us have namespaces of our own, and mount in them; says so if not.
fn may(words: &[&str]) -> bool {
    match Command::new(words[0]).args(&words[1..]).output() {
        Ok(output) if output.status.success() => true,
        refused => {
            eprintln!(
                "skipped: `{}` is refused here: {refused:?}",
                words.join(" ")
            );
            false
        }
    }
}

/// The words of a program that starts another one with a tmpfs of its own at `place`.
fn container(place: &Path, size: &str) -> Option<Vec<String>> {
    let place = place.display();
    let mount = format!("mount -t tmpfs -o size={size} tmpfs {place} && exec \"$@\"");
    let words = ["unshare", "--mount", "sh", "-c", mount.as_str(), "sh"];
    may(&[&words[..], &["true"]].concat()).then(|| words.map(str::to_owned).to_vec())
}

/// Not a test: what the tests start as other processes.
#[test]
#[ignore = "a program for the other tests"]
fn another_process() {
    if let Some(result) = auditor::play() {
        result.unwrap();
        return;
    }
    other_process::perform();
}

fn ring_in(directory: &Path) -> PathBuf {
    let ring = directory.join("quotes.ring");
    create_ring::<Quote>(&ring, options(64)).unwrap();
    ring
}

/// A queue kept the PID of its lock's owner in the file. Another container saw no such process, judged
/// the owner dead, forced the lock open, and both wrote. Here a role is a kernel lock, which knows no PID
/// namespace: it is refused while its holder lives, whatever its PID means here, and free at its death.
#[test]
fn a_lock_owner_judged_dead_by_pid_across_containers() {
    let namespace = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    if !may(&[&namespace[..], &["true"]].concat()) {
        return;
    }
    let namespace = namespace.map(str::to_owned);
    let directory = tempfile::tempdir().unwrap();
    let ring = ring_in(directory.path());
    let path = ring.to_str().unwrap();
    // There, it is process 1, as somebody else is here.
    let mut holder = Other::start(&namespace, &["hold", path]);
    assert_eq!(holder.says(), "1");
    let refused = Producer::<Quote>::attach(&ring).err();
    assert!(
        matches!(refused, Some(Error::RoleTaken { .. })),
        "{refused:?}"
    );
    assert!(
        Observer::open(&ring)
            .unwrap()
            .statistics()
            .producer_attached
    );
    holder.kill();
    // `unshare` takes its child with it; that it is over is seen at the lock.
    let observer = Observer::open(&ring).unwrap();
    await_true("the holder's death", || {
        !observer.statistics().producer_attached
    });
    let producer = Producer::<Quote>::attach(&ring).unwrap();
    assert_eq!(producer.published(), 1);
    // And there, no process has our PID.
    let mut other = Other::start(&namespace, &["attach", path]);
    let answer = other.says();
    assert!(
        answer.contains("another live process is the producer"),
        "{answer}"
    );
}

/// A producer was paused, judged dead and replaced; it woke up in the middle of its write and overwrote
/// newer messages. Here nobody replaces it as long as it is stopped; once dead, it never writes.
#[test]
fn a_paused_producer_woke_after_a_take_over_and_overwrote_newer_messages() {
    for kind in [Kind::Lossless, Kind::LatestWins] {
        let stream = stream(kind);
        let consumer = start(&stream, Part::Consumer);
        for _ in 0..5 {
            let producer = start(&stream, Part::Producer);
            await_messages(&stream, 1000);
            producer.stop().unwrap();
            for _ in 0..100 {
                stream.push_aside(Part::Producer).unwrap();
            }
            // It stands still, and its role with it: what it has published is all that comes.
            await_true("the consumer to be through", || {
                let ring = stream.observer.statistics();
                ring.position == ring.published
            });
            assert!(stream.observer.statistics().producer_attached);
            // Killed without ever having gone on. That the next one continues exactly there, and that
            // nothing of an earlier life comes later, is found by the auditor.
            producer.kill().unwrap();
        }
        let producer = start(&stream, Part::Producer);
        await_messages(&stream, 1000);
        producer.kill().unwrap();
        consumer.kill().unwrap();
        stream.finish(program).unwrap();
    }
}

/// A ring that was called lossless overwrote its messages as long as no reader had registered. Here it is full
/// without one, too, and stays so until one commits.
#[test]
fn lossless_let_go_when_no_reader_was_registered() {
    let directory = tempfile::tempdir().unwrap();
    let ring = ring_in(directory.path());
    let mut producer = Producer::<Quote>::attach(&ring).unwrap();
    for number in 0..64 {
        producer.push(&quote(number)).unwrap();
    }
    for _ in 0..10_000 {
        assert_eq!(producer.push(&quote(64)), Err(PushError::Full));
    }
    // One that reads, commits nothing and goes changes nothing.
    for _ in 0..2 {
        let mut consumer = Consumer::<Quote>::attach(&ring).unwrap();
        for number in 0..64 {
            assert_eq!(consumer.pop().unwrap().message, quote(number));
        }
        drop(consumer);
        assert_eq!(producer.push(&quote(64)), Err(PushError::Full));
    }
    let mut consumer = Consumer::<Quote>::attach(&ring).unwrap();
    assert_eq!(consumer.pop().unwrap().sequence, 0);
    consumer.commit();
    assert_eq!(producer.push(&quote(64)), Ok(64));
}

/// A process died while it held a mutex in shared memory, and everybody waited for it for ever. Here
/// nothing is held that anybody waits for: the role of one killed at any moment is free at once, and
/// its peer goes on.
#[test]
fn a_dead_holder_of_a_shared_mutex_blocked_everybody() {
    let stream = stream(Kind::Lossless);
    let mut lives = Part::BOTH.map(|part| Some(start(&stream, part)));
    for round in 0..40 {
        await_messages(&stream, 50);
        let part = Part::BOTH[round % 2];
        let dead = lives[part as usize].take().unwrap();
        dead.kill().unwrap();
        // At the first try, without waiting.
        stream.take(part).unwrap();
        lives[part as usize] = Some(start(&stream, part));
    }
    await_messages(&stream, 50);
    for life in lives.into_iter().flatten() {
        life.kill().unwrap();
    }
    stream.finish(program).unwrap();
}

/// Two containers each had a /dev/shm of their own; each side made itself an empty ring, and orders vanished.
/// Here attaching never creates: who cannot see the ring is told so.
#[test]
fn containers_without_a_shared_dev_shm_each_had_their_own_empty_ring() {
    let directory = tempfile::tempdir().unwrap();
    let Some(container) = container(directory.path(), "1m") else {
        return;
    };
    let ring = directory.path().join("quotes.ring");
    let mut first = Other::start(&container, &["hold new", ring.to_str().unwrap()]);
    first.says();
    let mut second = Other::start(&container, &["attach", ring.to_str().unwrap()]);
    for role in ["producer", "consumer"] {
        let answer = second.says();
        for part in [
            "does not exist",
            "start the pipeline's launcher first",
            "containers must share it by a bind mount",
        ] {
            assert!(
                answer.contains(part),
                "{role}: {part} is missing in: {answer}"
            );
        }
    }
    assert_eq!(second.says(), "0 files");
}

/// A container's /dev/shm has 64 MB. A larger ring was created there as a sparse file, and the write that
/// found it full was a SIGBUS. Here creation allocates, and fails with the numbers.
#[test]
fn a_full_dev_shm_was_a_sigbus_in_the_middle_of_a_write() {
    let directory = tempfile::tempdir().unwrap();
    let Some(container) = container(directory.path(), "64m") else {
        return;
    };
    let mut other = Other::start(&container, &["fill", directory.path().to_str().unwrap()]);
    let error = other.says();
    for part in ["no room for segment", "67108864 available", "remount,size="] {
        assert!(error.contains(part), "{part} is missing in: {error}");
    }
    assert_eq!(other.says(), "all went through");
    assert!(other.child.wait().unwrap().success(), "no signal either");
}

/// Two builds had two fields of the same size in another order, which every check of name and size
/// passed: bids were read as asks. Here the segment carries its schema, and the fields are named.
#[test]
fn two_fields_of_one_size_were_swapped_between_builds() {
    let directory = tempfile::tempdir().unwrap();
    let ring = ring_in(directory.path());
    let refused = [
        Producer::<other_build::Quote>::attach(&ring).err(),
        Consumer::<other_build::Quote>::attach(&ring).err(),
    ];
    for error in refused {
        let error = error.unwrap();
        assert!(matches!(error, Error::Layout { .. }), "{error}");
        let error = error.to_string();
        for part in ["bid: at 0 in the segment, at 8 in this program", "fix:"] {
            assert!(error.contains(part), "{part} is missing in:\n{error}");
        }
    }
}

/// A watchdog took a process for dead that the scheduler had kept waiting for 100 ms, and gave its role away.
/// Here no time-out decides: after each of many hiccups the role is where it was and the stream whole.
#[test]
fn a_scheduling_hiccup_was_judged_as_death() {
    let stream = stream(Kind::Lossless);
    let lives = Part::BOTH.map(|part| start(&stream, part));
    for round in 0..10 {
        await_messages(&stream, 1000);
        let part = Part::BOTH[round % 2];
        let life = &lives[part as usize];
        life.stop().unwrap();
        let over = Instant::now() + Duration::from_millis(300);
        while Instant::now() < over {
            let ring = stream.observer.statistics();
            assert!(ring.producer_attached && ring.consumer_attached);
            stream.push_aside(part).unwrap();
            thread::sleep(Duration::from_millis(10));
        }
        life.signal(Signal::SIGCONT).unwrap();
    }
    await_messages(&stream, 1000);
    for part in Part::BOTH {
        assert_eq!(
            stream.attaching(part).unwrap().done,
            1,
            "the first lives still"
        );
    }
    for life in lives {
        life.kill().unwrap();
    }
    stream.finish(program).unwrap();
}

/// A crash during creation left half a file, which every later start refused until somebody removed it by hand.
/// Here a name leads to a whole segment or to nothing, at any moment; the named steps are walked by
/// `scripts/test crash`.
#[test]
fn a_crash_during_creation_made_every_later_start_fail() {
    let directory = auditor::scratch().unwrap();
    let ring = directory.path().join("quotes.ring");
    let mut other = Other::start(&[], &["create", ring.to_str().unwrap()]);
    assert_eq!(other.says(), "at it");
    let mut whole = 0;
    await_true("a name to lead to a segment", || {
        match Observer::open(&ring) {
            Ok(_) => whole += 1,
            Err(Error::NotFound { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        whole == 100
    });
    other.kill();
    remove_abandoned(&ring).unwrap();
    for round in 0..60_u32 {
        let mut other = Other::start(&[], &["create", ring.to_str().unwrap()]);
        assert_eq!(other.says(), "at it");
        // At another moment of its work in each round: creation takes some 100 us.
        let later = Instant::now() + Duration::from_micros(u64::from(round * 37 % 400));
        while Instant::now() < later {
            std::hint::spin_loop();
        }
        other.kill();
        match create_ring::<Quote>(&ring, options(64)) {
            Ok(_) | Err(Error::Exists { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        let mut producer = Producer::<Quote>::attach(&ring).unwrap();
        assert_eq!(producer.push(&quote(1)), Ok(0), "a ring of its own");
        drop(producer);
        assert!(remove_abandoned(&ring).unwrap());
        let left = fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(left, 0, "round {round}");
    }
}

/// A process closed a descriptor of a file that it had opened once more, to look at it, and the kernel
/// dropped its classic fcntl lock. Here the lock belongs to the open file description: it survives
/// whatever else is opened and closed, and no child inherits it.
#[test]
fn closing_any_descriptor_of_the_file_dropped_the_lock() {
    let directory = tempfile::tempdir().unwrap();
    let ring = ring_in(directory.path());
    let path = ring.to_str().unwrap();
    let producer = Producer::<Quote>::attach(&ring).unwrap();
    drop(File::open(&ring).unwrap());
    drop(File::options().read(true).write(true).open(&ring).unwrap());
    drop(Observer::open(&ring).unwrap());
    drop(Consumer::<Quote>::attach(&ring).unwrap());
    let refused = Producer::<Quote>::attach(&ring).err();
    assert!(
        matches!(refused, Some(Error::RoleTaken { .. })),
        "{refused:?}"
    );
    let mut other = Other::start(&[], &["attach", path]);
    let answer = other.says();
    assert!(
        answer.contains("another live process is the producer"),
        "{answer}"
    );
    assert_eq!(
        other.says(),
        "attached",
        "the consumer's role was given back"
    );
    // A child that has not begun its program has a copy of every descriptor.
    // SAFETY: the child calls nothing but prctl and pause, which are safe after a fork.
    let unborn = match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => loop {
            let _ = prctl::set_pdeathsig(Signal::SIGKILL);
            pause();
        },
    };
    drop(producer);
    let successor = Producer::<Quote>::attach(&ring);
    kill(unborn, Signal::SIGKILL).unwrap();
    waitpid(unborn, None).unwrap();
    let producer = successor.unwrap();
    // One that has begun it has none.
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    drop(producer);
    let successor = Producer::<Quote>::attach(&ring);
    assert!(child.try_wait().unwrap().is_none(), "the child lives");
    assert!(successor.is_ok(), "{:?}", successor.err());
    drop(child.stdin.take());
    child.wait().unwrap();
}
