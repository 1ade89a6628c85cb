//! A recording played to the stages of a fresh pipeline: the same input gives the same output, byte for byte.
//!
//! | of the recorded pipeline | in a replay |
//! |---|---|
//! | `game_shard.N`, `signal_processor` | the real programs, as processes of their own |
//! | who writes their inputs (prices, games, acknowledgements), and the boards | played by us, with the recorded numbers and time stamps |
//! | who reads their orders | played by us |
//! | Redis, the venue, the position database, the simulator | not there, and not needed |
//!
//! A stage is a pure function of its messages, and time comes as their stamps. What is left to chance is in which
//! order the messages of several rings are taken. So there is one message at a time, in the order of the stamps:
//! the next one comes when everything that the last one caused has been read and committed. A stage pushes before it
//! commits, so a look along the data flow tells.
//!
//! Not of messages, and so not played: deaths and restarts, and which games are over by the word of Redis, by which
//! the signal processor frees their limits. So a replay is like another replay, and not always like the run.

mod feed;
mod outcome;
mod plan;
mod scratch;
mod stages;

pub(crate) use outcome::Sum;
pub(crate) use scratch::{SweepArguments, sweep};

use crate::{
    Failure,
    interrupt::Interrupt,
    recording::{Ending, Entry, Reader},
};
use feed::{Board, Feed};
use ipc::Observer;
use outcome::{Outcome, Tally};
use plan::{Plan, Step, What};
use scratch::Scratch;
use stages::{PATIENCE, Stages};
use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    time::{Duration, Instant},
};

/// Looks at a counter before other processes get our core.
const SPINS: u32 = 64;
/// Looks, or messages, between two looks after the stages.
const BETWEEN_CHECKS: u32 = 256;
/// Longest sleep while the next message is not due yet.
const NAP: Duration = Duration::from_millis(20);

/// How fast messages follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Speed {
    /// So many times as fast as they were recorded.
    Times(f64),
    /// As fast as the stages get done with them.
    Max,
}

/// What a replay has made.
#[derive(Debug)]
pub(crate) struct Replayed {
    /// Name of the recorded pipeline.
    pub(crate) pipeline: String,
    /// Messages played.
    pub(crate) played: u64,
    /// Rings whose first messages were gone when the recording began.
    pub(crate) late: Vec<String>,
    /// Messages that the recording lacks.
    pub(crate) lost: u64,
    /// How the recording ends.
    pub(crate) ending: Ending,
    /// Each ring of the stages, with what it held when it was recorded, if it was.
    pub(crate) rings: Vec<(String, Sum, Option<Sum>)>,
}

/// Plays a recording.
///
/// # Errors
///
/// When it cannot be read or played, and when we are interrupted. Nothing is left behind.
pub(crate) fn play(file: &Path, speed: Speed, place: Option<&Path>) -> Result<Replayed, Failure> {
    let interrupt = Interrupt::listen()?;
    let plan = Plan::read(file)?;
    // In this order: the stages end before their rings go.
    let scratch = Scratch::make(place)?;
    let mut session = Session::start(&plan, file, scratch.path(), &interrupt)?;
    let played = session.play(&plan.steps, speed)?;
    let sums = session.finish()?;
    let recorded = |name: &str| {
        let mut tally = Tally::new();
        let of_it = plan.recorded.iter().filter(|(ring, _)| ring == name);
        for (_, entry) in of_it {
            if let Entry::Message { bytes, .. } = entry {
                tally.add(bytes);
            }
        }
        Some(tally.sum()).filter(|sum| sum.messages > 0)
    };
    let rings = sums.into_iter();
    let rings = rings.map(|(name, sum)| {
        let recorded = recorded(&name);
        (name, sum, recorded)
    });
    let firsts = plan.inputs.iter().zip(&plan.firsts);
    let late = firsts.filter(|(_, first)| **first > 0);
    Ok(Replayed {
        late: late.map(|(link, _)| link.name.clone()).collect(),
        pipeline: plan.pipeline.name.clone(),
        played,
        lost: plan.lost,
        rings: rings.collect(),
        ending: plan.ending,
    })
}

/// A replay that runs.
struct Session {
    feeds: Vec<Feed>,
    /// What the readers of the feeds are done with.
    inputs: Vec<Observer>,
    boards: Vec<Board>,
    /// In data-flow order.
    outcomes: Vec<Outcome>,
    /// Of the steps, how many came before the start.
    before: usize,
    stages: Stages,
}

impl Session {
    fn start(
        plan: &Plan,
        file: &Path,
        home: &Path,
        interrupt: &Interrupt,
    ) -> Result<Self, Failure> {
        let pipeline = plan.moved_to(home);
        for directory in [&pipeline.ring_dir(), &pipeline.run_dir] {
            let made = DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory);
            made.map_err(|error| Failure::io(format!("create `{}`", directory.display()), error))?;
        }
        let resolved = pipeline.run_dir.join("pipeline.toml");
        let text = toml::to_string(&pipeline).map_err(|error| Failure::Other(error.to_string()))?;
        fs::write(&resolved, text)
            .map_err(|error| Failure::io(format!("write `{}`", resolved.display()), error))?;
        feed::lay_out(plan.inputs.iter().chain(&plan.results), &pipeline)?;
        let header = Reader::open(file)?.header().clone();
        let (mut feeds, mut inputs) = (Vec::new(), Vec::new());
        for link in &plan.inputs {
            let head = header.segments.iter().find(|it| it.name == link.name);
            let head = head.ok_or_else(|| Failure::Other("the recording has changed".into()))?;
            feeds.push(Feed::attach(link, head, &pipeline)?);
            inputs.push(Observer::open(&pipeline.ring_path(&link.name))?);
        }
        let is_stage = |name: &str| plan.stages.iter().any(|stage| stage.name == name);
        let outcomes = plan.results.iter();
        let outcomes = outcomes.map(|link| Outcome::open(link, !is_stage(&link.to), &pipeline));
        let outcomes = outcomes.collect::<Result<_, _>>()?;
        Board::check(&header.segments, &pipeline)?;
        let mut boards = Board::attach_all(&pipeline)?;
        // What was known before the first message is known before the stages look.
        let first = plan.steps.iter();
        let before = first
            .take_while(|step| matches!(step.what, What::Row { .. }))
            .count();
        for step in &plan.steps[..before] {
            write_row(&step.what, &mut boards);
        }
        let mut session = Self {
            feeds,
            inputs,
            boards,
            outcomes,
            before,
            stages: Stages::start(&plan.stages, &pipeline, &resolved, interrupt)?,
        };
        // Messages have the numbers that they had: the identity of what they cause derives from them.
        for (input, first) in plan.firsts.iter().enumerate() {
            session.skip(input, *first)?;
        }
        Ok(session)
    }

    /// Plays all steps, and returns how many messages that were.
    fn play(&mut self, steps: &[Step], speed: Speed) -> Result<u64, Failure> {
        let steps = &steps[self.before..];
        let mut played = 0;
        let first = steps.iter().find(|step| is_message(&step.what));
        let origin_ns = first.map_or(0, |step| step.time_ns);
        let began = Instant::now();
        for (count, step) in (0_u32..).zip(steps) {
            if count.is_multiple_of(BETWEEN_CHECKS) {
                self.stages.check()?;
            }
            if let Speed::Times(times) = speed {
                let after = Duration::from_nanos(step.time_ns.saturating_sub(origin_ns));
                self.await_moment(began + after.div_f64(times))?;
            }
            match &step.what {
                What::Row { .. } => write_row(&step.what, &mut self.boards),
                What::Missing { input, count } => self.skip(*input, *count)?,
                What::Message {
                    input,
                    sent_ns,
                    bytes,
                } => {
                    self.feeds[*input].play(bytes, *sent_ns, &mut self.boards)?;
                    self.settle(*input)?;
                    played += 1;
                }
            }
        }
        Ok(played)
    }

    /// Lets the numbers of an input go on without messages.
    fn skip(&mut self, input: usize, count: u64) -> Result<(), Failure> {
        let mut left = count;
        while left > 0 {
            if self.feeds[input].skip()? {
                left -= 1;
            } else {
                self.stages.check()?;
                self.settle(input)?;
            }
        }
        self.settle(input)
    }

    /// Waits until everything is done that the last message of an input has caused.
    fn settle(&mut self, input: usize) -> Result<(), Failure> {
        let published = self.feeds[input].published();
        self.wait(|session| session.inputs[input].statistics().position >= published)?;
        // The readers of one ring write the next: each is looked at when nothing more can come into it.
        for place in 0..self.outcomes.len() {
            self.outcomes[place].take()?;
            self.wait(|session| session.outcomes[place].is_read())?;
        }
        Ok(())
    }

    /// Looks until it is so: nobody rings for an observer.
    fn wait(&mut self, is_so: impl Fn(&Self) -> bool) -> Result<(), Failure> {
        let (mut looks, began) = (0_u32, Instant::now());
        while !is_so(self) {
            looks = looks.wrapping_add(1);
            if looks < SPINS {
                std::hint::spin_loop();
                continue;
            }
            std::thread::yield_now();
            if looks.is_multiple_of(BETWEEN_CHECKS) {
                self.stages.check()?;
                if began.elapsed() > PATIENCE {
                    return Err(Failure::Other(format!(
                        "a stage has not got done with one message in {} s",
                        PATIENCE.as_secs()
                    )));
                }
            }
        }
        Ok(())
    }

    fn await_moment(&mut self, moment: Instant) -> Result<(), Failure> {
        while let Some(left) = moment.checked_duration_since(Instant::now()) {
            if left.is_zero() {
                break;
            }
            self.stages.check()?;
            std::thread::sleep(left.min(NAP));
        }
        Ok(())
    }

    /// Stops the stages in order, and says what they have made.
    fn finish(mut self) -> Result<Vec<(String, Sum)>, Failure> {
        // The goodbyes of those whom we have played: nothing more comes.
        self.feeds.clear();
        self.boards.clear();
        self.stages.stop()?;
        let sums = self.outcomes.iter_mut().map(|outcome| {
            outcome.take()?;
            Ok((outcome.name.clone(), outcome.sum()))
        });
        sums.collect()
    }
}

fn is_message(what: &What) -> bool {
    matches!(what, What::Message { .. })
}

fn write_row(what: &What, boards: &mut [Board]) {
    if let What::Row { board, row, bytes } = what {
        let mut named = boards.iter_mut().filter(|it| it.name == *board);
        if let Some(board) = named.next() {
            board.write(*row, bytes);
        }
    }
}
