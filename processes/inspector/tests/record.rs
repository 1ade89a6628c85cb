//! `record` as a program, on rings that are written meanwhile.

use ipc::{Kind, Producer, RingOptions, bytemuck::Zeroable as _};
use layouts::Order;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};

fn inspect(arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_shm-inspect"));
    program.args(arguments).output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

fn ring(directory: &Path, capacity: u32) -> PathBuf {
    let path = directory.join("orders.ring");
    let options = RingOptions {
        kind: Kind::LatestWins,
        capacity,
        ..RingOptions::default()
    };
    ipc::create_ring::<Order>(&path, options).unwrap();
    path
}

fn number(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap()
}

/// A ring too small for the pace of its producer: what is missing is told in number, and the numbers fit.
#[test]
fn gaps_are_told_and_fail_the_recording() {
    let directory = tempfile::tempdir().unwrap();
    let path = ring(directory.path(), 16);
    let mut producer = Producer::<Order>::attach(&path).unwrap();
    let rings = directory.path().to_str().unwrap();
    let file = directory.path().join("a.rec");
    let file = file.to_str().unwrap();
    let done = AtomicBool::new(false);
    let recorded = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                producer.push(&Order::zeroed()).unwrap();
            }
        });
        let recorded = inspect(&[
            "record", "--rings", rings, "--out", file, "--for", "1s", "--json",
        ]);
        done.store(true, Relaxed);
        recorded
    });
    assert_eq!(recorded.status.code(), Some(1));
    let told = &json(&recorded)["rings"][0];
    assert!(
        number(told, "lost") > 0 && number(told, "messages") > 0,
        "{told}"
    );

    let shown = inspect(&["recording", file, "--json"]);
    assert_eq!(shown.status.code(), Some(1));
    let shown = json(&shown);
    assert_eq!(shown["ending"], "complete");
    for field in ["first", "messages", "lost"] {
        assert_eq!(shown["segments"][0][field], told[field], "{field}");
    }
    // Each message has the number that the messages and gaps before it leave to it.
    let lines = inspect(&["recording", file, "--messages", "--json"]);
    let mut next = number(told, "first");
    for line in String::from_utf8(lines.stdout).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(number(&line, "number"), next, "{line}");
        next += line.get("lost").map_or(1, |lost| lost.as_u64().unwrap());
    }
    let all = ["first", "messages", "lost"].map(|field| number(told, field));
    assert_eq!(next, all.iter().sum::<u64>());
}

#[test]
fn a_recording_ends_with_its_pipeline_and_shows_what_it_holds() {
    let directory = tempfile::tempdir().unwrap();
    let path = ring(directory.path(), 16);
    let mut producer = Producer::<Order>::attach(&path).unwrap();
    let order = Order {
        order: 77,
        side: 1,
        ..Order::zeroed()
    };
    producer.push(&order).unwrap();
    let rings = directory.path().to_str().unwrap();
    let file = directory.path().join("a.rec");
    let mut recorder = Command::new(env!("CARGO_BIN_EXE_shm-inspect"))
        .args(["record", "orders", "--rings", rings, "--out"])
        .arg(&file)
        .spawn()
        .unwrap();
    let due = Instant::now() + Duration::from_secs(30);
    while !file.exists() {
        assert!(Instant::now() < due, "no recording begins");
        std::thread::yield_now();
    }
    // The last words of the pipeline, and its end.
    producer.push(&order).unwrap();
    drop(producer);
    fs::remove_file(&path).unwrap();
    assert_eq!(recorder.wait().unwrap().code(), Some(0));
    let shown = inspect(&["recording", file.to_str().unwrap(), "--messages"]);
    assert_eq!(shown.status.code(), Some(0));
    let text = String::from_utf8(shown.stdout).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    for part in ["orders 1 Order v1", "order: 77", "side: 1 ask"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn what_cannot_be_done_is_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    ring(directory.path(), 16);
    let rings = directory.path().to_str().unwrap();
    let file = directory.path().join("a.rec");
    let file = file.to_str().unwrap();
    let recorded = inspect(&["record", "--rings", rings, "--out", file, "--for", "1s"]);
    assert_eq!(recorded.status.code(), Some(0));
    for (arguments, expected) in [
        (
            vec!["record", "--rings", rings, "--out", file],
            "fix: remove it",
        ),
        (
            vec!["record", "fills", "--rings", rings, "--out", "x"],
            "there is no ring `fills`",
        ),
        (vec!["recording", file, "--of", "fills"], "it has orders"),
        (vec!["recording", rings], "cannot read"),
        (vec!["replay", file], "fix: record with --pipeline"),
        (vec!["sweep", rings], "no directory of a replay"),
    ] {
        let refused = inspect(&arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        let errors = String::from_utf8(refused.stderr).unwrap();
        assert!(errors.contains(expected), "{errors}");
    }
    assert!(directory.path().exists(), "not swept");
}
