//! The launcher's command line.

use clap::{Args, Parser, Subcommand};
use pipeline::{Wait, duration};
use std::{path::PathBuf, time::Duration};

/// Exit codes of the launcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// Ran, stopped in order, nothing lost, reconciled; restarts on the way are no failure.
    Clean = 0,
    /// Ran, but a process failed, a message was lost, or the books do not agree with the venue's.
    Failed = 1,
    /// Did not start: bad arguments, a bad pipeline file, or a host that lacks something.
    Refused = 2,
}

/// Starts a pipeline of pinned processes on shared-memory rings, watches it, stops it in order, and
/// reports.
#[derive(Debug, Parser)]
#[command(name = "launch", version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) run: RunArguments,
}

const EXAMPLES: &str = "\
Examples:
  launch                                    the demo, until Ctrl-C or the last of its games is settled
  launch --for 30s --json out.json          the demo for half a minute, report to a file
  launch --wait yield --for 30s             hot loops spin in turns where they share cores
  launch --dry-run                          what would be started, where, and why
  launch --pipeline mine.toml --dry-orders  against the real venue, its orders shown and not sent;
                                            mine.toml: a copy of processes/pipelines/live.toml
  launch --pipeline mine.toml --live        real money; asks once more
  launch replay --from games.csv.gz --games 20 --speed 600
  launch prepare --redis redis+unix:///run/redis.sock     lays the demo out for processes in containers
  launch reconcile --pipeline /tmp/arbees/demo/pipeline.toml
  launch safe --pipeline mine.toml --reason 'looks wrong'    no new orders; everything else goes on
  launch resume --pipeline mine.toml        trade again
  launch logs execution_service --follow    what it has written, and writes
  launch positions --json                   what is held, and what profit and loss came of

Exit codes:
  0  ran, stopped in order, nothing lost, the books agree with the venue's
  1  ran, but a process failed, a message was lost, or the books do not agree
  2  did not start: bad arguments, a bad pipeline file, or something is missing";

/// What else than the plain run can be asked for.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Plays recorded games to settlement.
    Replay(ReplayArguments),
    /// Lays out a pipeline whose processes somebody else starts: directories, rings, and the resolved pipeline file.
    Prepare(PrepareArguments),
    /// Compares the books of a pipeline with the venue's, and says what its rings lost.
    Reconcile(ReconcileArguments),
    /// Halts trading: no new orders, what rests at the venue is cancelled; everything else goes on.
    Safe(SafeArguments),
    /// Lets a pipeline trade again that was halted or could not keep a process alive.
    Resume(ResumeArguments),
    /// Shows what the launcher and the processes have written, merged in order of time.
    Logs(LogsArguments),
    /// Shows what a pipeline holds, what it cost, and what came of it, by its own database.
    Positions(PositionsArguments),
    /// Runs a command that dies with the launcher.
    #[command(hide = true)]
    Exec(ExecArguments),
}

/// The plain run.
#[derive(Debug, Clone, Args)]
pub(super) struct RunArguments {
    /// Pipeline file; by default the demo that comes with the programs.
    #[arg(long, value_name = "FILE")]
    pub(super) pipeline: Option<PathBuf>,
    /// Stop after this time, such as `30s` or `5m`; without it, at Ctrl-C, or when all games of a simulator are settled.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(super) limit: Option<Duration>,
    /// How hot loops wait, in place of the file's `wait`: auto, spin, yield (spin in turns) or sleep.
    #[arg(long, value_name = "HOW")]
    pub(super) wait: Option<Wait>,
    /// Write the report to this file as JSON.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Print the plan and start nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) money: MoneyArguments,
}

/// Whether real money is traded.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct MoneyArguments {
    /// Trade real money: a pipeline without a simulator needs this, or --dry-orders.
    #[arg(long)]
    pub(super) live: bool,
    /// The pipeline's name, where nobody is there to type it.
    #[arg(long, value_name = "NAME", requires = "live")]
    pub(super) confirm: Option<String>,
    /// Money was paid into the account or out of it since the last run: its balance is right as it is.
    #[arg(long, requires = "live")]
    pub(super) accept_balance: bool,
    /// Send no order; each is written to `dry_orders.jsonl` in the run directory as it would be sent.
    #[arg(long, conflicts_with = "live")]
    pub(super) dry_orders: bool,
}

/// A replay of recorded games.
#[derive(Debug, Clone, Args)]
pub(super) struct ReplayArguments {
    /// Recorded minutes of games, CSV, gzipped or not.
    #[arg(long, value_name = "FILE")]
    pub(super) from: PathBuf,
    /// Game seconds in a second of real time.
    #[arg(long, value_name = "N")]
    pub(super) speed: Option<f64>,
    /// How many games, in order of their first pitch.
    #[arg(long, value_name = "N")]
    pub(super) games: Option<usize>,
    /// Pipeline file; by default the replay that comes with the programs.
    #[arg(long, value_name = "FILE")]
    pub(super) pipeline: Option<PathBuf>,
    /// Stop after this time, even in the middle of a game.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(super) limit: Option<Duration>,
    /// Write the report to this file as JSON.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Print the plan and start nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
}

/// A pipeline to be laid out.
#[derive(Debug, Clone, Args)]
pub(super) struct PrepareArguments {
    /// Pipeline file; by default the demo that comes with the programs.
    #[arg(long, value_name = "FILE")]
    pub(super) pipeline: Option<PathBuf>,
    /// Directory of the rings, in place of the file's.
    #[arg(long, value_name = "DIR")]
    pub(super) rings: Option<PathBuf>,
    /// Run directory, in place of the file's; the resolved file is its `pipeline.toml`.
    #[arg(long, value_name = "DIR")]
    pub(super) run_dir: Option<PathBuf>,
    /// Address of Redis, in place of the file's.
    #[arg(long, value_name = "URL")]
    pub(super) redis: Option<String>,
    #[command(flatten)]
    pub(super) money: MoneyArguments,
}

/// Books to be compared.
#[derive(Debug, Clone, Args)]
pub(super) struct ReconcileArguments {
    /// The resolved pipeline file, as `launch prepare` or the launcher wrote it; waited for.
    #[arg(long, value_name = "FILE")]
    pub(super) pipeline: PathBuf,
    /// Compare when asked to stop, by SIGTERM or Ctrl-C, in place of now.
    #[arg(long)]
    pub(super) when_stopped: bool,
    /// Write the report to this file as JSON.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
}

/// Which pipeline to halt.
#[derive(Debug, Clone, Args)]
pub(super) struct SafeArguments {
    /// Its pipeline file; by default the demo that comes with the programs, while it runs.
    #[arg(long, value_name = "FILE")]
    pub(super) pipeline: Option<PathBuf>,
    /// Why, for whoever finds the file `safe` in the run directory.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

/// Which pipeline is to trade again.
#[derive(Debug, Clone, Args)]
pub(super) struct ResumeArguments {
    /// Its pipeline file; by default the demo that comes with the programs, while it runs.
    #[arg(long, value_name = "FILE")]
    pub(super) pipeline: Option<PathBuf>,
}

/// Which logs to show.
#[derive(Debug, Clone, Args)]
pub(super) struct LogsArguments {
    /// Processes, such as `game_shard.0`, `launcher` or `redis-server`; all of them by default.
    pub(super) names: Vec<String>,
    /// Go on as they grow, until Ctrl-C.
    #[arg(long)]
    pub(super) follow: bool,
    /// The pipeline file; by default the demo that comes with the programs.
    #[arg(long, value_name = "FILE")]
    pub(super) pipeline: Option<PathBuf>,
}

/// Whose positions to show.
#[derive(Debug, Clone, Args)]
pub(super) struct PositionsArguments {
    /// The pipeline file; by default the demo that comes with the programs.
    #[arg(long, value_name = "FILE")]
    pub(super) pipeline: Option<PathBuf>,
    /// As JSON, with the same fields.
    #[arg(long)]
    pub(super) json: bool,
}

/// A command to run under the launcher's protection.
#[derive(Debug, Args)]
pub(super) struct ExecArguments {
    /// Program and arguments.
    #[arg(trailing_var_arg = true, required = true)]
    pub(super) command: Vec<std::ffi::OsString>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
