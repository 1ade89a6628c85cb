//! Why a pipeline file, or what it names, cannot be had: one line for its user.

use crate::redis_address::shown;
use std::{io, path::PathBuf};

/// A text that shows lines of the file, one of which may be the address of Redis.
fn without_password(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        if line.contains("://") {
            shown(line)
        } else {
            line.to_owned()
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

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
    #[error("pipeline file `{}`: {}", path.display(), without_password(&source.to_string()))]
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The parser shows the line that it does not understand.
    #[test]
    fn a_malformed_file_does_not_show_the_password_in_it() {
        let source = toml::from_str::<crate::Pipeline>(
            "[redis]\nurl = redis://:s3cr3t@127.0.0.1:6379 # \"forgotten\"\n",
        );
        let error = FileError::Malformed {
            path: "a.toml".into(),
            source: Box::new(source.unwrap_err()),
        };
        let told = error.to_string();
        assert!(told.contains("redis://***@127.0.0.1:6379"), "{told}");
        assert!(!told.contains("s3cr3t"), "{told}");
    }
}
