//! Kills a role of a ring at every named step, again and again, and audits the stream.
//!
//! `scripts/test crash [--full]`. For each fail point, each kind of ring: the role that passes the
//! point is started and dies there at its n-th pass, over and over, while the other role runs; in every
//! second round it comes back to a peer that has lived on, in the others the peer is killed too. At the end both finish, and the stream is audited:
//!
//! - lossless: nothing lost, nothing torn, nothing twice beyond the uncommitted tail;
//! - latest-wins: nothing torn, every gap told, read + lost = written;
//! - creation: the name is free, or leads to a whole ring.

use ipc::{
    Consumer, FAIL_POINTS, Kind, Ladder, Observer, Producer, PushError, RingOptions, Waiter,
    create_ring,
};
use std::{
    error::Error,
    fs::{self, OpenOptions},
    io::Write,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

ipc::message! {
    /// A message whose words all tell its own sequence number.
    pub struct Count v1 {
        /// The number.
        words: [u64; 6] = "count",
    }
}

/// Messages between two commits of the consumer.
const COMMIT_EVERY: u64 = 7;
/// Passes of a fail point before it strikes, at most.
const MOST_PASSES: u64 = 40;
/// Messages for each round, so that a stream never ends before its rounds do.
const PER_ROUND: u64 = 2 * MOST_PASSES;
/// Stands in the log for a message that is not the one that its sequence says.
const TORN: u64 = u64::MAX;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["create", ring, kind] => create(Path::new(ring), kind),
        ["push", ring, count] => push(Path::new(ring), count.parse().unwrap_or(0)),
        ["pop", ring, count, log] => {
            pop(Path::new(ring), count.parse().unwrap_or(0), Path::new(log))
        }
        [] => walk(20),
        ["--full"] => walk(1000),
        ["--rounds", rounds] => walk(rounds.parse().unwrap_or(20)),
        _ => Err("usage: crash [--full | --rounds N]".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn walk(rounds: u64) -> Result<()> {
    println!(
        "{:<28} {:<12} {:>7} {:>7} {:>7}  VIOLATIONS",
        "FAIL POINT", "RING", "ROUNDS", "KILLED", "AGAIN"
    );
    let mut violations = 0;
    for point in FAIL_POINTS {
        for kind in [Kind::Lossless, Kind::LatestWins] {
            let row = match point.split(':').next() {
                Some("create") => creation(point, kind, rounds),
                _ => Duel::new(kind, rounds)?.fight(point, rounds),
            };
            let name = if kind == Kind::Lossless {
                "lossless"
            } else {
                "latest-wins"
            };
            match row {
                Ok(Row { killed: 0, .. }) if applies(point, kind) => {
                    violations += 1;
                    println!(
                        "{point:<28} {name:<12} {rounds:>7} {:>7} {:>7}  the point was never passed",
                        0, 0
                    );
                }
                Ok(Row { killed, again }) => {
                    println!("{point:<28} {name:<12} {rounds:>7} {killed:>7} {again:>7}  -")
                }
                Err(error) => {
                    violations += 1;
                    println!(
                        "{point:<28} {name:<12} {rounds:>7} {:>7} {:>7}  {error}",
                        "", ""
                    );
                }
            }
        }
    }
    if violations == 0 {
        Ok(())
    } else {
        Err(format!("{violations} violations").into())
    }
}

/// Whether a ring of this kind can pass the point at all: a lossless one has no loss to store.
fn applies(point: &str, kind: Kind) -> bool {
    point != "commit: loss stored" || kind == Kind::LatestWins
}

struct Row {
    /// Deaths at the point.
    killed: u64,
    /// Messages that came again after a death.
    again: u64,
}

fn creation(point: &str, kind: Kind, rounds: u64) -> Result<Row> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("count.ring");
    let mut killed = 0;
    for _ in 0..rounds {
        let status = armed(point, 1)
            .arg("create")
            .arg(&path)
            .arg(kind_name(kind))
            .status()?;
        killed += u64::from(status.signal() == Some(9));
        let left: Vec<PathBuf> = fs::read_dir(directory.path())?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<std::io::Result<_>>()?;
        match left.as_slice() {
            [] => {}
            [whole] if *whole == path => {
                Producer::<Count>::attach(&path)?.push(&Count { words: [0; 6] })?;
                ipc::remove_abandoned(&path)?;
            }
            other => return Err(format!("left behind: {other:?}").into()),
        }
    }
    Ok(Row { killed, again: 0 })
}

/// Two roles on one ring.
struct Duel {
    _directory: tempfile::TempDir,
    kind: Kind,
    ring: PathBuf,
    log: PathBuf,
    observer: Observer,
    count: u64,
}

impl Duel {
    fn new(kind: Kind, rounds: u64) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let ring = directory.path().join("count.ring");
        create(&ring, kind_name(kind))?;
        Ok(Self {
            kind,
            observer: Observer::open(&ring)?,
            log: directory.path().join("log"),
            ring,
            _directory: directory,
            count: rounds * PER_ROUND,
        })
    }

    fn fight(&self, point: &str, rounds: u64) -> Result<Row> {
        // Both roles pass the points of attach and wake: they take turns as the victim.
        let producers = ["push:", "attach: producer", "attach: incarnation"]
            .iter()
            .any(|start| point.starts_with(start));
        let consumers = ["pop:", "commit:", "attach: consumer"]
            .iter()
            .any(|start| point.starts_with(start));
        let mut killed = 0;
        for round in 0..rounds {
            let victim_pushes = if producers || consumers {
                producers
            } else {
                round % 2 == 0
            };
            let passes = 1 + (round * 13) % self.most_passes(point);
            let limit = (round + 1) * PER_ROUND;
            let own = std::env::current_exe()?;
            let mut peer = self
                .role(Command::new(own), !victim_pushes, limit)
                .spawn()?;
            // In every second round the victim comes back to a peer that has lived on.
            for _ in 0..=(round % 2) {
                let status = self
                    .role(armed(point, passes), victim_pushes, limit)
                    .status()?;
                killed += u64::from(status.signal() == Some(9));
            }
            // It may have finished its part of the round.
            let _ = peer.kill();
            peer.wait()?;
        }
        self.finish()?;
        let again = self.audit()?;
        Ok(Row { killed, again })
    }

    /// How often a role surely passes a point in its part of a round.
    fn most_passes(&self, point: &str) -> u64 {
        let reads = if self.kind == Kind::Lossless {
            MOST_PASSES
        } else {
            4
        };
        match point.split(':').next() {
            Some("push") => MOST_PASSES,
            Some("pop") => reads,
            Some("commit") => reads.div_ceil(COMMIT_EVERY),
            // Attach is passed once, and wakes its peer once.
            _ => 1,
        }
    }

    /// Lets both roles finish the stream undisturbed.
    fn finish(&self) -> Result<()> {
        let program = || Command::new(std::env::current_exe().unwrap_or_default());
        let mut producer = self.role(program(), true, self.count).spawn()?;
        let mut consumer = self.role(program(), false, self.count).spawn()?;
        for child in [&mut producer, &mut consumer] {
            let status = child.wait()?;
            if !status.success() {
                return Err(format!("the last incarnation ended with {status}").into());
            }
        }
        Ok(())
    }

    fn role(&self, mut program: Command, pushes: bool, count: u64) -> Command {
        program
            .arg(if pushes { "push" } else { "pop" })
            .arg(&self.ring)
            .arg(count.to_string())
            .stdin(Stdio::null());
        if !pushes {
            program.arg(&self.log);
        }
        program
    }

    fn audit(&self) -> Result<u64> {
        let bytes = fs::read(&self.log)?;
        let number = |chunk: &[u8]| u64::from_ne_bytes(std::array::from_fn(|index| chunk[index]));
        let records: Vec<(u64, u64)> = bytes
            .chunks_exact(16)
            .map(|record| (number(&record[..8]), number(&record[8..])))
            .collect();
        let again = audit(&records, self.kind, self.count)?;
        let statistics = self.observer.statistics();
        if statistics.consumed + statistics.lost != self.count || statistics.published != self.count
        {
            return Err(format!("the ring counts {statistics:?} of {} written", self.count).into());
        }
        Ok(again)
    }
}

/// Walks the consumer's log of (sequence, lost before it). Returns how many came again.
fn audit(records: &[(u64, u64)], kind: Kind, count: u64) -> Result<u64> {
    let (mut next, mut again) = (0_u64, 0);
    for (sequence, lost) in records {
        if *sequence == TORN {
            return Err(format!("torn at {next}").into());
        }
        let gap_told = *sequence == next + lost;
        let repeats = *sequence < next + lost
            && (kind == Kind::LatestWins || next - sequence <= COMMIT_EVERY);
        if kind == Kind::Lossless && *lost > 0 {
            return Err(format!("{lost} lost before {sequence}").into());
        }
        // A successor of a reader that had skipped may skip from its predecessor's commit: then the
        // gap that it tells begins there, below what has been read already.
        if !gap_told && !repeats {
            return Err(format!("{sequence} (with {lost} lost) came where {next} was due").into());
        }
        again += u64::from(!gap_told) * (next.saturating_sub(*sequence));
        next = sequence + 1;
    }
    if next == count {
        Ok(again)
    } else {
        Err(format!("{next} of {count} came").into())
    }
}

/// This program, to die at the `passes`-th pass of a point.
fn armed(point: &str, passes: u64) -> Command {
    let mut program = Command::new(std::env::current_exe().unwrap_or_default());
    program.env("IPC_FAIL_POINT", format!("{point}={passes}"));
    program
}

fn kind_name(kind: Kind) -> &'static str {
    if kind == Kind::Lossless {
        "lossless"
    } else {
        "latest-wins"
    }
}

fn create(ring: &Path, kind: &str) -> Result<()> {
    let kind = if kind == "lossless" {
        Kind::Lossless
    } else {
        Kind::LatestWins
    };
    create_ring::<Count>(
        ring,
        RingOptions {
            kind,
            capacity: 16,
            ..RingOptions::default()
        },
    )?;
    Ok(())
}

fn push(ring: &Path, count: u64) -> Result<()> {
    let mut producer = Producer::<Count>::attach(ring)?;
    let mut waiter = Waiter::new(Ladder::Sleep);
    while producer.published() < count {
        match producer.push(&Count {
            words: [producer.published(); 6],
        }) {
            Ok(_) => waiter.progress(),
            Err(PushError::Full) => waiter.wait_for_room(&mut producer),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn pop(ring: &Path, count: u64, log: &Path) -> Result<()> {
    let mut consumer = Consumer::<Count>::attach(ring)?;
    let mut log = OpenOptions::new().append(true).create(true).open(log)?;
    let mut waiter = Waiter::new(Ladder::Sleep);
    while consumer.next_sequence() < count {
        let Ok(received) = consumer.pop() else {
            waiter.wait(&mut [&mut consumer]);
            continue;
        };
        waiter.progress();
        let whole = received
            .message
            .words
            .iter()
            .all(|word| *word == received.sequence);
        let number = if whole { received.sequence } else { TORN };
        log.write_all(&[number.to_ne_bytes(), received.lost.to_ne_bytes()].concat())?;
        if received.sequence % COMMIT_EVERY == 0 {
            consumer.commit();
        }
    }
    consumer.commit();
    Ok(())
}
