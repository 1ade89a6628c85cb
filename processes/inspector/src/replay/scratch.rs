//! A directory that is gone when its owner is, however that ends: a child of ours holds the other end of a pipe, and
//! removes it when the pipe breaks.

use crate::{Failure, exit::Exit, place::DEFAULT};
use clap::Args;
use nix::unistd::geteuid;
use std::{
    fs::{self, DirBuilder},
    io::{self, Read as _},
    os::unix::{
        fs::{DirBuilderExt as _, MetadataExt as _},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

/// How such directories are called, so that nothing else is ever removed.
const PREFIX: &str = "arbees-replay-";
/// Times that the removal is tried: processes that die with their owner may write for another moment.
const ATTEMPTS: u32 = 50;
const BETWEEN: Duration = Duration::from_millis(20);

/// What to remove.
#[derive(Debug, Args)]
pub(crate) struct SweepArguments {
    directory: PathBuf,
}

/// The directory.
pub(super) struct Scratch {
    path: PathBuf,
    sweeper: Child,
    /// Closing it is the word to sweep.
    owner: Option<ChildStdin>,
}

impl Scratch {
    /// Makes one where rings can be: in `place`, by default in the memory file system above the rings of pipelines.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub(super) fn make(place: Option<&Path>) -> Result<Self, Failure> {
        let by_default = Path::new(DEFAULT).parent().unwrap_or(Path::new("/"));
        let name = format!("{PREFIX}{}-{:x}", std::process::id(), ipc::clock::mono_ns());
        let path = place.unwrap_or(by_default).join(name);
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| {
            let fix = "name a directory on a tmpfs with --rings";
            Failure::io(format!("create `{}` (fix: {fix})", path.display()), error)
        })?;
        match start_sweeper(&path) {
            Ok((sweeper, owner)) => Ok(Self {
                path,
                sweeper,
                owner,
            }),
            Err(error) => {
                let _ = fs::remove_dir(&path);
                Err(Failure::io("start the one who tidies up", error))
            }
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.owner.take());
        let _ = self.sweeper.wait();
    }
}

/// In a process group of its own, so that Ctrl-C does not reach it.
fn start_sweeper(path: &Path) -> io::Result<(Child, Option<ChildStdin>)> {
    let mut sweeper = Command::new(std::env::current_exe()?)
        .arg("sweep")
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()?;
    let owner = sweeper.stdin.take();
    Ok((sweeper, owner))
}

/// Waits until nobody holds the other end of standard input any more, and removes the directory.
///
/// # Errors
///
/// When it is none of ours, or cannot be removed.
pub(crate) fn sweep(what: &SweepArguments) -> Result<Exit, Failure> {
    let path = &what.directory;
    let failed = |error| Failure::io(format!("remove `{}`", path.display()), error);
    let name = path.file_name().and_then(|name| name.to_str());
    let found = fs::symlink_metadata(path).map_err(failed)?;
    let ours = name.is_some_and(|name| name.starts_with(PREFIX))
        && found.is_dir()
        && found.uid() == geteuid().as_raw();
    if !ours {
        return Err(Failure::Other(format!(
            "`{}` is no directory of a replay of ours",
            path.display()
        )));
    }
    // Whatever ends the pipe ends the wait.
    let _ = io::stdin().read_to_end(&mut Vec::new());
    let mut removed = fs::remove_dir_all(path);
    for _ in 0..ATTEMPTS {
        match &removed {
            Ok(()) => break,
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(_) => std::thread::sleep(BETWEEN),
        }
        removed = fs::remove_dir_all(path);
    }
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(Exit::Fine),
    }
}
