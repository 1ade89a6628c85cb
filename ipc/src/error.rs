//! What can go wrong when a segment is created or attached, and why a message is not pushed or popped.

use crate::{board::BoardError, role::Role};
use std::{io, path::PathBuf, time::Duration};

/// Why a segment could not be created, attached or removed. Every text says what, where, found and
/// expected, and the fix.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// No such segment.
    #[error("segment {} does not exist\n  fix: start the pipeline's launcher first, or check the ring directory; containers must share it by a bind mount", path.display())]
    NotFound {
        /// The file looked for.
        path: PathBuf,
    },
    /// The file's owner, group and mode do not let us. The path, what was tried, and whose it is.
    #[error("may not {action} {}: {reason}\n  fix: run as its owner; or create it with a group of ours, and mode 640 to let that observe, 660 to let it take roles", path.display())]
    Denied {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Who we are, and whose it is.
        reason: String,
    },
    /// A segment of that name is there already.
    #[error("segment {} exists already\n  fix: remove it with `remove_abandoned` when no process holds it", path.display())]
    Exists {
        /// The file in the way.
        path: PathBuf,
    },
    /// The file system has no room. Nothing was created.
    #[error("no room for segment {}: {needed} bytes needed, {available} available in its file system\n  fix: enlarge it (`mount -o remount,size=...`) or lower the depth of the ring", path.display())]
    NoSpace {
        /// The segment to be created.
        path: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes available.
        available: u64,
    },
    /// The file is not a segment, is half-written, or states an impossible geometry.
    #[error("{} is not a usable segment: {reason}\n  fix: start its pipeline's launcher again, which replaces what nobody holds (`remove_abandoned`)", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What about it.
        reason: String,
    },
    /// The segment was written by another version of this library.
    #[error("segment {} has format {found}, this program reads format {expected}\n  fix: build all processes from one commit and start the pipeline's launcher again, which replaces it once nobody holds it (`remove_abandoned`)", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Format in the file.
        found: u32,
        /// Format of this library.
        expected: u32,
    },
    /// The segment carries another message.
    #[error("segment {} carries another layout than this program expects\n{difference}  fix: build all processes from one commit and start the pipeline again", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// What differs, one fact a line.
        difference: String,
    },
    /// A ring was opened as a board or the other way round.
    #[error("segment {} is a {found}, opened as a {expected}\n  fix: open it as what it is, or look whether the path is meant", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// Kind in the file.
        found: &'static str,
        /// Kind expected.
        expected: &'static str,
    },
    /// A row of a board has no value to show.
    #[error("board {}: {source}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: BoardError,
    },
    /// The options are impossible.
    #[error("cannot create {}: {reason}", path.display())]
    Options {
        /// The segment to be created.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Another process holds the role.
    #[error("another live process is the {role} of {}, or this one is already\n  fix: stop it first; a stopped (SIGSTOP) process still holds its role", path.display())]
    RoleTaken {
        /// The file.
        path: PathBuf,
        /// The role.
        role: Role,
    },
    /// The counters in the segment contradict each other.
    #[error("segment {} is damaged: {reason}\n  fix: stop the pipeline and start its launcher again, which replaces the file", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The contradiction.
        reason: String,
    },
}

impl Error {
    pub(crate) fn io(
        action: &'static str,
        path: &std::path::Path,
        source: impl Into<io::Error>,
    ) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            source: source.into(),
        }
    }
}

/// Why a message was not pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// Every slot holds a message that the consumer has not committed.
    #[error("the ring is full")]
    Full,
    /// The consumer's page states an impossible position; nothing was overwritten.
    #[error(
        "the consumer states position {position}, but only {published} messages were published"
    )]
    PeerDamaged {
        /// Position that the consumer states.
        position: u64,
        /// Messages published.
        published: u64,
    },
}

/// Why no message was popped. Whatever was published before is popped first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PopError {
    /// There is none yet. The producer lives, or has not come yet.
    #[error("the ring is empty")]
    Empty,
    /// The producer has said goodbye and let its role go. A successor may attach; then it is `Empty`.
    #[error("the ring is empty, and its producer has said goodbye")]
    Closed,
    /// The producer is gone without a goodbye: it died, or called `exit` without dropping its producer. A
    /// successor may attach; then it is `Empty`. A stopped process is not dead, and one whose memory the
    /// kernel still dumps is not gone.
    #[error("the ring is empty, and its producer is dead")]
    PeerDead,
    /// Nothing was heard of the producer for longer than the bound that the consumer has set.
    #[error("the ring is empty, and nothing was heard of its producer for {age:?}")]
    Stale {
        /// How long.
        age: Duration,
    },
    /// The ring is in a state that no producer of this library leaves. This consumer reads nothing
    /// more from it.
    #[error("the ring is damaged, and nothing more is read from it")]
    Damaged,
}
