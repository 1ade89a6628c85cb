//! Scenes from samples: two moments make rates and verdicts, several seconds make percentiles and sparklines.

use super::{
    cpu::Cpu,
    scene::{Key, Process, Ring, Scene, Word},
};
use crate::{
    Failure, flow,
    judge::{Bounds, Judgement, Subject, judge},
    sample::{Percentiles, Reading, Sample, Sources, seconds},
};
use ipc::{Holder, Kind};
use std::{
    collections::{HashMap, VecDeque},
    path::PathBuf,
};

/// Between two samples that are kept, and two columns of a sparkline, ns.
const STEP_NS: u64 = 500_000_000;
/// Kept samples: ten seconds.
const KEPT: usize = 20;
/// Rates and verdicts are over as much at least, ns: over less, whoever pauses for a moment seems stuck.
const LEAST_NS: u64 = 950_000_000;
/// Columns of a sparkline that are kept: a minute.
const COLUMNS: usize = 120;

/// Reads segments again and again.
pub(super) struct Gatherer {
    sources: Sources,
    bounds: Bounds,
    /// The latest last.
    kept: VecDeque<Vec<Sample>>,
    history: HashMap<Key, Vec<f64>>,
    cpu: Cpu,
}

impl Gatherer {
    /// Opens all segments of the directories asked for and reads them once.
    ///
    /// # Errors
    ///
    /// When a directory cannot be read.
    pub(super) fn open(asked: &[PathBuf]) -> Result<Self, Failure> {
        let mut sources = Sources::open(asked)?;
        let first = sources.read();
        Ok(Self {
            sources,
            bounds: Bounds::default(),
            kept: VecDeque::from([first]),
            history: HashMap::new(),
            cpu: Cpu::default(),
        })
    }

    /// Reads everything once more.
    pub(super) fn look(&mut self) -> Scene {
        let mut now = self.sources.read();
        let last = self.kept.back().map_or(0, |samples| time(samples));
        if time(&now) >= last + STEP_NS || now.is_empty() {
            // Now and then: pipelines come and go. One that goes takes its directory along: then there is nothing.
            let _ = self.sources.refresh();
            now = self.sources.read();
            self.keep(&now);
        }
        self.scene(&now)
    }

    fn keep(&mut self, now: &[Sample]) {
        let before = self.kept.back().map(Vec::as_slice).unwrap_or_default();
        for sample in now {
            let change = earlier(before, sample).and_then(|earlier| sample.since(earlier));
            if let Some(change) = change {
                let columns = self.history.entry(key(sample)).or_default();
                columns.push(change.per_second(change.published));
                let excess = columns.len().saturating_sub(COLUMNS);
                columns.drain(..excess);
            }
        }
        self.history
            .retain(|key, _| now.iter().any(|sample| self::key(sample) == *key));
        self.kept.push_back(now.to_vec());
        if self.kept.len() > KEPT {
            self.kept.pop_front();
        }
    }

    fn scene(&mut self, now: &[Sample]) -> Scene {
        let at = time(now);
        let old_enough = |samples: &&Vec<Sample>| at >= time(samples) + LEAST_NS;
        let long_ago = self.kept.iter().rev().find(old_enough);
        let recent = long_ago.or(self.kept.front());
        let recent = recent.map(Vec::as_slice).unwrap_or_default();
        let oldest = self.kept.front().map(Vec::as_slice).unwrap_or_default();
        // Before that only what needs no time is judged.
        let before = long_ago.map(Vec::as_slice).unwrap_or_default();
        let judged = judge(before, now, &[], &self.bounds);
        let ring = |index: usize| {
            let sample = &now[index];
            let [recent, oldest] = [recent, oldest].map(|samples| earlier(samples, sample));
            self.ring(sample, recent, oldest, &judged)
        };
        // What a process says of itself belongs to the process, not to the flow of data.
        let flows = |index: &usize| now[*index].file.process().is_none();
        let rings = flow::order(now).into_iter().filter(flows).map(ring);
        let rings = rings.collect();
        let spans = now
            .iter()
            .filter_map(|sample| Some(sample.since(earlier(recent, sample)?)?.seconds));
        let over_s = spans.fold(0.0, f64::max);
        let created = now.iter().filter_map(|sample| {
            let created = sample.reading.as_ref().ok()?.created_mono_ns;
            Some(seconds(sample.at_ns.saturating_sub(created)))
        });
        let mut pipelines: Vec<String> = now
            .iter()
            .map(|sample| sample.file.pipeline.clone())
            .collect();
        pipelines.dedup();
        Scene {
            pipelines,
            over_s,
            up_s: created.reduce(f64::max),
            rings,
            processes: self.processes(now, &judged),
        }
    }

    fn processes(&mut self, now: &[Sample], judged: &[Judgement]) -> Vec<Process> {
        let mut processes: Vec<Process> = judged
            .iter()
            .filter(|one| one.subject == Subject::Process)
            .map(|one| process(one, now, &mut self.cpu))
            .collect();
        self.cpu.forget_others();
        let order = flow::processes(now);
        processes.sort_by_cached_key(|process| {
            let name = (process.pipeline.clone(), process.name.clone());
            let place = order.iter().position(|one| *one == name);
            (
                process.pipeline.clone(),
                place.unwrap_or(usize::MAX),
                process.pid,
            )
        });
        processes
    }

    fn ring(
        &self,
        sample: &Sample,
        recent: Option<&Sample>,
        oldest: Option<&Sample>,
        judged: &[Judgement],
    ) -> Ring {
        let change = recent.and_then(|earlier| sample.since(earlier));
        let long = oldest.and_then(|earlier| sample.since(earlier));
        let reading = sample.reading.as_ref().ok();
        let of_ring = reading.filter(|reading| reading.kind != Kind::Board);
        let name = |holder: &Option<Holder>| holder.as_ref().map(|holder| holder.name.clone());
        let same = |one: &&Judgement| {
            (&one.pipeline, &one.name) == (&sample.file.pipeline, &sample.file.name)
                && (one.subject == Subject::Board) == sample.file.board
                && one.subject != Subject::Process
        };
        Ring {
            pipeline: sample.file.pipeline.clone(),
            name: sample.file.name.clone(),
            board: sample.file.board,
            kind: reading.map(|reading| reading.kind.name()),
            message: reading.and_then(|reading| reading.message.clone()),
            from: reading.and_then(|reading| name(&reading.producer)),
            to: of_ring.and_then(|reading| name(&reading.consumer)),
            capacity: reading.map(|reading| reading.capacity),
            published: reading.map(|reading| reading.counters.published),
            rate: change
                .as_ref()
                .map(|change| change.per_second(change.published)),
            depth: reading.and_then(Reading::depth),
            lost: of_ring.map(|reading| reading.counters.lost),
            lost_rate: change.as_ref().map(|change| change.per_second(change.lost)),
            full: of_ring.map(|reading| reading.counters.full),
            hop: long
                .as_ref()
                .and_then(|change| Percentiles::of(&change.latency)),
            age: long
                .as_ref()
                .and_then(|change| Percentiles::of(&change.age)),
            last_s: reading
                .and_then(|reading| reading.last_ns)
                .map(|last| seconds(sample.at_ns.saturating_sub(last))),
            verdict: judged.iter().find(same).map(word).unwrap_or_default(),
            history: self.history.get(&key(sample)).cloned().unwrap_or_default(),
        }
    }
}

/// When samples were read; 0 where there are none.
fn time(samples: &[Sample]) -> u64 {
    samples.first().map_or(0, |sample| sample.at_ns)
}

fn key(sample: &Sample) -> Key {
    let file = &sample.file;
    (file.pipeline.clone(), file.name.clone(), file.board)
}

fn earlier<'a>(samples: &'a [Sample], sample: &Sample) -> Option<&'a Sample> {
    samples.iter().find(|earlier| earlier.file == sample.file)
}

fn word(one: &Judgement) -> Word {
    Word {
        name: one.verdict.name(),
        trouble: one.trouble,
        evidence: one.evidence.clone(),
        next: one.next.clone(),
        cause: one.cause.clone(),
    }
}

fn process(one: &Judgement, now: &[Sample], cpu: &mut Cpu) -> Process {
    let party = one.culprit.as_ref();
    let is = |holder: &Option<Holder>| {
        let holder = holder.as_ref().map(|holder| (holder.pid, &holder.name));
        holder.is_some() && holder == party.map(|party| (party.pid, &party.name))
    };
    let own = now
        .iter()
        .filter(|sample| sample.file.pipeline == one.pipeline);
    let (mut reads, mut writes, mut starts, mut beat_s) = (Vec::new(), Vec::new(), None, None);
    let mut file = None;
    for sample in own {
        let Ok(reading) = &sample.reading else {
            continue;
        };
        if sample.file.process().is_some() {
            file = file.or_else(|| is(&reading.producer).then_some(&sample.file.path));
            continue;
        }
        if is(&reading.consumer) {
            reads.push(sample.file.name.clone());
            file = Some(&sample.file.path);
        }
        if is(&reading.producer) {
            writes.push(sample.file.name.clone());
            file = Some(&sample.file.path);
            if reading.kind != Kind::Board {
                starts = starts.max(Some(reading.life.incarnation));
            }
            let heard = seconds(sample.at_ns.saturating_sub(reading.heard_ns()));
            beat_s = Some(beat_s.map_or(heard, |other: f64| other.min(heard)));
        }
    }
    let vitals = one.vitals.as_ref();
    let usage = party
        .zip(file)
        .and_then(|(party, file)| cpu.of(party.pid, file));
    let restarts = starts.map(|starts| starts.saturating_sub(1));
    Process {
        pipeline: one.pipeline.clone(),
        name: one.name.clone(),
        pid: party.map(|party| party.pid),
        verdict: word(one),
        state: vitals.map(|vitals| vitals.state),
        // What a process says of itself comes before what its rings tell.
        restarts: vitals.map_or(restarts, |vitals| Some(u64::from(vitals.restarts))),
        beat_s: vitals.map_or(beat_s, |vitals| Some(vitals.beat_s)),
        up_s: vitals.and_then(|vitals| vitals.up_s),
        cpu: match vitals {
            Some(vitals) => vitals.cpu,
            None => usage.and_then(|usage| usage.percent),
        },
        core: vitals
            .and_then(|vitals| vitals.core)
            .or(usage.map(|usage| usage.core)),
        reads,
        writes,
    }
}
