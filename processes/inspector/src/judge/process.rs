//! The verdict on a process: by what it says of itself on its board, if it has one, and by its rings.
//!
//! One fault has one cause. A process that is dead or stands still is the cause of what its rings suffer; a ring whose consumer
//! is slow is the cause of what is said of that process.

use super::{
    Bounds, Judgement, Party, Subject, Verdict,
    opinion::Opinion,
    role::{self, Standing},
};
use crate::{
    presence::{State, Vitals},
    sample::{Reading, Sample, seconds},
    table::span,
};
use ipc::Role;
use std::collections::BTreeMap;

/// A process, and the segments of which it holds a role, or should.
struct Member<'a> {
    pipeline: &'a str,
    name: String,
    /// Who it is now, or was last.
    party: Option<Party>,
    /// Its board, now and before.
    board: Option<(&'a Sample, Option<&'a Sample>)>,
    vitals: Option<Vitals>,
    /// Places among the samples.
    rings: Vec<usize>,
}

/// One judgement for each process. What it causes in its rings is marked as such in `judged`, which has one entry for each sample,
/// in the same order.
pub(super) fn judge(
    before: &[Sample],
    samples: &[Sample],
    judged: &mut [Judgement],
    bounds: &Bounds,
) -> Vec<Judgement> {
    let members = members(before, samples);
    let of = |member: &Member<'_>| {
        let own = member.opinion(samples, judged, bounds);
        if let Some(own) = own.filter(|own| own.trouble) {
            member.blame(judged);
            return member.judgement(own);
        }
        member.by_rings(samples, judged)
    };
    members.iter().map(of).collect()
}

/// All of them: by the name on its board, or by name and PID where no board tells whose a name is now.
fn members<'a>(before: &'a [Sample], samples: &'a [Sample]) -> Vec<Member<'a>> {
    let mut members = BTreeMap::new();
    for sample in samples {
        let Some(name) = sample.file.process() else {
            continue;
        };
        let earlier = before.iter().find(|earlier| earlier.file == sample.file);
        let earlier = earlier.filter(|earlier| sample.since(earlier).is_some());
        let member = Member {
            name: name.to_owned(),
            party: role::standings(sample).pop().and_then(|role| role.party),
            board: Some((sample, earlier)),
            vitals: Vitals::of(sample, earlier),
            ..Member::new(sample)
        };
        members.insert((member.pipeline, member.name.clone(), None), member);
    }
    for (index, sample) in samples.iter().enumerate() {
        if sample.file.process().is_some() {
            continue;
        }
        for standing in role::standings(sample) {
            let gone = standing.state == role::State::Left;
            let Some(party) = standing.party.filter(|_| !gone) else {
                continue;
            };
            let known = (sample.file.pipeline.as_str(), party.name.clone(), None);
            let key = match members.contains_key(&known) {
                true => known,
                false => (known.0, known.1, Some(party.pid)),
            };
            let member = members.entry(key).or_insert_with(|| Member::new(sample));
            member.name.clone_from(&party.name);
            member.party.get_or_insert(party);
            member.rings.push(index);
        }
    }
    members.into_values().collect()
}

impl<'a> Member<'a> {
    fn new(sample: &'a Sample) -> Self {
        Self {
            pipeline: &sample.file.pipeline,
            name: String::new(),
            party: None,
            board: None,
            vitals: None,
            rings: Vec::new(),
        }
    }

    fn is(&self, party: &Party) -> bool {
        let pid = self.party.as_ref().map(|party| party.pid);
        self.name == party.name && (self.board.is_some() || pid == Some(party.pid))
    }

    fn is_to_blame(&self, one: &Judgement) -> bool {
        one.culprit.as_ref().is_some_and(|party| self.is(party))
    }

    fn label(&self) -> String {
        format!("process {}", self.name)
    }

    /// What its board says of it; `None` where it has none, or where nothing is wrong by it.
    fn opinion(
        &self,
        samples: &[Sample],
        judged: &[Judgement],
        bounds: &Bounds,
    ) -> Option<Opinion> {
        let (sample, earlier) = self.board?;
        let place = samples.iter().position(|one| one.file == sample.file)?;
        let board = &judged[place];
        let reading = match &sample.reading {
            Ok(reading) if board.verdict != Verdict::Corrupt => reading,
            _ => {
                let evidence = format!("its board: {}", board.evidence);
                return Some(Opinion::nobodys(
                    board.verdict,
                    evidence,
                    board.next.clone(),
                ));
            }
        };
        let writer = Standing::of(reading, Role::Producer);
        match writer.state {
            role::State::Never if self.rings.is_empty() => Some(Opinion::nobodys(
                Verdict::Missing,
                "it has never come".into(),
                "start it, or wait until it has started (`shm-inspect ready`); where it runs already, it has another directory of rings",
            )),
            role::State::Never => None,
            role::State::Attached => self
                .silent(sample.at_ns, reading, earlier, &writer, bounds)
                .or_else(|| self.coming(judged, &writer)),
            _ if self.state() == Some(State::Ended) => None,
            _ => Some(self.dead(reading, &writer)),
        }
    }

    fn state(&self) -> Option<State> {
        self.vitals.map(|vitals| vitals.state)
    }

    fn dead(&self, reading: &Reading, writer: &Standing) -> Opinion {
        let last = match self.vitals {
            Some(Vitals { beat_s, .. }) => format!("; it was last heard {} ago", span(beat_s)),
            None => String::new(),
        };
        let evidence = format!("{} is gone without a goodbye{last}", writer.who("it"));
        let next = format!(
            "its launcher starts it again at once, and it continues where it stopped; if it stays dead, `scripts/launch logs {}` says why",
            self.name
        );
        let heard = Some(reading.heard_ns()).filter(|heard| *heard != 0);
        Opinion::bad(Verdict::Dead, writer, evidence, next).since(heard)
    }

    /// It is there, and has said nothing for too long.
    fn silent(
        &self,
        at_ns: u64,
        now: &Reading,
        earlier: Option<&Sample>,
        writer: &Standing,
        bounds: &Bounds,
    ) -> Option<Opinion> {
        let then = earlier?.reading.as_ref().ok()?;
        let heard = now.heard_ns();
        let silence = seconds(at_ns.saturating_sub(heard));
        if silence < bounds.stale.as_secs_f64() || then.heard_ns() != heard {
            return None;
        }
        let pid = writer.party.as_ref().map_or(0, |party| party.pid);
        let evidence = format!(
            "{} is there, but says nothing of itself, for {} now: stopped, or starved of its cores",
            writer.who("it"),
            span(silence)
        );
        let next = format!(
            "see its state (`grep State /proc/{pid}/status`): continue it if it is stopped (`kill -CONT {pid}`), else kill it; its successor loses nothing"
        );
        Some(Opinion::bad(Verdict::Stuck, writer, evidence, next).since(Some(heard)))
    }

    /// It is a successor that has not come as far as to its rings.
    fn coming(&self, judged: &[Judgement], writer: &Standing) -> Option<Opinion> {
        let vitals = self
            .vitals
            .filter(|vitals| vitals.state == State::Starting)?;
        let rings = self.rings.iter().map(|ring| &judged[*ring]);
        let waiting = rings.filter(|one| one.verdict == Verdict::Dead && self.is_to_blame(one));
        let waiting: Vec<&str> = waiting.map(|one| one.name.as_str()).collect();
        if waiting.is_empty() {
            return None;
        }
        let since = vitals
            .up_s
            .map_or(String::new(), |up| format!(" for {}", span(up)));
        let evidence = format!(
            "{} is starting{since} and has not taken over {} from the one before it",
            writer.who("it"),
            waiting.join(", ")
        );
        let next = format!(
            "wait (`shm-inspect ready`); if it lasts, `scripts/launch logs {}` says for what it waits",
            self.name
        );
        Some(Opinion::bad(Verdict::Missing, writer, evidence, next))
    }

    /// Marks the trouble of its rings that is its doing as the consequence of its own.
    fn blame(&self, judged: &mut [Judgement]) {
        for ring in &self.rings {
            let one = &mut judged[*ring];
            if one.trouble && self.is_to_blame(one) {
                one.cause = Some(self.label());
                one.next = format!("nothing here: see {}", self.label());
            }
        }
    }

    /// The worst of its rings whose trouble is its doing, or else that nothing is wrong.
    fn by_rings(&self, samples: &[Sample], judged: &[Judgement]) -> Judgement {
        let rings = || self.rings.iter().map(|ring| (*ring, &judged[*ring]));
        let guilty = rings().filter(|(_, one)| self.is_to_blame(one));
        let guilty = guilty.min_by_key(|(_, one)| one.verdict);
        let held_up = || rings().find(|(ring, one)| self.is_held_up(one, &samples[*ring]));
        if let Some((_, ring)) = guilty.or_else(held_up) {
            let evidence = format!("{}: {}", ring.name, ring.evidence);
            return Judgement {
                verdict: ring.verdict,
                trouble: ring.trouble,
                next: ring.next.clone(),
                since_s: ring.since_s,
                cause: ring.trouble.then(|| ring.origin()),
                ..self.judgement(Opinion::fine(ring.verdict, evidence))
            };
        }
        let flows = rings().any(|(_, one)| one.verdict == Verdict::Ok);
        let verdict = match self.state() {
            Some(State::Ended) => Verdict::Closed,
            Some(_) if self.rings.is_empty() => Verdict::Ok,
            _ if flows => Verdict::Ok,
            _ => Verdict::Idle,
        };
        self.judgement(Opinion::fine(verdict, self.doings(samples)))
    }

    /// Whether a ring is blocked because this process waits for room further on.
    fn is_held_up(&self, one: &Judgement, sample: &Sample) -> bool {
        let consumes = |standing: Standing| {
            standing.role == Role::Consumer && standing.party.is_some_and(|party| self.is(&party))
        };
        one.verdict == Verdict::Blocked && role::standings(sample).into_iter().any(consumes)
    }

    /// How a process is with which nothing is wrong, and what it does.
    fn doings(&self, samples: &[Sample]) -> String {
        let mut parts = [("reads", Vec::new()), ("writes", Vec::new())];
        for ring in &self.rings {
            let sample = &samples[*ring];
            for standing in role::standings(sample) {
                if standing.party.is_some_and(|party| self.is(&party)) {
                    let rings = &mut parts[usize::from(standing.role == Role::Producer)].1;
                    if !rings.contains(&sample.file.name.as_str()) {
                        rings.push(sample.file.name.as_str());
                    }
                }
            }
        }
        let parts = parts.into_iter().filter(|(_, rings)| !rings.is_empty());
        let parts = parts.map(|(what, rings)| format!("{what} {}", rings.join(", ")));
        let condition = self.vitals.as_ref().map(condition);
        let parts: Vec<String> = condition.into_iter().chain(parts).collect();
        if parts.is_empty() {
            "holds no ring".into()
        } else {
            parts.join("; ")
        }
    }

    fn judgement(&self, opinion: Opinion) -> Judgement {
        let at_ns = self.board.map_or(0, |(sample, _)| sample.at_ns);
        let since = |since_ns: u64| seconds(at_ns.saturating_sub(since_ns));
        Judgement {
            pipeline: self.pipeline.to_owned(),
            subject: Subject::Process,
            name: self.name.clone(),
            verdict: opinion.verdict,
            trouble: opinion.trouble,
            culprit: self.party.clone(),
            evidence: opinion.evidence,
            next: opinion.next,
            since_s: opinion.since_ns.map(since),
            full_in_s: None,
            cause: None,
            vitals: self.vitals,
        }
    }
}

/// `running for 2 min 5 s on core 3, 12 % of a core, 1 restart`.
fn condition(vitals: &Vitals) -> String {
    let mut text = vitals.state.name().to_owned();
    if let Some(up) = vitals.up_s {
        text += &format!(" for {}", span(up));
    }
    if let Some(core) = vitals.core {
        text += &format!(" on core {core}");
    }
    if let Some(cpu) = vitals.cpu {
        text += &format!(", {cpu:.0} % of a core");
    }
    match vitals.restarts {
        0 => text,
        1 => text + ", 1 restart",
        restarts => text + &format!(", {restarts} restarts"),
    }
}
