//! A fault made for every verdict: `verdict` names it at its first run, in a second, and only it.

use crate::{
    actor::Actor,
    scene::{Scene, await_depth},
};
use ipc::Kind;
use nix::sys::signal::Signal;

/// feed ─prices─> shard ─signals─> risk, and a board that the feed writes: 200 messages a second.
struct Line {
    scene: Scene,
    feed: Actor,
    shard: Actor,
    risk: Actor,
}

impl Line {
    fn start(feed: &[&str], shard: &[&str], risk: &[&str], capacity: u32) -> Self {
        let scene = Scene::new();
        let [prices, signals] = ["prices", "signals"].map(|name| scene.lossless(name, capacity));
        let board = scene.board("books");
        let with = |own: &[&str], rest: &[&str]| -> Vec<String> {
            [own, rest]
                .concat()
                .iter()
                .map(|word| (*word).to_owned())
                .collect()
        };
        let start = |name: &str, part: Vec<String>| {
            let part: Vec<&str> = part.iter().map(String::as_str).collect();
            Actor::start(name, &part)
        };
        Self {
            risk: start("risk", with(&["in", &signals], risk)),
            shard: start("shard", with(&["in", &prices, "out", &signals], shard)),
            feed: start("feed", with(&["out", &prices, "board", &board], feed)),
            scene,
        }
    }

    fn steady(capacity: u32) -> Self {
        Self::start(&["every", "5"], &["every", "1"], &["every", "1"], capacity)
    }
}

#[test]
fn a_healthy_pipeline_has_no_trouble() {
    let line = Line::steady(1024);
    for _ in 0..2 {
        let found = line.scene.verdicts(&[]);
        found.only(&[]).fine(&[
            "ring prices: ok",
            "ring signals: ok",
            "board books: ok",
            "process feed: ok",
            "process shard: ok",
            "process risk: ok",
        ]);
    }
}

#[test]
fn nothing_to_do_is_idle() {
    let line = Line::start(&[], &["every", "1"], &["every", "1"], 1024);
    let found = line.scene.verdicts(&[]);
    found.only(&[]).fine(&[
        "ring prices: idle",
        "ring signals: idle",
        "board books: idle",
        "process feed: idle",
        "process risk: idle",
    ]);
}

#[test]
fn a_stopped_consumer_with_messages_waiting_is_stuck() {
    let line = Line::steady(4096);
    line.risk.signal(Signal::SIGSTOP);
    await_depth(line.scene.path("signals.ring").to_str().unwrap(), 1);
    let found = line.scene.verdicts(&[]);
    found.only(&["ring signals: stuck", "process risk: stuck"]);
    found.fine(&["ring prices: ok", "process shard: ok"]);
    assert!(found.evidence("signals").contains("risk (pid "));
    line.risk.signal(Signal::SIGCONT);
    crate::scene::await_that("recovery", || line.scene.verdicts(&[]).trouble.is_empty());
}

#[test]
fn who_waits_for_a_stopped_one_further_on_is_blocked() {
    let line = Line::steady(16);
    line.risk.signal(Signal::SIGSTOP);
    for ring in ["signals.ring", "prices.ring"] {
        await_depth(line.scene.path(ring).to_str().unwrap(), 16);
    }
    let found = line.scene.verdicts(&[]);
    found.only(&[
        "ring signals: stuck",
        "process risk: stuck",
        "ring prices: blocked",
        "process shard: blocked",
    ]);
    assert!(
        found
            .evidence("prices")
            .contains("waits for room in signals, which is stuck")
    );
}

#[test]
fn a_killed_process_is_dead_in_all_its_rings() {
    let mut line = Line::steady(4096);
    line.shard.kill();
    let found = line.scene.verdicts(&[]);
    found.only(&[
        "ring prices: dead",
        "ring signals: dead",
        "process shard: dead",
    ]);
    assert!(found.evidence("prices").contains("consumer shard (pid "));
    assert!(found.evidence("signals").contains("producer shard (pid "));
}

#[test]
fn a_killed_writer_of_a_board_is_dead() {
    let scene = Scene::new();
    let board = scene.board("books");
    let mut writer = Actor::start("feed", &["board", &board, "every", "5"]);
    scene.verdicts(&[]).only(&[]).fine(&["board books: ok"]);
    writer.kill();
    scene
        .verdicts(&[])
        .only(&["board books: dead", "process feed: dead"]);
    let mut writer = Actor::start("feed", &["board", &board, "every", "5"]);
    scene.verdicts(&[]).only(&[]).fine(&["board books: ok"]);
    writer.signal(Signal::SIGSTOP);
    scene
        .verdicts(&[])
        .only(&["board books: stale", "process feed: stale"]);
    writer.signal(Signal::SIGCONT);
    writer.leave();
    scene.verdicts(&[]).only(&[]).fine(&["board books: closed"]);
}

#[test]
fn a_consumer_that_does_not_keep_up_is_slow() {
    let line = Line::start(&["every", "2"], &["every", "1"], &["every", "20"], 1024);
    await_depth(line.scene.path("signals.ring").to_str().unwrap(), 128);
    let found = line.scene.verdicts(&[]);
    found.only(&["ring signals: slow", "process risk: slow"]);
    assert!(found.evidence("signals").contains("risk (pid "));
    assert!(found.evidence("signals").contains("full in "));
}

#[test]
fn a_latest_wins_ring_that_loses_is_slow() {
    let scene = Scene::new();
    let ring = scene.ring("prices", Kind::LatestWins, 16);
    let _feed = Actor::start("feed", &["out", &ring, "every", "2"]);
    let _shard = Actor::start("shard", &["in", &ring, "every", "100"]);
    await_depth(&ring, 16);
    let found = scene.comes_to(&["ring prices: slow", "process shard: slow"]);
    assert!(found.evidence("prices").starts_with("loses "));
}

#[test]
fn a_ring_without_room_is_full() {
    let line = Line::start(&["every", "2"], &["every", "1"], &["every", "50"], 16);
    for ring in ["signals.ring", "prices.ring"] {
        await_depth(line.scene.path(ring).to_str().unwrap(), 16);
    }
    line.scene.comes_to(&[
        "ring signals: full",
        "process risk: full",
        "ring prices: blocked",
        "process shard: blocked",
    ]);
}

#[test]
fn a_stopped_producer_with_nothing_waiting_is_stale() {
    let line = Line::steady(1024);
    line.feed.signal(Signal::SIGSTOP);
    let found = line.scene.verdicts(&[]);
    found.only(&[
        "ring prices: stale",
        "board books: stale",
        "process feed: stale",
    ]);
    found.fine(&["process shard: idle"]);
}

#[test]
fn a_goodbye_is_no_trouble() {
    let mut line = Line::steady(1024);
    line.feed.leave();
    let found = line.scene.verdicts(&[]);
    found
        .only(&[])
        .fine(&["ring prices: closed", "board books: closed"]);
    line.risk.leave();
    await_depth(line.scene.path("signals.ring").to_str().unwrap(), 0);
    assert!(
        line.scene
            .verdicts(&[])
            .fine
            .contains("ring signals: closed")
    );
}

#[test]
fn what_a_consumer_leaves_behind_is_told() {
    let mut line = Line::steady(1024);
    line.risk.leave();
    await_depth(line.scene.path("signals.ring").to_str().unwrap(), 1);
    line.scene.verdicts(&[]).only(&["ring signals: closed"]);
}

#[test]
fn a_side_that_never_came_is_missing() {
    let scene = Scene::new();
    let ring = scene.lossless("prices", 1024);
    let _feed = Actor::start("feed", &["out", &ring, "every", "50"]);
    scene.verdicts(&[]).only(&["ring prices: missing"]);
}

#[test]
fn each_side_alone_in_its_own_directory_is_misplaced() {
    let [here, there] = [Scene::new(), Scene::new()];
    let [ours, theirs] = [&here, &there].map(|scene| scene.lossless("prices", 1024));
    let _feed = Actor::start("feed", &["out", &ours, "every", "50"]);
    let _shard = Actor::start("shard", &["in", &theirs, "every", "1"]);
    for asked in [there.above.path().to_owned(), there.path("")] {
        let found = here.verdicts(&["--rings", asked.to_str().unwrap()]);
        assert!(
            found
                .trouble
                .iter()
                .all(|line| line == "ring prices: misplaced")
        );
        let evidence = found.evidence("prices");
        assert!(
            evidence.contains(&ours) && evidence.contains(&theirs),
            "{evidence}"
        );
    }
    here.verdicts(&[]).only(&["ring prices: missing"]);
}

#[test]
fn a_full_ring_that_never_had_a_consumer_is_misplaced() {
    let scene = Scene::new();
    let ring = scene.lossless("prices", 16);
    let _feed = Actor::start("feed", &["out", &ring, "first", "16"]);
    scene
        .verdicts(&[])
        .only(&["ring prices: misplaced", "process feed: misplaced"]);
}

#[test]
fn a_damaged_header_is_corrupt() {
    let line = Line::steady(1024);
    // The magic.
    line.scene.damage("signals.ring", 0, b"x");
    let found = line.scene.verdicts(&[]);
    found
        .only(&["ring signals: corrupt"])
        .fine(&["ring prices: ok", "process shard: ok"]);
    assert!(found.evidence("signals").contains("magic"));
}

#[test]
fn a_position_ahead_of_the_producer_is_corrupt() {
    let mut line = Line::steady(1024);
    line.shard.leave();
    line.risk.leave();
    // The consumer's position, twice.
    line.scene
        .damage("signals.ring", 2 * 4096, &(2_u64 << 40).to_ne_bytes());
    let found = line.scene.verdicts(&[]);
    assert!(
        found.trouble.contains("ring signals: corrupt"),
        "{:?}",
        found.trouble
    );
    assert!(
        found
            .evidence("signals")
            .contains("the consumer's position is 1099511627776")
    );
}
