//! The processes of a pipeline as children of the launcher: started, watched, stopped.

use super::{
    events::Events,
    report::{ProcessReport, Recovery},
};
use crate::runtime::{Failure, LAUNCHER_VARIABLE};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    ffi::OsStr,
    fs::{self, OpenOptions},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// Lines of a failed process's log that are shown.
const LOG_TAIL: usize = 8;

/// One started process.
pub(super) struct Child {
    /// Its name in the pipeline file.
    pub(super) name: String,
    /// The core that it is pinned to, if any.
    pub(super) core: Option<usize>,
    log: PathBuf,
    process: std::process::Child,
    end: Option<End>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By itself, with an exit code.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// It did not stop when asked to, and was killed.
    Killed,
}

impl std::fmt::Display for End {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(formatter, "{code}"),
            Self::Signal(signal) => write!(formatter, "signal {signal}"),
            Self::Killed => formatter.write_str("killed: did not stop when asked"),
        }
    }
}

impl Child {
    /// Starts a program whose output is added to `<logs>/<name>.log`, in a process group of its own
    /// so that Ctrl-C reaches the launcher alone.
    pub(super) fn start<S: AsRef<OsStr>>(
        name: &str,
        core: Option<usize>,
        program: &Path,
        arguments: impl IntoIterator<Item = S>,
        logs: &Path,
    ) -> Result<Self, Failure> {
        let log = logs.join(format!("{name}.log"));
        let output = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&log)
            .map_err(|error| Failure::io(format!("open `{}`", log.display()), error))?;
        let errors = output
            .try_clone()
            .map_err(|error| Failure::io("duplicate a descriptor", error))?;
        let process = Command::new(program)
            .args(arguments)
            .env(LAUNCHER_VARIABLE, std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(|error| Failure::io(format!("start `{}`", program.display()), error))?;
        Ok(Self {
            name: name.to_owned(),
            core,
            log,
            process,
            end: None,
        })
    }

    /// How it ended; `None` while it runs.
    pub(super) fn end(&mut self) -> Option<End> {
        if self.end.is_none()
            && let Ok(Some(status)) = self.process.try_wait()
        {
            self.end = Some(End::of(status));
        }
        self.end
    }

    /// Asks it to stop, waits, and kills it when it has not stopped by then.
    pub(super) fn stop(&mut self, patience: Duration, events: &mut Events) -> End {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap_or(0));
        if let Some(end) = self.end() {
            return end;
        }
        // It may end by itself just now: the wait below tells.
        let _ = kill(pid, Signal::SIGTERM);
        let due = Instant::now() + patience;
        while Instant::now() < due {
            if let Some(end) = self.end() {
                return end;
            }
            events.wait_until(due);
        }
        self.kill();
        self.end = Some(End::Killed);
        End::Killed
    }

    /// Ends it without ceremony.
    pub(super) fn kill(&mut self) {
        if self.end().is_none() {
            // Both fail only for a child that is gone.
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }

    /// How it ended, after so many restarts, and how long each time it was away.
    pub(super) fn report(&mut self, restarts: u32, away: &[Duration]) -> ProcessReport {
        let end = self.end().unwrap_or(End::Killed);
        let last_words = if end == End::Code(0) {
            String::new()
        } else {
            self.last_words()
        };
        ProcessReport {
            name: self.name.clone(),
            core: self.core,
            restarts,
            recovery: Recovery::of(away),
            exit: end.to_string(),
            last_words,
        }
    }

    /// The last lines that it wrote.
    pub(super) fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = &lines[lines.len().saturating_sub(LOG_TAIL)..];
        tail.iter().map(|line| format!("    {line}\n")).collect()
    }
}

impl End {
    fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or(0)),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}
