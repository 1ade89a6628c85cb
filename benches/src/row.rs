//! One line of a report, and what a run leaves behind as JSON: the only thing that tables, plots and
//! comparisons read.

use crate::conditions::Conditions;
use serde::{Deserialize, Deserializer, Serialize};

/// Everything that a run found out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    /// Under what circumstances.
    pub conditions: Conditions,
    /// What was aimed at.
    pub targets: Vec<Target>,
    /// What was claimed before anything was measured, beside what was.
    pub claims: Vec<Claim>,
    /// What came out, experiment by experiment, in the order of the run.
    pub rows: Vec<Row>,
    /// What takes part and has no row, and why.
    pub absent: Vec<Absent>,
}

/// One aim.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Target {
    /// What is compared.
    pub name: String,
    /// The bar.
    pub bar: Bar,
    /// What it is; `None` where it came out as no number.
    pub value: Option<f64>,
    /// Whether that is enough.
    pub met: bool,
}

/// How a target is judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bar {
    /// Not more than this.
    AtMost(f64),
    /// Not less than this.
    AtLeast(f64),
}

/// A figure of the proposal that this project grew from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claim {
    /// Of what, such as `one hop over Redis pub/sub`.
    pub what: String,
    /// As it was claimed or asked for, such as `15-20 ms`.
    pub claimed: String,
    /// What was measured, ns; `None` where this run did not.
    pub measured_ns: Option<f64>,
    /// Which row that is from.
    pub from: String,
}

/// A contender without a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Absent {
    /// The experiment.
    pub experiment: String,
    /// Who.
    pub name: String,
    /// Why, and what would make it take part.
    pub reason: String,
}

/// How the receiving end waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Waiting {
    /// Looks again and again, and keeps its core.
    Spins,
    /// Looks, and lets others run.
    Yields,
    /// Sleeps in the kernel until woken.
    Sleeps,
}

/// What stands between the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Between {
    /// Two processes.
    Processes,
    /// Two threads of one process.
    Threads,
    /// Two processes, and a server that carries every message.
    Server,
    /// Nothing: one thread.
    Nothing,
}

/// One line. Times in ns.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    /// The experiment, such as `hop`.
    pub experiment: String,
    /// Who, such as `redis pub/sub, unix`.
    pub name: String,
    /// `fixed` layout or `json`; `None` where no message is encoded.
    pub encoding: Option<String>,
    /// What stands between the sides.
    pub between: Between,
    /// How the receiver waits.
    pub waiting: Waiting,
    /// Size of the messages, bytes, as fixed layout.
    pub message_bytes: Option<u32>,
    /// Messages that fit into the transport at once.
    pub slots: Option<u32>,
    /// Rings that one reader polls.
    pub rings: Option<u32>,
    /// Time between two messages.
    pub gap_us: Option<u64>,
    /// Messages a second that were due.
    pub offered_per_s: Option<f64>,
    /// Messages a second that arrived.
    pub achieved_per_s: Option<f64>,
    /// Messages that never arrived, where the transport may lose some.
    pub lost: Option<u64>,
    /// Windows measured.
    pub windows: usize,
    /// Single times behind the percentiles.
    pub samples: u64,
    /// Median over the windows of the window's mean (of its median, where messages are timed from
    /// when they were due).
    #[serde(deserialize_with = "number_or_null")]
    pub level_ns: f64,
    /// Median of the single times.
    #[serde(deserialize_with = "number_or_null")]
    pub p50_ns: f64,
    /// 99th percentile.
    #[serde(deserialize_with = "number_or_null")]
    pub p99_ns: f64,
    /// 99.9th percentile.
    #[serde(deserialize_with = "number_or_null")]
    pub p999_ns: f64,
    /// 99.99th percentile.
    #[serde(deserialize_with = "number_or_null")]
    pub p9999_ns: f64,
    /// Greatest; nothing is dropped.
    #[serde(deserialize_with = "number_or_null")]
    pub max_ns: f64,
    /// `[share of the single times, ns]`, from 0 to 1, for drawing the whole distribution.
    pub curve: Vec<[f64; 2]>,
    /// Name of the floor that it is compared with.
    pub floor: String,
    /// The floor's median over its windows.
    #[serde(deserialize_with = "number_or_null")]
    pub floor_ns: f64,
    /// Median of the ratios to the floor's window of the same round.
    pub ratio_to_floor: Option<f64>,
    /// 95 % confidence interval of that median.
    pub ratio_to_floor_interval: Option<[f64; 2]>,
    /// How many ratios these are of: the rounds in which neither side lost its core.
    pub rounds_compared: usize,
    /// Median of the ratios to the window of `rtrb`, where it took part.
    pub ratio_to_rtrb: Option<f64>,
    /// Median of the ratios to our ring as it is used by default, where it took part.
    pub ratio_to_ours: Option<f64>,
    /// Median of what the window took longer than the floor's of the same round: the transport
    /// alone, where the floor is the same work without a transport.
    pub over_floor_ns: Option<f64>,
    /// Processor time of the receiving side, percent of one core.
    pub cpu_percent: Option<f64>,
    /// Median cost of sending, on the sender's side.
    pub push_ns: Option<f64>,
}

/// JSON has no word for what is no number: it is written as null.
fn number_or_null<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::NAN))
}

impl Row {
    /// How it is encoded and named, in one phrase.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.encoding {
            Some(encoding) if encoding == "json" => format!("{}, JSON", self.name),
            _ => self.name.clone(),
        }
    }
}
