//! What a sleeping consumer leaves behind, whom its waker may belong to, and how soon it is woken.

use crate::{Rings, consumer, no_child_is_made, pushing, run, wakes};
use ipc::{AsyncConsumer, Consumer, Ladder, PopError, Producer, Waiter, clock};
use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};
use tests::{scratch::await_some, stage::Count};

/// One poll by a waker of its own.
fn poll_once(consumer: &mut AsyncConsumer<Count>, waker: &Waker) -> Poll<Option<u64>> {
    let polled = consumer.poll_pop(&mut Context::from_waker(waker));
    polled.map(|popped| popped.unwrap().message.number())
}

/// No thread, descriptor or mapping is left, and the role is free at once, whether the pop that went to
/// sleep was woken or not.
#[test]
fn a_thousand_awaiting_consumers_leave_nothing_behind() {
    let rings = Rings::new();
    let path = rings.create("churn.ring", 16);
    let mut producer = Producer::<Count>::attach(&path).unwrap();
    let alone = no_child_is_made();
    for number in 0..1_000 {
        let mut consumer = consumer(&path);
        assert!(poll_once(&mut consumer, Waker::noop()).is_pending());
        match number % 4 {
            0 => drop(consumer.into_inner()),
            1 => {
                let number = producer.push(&Count::new(number)).unwrap();
                let popped = poll_once(&mut consumer, Waker::noop());
                assert!(matches!(popped, Poll::Ready(Some(_))), "{number}");
                consumer.commit();
            }
            _ => drop(consumer),
        }
    }
    drop((producer, alone));
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = threads.filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok());
    assert_eq!(names.filter(|name| name.trim() == "ipc-async").count(), 1);
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    assert!(!maps.contains("churn.ring"), "{maps}");
    let files = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let open: Vec<_> = files
        .filter_map(|file| fs::read_link(file.path()).ok())
        .filter(|file| *file == path)
        .collect();
    assert!(open.is_empty(), "{open:?}");
}

/// A waker that owns whatever it is given, panics when it is told to, and remembers that it was called.
#[derive(Default)]
struct Foreign {
    _owned: Option<Mutex<AsyncConsumer<Count>>>,
    panics: bool,
    called: AtomicBool,
}

impl Wake for Foreign {
    fn wake(self: Arc<Self>) {
        self.called.store(true, Relaxed);
        if self.panics {
            // As a panic, without its report.
            std::panic::resume_unwind(Box::new("as the test wants it"));
        }
    }
}

/// The last owner of a sleeping consumer may be the waker of another one.
#[test]
fn a_waker_may_own_a_consumer_or_panic() {
    let _alone = no_child_is_made();
    let rings = Rings::new();
    let paths = ["a.ring", "b.ring"].map(|name| rings.create(name, 16));
    let [mut a, mut b] = paths.each_ref().map(|path| consumer(path));
    assert!(poll_once(&mut b, Waker::noop()).is_pending());
    let owner = Waker::from(Arc::new(Foreign {
        _owned: Some(Mutex::new(b)),
        ..Foreign::default()
    }));
    assert!(poll_once(&mut a, &owner).is_pending());
    drop(owner);
    let panics = Arc::new(Foreign {
        panics: true,
        ..Foreign::default()
    });
    // Drops the other consumer with the waker that is replaced.
    assert!(poll_once(&mut a, &Arc::clone(&panics).into()).is_pending());
    let mut b = consumer(&paths[1]);
    let listens = Arc::new(Foreign::default());
    assert!(poll_once(&mut b, &Arc::clone(&listens).into()).is_pending());
    for (path, waker) in paths.iter().zip([&panics, &listens]) {
        let mut producer = Producer::<Count>::attach(path).unwrap();
        producer.push(&Count::new(0)).unwrap();
        await_some("the waker's call", || {
            waker.called.load(Relaxed).then_some(())
        });
    }
}

/// Prints how long a message takes from push to pop, each to somebody who is asleep.
#[test]
fn a_wake_up_of_a_task_is_measured_beside_that_of_a_loop() {
    const COUNT: u64 = 1_000;
    const PAUSE: Duration = Duration::from_micros(300);
    let rings = Rings::new();
    let path = rings.create("task.ring", 64);
    let mut task = consumer(&path);
    let mut second = pushing(&path, COUNT, 1, PAUSE);
    let mut awaited = Vec::new();
    run(async {
        while let Ok(received) = task.pop().await {
            awaited.push(clock::mono_ns() - received.sent_ns);
            task.commit();
        }
    });
    assert!(second.wait().unwrap().success());
    assert_eq!(awaited.len() as u64, COUNT);
    report("a task", awaited, wakes(&path));

    let path = rings.create("loop.ring", 64);
    let mut consumer = Consumer::<Count>::attach(&path).unwrap();
    let mut second = pushing(&path, COUNT, 1, PAUSE);
    let (mut waited, mut waiter) = (Vec::new(), Waiter::new(Ladder::Sleep));
    loop {
        match consumer.pop() {
            Ok(received) => {
                waited.push(clock::mono_ns() - received.sent_ns);
                consumer.commit();
                waiter.progress();
            }
            Err(PopError::Empty) => waiter.wait(&mut [&mut consumer]),
            Err(_) => break,
        }
    }
    assert!(second.wait().unwrap().success());
    assert_eq!(waited.len() as u64, COUNT);
    report("a loop", waited, wakes(&path));
}

fn report(who: &str, mut took: Vec<u64>, wakes: u64) {
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    println!(
        "{who}: {} messages, {wakes} wake-ups; ns from push to pop: {} (10 %), {} (median), {} (90 %), {} (99 %)",
        took.len(),
        at(10),
        at(50),
        at(90),
        at(99)
    );
}
