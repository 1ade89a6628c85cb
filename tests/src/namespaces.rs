//! Processes of a pipeline in namespaces of their own, as containers give them: each sees its own processes, its own System V
//! objects and its own mounts. Nothing but a directory is shared.

use crate::{programs::program, scratch::await_some};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// What a process finds where the rings should be.
#[derive(Debug, Clone, Copy)]
pub enum Mount<'a> {
    /// This directory.
    Bind(&'a Path),
    /// A tmpfs of its own, with rings of its own: laid out by `launch prepare` with these words.
    Own(&'a str),
    /// An empty directory.
    Missing,
}

/// A program in namespaces of its own. Dropping it kills it.
pub struct Contained {
    unshare: Child,
    program: PathBuf,
    log: PathBuf,
}

/// Whether this machine lets us have namespaces of our own, and mount in them; says so if not.
#[must_use]
pub fn allowed() -> bool {
    let words = [
        "--pid", "--ipc", "--mount", "--fork", "mount", "-t", "tmpfs",
    ];
    let tried = Command::new("unshare")
        .args(words)
        .args(["tmpfs", "/tmp"])
        .stderr(Stdio::null())
        .status();
    match tried {
        Ok(status) if status.success() => true,
        refused => {
            eprintln!("skipped: namespaces with mounts are refused here: {refused:?}");
            false
        }
    }
}

impl Contained {
    /// Starts a program of the workspace with `mount` at `place`. Its output goes to `log`.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn start(name: &str, words: &[&str], place: &Path, mount: Mount, log: &Path) -> Self {
        let (program, launcher) = (program(name), crate::programs::program("launcher"));
        let place = place.display();
        let before = match mount {
            Mount::Bind(source) => format!("mount --bind '{}' '{place}'", source.display()),
            Mount::Own(words) => format!(
                "mount -t tmpfs tmpfs '{place}' && '{}' prepare {words}",
                launcher.display()
            ),
            Mount::Missing => "true".into(),
        };
        let output = File::create(log).expect("a log");
        let unshare = Command::new("unshare")
            .args(["--pid", "--ipc", "--mount", "--fork", "--kill-child"])
            .args(["sh", "-c", &format!("{before} && exec \"$@\""), "sh"])
            .arg(&program)
            .args(words)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a descriptor"))
            .stderr(output)
            .spawn()
            .expect("start unshare");
        Self {
            unshare,
            program,
            log: log.to_owned(),
        }
    }

    /// Its PID as it is here; its own is 1.
    ///
    /// # Panics
    ///
    /// When it is not there within half a minute.
    #[must_use]
    pub fn pid(&self) -> Pid {
        let unshare = self.unshare.id();
        let children = format!("/proc/{unshare}/task/{unshare}/children");
        let child = || -> Option<i32> {
            let child = fs::read_to_string(&children).ok()?.trim().parse().ok()?;
            // Until it is the program, it is a shell that mounts.
            let is_there = fs::read_link(format!("/proc/{child}/exe")).ok()? == self.program;
            is_there.then_some(child)
        };
        Pid::from_raw(await_some("the program in its namespaces", child))
    }

    /// The names of its namespaces, such as `pid:[4026531836]`.
    ///
    /// # Panics
    ///
    /// When it is gone.
    #[must_use]
    pub fn namespaces(&self) -> Vec<String> {
        ["pid", "ipc", "mnt"]
            .map(|kind| {
                let link = fs::read_link(format!("/proc/{}/ns/{kind}", self.pid()));
                link.expect("a live process").display().to_string()
            })
            .to_vec()
    }

    /// What it has said so far.
    #[must_use]
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it has said `part`.
    ///
    /// # Panics
    ///
    /// After half a minute.
    pub fn await_word(&self, part: &str) {
        await_some(&format!("`{part}` in {}", self.log.display()), || {
            self.said().contains(part).then_some(())
        });
    }

    /// Asks it to stop, and returns its exit code; `None` after a signal.
    ///
    /// # Panics
    ///
    /// When it does not stop within half a minute.
    pub fn stop(&mut self) -> Option<i32> {
        let pid = self.pid();
        // It may end by itself just now.
        let _ = kill(pid, Signal::SIGTERM);
        self.end()
    }

    /// Waits for its end, and returns its exit code; `None` after a signal.
    ///
    /// # Panics
    ///
    /// When it does not end within half a minute.
    pub fn end(&mut self) -> Option<i32> {
        let what = format!("the end of {}", self.program.display());
        await_some(&what, || self.unshare.try_wait().expect("our child")).code()
    }
}

impl Drop for Contained {
    fn drop(&mut self) {
        // It takes its child with it. Both fail only for one that is gone.
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}
