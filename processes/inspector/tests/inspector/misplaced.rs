//! Rings that are two files under one name, told by the words of their processes in a real Redis: neither file is wrong.

use crate::{
    actor::Actor,
    scene::{Scene, await_that},
    verbs::ends,
};
use nix::sys::signal::Signal;
use pipeline::{
    Pipeline,
    attendance::{End, Word, key},
};
use redis::Commands as _;
use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

/// A private `redis-server`; gone with the test.
struct Server {
    folder: tempfile::TempDir,
    child: Child,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(folder.path().join("socket"))
            .stdout(Stdio::null())
            .spawn()
            .expect("start redis-server");
        let server = Self { folder, child };
        await_that("redis-server", || server.client().get_connection().is_ok());
        server
    }

    fn url(&self) -> String {
        format!("unix://{}", self.folder.path().join("socket").display())
    }

    /// A pipeline file that names this server.
    fn pipeline_file(&self) -> String {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines/demo.toml");
        let mut pipeline = Pipeline::load(&demo).unwrap();
        pipeline.redis.url = self.url();
        let file = self.folder.path().join("pipeline.toml");
        fs::write(&file, toml::to_string(&pipeline).unwrap()).unwrap();
        file.display().to_string()
    }

    fn client(&self) -> redis::Client {
        redis::Client::open(self.url()).unwrap()
    }

    /// A process says that it has an instance of a ring, in a container with these mounts.
    fn say(&self, field: &str, process: &str, instance: &str, mounts: &str) {
        let word = Word {
            process: process.into(),
            instance: instance.into(),
            directory: "/rings/demo".into(),
            host: format!("{process}-1"),
            mounts: mounts.into(),
            unix_ms: jiff::Timestamp::now().as_millisecond(),
        };
        let end = End::read(field, word).unwrap();
        let json = serde_json::to_string(&end.word).unwrap();
        let mut connection = self.client().get_connection().unwrap();
        let _: () = connection.hset(key("demo"), end.field(), json).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only for one that is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `risk` writes orders and reads acks here; `venue` has both in a container with another mount.
#[test]
fn two_files_under_one_name_are_one_finding_with_both_sides_and_the_fix() {
    let scene = Scene::new();
    let [orders, acks] = ["orders", "acks"].map(|name| scene.lossless(name, 64));
    let [risk, _] = ["risk", "venue"].map(|name| scene.process(name));
    let _risk = Actor::start("risk", &["process", &risk, "out", &orders, "in", &acks]);
    let server = Server::start();
    let url = server.url();
    let words = || {
        server.say("orders:producer", "risk", "0a", "mnt:[1]");
        server.say("acks:consumer", "risk", "0b", "mnt:[1]");
        server.say("orders:consumer", "venue", "1a", "mnt:[2]");
        server.say("acks:producer", "venue", "1b", "mnt:[2]");
        // Not understood, and not needed.
        let mut connection = server.client().get_connection().unwrap();
        let _: () = connection.hset(key("demo"), "orders:spy", "{").unwrap();
    };
    words();
    // The files alone say only that somebody is not there.
    scene.verdicts(&[]).only(&[
        "ring orders: missing",
        "ring acks: missing",
        "process venue: missing",
    ]);
    words();
    let found = scene.verdicts(&["--redis", &url]);
    found.causes(&["ring acks: misplaced"]).only(&[
        "ring acks: misplaced",
        "ring orders: misplaced",
        "process venue: misplaced",
    ]);
    let evidence = found.evidence("orders");
    for part in [
        "consumer `venue` has instance 1a in `/rings/demo` (host venue-1, mnt:[2])",
        "producer `risk` has instance 0a in `/rings/demo` (host risk-1, mnt:[1])",
    ] {
        assert!(evidence.contains(part), "{part} is not in {evidence}");
    }
    // Or by the file that says where the server is, and holds its password if it has one.
    let file = server.pipeline_file();
    let by_file = scene.verdicts(&["--redis", &file]);
    by_file.causes(&["ring acks: misplaced"]);
    let next = found.all[0]["next"].as_str().unwrap();
    assert!(next.contains("the same mount"), "{next}");
    // From where none of the files is seen.
    let elsewhere = Scene::new();
    let asked = ["--redis", &url, "--pipeline", "demo"];
    elsewhere.verdicts(&asked).causes(&["ring acks: misplaced"]);
    // Both have the same: then it is no fault of a mount.
    for field in ["orders:consumer", "acks:producer"] {
        let instance = if field.starts_with('o') { "0a" } else { "0b" };
        server.say(field, "venue", instance, "mnt:[2]");
    }
    let found = scene.verdicts(&["--redis", &url]);
    found.only(&[
        "ring orders: missing",
        "ring acks: missing",
        "process venue: missing",
    ]);
}

#[test]
fn a_password_is_no_argument() {
    let scene = Scene::new();
    scene.lossless("orders", 64);
    for url in ["redis://:hidden@host", "unix:///r?pass=hidden"] {
        let ended = scene.inspect(&["verdict", "--redis", url]);
        ends(&ended, 2);
        for part in ["***", "fix: ", "pipeline.toml"] {
            assert!(ended.errors.contains(part), "{part}: {}", ended.errors);
        }
        assert!(!ended.errors.contains("hidden"), "{}", ended.errors);
    }
    let ended = scene.inspect(&["verdict", "--redis", "/nowhere/pipeline.toml"]);
    ends(&ended, 2);
    assert!(
        ended.errors.contains("/nowhere/pipeline.toml"),
        "{}",
        ended.errors
    );
}

#[test]
fn a_server_that_is_away_is_told_and_ends_with_2() {
    let scene = Scene::new();
    scene.lossless("orders", 64);
    for url in ["unix:///nowhere/redis.sock", "no address"] {
        let ended = scene.inspect(&["verdict", "--redis", url]);
        ends(&ended, 2);
        for part in ["cannot ask Redis at `", url, "fix: "] {
            assert!(ended.errors.contains(part), "{part}: {}", ended.errors);
        }
    }
    ends(&scene.inspect(&["verdict", "--pipeline", "demo"]), 2);
}

/// It takes connections, and answers nobody.
#[test]
fn a_server_that_stands_still_is_waited_for_no_longer_than_for_one_that_is_away() {
    let scene = Scene::new();
    scene.lossless("orders", 64);
    let server = Server::start();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(server.child.id()).unwrap());
    nix::sys::signal::kill(pid, Signal::SIGSTOP).unwrap();
    let mut running = scene
        .program(&["verdict", "--redis", &server.url()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    await_that("its end", || running.try_wait().unwrap().is_some());
    let ended = running.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("cannot ask Redis at `"), "{said}");
}
