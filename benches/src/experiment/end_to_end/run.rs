//! One run of the whole pipeline by its launcher, and what it left behind.
//!
//! First it is written down ([`write`]), then launched ([`launch`]).

use super::Path as HotPath;
use crate::Failure;
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
const DEMO: &str = include_str!("../../../../processes/pipelines/demo.toml");
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
/// Latencies are told up to this.
const SLOWEST_NS: u64 = 60_000_000_000;

/// What a run left behind.
pub(super) struct Run {
    /// The launcher's report.
    pub(super) report: Value,
    /// Whether the hot loops had cores of their own and kept them.
    pub(super) spun: bool,
    /// From the arrival of the tick's frame to that of the venue's answer to the order.
    pub(super) tick_to_answer: Histogram<u64>,
    /// From the arrival of the tick's frame to the hand-over of the order to the HTTP client.
    pub(super) tick_to_order: Histogram<u64>,
    /// From that to the answer.
    pub(super) order_to_answer: Histogram<u64>,
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
    Err(format!("no launcher in `{missing}`; `scripts/bench end-to-end` builds it").into())
}

/// Lets the pipeline trade for some seconds, and waits until it has stopped in order.
///
/// # Errors
///
/// When it cannot be started, a process fails, or the books do not agree with the venue's.
pub(super) fn run(
    programs: &Path,
    directory: &Path,
    path: HotPath,
    seconds: u64,
) -> Result<Run, Failure> {
    let files = directory.join("end-to-end");
    write(&files, path)?;
    let [report, figures] = launch(programs, &files, &["--for", &format!("{seconds}s")])?;
    let resolved = fs::read_to_string(files.join("run/pipeline.toml"))?;
    Ok(Run {
        report,
        spun: resolved.contains("wait = \"spin\""),
        tick_to_answer: histogram(&figures["tick_to_answer_ns"])?,
        tick_to_order: histogram(&figures["tick_to_order_ns"])?,
        order_to_answer: histogram(&figures["order_to_answer_ns"])?,
    })
}

/// Makes a directory for the files of a pipeline, in place of what was there, with the pipeline file in it.
///
/// # Errors
///
/// When it cannot be made.
pub(in super::super) fn write(files: &Path, path: HotPath) -> Result<PathBuf, Failure> {
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
pub(in super::super) fn launch(
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

fn histogram(figures: &Value) -> Result<Histogram<u64>, Failure> {
    let mut histogram = Histogram::new_with_max(SLOWEST_NS, 3)?;
    let distribution: Vec<[u64; 2]> = serde_json::from_value(figures["distribution"].clone())?;
    for [ns, count] in distribution {
        histogram.saturating_record_n(ns, count);
    }
    Ok(histogram)
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

    #[test]
    fn a_distribution_is_put_together_again() {
        let figures = serde_json::json!({ "distribution": [[1_000, 3], [100_000_000, 2]] });
        let histogram = histogram(&figures).unwrap();
        assert_eq!(
            (histogram.len(), histogram.value_at_quantile(0.5)),
            (5, 1_000)
        );
        assert!(histogram.max() >= 100_000_000);
    }
}
