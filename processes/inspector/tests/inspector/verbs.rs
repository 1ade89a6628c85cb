//! What each verb says, and how it ends.

use crate::{
    actor::Actor,
    scene::{Ended, Scene, await_that},
};
use ipc::Kind;
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    process::Stdio,
};

/// `feed` has written 40 messages into a lossless and a latest-wins ring and a board, `risk` reads the first.
pub(crate) fn scene() -> (Scene, Actor, Actor) {
    let scene = Scene::new();
    let orders = scene.lossless("orders", 64);
    let prices = scene.ring("prices", Kind::LatestWins, 16);
    let books = scene.board("books");
    let part = [
        "out", &orders, "out", &prices, "board", &books, "first", "40",
    ];
    let feed = Actor::start("feed", &part);
    let risk = Actor::start("risk", &["in", &orders, "every", "1"]);
    let done = || scene.json(&["show", "orders"]).1[0]["depth"] == 0;
    await_that("risk to have read", done);
    (scene, feed, risk)
}

#[track_caller]
pub(crate) fn ends(ended: &Ended, code: i32) {
    assert_eq!(ended.code, Some(code), "{}{}", ended.output, ended.errors);
}

#[test]
fn what_is_impossible_ends_with_2_and_says_why() {
    let (scene, _feed, _risk) = scene();
    for (arguments, why) in [
        (
            &["show", "fills"][..],
            "there is no ring `fills`; there are demo/books, demo/orders, demo/prices",
        ),
        (
            &["tail", "orders", "--filter", "colour=red"],
            "a Tick has no field `colour`; it has ingress_mono_ns, number",
        ),
        (
            &["tail", "orders", "--filter", "side=up"],
            "`side` is a u8 (0 bid, 1 ask), never `up`",
        ),
        (
            &["tail", "orders", "--filter", "side"],
            "FIELD=VALUE is needed",
        ),
        (
            &["tail", "orders", "--from", "77"],
            "message 77 has not been published: 40 have",
        ),
        (
            &["tail", "orders", "--from", "then"],
            "`oldest`, `now` or the number of a message is needed",
        ),
        (
            &["stats", "--interval", "x"],
            "a number of seconds is needed",
        ),
        (
            &["verdict", "--rings", "/nowhere"],
            "cannot read `/nowhere`",
        ),
        (&["verify", "fills"], "there is no ring `fills`"),
    ] {
        let ended = scene.inspect(arguments);
        ends(&ended, 2);
        assert!(ended.errors.contains(why), "{}", ended.errors);
        assert_eq!(ended.output, "");
    }
    let empty = Scene::new();
    for verb in ["verdict", "stats"] {
        let ended = empty.inspect(&[verb]);
        ends(&ended, 2);
        assert!(
            ended.errors.contains("no pipeline runs"),
            "{}",
            ended.errors
        );
    }
}

#[test]
fn show_tells_header_holders_times_and_schema() {
    let (scene, _feed, _risk) = scene();
    let ended = scene.inspect(&["show", "orders"]);
    ends(&ended, 0);
    for part in [
        "demo/orders\n",
        "lossless ring, 64 slots of 32 bytes, each stamped",
        "producer   feed, pid ",
        "consumer   risk, pid ",
        "position   40, 0 wait",
        "\nTick v3, schema ",
        "    20      1  side             u8       0 bid, 1 ask\n",
        "P99.9",
    ] {
        assert!(
            ended.output.contains(part),
            "{part} is not in\n{}",
            ended.output
        );
    }
    let (_, json) = scene.json(&["show", "orders"]);
    assert_eq!(json[0]["hop"]["count"], 40);
    assert_eq!(json[0]["fields"][3]["unit"], "0 bid, 1 ask");
    scene.damage("orders.ring", 4096, &u64::MAX.to_ne_bytes());
    ends(&scene.inspect(&["show", "orders"]), 1);
}

#[test]
fn graph_shows_who_is_attached_in_data_flow_order() {
    let (scene, _feed, mut risk) = scene();
    let ended = scene.inspect(&["graph"]);
    ends(&ended, 0);
    let expected = "demo\n  feed\n    --- orders (Tick) ---> risk\n    - - prices (Tick, latest-wins) - -> nobody yet\n    books (board of Tick)\n  risk\n";
    assert_eq!(ended.output, expected);
    risk.kill();
    let ended = scene.inspect(&["graph"]);
    assert!(
        ended.output.contains("- - orders (Tick) - -> risk (gone)"),
        "{}",
        ended.output
    );
    let dot = scene.inspect(&["graph", "--dot"]).output;
    assert!(dot.starts_with("digraph pipeline {\n"), "{dot}");
    assert!(
        dot.contains("\"demo/feed\" -> \"demo/risk\" [label=\"orders\\nTick\"];"),
        "{dot}"
    );
    assert!(
        dot.contains("\"demo/risk\" [label=\"risk\", style=dashed];"),
        "{dot}"
    );
}

#[test]
fn stats_are_of_the_interval() {
    let scene = Scene::new();
    let orders = scene.lossless("orders", 1024);
    let _feed = Actor::start("feed", &["out", &orders, "every", "2"]);
    let _risk = Actor::start("risk", &["in", &orders, "every", "1"]);
    let (code, samples) = scene.json(&["stats", "--interval", "0.5", "--count", "8"]);
    assert_eq!((code, samples.len()), (Some(0), 8));
    // A quarter of the pace or more in most intervals; in some this machine may do something else.
    let usual = samples.iter().filter(|sample| {
        let line = &sample["rings"][0];
        let number = |field: &str| line[field].as_f64().unwrap();
        let count = line["hop"]["count"].as_f64().unwrap_or(0.0);
        let interval = sample["interval_s"].as_f64().unwrap();
        assert!(count < 2_000.0 * interval, "{line}");
        count > 0.0
            && (125.0..2_000.0).contains(&number("published_per_s"))
            && (125.0..2_000.0).contains(&number("consumed_per_s"))
    });
    assert!(usual.count() >= 4, "{samples:#?}");
    let text = scene
        .inspect(&["stats", "orders", "--interval", "0.2"])
        .output;
    assert!(text.starts_with("RING    IN/S  OUT/S"), "{text}");
}

fn sequences(lines: &[Value]) -> Vec<u64> {
    lines
        .iter()
        .filter_map(|line| line["sequence"].as_u64())
        .collect()
}

#[test]
fn tail_decodes_filters_and_tells_losses() {
    let (scene, mut feed, mut risk) = scene();
    let (code, all) = scene.json(&["tail", "orders"]);
    assert_eq!(
        (code, sequences(&all)),
        (Some(0), (0..40).collect::<Vec<_>>())
    );
    let side = serde_json::json!({ "value": 1, "unit": "0 bid, 1 ask", "meaning": "ask" });
    assert_eq!(all[7]["fields"]["side"], side);
    assert_eq!(all[7]["fields"]["name"]["value"], "KXNBA");
    let (_, two) = scene.json(&[
        "tail", "orders", "--filter", "side=ask", "--filter", "market=3", "--from", "10",
        "--count", "2",
    ]);
    assert_eq!(sequences(&two), [11, 15]);
    let (_, named) = scene.json(&["tail", "orders", "--filter", "name=KXNBA", "--count", "3"]);
    assert_eq!(named.len(), 3);
    // 40 went through 16 slots.
    let (_, rest) = scene.json(&["tail", "prices", "--from", "5"]);
    assert_eq!(
        rest[0],
        serde_json::json!({ "lost": 19, "first": 5, "last": 23 })
    );
    assert_eq!(sequences(&rest[1..]), (24..40).collect::<Vec<_>>());
    let (_, oldest) = scene.json(&["tail", "prices", "--from", "oldest"]);
    assert_eq!(sequences(&oldest), (24..40).collect::<Vec<_>>());
    let (_, rows) = scene.json(&["tail", "books"]);
    let versions: Vec<_> = rows
        .iter()
        .map(|row| (row["row"].as_u64(), row["version"].as_u64()))
        .collect();
    assert_eq!(
        versions,
        (0..4).map(|row| (Some(row), Some(10))).collect::<Vec<_>>()
    );
    feed.kill();
    risk.kill();
    let dead = scene.inspect(&["tail", "orders", "--count", "1", "--long"]);
    ends(&dead, 0);
    assert!(
        dead.output
            .contains("\n  market           0  id\n  side             0  bid\n"),
        "{}",
        dead.output
    );
    let text = scene
        .inspect(&["tail", "prices", "--from", "5", "--count", "1"])
        .output;
    assert!(
        text.starts_with("-- 19 messages lost, 5 to 23: overwritten before they were read\n24  "),
        "{text}"
    );
}

#[test]
fn tail_follows_and_tells_the_end() {
    let scene = Scene::new();
    let orders = scene.lossless("orders", 1024);
    let mut feed = Actor::start("feed", &["out", &orders, "every", "5"]);
    let ended = scene.inspect(&["tail", "orders", "--follow", "--count", "5", "--json"]);
    ends(&ended, 0);
    assert_eq!(ended.output.lines().count(), 5);
    let mut following = scene
        .program(&["tail", "orders", "--follow"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut notices = BufReader::new(following.stderr.take().unwrap()).lines();
    feed.kill();
    assert_eq!(notices.next().unwrap().unwrap(), "-- the producer is dead");
    assert!(ipc::remove_abandoned(std::path::Path::new(&orders)).unwrap());
    assert!(
        notices
            .next()
            .unwrap()
            .unwrap()
            .contains("removed or replaced")
    );
    assert!(following.wait().unwrap().success());
}

#[test]
fn verify_says_consistent_or_what_is_wrong() {
    let (scene, _feed, _risk) = scene();
    let ended = scene.inspect(&["verify"]);
    ends(&ended, 0);
    assert_eq!(
        ended.output.matches("consistent").count(),
        3,
        "{}",
        ended.output
    );
    // The word of the slot of message 39, which has 64 bytes.
    scene.damage("orders.ring", 6 * 4096 + 39 * 64, &[7]);
    let ended = scene.inspect(&["verify"]);
    ends(&ended, 1);
    assert!(
        ended
            .output
            .contains("demo/orders     64  slot 39 holds the word 7, but message 39 is counted"),
        "{}",
        ended.output
    );
    assert_eq!(ended.output.matches("consistent").count(), 2);
    ends(&scene.inspect(&["verify", "prices"]), 0);
    scene.damage("prices.ring", 8, &[9]);
    let (code, json) = scene.json(&["verify", "prices"]);
    assert_eq!(
        (code, &json[0][0]["consistent"]),
        (Some(1), &Value::Bool(false))
    );
    assert!(
        json[0][0]["findings"][0]
            .as_str()
            .unwrap()
            .contains("format 9")
    );
}

#[test]
fn ready_waits_for_both_sides_of_every_ring() {
    let scene = Scene::new();
    let orders = scene.lossless("orders", 16);
    let books = scene.board("books");
    let _feed = Actor::start("feed", &["out", &orders]);
    let ended = scene.inspect(&["ready", "--timeout", "0.1"]);
    ends(&ended, 1);
    assert!(
        ended.output.contains("demo/orders: no consumer has come"),
        "{}",
        ended.output
    );
    assert!(
        ended.output.contains("demo/books: no writer has come"),
        "{}",
        ended.output
    );
    let waiting = scene
        .program(&["ready", "--timeout", "30", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut risk = Actor::start("risk", &["in", &orders, "board", &books]);
    let output = waiting.wait_with_output().unwrap();
    assert!(output.status.success());
    let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&outcome["ready"], &outcome["rings"]),
        (&Value::Bool(true), &Value::from(2))
    );
    risk.kill();
    let (code, json) = scene.json(&[
        "ready",
        "--ring",
        "orders",
        "--ring",
        "fills",
        "--timeout",
        "0",
    ]);
    assert_eq!(code, Some(1));
    let missing = json[0]["missing"].to_string();
    assert!(
        missing.contains("its consumer risk is dead") && missing.contains("\"ring\":\"fills\""),
        "{missing}"
    );
    assert!(!missing.contains("books"), "{missing}");
}

#[test]
fn clean_removes_what_nobody_holds() {
    let (scene, mut feed, mut risk) = scene();
    let left = || {
        let entries = fs::read_dir(scene.path("")).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    feed.kill();
    let ended = scene.inspect(&["clean", "--min-age", "0"]);
    ends(&ended, 0);
    assert!(
        ended
            .output
            .contains("demo/orders  left  a live process is its consumer"),
        "{}",
        ended.output
    );
    assert!(
        ended
            .output
            .contains("demo/prices  left  its pipeline runs"),
        "{}",
        ended.output
    );
    assert_eq!(left().len(), 3);
    ends(&scene.inspect(&["clean", "prices"]), 0);
    assert_eq!(left(), ["books.board", "orders.ring"]);
    risk.kill();
    scene.damage("orders.ring", 0, b"no segment");
    let ended = scene.inspect(&["clean"]);
    assert!(
        ended.output.contains("its pipeline may be starting"),
        "{}",
        ended.output
    );
    let ended = scene.inspect(&["clean", "--min-age", "0", "--dry-run"]);
    assert_eq!(
        ended.output.matches("would be removed").count(),
        2,
        "{}",
        ended.output
    );
    assert_eq!(left().len(), 2);
    let (code, json) = scene.json(&["clean", "--min-age", "0"]);
    assert_eq!((code, json[0].as_array().unwrap().len()), (Some(0), 2));
    assert!(left().is_empty());
}

/// Every verb has an example of its output and says how it ends.
#[test]
fn help_shows_an_example_and_the_exit_codes() {
    let scene = Scene::new();
    let ended = scene.inspect(&["--help"]);
    ends(&ended, 0);
    assert!(
        ended
            .output
            .contains("Exit codes:\n  0  done, and what was looked at is sound")
    );
    for verb in [
        "verdict", "list", "show", "graph", "stats", "metrics", "tail", "verify", "ready", "clean",
        "watch", "doctor",
    ] {
        let ended = scene.inspect(&[verb, "--help"]);
        ends(&ended, 0);
        for part in [
            "Example",
            &format!("$ shm-inspect {verb}"),
            "Exit codes: 0 ",
        ] {
            assert!(
                ended.output.contains(part),
                "{part} is not in\n{}",
                ended.output
            );
        }
    }
}

/// As when a pager is left.
#[test]
fn whoever_stops_reading_is_no_error() {
    let (scene, _feed, _risk) = scene();
    let mut running = scene
        .program(&["stats", "--count", "0", "--interval", "0.01"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(running.stdout.take());
    assert!(running.wait().unwrap().success());
}
