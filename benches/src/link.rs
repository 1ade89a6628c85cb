//! Where the two ends of a transport find each other.

use crate::entry::Needs;
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
    /// Why others did not start; the partners need not know.
    #[serde(skip)]
    pub refused: Vec<(Needs, String)>,
}

impl Servers {
    /// Why who needs that cannot take part; `None` when he can.
    #[must_use]
    pub fn what_is_missing(&self, needs: Needs) -> Option<String> {
        let (there, what) = match needs {
            Needs::Nothing => return None,
            Needs::Redis => (self.redis.is_some(), "redis-server"),
            Needs::Nats => (self.nats_port.is_some(), "nats-server"),
            Needs::Aeron => (self.aeron.is_some(), "the Aeron media driver"),
        };
        let mut refused = self.refused.iter();
        let reason = refused.find_map(|(server, why)| (*server == needs).then(|| why.clone()));
        (!there).then(|| reason.unwrap_or_else(|| format!("{what} did not start")))
    }

    /// Whether it was found not to start.
    #[must_use]
    pub fn is_refused(&self, needs: Needs) -> bool {
        self.refused.iter().any(|(server, _)| *server == needs)
    }
}

/// Of a server that can be reached both ways.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Address {
    /// Its Unix socket.
    pub socket: PathBuf,
    /// Its port on the loopback.
    pub port: u16,
}
