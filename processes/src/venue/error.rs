//! What can go wrong between us and the exchange, as one enum.

use std::path::PathBuf;
use thiserror::Error;

/// A failed exchange with the venue.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VenueError {
    /// The key file cannot be read.
    #[error("private key {path} cannot be read: {reason}\n  fix: check venue.key_file in the pipeline file", path = path.display())]
    KeyUnreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        reason: String,
    },
    /// Others than the owner may read the key file.
    #[error("private key {path} has mode {mode:04o}: others than its owner may read it\n  fix: chmod 600 {path}", path = path.display())]
    KeyExposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file belongs to somebody else, who may change it.
    #[error("private key {path} belongs to user {owner}, neither to us nor to root\n  fix: chown it", path = path.display())]
    KeyOfAnother {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// The key is of no kind that the venue accepts.
    #[error(
        "private key is unusable: {reason}\n  expected an Ed25519 or RSA key as PKCS#8 PEM (`-----BEGIN PRIVATE KEY-----`)"
    )]
    KeyInvalid {
        /// What is wrong with it; never the key itself.
        reason: String,
    },
    /// The certificate authorities cannot be used.
    #[error("certificate authorities `{path}` cannot be used: {reason}\n  fix: check `ca_file` in the pipeline file; it is a PEM file", path = path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An address in the pipeline file is no URL, or cannot be used.
    #[error("`{address}` cannot be used as an address: {reason}")]
    Address {
        /// The text.
        address: String,
        /// Why not.
        reason: String,
    },
    /// The venue answered with an error.
    #[error("venue refused {request}: {status} {code}{}{details}", if details.is_empty() { "" } else { ": " })]
    Refused {
        /// Method and path.
        request: String,
        /// HTTP status.
        status: u16,
        /// The venue's code, such as `order_already_exists`; empty where it gave none.
        code: String,
        /// The venue's further words.
        details: String,
    },
    /// Nothing was written: the request cannot have reached the venue.
    #[error("{request} was not sent: {reason}")]
    NotSent {
        /// Method and path.
        request: String,
        /// Why.
        reason: String,
    },
    /// The account's budget does not let it out in time: nothing was written.
    #[error("{request} was not sent: the account may send it in {wait_ms} ms")]
    OverBudget {
        /// Method and path.
        request: String,
        /// When it could be sent.
        wait_ms: u64,
    },
    /// No answer: the request may or may not have reached the venue.
    #[error("no answer to {request}: {reason}")]
    Transport {
        /// Method and path.
        request: String,
        /// Why.
        reason: String,
    },
    /// The answer cannot be understood.
    #[error("answer to {request} cannot be understood: {reason}")]
    Malformed {
        /// Method and path.
        request: String,
        /// Where and why.
        reason: String,
    },
    /// The WebSocket is gone.
    #[error("WebSocket closed: {reason}")]
    Disconnected {
        /// Why.
        reason: String,
    },
}

impl VenueError {
    /// The HTTP status, where the venue answered at all.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The venue's code, where it gave one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Too many requests, by the venue's count or ours: the same request may succeed a little later.
    #[must_use]
    pub fn is_rate_limit(&self) -> bool {
        self.status() == Some(429) || matches!(self, Self::OverBudget { .. })
    }

    /// Whether the request may take effect only later: nobody has answered it, or somebody on its way who has waited
    /// in vain for an answer.
    #[must_use]
    pub fn may_arrive_late(&self) -> bool {
        match self {
            Self::Transport { .. } => true,
            Self::Refused { status, .. } => matches!(status, 408 | 504),
            _ => false,
        }
    }

    /// Whether the request may have taken effect although it failed: ask before acting again.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        match self {
            Self::Transport { .. } | Self::Malformed { .. } | Self::Disconnected { .. } => true,
            Self::Refused { status, .. } => *status >= 500 || *status == 408,
            _ => false,
        }
    }
}
