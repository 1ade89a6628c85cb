//! Every transport carries what it is given, between two real processes: in each experiment that it
//! takes part in, and whole. (Round trips compare each message with what comes back, streams add up
//! all words, open loops check that numbers only grow.)

use benches::{
    entry::{self, Entry, Part},
    row::{Absent, Results},
};
use std::{fs, process::Command};

/// Runs an experiment for two short rounds.
fn run(experiment: &str) -> Results {
    let directory = tempfile::tempdir().unwrap();
    let json = directory.path().join("results.json");
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args([experiment, "--windows", "1", "--json"])
        .arg(&json)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{experiment}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap()
}

/// Whoever takes part has a row; only those are absent whose server is not installed here,
/// or who were not built.
fn all_are_there(experiment: &str, part: Part) {
    let results = run(experiment);
    let (skipped, broken): (Vec<_>, Vec<_>) =
        results.absent.iter().partition(|Absent { reason, .. }| {
            reason.contains("is not installed") || reason.starts_with("not built")
        });
    assert!(broken.is_empty(), "{broken:?}");
    for absent in &skipped {
        eprintln!(
            "skipped: {} in {experiment}: {}",
            absent.name, absent.reason
        );
    }
    let takes_part = |entry: &&Entry| {
        let id = entry.id();
        entry.parts.contains(&part) && skipped.iter().all(|absent| absent.name != id)
    };
    for entry in entry::all().filter(takes_part) {
        let there = results
            .rows
            .iter()
            .any(|row| row.name == entry.name && row.encoding.as_deref() == entry.encoding);
        assert!(there, "{} has no row in {experiment}", entry.id());
    }
    for row in &results.rows {
        assert!(row.samples > 0, "{}: nothing was timed", row.name);
    }
}

#[test]
fn round_trips() {
    all_are_there("hop", Part::Hop);
}

#[test]
fn streams() {
    all_are_there("stream", Part::Stream);
}

#[test]
fn fixed_rates() {
    all_are_there("rate", Part::Rate);
}

#[test]
fn idle_gaps() {
    all_are_there("wake", Part::Wake);
}

#[test]
fn the_stages_of_the_pipeline() {
    all_are_there("chain", Part::Chain);
}
