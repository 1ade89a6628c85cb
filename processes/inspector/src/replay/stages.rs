//! The real programs of the stages, as children that die with us.

use crate::{Failure, interrupt::Interrupt};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use pipeline::{Pipeline, Process};
use std::{
    fs::{self, File},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// The variable by which a process knows with whom it is to die.
const LAUNCHER_VARIABLE: &str = "ARBEES_LAUNCHER";
/// How long a stage may take to be ready, to get done with one message, and to stop.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Time between two looks at a child that starts or stops.
const LOOK: Duration = Duration::from_millis(2);
/// Lines of its log that are shown when one fails.
const LOG_TAIL: usize = 8;

/// The running stages. Dropping it kills them.
pub(super) struct Stages {
    stages: Vec<Stage>,
    interrupt: Interrupt,
}

struct Stage {
    name: String,
    child: Child,
    log: PathBuf,
    ready: PathBuf,
}

impl Stages {
    /// Starts them on a pipeline file, the last in the data flow first, and waits until they are ready.
    ///
    /// # Errors
    ///
    /// When one cannot be started, or ends.
    pub(super) fn start(
        stages: &[Process],
        pipeline: &Pipeline,
        file: &Path,
        interrupt: &Interrupt,
    ) -> Result<Self, Failure> {
        let mut running = Self {
            stages: Vec::new(),
            interrupt: interrupt.clone(),
        };
        let home = programs()?;
        for process in stages.iter().rev() {
            let stage = Stage::start(process, pipeline, file, &home)?;
            running.stages.insert(0, stage);
        }
        let due = Instant::now() + PATIENCE;
        while !running.stages.iter().all(|stage| stage.ready.exists()) {
            running.check()?;
            if Instant::now() >= due {
                return Err(Failure::Other("the stages do not get ready".into()));
            }
            std::thread::sleep(LOOK);
        }
        Ok(running)
    }

    /// Whether there is a reason not to go on.
    ///
    /// # Errors
    ///
    /// That reason: a stage has ended, or we were asked to end.
    pub(super) fn check(&mut self) -> Result<(), Failure> {
        if self.interrupt.came() {
            return Err(Failure::Other("interrupted; nothing is left behind".into()));
        }
        for stage in &mut self.stages {
            let ended = stage.child.try_wait();
            let ended = ended.map_err(|error| Failure::io("look after a stage", error))?;
            if let Some(status) = ended {
                return Err(stage.failure(status));
            }
        }
        Ok(())
    }

    /// Asks them to stop, in data-flow order, and waits for each.
    ///
    /// # Errors
    ///
    /// When one does not stop, or has failed.
    pub(super) fn stop(mut self) -> Result<(), Failure> {
        for stage in &mut self.stages {
            let pid = i32::try_from(stage.child.id()).unwrap_or(0);
            // It may have ended: the wait tells.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            let due = Instant::now() + PATIENCE;
            let status = loop {
                let ended = stage.child.try_wait();
                if let Some(status) = ended.map_err(|error| Failure::io("stop a stage", error))? {
                    break status;
                }
                if Instant::now() >= due {
                    return Err(Failure::Other(format!("`{}` does not stop", stage.name)));
                }
                std::thread::sleep(LOOK);
            };
            if !status.success() {
                return Err(stage.failure(status));
            }
        }
        Ok(())
    }
}

impl Drop for Stages {
    fn drop(&mut self) {
        for stage in &mut self.stages {
            // Both fail only for one that has ended.
            let _ = stage.child.kill();
            let _ = stage.child.wait();
        }
    }
}

impl Stage {
    /// In a process group of its own: Ctrl-C is for us.
    fn start(
        process: &Process,
        pipeline: &Pipeline,
        file: &Path,
        home: &Path,
    ) -> Result<Self, Failure> {
        let program = home.join(process.program());
        let log = pipeline.run_dir.join(format!("{}.log", process.name));
        let failed = |error| Failure::io(format!("write `{}`", log.display()), error);
        let output = File::create(&log).map_err(failed)?;
        let started = Command::new(&program)
            .arg("--pipeline")
            .arg(file)
            .arg("--name")
            .arg(&process.name)
            .env(LAUNCHER_VARIABLE, std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            .process_group(0)
            .spawn();
        let child = started.map_err(|error| {
            let fix = "build it, or install it beside this program";
            Failure::io(format!("start `{}` (fix: {fix})", program.display()), error)
        })?;
        Ok(Self {
            name: process.name.clone(),
            child,
            log,
            ready: pipeline.run_dir.join(format!("{}.ready", process.name)),
        })
    }

    fn failure(&self, status: ExitStatus) -> Failure {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(LOG_TAIL)..].join("\n    ");
        Failure::Other(format!(
            "`{}` ended with {status} during the replay; its last words:\n    {tail}",
            self.name
        ))
    }
}

/// Where the programs are: beside this one.
fn programs() -> Result<PathBuf, Failure> {
    let ours = std::env::current_exe();
    let ours = ours.map_err(|error| Failure::io("find our own program", error))?;
    Ok(ours.parent().unwrap_or(Path::new("/")).to_owned())
}
