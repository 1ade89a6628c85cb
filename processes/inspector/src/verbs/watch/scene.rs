//! What the dashboard shows at one moment: plain values, from wherever they come.

use crate::{presence::State, sample::Percentiles};
use serde::Serialize;

/// A moment of all pipelines looked at.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Scene {
    /// Their names.
    pub(super) pipelines: Vec<String>,
    /// Seconds over which rates are taken.
    pub(super) over_s: f64,
    /// Seconds since the oldest segment was created.
    pub(super) up_s: Option<f64>,
    /// In data-flow order.
    pub(super) rings: Vec<Ring>,
    /// In data-flow order.
    pub(super) processes: Vec<Process>,
}

/// A ring, or a board.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Ring {
    pub(super) pipeline: String,
    pub(super) name: String,
    pub(super) board: bool,
    pub(super) kind: Option<&'static str>,
    pub(super) message: Option<String>,
    /// Who writes, or was the last to.
    pub(super) from: Option<String>,
    /// Who reads, or was the last to.
    pub(super) to: Option<String>,
    /// Slots, or rows.
    pub(super) capacity: Option<u32>,
    pub(super) published: Option<u64>,
    /// Messages or writes a second.
    pub(super) rate: Option<f64>,
    /// Messages that wait; `None` of a board.
    pub(super) depth: Option<u64>,
    /// Messages lost since creation; `None` of a board.
    pub(super) lost: Option<u64>,
    /// Messages lost a second.
    pub(super) lost_rate: Option<f64>,
    /// Times that the producer found no room, since creation.
    pub(super) full: Option<u64>,
    /// From push to pop, over the last seconds.
    pub(super) hop: Option<Percentiles>,
    /// From the origin of a message to its pop, over the last seconds.
    pub(super) age: Option<Percentiles>,
    /// Seconds since the latest message.
    pub(super) last_s: Option<f64>,
    pub(super) verdict: Word,
    /// Rates of the last half-seconds, the latest last.
    pub(super) history: Vec<f64>,
}

/// A process that holds a role, or should.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Process {
    pub(super) pipeline: String,
    pub(super) name: String,
    /// In its own PID namespace; `None` of one that has never come.
    pub(super) pid: Option<u32>,
    pub(super) verdict: Word,
    /// How far it is; `None` of one that says nothing of itself.
    pub(super) state: Option<State>,
    /// How often it was started again, or a successor took its rings over; `None` where nobody counts.
    pub(super) restarts: Option<u64>,
    /// Seconds since its last sign of life.
    pub(super) beat_s: Option<f64>,
    /// Seconds since it was started.
    pub(super) up_s: Option<f64>,
    /// Percent of one core; `None` where neither it nor `/proc` says.
    pub(super) cpu: Option<f64>,
    /// The core that it is pinned to, or else ran on last.
    pub(super) core: Option<u32>,
    pub(super) reads: Vec<String>,
    pub(super) writes: Vec<String>,
}

/// A verdict as it is shown.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Word {
    pub(super) name: &'static str,
    pub(super) trouble: bool,
    pub(super) evidence: String,
    pub(super) next: String,
    /// The fault that it follows from, if that is another.
    pub(super) cause: Option<String>,
}

/// Which segment: pipeline, name, and whether it is a board.
pub(super) type Key = (String, String, bool);

impl Ring {
    /// Which it is.
    pub(super) fn key(&self) -> Key {
        (self.pipeline.clone(), self.name.clone(), self.board)
    }

    /// How full, 0 to 1; `None` of a board.
    pub(super) fn fill(&self) -> Option<f64> {
        let (depth, capacity) = (self.depth?, self.capacity?);
        Some((crate::sample::float(depth) / f64::from(capacity.max(1))).min(1.0))
    }
}

impl Scene {
    /// A name as it is unique here.
    pub(super) fn label(&self, pipeline: &str, name: &str) -> String {
        if self.pipelines.len() > 1 {
            format!("{pipeline}/{name}")
        } else {
            name.to_owned()
        }
    }

    /// What is in trouble: rings, boards and processes.
    pub(super) fn troubles(&self) -> impl Iterator<Item = (&str, &Word)> {
        let rings = self.rings.iter().map(|ring| (&*ring.name, &ring.verdict));
        let processes = self
            .processes
            .iter()
            .map(|process| (&*process.name, &process.verdict));
        rings.chain(processes).filter(|(_, word)| word.trouble)
    }
}
