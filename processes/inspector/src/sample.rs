//! What there is to know of a segment at one moment, read once; and what changed between two moments.
//!
//! Reading costs the pipeline nothing but the cache lines that are looked at. It judges nothing: see `judge`.

use crate::{
    Failure,
    place::{self, SegmentFile},
    presence::Presence,
};
use ipc::{Error, Finding, Histogram, Holder, Kind, Life, Observer, Role, Statistics, clock};
use serde::Serialize;
use std::path::PathBuf;

/// Most rows of a board that are searched for the latest.
const MOST_ROWS: u32 = 1 << 16;
const NS_PER_S: f64 = 1e9;

/// The segments of some directories, opened for reading again and again.
pub(crate) struct Sources {
    asked: Vec<PathBuf>,
    sources: Vec<Source>,
}

/// One segment, open if it can be.
struct Source {
    file: SegmentFile,
    opened: Result<Opened, Unreadable>,
}

struct Opened {
    observer: Observer,
    message: Option<String>,
    /// Of a board: its count of writes, and the latest time in its rows by then.
    rows: Option<(u64, Option<u64>)>,
}

/// A segment at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) file: SegmentFile,
    /// When it was read, ns of `CLOCK_MONOTONIC`.
    pub(crate) at_ns: u64,
    pub(crate) reading: Result<Reading, Unreadable>,
}

/// Why a segment cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// Whether the system forbids or refuses it; otherwise what is there is no sound segment.
    pub(crate) refused: bool,
    /// In words, with the fix.
    pub(crate) reason: String,
}

/// What a segment said.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) kind: Kind,
    /// Name of its message; `None` when its schema cannot be read.
    pub(crate) message: Option<String>,
    /// Slots of a ring, rows of a board.
    pub(crate) capacity: u32,
    /// Fresh at every creation: readings of two instances have nothing in common.
    pub(crate) instance: u64,
    /// When it was created, ns of `CLOCK_MONOTONIC`, as far as the clock of the day tells.
    pub(crate) created_mono_ns: u64,
    pub(crate) counters: Statistics,
    /// Who is the producer or writer, or was the last.
    pub(crate) producer: Option<Holder>,
    /// Who is the consumer, or was the last.
    pub(crate) consumer: Option<Holder>,
    pub(crate) life: Life,
    /// From push to pop, since creation.
    pub(crate) latency: Histogram,
    /// From the origin of what caused the message to its pop, since creation.
    pub(crate) age: Histogram,
    /// When the latest message or row was written, ns of `CLOCK_MONOTONIC`, where it says so.
    pub(crate) last_ns: Option<u64>,
    /// When the first message that waits was pushed, or one of the next where only some are stamped.
    pub(crate) oldest_ns: Option<u64>,
    /// Of the board of a process: what it said.
    pub(crate) presence: Option<Presence>,
    /// Counters and locks that do not fit together.
    pub(crate) findings: Vec<Finding>,
}

/// What changed between two readings of one segment.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) seconds: f64,
    /// Messages, or writes of rows.
    pub(crate) published: u64,
    /// Messages passed by the consumer's position, lost ones included.
    pub(crate) passed: u64,
    pub(crate) lost: u64,
    /// Times that the producer found no room.
    pub(crate) full: u64,
    pub(crate) wakes: u64,
    pub(crate) latency: Histogram,
    pub(crate) age: Histogram,
}

/// A histogram in five numbers, ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) count: u64,
    pub(crate) p50_ns: u64,
    pub(crate) p90_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) p999_ns: u64,
    pub(crate) max_ns: u64,
}

impl Sources {
    /// Opens all segments of the directories asked for.
    ///
    /// # Errors
    ///
    /// When a directory cannot be read.
    pub(crate) fn open(asked: &[PathBuf]) -> Result<Self, Failure> {
        let mut sources = Self {
            asked: asked.to_owned(),
            sources: Vec::new(),
        };
        sources.refresh()?;
        Ok(sources)
    }

    /// The segments that are named, or all where none is.
    ///
    /// # Errors
    ///
    /// As [`Sources::open`], and when there is no such segment.
    pub(crate) fn named(asked: &[PathBuf], names: &[String]) -> Result<Self, Failure> {
        if names.is_empty() {
            return Self::open(asked);
        }
        let files = names.iter().map(|name| place::one(asked, name));
        let files: Vec<SegmentFile> = files.collect::<Result<_, _>>()?;
        Ok(Self {
            asked: Vec::new(),
            sources: files.into_iter().map(Source::open).collect(),
        })
    }

    /// Looks at the directories again: opens what is new or could not be read, closes what has been removed or
    /// replaced.
    ///
    /// # Errors
    ///
    /// As [`Sources::open`].
    pub(crate) fn refresh(&mut self) -> Result<(), Failure> {
        let mut known = std::mem::take(&mut self.sources);
        for file in place::segments(&self.asked)? {
            let place = known.iter().position(|source| source.file == file);
            let kept = place.map(|place| known.swap_remove(place));
            let kept = kept.filter(Source::is_current);
            let source = kept.unwrap_or_else(|| Source::open(file));
            self.sources.push(source);
        }
        Ok(())
    }

    /// Reads each once, in order of pipeline and name. Those that have been removed since they were opened are left out.
    pub(crate) fn read(&mut self) -> Vec<Sample> {
        let sources = self.sources.iter_mut();
        sources.filter_map(Source::read).collect()
    }
}

impl Source {
    fn open(file: SegmentFile) -> Self {
        let opened = Observer::open(&file.path).map_err(|error| Unreadable {
            refused: matches!(error, Error::Io { .. } | Error::Denied { .. }),
            reason: error.to_string(),
        });
        let opened = opened.map(|observer| Opened {
            message: observer.schema().ok().map(|schema| schema.name),
            observer,
            rows: None,
        });
        Self { file, opened }
    }

    fn is_current(&self) -> bool {
        self.opened
            .as_ref()
            .is_ok_and(|opened| opened.observer.is_in_place())
    }

    fn read(&mut self) -> Option<Sample> {
        if self.opened.is_err() && !self.file.path.exists() {
            return None;
        }
        let reading = match &mut self.opened {
            Ok(opened) => Ok(opened.read(self.file.process().is_some())),
            Err(unreadable) => Err(unreadable.clone()),
        };
        Some(Sample {
            file: self.file.clone(),
            at_ns: clock::mono_ns(),
            reading,
        })
    }
}

impl Opened {
    fn read(&mut self, of_process: bool) -> Reading {
        let observer = &self.observer;
        let (info, counters) = (observer.info(), observer.statistics());
        let board = info.kind == Kind::Board;
        let lived_ns = clock::unix_ns().saturating_sub(info.created_unix_ns);
        let (last_ns, oldest_ns) = if board {
            let known = self.rows.filter(|(count, _)| *count == counters.published);
            let last = match known {
                Some((_, last)) => last,
                None => last_row(observer),
            };
            self.rows = Some((counters.published, last));
            (last, None)
        } else {
            let waiting = counters.position..counters.published;
            (
                last_stamp(observer, counters.published),
                first_stamp(observer, waiting),
            )
        };
        Reading {
            kind: info.kind,
            message: self.message.clone(),
            capacity: info.capacity,
            instance: info.instance,
            created_mono_ns: clock::mono_ns().saturating_sub(lived_ns),
            counters,
            producer: observer.holder(Role::Producer),
            consumer: observer.holder(Role::Consumer),
            life: observer.life(),
            latency: observer.latency(),
            age: observer.age(),
            last_ns,
            oldest_ns,
            presence: of_process.then(|| Presence::read(observer)).flatten(),
            findings: observer.verify_counters(),
        }
    }
}

/// When one of the last messages was pushed: the last that carries a stamp.
fn last_stamp(observer: &Observer, published: u64) -> Option<u64> {
    let every = u64::from(observer.info().stamp_every);
    let last = published.checked_sub(1)?;
    stamp(observer, last.checked_sub(last.checked_rem(every)?)?)
}

/// When the first message of a range that carries a stamp was pushed.
fn first_stamp(observer: &Observer, waiting: std::ops::Range<u64>) -> Option<u64> {
    let (info, end) = (observer.info(), waiting.end);
    // What lies further back has been overwritten.
    let first = waiting
        .start
        .max(end.saturating_sub(u64::from(info.capacity)));
    let every = u64::from(info.stamp_every);
    let stamped = first.checked_next_multiple_of(every)?;
    (stamped < end).then(|| stamp(observer, stamped)).flatten()
}

fn stamp(observer: &Observer, sequence: u64) -> Option<u64> {
    let message = observer.read_bytes(sequence).ok().flatten()?;
    Some(message.sent_ns).filter(|sent| *sent != 0)
}

fn last_row(observer: &Observer) -> Option<u64> {
    let rows = 0..observer.info().capacity.min(MOST_ROWS);
    let written = rows.filter_map(|row| observer.read_row(row).ok().flatten());
    written.map(|row| row.written_ns).max()
}

impl Sample {
    /// What changed since an earlier sample of the same segment; `None` when it is not the same any more, or either could not
    /// be read.
    pub(crate) fn since(&self, earlier: &Self) -> Option<Change> {
        let (now, then) = (self.reading.as_ref().ok()?, earlier.reading.as_ref().ok()?);
        if self.file != earlier.file || now.instance != then.instance {
            return None;
        }
        let (counters, before) = (&now.counters, &then.counters);
        Some(Change {
            seconds: seconds(self.at_ns.saturating_sub(earlier.at_ns)),
            published: counters.published.saturating_sub(before.published),
            passed: counters.position.saturating_sub(before.position),
            lost: counters.lost.saturating_sub(before.lost),
            full: counters.full.saturating_sub(before.full),
            wakes: counters.wakes.saturating_sub(before.wakes),
            latency: now.latency.since(&then.latency),
            age: now.age.since(&then.age),
        })
    }
}

impl Reading {
    /// Messages that wait for the consumer; `None` of a board. A latest-wins ring may have overwritten some of them.
    pub(crate) fn depth(&self) -> Option<u64> {
        let waiting = self
            .counters
            .published
            .saturating_sub(self.counters.position);
        (self.kind != Kind::Board).then_some(waiting)
    }

    /// When something was last heard of the producer: a message, or a beat.
    pub(crate) fn heard_ns(&self) -> u64 {
        self.life.beat_ns.max(self.last_ns.unwrap_or(0))
    }
}

impl Change {
    /// A count as a rate, per second.
    pub(crate) fn per_second(&self, count: u64) -> f64 {
        if self.seconds > 0.0 {
            float(count) / self.seconds
        } else {
            0.0
        }
    }
}

impl Percentiles {
    /// Of a histogram; `None` where nothing is recorded.
    pub(crate) fn of(histogram: &Histogram) -> Option<Self> {
        Some(Self {
            count: histogram.count(),
            p50_ns: histogram.quantile(0.5)?,
            p90_ns: histogram.quantile(0.9)?,
            p99_ns: histogram.quantile(0.99)?,
            p999_ns: histogram.quantile(0.999)?,
            max_ns: histogram.maximum(),
        })
    }
}

/// Nanoseconds as seconds.
pub(crate) fn seconds(ns: u64) -> f64 {
    float(ns) / NS_PER_S
}

/// A count where a hair more or less does not matter.
#[expect(
    clippy::cast_precision_loss,
    reason = "exact to 2^53, and shown with three digits"
)]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}
