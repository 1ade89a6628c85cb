//! One run: the experiments that were asked for, one after the other, and what they came to.

use crate::{
    Failure,
    conditions::Before,
    cores::Cores,
    experiment::{
        Place, chain, end_to_end, fanin, hop, rate, stamps, stream, switch, wake, watched,
    },
    rounds::{self, Cell, Rounds},
    row::{Results, Row},
    scratch,
    servers::Running,
    targets,
};
use std::{
    cell::{Cell as Counter, RefCell},
    io::{IsTerminal, Write},
    path::Path,
    time::Duration,
};

/// What was asked for.
#[derive(Debug)]
pub struct Order<'a> {
    /// Experiments, by name.
    pub experiments: &'a [&'static str],
    /// Only rings and the like.
    pub rings_only: bool,
    /// Minutes instead of a quarter of an hour.
    pub quick: bool,
    /// So many windows of each contender, however long that takes.
    pub windows: Option<u32>,
    /// Only contenders whose name contains this.
    pub only: &'a str,
    /// Where.
    pub cores: Cores,
}

/// Prepares the cells of an experiment.
type Prepare = fn(&Place<'_>) -> Result<Vec<Cell>, Failure>;

/// An experiment whose contenders take turns.
struct Experiment {
    name: &'static str,
    prepare: Prepare,
    /// Seconds of a quick run.
    seconds: u64,
    /// Rounds of a quick run, whatever the time.
    fewest: u32,
}

/// All that take turns, in the order of a run.
const EXPERIMENTS: [Experiment; 8] = [
    Experiment {
        name: hop::NAME,
        prepare: hop::cells,
        seconds: 20,
        fewest: 12,
    },
    Experiment {
        name: stream::NAME,
        prepare: stream::cells,
        seconds: 30,
        fewest: 8,
    },
    Experiment {
        name: stamps::NAME,
        prepare: stamps::cells,
        seconds: 6,
        fewest: 15,
    },
    Experiment {
        name: rate::NAME,
        prepare: rate::cells,
        seconds: 40,
        fewest: 8,
    },
    Experiment {
        name: wake::NAME,
        prepare: wake::cells,
        seconds: 20,
        fewest: 6,
    },
    Experiment {
        name: fanin::NAME,
        prepare: fanin::cells,
        seconds: 8,
        fewest: 12,
    },
    Experiment {
        name: chain::NAME,
        prepare: chain::cells,
        seconds: 12,
        fewest: 12,
    },
    Experiment {
        name: watched::NAME,
        prepare: watched::cells,
        seconds: 30,
        fewest: 20,
    },
];
/// Measures the whole pipeline in a directory, quickly or not, and tells before each part how many are done, and of how many.
type Measure = fn(&Path, bool, &mut dyn FnMut(usize, usize)) -> Result<Vec<Row>, Failure>;

/// Those of the whole pipeline, after all others.
const PIPELINES: [(&str, Measure); 2] = [
    (end_to_end::NAME, end_to_end::rows),
    (switch::NAME, switch::rows),
];
/// A full run is so many times as long.
const FULL: u64 = 6;

/// Measures what was asked for.
///
/// # Errors
///
/// When a floor cannot be had, or a contender fails in the middle.
pub fn measure(order: &Order<'_>) -> Result<Results, Failure> {
    let directory = scratch::directory()?;
    // Before this thread is pinned: the servers may use what it may not.
    let beside = order.cores.beside()?;
    crate::cores::pin(order.cores.near)?;
    let place = Place {
        cores: order.cores,
        directory: directory.path(),
        servers: RefCell::new(Running::none(directory.path(), order.cores, beside)),
        only: order.only,
        rings_only: order.rings_only,
        quick: order.quick,
        links: Counter::new(0),
        absent: RefCell::default(),
    };
    let before = Before::now(order.cores);
    let mut rows = Vec::new();
    let mut involuntary = 0;
    for experiment in EXPERIMENTS {
        if !order.experiments.contains(&experiment.name) {
            continue;
        }
        let mut cells = (experiment.prepare)(&place)?;
        let rounds = rounds_of(&experiment, order);
        involuntary += rounds::run(&mut cells, rounds, |round, elapsed| {
            show_progress(experiment.name, round, elapsed, rounds);
        })?;
        end_progress();
        rows.extend(cells.iter().flat_map(Cell::rows));
        for (who, why) in cells.iter().flat_map(Cell::failures) {
            let why = format!("failed in the middle: {why}");
            place.note_absent(experiment.name, &who, why);
        }
    }
    for (name, measure) in PIPELINES {
        if order.experiments.contains(&name) {
            rows.extend(whole_pipeline(&place, name, measure));
        }
    }
    let mut conditions = before.until_now(involuntary)?;
    let warning = place.servers.borrow().warning();
    conditions.warnings.extend(warning);
    Ok(Results {
        conditions,
        targets: targets::judge(&rows),
        claims: targets::claims(&rows),
        rows,
        absent: place.absent.into_inner(),
    })
}

/// The whole pipeline, which measures itself; noted as absent when it cannot be had.
fn whole_pipeline(place: &Place<'_>, name: &str, measure: Measure) -> Vec<Row> {
    let mut tell = |done: usize, of: usize| {
        say(name, &format!("{} of {of}", done + 1), done == 0);
    };
    let rows = measure(place.directory, place.quick, &mut tell);
    end_progress();
    rows.unwrap_or_else(|error| {
        place.note_absent(name, "the pipeline", error.to_string());
        Vec::new()
    })
}

fn rounds_of(experiment: &Experiment, order: &Order<'_>) -> Rounds {
    let longer = if order.quick { 1 } else { FULL };
    order.windows.map_or(
        Rounds::For {
            time: Duration::from_secs(experiment.seconds * longer),
            fewest: experiment.fewest,
        },
        Rounds::Count,
    )
}

fn show_progress(name: &str, round: u32, elapsed: Duration, rounds: Rounds) {
    let whole = match rounds {
        Rounds::Count(count) => format!("of {count}"),
        Rounds::For { time, .. } => format!("{} of {} s", elapsed.as_secs(), time.as_secs()),
    };
    say(name, &format!("round {round}, {whole}"), round == 0);
}

/// One line that is written over, on a terminal; elsewhere a line at the start.
fn say(name: &str, progress: &str, first: bool) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        // Nobody depends on it.
        let _ = write!(stderr, "\r\x1b[Kmeasuring {name}: {progress}");
        let _ = stderr.flush();
    } else if first {
        eprintln!("measuring {name} ...");
    }
}

fn end_progress() {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}
