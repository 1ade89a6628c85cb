//! What two samples say of rings, boards and the processes that hold them. A pure function of the samples.
//!
//! Each ring gets one verdict: that of the fault nearest to its cause. A ring that stands still because its consumer waits for
//! room further on is `blocked`, not `stuck`; `blocked` finds where the blockage begins. A process gets the worst verdict
//! of those rings whose trouble is its own doing.

mod blocked;
mod opinion;
mod ring;
mod role;
#[cfg(test)]
mod tests;

use crate::sample::Sample;
use ipc::Kind;
use role::Standing;
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

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
}

/// Judges everything in `after`, by what has changed since `before`. The worst comes first.
pub(crate) fn judge(before: &[Sample], after: &[Sample], bounds: &Bounds) -> Vec<Judgement> {
    let mut judged: Vec<Judgement> = after
        .iter()
        .map(|sample| {
            let earlier = before.iter().find(|earlier| earlier.file == sample.file);
            ring::Case::new(sample, earlier, after, bounds).judge()
        })
        .collect();
    blocked::find_causes(after, &mut judged);
    let processes = processes(after, &judged);
    judged.extend(processes);
    judged.sort_by(|a, b| {
        let key = |one: &Judgement| (!one.trouble, one.verdict, one.subject);
        key(a)
            .cmp(&key(b))
            .then_with(|| (&a.pipeline, &a.name).cmp(&(&b.pipeline, &b.name)))
    });
    judged
}

/// One judgement for each process that holds a role, or should.
fn processes(samples: &[Sample], judged: &[Judgement]) -> Vec<Judgement> {
    let mut parties: BTreeMap<(&str, Party), Vec<usize>> = BTreeMap::new();
    for (index, sample) in samples.iter().enumerate() {
        for standing in role::standings(sample) {
            let gone = standing.state == role::State::Left;
            if let Some(party) = standing.party.filter(|_| !gone) {
                let key = (sample.file.pipeline.as_str(), party);
                parties.entry(key).or_default().push(index);
            }
        }
    }
    let of = |((pipeline, party), rings): ((&str, Party), Vec<usize>)| {
        let about = rings.iter().map(|index| &judged[*index]);
        let own = |one: &&Judgement| one.culprit.as_ref() == Some(&party);
        let guilty = about.clone().filter(own).min_by_key(|one| one.verdict);
        let held_up = || about.clone().find(|one| is_held_up(one, &party, samples));
        let (cause, verdict) = match (
            guilty.or_else(held_up),
            about.clone().max_by_key(|one| one.verdict),
        ) {
            (Some(cause), _) => (Some(cause), cause.verdict),
            (None, Some(best)) if best.verdict == Verdict::Ok => (None, Verdict::Ok),
            (None, _) => (None, Verdict::Idle),
        };
        let evidence = match cause {
            Some(cause) => format!("{}: {}", cause.name, cause.evidence),
            None => roles(&party, &rings, samples),
        };
        Judgement {
            pipeline: pipeline.to_owned(),
            subject: Subject::Process,
            name: party.name.clone(),
            verdict,
            trouble: cause.is_some_and(|cause| cause.trouble),
            next: cause.map(|cause| cause.next.clone()).unwrap_or_default(),
            since_s: cause.and_then(|cause| cause.since_s),
            full_in_s: None,
            culprit: Some(party),
            evidence,
        }
    };
    parties.into_iter().map(of).collect()
}

/// Whether a blocked ring is so because this process waits.
fn is_held_up(one: &Judgement, party: &Party, samples: &[Sample]) -> bool {
    let sample = samples.iter().find(|sample| {
        (&sample.file.pipeline, &sample.file.name) == (&one.pipeline, &one.name)
            && sample.file.board == (one.subject == Subject::Board)
    });
    let consumes = |standing: Standing| {
        standing.role == ipc::Role::Consumer && standing.party.as_ref() == Some(party)
    };
    one.verdict == Verdict::Blocked
        && sample.is_some_and(|sample| role::standings(sample).into_iter().any(consumes))
}

/// What a process that nothing is wrong with does.
fn roles(party: &Party, rings: &[usize], samples: &[Sample]) -> String {
    let mut parts = [("reads", Vec::new()), ("writes", Vec::new())];
    for index in rings {
        let sample = &samples[*index];
        for standing in role::standings(sample) {
            if standing.party.as_ref() == Some(party) {
                let writes = standing.role == ipc::Role::Producer;
                parts[usize::from(writes)].1.push(sample.file.name.clone());
            }
        }
    }
    let parts = parts.into_iter().filter(|(_, rings)| !rings.is_empty());
    let parts = parts.map(|(what, rings)| format!("{what} {}", rings.join(", ")));
    parts.collect::<Vec<_>>().join("; ")
}

/// What a segment is.
fn subject(sample: &Sample) -> Subject {
    match &sample.reading {
        Ok(reading) if reading.kind == Kind::Board => Subject::Board,
        Err(_) if sample.file.board => Subject::Board,
        _ => Subject::Ring,
    }
}
