//! Processes that say how they are: each fault of one is one finding, and what its rings suffer follows from it.

use crate::{
    actor::Actor,
    scene::{Scene, Verdicts, await_depth, await_that},
    verbs::ends,
};
use nix::sys::signal::Signal;
use serde_json::Value;

/// feed ─prices─> shard ─signals─> risk, each with a board of its own.
struct Line {
    scene: Scene,
    _feed: Actor,
    shard: Actor,
    risk: Actor,
}

impl Line {
    fn start(pace: &[&str], capacity: u32) -> Self {
        let scene = Scene::new();
        let [prices, signals] = ["prices", "signals"].map(|name| scene.lossless(name, capacity));
        let [feed, shard, risk] = ["feed", "shard", "risk"].map(|name| scene.process(name));
        let start = |name: &str, board: &str, rings: &[&str]| {
            Actor::start(name, &[&["process", board], rings].concat())
        };
        Self {
            risk: start("risk", &risk, &["in", &signals, "every", "1"]),
            shard: start(
                "shard",
                &shard,
                &["in", &prices, "out", &signals, "every", "1"],
            ),
            _feed: start("feed", &feed, &[&["out", prices.as_str()], pace].concat()),
            scene,
        }
    }

    fn steady() -> Self {
        Self::start(&["every", "5"], 4096)
    }
}

fn about<'a>(found: &'a Verdicts, subject: &str, name: &str) -> &'a Value {
    let mut all = found.all.as_array().unwrap().iter();
    let one = all.find(|one| one["subject"] == subject && one["name"] == name);
    one.unwrap_or_else(|| panic!("no {subject} {name} in {:?}", found.all))
}

#[test]
fn a_process_has_one_line_and_its_board_none() {
    let line = Line::steady();
    let found = line.scene.verdicts(&[]);
    found.only(&[]).fine(&[
        "process feed: ok",
        "process shard: ok",
        "process risk: ok",
        "ring prices: ok",
    ]);
    assert_eq!(found.fine.len(), 5, "{:?}", found.fine);
    let vitals = &about(&found, "process", "shard")["vitals"];
    assert_eq!(vitals["state"], "running");
    assert_eq!(
        (&vitals["core"], &vitals["restarts"]),
        (&2.into(), &0.into())
    );
    // A millisecond of it with each row, of which four come a second.
    let cpu = vitals["cpu"].as_f64().unwrap();
    assert!(cpu > 0.0 && cpu < 10.0, "{vitals}");
    assert!(vitals["up_s"].as_f64().unwrap() > 0.5, "{vitals}");
    let evidence = found.evidence("shard");
    for part in [
        "running for ",
        " on core 2, ",
        "; reads prices; writes signals",
    ] {
        assert!(evidence.contains(part), "{part} is not in {evidence}");
    }
}

#[test]
fn a_killed_process_is_the_one_finding_and_its_rings_follow() {
    let mut line = Line::steady();
    line.shard.kill();
    let found = line.scene.verdicts(&[]);
    found.causes(&["process shard: dead"]).only(&[
        "process shard: dead",
        "ring prices: dead",
        "ring signals: dead",
    ]);
    let first = &found.all[0];
    assert_eq!(first["name"], "shard", "the cause comes first");
    assert!(first["since_s"].as_f64().unwrap() >= 1.0, "{first}");
    assert!(first["evidence"].as_str().unwrap().contains("last heard"));
    assert!(
        first["next"]
            .as_str()
            .unwrap()
            .contains("launch logs shard")
    );
    for ring in ["prices", "signals"] {
        let ring = about(&found, "ring", ring);
        assert_eq!(ring["cause"], "process shard");
        assert_eq!(ring["next"], "nothing here: see process shard");
    }
    let text = line.scene.inspect(&["verdict"]).output;
    assert_eq!(text.matches("next: ").count(), 2, "{text}");
}

/// Nothing waits for it: no ring knows.
#[test]
fn a_stopped_process_that_has_nothing_to_do_is_the_one_finding() {
    let line = Line::start(&[], 1024);
    line.risk.signal(Signal::SIGSTOP);
    // Nothing was heard for a second, and nothing new between the two looks.
    let found = line.scene.verdicts(&["--interval", "1.3"]);
    found.only(&["process risk: stuck"]);
    assert!(found.evidence("risk").contains("says nothing of itself"));
    line.risk.signal(Signal::SIGCONT);
    await_that("recovery", || line.scene.verdicts(&[]).trouble.is_empty());
}

#[test]
fn a_stopped_process_explains_its_rings_and_who_waits_for_it() {
    let line = Line::start(&["every", "5"], 16);
    line.risk.signal(Signal::SIGSTOP);
    for ring in ["signals.ring", "prices.ring"] {
        await_depth(line.scene.path(ring).to_str().unwrap(), 16);
    }
    await_that("its silence", || {
        let found = line.scene.verdicts(&[]);
        about(&found, "process", "risk")["evidence"]
            .as_str()
            .unwrap()
            .contains("says nothing")
    });
    let found = line.scene.verdicts(&[]);
    found.causes(&["process risk: stuck"]).only(&[
        "process risk: stuck",
        "ring signals: stuck",
        "ring prices: blocked",
        "process shard: blocked",
    ]);
}

#[test]
fn a_goodbye_is_no_trouble_and_a_return_is_counted() {
    let mut line = Line::start(&[], 1024);
    line.shard.leave();
    let found = line.scene.verdicts(&[]);
    found.only(&[]).fine(&["process shard: closed"]);
    let state = |found: &Verdicts| about(found, "process", "shard")["vitals"]["state"].clone();
    assert_eq!(state(&found), "ended");
    let board = line.scene.path("shard.process.board");
    let _again = Actor::start("shard", &["process", board.to_str().unwrap()]);
    let found = line.scene.verdicts(&[]);
    assert_eq!(state(&found), "running");
    let restarts = &about(&found, "process", "shard")["vitals"]["restarts"];
    assert_eq!(restarts, 1);
    assert!(found.evidence("shard").contains("1 restart"));
}

/// The successor is there, and its rings are still as the dead one left them.
#[test]
fn a_successor_that_has_not_come_to_its_rings_is_told_from_a_dead_one() {
    let mut line = Line::steady();
    line.risk.kill();
    let board = line.scene.path("risk.process.board");
    let board = ipc::BoardWriter::<layouts::ProcessState>::attach(&board).unwrap();
    board.introduce("risk");
    let found = line.scene.verdicts(&["--stale", "600"]);
    found.causes(&["process risk: missing"]);
    let evidence = found.evidence("risk");
    assert!(
        evidence.contains("is starting") && evidence.contains("has not taken over signals"),
        "{evidence}"
    );
}

#[test]
fn one_that_has_never_come_is_missing_and_a_damaged_board_is_corrupt() {
    let line = Line::steady();
    line.scene.process("tracker");
    let found = line.scene.verdicts(&[]);
    found.only(&["process tracker: missing"]);
    line.scene.damage("tracker.process.board", 0, b"x");
    let found = line.scene.verdicts(&[]);
    found.only(&["process tracker: corrupt"]);
}

#[test]
fn graph_shows_how_processes_are_and_not_where_they_say_it() {
    let mut line = Line::steady();
    let ended = line.scene.inspect(&["graph"]);
    ends(&ended, 0);
    let expected = "demo\n  feed  running, core 2\n    --- prices (Tick) ---> shard\n  shard  running, core 2\n    --- signals (Tick) ---> risk\n  risk  running, core 2\n";
    assert_eq!(ended.output, expected);
    line.risk.kill();
    let output = line.scene.inspect(&["graph"]).output;
    assert!(output.contains("  risk  dead, core 2\n"), "{output}");
    let (_, json) = line.scene.json(&["graph"]);
    assert_eq!(json[0]["edges"].as_array().unwrap().len(), 2);
    let risk = &json[0]["processes"][2];
    assert_eq!(
        (&risk["name"], &risk["state"]),
        (&"risk".into(), &"dead".into())
    );
    assert_eq!(
        (&risk["attached"], &risk["core"]),
        (&false.into(), &2.into())
    );
    let dot = line.scene.inspect(&["graph", "--dot"]).output;
    let node = "\"demo/risk\" [label=\"risk\\ndead, core 2\", style=dashed];";
    assert!(dot.contains(node), "{dot}");
    assert!(!dot.contains("process"), "{dot}");
}

#[test]
fn watch_shows_how_processes_are() {
    let mut line = Line::steady();
    line.risk.kill();
    let frames = ["watch", "--hz", "10", "--frames", "15"];
    let (_, json) = line.scene.json(&frames);
    let processes = json.last().unwrap()["processes"].as_array().unwrap();
    let of = |name: &str| processes.iter().find(|one| one["name"] == name).unwrap();
    let risk = of("risk");
    assert_eq!(
        (&risk["state"], &risk["verdict"]["name"]),
        (&"dead".into(), &"dead".into())
    );
    assert!(risk["up_s"].is_null() && risk["beat_s"].as_f64().unwrap() > 1.0);
    let feed = of("feed");
    assert_eq!(
        (&feed["state"], &feed["core"]),
        (&"running".into(), &2.into())
    );
    assert_eq!(feed["restarts"], 0);
    assert!(feed["cpu"].as_f64().unwrap() > 0.0 && feed["up_s"].is_f64());
    assert_eq!(feed["writes"], serde_json::json!(["prices"]));
    let text = line.scene.inspect(&frames).output;
    for part in [
        "VERDICT   STATE ",
        "dead      dead ",
        "running ",
        "risk dead: risk (pid",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(!text.contains(".process"), "{text}");
}
