//! Why a pipeline file, or what it names, cannot be had: one line for its user.

use std::{io, path::PathBuf};

/// Why a pipeline file cannot be used. What it says wrongly is a list of faults instead: see
/// [`crate::Pipeline::faults`].
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read pipeline file `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// It is not of this form.
    #[error("pipeline file `{}`: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where, and what was expected there.
        source: Box<toml::de::Error>,
    },
    /// The number of no group.
    #[error("ring_group = \"{0}\" is no group; give its name or number")]
    NoGroup(String),
    /// The name of no group of this host.
    #[error(
        "ring_group = \"{0}\" is no group of this host; create it with `groupadd`, or give its number"
    )]
    UnknownGroup(String),
    /// The host's groups cannot be read.
    #[error("cannot look up the group `{name}`: {source}")]
    GroupLookUp {
        /// The group.
        name: String,
        /// The system's answer.
        source: io::Error,
    },
}
