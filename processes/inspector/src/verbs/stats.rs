//! `stats`: rates, depths and latencies between two looks.

use crate::{
    Failure,
    arguments::{Arguments, seconds},
    exit::Exit,
    flow,
    sample::{Percentiles, Sample, Sources, seconds as in_seconds},
    say, say_json,
    table::{Align, Table, count, nanoseconds, rate, span},
};
use ipc::clock;
use serde::Serialize;
use std::{thread, time::Duration};

pub(crate) const HELP: &str = "\
Example:

  $ shm-inspect stats
  RING       IN/S  OUT/S   DEPTH  LOST  FULL  WAKES/S  HOP P50      P99      MAX  AGE P99     LAST
  prices.0    293    291  2/4096     -     -       57  69.6 us   159 ms   168 ms   159 ms   245 us
  orders       11     11  0/1024     -     -     7.36   102 us  12.2 ms  12.2 ms  31.4 ms   322 ms

Counts and percentiles are of the interval. LOST and FULL (times that the producer found no room) are `-` when nothing happened. MAX
is rounded up by at most 6.25 %. LAST is the time since the last message. With --json each sample is one line.

Exit codes: 0 done; 1 some rings cannot be read; 2 no rings, or no such one.";

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Names, `pipeline/name` or files; by default all, in data-flow order.
    #[arg(value_name = "RING")]
    names: Vec<String>,
    /// Seconds between two looks.
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    interval: Duration,
    /// How many samples; 0 for as many as there is somebody to read them.
    #[arg(long, value_name = "N", default_value = "1")]
    count: u64,
}

/// One sample.
#[derive(Debug, Serialize)]
struct Measured {
    at_unix_ns: u64,
    interval_s: f64,
    rings: Vec<Line>,
}

/// A ring or board in it. Counts are of the interval, and so are the percentiles.
#[derive(Debug, Serialize)]
struct Line {
    pipeline: String,
    name: String,
    published_per_s: Option<f64>,
    consumed_per_s: Option<f64>,
    /// `None` of a board.
    depth: Option<u64>,
    capacity: Option<u32>,
    lost: Option<u64>,
    full: Option<u64>,
    wakes_per_s: Option<f64>,
    /// From push to pop.
    hop: Option<Percentiles>,
    /// From the origin of what caused the message to its pop.
    age: Option<Percentiles>,
    /// Since the last message or row was written.
    last_s: Option<f64>,
    /// Why it cannot be read.
    fault: Option<String>,
}

/// Measures.
///
/// # Errors
///
/// When a directory cannot be read, or there is no such ring.
pub(super) fn run(arguments: &Arguments, options: &Options) -> Result<Exit, Failure> {
    let mut sources = Sources::named(&arguments.place.rings, &options.names)?;
    let mut before = sources.read();
    if before.is_empty() {
        return Err(Failure::Other(
            "there are no rings: no pipeline runs (fix: name the directory of its rings with --rings)".into(),
        ));
    }
    let (mut sound, mut samples) = (true, 0_u64);
    while options.count == 0 || samples < options.count {
        thread::sleep(options.interval);
        if options.names.is_empty() {
            sources.refresh()?;
        }
        let after = sources.read();
        let measured = measure(&before, &after);
        sound &= measured.rings.iter().all(|line| line.fault.is_none());
        if arguments.json {
            say_json(&measured)?;
        } else {
            let gap = if samples == 0 { "" } else { "\n" };
            say(&format!("{gap}{}", table(&measured).text()))?;
        }
        before = after;
        samples += 1;
    }
    Ok(if sound { Exit::Fine } else { Exit::Trouble })
}

fn measure(before: &[Sample], after: &[Sample]) -> Measured {
    let lines = flow::order(after).into_iter().map(|index| {
        let sample = &after[index];
        let earlier = before.iter().find(|earlier| earlier.file == sample.file);
        line(sample, earlier)
    });
    let interval_ns = match (before.first(), after.first()) {
        (Some(before), Some(after)) => after.at_ns.saturating_sub(before.at_ns),
        _ => 0,
    };
    Measured {
        at_unix_ns: clock::unix_ns(),
        interval_s: in_seconds(interval_ns),
        rings: lines.collect(),
    }
}

fn line(sample: &Sample, earlier: Option<&Sample>) -> Line {
    let change = earlier.and_then(|earlier| sample.since(earlier));
    let change = change.as_ref();
    let reading = sample.reading.as_ref();
    let ring = reading.is_ok_and(|reading| reading.depth().is_some());
    let of_ring = |value: Option<u64>| value.filter(|_| ring);
    Line {
        pipeline: sample.file.pipeline.clone(),
        name: sample.file.name.clone(),
        published_per_s: change.map(|change| change.per_second(change.published)),
        consumed_per_s: change
            .filter(|_| ring)
            .map(|change| change.per_second(change.passed - change.lost.min(change.passed))),
        depth: reading.ok().and_then(|reading| reading.depth()),
        capacity: reading.ok().map(|reading| reading.capacity),
        lost: of_ring(change.map(|change| change.lost)),
        full: of_ring(change.map(|change| change.full)),
        wakes_per_s: change
            .filter(|_| ring)
            .map(|change| change.per_second(change.wakes)),
        hop: change.and_then(|change| Percentiles::of(&change.latency)),
        age: change.and_then(|change| Percentiles::of(&change.age)),
        last_s: reading
            .ok()
            .and_then(|reading| reading.last_ns)
            .map(|last| in_seconds(sample.at_ns.saturating_sub(last))),
        fault: reading.err().map(|unreadable| unreadable.reason.clone()),
    }
}

fn table(measured: &Measured) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("RING", Left),
        ("IN/S", Right),
        ("OUT/S", Right),
        ("DEPTH", Right),
        ("LOST", Right),
        ("FULL", Right),
        ("WAKES/S", Right),
        ("HOP P50", Right),
        ("P99", Right),
        ("MAX", Right),
        ("AGE P99", Right),
        ("LAST", Right),
    ]);
    let lines = &measured.rings;
    let several = lines.iter().any(|line| line.pipeline != lines[0].pipeline);
    for line in lines {
        let per_second = |value: Option<f64>| value.map_or("-".into(), rate);
        let news = |value: Option<u64>| match value {
            None | Some(0) => "-".to_owned(),
            Some(value) => format!("+{}", count(value)),
        };
        let depth = match (line.depth, line.capacity) {
            (Some(depth), Some(capacity)) => format!("{depth}/{capacity}"),
            _ => "-".into(),
        };
        let name = if several {
            format!("{}/{}", line.pipeline, line.name)
        } else {
            line.name.clone()
        };
        table.row(vec![
            name,
            per_second(line.published_per_s),
            per_second(line.consumed_per_s),
            depth,
            news(line.lost),
            news(line.full),
            per_second(line.wakes_per_s),
            nanoseconds(line.hop.map(|hop| hop.p50_ns)),
            nanoseconds(line.hop.map(|hop| hop.p99_ns)),
            nanoseconds(line.hop.map(|hop| hop.max_ns)),
            nanoseconds(line.age.map(|age| age.p99_ns)),
            line.last_s.map_or("-".into(), span),
        ]);
    }
    table
}
