//! Why a process could not do its work: one line for its user, never a stack trace.

/// What ended a process.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A ring or board.
    #[error(transparent)]
    Ipc(#[from] ipc::Error),
    /// A message could not be delivered.
    #[error("cannot send on `{link}`: {cause}")]
    Undelivered {
        /// The ring.
        link: String,
        /// Why.
        cause: String,
    },
    /// The pipeline file cannot be had.
    #[error(transparent)]
    File(#[from] pipeline::FileError),
    /// What the pipeline file says.
    #[error("{0}")]
    Configuration(String),
    /// A file or socket.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried, with its object.
        action: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Anything else, already in words.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// A failure of the operating system while doing `action`, such as ``"write `x.ready`"``.
    pub fn io(action: impl Into<String>, source: impl Into<std::io::Error>) -> Self {
        Self::Io {
            action: action.into(),
            source: source.into(),
        }
    }

    /// A failure already in words.
    pub fn other(text: impl std::fmt::Display) -> Self {
        Self::Other(text.to_string())
    }
}
