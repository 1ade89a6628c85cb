//! What two samples say of rings, boards and the processes that hold them. A pure function of the samples.
//!
//! Each ring gets one verdict: that of the fault nearest to its cause. A ring that stands still because its consumer waits for
//! room further on is `blocked`, not `stuck`; `blocked` finds where the blockage begins. A process is judged by what it says of
//! itself, or else gets the worst verdict of those rings whose trouble is its own doing. What follows from another fault names it
//! as its cause.

mod blocked;
mod misplaced;
mod opinion;
mod process;
mod ring;
mod role;
#[cfg(test)]
mod tests;

use crate::{presence::Vitals, sample::Sample};
use ipc::Kind;
pub(crate) use misplaced::Words;
use serde::Serialize;
use std::time::Duration;

/// From when on something is trouble.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Nothing heard of a producer for as long: it is stale.
    pub(crate) stale: Duration,
    /// A ring that is full sooner, as things go, is slow.
    pub(crate) soon: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            stale: Duration::from_secs(1),
            soon: Duration::from_secs(60),
        }
    }
}

/// A verdict, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// No sound segment, or counters that contradict each other.
    Corrupt,
    /// The system does not let us look.
    Unreadable,
    /// Each side is alone on a file of its own.
    Misplaced,
    /// A role is empty, and its last holder has not said goodbye.
    Dead,
    /// Attached, messages wait, and the position does not move.
    Stuck,
    /// The producer finds no room; the consumer works.
    Full,
    /// Attached, and nothing was heard for longer than a bound.
    Stale,
    /// The consumer keeps up with the producer no more.
    Slow,
    /// Held up by another ring, which has a verdict of its own.
    Blocked,
    /// A role that nobody has taken yet.
    Missing,
    /// A role is empty after a goodbye.
    Closed,
    /// Nothing to do.
    Idle,
    /// Messages flow.
    Ok,
}

impl Verdict {
    /// Its name in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Corrupt => "corrupt",
            Self::Unreadable => "unreadable",
            Self::Misplaced => "misplaced",
            Self::Dead => "dead",
            Self::Stuck => "stuck",
            Self::Full => "full",
            Self::Stale => "stale",
            Self::Slow => "slow",
            Self::Blocked => "blocked",
            Self::Missing => "missing",
            Self::Closed => "closed",
            Self::Idle => "idle",
            Self::Ok => "ok",
        }
    }
}

/// What is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Subject {
    Ring,
    Board,
    Process,
}

impl Subject {
    /// Its name in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            Self::Board => "board",
            Self::Process => "process",
        }
    }
}

/// Somebody who holds a role, as it calls itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Party {
    pub(crate) name: String,
    /// In its own PID namespace.
    pub(crate) pid: u32,
}

/// A verdict with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Judgement {
    pub(crate) pipeline: String,
    pub(crate) subject: Subject,
    /// Of the ring, board or process.
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    /// Whether somebody should do something about it.
    pub(crate) trouble: bool,
    /// Whose doing it is.
    pub(crate) culprit: Option<Party>,
    /// In numbers.
    pub(crate) evidence: String,
    /// What to do; empty where nothing is.
    pub(crate) next: String,
    /// Seconds for which it has been so at least.
    pub(crate) since_s: Option<f64>,
    /// Seconds until the ring is full, as things go.
    pub(crate) full_in_s: Option<f64>,
    /// The fault that this one follows from, such as `process game_shard.0`; none where it is one of its own.
    pub(crate) cause: Option<String>,
    /// Of a process that says how it is.
    pub(crate) vitals: Option<Vitals>,
}

impl Judgement {
    /// What it is about: `ring orders`.
    fn label(&self) -> String {
        format!("{} {}", self.subject.name(), self.name)
    }

    /// Where its fault begins.
    fn origin(&self) -> String {
        self.cause.clone().unwrap_or_else(|| self.label())
    }

    fn is_of(&self, other: &Self) -> bool {
        (&self.pipeline, self.subject, &self.name) == (&other.pipeline, other.subject, &other.name)
    }
}

/// Judges everything in `after`, by what has changed since `before`, and by what processes said of the files they have. The worst
/// comes first, and each before what follows from it.
pub(crate) fn judge(
    before: &[Sample],
    after: &[Sample],
    words: &[Words],
    bounds: &Bounds,
) -> Vec<Judgement> {
    let mut judged: Vec<Judgement> = after
        .iter()
        .map(|sample| {
            let earlier = before.iter().find(|earlier| earlier.file == sample.file);
            ring::Case::new(sample, earlier, after, bounds).judge()
        })
        .collect();
    let misplaced: Vec<Judgement> = words.iter().flat_map(misplaced::judge).collect();
    let mut elsewhere = Vec::new();
    for one in &misplaced {
        match judged.iter_mut().find(|known| known.is_of(one)) {
            Some(known) => known.clone_from(one),
            None => elsewhere.push(one.clone()),
        }
    }
    blocked::find_causes(after, &mut judged);
    let mut processes = process::judge(before, after, &mut judged, bounds);
    misplaced::explain_absences(words, &misplaced, &mut processes);
    // The board of a process is judged as that process.
    let segments = judged.into_iter().zip(after);
    let segments = segments.filter(|(_, sample)| sample.file.process().is_none());
    let mut judged: Vec<Judgement> = segments.map(|(one, _)| one).collect();
    judged.extend(elsewhere);
    judged.extend(processes);
    judged.sort_by(|a, b| {
        let key = |one: &Judgement| (!one.trouble, one.verdict, one.cause.is_some(), one.subject);
        key(a)
            .cmp(&key(b))
            .then_with(|| (&a.pipeline, &a.name).cmp(&(&b.pipeline, &b.name)))
    });
    judged
}

/// What a segment is.
fn subject(sample: &Sample) -> Subject {
    match &sample.reading {
        Ok(reading) if reading.kind == Kind::Board => Subject::Board,
        Err(_) if sample.file.board => Subject::Board,
        _ => Subject::Ring,
    }
}
