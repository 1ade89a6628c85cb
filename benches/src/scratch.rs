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

fn remove_when_interrupted(path: PathBuf) -> Result<(), Failure> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            if let Some(signal) = signals.forever().next() {
                remove_beside(&path);
                if let Err(error) = fs::remove_dir_all(&path) {
                    eprintln!("error: {} stays behind: {error}", path.display());
                }
                // As a shell reports it. The partners die with us.
                std::process::exit(128 + signal);
            }
        })?;
    Ok(())
}
