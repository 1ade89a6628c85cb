//! `hop`: the round trip of one message between two pinned processes, beside the machine's floor.

#![forbid(unsafe_code)]

use benches::{
    floor::Floor,
    paired::{Contender, Row},
    pin,
    ring::{Ring, answer},
};
use clap::{Parser, Subcommand};
use std::{
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The round trip of one 48-byte message between two pinned processes, beside the floor: a bare cache
/// line handed to and fro. Windows of all contenders alternate; the ratio is the median of pairs.
#[derive(Parser)]
#[command(
    after_help = "Example:\n  cargo run --release -p benches --bin hop -- --windows 400 --json hop.json"
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Windows of each contender.
    #[arg(long, default_value_t = 200)]
    windows: u32,
    /// Round trips in a window.
    #[arg(long, default_value_t = 2000)]
    trips: u64,
    /// Write the rows to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// The partner's side.
    #[command(hide = true)]
    Answer {
        there: PathBuf,
        back: PathBuf,
        core: usize,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        Some(Command::Answer { there, back, core }) => answer(there, back, *core),
        None => measure(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let (near, far) = pin::two_cores()?;
    let directory = tempfile::Builder::new()
        .prefix("arbees-hop-")
        .tempdir_in(ring_directory())?;
    let mut floor = Floor::start(far)?;
    let mut stamped = Ring::start(directory.path(), 1, far)?;
    let mut bare = Ring::start(directory.path(), 0, far)?;
    pin::to(near)?;
    let mut results = [
        Contender::new("floor")?,
        Contender::new("ring")?,
        Contender::new("ring, stamped")?,
    ];
    for window in 0..=arguments.windows {
        floor.window(arguments.trips, &mut |time| results[0].record(time))?;
        bare.window(arguments.trips, &mut |time| results[1].record(time))?;
        stamped.window(arguments.trips, &mut |time| results[2].record(time))?;
        if window == 0 {
            // The first round only warms up.
            results = [
                Contender::new("floor")?,
                Contender::new("ring")?,
                Contender::new("ring, stamped")?,
            ];
            continue;
        }
        results.iter_mut().for_each(Contender::end_window);
    }
    let rows = results
        .each_ref()
        .map(|contender| contender.row(&results[0]));
    print_rows(arguments, (near, far), &rows);
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_string_pretty(&rows)? + "\n")?;
    }
    Ok(())
}

fn ring_directory() -> PathBuf {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() {
        shm.to_owned()
    } else {
        std::env::temp_dir()
    }
}

fn print_rows(arguments: &Arguments, cores: (usize, usize), rows: &[Row]) {
    println!(
        "cores {} and {}, {} alternating windows of {} round trips; the clock's own cost is in every figure",
        cores.0, cores.1, arguments.windows, arguments.trips
    );
    println!(
        "{:<14} {:>8} {:>8} {:>8} {:>10} {:>9}",
        "ROUND TRIP ns", "P50", "P99", "P99.9", "MAX", "x FLOOR"
    );
    for row in rows {
        println!(
            "{:<14} {:>8} {:>8} {:>8} {:>10} {:>9.2}",
            row.name, row.p50_ns, row.p99_ns, row.p999_ns, row.max_ns, row.ratio_to_floor
        );
    }
}
