//! A pipeline whose processes somebody else starts, such as the containers of a compose file: laid out before they start, and
//! its books compared with the venue's at the end.

use super::{
    arguments::{Exit, PrepareArguments, ReconcileArguments},
    books::Auditor,
    events::Events,
    identity, live, plan, preflight, registry,
    report::Report,
    rings::Rings,
    run_directory::RunDirectory,
    segments::Segments,
    session::{program_directory, refuse, write_json},
    topology::Topology,
};
use crate::{
    cold::reconcile::Access,
    runtime::{Failure, await_pipeline, heed_signals},
};
use ipc::Observer;
use pipeline::{Pipeline, redis_address::shown};
use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

/// Name under which the comparison waits for what it needs: that of no process, so it needs no ring.
const AUDITOR: &str = "reconcile";
/// Time between two looks at whether it is to stop, besides the signals themselves.
const LOOK: Duration = Duration::from_secs(60);

/// Lays out directories, rings and boards, and writes the resolved pipeline file into the run directory. Of a pipeline that
/// runs nothing is touched.
///
/// # Errors
///
/// When a directory or ring cannot be made.
pub(super) fn prepare(
    mut pipeline: Pipeline,
    arguments: &PrepareArguments,
) -> Result<Exit, Failure> {
    if let Some(rings) = &arguments.rings {
        pipeline.rings.clone_from(rings);
    }
    if let Some(run_dir) = &arguments.run_dir {
        pipeline.run_dir.clone_from(run_dir);
    }
    if let Some(url) = &arguments.redis {
        pipeline.redis.url.clone_from(url);
    }
    let mut faults = pipeline.faults();
    faults.extend(arguments.redis.as_deref().and_then(told_to_all));
    faults.extend(live::faults_of_prepared(&pipeline, &arguments.money));
    if pipeline.redis.url.is_empty() {
        faults.push(
            "redis.url is empty, and nobody is there to start a server: give it, or `--redis URL`"
                .into(),
        );
    }
    if !faults.is_empty() {
        return Ok(refuse(
            &format!("the file of pipeline `{}`", pipeline.name),
            &faults,
        ));
    }
    let obstacles = preflight::obstacles(&pipeline, &program_directory());
    if !obstacles.is_empty() {
        return Ok(refuse("this host", &obstacles));
    }
    if let Some(held) = held(&pipeline) {
        eprintln!(
            "{}: runs already ({held}); left as it is\n  fix: stop all its processes first, if it is to begin anew",
            pipeline.name
        );
        return Ok(Exit::Clean);
    }
    pipeline.dry_orders |= arguments.money.dry_orders;
    let fit = plan::fit(&mut pipeline, &Topology::of_host());
    let directory = RunDirectory::take(&pipeline)?;
    directory.clear(pipeline.simulator.is_some())?;
    // Whoever waits for the pipeline reads the file again once he sees the rings: an old one must be gone by then.
    directory.retract_pipeline()?;
    let segments = Segments::lay_out(&pipeline)?;
    identity::assume(&mut pipeline)?;
    if let Err(failure) = registry::withdraw(&pipeline).and_then(|()| registry::publish(&pipeline))
    {
        eprintln!("warning: the registry is not in Redis: {failure}");
    }
    let file = directory.write_pipeline(&pipeline)?;
    segments.leave(&pipeline)?;
    println!(
        "{}: {}\n{} rings and {} boards in {}, to be started with --pipeline {}",
        pipeline.name,
        fit.summary,
        pipeline.links.len(),
        pipeline.boards.len(),
        pipeline.ring_dir().display(),
        file.display()
    );
    Ok(Exit::Clean)
}

/// Why this address may not be an argument, if it may not.
fn told_to_all(url: &str) -> Option<String> {
    let shown = shown(url);
    (shown != url).then(|| {
        format!(
            "--redis {shown}: everybody on this host can read the password in a command line; give the address as [redis] url of a pipeline file with mode 600"
        )
    })
}

/// A role that a live process holds in the pipeline's rings, if there is one.
fn held(pipeline: &Pipeline) -> Option<String> {
    let rings = pipeline.links.iter().map(|link| &link.name);
    let rings = rings.map(|name| (name, pipeline.ring_path(name)));
    let boards = pipeline.boards.iter().map(|board| &board.name);
    let boards = boards.map(|name| (name, pipeline.board_path(name)));
    rings.chain(boards).find_map(|(name, path)| {
        let now = Observer::open(&path).ok()?.statistics();
        let role = match (now.producer_attached, now.consumer_attached) {
            (true, _) => "writer",
            (_, true) => "reader",
            _ => return None,
        };
        Some(format!("`{name}` has a {role}"))
    })
}

/// Compares our books with the venue's, now or when asked to stop, and prints the report.
///
/// # Errors
///
/// When the pipeline is not there, or the venue cannot be asked.
pub(super) fn reconcile(arguments: &ReconcileArguments) -> Result<Exit, Failure> {
    let stop = heed_signals()?;
    let pipeline = await_pipeline(&arguments.pipeline, AUDITOR, &stop)?;
    // What the account holds now, less what we did, is the start: so it is asked before anybody trades, where that can be.
    let auditor = Auditor::prepare(&pipeline)?;
    let started = Instant::now();
    if arguments.when_stopped {
        let mut events = Events::watch(&pipeline.run_dir)?;
        eprintln!("{}: comparing the books when stopped", pipeline.name);
        while !stop.load(Relaxed) {
            events.wait_until(Instant::now() + LOOK);
        }
    }
    // While they trade, the books are the position tracker's.
    let access = if arguments.when_stopped {
        Access::Write
    } else {
        Access::Read
    };
    let books = auditor.compare(&pipeline, access);
    let rings = match Rings::open(&pipeline) {
        Ok(rings) => Some(rings),
        Err(failure) => {
            eprintln!("warning: what the rings lost is not known: {failure}");
            None
        }
    };
    let totals = rings.as_ref().map(Rings::totals).unwrap_or_default();
    let report = Report {
        pipeline: pipeline.name.clone(),
        seconds: started.elapsed().as_secs_f64(),
        stopped_because: "it was asked to".into(),
        safe: Vec::new(),
        audits: None,
        placement: "processes started elsewhere".into(),
        processes: Vec::new(),
        rings: rings.as_ref().map(Rings::report).unwrap_or_default(),
        games: None,
        ticks: totals.ticks,
        signals: totals.signals,
        orders: totals.orders,
        dry_orders: None,
        fills: totals.fills,
        rejected: None,
        tick_to_order_ns: None,
        tick_to_answer_ns: None,
        order_to_answer_ns: None,
        tick_to_order_stages: None,
        signed_ahead: None,
        cash: books.cash,
        positions: books.positions,
        pnl: books.pnl,
        profit: books.profit,
        reconciled: books.differences.is_empty(),
        differences: books.differences,
        amended: books.amended,
    };
    print!("{}", report.to_text());
    if let Some(path) = &arguments.json {
        write_json(path, &report)
            .map_err(|error| Failure::io(format!("write `{}`", path.display()), error))?;
    }
    Ok(if report.is_clean() {
        Exit::Clean
    } else {
        Exit::Failed
    })
}
