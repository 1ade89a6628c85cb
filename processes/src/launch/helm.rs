//! Who decides whether the pipeline trades, and within which limits: gathers every cause, and says the
//! word on the board, in the status line, on standard error, in Redis and in the report.

use super::{
    audit::{Audit, Audits},
    clerk::Clerk,
    config,
    events::Events,
    feeds::Feeds,
    safety::{SafeTime, Safety},
    voice::say,
    word::{Word, unix_us},
};
use crate::{cold::database::Opening, runtime::Failure};
use ipc::{
    BoardWriter,
    clock::{mono_ns, unix_ns},
};
use layouts::Control;
use pipeline::Pipeline;
use serde_json::json;
use std::{
    collections::HashMap,
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

/// Longest time between two looks at what changes by itself; a switch that is thrown is seen at once.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Its name on the board.
const NAME: &str = "launcher";

/// The helm of a running pipeline.
pub(super) struct Helm {
    pipeline: Pipeline,
    board: BoardWriter<Control>,
    word: Word,
    safety: Safety,
    feeds: Feeds,
    clerk: Clerk,
    /// None where no order goes to the venue.
    audit: Option<Audit>,
    /// How often processes had been started again at the last look.
    restarts: u32,
    /// What was last refused of the config.
    refused: Vec<String>,
    began: Instant,
    due: Instant,
    times: Vec<SafeTime>,
}

impl Helm {
    /// Takes the helm of a pipeline that is laid out and whose addresses are known, and whose books begin with
    /// `opening`. Whatever is asked by Redis rings the bell.
    ///
    /// # Errors
    ///
    /// When a segment is unusable.
    pub(super) fn take(
        pipeline: &Pipeline,
        opening: Opening,
        bell: UnixStream,
    ) -> Result<Self, Failure> {
        let board = BoardWriter::attach(&pipeline.control_path())?;
        board.introduce(NAME);
        let word = Word::of(pipeline);
        let audit = (!pipeline.dry_orders).then(|| Audit::start(pipeline, opening));
        let mut helm = Self {
            board,
            word,
            safety: Safety::default(),
            feeds: Feeds::open(pipeline, mono_ns())?,
            clerk: Clerk::start(pipeline, bell)?,
            audit: audit.transpose()?,
            restarts: 0,
            refused: Vec::new(),
            began: Instant::now(),
            due: Instant::now(),
            times: Vec::new(),
            pipeline: pipeline.clone(),
        };
        // As the segments were laid out; from now on it is judged anew.
        helm.word.causes = 0;
        helm.safety.file(pipeline.safe_file().exists());
        helm.decide(true);
        Ok(helm)
    }

    /// When it must look again at the latest.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Looks at everything that may halt trading or let it go on. `restarts` counts all processes' since the start.
    pub(super) fn look(&mut self, events: &Events, crash_loops: &[String], restarts: u32) {
        // Whoever watches the board sees that we live, however long there is nothing new to say.
        self.board.beat();
        let (halt, resume) = events.switches();
        // Were both said, the safe one counts.
        if resume {
            self.safety.resume();
        }
        if halt {
            self.safety.signal();
        }
        for process in crash_loops {
            self.safety.crash_loop(process);
        }
        if let Some(audit) = &self.audit {
            if let Some(differences) = audit.verdict() {
                self.safety.books_differ(differences);
            }
            // What was on its way when somebody died is what may have been lost.
            if std::mem::replace(&mut self.restarts, restarts) != restarts {
                audit.look_now();
            }
        }
        self.safety.file(self.pipeline.safe_file().exists());
        let now = Instant::now();
        if now >= self.due || resume {
            self.due = now + LOOK_EVERY;
            self.safety.feeds(self.feeds.look(mono_ns(), unix_ns()));
        }
        let asked = self.clerk.config();
        let changed = asked.is_some_and(|config| self.consider(&config));
        self.decide(changed);
    }

    /// Why nothing is traded; `None` while it is.
    pub(super) fn banner(&self) -> Option<String> {
        (self.word.causes != 0).then(|| format!("SAFE: {}", self.safety.reasons().join("; ")))
    }

    /// The times of safety so far.
    pub(super) fn times(&self) -> Vec<SafeTime> {
        let mut times = self.times.clone();
        if let (true, Some(last)) = (self.word.causes != 0, times.last_mut()) {
            last.seconds = self.began.elapsed().as_secs_f64() - last.from_s;
        }
        times
    }

    /// Compares the account with our books no more; how often that was done.
    pub(super) fn end_audit(&mut self) -> Option<Audits> {
        self.audit.take().map(|audit| audit.audits())
    }

    /// Takes over what operators ask for; whether anything is to be said anew.
    fn consider(&mut self, config: &HashMap<String, String>) -> bool {
        let mut refused = Vec::new();
        match config::mode(config) {
            Ok(Some(safe)) => self.safety.asked(safe),
            Ok(None) => {}
            Err(fault) => {
                self.safety.asked(true);
                refused.push(fault);
            }
        }
        let in_force = self.word.limits;
        match config::limits(config, &self.pipeline, in_force) {
            Ok(limits) => self.word.limits = limits,
            Err(faults) => refused.extend(faults),
        }
        let news = refused != self.refused;
        if news && !refused.is_empty() {
            say(&format!(
                "\nwarning: the config in Redis is refused, the limits stay as they were:\n  - {}",
                refused.join("\n  - ")
            ));
        }
        self.refused = refused;
        if self.word.limits != in_force {
            say(&format!("\nlimits changed: {:?}", self.word.limits));
        }
        news || self.word.limits != in_force
    }

    /// Says the word if it is another one, or must be said in any case.
    fn decide(&mut self, anyway: bool) {
        let (before, causes) = (self.word.causes, self.safety.causes());
        if causes == before && !anyway {
            return;
        }
        self.word.causes = causes;
        if (causes == 0) != (before == 0) {
            self.word.since_unix_us = unix_us();
        }
        // The row is there: the launcher has laid it out.
        if let Err(error) = self.word.say(&mut self.board) {
            say(&format!(
                "\nerror: the processes cannot be told whether to trade: {error}"
            ));
        }
        self.record(before, causes);
        let reasons = self.safety.reasons();
        let mode = if causes == 0 { "trade" } else { "safe" };
        self.clerk.say(
            json!({ "what": "state", "mode": mode, "since_unix_us": self.word.since_unix_us, "because": reasons })
                .to_string(),
            json!({ "what": "limits", "in_force": self.word.limits, "refused": self.refused })
                .to_string(),
        );
    }

    fn record(&mut self, before: u32, causes: u32) {
        let reasons = self.safety.reasons();
        let now_s = self.began.elapsed().as_secs_f64();
        match (before, causes) {
            (0, 0) => return,
            (_, 0) => say("\nTRADING AGAIN: nothing holds the pipeline in the safe state"),
            (0, _) => {
                say(&format!(
                    "\nSAFE STATE: no new orders, what rests is cancelled, because of {}",
                    reasons.join("; ")
                ));
                self.times.push(SafeTime {
                    from_s: now_s,
                    seconds: 0.0,
                    because: Vec::new(),
                });
            }
            _ if before != causes => {
                say(&format!(
                    "\nSAFE STATE: now because of {}",
                    reasons.join("; ")
                ));
            }
            _ => {}
        }
        if let Some(last) = self.times.last_mut() {
            if causes == 0 {
                last.seconds = now_s - last.from_s;
            }
            for reason in reasons {
                if !last.because.contains(&reason) {
                    last.because.push(reason);
                }
            }
        }
    }
}
