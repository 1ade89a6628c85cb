//! The verdict on one ring or board, from the worst rule to the best: the first that holds.

use super::{
    Bounds, Judgement, Party, Verdict,
    opinion::Opinion,
    role::{Standing, State},
    subject,
};
use crate::{
    sample::{Change, Reading, Sample, float, seconds},
    table::{count, span},
};
use ipc::{Finding, Kind, Role};

/// A ring is filling up once this part of it waits.
const FILLING: u64 = 8;
/// And what waits has waited for so long, ns: less is a burst.
const QUEUED_NS: u64 = 50_000_000;
/// A producer that sends so many times its average since the ring's creation is the faster one, not its consumer the slower.
const BURST: f64 = 2.0;

/// A ring or board to be judged.
pub(super) struct Case<'a> {
    sample: &'a Sample,
    earlier: Option<&'a Sample>,
    all: &'a [Sample],
    bounds: &'a Bounds,
}

/// What the rules look at, once.
struct View<'a> {
    now: &'a Reading,
    then: Option<&'a Reading>,
    change: Option<Change>,
    at_ns: u64,
    producer: Standing,
    consumer: Standing,
    depth: u64,
    capacity: u64,
}

impl<'a> Case<'a> {
    pub(super) fn new(
        sample: &'a Sample,
        earlier: Option<&'a Sample>,
        all: &'a [Sample],
        bounds: &'a Bounds,
    ) -> Self {
        Self {
            sample,
            earlier,
            all,
            bounds,
        }
    }

    pub(super) fn judge(&self) -> Judgement {
        let opinion = match &self.sample.reading {
            Err(unreadable) => {
                let verdict = if unreadable.refused {
                    Verdict::Unreadable
                } else {
                    Verdict::Corrupt
                };
                let (evidence, fix) = unreadable
                    .reason
                    .split_once("\n  fix: ")
                    .unwrap_or((&unreadable.reason, "look at the file"));
                Opinion::nobodys(verdict, evidence.into(), fix)
            }
            Ok(reading) => self.opinion(&self.view(reading)),
        };
        let since = |since_ns: u64| seconds(self.sample.at_ns.saturating_sub(since_ns));
        Judgement {
            pipeline: self.sample.file.pipeline.clone(),
            subject: subject(self.sample),
            name: self.sample.file.name.clone(),
            verdict: opinion.verdict,
            trouble: opinion.trouble,
            culprit: opinion.culprit,
            evidence: opinion.evidence,
            next: opinion.next,
            since_s: opinion.since_ns.map(since),
            full_in_s: opinion.full_in_s,
            cause: None,
            vitals: None,
        }
    }

    fn view(&self, now: &'a Reading) -> View<'a> {
        let change = self.earlier.and_then(|earlier| self.sample.since(earlier));
        let then = self
            .earlier
            .filter(|_| change.is_some())
            .and_then(|earlier| earlier.reading.as_ref().ok());
        View {
            now,
            then,
            change,
            at_ns: self.sample.at_ns,
            producer: Standing::of(now, Role::Producer),
            consumer: Standing::of(now, Role::Consumer),
            depth: now.depth().unwrap_or(0),
            capacity: u64::from(now.capacity),
        }
    }

    fn opinion(&self, view: &View<'_>) -> Opinion {
        let rules = [
            Self::corrupt,
            Self::misplaced,
            Self::dead,
            Self::stuck,
            Self::full,
            Self::slow,
            Self::missing,
            Self::closed,
            Self::stale,
        ];
        let found = rules.iter().find_map(|rule| rule(self, view));
        found.unwrap_or_else(|| view.healthy())
    }

    fn corrupt(&self, view: &View<'_>) -> Option<Opinion> {
        // A lock and what its holder says differ for a moment while it attaches.
        let lasting = |finding: &&Finding| {
            let seen_before = view
                .then
                .is_some_and(|then| then.findings.contains(finding));
            seen_before || !matches!(finding, Finding::Lock { .. })
        };
        let finding = view.now.findings.iter().find(lasting)?;
        let next = "see `shm-inspect verify`; stop the pipeline and start its launcher again, which replaces the file";
        Some(Opinion::nobodys(
            Verdict::Corrupt,
            finding.to_string(),
            next,
        ))
    }

    fn misplaced(&self, view: &View<'_>) -> Option<Opinion> {
        let attached = |standing: &Standing| standing.state == State::Attached;
        let alone = match (attached(&view.producer), attached(&view.consumer)) {
            (true, false) => Role::Producer,
            (false, true) => Role::Consumer,
            _ => return None,
        };
        if view.now.kind == Kind::Board {
            return None;
        }
        let other = self
            .all
            .iter()
            .find(|other| self.is_other_half(other, alone));
        if let Some(other) = other {
            let (ours, theirs) = match alone {
                Role::Producer => (view.producer.who("a producer"), "consumer"),
                Role::Consumer => (view.consumer.who("a consumer"), "producer"),
            };
            let evidence = format!(
                "{ours} is alone on {}, its {theirs} alone on {}",
                self.sample.file.path.display(),
                other.file.path.display()
            );
            let next = "give both the same directory of rings: one bind mount for all containers, or one [rings] in the pipeline file";
            return Some(Opinion::nobodys(Verdict::Misplaced, evidence, next));
        }
        let full = view.now.counters.published >= view.capacity;
        if alone == Role::Producer && view.consumer.state == State::Never && full {
            let evidence = format!(
                "full with {} messages of {}, and no consumer has ever come",
                count(view.depth),
                view.producer.who("its producer")
            );
            let next = "start its consumer; where it runs already, it has another directory of rings: compare the mounts, or look at both with --rings A --rings B";
            return Some(
                Opinion::bad(Verdict::Misplaced, &view.producer, evidence, next)
                    .since(view.now.oldest_ns),
            );
        }
        None
    }

    /// Whether that sample is a ring of the same name elsewhere, with nobody but the other role.
    fn is_other_half(&self, other: &Sample, alone: Role) -> bool {
        let (ours, theirs) = (&self.sample.file, &other.file);
        let Ok(reading) = &other.reading else {
            return false;
        };
        let counters = &reading.counters;
        let complements = match alone {
            Role::Producer => counters.consumer_attached && !counters.producer_attached,
            Role::Consumer => counters.producer_attached && !counters.consumer_attached,
        };
        ours.path != theirs.path
            && ours.name == theirs.name
            && (ours.pipeline == theirs.pipeline || (ours.asked && theirs.asked))
            && complements
    }

    fn dead(&self, view: &View<'_>) -> Option<Opinion> {
        let dead = [(&view.producer, "producer"), (&view.consumer, "consumer")];
        let (gone, role) = dead
            .into_iter()
            .find(|(standing, _)| standing.state == State::Dead)?;
        let board = view.now.kind == Kind::Board;
        let role = if board { "writer" } else { role };
        let waiting = match view.depth {
            _ if board => String::new(),
            0 => "; nothing waits".into(),
            depth => format!("; {} messages wait", count(depth)),
        };
        let evidence = format!(
            "its {role} {} is gone without a goodbye{waiting}",
            gone.who("")
        );
        let next = format!(
            "start {} again; it continues where the dead one stopped",
            gone.party.as_ref().map_or("it", |party| &party.name)
        );
        let since = match gone.role {
            Role::Producer => Some(view.now.heard_ns()).filter(|heard| *heard != 0),
            Role::Consumer => view.now.oldest_ns,
        };
        Some(Opinion::bad(Verdict::Dead, gone, evidence, next).since(since))
    }

    fn stuck(&self, view: &View<'_>) -> Option<Opinion> {
        let (then, change) = (view.then?, view.change.as_ref()?);
        let same = then.consumer == view.now.consumer && then.counters.consumer_attached;
        let attached = view.consumer.state == State::Attached && same;
        let waits = view.depth > 0 && then.depth() > Some(0);
        if !attached || !waits || change.passed > 0 || change.seconds <= 0.0 {
            return None;
        }
        let evidence = format!(
            "{} holds {} messages{}, and took none in {}",
            view.consumer.who("its consumer"),
            waiting(view),
            oldest(view),
            span(change.seconds)
        );
        let next = match &view.consumer.party {
            Some(Party { name, pid }) => format!(
                "see what {name} does (`grep State /proc/{pid}/status`, `cat /proc/{pid}/stack`): continue it if it is stopped (`kill -CONT {pid}`), else kill it; its successor loses nothing"
            ),
            None => "see what its consumer does; a successor loses nothing".into(),
        };
        Some(Opinion::bad(Verdict::Stuck, &view.consumer, evidence, next).since(view.now.oldest_ns))
    }

    fn full(&self, view: &View<'_>) -> Option<Opinion> {
        let change = view.change.as_ref()?;
        let full =
            view.depth >= view.capacity || (change.full > 0 && view.depth * 2 >= view.capacity);
        if view.now.kind != Kind::Lossless || !full || view.consumer.state != State::Attached {
            return None;
        }
        let evidence = format!(
            "{} messages; {} takes {}/s, and {} found no room {} times in {}",
            waiting(view),
            view.consumer.who("its consumer"),
            rate(change, change.passed),
            view.producer.who("its producer"),
            count(change.full),
            span(change.seconds)
        );
        let next = "its consumer is the bottleneck: give it a core of its own, or less to do; a deeper ring only delays it";
        Some(Opinion {
            full_in_s: Some(0.0),
            ..Opinion::bad(Verdict::Full, &view.consumer, evidence, next).since(view.now.oldest_ns)
        })
    }

    fn slow(&self, view: &View<'_>) -> Option<Opinion> {
        let (then, change) = (view.then?, view.change.as_ref()?);
        if view.consumer.state != State::Attached || change.seconds <= 0.0 {
            return None;
        }
        let (culprit, whose) = view.slower(change);
        let pace = format!(
            "{} in/s, {} out/s, {} messages{}",
            rate(change, change.published),
            rate(change, change.passed),
            waiting(view),
            oldest(view),
        );
        if change.lost > 0 {
            let evidence = format!("loses {}/s: {pace}; {whose}", rate(change, change.lost));
            let next = "give its consumer a core of its own or less to do, or the ring more slots if it is bursts";
            return Some(Opinion::bad(Verdict::Slow, culprit, evidence, next));
        }
        let before = then.depth().unwrap_or(0);
        let growth = view.depth.saturating_sub(before);
        let queued = view
            .now
            .oldest_ns
            .is_none_or(|oldest| view.at_ns.saturating_sub(oldest) > QUEUED_NS);
        if before == 0 || growth == 0 || view.depth < view.capacity / FILLING || !queued {
            return None;
        }
        let room = view.capacity.saturating_sub(view.depth);
        let full_in_s = float(room) / (float(growth) / change.seconds);
        if full_in_s > self.bounds.soon.as_secs_f64() {
            return None;
        }
        let then = if view.now.kind == Kind::Lossless {
            "full"
        } else {
            "losing"
        };
        let evidence = format!("{then} in {}: {pace}; {whose}", span(full_in_s));
        let next =
            "give its consumer a core of its own or less to do; a deeper ring only delays it";
        Some(Opinion {
            full_in_s: Some(full_in_s),
            ..Opinion::bad(Verdict::Slow, culprit, evidence, next)
        })
    }

    fn missing(&self, view: &View<'_>) -> Option<Opinion> {
        let never = |standing: &Standing| standing.state == State::Never;
        let ring = view.now.kind != Kind::Board;
        let missing = match (never(&view.producer), ring && never(&view.consumer)) {
            (true, true) => "neither a producer nor a consumer has ever come",
            (true, false) if ring => "no producer has ever come",
            (true, false) => "no writer has ever come",
            (false, true) => "no consumer has ever come",
            (false, false) => return None,
        };
        let evidence = if ring {
            format!("{missing}; {} messages", waiting(view))
        } else {
            missing.into()
        };
        let next = "start it, or wait until it has started (`shm-inspect ready`); where it runs already, it has another directory of rings";
        Some(Opinion::nobodys(Verdict::Missing, evidence, next))
    }

    fn closed(&self, view: &View<'_>) -> Option<Opinion> {
        let left = |standing: &Standing| standing.state == State::Left;
        let moves = view.change.as_ref().is_some_and(|change| change.passed > 0);
        let board = view.now.kind == Kind::Board;
        let (gone, role) = match (left(&view.producer), left(&view.consumer)) {
            (_, true) => (&view.consumer, "consumer"),
            (true, false) if board => (&view.producer, "writer"),
            (true, false) if !moves => (&view.producer, "producer"),
            _ => return None,
        };
        let waits = if board {
            String::new()
        } else {
            format!("; {} messages", waiting(view))
        };
        let evidence = format!("its {role} {} has said goodbye{waits}", gone.who(""));
        if view.depth == 0 {
            return Some(Opinion::fine(Verdict::Closed, evidence));
        }
        let next = "what waits is read when a consumer comes; start it again if that was not meant";
        Some(Opinion::bad(Verdict::Closed, gone, evidence, next).since(view.now.oldest_ns))
    }

    fn stale(&self, view: &View<'_>) -> Option<Opinion> {
        let stale_ns = u64::try_from(self.bounds.stale.as_nanos()).unwrap_or(u64::MAX);
        let heard = view.now.heard_ns();
        let silence = view.at_ns.saturating_sub(heard);
        // Who sends long after it has last beaten does not beat: of its silence nothing follows.
        let beats = view
            .now
            .last_ns
            .unwrap_or(0)
            .saturating_sub(view.now.life.beat_ns)
            < stale_ns;
        let news = view.then.is_some_and(|then| then.heard_ns() != heard)
            || view
                .change
                .as_ref()
                .is_some_and(|change| change.published > 0);
        if view.producer.state != State::Attached || silence < stale_ns || !beats || news {
            return None;
        }
        let evidence = format!(
            "{} holds its role, but has neither sent nor beaten for {}",
            view.producer.who("its producer"),
            span(seconds(silence))
        );
        let next = match &view.producer.party {
            Some(Party { name, pid }) => format!(
                "see what {name} does (`grep State /proc/{pid}/status`): continue it if it is stopped (`kill -CONT {pid}`), else kill it and start it again"
            ),
            None => "see what its producer does".into(),
        };
        Some(Opinion::bad(Verdict::Stale, &view.producer, evidence, next).since(Some(heard)))
    }
}

impl View<'_> {
    fn healthy(&self) -> Opinion {
        let quiet = |change: &&Change| change.published == 0 && change.passed == 0;
        let board = self.now.kind == Kind::Board;
        let waits = if board {
            String::new()
        } else {
            format!(", {} messages", waiting(self))
        };
        match &self.change {
            None => Opinion::fine(Verdict::Ok, format!("seen once{waits}")),
            change if change.as_ref().filter(quiet).is_some() => {
                let last = match self.now.last_ns {
                    Some(last) => {
                        format!(
                            "last {} ago",
                            span(seconds(self.at_ns.saturating_sub(last)))
                        )
                    }
                    None if self.now.counters.published == 0 => "never anything yet".into(),
                    None => "nothing new".into(),
                };
                Opinion::fine(Verdict::Idle, format!("{last}{waits}"))
            }
            Some(change) => {
                let pace = format!("{}/s{waits}", rate(change, change.published));
                Opinion::fine(Verdict::Ok, pace)
            }
        }
    }

    /// Whose doing it is that more comes in than goes out, and why.
    fn slower(&self, change: &Change) -> (&Standing, String) {
        let lived = seconds(self.at_ns.saturating_sub(self.now.created_mono_ns));
        let usual = float(self.now.counters.published) / lived.max(change.seconds);
        let now = change.per_second(change.published);
        if now > BURST * usual {
            let whose = format!(
                "{} sends {:.1} times its average",
                self.producer.who("its producer"),
                now / usual.max(f64::MIN_POSITIVE)
            );
            (&self.producer, whose)
        } else {
            let whose = format!("{} does not keep up", self.consumer.who("its consumer"));
            (&self.consumer, whose)
        }
    }
}

/// `812 of 4096`.
fn waiting(view: &View<'_>) -> String {
    format!("{} of {}", count(view.depth), count(view.capacity))
}

/// `, the first for 1.3 s`.
fn oldest(view: &View<'_>) -> String {
    let age = |oldest| span(seconds(view.at_ns.saturating_sub(oldest)));
    view.now.oldest_ns.map_or(String::new(), |oldest| {
        format!(" (the first for {})", age(oldest))
    })
}

fn rate(change: &Change, amount: u64) -> String {
    crate::table::rate(change.per_second(amount))
}
