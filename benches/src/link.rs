//! Where the two ends of a transport find each other.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One way from one process to another.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Link {
    /// A directory in memory, of this run alone.
    pub directory: PathBuf,
    /// A name that no other link of the run has; letters, digits and hyphens.
    pub name: String,
    /// How many messages must fit, where the transport has a bound.
    pub slots: u32,
    /// The servers of this run.
    pub servers: Servers,
}

impl Link {
    /// A file of this link.
    #[must_use]
    pub fn file(&self, extension: &str) -> PathBuf {
        self.directory.join(format!("{}.{extension}", self.name))
    }
}

/// Where the servers of a run listen; `None` for one that was not started.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Servers {
    /// `redis-server`.
    pub redis: Option<Address>,
    /// `nats-server`, over TCP only.
    pub nats_port: Option<u16>,
    /// Directory of the Aeron media driver.
    pub aeron: Option<PathBuf>,
}

/// Of a server that can be reached both ways.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Address {
    /// Its Unix socket.
    pub socket: PathBuf,
    /// Its port on the loopback.
    pub port: u16,
}
