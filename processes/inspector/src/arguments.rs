//! The command line.

use crate::{
    replay::SweepArguments,
    verbs::{
        RecordArguments, RecordingArguments, ReplayArguments, clean, doctor, graph, metrics, ready,
        show, stats, tail, verdict, verify, watch,
    },
};
use clap::{Args, Parser, Subcommand};
use std::{path::PathBuf, time::Duration};

/// Looks at the rings and boards of a pipeline, alive or dead, without any effect on it.
#[derive(Debug, Parser)]
#[command(name = "shm-inspect", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
    #[command(flatten)]
    pub(crate) place: Place,
    /// The same fields as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done, and what was looked at is sound
  1  done, and something is wrong with what was looked at
  2  not done: bad arguments, no such ring, no rights

First: shm-inspect verdict
Each verb but record, recording and replay has an example of its output: shm-inspect help VERB";

/// Where to look.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Directory of a pipeline's rings, or the one above those of several; may be given more than once.
    /// By default /dev/shm/arbees.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) rings: Vec<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// What is wrong, by whom, and what to do about it: one line for each ring and process, the worst first.
    #[command(after_help = verdict::HELP)]
    Verdict(verdict::Options),
    /// All rings and boards: what they carry, how full they are, and who holds them.
    #[command(after_help = crate::verbs::list::HELP)]
    List,
    /// Everything about one ring or board.
    #[command(after_help = show::HELP)]
    Show(show::Options),
    /// The pipeline as it is attached now, in data-flow order.
    #[command(after_help = graph::HELP)]
    Graph(graph::Options),
    /// Rates, depths and latencies between two looks.
    #[command(after_help = stats::HELP)]
    Stats(stats::Options),
    /// All counters for Prometheus.
    #[command(after_help = metrics::HELP)]
    Metrics(metrics::Options),
    /// The messages of a ring, or the rows of a board, by field name and unit.
    #[command(after_help = tail::HELP)]
    Tail(tail::Options),
    /// Whether header, schema, counters, locks and slots fit together.
    #[command(after_help = verify::HELP)]
    Verify(verify::Options),
    /// Waits until every ring has both its sides.
    #[command(after_help = ready::HELP)]
    Ready(ready::Options),
    /// Removes the rings of pipelines that nobody runs any more.
    #[command(after_help = clean::HELP)]
    Clean(clean::Options),
    /// Records every message of a running pipeline's rings into a file.
    Record(RecordArguments),
    /// Shows what a recording holds.
    Recording(RecordingArguments),
    /// Plays a recording to the stages of a fresh pipeline.
    Replay(ReplayArguments),
    /// Removes a directory of ours when standard input ends.
    #[command(hide = true)]
    Sweep(SweepArguments),
    /// The dashboard: rings in data-flow order, who holds them, and what is wrong. `?` shows its keys.
    #[command(after_help = watch::HELP)]
    Watch(watch::Options),
    /// The host against the pipeline file: what is found, what it means, and the command that changes it.
    #[command(after_help = doctor::HELP)]
    Doctor(doctor::Options),
}

/// Parses seconds, such as `1` or `0.2`.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "a number of seconds is needed, such as 1 or 0.2".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    /// Arguments of one name but of two kinds are found here, and else by the first user.
    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
        for words in [
            &["list"][..],
            &[
                "record", "orders", "--rings", "here", "--out", "x", "--for", "5s",
            ],
            &["recording", "x", "--messages", "--of", "orders", "--json"],
            &["replay", "x", "--speed", "2.5"],
        ] {
            let words = [&["shm-inspect"], words].concat();
            Arguments::try_parse_from(words).unwrap();
        }
    }
}
