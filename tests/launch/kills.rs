//! The kill matrix: every process of a pipeline that trades, and its Redis, killed at random moments, so many
//! times. No order is sent twice, none is lost, and each launch ends reconciled; how long each process was away
//! is in the launcher's reports, which are printed.
//!
//! `ARBEES_KILLS` is the number of kills, 50 by default; `scripts/test kills --kills N` sets it. A thousand at most
//! go to one launch: the next begins where the last was stopped. `ARBEES_TEST_SEED` repeats the choices of a run.

use super::{alone, signal};
use evidence::{AtVenue, Followed, Found, judge};
use ipc::Observer;
use nix::sys::signal::Signal;
use pipeline::{Supervision, Tier};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tests::scratch::{Scratch, await_some};

#[path = "kills/evidence.rs"]
mod evidence;

/// Kills of one launch.
const KILLS_OF_A_LAUNCH: u32 = 1_000;
/// Game seconds after which the last of the generated games may be settled.
const GAME_S: f64 = 4_500.0;
/// Seconds for a kill, more than it takes on a small machine.
const ROOM_S: f64 = 0.6;
/// Kills between two waits for an order: none may be killed before it has done anything, for ever.
const KILLS_A_BREATH: u32 = 25;

/// How often each process was killed.
type Deaths = BTreeMap<String, u32>;

fn number_of(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn everybody_is_killed_at_random_and_no_order_is_lost_or_sent_twice() {
    let _alone = alone();
    let kills = number_of("ARBEES_KILLS").unwrap_or(50);
    let mut kills = u32::try_from(kills).expect("a number of kills");
    let seed = number_of("ARBEES_TEST_SEED").unwrap_or_else(|| rand::rng().random());
    println!("ARBEES_TEST_SEED={seed} for {kills} kills");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut scratch = rich_and_undaunted();
    let (mut all, mut deaths) = (Found::default(), Deaths::new());
    let (begin, mut launches) = (Instant::now(), 0);
    while kills > 0 {
        let now = kills.min(KILLS_OF_A_LAUNCH);
        kills -= now;
        launches += 1;
        if let Some(simulator) = &mut scratch.pipeline.simulator {
            simulator.seed = random.random_range(0..1 << 32);
            // The games outlast the kills, and what goes before and after.
            simulator.speed = (GAME_S / (f64::from(now) * ROOM_S + 60.0)).min(30.0);
        }
        let (found, died) = one_launch(now, &scratch, &mut random);
        all.add(&found);
        for (name, times) in died {
            *deaths.entry(name).or_default() += times;
        }
        let killed: u32 = deaths.values().sum();
        println!(
            "{killed} kills in {launches} launches and {:.1} s: {all:?}",
            begin.elapsed().as_secs_f64()
        );
    }
    println!("killed: {deaths:?}");
    assert!(all.orders > 0 && all.fills > 0, "{all:?}");
}

/// A demo that sends many small orders for as long as anybody likes, each on its way to the venue for a while:
/// somebody who is killed at any moment is killed in the middle of something. Nobody who dies is waited for.
fn rich_and_undaunted() -> Scratch {
    let mut scratch = Scratch::of("demo.toml");
    let pipeline = &mut scratch.pipeline;
    pipeline.supervision = Supervision {
        max_deaths_in_a_row: u32::MAX,
        backoff_ms: 0,
        redis_backoff_ms: 0,
        ..Supervision::default()
    };
    pipeline.limits.max_order_contracts = 10;
    pipeline.limits.max_market_contracts = 1_000_000;
    pipeline.limits.max_game_dollars = 1_000_000;
    pipeline.limits.max_sport_dollars = 1_000_000;
    pipeline.limits.max_exposure_dollars = 1_000_000;
    pipeline.limits.max_day_loss_dollars = 1_000_000;
    pipeline.limits.max_burst_contracts = 1_000_000;
    pipeline.limits.repeat_ms = 100;
    if let Some(simulator) = &mut pipeline.simulator {
        simulator.balance_dollars = 2_000_000;
        simulator.delay_ms = [20.0, 60.0];
        // Successors ask much of the venue.
        simulator.tier = Tier::Prime;
    }
    scratch
}

/// Launches, kills, lets the last orders end, asks all sources, and stops.
fn one_launch(kills: u32, scratch: &Scratch, random: &mut ChaCha8Rng) -> (Found, Deaths) {
    let launched = scratch.launch(&[]);
    // Those of the launch before are gone with it; what else it left does not tell them apart.
    await_some("the rings", || {
        let mut rings = ["orders", "acks", "fills"].into_iter();
        let there = |ring: &str| Observer::open(&scratch.pipeline.ring_path(ring)).is_ok();
        rings.all(there).then_some(())
    });
    let followed = Followed::of(scratch);
    scratch.await_trading();
    let deaths = kill(kills, scratch, random);
    for process in &scratch.pipeline.processes {
        scratch.await_ready(&process.name);
    }
    orders_flow(scratch, 2);
    // The safe state: no order is made any more, and those on their way end.
    signal(launched.pid(), Signal::SIGUSR1);
    await_quiet(scratch);
    let venue = AtVenue::of(scratch);
    signal(launched.pid(), Signal::SIGINT);
    let outcome = launched.finish();
    let report = scratch.report();
    println!("{}", outcome.output);
    let (found, complaints) = judge(scratch, followed, &venue);
    assert_eq!(
        (found.duplicates, found.lost),
        (0, 0),
        "{found:?}\n{complaints:#?}"
    );
    let tail: Vec<&str> = outcome.errors.lines().rev().take(40).collect();
    assert_eq!(
        outcome.status.code(),
        Some(0),
        "{}\nthe last words first: {tail:#?}",
        outcome.output
    );
    judge_report(&report, &deaths);
    scratch.await_nobody();
    (found, deaths)
}

/// Waits until every order has been answered and no more come.
fn await_quiet(scratch: &Scratch) {
    let rings = ["orders", "acks", "fills"];
    let rings = rings.map(|ring| Observer::open(&scratch.pipeline.ring_path(ring)).unwrap());
    let mut before = None;
    let mut since = Instant::now();
    await_some("the last answers", || {
        let now = rings.each_ref().map(|ring| {
            let statistics = ring.statistics();
            (statistics.published, statistics.position)
        });
        if before != Some(now) {
            (before, since) = (Some(now), Instant::now());
        }
        let empty = now
            .iter()
            .all(|(published, position)| published == position);
        // Longer than a word takes to be heard.
        (empty && since.elapsed() >= Duration::from_secs(1)).then_some(())
    });
}

fn judge_report(report: &Value, deaths: &Deaths) {
    assert_eq!(report["reconciled"], true, "{report:#}");
    for process in report["processes"].as_array().unwrap() {
        let name = process["name"].as_str().unwrap();
        let died = deaths.get(name).copied().unwrap_or(0);
        assert_eq!(process["restarts"], died, "{process}");
        // Who dies on its way back comes back once for several deaths.
        let back = process["recovery"]["count"].as_u64().unwrap_or(0);
        let least = u64::from(died > 0);
        assert!((least..=u64::from(died)).contains(&back), "{process}");
    }
    for ring in report["rings"].as_array().unwrap() {
        let lossless = ring["kind"] == "lossless";
        assert!(!lossless || ring["lost"] == 0, "{ring}");
    }
}

/// Kills so many, one or two at once. Ready or not: some die on their way back.
fn kill(kills: u32, scratch: &Scratch, random: &mut ChaCha8Rng) -> Deaths {
    let names = scratch.pipeline.processes.iter();
    let mut mortal: Vec<&str> = names.map(|process| process.name.as_str()).collect();
    mortal.retain(|name| *name != "simulator");
    mortal.push("redis-server");
    let (mut deaths, mut killed, mut breath) = (Deaths::new(), 0, KILLS_A_BREATH);
    while killed < kills {
        // From at once to long enough for a successor to be at work.
        std::thread::sleep(Duration::from_millis(random.random_range(0..500)));
        let alive = await_some("somebody to kill", || {
            let mut alive = scratch.processes();
            alive.retain(|(_, name)| mortal.contains(&name.as_str()));
            (!alive.is_empty()).then_some(alive)
        });
        let at_once = if random.random_ratio(1, 4) { 2 } else { 1 };
        let at_once = at_once.min(kills - killed) as usize;
        let victims: Vec<_> = alive.choose_multiple(random, at_once).cloned().collect();
        for (pid, name) in &victims {
            signal(*pid, Signal::SIGKILL);
            *deaths.entry(name.clone()).or_default() += 1;
            killed += 1;
        }
        // The next look must not find the same ones again.
        await_some("their end", || {
            let alive = scratch.processes();
            let there = |(pid, _): &(i32, String)| alive.iter().any(|(other, _)| other == pid);
            (!victims.iter().any(there)).then_some(())
        });
        if killed >= breath {
            orders_flow(scratch, 1);
            breath = killed + KILLS_A_BREATH;
        }
    }
    deaths
}

fn orders_flow(scratch: &Scratch, least: u64) {
    let orders = Observer::open(&scratch.pipeline.ring_path("orders")).unwrap();
    let before = orders.statistics().published;
    await_some("orders after a death", || {
        (orders.statistics().published >= before + least).then_some(())
    });
}
