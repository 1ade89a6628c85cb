//! The rings and boards of a pipeline: laid out before its processes start, removed after they end.

use super::word::Word;
use crate::runtime::Failure;
use ipc::{
    BoardOptions, BoardWriter, Kind, Message, RingOptions, create_board, create_ring,
    remove_abandoned,
};
use layouts::{Control, Fill, GameState, Order, OrderAck, PriceUpdate, ProcessState, Signal};
use nix::{
    fcntl::{Flock, FlockArg},
    libc,
    unistd::{Gid, fchown, geteuid},
};
use pipeline::{LinkKind, Pipeline};
use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Mode of a directory above the rings: who may come in is for the ring directory to say.
const PASSABLE: u32 = 0o711;
/// How long a killed process may take to let go of its roles.
const LAST_BREATH: Duration = Duration::from_secs(1);
/// Rows of a board of which one is used: the fewest that there can be.
const FEWEST_ROWS: u32 = 4;

/// The ring directory of a running pipeline, locked. Dropping it removes it with everything in it,
/// and its parent when it was the last.
pub(super) struct Segments {
    directory: PathBuf,
    parent: PathBuf,
    /// How many files of a killed run were replaced.
    pub(super) leftovers: usize,
    /// They are for others, and outlive us.
    left: bool,
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
        let group = pipeline.ring_gid()?;
        make_ring_directory(&directory)?;
        let lock = lock(&directory)?;
        own(&directory, &lock, group)?;
        if group.is_some() {
            let_through(&pipeline.rings)?;
        }
        let leftovers = remove_leftovers(&directory)?;
        // From here on, dropping it cleans up.
        let segments = Self {
            directory,
            parent: pipeline.rings.clone(),
            leftovers,
            left: false,
            _lock: lock,
        };
        create_all(pipeline, group)?;
        Ok(segments)
    }

    /// Leaves them to processes that somebody else starts and stops: without a launcher at the helm they trade
    /// as the file says.
    pub(super) fn leave(mut self, pipeline: &Pipeline) -> Result<(), Failure> {
        self.left = true;
        say(pipeline, Word::of(pipeline))
    }
}

impl Drop for Segments {
    fn drop(&mut self) {
        if self.left {
            return;
        }
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

/// Creates the ring directory, and what is above it where that is missing too.
fn make_ring_directory(path: &Path) -> Result<(), Failure> {
    make_directory(path, 0o700).map_err(|error| {
        let what = format!(
            "create ring directory `{}` (fix: set `rings` in the pipeline file to a directory of ours; another user's, \
             such as that of the first pipeline on this host, takes none)",
            path.display()
        );
        Failure::io(what, error)
    })
}

/// Creates a directory with this very mode, whatever the umask, unless it is there. What is above it
/// can be passed through by everybody, and listed and written by us alone; where it is there, it may be
/// anybody's.
fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    let create = || match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(mode)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    };
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    let mut made = create();
    // Twice: a launcher that ends may remove what is above in between.
    for _ in 0..2 {
        match (&made, above) {
            (Err(error), Some(above)) if error.kind() == ErrorKind::NotFound => {
                make_directory(above, PASSABLE)?;
                made = create();
            }
            _ => break,
        }
    }
    made
}

/// Lets the group pass through a directory of ours that older versions have left to us alone.
fn let_through(parent: &Path) -> Result<(), Failure> {
    let failed = |error| {
        let what = format!(
            "let the group through `{}` (fix: chmod {PASSABLE:o})",
            parent.display()
        );
        Failure::io(what, error)
    };
    let found = fs::metadata(parent).map_err(failed)?;
    if found.uid() == geteuid().as_raw() && found.mode() & 0o077 == 0 {
        fs::set_permissions(parent, Permissions::from_mode(PASSABLE)).map_err(failed)?;
    }
    Ok(())
}

/// Makes the locked directory ours, for us alone and those who share the rings: whoever can write there
/// can put other files in the rings' place.
fn own(path: &Path, directory: &File, group: Option<u32>) -> Result<(), Failure> {
    let mode = if group.is_some() { 0o750 } else { 0o700 };
    let us = geteuid();
    fchown(directory, Some(us), group.map(Gid::from_raw))
        .map_err(io::Error::from)
        .and_then(|()| directory.set_permissions(Permissions::from_mode(mode)))
        .map_err(|error| {
            let owner = directory.metadata().map_or(0, |found| found.uid());
            let fix = "start it as that user, join the group, or give this pipeline another name";
            Failure::io(
                format!(
                    "make the ring directory `{}` ours: we are user {us}, it belongs to user {owner} (fix: {fix})",
                    path.display()
                ),
                error,
            )
        })
}

/// Two launchers whose run directories differ may still mean the same rings.
fn lock(directory: &Path) -> Result<Flock<File>, Failure> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW)
        .open(directory)
        .map_err(|error| {
            let what = format!(
                "open `{}` (fix: it must be a directory of ours and no link to one; remove it, or give this pipeline another name)",
                directory.display()
            );
            Failure::io(what, error)
        })?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| {
        Failure::Other(format!(
            "another launcher uses the ring directory `{}`\n  fix: stop that one, or give this pipeline another name",
            directory.display()
        ))
    })
}

fn create_all(pipeline: &Pipeline, group: Option<u32>) -> Result<(), Failure> {
    for link in &pipeline.links {
        let kind = match link.kind {
            LinkKind::Lossless => Kind::Lossless,
            LinkKind::LatestWins => Kind::LatestWins,
        };
        let options = RingOptions {
            kind,
            capacity: link.depth,
            mode: pipeline.ring_mode,
            group,
            ..RingOptions::default()
        };
        create_link(&link.message, &pipeline.ring_path(&link.name), options)?;
    }
    let options = |rows| BoardOptions {
        rows,
        mode: pipeline.ring_mode,
        group,
    };
    for board in &pipeline.boards {
        create_board::<PriceUpdate>(&pipeline.board_path(&board.name), options(board.slots))?;
    }
    for process in &pipeline.processes {
        let path = pipeline.presence_path(&process.name);
        create_board::<ProcessState>(&path, options(FEWEST_ROWS))?;
    }
    create_board::<Control>(&pipeline.control_path(), options(FEWEST_ROWS))?;
    // Nobody is at the helm yet who would hear that it must not.
    say(pipeline, Word::at_first(pipeline))
}

fn say(pipeline: &Pipeline, word: Word) -> Result<(), Failure> {
    word.say(&mut BoardWriter::attach(&pipeline.control_path())?)
        .map_err(Failure::other)
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

/// Removes a segment that nobody holds. Processes of a launcher that was killed just now may be on their way out, and
/// hold their roles until the kernel has closed their files.
fn remove_left(path: &Path) -> Result<bool, ipc::Error> {
    let due = Instant::now() + LAST_BREATH;
    loop {
        match remove_abandoned(path) {
            Err(ipc::Error::RoleTaken { .. }) if Instant::now() < due => {
                std::thread::sleep(Duration::from_millis(5));
            }
            done => return done,
        }
    }
}

fn remove_leftovers(directory: &Path) -> Result<usize, Failure> {
    let read = |error| Failure::io(format!("read `{}`", directory.display()), error);
    let mut removed = 0;
    for entry in fs::read_dir(directory).map_err(read)? {
        let path = entry.map_err(read)?.path();
        let is_directory = fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir());
        if is_directory {
            // Nothing of ours, and in the way; no role can be held in it.
            fs::remove_dir_all(&path)
                .map_err(|error| Failure::io(format!("remove `{}`", path.display()), error))?;
            removed += 1;
        } else {
            removed += usize::from(remove_left(&path)?);
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests;
