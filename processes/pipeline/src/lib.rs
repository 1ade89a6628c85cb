//! The pipeline file: what runs, where, and through which rings. Parsed and validated as a whole,
//! before anything starts, with every fault reported at once.

pub mod attendance;
mod duration;
mod error;
mod faults;
mod presence;
mod priority;
pub mod redis_address;
mod supervision;
mod wait;

pub use duration::duration;
pub use error::FileError;
pub use faults::PROGRAMS;
pub use presence::{presence_board, presence_of};
pub use priority::{NoPriority, RealTime};
pub use supervision::Supervision;
pub use wait::Wait;

use nix::unistd::Group;
use serde::{Deserialize, Serialize};
use stages::{limits::Limits, model::Model};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Name of the board that every pipeline has: see [`Pipeline::control_path`].
pub const CONTROL: &str = "control";

/// A whole pipeline file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// Name of the pipeline: prefix of its Redis keys and name of its directories.
    pub name: String,
    /// Directory of the rings; the pipeline's own lie in `<rings>/<name>/`.
    #[serde(default = "default_rings")]
    pub rings: PathBuf,
    /// Mode of the rings: 0600, or with a group 0640 (it may observe) or 0660 (it may take roles).
    #[serde(default = "default_ring_mode")]
    pub ring_mode: u32,
    /// The group that `ring_mode` gives rights to, by name or number.
    pub ring_group: Option<String>,
    /// Directory of sockets, logs, the database and the ready files; `/tmp/arbees/<name>` by default.
    #[serde(default)]
    pub run_dir: PathBuf,
    /// Identity of this launch, 16 hex digits; client order ids carry it. Set by the launcher.
    #[serde(default)]
    pub run_id: String,
    /// How hot loops wait for messages.
    #[serde(default)]
    pub wait: Wait,
    /// Whether hot processes keep all of their memory in RAM, not their rings alone.
    #[serde(default)]
    pub lock_memory: bool,
    /// What carries messages from process to process.
    #[serde(default)]
    pub hot_path: HotPath,
    /// The stages work on recorded messages, whose time is their own. Set by `shm-inspect replay`, never
    /// in a pipeline that trades.
    #[serde(default)]
    pub replay: bool,
    /// Orders are written to a file in the run directory, and none is sent. Set by `launch --dry-orders`.
    #[serde(default)]
    pub dry_orders: bool,
    /// The exchange. Filled in by the launcher when the simulator stands in for it.
    #[serde(default)]
    pub venue: Venue,
    /// The scoreboard feed.
    pub feed: Feed,
    /// PEM file with the certificate authorities that vouch for venue and feed, in place of the host's own.
    /// Filled in by the launcher when the simulator makes its certificate.
    #[serde(default)]
    pub ca_file: PathBuf,
    /// The cold path.
    #[serde(default)]
    pub redis: Redis,
    /// What may be risked.
    pub limits: Limits,
    /// What counts as an opportunity.
    pub model: Model,
    /// When to stop making orders.
    #[serde(default)]
    pub safety: Safety,
    /// How the launcher answers deaths.
    #[serde(default)]
    pub supervision: Supervision,
    /// The simulator of venue and feed; without it `venue` and `feed` must name real ones.
    pub simulator: Option<Simulator>,
    /// The processes, in data-flow order, which is also the order of stopping.
    #[serde(rename = "process")]
    pub processes: Vec<Process>,
    /// The rings.
    #[serde(rename = "link")]
    pub links: Vec<Link>,
    /// The latest-value boards.
    #[serde(rename = "board", default)]
    pub boards: Vec<Board>,
}

impl Pipeline {
    /// Reads a pipeline file. Its meaning is judged by [`Pipeline::faults`].
    ///
    /// # Errors
    ///
    /// When it cannot be read or is not of this form; the text names line and column.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let text = fs::read_to_string(path).map_err(|source| FileError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let mut pipeline: Self = toml::from_str(&text).map_err(|error| FileError::Malformed {
            path: path.to_owned(),
            source: Box::new(error),
        })?;
        if pipeline.run_dir.as_os_str().is_empty() {
            pipeline.run_dir = Path::new("/tmp/arbees").join(&pipeline.name);
        }
        Ok(pipeline)
    }

    /// Directory of this pipeline's rings and boards.
    #[must_use]
    pub fn ring_dir(&self) -> PathBuf {
        self.rings.join(&self.name)
    }

    /// File of a ring.
    #[must_use]
    pub fn ring_path(&self, link: &str) -> PathBuf {
        self.ring_dir().join(format!("{link}.ring"))
    }

    /// File of a board.
    #[must_use]
    pub fn board_path(&self, board: &str) -> PathBuf {
        self.ring_dir().join(format!("{board}.board"))
    }

    /// File of the board on which a process says how it is.
    #[must_use]
    pub fn presence_path(&self, process: &str) -> PathBuf {
        self.board_path(&presence_board(process))
    }

    /// File of the board by which the launcher tells the processes whether to trade, and within which limits.
    /// Every pipeline has it; the pipeline file does not name it.
    #[must_use]
    pub fn control_path(&self) -> PathBuf {
        self.board_path(CONTROL)
    }

    /// Where orders go that are not to be sent.
    #[must_use]
    pub fn dry_orders_file(&self) -> PathBuf {
        self.run_dir.join("dry_orders.jsonl")
    }

    /// Its presence in the run directory keeps the pipeline in the safe state.
    #[must_use]
    pub fn safe_file(&self) -> PathBuf {
        self.run_dir.join("safe")
    }

    /// Number of the group that the rings are shared with; `None` where they are private.
    ///
    /// # Errors
    ///
    /// When the host has no such group, or there can be none.
    pub fn ring_gid(&self) -> Result<Option<u32>, FileError> {
        let Some(name) = &self.ring_group else {
            return Ok(None);
        };
        if let Ok(number) = name.parse() {
            // To the kernel it means that a file keeps the group that it has.
            if number == u32::MAX {
                return Err(FileError::NoGroup(name.clone()));
            }
            return Ok(Some(number));
        }
        match Group::from_name(name) {
            Ok(Some(group)) => Ok(Some(group.gid.as_raw())),
            Ok(None) => Err(FileError::UnknownGroup(name.clone())),
            Err(error) => Err(FileError::GroupLookUp {
                name: name.clone(),
                source: error.into(),
            }),
        }
    }

    /// Number of shards: of processes that run `game_shard`.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.processes
            .iter()
            .filter(|process| process.program() == "game_shard")
            .count()
    }
}

/// What carries messages from process to process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HotPath {
    /// Rings in shared memory.
    #[default]
    Rings,
    /// Redis pub/sub in JSON, to measure the rings against; in no program that is not built for that.
    Redis,
}

impl HotPath {
    /// Why a pipeline file that asks for it is refused by programs that do not have it.
    pub const NOT_BUILT: &str = "hot_path = \"redis\" is a baseline to measure the rings against, which these programs do not contain; leave the line out, or build them with `--features processes/redis-hot-path`";

    /// Whether these programs have it.
    #[must_use]
    pub const fn is_built(self) -> bool {
        matches!(self, Self::Rings) || cfg!(feature = "redis-hot-path")
    }
}

/// Where the exchange is and who we are there.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Venue {
    /// Base of the REST interface, such as `http://127.0.0.1:9000/trade-api/v2`.
    #[serde(default)]
    pub rest: String,
    /// Address of the WebSocket, such as `ws://127.0.0.1:9000/trade-api/ws/v2`.
    #[serde(default)]
    pub websocket: String,
    /// The key's id at the venue, a UUID.
    #[serde(default)]
    pub key_id: String,
    /// PKCS#8 PEM file of the private key, Ed25519 or RSA, readable by its owner only.
    #[serde(default)]
    pub key_file: PathBuf,
}

/// The scoreboard feed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// Base of the scoreboards, such as `http://127.0.0.1:9001/apis/site/v2/sports`.
    #[serde(default)]
    pub url: String,
    /// `sport/league` paths, such as `football/nfl`.
    pub leagues: Vec<String>,
    /// Time between two polls of one league, milliseconds.
    pub poll_ms: u64,
}

/// The cold path's server.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// `redis://` or `unix://` address; empty: the launcher starts a private server on a Unix socket.
    #[serde(default)]
    pub url: String,
    /// Time between two heartbeats of a process, milliseconds.
    #[serde(default = "default_heartbeat_ms")]
    pub heartbeat_ms: u64,
}

/// From when on trading is halted: a feed counts as lost, clocks as apart, books as wrong.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Safety {
    /// Longest time without a good price of any market of a live game, milliseconds.
    pub max_price_silence_ms: u64,
    /// Longest time without a state of any live game, milliseconds.
    pub max_game_silence_ms: u64,
    /// Longest time that a league's document with a live game may stay what it was, to the byte, and its games
    /// fresh, milliseconds.
    pub max_feed_frozen_ms: u64,
    /// How far the venue's clock and ours may be apart, the way of its prices included, milliseconds.
    pub max_clock_skew_ms: u64,
    /// Longest time without a sign of life of the venue on its WebSocket, which is asked for one, milliseconds.
    pub max_venue_silence_ms: u64,
    /// Longest time between the venue's stamp of a change and its arrival here, milliseconds.
    pub max_price_age_ms: u64,
    /// Time between two comparisons of the account with our books, seconds.
    pub audit_every_s: u64,
}

impl Default for Safety {
    fn default() -> Self {
        Self {
            max_price_silence_ms: 10_000,
            max_game_silence_ms: 20_000,
            max_feed_frozen_ms: 120_000,
            max_clock_skew_ms: 2_000,
            max_venue_silence_ms: 3_000,
            max_price_age_ms: 2_000,
            audit_every_s: 60,
        }
    }
}

/// The simulator of venue and feed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Simulator {
    /// Where the games come from.
    pub source: Source,
    /// Seed of everything random.
    #[serde(default)]
    pub seed: u64,
    /// Number of games.
    pub games: usize,
    /// Game seconds in a second of real time.
    pub speed: f64,
    /// Recorded games, with `source = "recorded"`.
    pub from: Option<PathBuf>,
    /// Money at the start, dollars: in equal parts on those of the venue's shards that list a game.
    pub balance_dollars: u32,
    /// One-way network delay, milliseconds: least and greatest.
    pub delay_ms: [f64; 2],
    /// What our account at the exchange may call.
    #[serde(default)]
    pub tier: Tier,
    /// Whether the connections to it are encrypted, with a certificate that it makes at its start.
    #[serde(default)]
    pub tls: bool,
    /// How far its clock is ahead of the host's, milliseconds: to try what follows from that.
    #[serde(default)]
    pub clock_ahead_ms: i64,
    /// One order book change in so many is lost on its way, by chance: to try what follows from that. 0 is none.
    #[serde(default)]
    pub gap_every: u32,
    /// After one order book change in so many, by chance, its listener is hung up on. 0 is never.
    #[serde(default)]
    pub disconnect_every: u32,
    /// Port on loopback of the exchange; 0 takes a free one.
    #[serde(default)]
    pub venue_port: u16,
    /// Port on loopback of the feed; 0 takes a free one.
    #[serde(default)]
    pub feed_port: u16,
}

/// Where simulated games come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Scores and quotes from seeded random processes.
    Generated,
    /// Minutes of real games: real states, real prices, real results.
    Recorded,
}

/// The exchange's tiers of accounts: from 10 orders a second to 800.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the exchange's own names")]
pub enum Tier {
    #[default]
    Basic,
    Advanced,
    Expert,
    Premier,
    Paragon,
    Prime,
    Prestige,
}

/// One process.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Name, unique; `program.N` for the N-th of several.
    pub name: String,
    /// Whether its loop is on the path from tick to order.
    #[serde(default)]
    pub hot: bool,
    /// The core that its loop is pinned to: a CPU's number, or `"auto"` for the launcher to choose.
    pub core: Option<Core>,
    /// Real-time priority of its loop, `"fifo:N"`; without it the kernel shares a core out fairly.
    pub priority: Option<RealTime>,
}

/// Where a loop runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "the number of a CPU, or \"auto\"")]
pub enum Core {
    /// On this CPU.
    Number(usize),
    /// Where the host's topology is best for it; the launcher puts a number in its place, or nothing.
    Auto(Auto),
}

/// The word `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the word itself")]
pub enum Auto {
    Auto,
}

impl Process {
    /// The program that it runs: the name up to the dot.
    #[must_use]
    pub fn program(&self) -> &str {
        self.name.split('.').next().unwrap_or(&self.name)
    }

    /// The CPU that it is pinned to, where that is decided.
    #[must_use]
    pub fn cpu(&self) -> Option<usize> {
        match self.core {
            Some(Core::Number(cpu)) => Some(cpu),
            Some(Core::Auto(_)) | None => None,
        }
    }

    /// The number after the dot, 0 where there is none.
    #[must_use]
    pub fn index(&self) -> u8 {
        self.name
            .split_once('.')
            .and_then(|(_, index)| index.parse().ok())
            .unwrap_or(0)
    }
}

/// One ring.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Name, unique, also the file's.
    pub name: String,
    /// The process that writes.
    pub from: String,
    /// The process that reads.
    pub to: String,
    /// Name of the message.
    pub message: String,
    /// Whether the writer waits for the reader.
    pub kind: LinkKind,
    /// Slots, a power of two.
    pub depth: u32,
}

/// Whether a ring's writer waits for its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// The writer waits: nothing is lost.
    Lossless,
    /// The writer never waits; the reader is told how many it lost.
    LatestWins,
}

/// One latest-value board.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Name, unique, also the file's.
    pub name: String,
    /// The process that writes.
    pub writer: String,
    /// Name of the message.
    pub message: String,
    /// Rows.
    pub slots: u32,
}

fn default_rings() -> PathBuf {
    PathBuf::from("/dev/shm/arbees")
}

fn default_ring_mode() -> u32 {
    0o600
}

fn default_heartbeat_ms() -> u64 {
    10_000
}
