//! Looking leaves no trace: nothing is mapped writable, no role is taken, and no byte changes.

use crate::{
    actor::Actor,
    scene::{Scene, await_that},
};
use ipc::Kind;
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// A program that goes with its test.
struct Running(Child);

impl Running {
    fn start(mut command: Command) -> Self {
        Self(
            command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A ring that has been used and left, one whose roles died, and a board.
fn quiet() -> Scene {
    let scene = Scene::new();
    let orders = scene.lossless("orders", 64);
    let prices = scene.ring("prices", Kind::LatestWins, 16);
    let books = scene.board("books");
    let part = [
        "out", &orders, "out", &prices, "board", &books, "first", "40",
    ];
    let mut feed = Actor::start("feed", &part);
    let mut risk = Actor::start("risk", &["in", &orders, "every", "1"]);
    risk.leave();
    feed.kill();
    scene
}

#[test]
fn no_page_is_mapped_writable() {
    let scene = quiet();
    for verb in [
        &["stats", "--count", "0", "--interval", "0.01"][..],
        &["tail", "orders", "--follow"],
        &["tail", "books", "--follow"],
        &["metrics", "--listen", "127.0.0.1:0"],
        &["verdict", "--interval", "30"],
        &["watch", "orders", "--hz", "20", "--frames", "1000"],
    ] {
        let running = Running::start(scene.program(verb));
        let maps = || fs::read_to_string(format!("/proc/{}/maps", running.0.id())).unwrap();
        let ours = scene.above.path().to_str().unwrap();
        await_that(&format!("{verb:?} to map"), || maps().contains(ours));
        for line in maps().lines().filter(|line| line.contains(ours)) {
            let rights = line.split(' ').nth(1).unwrap();
            assert!(rights.starts_with("r--"), "{verb:?}: {line}");
        }
    }
}

#[test]
fn no_verb_changes_a_byte_of_a_quiet_ring() {
    let scene = quiet();
    let files = || {
        let entries = fs::read_dir(scene.path("")).unwrap();
        let mut files: Vec<(PathBuf, i64, i64, Vec<u8>)> = entries
            .map(|entry| {
                let path = entry.unwrap().path();
                let status = fs::metadata(&path).unwrap();
                let bytes = fs::read(&path).unwrap();
                (path, status.mtime_nsec(), status.ctime_nsec(), bytes)
            })
            .collect();
        files.sort();
        files
    };
    let before = files();
    assert_eq!(before.len(), 3);
    for verb in [
        &["list"][..],
        &["show", "orders"],
        &["show", "books"],
        &["graph"],
        &["graph", "--dot"],
        &["stats", "--interval", "0.01"],
        &["metrics"],
        &["tail", "orders", "--from", "oldest"],
        &["tail", "prices"],
        &["tail", "books", "--long"],
        &["verify"],
        &["verdict", "--interval", "0.01"],
        &["ready", "--timeout", "0.05"],
        &["watch", "orders", "--hz", "20", "--frames", "2"],
        &["clean", "--dry-run", "--min-age", "0"],
    ] {
        for json in [&[][..], &["--json"]] {
            let ended = scene.inspect(&[verb, json].concat());
            assert!(!ended.output.is_empty(), "{verb:?}: {}", ended.errors);
            assert_eq!(ended.errors, "", "{verb:?}");
        }
    }
    assert!(files() == before, "a file has changed");
}

/// An inspector that looks on holds nothing back: roles are taken and given back, and the ring can be removed.
#[test]
fn nobody_notices_who_looks() {
    let scene = quiet();
    let _looking = Running::start(scene.program(&["stats", "--count", "0", "--interval", "0.001"]));
    let orders = scene.path("orders.ring");
    for _ in 0..20 {
        let mut both = Actor::start(
            "both",
            &[
                "in",
                orders.to_str().unwrap(),
                "out",
                orders.to_str().unwrap(),
            ],
        );
        both.leave();
    }
    assert!(ipc::remove_abandoned(&orders).unwrap());
}
