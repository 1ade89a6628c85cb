//! The order in which data flow through a pipeline, from who holds which role of which ring.

use crate::sample::Sample;
use std::collections::BTreeMap;

/// A pipeline, and the name of a process in it.
pub(crate) type Process = (String, String);

/// Processes in data-flow order: who reads from nobody first. Those in a circle come when most of what they read has come. Those
/// that have nothing but a board on which they say how they are come last.
pub(crate) fn processes(samples: &[Sample]) -> Vec<Process> {
    let speaks = |sample: &&Sample| sample.file.process().is_some();
    let mut order = in_flow(samples.iter().filter(|sample| !speaks(sample)));
    for process in in_flow(samples.iter().filter(speaks)) {
        if !order.contains(&process) {
            order.push(process);
        }
    }
    order
}

fn in_flow<'a>(samples: impl Iterator<Item = &'a Sample>) -> Vec<Process> {
    // By process: from how many rings it reads whose writer has its place, and from how many in all.
    let mut waiting: BTreeMap<Process, (usize, usize)> = BTreeMap::new();
    let ends: Vec<_> = samples.map(ends).collect();
    for (from, to) in &ends {
        for process in [from, to].into_iter().flatten() {
            waiting.entry(process.clone()).or_default();
        }
        if let (Some(_), Some(to)) = (from, to) {
            waiting.entry(to.clone()).or_default().1 += 1;
        }
    }
    let mut order = Vec::new();
    while let Some(next) = next(&waiting) {
        waiting.remove(&next);
        for (from, to) in &ends {
            if from.as_ref() == Some(&next)
                && let Some(to) = to
                && let Some((placed, _)) = waiting.get_mut(to)
            {
                *placed += 1;
            }
        }
        order.push(next);
    }
    order
}

/// Who lacks least, and of those who has most.
fn next(waiting: &BTreeMap<Process, (usize, usize)>) -> Option<Process> {
    let rank = |(placed, all): (usize, usize)| {
        let lacking = all - placed;
        // With everything placed, or at least something: a circle is entered where data come in.
        (lacking > 0, placed == 0 && all > 0, lacking)
    };
    let first = waiting.iter().min_by_key(|(_, reads)| rank(**reads))?;
    Some(first.0.clone())
}

/// The places of samples in data-flow order: rings and boards by who writes them, then by who reads them, then by name.
pub(crate) fn order(samples: &[Sample]) -> Vec<usize> {
    let processes = processes(samples);
    let place = |process: Option<Process>| {
        let place = process.and_then(|process| processes.iter().position(|one| *one == process));
        place.unwrap_or(usize::MAX)
    };
    let mut order: Vec<usize> = (0..samples.len()).collect();
    order.sort_by_cached_key(|index| {
        let (sample, (from, to)) = (&samples[*index], ends(&samples[*index]));
        let (from, to) = (place(from), place(to));
        let pipeline = sample.file.pipeline.clone();
        (
            pipeline,
            from,
            sample.file.board,
            to,
            sample.file.name.clone(),
        )
    });
    order
}

/// Who writes and who reads, now or last.
fn ends(sample: &Sample) -> (Option<Process>, Option<Process>) {
    let Ok(reading) = &sample.reading else {
        return (None, None);
    };
    let named = |holder: &Option<ipc::Holder>| {
        let holder = holder.as_ref()?;
        Some((sample.file.pipeline.clone(), holder.name.clone()))
    };
    (named(&reading.producer), named(&reading.consumer))
}
