//! `shm-inspect doctor` on copies of hosts: `hosts/NAME.host` holds the files, `hosts/NAME.txt` what is said of them.

use pipeline::{Core, Pipeline};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

/// A file of this test.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/hosts")
        .join(name)
}

/// Lays out a host's files: a line `== PATH` before each.
fn unpack(name: &str) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(file(&format!("{name}.host"))).unwrap();
    for part in text.split("== /").skip(1) {
        let (path, content) = part.split_once('\n').unwrap();
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    root
}

/// The demo with its hot processes on cores 2 to 6, changed.
fn pipeline(root: &TempDir, change: impl FnOnce(&mut Pipeline)) -> PathBuf {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines/demo.toml");
    let mut pipeline = Pipeline::load(&shipped).unwrap();
    let hot = pipeline.processes.iter_mut().filter(|process| process.hot);
    for (cpu, process) in (2..).zip(hot) {
        process.core = Some(Core::Number(cpu));
    }
    change(&mut pipeline);
    let path = root.path().join("pipeline.toml");
    fs::write(&path, toml::to_string(&pipeline).unwrap()).unwrap();
    path
}

fn doctor(root: &TempDir, pipeline: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_shm-inspect"))
        .arg("doctor")
        .arg("--pipeline")
        .arg(pipeline)
        .arg("--root")
        .arg(root.path())
        .args(more)
        .output()
        .unwrap()
}

/// What is said of the host, held against the file; `ARBEES_GOLDEN=1` writes the file.
fn expect(name: &str, output: &Output) {
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    let golden = file(&format!("{name}.txt"));
    if std::env::var_os("ARBEES_GOLDEN").is_some() {
        fs::write(&golden, &said).unwrap();
    }
    let wanted = fs::read_to_string(&golden).unwrap();
    assert!(said == wanted, "said:\n{said}\nwanted:\n{wanted}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

fn severity<'a>(report: &'a Value, check: &str) -> &'a str {
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["check"] == check);
    found.unwrap()["severity"].as_str().unwrap()
}

/// Isolated cores, room, limits: nothing to say.
#[test]
fn a_good_host_passes() {
    let root = unpack("good");
    let output = doctor(&root, &pipeline(&root, |_| {}), &[]);
    expect("good", &output);
    assert_eq!(output.status.code(), Some(0));
}

/// Hot processes on halves of one core, slow clock, swap, ticks, small limits, a disk for rings: each with its command.
#[test]
fn a_bad_host_is_told_everything_at_once() {
    let root = unpack("bad");
    let large = |pipeline: &mut Pipeline| pipeline.links[0].depth = 1 << 16;
    let output = doctor(&root, &pipeline(&root, large), &[]);
    expect("bad", &output);
    assert_eq!(output.status.code(), Some(1));
}

/// The 64 MB of /dev/shm that containers have by default, a quota, and a cpuset.
#[test]
fn a_container_with_64_megabytes_has_no_room_for_large_rings() {
    let root = unpack("container");
    let large = |pipeline: &mut Pipeline| {
        pipeline.links[0].depth = 1 << 20;
        pipeline.wait = pipeline::Wait::Spin;
    };
    let output = doctor(&root, &pipeline(&root, large), &[]);
    expect("container", &output);
    assert_eq!(output.status.code(), Some(1));

    // The demo as it is fits.
    let output = doctor(&root, &pipeline(&root, |_| {}), &["--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(severity(&report, "ring-space"), "ok");
    assert_eq!(severity(&report, "cores"), "advice");
}

/// What the pipeline file asks for and the host refuses keeps it from starting.
#[test]
fn real_time_priority_and_locked_memory_that_the_file_asks_for_are_demanded() {
    let root = unpack("bad");
    let file = pipeline(&root, |pipeline| {
        pipeline.lock_memory = true;
        pipeline.wait = pipeline::Wait::Spin;
        pipeline.processes[0].priority = Some("fifo:50".parse().unwrap());
    });
    let output = doctor(&root, &file, &["--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(severity(&report, "rt-priority"), "trouble");
    assert_eq!(severity(&report, "locked-memory"), "trouble");
    assert_eq!(severity(&report, "rt-throttling"), "advice");

    let root = unpack("good");
    let output = doctor(&root, &file, &["--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for check in ["rt-priority", "locked-memory", "rt-throttling"] {
        assert_eq!(severity(&report, check), "ok");
    }
}

/// Every finding has all its fields, and whoever has a complaint has a command.
#[test]
fn json_has_the_same_fields() {
    let root = unpack("bad");
    let output = doctor(&root, &pipeline(&root, |_| {}), &["--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let counted = ["trouble", "advice", "ok"].map(|name| report[name].as_u64().unwrap());
    assert_eq!(counted.iter().sum::<u64>(), findings.len() as u64);
    for finding in findings {
        for text in ["check", "found", "wanted"] {
            assert!(!finding[text].as_str().unwrap().is_empty(), "{finding}");
        }
        let complains = finding["severity"] != "ok";
        for text in ["consequence", "command"] {
            assert_eq!(finding[text].is_string(), complains, "{finding}");
        }
    }
}

/// Without a pipeline file this very host is described, and nothing is demanded of it.
#[test]
fn this_host_alone_is_described() {
    let output = Command::new(env!("CARGO_BIN_EXE_shm-inspect"))
        .args(["doctor", "--json"])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["pipeline"], Value::Null);
    assert_eq!(severity(&report, "cores"), "ok");
}

#[test]
fn a_pipeline_file_that_is_not_there_is_no_diagnosis() {
    let root = unpack("good");
    let output = doctor(&root, Path::new("/nowhere/pipeline.toml"), &[]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("/nowhere/pipeline.toml"), "{said}");
    assert!(output.stdout.is_empty());
}
