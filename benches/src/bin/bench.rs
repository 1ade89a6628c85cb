//! `bench`: measurements that hold on a shared machine.

#![forbid(unsafe_code)]

use benches::{
    Failure,
    conditions::Before,
    cores::{self, Cores},
    experiment::{Place, round_trip, stamp, stream, wake},
    job::Assignment,
    report::Report,
    rounds::{self, Cell, Rounds, Row},
    scratch,
};
use clap::{Args, Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// Measures, each contender beside the machine's floor, in short interleaved windows. Only the ratios
/// of one round mean anything on a shared machine.
#[derive(Parser)]
#[command(
    after_help = "Exit codes: 0 measured (whether or not targets are met: the report says), 1 failed, 2 cannot be\nmeasured here or was asked wrongly, 128 + N ended by signal N."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Our ring against rtrb, ringfire and the bare cache line.
    ///
    /// Round trips, streams, the cost of time stamps and of waking up.
    #[command(
        after_help = "Examples:\n  scripts/bench ring --quick\n  scripts/bench ring --json ring.json\n  scripts/bench ring --windows 50 --cores 2,3\n  chrt -f 10 scripts/bench ring --quick   # as root, where other work shares the cores"
    )]
    Ring(Ring),
    /// The far side of a measurement.
    #[command(hide = true)]
    Partner { assignment: String },
}

#[derive(Args)]
struct Ring {
    /// About a minute instead of six.
    #[arg(long)]
    quick: bool,
    /// Write conditions, targets and rows to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// So many windows of each contender, however long that takes.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    windows: Option<u32>,
    /// Only the experiments whose name contains this: round trips, streams, time stamps, waking up.
    #[arg(long, value_name = "NAME", default_value = "")]
    only: String,
    /// Cores of the near and the far side. Default: the first two that do not share a core.
    #[arg(long, value_name = "A,B")]
    cores: Option<Cores>,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Partner { assignment } => partner(&assignment),
        Command::Ring(ring) => match ring.cores.map_or_else(Cores::choose, Ok) {
            Ok(cores) => measure(&ring, cores),
            Err(error) => {
                eprintln!("error: {error}\n  fix: give this process two cores of its own");
                return ExitCode::from(2);
            }
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn partner(assignment: &str) -> Result<(), Failure> {
    serde_json::from_str::<Assignment>(assignment)?.carry_out()
}

/// Prepares the cells of an experiment.
type Prepare = fn(Place<'_>) -> Result<Vec<Cell>, Failure>;

/// The experiments, with the seconds of a quick run that each gets.
const EXPERIMENTS: [(&str, Prepare, u64); 4] = [
    (
        "round trips",
        |place| Ok(vec![round_trip::cell(place)?]),
        12,
    ),
    ("streams", stream::cells, 26),
    ("time stamps", |place| Ok(vec![stamp::cell(place)?]), 8),
    ("waking up", wake::cells, 10),
];
/// A full run is so many times as long.
const FULL: u64 = 6;

fn measure(ring: &Ring, cores: Cores) -> Result<(), Failure> {
    let directory = scratch::directory()?;
    cores::pin(cores.near)?;
    let place = Place {
        cores,
        directory: directory.path(),
    };
    let before = Before::now(cores);
    let mut rows: Vec<Row> = Vec::new();
    let mut involuntary = 0;
    let chosen = EXPERIMENTS
        .iter()
        .filter(|(name, ..)| name.contains(&ring.only));
    for &(name, prepare, seconds) in chosen {
        eprintln!("measuring {name} ...");
        let seconds = if ring.quick { seconds } else { seconds * FULL };
        let rounds = ring
            .windows
            .map_or(Rounds::For(Duration::from_secs(seconds)), Rounds::Count);
        let mut cells = prepare(place)?;
        involuntary += rounds::run(&mut cells, rounds)?;
        rows.extend(cells.iter().flat_map(Cell::rows));
    }
    let report = Report::new(before.until_now(involuntary)?, rows);
    report.print();
    if let Some(path) = &ring.json {
        report.save(path)?;
    }
    Ok(())
}
