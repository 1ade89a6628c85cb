//! The command line.

use crate::{
    replay::SweepArguments,
    verbs::{RecordArguments, RecordingArguments, ReplayArguments},
};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Looks at the rings and boards of a pipeline, alive or dead, without any effect on it.
#[derive(Debug, Parser)]
#[command(name = "shm-inspect", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
    #[command(flatten)]
    pub(crate) place: Place,
    /// The same fields as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

const EXAMPLES: &str = "\
Exit codes:
  0  done, and what was looked at is sound
  1  done, and something is wrong with what was looked at
  2  not done: bad arguments, no such ring, no rights";

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
    /// All rings and boards: what they carry, how full they are, and who holds them.
    List,
    /// Records every message of a running pipeline's rings into a file.
    Record(RecordArguments),
    /// Shows what a recording holds.
    Recording(RecordingArguments),
    /// Plays a recording to the stages of a fresh pipeline.
    Replay(ReplayArguments),
    /// Removes a directory of ours when standard input ends.
    #[command(hide = true)]
    Sweep(SweepArguments),
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
