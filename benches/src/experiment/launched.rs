//! A whole pipeline, started by its launcher: first it is written down, then launched.

use crate::{
    Failure,
    row::{Between, Row, Waiting},
};
use hdrhistogram::Histogram;
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
};

/// The demo, from which every run departs.
const DEMO: &str = include_str!("../../../processes/pipelines/demo.toml");
/// What is different: a venue 100 ms away, and so many small orders that a run of seconds has a median. Neither
/// the venue's limit of orders a second nor ours of the money at stake makes any of them wait.
const CHANGES: [(&str, &str); 13] = [
    ("delay_ms", "[50.0, 50.0]\ntier = \"prime\""),
    ("balance_dollars", "1000000"),
    ("max_order_contracts", "2"),
    ("max_market_contracts", "100000"),
    ("max_game_dollars", "100000"),
    ("max_sport_dollars", "1000000"),
    ("max_exposure_dollars", "1000000"),
    ("max_day_loss_dollars", "1000000"),
    ("max_open_orders", "60"),
    ("max_burst_contracts", "1000000"),
    ("repeat_ms", "100"),
    ("min_edge_e4", "100"),
    ("weight_percent", "60"),
];

/// What carries the messages between the processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HotPath {
    /// Our rings.
    Rings,
    /// Redis pub/sub, JSON, the server on a Unix socket.
    Redis,
}

impl HotPath {
    /// As in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rings => "rings",
            Self::Redis => "Redis pub/sub",
        }
    }

    /// As in a pipeline file.
    const fn key(self) -> &'static str {
        match self {
            Self::Rings => "rings",
            Self::Redis => "redis",
        }
    }
}

/// The pipeline's programs with the baseline in them, as `scripts/bench` builds them.
///
/// # Errors
///
/// When they are not there.
pub fn programs() -> Result<PathBuf, Failure> {
    let bench = std::env::current_exe()?;
    let directory = bench.parent().unwrap_or(Path::new("."));
    if directory.join("launcher").is_file() {
        return Ok(directory.to_owned());
    }
    let missing = directory.display();
    Err(format!("no launcher in `{missing}`; `scripts/bench` builds it").into())
}

/// Makes a directory for the files of a pipeline, in place of what was there, with the pipeline file in it.
///
/// # Errors
///
/// When it cannot be made.
pub(super) fn write(files: &Path, path: HotPath) -> Result<PathBuf, Failure> {
    let _ = fs::remove_dir_all(files);
    fs::create_dir_all(files)?;
    let pipeline = files.join("pipeline.toml");
    fs::write(&pipeline, derived(files, path)?)?;
    Ok(pipeline)
}

/// Starts the launcher on a pipeline, and waits until it has stopped in order: its report, and that of the execution
/// service.
///
/// # Errors
///
/// When it cannot be started, a process fails, or the books do not agree with the venue's.
pub(super) fn launch(
    programs: &Path,
    files: &Path,
    arguments: &[&str],
) -> Result<[Value; 2], Failure> {
    let (pipeline, report) = (files.join("pipeline.toml"), files.join("report.json"));
    let launcher = programs.join("launcher");
    let mut command = Command::new(&launcher);
    // The kernel kills it when we die, and its processes when it dies.
    command
        .env("ARBEES_LAUNCHER", std::process::id().to_string())
        .args(["exec", "--"])
        .arg(&launcher)
        .args(arguments)
        .arg("--pipeline")
        .arg(&pipeline)
        .arg("--json")
        .arg(&report)
        .stdin(Stdio::null());
    let output = unpinned(command)?;
    let told = String::from_utf8_lossy(&output.stderr);
    let read = |path: &Path| -> Result<Value, Failure> {
        let text = fs::read_to_string(path).map_err(|_| format!("no report of a run:\n{told}"))?;
        Ok(serde_json::from_str(&text)?)
    };
    let report = read(&report)?;
    if report["reconciled"] != true || !output.status.success() {
        return Err(format!("a run in {} failed:\n{told}\n{report:#}", files.display()).into());
    }
    let figures = read(&files.join("run/execution_service.report.json"))?;
    Ok([report, figures])
}

/// The bench sits on one core; what it starts would inherit that. The thread lives as long as the launcher,
/// which would be killed with it.
fn unpinned(mut command: Command) -> Result<Output, Failure> {
    let start = move || -> Result<Output, Failure> {
        let mut all = CpuSet::new();
        for core in 0..CpuSet::count() {
            all.set(core)?;
        }
        sched_setaffinity(Pid::from_raw(0), &all)?;
        Ok(command.output()?)
    };
    let ended = thread::spawn(start).join();
    ended.map_err(|_| "the launcher's thread has panicked")?
}

/// The demo with our changes, its files in a directory of ours.
fn derived(files: &Path, path: HotPath) -> Result<String, Failure> {
    let mut text = format!(
        "hot_path = \"{}\"\nrings = {:?}\nrun_dir = {:?}\n",
        path.key(),
        files.join("rings"),
        files.join("run")
    );
    let mut found = 0;
    for line in DEMO.lines() {
        let key = line.split('=').next().unwrap_or_default().trim();
        match CHANGES.iter().find(|(changed, _)| *changed == key) {
            Some((_, value)) => {
                found += 1;
                text.push_str(&format!("{key} = {value}\n"));
            }
            None => text.push_str(&format!("{line}\n")),
        }
    }
    if found == CHANGES.len() {
        Ok(text)
    } else {
        Err("the demo's pipeline file does not have all that is to be changed".into())
    }
}

/// Whether the hot loops of a pipeline that was launched had cores of their own and kept them.
///
/// # Errors
///
/// When it has not come so far.
pub(super) fn spun(files: &Path) -> Result<bool, Failure> {
    let resolved = fs::read_to_string(files.join("run/pipeline.toml"))?;
    Ok(resolved.contains("wait = \"spin\""))
}

/// Shares of the single times at which the distribution is drawn.
const CURVE: [f64; 12] = [
    0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0,
];

/// A row of single times, ns.
pub(super) fn times(name: &str, experiment: &str, spun: bool, times: &Histogram<u64>) -> Row {
    let quantile = |share| times.value_at_quantile(share) as f64;
    Row {
        windows: 1,
        samples: times.len(),
        level_ns: quantile(0.5),
        p50_ns: quantile(0.5),
        p99_ns: quantile(0.99),
        p999_ns: quantile(0.999),
        p9999_ns: quantile(0.9999),
        max_ns: times.max() as f64,
        curve: CURVE.map(|share| [share, quantile(share)]).to_vec(),
        ..blank(name, experiment, spun)
    }
}

/// A row of what such a pipeline has done, without its figures.
pub(super) fn blank(name: &str, experiment: &str, spun: bool) -> Row {
    Row {
        experiment: experiment.to_owned(),
        name: name.to_owned(),
        encoding: None,
        between: Between::Processes,
        waiting: if spun {
            Waiting::Spins
        } else {
            Waiting::Sleeps
        },
        message_bytes: None,
        slots: None,
        rings: None,
        gap_us: None,
        offered_per_s: None,
        achieved_per_s: None,
        lost: None,
        windows: 0,
        samples: 0,
        level_ns: 0.0,
        p50_ns: 0.0,
        p99_ns: 0.0,
        p999_ns: 0.0,
        p9999_ns: 0.0,
        max_ns: 0.0,
        curve: Vec::new(),
        floor: String::new(),
        floor_ns: f64::NAN,
        ratio_to_floor: None,
        ratio_to_floor_interval: None,
        rounds_compared: 0,
        ratio_to_rtrb: None,
        ratio_to_ours: None,
        over_floor_ns: None,
        cpu_percent: None,
        push_ns: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_paths_run_the_same_file_but_for_one_line() {
        let of = |path| derived(Path::new("/scratch"), path).unwrap();
        let (rings, redis) = (of(HotPath::Rings), of(HotPath::Redis));
        assert!(redis.contains("hot_path = \"redis\"\n"));
        assert_eq!(rings, redis.replace("\"redis\"", "\"rings\""));
        for (key, value) in CHANGES {
            assert!(rings.contains(&format!("{key} = {value}\n")), "{key}");
        }
    }
}
