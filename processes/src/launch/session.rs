//! One run of a pipeline, from the first check to the last line of the report.

use super::{
    arguments::{Exit, MoneyArguments, RunArguments},
    audit::Audits,
    books::{Auditor, Books},
    breakdown::Breakdown,
    events::Events,
    helm::Helm,
    identity, live,
    opening::Account,
    plan, preflight,
    private_redis::PrivateRedis,
    registry,
    report::Report,
    rings::Rings,
    run_directory::RunDirectory,
    safety::SafeTime,
    segments::Segments,
    status::Status,
    supervisor::{START_PATIENCE, Supervisor},
    topology::Topology,
    voice::{self, say},
};
use crate::{
    cold::reconcile::Access,
    runtime::{Failure, take_addresses},
};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use pipeline::Pipeline;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How long a process may take to finish its work when asked to stop. An order that the venue has not answered is in
/// doubt for 50 s after its expiry at most, and nobody else can tell its fate.
const STOP_PATIENCE: Duration = Duration::from_secs(60);
/// The same once a process has failed and the others may be waiting for it in vain.
const FAILED_PATIENCE: Duration = Duration::from_secs(3);
/// Time between two questions to the simulator whether its games are over.
const STATUS_PERIOD: Duration = Duration::from_secs(1);

/// A pipeline whose processes run. Dropping it kills them and then, last in the order of the fields,
/// removes the rings: a ring is not pulled from under a live process.
struct Session {
    pipeline: Pipeline,
    placement: String,
    directory: RunDirectory,
    events: Events,
    processes: Supervisor,
    redis: Option<PrivateRedis>,
    /// There once the venue's address is known.
    auditor: Option<Auditor>,
    /// There once everybody is ready.
    helm: Option<Helm>,
    _segments: Segments,
}

/// Runs a pipeline to its end and says how it went.
pub(super) fn run(mut pipeline: Pipeline, arguments: &RunArguments) -> Exit {
    let faults = pipeline.faults();
    if !faults.is_empty() {
        return refuse(
            &format!("the file of pipeline `{}`", pipeline.name),
            &faults,
        );
    }
    let of_money = live::faults(&pipeline, &arguments.money);
    // To look at the plan needs no leave.
    if !arguments.dry_run && !of_money.is_empty() {
        return refuse(&format!("starting pipeline `{}`", pipeline.name), &of_money);
    }
    let fit = plan::fit(&mut pipeline, &Topology::of_host());
    let starving = pipeline.real_time_faults();
    if !starving.is_empty() {
        return refuse(
            &format!("{}, and the pipeline file", fit.summary),
            &starving,
        );
    }
    let programs = program_directory();
    if arguments.dry_run {
        print!("{}", plan::describe(&pipeline, &fit));
        return Exit::Clean;
    }
    let obstacles = preflight::obstacles(&pipeline, &programs);
    if !obstacles.is_empty() {
        return refuse("this host", &obstacles);
    }
    let taken = RunDirectory::take(&pipeline).map_err(|failure| failed(&failure));
    let permitted = taken.and_then(|directory| {
        let account = permit(&mut pipeline, &arguments.money)?;
        Ok((directory, account))
    });
    let (directory, account) = match permitted {
        Ok(permitted) => permitted,
        Err(exit) => return exit,
    };
    say(&format!("{}: {}", pipeline.name, fit.summary));
    for reason in &fit.reasons {
        say(&format!("  {reason}"));
    }
    if let Some(warning) = preflight::real_time_pause(&pipeline) {
        say(&format!("warning: {warning}"));
    }
    make_way(&fit.others);
    let started = Session::start(
        pipeline,
        directory,
        account.as_ref(),
        fit.summary,
        &programs,
    );
    let session = match started {
        Ok(session) => session,
        Err(failure) => return failed(&failure),
    };
    let report = session.watch_and_stop(arguments.limit);
    voice::finish();
    tell(&report, arguments.json.as_deref())
}

/// Prints the report, and writes it to a file where one is named.
fn tell(report: &Report, json: Option<&Path>) -> Exit {
    print!("{}", report.to_text());
    if let Some(path) = json
        && let Err(error) = write_json(path, report)
    {
        say(&format!(
            "error: cannot write `{}`: {error}",
            path.display()
        ));
        return Exit::Failed;
    }
    if report.is_clean() {
        Exit::Clean
    } else {
        Exit::Failed
    }
}

/// Looks at the account of a real venue, and has it confirmed that it may be traded with. Nothing is looked at where
/// no order can be sent. The run directory is ours by now: whoever trades with these books already is left alone.
fn permit(pipeline: &mut Pipeline, money: &MoneyArguments) -> Result<Option<Account>, Exit> {
    pipeline.dry_orders |= money.dry_orders;
    if !money.live {
        return Ok(None);
    }
    let examined = Auditor::prepare(pipeline)
        .and_then(|auditor| Account::examine(pipeline, &auditor, money.accept_balance));
    let account = examined.map_err(|failure| failed(&failure))?;
    if !account.differences.is_empty() {
        let what = format!("the account at `{}`", pipeline.venue.rest);
        return Err(refuse(&what, &account.differences));
    }
    match live::confirm(pipeline, &account, money) {
        Ok(()) => Ok(Some(account)),
        Err(reason) => Err(refuse("the confirmation", &[reason])),
    }
}

/// Keeps us, and who is started by us, off the hot cores; a hot loop pins itself to its own.
fn make_way(others: &BTreeSet<usize>) {
    if others.is_empty() {
        return;
    }
    let mut set = CpuSet::new();
    let moved = others
        .iter()
        .try_for_each(|cpu| set.set(*cpu))
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &set));
    if let Err(error) = moved {
        say(&format!(
            "warning: cold processes may run on hot cores: {error}"
        ));
    }
}

fn failed(failure: &Failure) -> Exit {
    say(&format!("error: {failure}"));
    Exit::Refused
}

pub(super) fn refuse(what: &str, reasons: &[String]) -> Exit {
    eprintln!(
        "error: {what} has {} fault{}; nothing was started",
        reasons.len(),
        if reasons.len() == 1 { "" } else { "s" }
    );
    for reason in reasons {
        eprintln!("  - {reason}");
    }
    Exit::Refused
}

/// Where the pipeline's programs are: beside the launcher.
pub(super) fn program_directory() -> PathBuf {
    std::env::current_exe()
        .ok()
        .and_then(|path| path.parent().map(Path::to_owned))
        .unwrap_or_default()
}

pub(super) fn write_json(path: &Path, report: &Report) -> std::io::Result<()> {
    let mut text = serde_json::to_string_pretty(report).map_err(std::io::Error::other)?;
    text.push('\n');
    fs::write(path, text)
}

impl Session {
    fn start(
        mut pipeline: Pipeline,
        directory: RunDirectory,
        account: Option<&Account>,
        placement: String,
        programs: &Path,
    ) -> Result<Self, Failure> {
        directory.clear(pipeline.simulator.is_some())?;
        voice::log_to(&directory.logs())
            .map_err(|error| Failure::io("open `launcher.log`", error))?;
        let mut events = Events::watch(&pipeline.run_dir)?;
        identity::assume(&mut pipeline)?;
        if let Some(account) = account {
            account.write_down(&pipeline)?;
        }
        let segments = Segments::lay_out(&pipeline)?;
        if segments.leftovers > 0 {
            say(&format!(
                "{}: replaced {} rings that a killed run left behind",
                pipeline.name, segments.leftovers
            ));
        }
        let redis = if pipeline.redis.url.is_empty() {
            let launcher = std::env::current_exe()
                .map_err(|error| Failure::io("find the launcher's own path", error));
            let started = launcher.and_then(|path| {
                PrivateRedis::start(&mut pipeline, &path, &directory.logs(), &mut events)
            });
            Some(started?)
        } else {
            None
        };
        let mut session = Self {
            pipeline,
            placement,
            directory,
            events,
            processes: Supervisor::new(programs),
            redis,
            auditor: None,
            helm: None,
            _segments: segments,
        };
        // What a killed run said there of its rings is not of these. Redis may be away: it is told below.
        let _ = registry::withdraw(&session.pipeline);
        session.start_processes()?;
        let bell = session.events.bell()?;
        if let Some(auditor) = &session.auditor {
            session.helm = Some(Helm::take(&session.pipeline, auditor.opening(), bell)?);
        }
        Ok(session)
    }

    /// Starts the processes from the end of the data flow to its beginning: who reads is there
    /// before who writes. The simulator comes first, because its addresses go to all others.
    fn start_processes(&mut self) -> Result<(), Failure> {
        let due = Instant::now() + START_PATIENCE;
        if self.pipeline.simulator.is_some() {
            let file = self.directory.write_pipeline(&self.pipeline)?;
            self.start_those(|program| program == "simulator", &file, due)?;
            self.learn_addresses()?;
        }
        self.auditor = Some(Auditor::prepare(&self.pipeline)?);
        let file = self.directory.write_pipeline(&self.pipeline)?;
        self.start_those(|program| program != "simulator", &file, due)
    }

    fn start_those(
        &mut self,
        chosen: impl Fn(&str) -> bool,
        file: &Path,
        due: Instant,
    ) -> Result<(), Failure> {
        let last_first = self.pipeline.processes.iter().rev();
        for process in last_first.filter(|process| chosen(process.program())) {
            self.processes
                .start(&self.pipeline, process, file, &self.directory)?;
        }
        self.processes
            .await_ready(&self.directory, &mut self.events, due)
    }

    /// Takes over the addresses that the simulator has bound.
    fn learn_addresses(&mut self) -> Result<(), Failure> {
        let ready = self
            .directory
            .read("simulator", "ready")
            .unwrap_or_default();
        take_addresses(&mut self.pipeline, &ready)
    }

    /// Watches until there is a reason to stop, stops in order, compares the books, reports.
    fn watch_and_stop(mut self, limit: Option<Duration>) -> Report {
        let rings = Rings::open(&self.pipeline);
        let mut status = Status::start();
        let (reason, failed) = match &rings {
            Ok(rings) => self.watch(rings, &mut status, limit),
            Err(failure) => (failure.to_string(), true),
        };
        let seconds = status.finish();
        say(&format!(
            "{}: stopping, because {reason}",
            self.pipeline.name
        ));
        let audits = self.helm.as_mut().and_then(Helm::end_audit);
        let patience = if failed {
            FAILED_PATIENCE
        } else {
            STOP_PATIENCE
        };
        self.processes
            .stop(|name| name != "simulator", patience, &mut self.events);
        let books = self.auditor.as_ref().map_or_else(
            || Books::unknown("the venue was never reached".into()),
            |auditor| auditor.compare(&self.pipeline, Access::Write),
        );
        self.processes.stop(|_| true, patience, &mut self.events);
        let safe = self.helm.take().map_or_else(Vec::new, |helm| helm.times());
        // A registry that outlives its pipeline would send people to rings that are gone.
        let _ = registry::withdraw(&self.pipeline);
        if let Some(redis) = &mut self.redis {
            redis.stop(patience, &mut self.events);
        }
        let rings = rings.ok();
        self.report(rings.as_ref(), reason, seconds, books, (safe, audits))
    }

    /// Returns why the pipeline is to be stopped, and whether that is a failure.
    fn watch(
        &mut self,
        rings: &Rings,
        status: &mut Status,
        limit: Option<Duration>,
    ) -> (String, bool) {
        let end = limit.map(|limit| Instant::now() + limit);
        let mut question_due = Instant::now() + STATUS_PERIOD;
        loop {
            if let Err(reason) = self.processes.tend(&self.directory) {
                return (reason, true);
            }
            if let Some(redis) = &mut self.redis {
                redis.tend();
            }
            let crash_loops = self.processes.crash_loops();
            if let Some(helm) = &mut self.helm {
                helm.look(&self.events, &crash_loops, self.processes.restarts());
            }
            let now = Instant::now();
            // Nobody is stopped while somebody is away: what waits in his rings would be left behind.
            if self.processes.is_complete() {
                if self.events.stop_requested() {
                    return ("it was asked to".into(), false);
                }
                if end.is_some_and(|end| now >= end) {
                    return ("its time was up".into(), false);
                }
                if now >= question_due {
                    if self.auditor.as_ref().is_some_and(Auditor::games_are_over) {
                        return ("all games are settled".into(), false);
                    }
                    question_due = Instant::now() + STATUS_PERIOD;
                    // Somebody may have ended during the question.
                    continue;
                }
            }
            let helm = self.helm.as_ref();
            status.update(rings, helm.and_then(Helm::banner).as_deref());
            let redis = self.redis.as_ref().and_then(PrivateRedis::due);
            let dues = [self.processes.due(), helm.map(Helm::due), redis];
            let mut due = dues.into_iter().flatten().fold(status.due(), Instant::min);
            if self.processes.is_complete() {
                due = end.map_or(due, |end| end.min(due)).min(question_due);
            }
            self.events.wait_until(due);
        }
    }

    /// In a replay messages have the time of the recording: there is nothing to measure.
    fn breakdown(&self, execution: &Value) -> Option<Breakdown> {
        if self.pipeline.replay {
            return None;
        }
        let left = |name: &str| self.directory.read(name, "report.json").unwrap_or_default();
        let processes = self.pipeline.processes.iter();
        let shards = processes.filter(|process| process.program() == "game_shard");
        let shards: Vec<Value> = shards.map(|shard| left(&shard.name)).collect();
        Breakdown::of(&shards, &left("signal_processor"), execution)
    }

    /// How many games the feed has shown.
    fn games(&self) -> Option<u64> {
        let mut processes = self.pipeline.processes.iter();
        let orchestrator = processes.find(|process| process.program() == "orchestrator")?;
        let left = self.directory.read(&orchestrator.name, "report.json")?;
        left.pointer("/feed/games")?.as_u64()
    }

    fn report(
        &mut self,
        rings: Option<&Rings>,
        reason: String,
        seconds: f64,
        books: Books,
        (safe, audits): (Vec<SafeTime>, Option<Audits>),
    ) -> Report {
        let totals = rings.map(Rings::totals).unwrap_or_default();
        let figures = self
            .directory
            .read("execution_service", "report.json")
            .unwrap_or_default();
        let breakdown = self.breakdown(&figures);
        let dry_orders = self.pipeline.dry_orders;
        let dry_orders = dry_orders.then(|| figures.get("dry_orders")?.as_u64());
        let latencies = |name: &str| {
            let value = figures.get(name).filter(|value| value["count"] != 0)?;
            serde_json::from_value(value.clone()).ok()
        };
        #[cfg_attr(not(feature = "redis-hot-path"), expect(unused_mut))]
        let mut rings = rings.map(Rings::report).unwrap_or_default();
        #[cfg(feature = "redis-hot-path")]
        for ring in &mut rings {
            ring.add_redis(&self.pipeline);
        }
        let mut processes = self.processes.report();
        processes.extend(self.redis.as_mut().map(|redis| redis.report()));
        Report {
            pipeline: self.pipeline.name.clone(),
            seconds,
            stopped_because: reason,
            placement: self.placement.clone(),
            safe,
            audits,
            processes,
            rings,
            games: self.games(),
            ticks: totals.ticks,
            signals: totals.signals,
            orders: totals.orders,
            dry_orders: dry_orders.flatten(),
            fills: totals.fills,
            rejected: figures.pointer("/acked/rejected").and_then(Value::as_u64),
            tick_to_order_ns: latencies("tick_to_order_ns"),
            tick_to_answer_ns: latencies("tick_to_answer_ns"),
            order_to_answer_ns: latencies("order_to_answer_ns"),
            tick_to_order_stages: breakdown,
            signed_ahead: serde_json::from_value(figures["signed_ahead"].clone()).ok(),
            cash: books.cash,
            positions: books.positions,
            pnl: books.pnl,
            profit: books.profit,
            reconciled: books.differences.is_empty(),
            differences: books.differences,
            amended: books.amended,
        }
    }
}
