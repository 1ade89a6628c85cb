//! The run directory: one launcher at a time, nothing stale in it.

use crate::runtime::Failure;
use nix::{
    fcntl::{Flock, FlockArg},
    unistd::geteuid,
};
use pipeline::Pipeline;
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// The run directory, held for as long as this value lives.
pub(super) struct RunDirectory {
    path: PathBuf,
    _lock: Flock<File>,
}

impl RunDirectory {
    /// Takes the run directory of a pipeline. Nothing in it may be written before, not even looked at to judge by it: there
    /// may be somebody who does both.
    ///
    /// # Errors
    ///
    /// When another launcher runs the same pipeline, or the directory cannot be made.
    pub(super) fn take(pipeline: &Pipeline) -> Result<Self, Failure> {
        let path = pipeline.run_dir.clone();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path.join("logs"))
            .map_err(|error| {
                Failure::io(format!("create run directory `{}`", path.display()), error)
            })?;
        check_owner(&path)?;
        if pipeline.simulator.is_none() {
            // What is held at a real venue is nobody else's business.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).map_err(|error| {
                Failure::io(format!("close run directory `{}`", path.display()), error)
            })?;
        }
        let lock = lock(&path, &pipeline.name)?;
        Ok(Self { path, _lock: lock })
    }

    /// Where the processes' output goes.
    pub(super) fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// What a process wrote under `<name>.<suffix>`; `None` while it has not.
    pub(super) fn read(&self, name: &str, suffix: &str) -> Option<serde_json::Value> {
        let text = fs::read_to_string(self.path.join(format!("{name}.{suffix}"))).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Removes the ready file of a process that has ended, before its successor writes its own.
    pub(super) fn forget_ready(&self, name: &str) -> Result<(), Failure> {
        let path = self.path.join(format!("{name}.ready"));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Failure::io(format!("remove `{}`", path.display()), error))
            }
            _ => Ok(()),
        }
    }

    /// Writes the resolved pipeline file, and returns where.
    pub(super) fn write_pipeline(&self, pipeline: &Pipeline) -> Result<PathBuf, Failure> {
        let path = self.pipeline_file();
        let text = toml::to_string(pipeline).map_err(Failure::other)?;
        // Whole or not at all: somebody may wait for it. And for us alone: it may hold the password of Redis.
        let partial = path.with_extension("partial");
        write_private(&partial, &text)
            .and_then(|()| fs::rename(&partial, &path))
            .map_err(|error| Failure::io(format!("write `{}`", path.display()), error))?;
        Ok(path)
    }

    /// Takes the resolved pipeline file of an earlier run away.
    pub(super) fn retract_pipeline(&self) -> Result<(), Failure> {
        let path = self.pipeline_file();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Failure::io(format!("remove `{}`", path.display()), error))
            }
            _ => Ok(()),
        }
    }

    fn pipeline_file(&self) -> PathBuf {
        self.path.join("pipeline.toml")
    }

    /// Clears away what an earlier run left and belongs to that run only. With a simulator that includes the databases of earlier
    /// runs: its venue begins anew each time, and so do the books.
    ///
    /// # Errors
    ///
    /// When something cannot be removed.
    pub(super) fn clear(&self, simulated: bool) -> Result<(), Failure> {
        let failed = |error| {
            Failure::io(
                format!("clear run directory `{}`", self.path.display()),
                error,
            )
        };
        let ours = fs::read_dir(&self.path).map_err(failed)?;
        for entry in ours.chain(fs::read_dir(self.logs()).map_err(failed)?) {
            let path = entry.map_err(failed)?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let of_one_run = [
                ".ready",
                ".report.json",
                ".partial",
                ".sock",
                ".log",
                "dry_orders.jsonl",
            ]
            .iter()
            .any(|suffix| name.ends_with(suffix));
            let old_books =
                simulated && name.starts_with("positions.") && !name.starts_with("positions.db");
            let old_numbers = simulated && name == "market_numbers.json";
            if of_one_run || old_books || old_numbers {
                fs::remove_file(&path).map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// Writes a file that only its owner may read, from its first byte on.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path);
    let mut file = file?;
    // One that was there keeps its mode otherwise.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())
}

/// A directory of somebody else's, or one that others may write to, could be given another pipeline
/// file or socket at any moment.
fn check_owner(path: &Path) -> Result<(), Failure> {
    let examined = fs::metadata(path).map_err(|error| {
        Failure::io(format!("examine run directory `{}`", path.display()), error)
    })?;
    if examined.uid() == geteuid().as_raw() && examined.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(Failure::Other(format!(
        "run directory `{}` belongs to user {} with mode {:o}, it must be ours alone to write\n  fix: remove it, or set run_dir in the pipeline file",
        path.display(),
        examined.uid(),
        examined.mode() & 0o777
    )))
}

fn lock(path: &Path, name: &str) -> Result<Flock<File>, Failure> {
    let file_path = path.join("launcher.lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&file_path)
        .map_err(|error| Failure::io(format!("open `{}`", file_path.display()), error))?;
    let mut holder = String::new();
    // Only for the text of the error: who holds the lock is the kernel's word, not this file's.
    let _ = file.read_to_string(&mut holder);
    let mut lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| {
        Failure::Other(format!(
            "pipeline `{name}` is running already, under launcher pid {}\n  fix: stop that one, or give this one another name and run_dir",
            holder.trim()
        ))
    })?;
    let written = lock
        .set_len(0)
        .and_then(|()| write!(lock, "{}", std::process::id()));
    written.map_err(|error| Failure::io(format!("write `{}`", file_path.display()), error))?;
    Ok(lock)
}
