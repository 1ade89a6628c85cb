//! The command line.

use crate::verbs::{Doctor, Watch};
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
    /// The host against the pipeline file: cores, memory, clocks and limits; what is found, what it means, and the command
    /// that changes it. Needs no privilege.
    Doctor(Doctor),
    /// The dashboard: rings in data-flow order with rates, depths, losses and latencies, the processes that hold them, and
    /// what is wrong; `?` shows the keys.
    Watch(Watch),
}
