//! Tasks of a tokio runtime await rings whose other ends are in other processes.

#[path = "asynchronous/sleepers.rs"]
mod sleepers;

use ipc::{
    AsyncConsumer, AsyncProducer, Consumer, Kind, Observer, PopError, Producer, RingOptions,
    create_ring,
};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tempfile::TempDir;
use tests::{
    programs::program,
    stage::{Count, audit_lossless, logged},
};
use tokio::time::{interval, sleep, timeout};

/// Far beyond anything that a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

struct Rings {
    directory: TempDir,
}

impl Rings {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn create(&self, name: &str, capacity: u32) -> PathBuf {
        let path = self.path(name);
        let options = RingOptions {
            kind: Kind::Lossless,
            capacity,
            ..RingOptions::default()
        };
        create_ring::<Count>(&path, options).unwrap();
        path
    }
}

fn consumer(path: &Path) -> AsyncConsumer<Count> {
    AsyncConsumer::new(Consumer::attach(path).unwrap()).unwrap()
}

/// Held while a child is made, which for a moment has all our files, and with them our roles.
fn no_child_is_made() -> MutexGuard<'static, ()> {
    static MAKING: Mutex<()> = Mutex::new(());
    MAKING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The program that pushes `count` numbers, and pauses after every `every`.
fn pushing(path: &Path, count: u64, every: u64, pause: Duration) -> Child {
    let _making = no_child_is_made();
    Command::new(program("stage"))
        .arg("push")
        .arg(path)
        .args([count, every].map(|number| number.to_string()))
        .arg(pause.as_micros().to_string())
        .spawn()
        .unwrap()
}

/// The program that pops `count` numbers into a log, and commits each.
fn popping(path: &Path, count: u64, log: &Path) -> Child {
    let _making = no_child_is_made();
    Command::new(program("stage"))
        .arg("pop")
        .arg(path)
        .arg(count.to_string())
        .arg(log)
        .arg("1")
        .spawn()
        .unwrap()
}

fn run<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async { timeout(PATIENCE, future).await.expect("it takes too long") })
}

fn wakes(path: &Path) -> u64 {
    Observer::open(path).unwrap().statistics().wakes
}

#[test]
fn a_task_awaits_every_message_of_another_process_while_another_task_is_timed() {
    const COUNT: u64 = 100_000;
    let rings = Rings::new();
    let path = rings.create("count.ring", 64);
    let mut prices = consumer(&path);
    let ticks = run(async {
        let ticks = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&ticks);
        tokio::spawn(async move {
            let mut interval = interval(Duration::from_millis(1));
            loop {
                interval.tick().await;
                counted.fetch_add(1, Relaxed);
            }
        });
        let mut second = pushing(&path, COUNT, 50, Duration::from_micros(20));
        for number in 0..COUNT {
            let received = prices.pop().await.unwrap();
            assert_eq!(received.message.number(), Some(number));
            assert_eq!((received.sequence, received.lost), (number, 0));
            prices.commit();
        }
        assert_eq!(prices.pop().await, Err(PopError::Closed));
        assert!(second.wait().unwrap().success());
        ticks.load(Relaxed)
    });
    let wakes = wakes(&path);
    assert!(wakes > 10, "it was hardly ever asleep: {wakes} wake-ups");
    assert!(ticks > 10, "the executor was blocked: {ticks} ticks");
}

/// The echo answers about as fast as the task falls asleep, and says nothing more until it is asked: an
/// answer that is slept through stays unheard.
#[test]
fn an_answer_that_comes_while_the_task_falls_asleep_is_heard() {
    const COUNT: u64 = 20_000;
    let rings = Rings::new();
    let paths = ["asked.ring", "answered.ring"].map(|name| rings.create(name, 16));
    let mut asked = Consumer::<Count>::attach(&paths[0]).unwrap();
    let mut answers = Producer::<Count>::attach(&paths[1]).unwrap();
    let echo = std::thread::spawn(move || {
        loop {
            match asked.pop() {
                Ok(received) => {
                    // Sooner or later, so that the answers come at every step of falling asleep.
                    (0..received.sequence % 200).for_each(|_| std::hint::spin_loop());
                    answers.push(&received.message).unwrap();
                    asked.commit();
                }
                Err(PopError::Empty) => std::thread::yield_now(),
                Err(reason) => return reason,
            }
        }
    });
    let mut asking = AsyncProducer::new(Producer::<Count>::attach(&paths[0]).unwrap()).unwrap();
    let mut answered = consumer(&paths[1]);
    run(async {
        for number in 0..COUNT {
            asking.push(&Count::new(number)).await.unwrap();
            let received = answered.pop().await.unwrap();
            assert_eq!(received.message.number(), Some(number));
            answered.commit();
        }
    });
    drop(asking);
    assert_eq!(echo.join().unwrap(), PopError::Closed);
}

/// The loser of every race is dropped, and has lost nothing. A multi-threaded runtime, so that the task
/// wakes up on this thread and on that.
#[test]
fn two_rings_are_selected_from_and_the_cancelled_pop_loses_nothing() {
    const COUNT: u64 = 20_000;
    let rings = Rings::new();
    let paths = ["a.ring", "b.ring"].map(|name| rings.create(name, 64));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let [mut a, mut b] = paths.each_ref().map(|path| consumer(path));
    let both = async move {
        let mut next = [0; 2];
        let mut ended = 0;
        while ended < 2 {
            let (which, popped) = tokio::select! {
                popped = a.pop() => (0, popped),
                popped = b.pop() => (1, popped),
            };
            match popped {
                Ok(received) => {
                    assert_eq!(received.message.number(), Some(next[which]));
                    next[which] += 1;
                }
                Err(PopError::Closed) => ended += 1,
                Err(reason) => panic!("{reason}"),
            }
            [&mut a, &mut b][which].commit();
        }
        next
    };
    let seconds = paths
        .each_ref()
        .map(|path| pushing(path, COUNT, 20, Duration::from_micros(20)));
    let task = runtime.spawn(async move { timeout(PATIENCE, both).await });
    assert_eq!(runtime.block_on(task).unwrap().unwrap(), [COUNT; 2]);
    for mut second in seconds {
        assert!(second.wait().unwrap().success());
    }
    assert!(paths.iter().all(|path| wakes(path) > 10));
}

/// Each message is pushed only when the pop before it has been cancelled some more times.
#[test]
fn thousands_of_cancelled_pops_lose_nothing() {
    const COUNT: u64 = 1_000;
    const CANCELLED: u64 = 10;
    let rings = Rings::new();
    let path = rings.create("count.ring", 1024);
    let mut producer = Producer::<Count>::attach(&path).unwrap();
    let mut prices = consumer(&path);
    let cancelled = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&cancelled);
    let pushing = std::thread::spawn(move || {
        for number in 0..COUNT {
            while seen.load(Relaxed) < number * CANCELLED {
                std::thread::yield_now();
            }
            producer.push(&Count::new(number)).unwrap();
        }
    });
    run(async {
        let mut next = 0;
        while next < COUNT {
            tokio::select! {
                biased;
                popped = prices.pop() => {
                    assert_eq!(popped.unwrap().message.number(), Some(next));
                    prices.commit();
                    next += 1;
                }
                () = std::future::ready(()) => {
                    cancelled.fetch_add(1, Relaxed);
                    tokio::task::yield_now().await;
                }
            }
        }
    });
    pushing.join().unwrap();
    assert!(cancelled.load(Relaxed) >= (COUNT - 1) * CANCELLED);
}

#[test]
fn a_killed_producer_is_told_once_and_its_successor_awaited() {
    let rings = Rings::new();
    let path = rings.create("count.ring", 64);
    let mut prices = consumer(&path);
    run(async {
        for round in 0..5 {
            let mut second = pushing(&path, 3 * round + 4, 3, PATIENCE);
            for number in 3 * round..3 * round + 3 {
                let received = prices.pop().await.unwrap();
                assert_eq!(received.message.number(), Some(number));
            }
            prices.commit();
            let killing = async {
                // The task that awaits is asleep by now: it is polled first, and this is another turn.
                tokio::task::yield_now().await;
                second.kill().unwrap();
                second.wait().unwrap();
            };
            let (popped, ()) = tokio::join!(prices.pop(), killing);
            assert_eq!(popped, Err(PopError::PeerDead));
        }
        // Told already: now it is the successor who is awaited.
        let again = timeout(Duration::from_millis(50), prices.pop()).await;
        assert!(again.is_err(), "{again:?}");
        let mut last = pushing(&path, 16, 1, Duration::ZERO);
        assert_eq!(prices.pop().await.unwrap().sequence, 15);
        assert_eq!(prices.pop().await, Err(PopError::Closed));
        assert!(last.wait().unwrap().success());
    });
}

#[test]
fn every_silence_is_told_once() {
    const BOUND: Duration = Duration::from_millis(100);
    let rings = Rings::new();
    let path = rings.create("count.ring", 64);
    let mut producer = Producer::<Count>::attach(&path).unwrap();
    let mut prices = consumer(&path);
    prices.stale_after(Some(BOUND));
    let silent = |popped| matches!(popped, Err(PopError::Stale { age }) if age > BOUND);
    run(async {
        assert!(silent(prices.pop().await));
        let again = timeout(5 * BOUND, prices.pop()).await;
        assert!(again.is_err(), "{again:?}");
        // No bell rings for a beat.
        producer.beat();
        assert!(silent(prices.pop().await));
        producer.push(&Count::new(7)).unwrap();
        assert_eq!(prices.pop().await.unwrap().message.number(), Some(7));
        assert!(silent(prices.pop().await));
        // Whoever beats is not silent, and the beats keep no time of their own.
        let beating = async {
            for _ in 0..50 {
                producer.beat();
                sleep(BOUND / 10).await;
            }
        };
        tokio::select! {
            popped = prices.pop() => panic!("{popped:?}"),
            () = beating => {}
        }
    });
}

#[test]
fn a_task_awaits_room() {
    const COUNT: u64 = 20_000;
    let rings = Rings::new();
    let (path, log) = (rings.create("count.ring", 16), rings.path("log"));
    let mut producer = AsyncProducer::new(Producer::<Count>::attach(&path).unwrap()).unwrap();
    let mut second = popping(&path, COUNT, &log);
    run(async {
        for number in 0..COUNT {
            assert_eq!(producer.push(&Count::new(number)).await, Ok(number));
        }
    });
    assert!(second.wait().unwrap().success());
    assert_eq!(audit_lossless(&logged(&log), COUNT, 1), Ok(0));
    assert!(Observer::open(&path).unwrap().statistics().full > 10);
}

/// More than one wait of the thread has room for.
#[test]
fn a_hundred_rings_are_awaited_at_once() {
    let rings = Rings::new();
    let paths: Vec<PathBuf> = (0..100)
        .map(|n| rings.create(&format!("{n}.ring"), 16))
        .collect();
    let mut producers: Vec<_> = paths
        .iter()
        .map(|path| Producer::<Count>::attach(path).unwrap())
        .collect();
    let tasks = tokio::task::LocalSet::new();
    let popped: Vec<_> = paths
        .iter()
        .map(|path| consumer(path))
        .map(|mut consumer| {
            tasks.spawn_local(async move { consumer.pop().await.unwrap().sequence })
        })
        .collect();
    run(tasks.run_until(async {
        // All are asleep after it.
        tokio::task::yield_now().await;
        // The last first: those that the wait has no room for.
        for (producer, popped) in producers.iter_mut().zip(popped).rev() {
            producer.push(&Count::new(0)).unwrap();
            assert_eq!(popped.await.unwrap(), 0);
        }
    }));
}

/// A ring that is never empty does not keep the executor to itself.
#[test]
fn other_tasks_get_their_turn_while_messages_are_there() {
    const COUNT: u64 = 1_000;
    let rings = Rings::new();
    let path = rings.create("count.ring", 1024);
    let mut producer = Producer::<Count>::attach(&path).unwrap();
    for number in 0..COUNT {
        producer.push(&Count::new(number)).unwrap();
    }
    let mut prices = consumer(&path);
    run(async {
        let turn = Arc::new(AtomicBool::new(false));
        let taken = Arc::clone(&turn);
        tokio::spawn(async move { taken.store(true, Relaxed) });
        for number in 0..COUNT {
            assert_eq!(prices.pop().await.unwrap().sequence, number);
        }
        assert!(turn.load(Relaxed));
    });
}
