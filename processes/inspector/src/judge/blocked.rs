//! Which trouble is the consequence of which: along the rings, against the flow.

use super::{Judgement, Party, Verdict, role};
use crate::sample::Sample;
use ipc::{Kind, Role};
use std::collections::BTreeSet;

/// What may be the consequence of a ring further on that has no room.
const CONSEQUENCES: [Verdict; 4] = [Verdict::Stuck, Verdict::Full, Verdict::Slow, Verdict::Stale];

/// Makes those rings `blocked` whose trouble is that a process waits for room in another. `judged` has one entry for
/// each sample, in the same order.
pub(super) fn find_causes(samples: &[Sample], judged: &mut [Judgement]) {
    let causes: Vec<Option<usize>> = (0..samples.len())
        .map(|index| first_cause(samples, judged, index))
        .collect();
    for (index, cause) in causes.into_iter().enumerate() {
        let Some(cause) = cause else { continue };
        let (name, verdict) = (judged[cause].name.clone(), judged[cause].verdict.name());
        judged[index].cause = Some(judged[cause].origin());
        let waits = judged[index].culprit.take();
        let waits = waits.map_or("its process".into(), |Party { name, pid }| {
            format!("{name} (pid {pid})")
        });
        judged[index].evidence = format!(
            "{waits} waits for room in {name}, which is {verdict}: {}",
            judged[index].evidence
        );
        judged[index].next = format!("nothing here: see {name}");
        judged[index].verdict = Verdict::Blocked;
    }
}

/// The ring at which the chain of those that wait for each other ends; none where it is this one, or a circle.
fn first_cause(samples: &[Sample], judged: &[Judgement], index: usize) -> Option<usize> {
    let (mut seen, mut at) = (BTreeSet::from([index]), index);
    while let Some(next) = awaited(samples, judged, at) {
        if !seen.insert(next) {
            return None;
        }
        at = next;
    }
    (at != index).then_some(at)
}

/// A full ring whose producer is who makes the trouble of this one.
fn awaited(samples: &[Sample], judged: &[Judgement], index: usize) -> Option<usize> {
    let trouble = &judged[index];
    let culprit = trouble.culprit.as_ref()?;
    if !CONSEQUENCES.contains(&trouble.verdict) {
        return None;
    }
    let same_pipeline = |other: &Sample| other.file.pipeline == samples[index].file.pipeline;
    let waits_there = |sample: &Sample| {
        let Ok(reading) = &sample.reading else {
            return false;
        };
        let producer = role::Standing::of(reading, Role::Producer);
        let full = reading.depth() >= Some(u64::from(reading.capacity));
        reading.kind == Kind::Lossless
            && full
            && producer.state == role::State::Attached
            && producer.party.as_ref() == Some(culprit)
    };
    (0..samples.len()).find(|other| {
        *other != index
            && judged[*other].trouble
            && same_pipeline(&samples[*other])
            && waits_there(&samples[*other])
    })
}
