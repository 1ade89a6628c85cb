//! Starts, watches and stops a pipeline, and tells how it went.
//!
//! `arguments` -> `plan` -> `preflight` -> `session` (rings, redis, and the processes under their
//! `supervisor`) -> `report`.

mod arguments;
mod audit;
mod books;
mod breakdown;
mod children;
mod clerk;
mod config;
mod events;
mod feeds;
mod helm;
mod identity;
mod live;
mod logs;
mod opening;
mod placement;
mod plan;
mod positions;
mod preflight;
mod prepare;
mod private_redis;
mod profit;
mod registry;
mod report;
mod rings;
mod run_directory;
mod safety;
mod segments;
mod session;
mod status;
mod supervisor;
mod switch;
mod topology;
mod voice;
mod word;

use crate::runtime::Failure;
use arguments::{
    Arguments, Command, ExecArguments, Exit, MoneyArguments, ReplayArguments, RunArguments,
};
use clap::Parser;
use pipeline::{Pipeline, Source};
pub use profit::{Profit, ProfitPart};
pub use report::{Percentiles, Position, ProcessReport, Report};
pub use rings::RingReport;
pub use safety::SafeTime;
use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command as Program, ExitCode},
};

/// The launcher: parse, run, exit code.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result =
        match arguments.command {
            None => {
                let loaded = load(arguments.run.pipeline.as_deref());
                loaded.map(|mut pipeline| {
                    pipeline.wait = arguments.run.wait.unwrap_or(pipeline.wait);
                    session::run(pipeline, &arguments.run)
                })
            }
            Some(Command::Replay(replay)) => {
                load_replay(&replay).map(|pipeline| session::run(pipeline, &replay.into()))
            }
            Some(Command::Safe(safe)) => load_meant(safe.pipeline.as_deref())
                .and_then(|pipeline| switch::halt(&pipeline, safe.reason.as_deref())),
            Some(Command::Resume(resume)) => load_meant(resume.pipeline.as_deref())
                .and_then(|pipeline| switch::resume(&pipeline)),
            Some(Command::Logs(asked)) => {
                load(asked.pipeline.as_deref()).and_then(|pipeline| logs::show(&pipeline, &asked))
            }
            Some(Command::Positions(asked)) => load(asked.pipeline.as_deref())
                .and_then(|pipeline| positions::show(&pipeline, &asked)),
            Some(Command::Prepare(plan)) => load(plan.pipeline.as_deref())
                .and_then(|pipeline| prepare::prepare(pipeline, &plan)),
            Some(Command::Reconcile(books)) => prepare::reconcile(&books),
            Some(Command::Exec(exec)) => Err(execute(&exec)),
        };
    let exit = result.unwrap_or_else(|failure| {
        eprintln!("error: {failure}");
        Exit::Refused
    });
    voice::finish();
    ExitCode::from(exit as u8)
}

/// A pipeline file that comes with the programs: in `processes/pipelines` of the repository that the
/// launcher was built in, or of the current directory.
fn shipped(name: &str) -> PathBuf {
    let relative = Path::new("processes/pipelines").join(name);
    let launcher = std::env::current_exe().unwrap_or_default();
    launcher
        .ancestors()
        .map(|directory| directory.join(&relative))
        .find(|path| path.is_file())
        .unwrap_or(relative)
}

/// The pipeline file that is meant; the demo, where none is.
fn load(file: Option<&Path>) -> Result<Pipeline, Failure> {
    let file = file.map_or_else(|| shipped("demo.toml"), Path::to_owned);
    Ok(Pipeline::load(&file)?)
}

/// The same, where a mistake would be dear.
fn load_meant(file: Option<&Path>) -> Result<Pipeline, Failure> {
    switch::meant(load(file)?, file.is_some())
}

fn load_replay(replay: &ReplayArguments) -> Result<Pipeline, Failure> {
    let path = replay
        .pipeline
        .clone()
        .unwrap_or_else(|| shipped("replay.toml"));
    let mut pipeline = Pipeline::load(&path)?;
    let Some(simulator) = &mut pipeline.simulator else {
        return Err(Failure::Configuration(format!(
            "`{}` has no [simulator] to replay with",
            path.display()
        )));
    };
    simulator.source = Source::Recorded;
    // The simulator runs elsewhere: give it the file by its whole name.
    simulator.from = Some(
        std::path::absolute(&replay.from)
            .map_err(|error| Failure::io("find the current directory", error))?,
    );
    simulator.speed = replay.speed.unwrap_or(simulator.speed);
    simulator.games = replay.games.unwrap_or(simulator.games);
    Ok(pipeline)
}

impl From<ReplayArguments> for RunArguments {
    fn from(replay: ReplayArguments) -> Self {
        Self {
            pipeline: replay.pipeline,
            limit: replay.limit,
            wait: None,
            json: replay.json,
            dry_run: replay.dry_run,
            money: MoneyArguments::default(),
        }
    }
}

/// Becomes the given command, which the kernel kills when the launcher dies.
fn execute(exec: &ExecArguments) -> Failure {
    if let Err(failure) = crate::runtime::die_with_launcher() {
        return failure;
    }
    let Some((program, arguments)) = exec.command.split_first() else {
        return Failure::Configuration("no command to execute".into());
    };
    let error = Program::new(program).args(arguments).exec();
    Failure::io(format!("execute `{}`", program.to_string_lossy()), error)
}
