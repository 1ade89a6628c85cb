//! Kills a role of a ring, or the writer of a board, at every named step, again and again, and audits
//! what is left.
//!
//! `scripts/test crash [--full]`. A round at a fail point: one role runs; the other one is killed in the
//! middle of its work, so that there is something to take over, then once more at the point, at its n-th
//! pass; the peer lives on or is started again as well; a successor proves that the ring goes on, and is
//! killed too. Rounds take turns between the roles that pass the point, both fates of the peer, and
//! several distances. What each life must find is said in `auditor`.

#[allow(dead_code, reason = "the storm uses the rest of it")]
mod auditor;
#[path = "crash/boards.rs"]
mod boards;
#[path = "crash/names.rs"]
mod names;

use auditor::{
    Manner, Part, Result, Shape, Stream, Totals,
    life::{Life, own},
};
use clap::Parser;
use ipc::{FAIL_POINTS, Kind};
use nix::sys::signal::Signal;
use std::{
    fmt::Write as _,
    fs,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Command, ExitCode},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Passes of a point in the middle of the work before it strikes, at most: far more than a producer
/// publishes between two stores of its count.
const MOST_PASSES: u64 = 197;
/// As many where each needs a peer that has fallen asleep.
const MOST_SLEEPS: u64 = 5;
/// Long enough for a waiting peer to fall asleep.
const REST: Duration = Duration::from_micros(150);

/// Kills either role of a ring, or the writer of a board, at every named step, and audits the stream.
#[derive(Parser)]
struct Arguments {
    /// 1,000 rounds for each fail point and kind instead of 20.
    #[arg(long)]
    full: bool,
    /// So many rounds.
    #[arg(long, conflicts_with = "full")]
    rounds: Option<u64>,
    /// Only the points whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Writes the result there as well.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Ring(Kind),
    Board,
}

impl Subject {
    const ALL: [Self; 3] = [
        Self::Ring(Kind::Lossless),
        Self::Ring(Kind::LatestWins),
        Self::Board,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Ring(Kind::Lossless) => "lossless",
            Self::Ring(_) => "latest-wins",
            Self::Board => "board",
        }
    }
}

/// What came of the rounds at one point.
#[derive(Debug, Default, Clone, Copy)]
struct Row {
    /// Deaths at the point, as producer and as consumer.
    killed: [u64; 2],
    totals: Totals,
}

fn main() -> ExitCode {
    if let Some(result) = auditor::play().or_else(boards::play).or_else(names::play) {
        return ended(result);
    }
    ended(walk(&Arguments::parse()))
}

fn ended(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn walk(arguments: &Arguments) -> Result<()> {
    let rounds = arguments
        .rounds
        .unwrap_or(if arguments.full { 1000 } else { 20 });
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let begun = Instant::now();
    println!(
        "{:<27} {:<11} {:>6} {:>9} {:>9} {:>12} {:>8} {:>12}  VIOLATIONS",
        "FAIL POINT", "OF", "ROUNDS", "PRODUCERS", "CONSUMERS", "MESSAGES", "AGAIN", "LOST"
    );
    let (mut violations, mut rows) = (0, Vec::new());
    let points = FAIL_POINTS
        .iter()
        .filter(|point| point.contains(arguments.only.as_str()));
    for point in points {
        let mut met = false;
        for subject in Subject::ALL {
            let row = match fight(point, subject, rounds, &stop) {
                Some(row) => row,
                None => continue,
            };
            if stop.load(Relaxed) {
                return Err("stopped before the end; nothing is left behind".into());
            }
            met = true;
            violations += u64::from(row.is_err());
            rows.push(report(point, subject, rounds, &row));
        }
        if !met {
            return Err(format!("no round is planned for `{point}`").into());
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("{violations} violations in {seconds:.1} s");
    if let Some(path) = &arguments.json {
        let text = format!(
            "{{\"rounds\": {rounds}, \"seconds\": {seconds:.1}, \"violations\": {violations}, \"points\": [\n  {}\n]}}\n",
            rows.join(",\n  ")
        );
        fs::write(path, text)?;
    }
    match violations {
        0 => Ok(()),
        _ => Err(format!("{violations} violations").into()),
    }
}

/// Prints a row, and returns it as JSON.
fn report(point: &str, subject: Subject, rounds: u64, result: &Result<Row>) -> String {
    let name = subject.name();
    let row = result.as_ref().copied().unwrap_or_default();
    let violation = result.as_ref().err().map(ToString::to_string);
    let Row {
        killed: [producers, consumers],
        totals,
    } = row;
    println!(
        "{point:<27} {name:<11} {rounds:>6} {producers:>9} {consumers:>9} {:>12} {:>8} {:>12}  {}",
        totals.written,
        totals.again,
        totals.lost,
        violation.as_deref().unwrap_or("-")
    );
    let mut text = format!(
        "{{\"point\": \"{point}\", \"of\": \"{name}\", \"producers_killed\": {producers}, \"consumers_killed\": {consumers}, \"written\": {}, \"read\": {}, \"lost\": {}, \"again\": {}, \"violation\": ",
        totals.written, totals.read, totals.lost, totals.again
    );
    // Writing to a String cannot fail.
    let _ = match violation {
        Some(violation) => write!(text, "{}}}", auditor::json_string(&violation)),
        None => write!(text, "null}}"),
    };
    text
}

/// All rounds at a point; `None` where it is never passed.
fn fight(point: &str, subject: Subject, rounds: u64, stop: &AtomicBool) -> Option<Result<Row>> {
    if names::passed(point) {
        return Some(names::fight(point, subject, rounds, stop));
    }
    match subject {
        Subject::Board => boards::passed(point).then(|| boards::fight(point, rounds, stop)),
        Subject::Ring(kind) => {
            let victims = victims(point, kind);
            (!victims.is_empty()).then(|| duels(point, kind, victims, rounds, stop))
        }
    }
}

/// The roles that pass a point of a ring of this kind.
fn victims(point: &str, kind: Kind) -> &'static [Part] {
    let gated = kind == Kind::Lossless;
    match point {
        "attach: opened" | "attach: role taken" | "attach: mapped" | "attach: awake" => &Part::BOTH,
        "attach: producer recovered" | "attach: incarnation stored" => &[Part::Producer],
        "attach: consumer resumed" => &[Part::Consumer],
        "wake: word changed" => &Part::BOTH,
        // Only a lossless ring's producer sleeps, and only it is woken.
        "sleep: announced" | "sleep: over" if gated => &Part::BOTH,
        "sleep: announced" | "sleep: over" => &[Part::Consumer],
        "wake: needed" if gated => &Part::BOTH,
        "wake: needed" | "close: said" => &[Part::Producer],
        // Only a latest-wins ring has gaps.
        "pop: skipped" | "commit: loss stored" if gated => &[],
        _ if point.starts_with("push:") => &[Part::Producer],
        _ if point.starts_with("pop:") || point.starts_with("commit:") => &[Part::Consumer],
        _ => &[],
    }
}

/// Half of the rounds on a shallow ring of stamped lines, half on a deeper one of longer messages.
fn duels(point: &str, kind: Kind, victims: &[Part], rounds: u64, stop: &AtomicBool) -> Result<Row> {
    let shapes = [(16, 1, 7, false), (256, 0, 50, true)];
    let mut row = Row::default();
    for (half, (capacity, stamp_every, commit_every, wide)) in shapes.into_iter().enumerate() {
        let shape = Shape {
            kind,
            capacity,
            stamp_every,
            commit_every,
            wide,
        };
        let stream = Stream::new(shape)?;
        let rounds = (rounds + half as u64) / 2;
        for round in (0..rounds).take_while(|_| !stop.load(Relaxed)) {
            let victim = victims[usize::from(round % 2 == 1) % victims.len()];
            duel(&stream, point, victim, round)
                .and_then(|()| stream.verdict())
                .map_err(|error| format!("round {round}, {victim:?}: {error}"))?;
            row.killed[usize::from(victim == Part::Consumer)] += 1;
        }
        let totals = stream.finish(own)?;
        row.totals.written += totals.written;
        row.totals.read += totals.read;
        row.totals.lost += totals.lost;
        row.totals.again += totals.again;
    }
    if kind == Kind::LatestWins && row.totals.lost == 0 && !stop.load(Relaxed) {
        return Err("nothing was lost: the equality of read + lost = written says nothing".into());
    }
    Ok(row)
}

fn duel(stream: &Stream, point: &str, victim: Part, round: u64) -> Result<()> {
    let work = match victim {
        Part::Producer => "push: published",
        Part::Consumer => "pop: read",
    };
    let asleep = point.starts_with("sleep:");
    // At attach everybody wakes its peer; later, the consumer of a latest-wins ring nobody.
    let later = victim == Part::Producer || stream.shape.kind == Kind::Lossless;
    let wakes =
        point == "wake: needed" || (point == "wake: word changed" && later && round % 8 >= 4);
    // Who reads slowly is overrun.
    let slow = ["pop: skipped", "commit: loss stored"].contains(&point);
    let manner = |rests: bool| Manner {
        rest: if rests { REST } else { Duration::ZERO },
        ..Manner::default()
    };
    let most = match point.split(':').next() {
        // Passed once in a life.
        Some("attach" | "close") => 1,
        // The first pass is that of attach.
        Some("wake") if point == "wake: word changed" && !wakes => 1,
        Some("wake" | "sleep") => MOST_SLEEPS,
        Some("commit") | Some("pop") if slow => MOST_SLEEPS,
        Some("commit") => MOST_PASSES / stream.shape.commit_every,
        _ => MOST_PASSES,
    };
    let peer = |rests| Life::start(stream.cast(own()?, victim.other(), manner(rests)));
    let mut alive = peer(asleep)?;
    // Little, where the peer holds everybody up.
    let before = if asleep { 16 } else { MOST_PASSES };
    die(stream, work, distance(round, before), victim, manner(false))?;
    let mut last = manner(wakes || slow);
    if point == "close: said" {
        last.until = stream.observer.statistics().published + distance(round, MOST_PASSES);
    }
    die(stream, point, distance(round, most), victim, last)?;
    // In every second pair of rounds the victim's successor finds a peer that is new, too.
    if round % 4 >= 2 {
        alive.kill()?;
        alive = peer(false)?;
    }
    die(
        stream,
        work,
        distance(round + 1, MOST_PASSES),
        victim,
        manner(false),
    )?;
    alive.kill()
}

/// Another number of passes for each round, from 1 to `most`.
fn distance(round: u64, most: u64) -> u64 {
    1 + (round * 83 + round / 4) % most
}

/// Starts a role that is to be killed by the point, and waits for that.
fn die(stream: &Stream, point: &str, passes: u64, part: Part, manner: Manner) -> Result<()> {
    let mut program = own()?;
    arm(&mut program, point, passes);
    let status = Life::start(stream.cast(program, part, manner))?.end()?;
    if status.signal() == Some(Signal::SIGKILL as i32) {
        return Ok(());
    }
    stream.verdict()?;
    Err(format!("a {part:?} was to be killed at `{point}`, pass {passes}, but: {status}").into())
}

/// Makes a program die at the `passes`-th pass of a point.
fn arm(program: &mut Command, point: &str, passes: u64) {
    program.env("IPC_FAIL_POINT", format!("{point}={passes}"));
}
