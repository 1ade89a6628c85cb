//! Where the rings of a measurement lie, and that they are gone afterwards, whatever ends it.

use crate::Failure;
use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::Pid,
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};
use tempfile::TempDir;

/// Whether this process is about to end by a signal. Relaxed: nothing else is passed by it.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// How often a directory is removed again in which something was made meanwhile: each time is a file, and files are few.
const ATTEMPTS: u32 = 1_000;

/// A directory in memory, removed when it is dropped or the bench is interrupted, together with the
/// shared memory that a transport may have beside it under names that begin with its own.
pub struct Scratch(TempDir);

impl Scratch {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        while INTERRUPTED.load(Relaxed) {
            // Whoever removes it ends the process.
            thread::park();
        }
        remove_beside(self.path());
    }
}

/// A directory of this run alone.
///
/// # Errors
///
/// When it cannot be had.
pub fn directory() -> Result<Scratch, Failure> {
    let directory = tempfile::Builder::new()
        .prefix("arbees-bench-")
        .tempdir_in(memory())?;
    remove_when_interrupted(directory.path().to_owned())?;
    Ok(Scratch(directory))
}

fn memory() -> PathBuf {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() {
        shm.to_owned()
    } else {
        std::env::temp_dir()
    }
}

/// Removes the files beside the directory whose names begin with its name.
fn remove_beside(directory: &Path) {
    let own = directory.file_name().unwrap_or_default().as_encoded_bytes();
    let beside = fs::read_dir(memory()).into_iter().flatten().flatten();
    for file in beside.filter(|file| file.path() != directory) {
        if file.file_name().as_encoded_bytes().starts_with(own)
            && let Err(error) = fs::remove_file(file.path())
        {
            eprintln!("error: {} stays behind: {error}", file.path().display());
        }
    }
}

/// Kills what was started, and waits until it is dead: a server that starts makes directories, whether those
/// above them are there or not.
fn end_children() {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten();
    for thread in threads.flatten() {
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for child in children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok())
        {
            let child = Pid::from_raw(child);
            // Whoever started it may be waiting for it too, and see it first.
            let _ = kill(child, Signal::SIGKILL);
            let _ = waitid(Id::Pid(child), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
        }
    }
}

/// Removes a directory in which the measurement may still be making files.
fn remove_in_use(directory: &Path) -> io::Result<()> {
    for _ in 1..ATTEMPTS {
        match fs::remove_dir_all(directory) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {}
            done => return done,
        }
    }
    fs::remove_dir_all(directory)
}

fn remove_when_interrupted(path: PathBuf) -> Result<(), Failure> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            if let Some(signal) = signals.forever().next() {
                INTERRUPTED.store(true, Relaxed);
                end_children();
                remove_beside(&path);
                if let Err(error) = remove_in_use(&path) {
                    eprintln!("error: {} stays behind: {error}", path.display());
                }
                // As a shell reports it.
                std::process::exit(128 + signal);
            }
        })?;
    Ok(())
}
