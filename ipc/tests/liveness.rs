//! What a consumer learns of its producer by popping: death, goodbye, silence; and no false alarm.
//!
//! The producers are processes of their own: this program once more, told by its environment what to
//! play and then by lines on its standard input what to do.

use ipc::{
    Consumer, Error, Ladder, PopError, Producer, RingOptions, Waiter, WakeSource, create_ring,
};
use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, waitpid},
    },
    unistd::Pid,
};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tempfile::TempDir;

ipc::message! {
    /// A number.
    pub struct Count v1 {
        /// The number.
        number: u64 = "count",
    }
}

/// Which part a second process plays, and on which ring.
const PART: &str = "LIVENESS_PART";
const RING: &str = "LIVENESS_RING";
/// Begins every line that a second process says to its test.
const SAYS: &str = "says: ";
/// Far beyond anything that a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(30);

fn ring() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("count.ring");
    create_ring::<Count>(&path, RingOptions::default()).unwrap();
    (directory, path)
}

/// A second process.
struct Second {
    child: Child,
    orders: Option<ChildStdin>,
    words: BufReader<ChildStdout>,
}

impl Second {
    fn start(part: &str, ring: &Path) -> Self {
        Self::start_by(Command::new(std::env::current_exe().unwrap()), part, ring).unwrap()
    }

    /// Starts it by a program that ends by running this one; why not, if that program refuses.
    fn start_by(mut program: Command, part: &str, ring: &Path) -> Result<Self, String> {
        let mut child = program
            .args(["--ignored", "--exact", "--nocapture", "second_process"])
            .env(PART, part)
            .env(RING, ring)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let orders = child.stdin.take();
        let words = BufReader::new(child.stdout.take().unwrap());
        let mut second = Self {
            child,
            orders,
            words,
        };
        match second.hear() {
            Some(word) if word == "ready" => Ok(second),
            other => Err(format!("instead of `ready` it said {other:?}")),
        }
    }

    /// What it says next; `None` when it is gone.
    fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        while self.words.read_line(&mut line).unwrap() > 0 {
            if let Some((_, said)) = line.split_once(SAYS) {
                return Some(said.trim().to_owned());
            }
            line.clear();
        }
        None
    }

    fn ask(&mut self, order: &str) -> String {
        writeln!(self.orders.as_mut().unwrap(), "{order}").unwrap();
        self.hear().unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    /// Lets it end in order.
    fn dismiss(mut self) {
        drop(self.orders.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        // Gone already, unless the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The part of a second process.
#[test]
#[ignore = "played for the other tests, when they start this program again"]
fn second_process() {
    let Ok(part) = std::env::var(PART) else {
        return println!("nobody has started this program again");
    };
    let ring = PathBuf::from(std::env::var_os(RING).unwrap());
    match part.as_str() {
        "producer" => produce(&ring),
        "consumer" => consume(&ring),
        "churner" => churn(&ring),
        other => panic!("no part `{other}`"),
    }
}

fn say(word: &str) {
    println!("{SAYS}{word}");
}

fn orders() -> impl Iterator<Item = String> {
    std::io::stdin().lines().map(Result::unwrap)
}

/// `push N` pushes N messages, `pid` says its own, `beat` beats from then on. It leaves with a
/// goodbye at the end of its orders.
fn produce(ring: &Path) {
    let mut producer = Producer::<Count>::attach(ring).unwrap();
    say("ready");
    for order in orders() {
        match order.split_once(' ') {
            Some(("push", count)) => {
                for _ in 0..count.parse().unwrap() {
                    let number = producer.published();
                    producer.push(&Count { number }).unwrap();
                }
                say("pushed");
            }
            None if order == "pid" => say(&std::process::id().to_string()),
            None if order == "beat" => {
                say("beating");
                loop {
                    producer.beat();
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            _ => panic!("no order `{order}`"),
        }
    }
}

/// Says how many inotify instances it has, and then why it can pop no more once that is not `Empty`.
fn consume(ring: &Path) {
    let mut consumer = Consumer::<Count>::attach(ring).unwrap();
    say("ready");
    let instances = open_files().filter(|file| file.contains("inotify")).count();
    say(&instances.to_string());
    say(&format!("{:?}", await_reason(&mut consumer)));
}

/// Attaches as a consumer a thousand times, and says how many files and threads it had after the first
/// and after the last.
fn churn(ring: &Path) {
    let attach = || drop(Consumer::<Count>::attach(ring).unwrap());
    let held = || (watching_threads(), open_files().count(), mappings());
    attach();
    let due = Instant::now() + PATIENCE;
    // A thread gives itself its name, when it gets to run.
    while watching_threads() == 0 && Instant::now() < due {
        std::thread::yield_now();
    }
    let first = held();
    (0..1000).for_each(|_| attach());
    say("ready");
    say(&format!("{first:?}"));
    say(&format!("{:?}", held()));
}

fn watching_threads() -> usize {
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = threads.filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok());
    names.filter(|name| name.trim() == "ipc-watch").count()
}

fn open_files() -> impl Iterator<Item = String> {
    let files = fs::read_dir("/proc/self/fd").unwrap().flatten();
    files.filter_map(|file| {
        Some(
            fs::read_link(file.path())
                .ok()?
                .to_string_lossy()
                .into_owned(),
        )
    })
}

/// Mappings of rings.
fn mappings() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.contains(".ring")).count()
}

/// Pops until there is another reason than `Empty` not to.
fn await_reason(consumer: &mut Consumer<Count>) -> PopError {
    let due = Instant::now() + PATIENCE;
    while Instant::now() < due {
        match consumer.pop() {
            Ok(_) | Err(PopError::Empty) => std::thread::yield_now(),
            Err(reason) => return reason,
        }
    }
    panic!("nothing was told for {PATIENCE:?}")
}

/// Pops as long as the producer may be alive; any other answer than `expected` ones is a false alarm.
fn pop_for(
    consumer: &mut Consumer<Count>,
    time: Duration,
    expected: fn(&PopError) -> bool,
) -> Vec<u64> {
    let (due, mut popped) = (Instant::now() + time, Vec::new());
    while Instant::now() < due {
        match consumer.pop() {
            Ok(received) => popped.push(received.message.number),
            Err(reason) => assert!(expected(&reason), "{reason:?}"),
        }
    }
    popped
}

#[test]
fn a_producer_killed_while_its_consumer_spins_is_dead_after_its_last_message() {
    let (_directory, path) = ring();
    let mut consumer = Consumer::<Count>::attach(&path).unwrap();
    assert_eq!(consumer.pop(), Err(PopError::Empty), "nobody has come yet");
    let mut took = Vec::new();
    for round in 0..20_u64 {
        let mut second = Second::start("producer", &path);
        assert_eq!(consumer.pop(), Err(PopError::Empty), "a successor lives");
        assert_eq!(second.ask("push 3"), "pushed");
        let killed = Instant::now();
        second.signal(Signal::SIGKILL);
        for number in 3 * round..3 * round + 3 {
            assert_eq!(consumer.pop().unwrap().message.number, number);
        }
        assert_eq!(await_reason(&mut consumer), PopError::PeerDead);
        took.push(killed.elapsed());
        assert_eq!(consumer.pop(), Err(PopError::PeerDead), "at every pop");
    }
    report("killed under a spinning consumer", took);
}

fn report(what: &str, mut took: Vec<Duration>) {
    took.sort();
    assert!(
        took[took.len() / 2] < Duration::from_millis(250),
        "{what}: not by the kernel's hint"
    );
    let (median, most) = (took[took.len() / 2], took[took.len() - 1]);
    println!(
        "{what}: told after {median:?} (median), {most:?} (most) of {}",
        took.len()
    );
}

#[test]
fn a_killed_producer_wakes_a_sleeping_consumer_once() {
    let (_directory, path) = ring();
    let mut consumer = Consumer::<Count>::attach(&path).unwrap();
    let mut took = Vec::new();
    for _ in 0..20 {
        let mut second = Second::start("producer", &path);
        assert_eq!(second.ask("push 1"), "pushed");
        assert!(consumer.pop().is_ok());
        let killing = std::thread::spawn(move || {
            // By then the consumer below sleeps; if not, it is the test above.
            std::thread::sleep(Duration::from_millis(20));
            second.signal(Signal::SIGKILL);
            Instant::now()
        });
        let mut waiter = Waiter::new(Ladder::Sleep);
        let reason = loop {
            match consumer.pop() {
                Err(PopError::Empty) => waiter.wait(&mut [&mut consumer]),
                other => break other,
            }
        };
        let told = Instant::now();
        assert_eq!(reason, Err(PopError::PeerDead));
        took.push(told.saturating_duration_since(killing.join().unwrap()));
        assert!(!consumer.is_ready(), "told: a loop must be able to sleep");
    }
    report("killed under a sleeping consumer", took);
}

#[test]
fn a_goodbye_is_told_as_such_and_a_successor_begins_anew() {
    let (_directory, path) = ring();
    let mut consumer = Consumer::<Count>::attach(&path).unwrap();
    let mut second = Second::start("producer", &path);
    assert_eq!(second.ask("push 2"), "pushed");
    second.dismiss();
    for number in 0..2 {
        assert_eq!(consumer.pop().unwrap().message.number, number);
    }
    assert_eq!(await_reason(&mut consumer), PopError::Closed);
    let mut successor = Producer::<Count>::attach(&path).unwrap();
    assert_eq!(consumer.pop(), Err(PopError::Empty));
    successor.push(&Count { number: 2 }).unwrap();
    assert_eq!(consumer.pop().unwrap().sequence, 2);
    // One that dies is not covered by the goodbye of the one before it.
    drop(successor);
    let third = Second::start("producer", &path);
    third.signal(Signal::SIGKILL);
    assert_eq!(await_reason(&mut consumer), PopError::PeerDead);
}

/// Who was gone before the consumer came is known at its first pop.
#[test]
fn a_consumer_that_comes_after_the_end_is_told_at_once() {
    let (_directory, path) = ring();
    Second::start("producer", &path).dismiss();
    let mut consumer = Consumer::<Count>::attach(&path).unwrap();
    assert!(consumer.is_ready(), "it has something to say");
    assert_eq!(consumer.pop(), Err(PopError::Closed));
    assert!(!consumer.is_ready());
    drop(consumer);
    let mut second = Second::start("producer", &path);
    second.signal(Signal::SIGKILL);
    second.child.wait().unwrap();
    let mut consumer = Consumer::<Count>::attach(&path).unwrap();
    assert_eq!(consumer.pop(), Err(PopError::PeerDead));
}

#[test]
fn a_stopped_producer_is_stale_and_not_dead_and_goes_on_without_loss() {
    let (_directory, path) = ring();
    let mut consumer = Consumer::<Count>::attach(&path).unwrap();
    let bound = Duration::from_millis(200);
    let mut second = Second::start("producer", &path);
    assert_eq!(second.ask("push 3"), "pushed");
    second.signal(Signal::SIGSTOP);
    waitpid(second.pid(), Some(WaitPidFlag::WUNTRACED)).unwrap();
    let silent = |reason: &PopError| *reason == PopError::Empty;
    assert_eq!(
        pop_for(&mut consumer, 2 * bound, silent),
        [0, 1, 2],
        "no bound"
    );
    consumer.stale_after(Some(bound));
    let silent = |reason: &PopError| match reason {
        PopError::Stale { age } => *age > Duration::from_millis(200),
        other => *other == PopError::Empty,
    };
    assert!(pop_for(&mut consumer, Duration::from_secs(2), silent).is_empty());
    assert!(matches!(consumer.pop(), Err(PopError::Stale { .. })));
    let refused = Producer::<Count>::attach(&path).err().unwrap();
    assert!(matches!(refused, Error::RoleTaken { .. }), "{refused}");
    second.signal(Signal::SIGCONT);
    assert_eq!(second.ask("push 5"), "pushed");
    for number in 3..8 {
        let received = consumer.pop().unwrap();
        assert_eq!((received.message.number, received.lost), (number, 0));
    }
    assert_eq!(consumer.pop(), Err(PopError::Empty), "a new silence begins");
}

/// Who comes to a producer that was stopped before need not trust it for another bound.
#[test]
fn a_consumer_that_comes_to_a_silent_producer_is_told_at_its_first_pop() {
    let (_directory, path) = ring();
    let bound = Duration::from_millis(200);
    let mut second = Second::start("producer", &path);
    assert_eq!(second.ask("push 1"), "pushed");
    second.signal(Signal::SIGSTOP);
    waitpid(second.pid(), Some(WaitPidFlag::WUNTRACED)).unwrap();
    let mut before = Consumer::<Count>::attach(&path).unwrap();
    before.stale_after(Some(bound));
    assert!(before.pop().is_ok());
    before.commit();
    assert!(matches!(await_reason(&mut before), PopError::Stale { .. }));
    drop(before);
    let mut consumer = Consumer::<Count>::attach(&path).unwrap();
    consumer.stale_after(Some(bound));
    assert!(matches!(consumer.pop(), Err(PopError::Stale { age }) if age > bound));
    second.signal(Signal::SIGCONT);
    assert_eq!(second.ask("push 1"), "pushed");
    assert_eq!(consumer.pop().unwrap().message.number, 1);
}

/// Starved of processor time, neither side mistakes the other's slowness for its end.
#[test]
fn overload_is_no_death_and_no_silence_of_a_producer_that_beats() {
    let (_directory, path) = ring();
    let mut consumer = Consumer::<Count>::attach(&path).unwrap();
    let mut second = Second::start("producer", &path);
    assert_eq!(second.ask("beat"), "beating");
    consumer.stale_after(Some(Duration::from_millis(1500)));
    let stop = Arc::new(AtomicBool::new(false));
    let cores = std::thread::available_parallelism().unwrap().get();
    let burning: Vec<_> = (0..4 * cores)
        .map(|_| Arc::clone(&stop))
        .map(|stop| std::thread::spawn(move || while !stop.load(Relaxed) {}))
        .collect();
    let lives = |reason: &PopError| *reason == PopError::Empty;
    assert!(pop_for(&mut consumer, Duration::from_secs(2), lives).is_empty());
    stop.store(true, Relaxed);
    burning
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    second.signal(Signal::SIGKILL);
    assert_eq!(await_reason(&mut consumer), PopError::PeerDead);
}

/// A Java queue judged a lock's owner dead by a PID of another container, and overwrote its data. Here
/// the producer is PID 1 of its own namespace, while another PID 1 lives in ours.
#[test]
fn in_another_pid_namespace_alive_is_alive_and_killed_is_dead() {
    let (_directory, path) = ring();
    let mut consumer = Consumer::<Count>::attach(&path).unwrap();
    let mut unshare = Command::new("unshare");
    unshare
        .args(["--pid", "--fork", "--kill-child"])
        .arg(std::env::current_exe().unwrap());
    let mut second = match Second::start_by(unshare, "producer", &path) {
        Ok(second) => second,
        Err(reason) => return println!("skipped: `unshare --pid`: {reason}"),
    };
    assert_eq!(second.ask("pid"), "1");
    let lives = |reason: &PopError| *reason == PopError::Empty;
    assert!(pop_for(&mut consumer, Duration::from_millis(500), lives).is_empty());
    assert_eq!(second.ask("push 1"), "pushed");
    let killed = Instant::now();
    second.signal(Signal::SIGKILL);
    assert_eq!(consumer.pop().unwrap().message.number, 0);
    assert_eq!(await_reason(&mut consumer), PopError::PeerDead);
    report("killed in another PID namespace", vec![killed.elapsed()]);
}

/// In a user namespace that allows no inotify instance the kernel gives no hints.
#[test]
fn without_inotify_a_death_is_told_too() {
    let (_directory, path) = ring();
    let mut unshare = Command::new("unshare");
    let limited = "echo 0 > /proc/sys/user/max_inotify_instances && exec \"$0\" \"$@\"";
    unshare
        .args(["--user", "--map-root-user", "sh", "-c", limited])
        .arg(std::env::current_exe().unwrap());
    let producer = Second::start("producer", &path);
    let mut consumer = match Second::start_by(unshare, "consumer", &path) {
        Ok(consumer) => consumer,
        Err(reason) => return println!("skipped: `unshare --user`: {reason}"),
    };
    assert_eq!(consumer.hear().unwrap(), "0", "inotify instances");
    let killed = Instant::now();
    producer.signal(Signal::SIGKILL);
    assert_eq!(consumer.hear().unwrap(), "PeerDead");
    report("killed without inotify", vec![killed.elapsed()]);
    consumer.dismiss();
}

#[test]
fn a_thousand_consumers_leave_one_thread_and_no_file_behind() {
    let (_directory, path) = ring();
    let mut second = Second::start("churner", &path);
    let (first, last) = (second.hear().unwrap(), second.hear().unwrap());
    assert!(
        first.starts_with("(1, ") && first.ends_with(", 0)"),
        "{first}"
    );
    assert_eq!(first, last, "threads, files, mappings");
    second.dismiss();
}
