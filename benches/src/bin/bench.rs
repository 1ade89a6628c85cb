//! `bench`: measurements that hold on a shared machine.

use benches::{
    Failure,
    cores::Cores,
    job::Assignment,
    report::{against, file, html, plot, table},
    servers,
    suite::{self, Order},
};
use clap::{Args, Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

/// What `all` is.
const ALL: [&str; 9] = [
    "hop",
    "stream",
    "stamps",
    "rate",
    "wake",
    "fanin",
    "chain",
    "end-to-end",
    "switch",
];
/// Something is worse than in the baseline.
const WORSE: u8 = 3;

/// Measures, each contender beside the machine's floor, in short interleaved windows. Only the ratios
/// of one round mean anything on a shared machine.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  scripts/bench ring --quick\n  scripts/bench hop --only redis\n  scripts/bench all --quick --json q.json --html q.html\n  scripts/bench ring --quick --against q.json\n  chrt -f 10 scripts/bench ring --quick   # as root, where other work shares the cores\n  ARBEES_BENCH_FEATURES=aeron scripts/bench hop   # with Aeron, built from C: needs CMake 3.30, libclang\n\nExit codes: 0 measured (whether or not targets are met: the report says), 1 failed, 2 cannot be\nmeasured here or was asked wrongly, 3 something is worse than in the baseline, 128 + N ended by signal N."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything below but `watched`, each once.
    All(Options),
    /// Round trips, through every transport.
    Hop(Options),
    /// As fast as it goes: every transport once, rings at three depths by three sizes.
    Stream(Options),
    /// What time stamps cost a stream.
    Stamps(Options),
    /// Messages at fixed rates, timed from when each was due.
    Rate(Options),
    /// Messages after idle gaps, by ways of waiting, with the processor time used.
    Wake(Options),
    /// One reader of 1 to 64 rings.
    Fanin(Options),
    /// A tick through three hops and the pipeline's real stages, over each transport of the proposal.
    Chain(Options),
    /// The whole pipeline with a venue 100 ms away: the hot path over Redis, and over rings.
    EndToEnd(Options),
    /// Where the time from tick to order goes, and the rings' share of it, spinning: `chain` and `end-to-end`.
    Tick(Options),
    /// The kill switch of the whole pipeline, each way: until the word is said, and until the last order has gone.
    Switch(Options),
    /// Our ring with `shm-inspect watch` looking at it, and without.
    Watched(Options),
    /// The rings alone: round trips, streams, time stamps, waking up.
    Ring(Options),
    /// The far side of a measurement.
    #[command(hide = true)]
    Partner { assignment: String },
    /// A server that ends with the bench.
    #[command(hide = true)]
    Server {
        #[arg(long, value_delimiter = ',')]
        cores: Vec<usize>,
        #[arg(long)]
        parent: i32,
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// What a transport needs beside it; started as a server.
    #[cfg(feature = "aeron")]
    #[command(hide = true)]
    MediaDriver {
        directory: PathBuf,
        /// On cores where nothing is measured.
        #[arg(long)]
        alone: bool,
    },
}

#[derive(Args)]
struct Options {
    /// A sixth of the time.
    #[arg(long)]
    quick: bool,
    /// Write everything to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page with tables and pictures to this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the pictures to this directory.
    #[arg(long, value_name = "DIRECTORY")]
    svg: Option<PathBuf>,
    /// Compare the ratios to the floor with those of an earlier run's JSON; exit code 3 if one is worse
    /// by more than 10 % beyond its interval.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// So many windows of each contender, however long that takes.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    windows: Option<u32>,
    /// Only contenders whose name contains this.
    #[arg(long, value_name = "NAME", default_value = "")]
    only: String,
    /// Cores of the near and the far side. Default: the first two that do not share a core.
    #[arg(long, value_name = "A,B")]
    cores: Option<Cores>,
}

fn main() -> ExitCode {
    let (experiments, rings_only, options): (&[&str], _, _) = match Arguments::parse().command {
        Command::Partner { assignment } => return exit_code(partner(&assignment)),
        Command::Server {
            cores,
            parent,
            command,
        } => return exit_code(Err(servers::become_server(&cores, parent, &command))),
        #[cfg(feature = "aeron")]
        Command::MediaDriver { directory, alone } => {
            let ended = benches::transport::aeron_driver::drive(&directory, alone);
            return exit_code(ended.map(|()| ExitCode::SUCCESS));
        }
        Command::All(options) => (&ALL, false, options),
        Command::Hop(options) => (&["hop"], false, options),
        Command::Stream(options) => (&["stream"], false, options),
        Command::Stamps(options) => (&["stamps"], false, options),
        Command::Rate(options) => (&["rate"], false, options),
        Command::Wake(options) => (&["wake"], false, options),
        Command::Fanin(options) => (&["fanin"], false, options),
        Command::Chain(options) => (&["chain"], false, options),
        Command::EndToEnd(options) => (&["end-to-end"], false, options),
        Command::Tick(options) => (&["chain", "end-to-end"], false, options),
        Command::Switch(options) => (&["switch"], false, options),
        Command::Watched(options) => (&["watched"], false, options),
        Command::Ring(options) => (&["hop", "stream", "stamps", "wake"], true, options),
    };
    match options.cores.map_or_else(Cores::choose, Ok) {
        Ok(cores) => exit_code(measure(experiments, rings_only, &options, cores)),
        Err(error) => {
            eprintln!("error: {error}\n  fix: give this process two cores of its own");
            ExitCode::from(2)
        }
    }
}

fn exit_code(result: Result<ExitCode, Failure>) -> ExitCode {
    result.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

fn partner(assignment: &str) -> Result<ExitCode, Failure> {
    serde_json::from_str::<Assignment>(assignment)?.carry_out()?;
    Ok(ExitCode::SUCCESS)
}

fn measure(
    experiments: &[&'static str],
    rings_only: bool,
    options: &Options,
    cores: Cores,
) -> Result<ExitCode, Failure> {
    // A baseline that cannot be read is told before minutes are spent.
    let baseline = options.against.as_deref().map(file::read).transpose()?;
    let results = suite::measure(&Order {
        experiments,
        rings_only,
        quick: options.quick,
        windows: options.windows,
        only: &options.only,
        cores,
    })?;
    // Files first: whoever reads the table may leave early.
    if let Some(path) = &options.json {
        file::save(&results, path)?;
    }
    if let Some(path) = &options.html {
        html::save(&results, path)?;
    }
    if let Some(path) = &options.svg {
        plot::save_svgs(&results, path)?;
    }
    table::print(&results)?;
    let Some(baseline) = baseline else {
        return Ok(ExitCode::SUCCESS);
    };
    let comparison = against::compare(&baseline, &results);
    comparison.print()?;
    Ok(if comparison.has_regressions() {
        ExitCode::from(WORSE)
    } else {
        ExitCode::SUCCESS
    })
}
