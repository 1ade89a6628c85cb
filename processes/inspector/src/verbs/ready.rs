//! `ready`: waits until every ring has both its sides.

use crate::{
    Failure,
    arguments::{Arguments, seconds},
    exit::Exit,
    place::label,
    sample::{Sample, Sources, seconds as in_seconds},
    say, say_json,
    table::span,
};
use ipc::{Kind, clock};
use serde::Serialize;
use std::{
    thread,
    time::{Duration, Instant},
};

pub(crate) const HELP: &str = "\
Example, in a start-up script:

  $ shm-inspect ready --timeout 10 --ring orders --ring fills
  not ready after 10 s:
    demo/fills: no consumer has come
  $ shm-inspect ready
  ready after 540 ms: 20 rings and boards, all attached

Exit codes: 0 ready; 1 not in time; 2 no such directory.";

/// Between two looks. Nobody is woken by an attach.
const LOOK: Duration = Duration::from_millis(10);

/// What to wait for.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How long, in seconds.
    #[arg(long, value_name = "S", default_value = "30", value_parser = seconds)]
    timeout: Duration,
    /// A ring or board that must be there; by default every one that is, and at least one. May be given more than once.
    #[arg(long = "ring", value_name = "NAME")]
    names: Vec<String>,
}

/// What became of it.
#[derive(Debug, Serialize)]
struct Outcome {
    ready: bool,
    waited_s: f64,
    rings: usize,
    missing: Vec<Missing>,
}

/// What there is still to wait for.
#[derive(Debug, Serialize)]
struct Missing {
    ring: String,
    /// `producer`, `consumer`, `writer`, or `ring` where there is none, or none that can be read.
    what: &'static str,
    why: String,
}

/// Waits.
///
/// # Errors
///
/// When the directory can still not be read at the end.
pub(super) fn run(arguments: &Arguments, options: &Options) -> Result<Exit, Failure> {
    let (began, began_ns) = (Instant::now(), clock::mono_ns());
    let outcome = loop {
        let looked = look(arguments, options);
        let late = began.elapsed() >= options.timeout;
        match looked {
            Ok((rings, missing)) if missing.is_empty() || late => {
                let waited_s = in_seconds(clock::mono_ns().saturating_sub(began_ns));
                break Outcome {
                    ready: missing.is_empty(),
                    waited_s,
                    rings,
                    missing,
                };
            }
            // The directory may come with the pipeline.
            Err(failure) if late => return Err(failure),
            _ => thread::sleep(LOOK.min(options.timeout.saturating_sub(began.elapsed()))),
        }
    };
    if arguments.json {
        say_json(&outcome)?;
    } else if outcome.ready {
        let (rings, waited) = (outcome.rings, span(outcome.waited_s));
        say(&format!(
            "ready after {waited}: {rings} rings and boards, all attached\n"
        ))?;
    } else {
        let missing = outcome.missing.iter();
        let lines = missing.map(|one| format!("  {}: {}\n", one.ring, one.why));
        let lines: String = lines.collect();
        say(&format!(
            "not ready after {}:\n{lines}",
            span(outcome.waited_s)
        ))?;
    }
    Ok(if outcome.ready {
        Exit::Fine
    } else {
        Exit::Trouble
    })
}

/// How many segments there are, and what is missing.
fn look(arguments: &Arguments, options: &Options) -> Result<(usize, Vec<Missing>), Failure> {
    let samples = Sources::open(&arguments.place.rings)?.read();
    let mut missing = Vec::new();
    let meant = |sample: &&Sample| {
        let names = [sample.file.name.clone(), label(&sample.file)];
        options.names.is_empty() || options.names.iter().any(|name| names.contains(name))
    };
    let samples: Vec<&Sample> = samples.iter().filter(meant).collect();
    for name in &options.names {
        let there = |sample: &&&Sample| *name == sample.file.name || *name == label(&sample.file);
        if samples.iter().find(there).is_none() {
            missing.push(no_ring(name.clone()));
        }
    }
    if samples.is_empty() && options.names.is_empty() {
        missing.push(no_ring("any ring".into()));
    }
    for sample in &samples {
        missing.extend(empty_roles(sample));
    }
    Ok((samples.len(), missing))
}

fn no_ring(ring: String) -> Missing {
    let why =
        "there is none: its launcher has not laid it out, or it is in another directory".into();
    Missing {
        ring,
        what: "ring",
        why,
    }
}

fn empty_roles(sample: &Sample) -> Vec<Missing> {
    let ring = label(&sample.file);
    let reading = match &sample.reading {
        Ok(reading) => reading,
        Err(unreadable) => {
            let (what, why) = ("ring", unreadable.reason.clone());
            return vec![Missing { ring, what, why }];
        }
    };
    let board = reading.kind == Kind::Board;
    let producer = if board { "writer" } else { "producer" };
    let roles = [
        (
            producer,
            reading.counters.producer_attached,
            &reading.producer,
        ),
        (
            "consumer",
            reading.counters.consumer_attached || board,
            &reading.consumer,
        ),
    ];
    let empty = roles.into_iter().filter(|(_, attached, _)| !attached);
    let missing = empty.map(|(what, _, last)| {
        let why = match last {
            None => format!("no {what} has come"),
            Some(last) if last.left => format!("its {what} {} has left", last.name),
            Some(last) => format!("its {what} {} is dead", last.name),
        };
        let ring = ring.clone();
        Missing { ring, what, why }
    });
    missing.collect()
}
