//! Who plays which part in a replay, by the recorded pipeline file; and in which order.

use crate::{
    Failure,
    recording::{Ending, Entry, Header, Reader, SegmentHead},
};
use pipeline::{HotPath, Link, Pipeline, Process, Redis, Venue, Wait};
use std::path::Path;

/// The programs that only turn messages into messages: they are started, all others are played.
const STAGES: [&str; 2] = ["game_shard", "signal_processor"];

/// A recording that can be replayed.
pub(super) struct Plan {
    /// The recorded pipeline.
    pub(super) pipeline: Pipeline,
    /// The stages, in data-flow order.
    pub(super) stages: Vec<Process>,
    /// Rings from the outside into a stage: these are played.
    pub(super) inputs: Vec<Link>,
    /// Rings from a stage to a stage or to the outside, in data-flow order: these are the result.
    pub(super) results: Vec<Link>,
    /// The number of the first message of each input.
    pub(super) firsts: Vec<u64>,
    /// What to play, in order.
    pub(super) steps: Vec<Step>,
    /// What the rings of the result held when they were recorded.
    pub(super) recorded: Vec<(String, Entry)>,
    /// How the recording ends.
    pub(super) ending: Ending,
    /// Messages of inputs that the recording lacks.
    pub(super) lost: u64,
}

/// One thing to play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// The replay's clock, ns of the recorded `CLOCK_MONOTONIC`.
    pub(super) time_ns: u64,
    /// What it is.
    pub(super) what: What,
}

/// What is played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// A message into the input of that place.
    Message {
        input: usize,
        sent_ns: u64,
        bytes: Vec<u8>,
    },
    /// Numbers of the input of that place that nobody knows the messages of.
    Missing { input: usize, count: u64 },
    /// A row of a board.
    Row {
        board: String,
        row: u32,
        bytes: Vec<u8>,
    },
}

impl Plan {
    /// Reads a recording.
    ///
    /// # Errors
    ///
    /// When it cannot be read, has no pipeline file, or lacks an input.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let mut reader = Reader::open(path)?;
        let header = reader.header().clone();
        let pipeline = pipeline_of(&header)?;
        let is_stage = |name: &str| {
            let process = pipeline.processes.iter().find(|it| it.name == name);
            process.is_some_and(|process| STAGES.contains(&process.program()))
        };
        let stages = pipeline.processes.iter();
        let stages: Vec<Process> = stages.filter(|it| is_stage(&it.name)).cloned().collect();
        let links = |from_stage: bool, to: fn(bool) -> bool| {
            let links = pipeline.links.iter();
            let chosen =
                links.filter(|link| is_stage(&link.from) == from_stage && to(is_stage(&link.to)));
            chosen.cloned().collect::<Vec<Link>>()
        };
        let (inputs, mut results) = (links(false, |to| to), links(true, |_| true));
        results.sort_by_key(|link| stages.iter().position(|stage| stage.name == link.from));
        let mut firsts = Vec::new();
        for input in &inputs {
            let head = header.segments.iter().find(|it| it.name == input.name);
            let head = head.ok_or_else(|| {
                Failure::Other(format!(
                    "the recording has no `{}`, which `{}` reads (fix: record all rings)",
                    input.name, input.to
                ))
            })?;
            firsts.push(head.first);
        }
        let mut plan = Self {
            pipeline,
            stages,
            inputs,
            results,
            firsts,
            steps: Vec::new(),
            recorded: Vec::new(),
            ending: Ending::Complete,
            lost: 0,
        };
        let mut times = vec![0; header.segments.len()];
        while let Some(entry) = reader.next()? {
            plan.take(entry, &header, &mut times);
        }
        plan.ending = reader.ending().cloned().unwrap_or(Ending::Complete);
        // A message that came late into its ring stands behind its place. A stable sort: what has one time, and
        // what has none, stays in the file's order.
        plan.steps.sort_by_key(|step| step.time_ns);
        Ok(plan)
    }

    /// `times`: of the last entry of each segment.
    fn take(&mut self, entry: Entry, header: &Header, times: &mut [u64]) {
        let (segment, time_ns) = match &entry {
            Entry::Message {
                segment, sent_ns, ..
            } => (*segment, *sent_ns),
            Entry::Gap {
                segment, time_ns, ..
            } => (*segment, *time_ns),
            Entry::Row {
                segment,
                written_ns,
                ..
            } => (*segment, *written_ns),
        };
        let place = usize::from(segment);
        // The reader has checked the place.
        let (Some(head), Some(last)) = (header.segments.get(place), times.get_mut(place)) else {
            return;
        };
        let time_ns = if head.is_board() {
            time_ns
        } else {
            *last = time_ns.max(*last);
            *last
        };
        let input = self.inputs.iter().position(|link| link.name == head.name);
        let what = match (entry, input) {
            (Entry::Message { sent_ns, bytes, .. }, Some(input)) => What::Message {
                input,
                sent_ns,
                bytes,
            },
            (Entry::Gap { lost, .. }, Some(input)) => {
                self.lost = self.lost.saturating_add(lost);
                What::Missing { input, count: lost }
            }
            (Entry::Row { row, bytes, .. }, _) => What::Row {
                board: head.name.clone(),
                row,
                bytes,
            },
            (entry, None) => {
                if self.results.iter().any(|link| link.name == head.name) {
                    self.recorded.push((head.name.clone(), entry));
                }
                return;
            }
        };
        self.steps.push(Step { time_ns, what });
    }

    /// The pipeline file of the replay, whose rings and ready files are below `home`.
    pub(super) fn moved_to(&self, home: &Path) -> Pipeline {
        let mut pipeline = self.pipeline.clone();
        pipeline.replay = true;
        pipeline.rings = home.join("rings");
        pipeline.run_dir = home.join("run");
        (pipeline.ring_mode, pipeline.ring_group) = (0o600, None);
        // Nobody answers there, and nobody needs to: what a stage knows of Redis is not of its messages.
        pipeline.redis = Redis {
            url: format!("unix://{}", home.join("no-redis.sock").display()),
            heartbeat_ms: 3_600_000,
        };
        pipeline.venue = Venue::default();
        pipeline.hot_path = HotPath::Rings;
        pipeline.wait = Wait::Sleep;
        for process in &mut pipeline.processes {
            process.core = None;
        }
        pipeline
    }
}

fn pipeline_of(header: &Header) -> Result<Pipeline, Failure> {
    let text = header.pipeline_file.as_ref().ok_or_else(|| {
        Failure::Other(
            "the recording has no pipeline file, so nobody knows whom to start (fix: record with --pipeline RUN_DIR/pipeline.toml)".into(),
        )
    })?;
    toml::from_str(text)
        .map_err(|error| Failure::Other(format!("the recorded pipeline file: {error}")))
}

/// Refuses a recorded message that `T` is not, field by field.
pub(super) fn check_layout<T: ipc::Message>(head: &SegmentHead) -> Result<(), Failure> {
    let ours = ipc::schema::<T>();
    if head.schema == ours {
        return Ok(());
    }
    Err(Failure::Other(format!(
        "`{}` was recorded with another layout than these programs have:\n{}  fix: replay with the programs of the recording",
        head.name,
        ipc::difference(&head.schema, &ours)
    )))
}
