//! Where the rings of a measurement lie, and that they are gone afterwards, whatever ends it.

use crate::Failure;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};
use tempfile::TempDir;

/// A directory in memory, removed when it is dropped or the bench is interrupted.
///
/// # Errors
///
/// When it cannot be had.
pub fn directory() -> Result<TempDir, Failure> {
    let directory = tempfile::Builder::new()
        .prefix("arbees-bench-")
        .tempdir_in(memory())?;
    remove_when_interrupted(directory.path().to_owned())?;
    Ok(directory)
}

fn memory() -> PathBuf {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() {
        shm.to_owned()
    } else {
        std::env::temp_dir()
    }
}

fn remove_when_interrupted(path: PathBuf) -> Result<(), Failure> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            if let Some(signal) = signals.forever().next() {
                if let Err(error) = fs::remove_dir_all(&path) {
                    eprintln!("error: {} stays behind: {error}", path.display());
                }
                // As a shell reports it. The partners die with us.
                std::process::exit(128 + signal);
            }
        })?;
    Ok(())
}
