//! The rings and boards of a pipeline: laid out before its processes start, removed after they end.

use crate::{
    pipeline::{LinkKind, Pipeline},
    runtime::Failure,
};
use ipc::{BoardOptions, Kind, Message, RingOptions, create_board, create_ring, remove_abandoned};
use layouts::{Fill, GameState, Order, OrderAck, PriceUpdate, Signal};
use nix::fcntl::{Flock, FlockArg};
use std::{
    fs::{self, DirBuilder, File},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// The ring directory of a running pipeline, locked. Dropping it removes it with everything in it,
/// and its parent when it was the last.
pub(super) struct Segments {
    directory: PathBuf,
    parent: PathBuf,
    /// How many files of a killed run were replaced.
    pub(super) leftovers: usize,
    _lock: Flock<File>,
}

impl Segments {
    /// Creates the ring directory and everything in it; what a killed run left behind is replaced.
    ///
    /// # Errors
    ///
    /// When another launcher or a live process holds it, or the file system has no room; then nothing
    /// of ours is left behind.
    pub(super) fn lay_out(pipeline: &Pipeline) -> Result<Self, Failure> {
        let directory = pipeline.ring_dir();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .map_err(|error| {
                Failure::io(
                    format!("create ring directory `{}`", directory.display()),
                    error,
                )
            })?;
        let lock = lock(&directory)?;
        let leftovers = remove_leftovers(&directory)?;
        // From here on, dropping it cleans up.
        let segments = Self {
            directory,
            parent: pipeline.rings.clone(),
            leftovers,
            _lock: lock,
        };
        create_all(pipeline)?;
        Ok(segments)
    }
}

impl Drop for Segments {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            eprintln!(
                "warning: cannot remove `{}`: {error}",
                self.directory.display()
            );
        }
        // Other pipelines may have theirs there.
        let _ = fs::remove_dir(&self.parent);
    }
}

/// Two launchers whose run directories differ may still mean the same rings.
fn lock(directory: &Path) -> Result<Flock<File>, Failure> {
    let file = File::open(directory)
        .map_err(|error| Failure::io(format!("open `{}`", directory.display()), error))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| {
        Failure::Other(format!(
            "another launcher uses the ring directory `{}`\n  fix: stop that one, or give this pipeline another name",
            directory.display()
        ))
    })
}

fn create_all(pipeline: &Pipeline) -> Result<(), Failure> {
    for link in &pipeline.links {
        let kind = match link.kind {
            LinkKind::Lossless => Kind::Lossless,
            LinkKind::LatestWins => Kind::LatestWins,
        };
        let options = RingOptions {
            kind,
            capacity: link.depth,
            ..RingOptions::default()
        };
        create_link(&link.message, &pipeline.ring_path(&link.name), options)?;
    }
    for board in &pipeline.boards {
        let options = BoardOptions {
            rows: board.slots,
            ..BoardOptions::default()
        };
        create_board::<PriceUpdate>(&pipeline.board_path(&board.name), options)?;
    }
    Ok(())
}

fn create_link(message: &str, path: &Path, options: RingOptions) -> Result<(), Failure> {
    let created = match message {
        PriceUpdate::NAME => create_ring::<PriceUpdate>(path, options),
        GameState::NAME => create_ring::<GameState>(path, options),
        Signal::NAME => create_ring::<Signal>(path, options),
        Order::NAME => create_ring::<Order>(path, options),
        OrderAck::NAME => create_ring::<OrderAck>(path, options),
        Fill::NAME => create_ring::<Fill>(path, options),
        other => {
            return Err(Failure::Configuration(format!(
                "no message is called `{other}`"
            )));
        }
    };
    created?;
    Ok(())
}

fn remove_leftovers(directory: &Path) -> Result<usize, Failure> {
    let read = |error| Failure::io(format!("read `{}`", directory.display()), error);
    let mut removed = 0;
    for entry in fs::read_dir(directory).map_err(read)? {
        removed += usize::from(remove_abandoned(&entry.map_err(read)?.path())?);
    }
    Ok(removed)
}
