//! Every transport carries what it is given, between two real processes: in each experiment that it
//! takes part in, and whole. (Round trips compare each message with what comes back, streams add up
//! all words, open loops check that numbers only grow.)

use benches::{
    entry::{self, Part},
    row::Results,
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

/// Whoever takes part has a row, and nobody is absent.
fn all_are_there(experiment: &str, part: Part) {
    let results = run(experiment);
    assert!(results.absent.is_empty(), "{:?}", results.absent);
    for entry in entry::all().filter(|entry| entry.parts.contains(&part)) {
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
