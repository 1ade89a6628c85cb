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
    /// The causes that were told of: a start is none.
    recorded: u8,
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
        let word = Word::at_first(pipeline);
        let audit = (!pipeline.dry_orders).then(|| Audit::start(pipeline, opening));
        let mut helm = Self {
            board,
            word,
            safety: Safety::default(),
            recorded: 0,
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
        helm.safety.file(pipeline.safe_file().exists());
        // What Redis says was said before this run began: until it is heard, nothing is traded.
        helm.safety.unread(true);
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
        self.safety.file(self.pipeline.safe_file().exists());
        let letter = self.clerk.letter();
        let changed = letter.config.is_some_and(|config| self.consider(&config));
        self.safety.unread(!letter.asked);
        // A switch that was thrown waits for no look at anything else.
        self.decide(changed);
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
        let now = Instant::now();
        if now >= self.due || resume {
            self.due = now + LOOK_EVERY;
            self.safety.feeds(self.feeds.look(mono_ns(), unix_ns()));
        }
        self.decide(false);
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
        if causes == before && self.to_be_told(causes) == self.recorded && !anyway {
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
        self.record();
        let reasons = self.safety.reasons();
        let mode = if causes == 0 { "trade" } else { "safe" };
        self.clerk.say(
            json!({ "what": "state", "mode": mode, "since_unix_us": self.word.since_unix_us, "because": reasons })
                .to_string(),
            json!({ "what": "limits", "in_force": self.word.limits, "refused": self.refused })
                .to_string(),
        );
    }

    fn to_be_told(&self, causes: u8) -> u8 {
        match self.safety.is_starting() {
            true => 0,
            false => causes,
        }
    }

    fn record(&mut self) {
        let causes = self.to_be_told(self.word.causes);
        let before = std::mem::replace(&mut self.recorded, causes);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cold::redis::{Cold, private_server::Server};
    use crate::launch::segments::Segments;
    use ipc::BoardReader;
    use layouts::{
        Mode,
        control::{ROW, cause},
    };
    use std::path::Path;

    const OPENING: Opening = Opening {
        began_unix_s: 0,
        unix_s: 0,
        cash_micros: 0,
    };

    /// The demo, laid out in a directory of its own, with this Redis; dry, for there is no account.
    fn laid_out(directory: &Path, redis: &str) -> (Pipeline, Segments) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/demo.toml");
        let mut pipeline = Pipeline::load(&file).unwrap();
        pipeline.rings = directory.join("rings");
        pipeline.run_dir = directory.to_owned();
        pipeline.redis.url = redis.to_owned();
        pipeline.dry_orders = true;
        let segments = Segments::lay_out(&pipeline).unwrap();
        (pipeline, segments)
    }

    fn word(pipeline: &Pipeline) -> (Mode, u8) {
        let board = BoardReader::<Control>::open(&pipeline.control_path()).unwrap();
        let word = board.read(ROW).unwrap().unwrap().value;
        (word.mode(), word.causes)
    }

    /// Every word from the layout until Redis has been asked; how many times of safety were told of.
    fn words_at_start(redis: &str) -> (Vec<(Mode, u8)>, usize) {
        let directory = tempfile::tempdir().unwrap();
        let (pipeline, _segments) = laid_out(directory.path(), redis);
        let mut words = vec![word(&pipeline)];
        let mut events = Events::watch(directory.path()).unwrap();
        let bell = events.bell().unwrap();
        let mut helm = Helm::take(&pipeline, OPENING, bell).unwrap();
        words.push(word(&pipeline));
        while helm.safety.clone().is_starting() {
            events.wait_until(helm.due());
            helm.look(&events, &[], 0);
        }
        words.push(word(&pipeline));
        (words, helm.times().len())
    }

    #[test]
    fn nothing_is_traded_before_it_is_known_that_redis_does_not_say_safe() {
        let safe = (Mode::Safe, cause::OPERATOR);
        let Some(server) = Server::start() else {
            return;
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        // Until it answers.
        runtime.block_on(server.cold());
        let told = Cold::connect(&server.url(), "demo");
        let told = told.hash_put("config", "mode", "safe", None);
        runtime.block_on(told).unwrap();
        assert_eq!(words_at_start(&server.url()), (vec![safe, safe, safe], 1));
    }

    #[test]
    fn trading_begins_when_redis_says_nothing_and_when_it_is_away() {
        let (safe, trade) = ((Mode::Safe, cause::OPERATOR), (Mode::Trade, 0));
        assert_eq!(
            words_at_start("unix:///nowhere"),
            (vec![safe, safe, trade], 0),
            "a start is no halt"
        );
        let Some(server) = Server::start() else {
            return;
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(server.cold());
        assert_eq!(words_at_start(&server.url()), (vec![safe, safe, trade], 0));
    }
}
