//! `launch safe` and `launch resume`: halt a running pipeline, and let it trade again.

use super::arguments::Exit;
use crate::runtime::Failure;
use ipc::BoardReader;
use layouts::{
    Control, Mode,
    control::{ROW, cause},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use pipeline::Pipeline;
use std::{
    fs,
    io::ErrorKind,
    path::Path,
    time::{Duration, Instant},
};

/// How long the launcher may take to say the word.
const PATIENCE: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Lets nobody who forgets to name his pipeline believe that he has halted it.
///
/// # Errors
///
/// When none was named, so that `pipeline` is the demo, and that does not run.
pub(super) fn meant(pipeline: Pipeline, is_named: bool) -> Result<Pipeline, Failure> {
    if is_named || control(&pipeline).is_some() {
        return Ok(pipeline);
    }
    Err(Failure::Configuration(format!(
        "which pipeline? None was named, and `{}` does not run here\n  fix: --pipeline FILE, the one that it was started with",
        pipeline.name
    )))
}

/// Puts the file `safe` into the run directory, where it holds until it is gone, over restarts too.
pub(super) fn halt(pipeline: &Pipeline, reason: Option<&str>) -> Result<Exit, Failure> {
    let path = pipeline.safe_file();
    let failed = |error| Failure::io(format!("write `{}`", path.display()), error);
    fs::create_dir_all(&pipeline.run_dir).map_err(failed)?;
    let reason = reason.unwrap_or("launch safe");
    fs::write(&path, format!("{reason}\n")).map_err(failed)?;
    match await_mode(pipeline, Mode::Safe) {
        None => println!(
            "{}: not running here; its next start will not trade until `launch resume`",
            pipeline.name
        ),
        Some(control) if control.mode() == Mode::Safe => {
            println!("{}: safe, no new orders", pipeline.name);
        }
        Some(_) => {
            return Err(Failure::other(format!(
                "`{}` still trades {} s after `{}` was written: does its launcher live? kill -9 ends all its processes",
                pipeline.name,
                PATIENCE.as_secs(),
                path.display()
            )));
        }
    }
    Ok(Exit::Clean)
}

/// Takes the file away and tells the launcher that a person has looked.
pub(super) fn resume(pipeline: &Pipeline) -> Result<Exit, Failure> {
    let path = pipeline.safe_file();
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(Failure::io(format!("remove `{}`", path.display()), error));
        }
        _ => {}
    }
    if control(pipeline).is_none() {
        println!("{}: not running here; its next start trades", pipeline.name);
        return Ok(Exit::Clean);
    }
    let launcher = launcher(&pipeline.run_dir)?;
    kill(launcher, Signal::SIGUSR2)
        .map_err(|error| Failure::io(format!("signal the launcher, pid {launcher}"), error))?;
    match await_mode(pipeline, Mode::Trade) {
        Some(control) if control.mode() == Mode::Trade => {
            println!("{}: trading", pipeline.name);
            Ok(Exit::Clean)
        }
        Some(control) => {
            println!(
                "{}: still safe, because of {}",
                pipeline.name,
                words(control.causes).join(", ")
            );
            Ok(Exit::Failed)
        }
        None => Err(Failure::other(format!(
            "`{}` has ended meanwhile",
            pipeline.name
        ))),
    }
}

/// The word, once it says the wanted mode or patience is at its end; `None` where nobody says it.
fn await_mode(pipeline: &Pipeline, wanted: Mode) -> Option<Control> {
    let due = Instant::now() + PATIENCE;
    loop {
        let control = control(pipeline)?;
        if control.mode() == wanted || Instant::now() >= due {
            return Some(control);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn control(pipeline: &Pipeline) -> Option<Control> {
    let board = BoardReader::<Control>::open(&pipeline.control_path()).ok()?;
    (board.writer() == ipc::Peer::Attached).then_some(())?;
    Some(board.read(ROW).ok()??.value)
}

fn launcher(run_dir: &Path) -> Result<Pid, Failure> {
    let path = run_dir.join("launcher.lock");
    let text = fs::read_to_string(&path)
        .map_err(|error| Failure::io(format!("read `{}`", path.display()), error))?;
    match text.trim().parse() {
        Ok(pid @ 1..) => Ok(Pid::from_raw(pid)),
        _ => Err(Failure::other(format!(
            "`{}` names no launcher: `{}`",
            path.display(),
            text.trim()
        ))),
    }
}

fn words(causes: u8) -> Vec<&'static str> {
    [
        (
            cause::OPERATOR,
            "an operator (the config in Redis says safe: set mode to trade)",
        ),
        (
            cause::CRASH_LOOP,
            "a process that cannot be kept alive (see `launch logs`)",
        ),
        (cause::PRICES_LOST, "lost prices"),
        (cause::GAMES_LOST, "lost games"),
        (
            cause::CLOCK_SKEW,
            "a clock that is wrong, the venue's or ours",
        ),
        (
            cause::BOOKS_DIFFER,
            "an account that is not as our books say, or cannot be compared (see the report or `launch logs`)",
        ),
    ]
    .into_iter()
    .filter_map(|(cause, words)| (causes & cause != 0).then_some(words))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demo_that_does_not_run_is_meant_only_by_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/demo.toml");
        let mut demo = Pipeline::load(&demo).unwrap();
        demo.rings = directory.path().join("rings");
        demo.run_dir = directory.path().join("run");
        let refused = meant(demo.clone(), false).unwrap_err().to_string();
        for part in ["which pipeline?", "`demo`", "--pipeline"] {
            assert!(refused.contains(part), "{refused}");
        }
        // Its next start will not trade.
        let demo = meant(demo, true).unwrap();
        halt(&demo, None).unwrap();
        assert_eq!(
            fs::read_to_string(demo.safe_file()).unwrap(),
            "launch safe\n"
        );
        resume(&demo).unwrap();
        assert!(!demo.safe_file().exists());
    }
}
