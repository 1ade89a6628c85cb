//! The whole pipeline, started by the real launcher against the real redis-server and the simulator:
//! a clean run, and everything that can go wrong around one.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    fs,
    sync::{Mutex, MutexGuard},
};
use tests::scratch::Scratch;

#[path = "launch/audit.rs"]
mod audit;
#[path = "launch/calls.rs"]
mod calls;
#[path = "launch/chaos.rs"]
mod chaos;
#[path = "launch/day.rs"]
mod day;
#[path = "launch/encrypted.rs"]
mod encrypted;
#[path = "launch/favours.rs"]
mod favours;
#[path = "launch/kills.rs"]
mod kills;
#[path = "launch/live.rs"]
mod live;
#[path = "launch/prices.rs"]
mod prices;
#[path = "launch/restarts.rs"]
mod restarts;
#[path = "launch/safety.rs"]
mod safety;
#[path = "launch/switch.rs"]
mod switch;

/// One pipeline at a time: ten processes are enough for a small machine.
static MACHINE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    MACHINE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

fn number(report: &Value, field: &str) -> u64 {
    report[field]
        .as_u64()
        .unwrap_or_else(|| panic!("no number `{field}` in {report:#}"))
}

#[test]
fn the_demo_trades_loses_nothing_and_reconciles() {
    let _alone = alone();
    let scratch = Scratch::of("demo.toml");
    let outcome = scratch.launch(&["--for", "15s"]).finish();
    let report = scratch.report();
    assert_eq!(
        outcome.status.code(),
        Some(0),
        "{}\n{}\n{report:#}",
        outcome.errors,
        outcome.output
    );
    for field in ["games", "ticks", "signals", "orders", "fills"] {
        assert!(number(&report, field) > 0, "{field} in {report:#}");
    }
    assert_eq!(report["reconciled"], true);
    // After ten seconds the account was compared for the first time.
    assert!(number(&report["audits"], "looks") > 0, "{report:#}");
    assert!(!outcome.errors.contains("the account is not"), "{report:#}");
    the_way_to_the_order_is_told_by_stage(&report);
    for ring in report["rings"].as_array().unwrap() {
        assert_eq!(ring["lost"], 0, "{ring}");
        assert_eq!(ring["published"], ring["consumed"], "{ring}");
    }
    for process in report["processes"].as_array().unwrap() {
        assert_eq!(process["exit"], "0", "{process}");
    }
    assert!(
        outcome.output.contains("reconciled  yes"),
        "{}",
        outcome.output
    );
    assert!(!scratch.pipeline.rings.exists(), "the rings are gone");
    scratch.await_nobody();
    // The books outlast the run, and tell the same.
    let told = scratch.tell(&["positions", "--json"]);
    told.ended_with(0);
    let told: Value = serde_json::from_str(&told.output).unwrap();
    assert_eq!(told["profit"], report["profit"]);
    assert_eq!(told["total"]["pnl"], report["pnl"]);
    let told = scratch.tell(&["positions"]).output;
    for part in ["MARKET", "arbitrage, pairs", "lone legs", "model"] {
        assert!(told.contains(part), "{part} in {told}");
    }
}

/// Nobody died, so the way of every order that was written is known, and its stages sum to it.
fn the_way_to_the_order_is_told_by_stage(report: &Value) {
    let told = &report["tick_to_order_stages"];
    let written = number(&report["tick_to_order_ns"], "count");
    assert_eq!(number(told, "orders"), written, "{told}");
    let stages = told["stages"].as_array().unwrap().iter();
    let sum: u64 = stages.map(|stage| number(stage, "total_ns")).sum();
    assert_eq!(sum, number(&told["whole"], "total_ns"), "{told}");
    // None of it went into a signature.
    let signed = &report["signed_ahead"];
    assert_eq!(number(signed, "late"), 0, "{signed}");
    assert!(number(signed, "ready") >= written, "{signed}");
}

#[test]
fn a_killed_launcher_leaves_nobody_behind_and_the_next_one_takes_over_its_leftovers() {
    let _alone = alone();
    let scratch = Scratch::of("demo.toml");
    let launched = scratch.launch(&[]);
    scratch.await_trading();
    signal(launched.pid(), Signal::SIGKILL);
    assert!(!launched.finish().status.success());
    scratch.await_nobody();
    assert!(
        scratch.rings_left() > 0,
        "a killed launcher cannot clean up"
    );
    // Nor what others have made of it meanwhile.
    fs::write(scratch.pipeline.ring_path("orders"), "half-written").unwrap();
    fs::create_dir(scratch.pipeline.ring_dir().join("acks.ring.d")).unwrap();
    let outcome = scratch.launch(&["--for", "3s"]).finish();
    outcome.ended_with(0);
    assert!(
        outcome.errors.contains("that a killed run left behind"),
        "{}",
        outcome.errors
    );
}

#[test]
fn a_second_launch_of_the_same_pipeline_is_refused_and_the_first_goes_on() {
    let _alone = alone();
    let scratch = Scratch::of("demo.toml");
    let first = scratch.launch(&[]);
    scratch.await_trading();
    let second = scratch.launch(&["--for", "1s"]).finish();
    second.ended_with(2);
    let expected = format!("is running already, under launcher pid {}", first.pid());
    assert!(second.errors.contains(&expected), "{}", second.errors);
    signal(first.pid(), Signal::SIGINT);
    let first = first.finish();
    first.ended_with(0);
    assert!(
        first.output.contains("stopped because it was asked to"),
        "{}",
        first.output
    );
}

#[test]
fn a_bad_pipeline_file_is_refused_with_all_its_faults_before_anything_starts() {
    let mut scratch = Scratch::of("demo.toml");
    scratch.pipeline.links[0].depth = 1000;
    scratch.pipeline.processes[3].name = "game_shard.9".into();
    scratch.pipeline.limits.max_open_orders = 0;
    let outcome = scratch.launch(&["--for", "1s"]).finish();
    outcome.ended_with(2);
    for part in [
        "nothing was started",
        "depth 1000",
        "no process `game_shard.0`",
        "limits.max_open_orders = 0",
    ] {
        assert!(
            outcome.errors.contains(part),
            "{part} is missing in:\n{}",
            outcome.errors
        );
    }
    assert!(!scratch.pipeline.run_dir.exists() && !scratch.pipeline.rings.exists());
}

#[test]
fn a_port_in_use_and_a_missing_ring_directory_are_clear_errors() {
    let _alone = alone();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut scratch = Scratch::of("demo.toml");
    scratch.pipeline.simulator.as_mut().unwrap().venue_port = port;
    let outcome = scratch.launch(&["--for", "1s"]).finish();
    outcome.ended_with(2);
    assert!(
        outcome.errors.contains(&port.to_string()) && outcome.errors.contains("in use"),
        "{}",
        outcome.errors
    );
    assert!(!scratch.pipeline.rings.exists(), "nothing is left behind");

    let mut scratch = Scratch::of("demo.toml");
    scratch.pipeline.rings = "/nowhere/rings".into();
    let outcome = scratch.launch(&["--for", "1s"]).finish();
    outcome.ended_with(2);
    assert!(
        outcome
            .errors
            .contains("`/nowhere` is not there; mount a tmpfs"),
        "{}",
        outcome.errors
    );
}

#[test]
fn a_dry_run_prints_the_plan_and_starts_nothing() {
    let scratch = Scratch::of("demo.toml");
    let outcome = scratch.launch(&["--dry-run"]).finish();
    outcome.ended_with(0);
    for part in [
        "cores for 5 hot processes",
        "prices.0",
        "kalshi_monitor > game_shard.0",
        "private redis-server",
    ] {
        assert!(
            outcome.output.contains(part),
            "{part} is missing in:\n{}",
            outcome.output
        );
    }
    assert!(!scratch.pipeline.run_dir.exists());
}

#[test]
fn a_full_ring_directory_is_a_clear_error() {
    use nix::mount::{MntFlags, MsFlags, mount, umount2};
    let mut scratch = Scratch::of("demo.toml");
    let rings = scratch.path().join("small");
    fs::create_dir(&rings).unwrap();
    if let Err(error) = mount(
        Some("tmpfs"),
        &rings,
        Some("tmpfs"),
        MsFlags::empty(),
        Some("size=256k"),
    ) {
        eprintln!("skipped: a tmpfs of 256 KiB cannot be mounted here: {error}");
        return;
    }
    scratch.pipeline.rings = rings.join("arbees");
    let outcome = scratch.launch(&["--for", "1s"]).finish();
    umount2(&rings, MntFlags::MNT_DETACH).unwrap();
    outcome.ended_with(2);
    assert!(
        outcome.errors.contains("no room for segment") && outcome.errors.contains("remount,size="),
        "{}",
        outcome.errors
    );
}
