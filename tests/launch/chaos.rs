//! Redis killed, slow and late: the hot path does not notice, trading goes on, and what Redis knew is there
//! again. The hop latencies before, during and after are printed, from the histograms in the rings.

use super::{alone, signal};
use ipc::Observer;
use nix::sys::signal::Signal;
use processes::cold::redis::Cold;
use std::{
    collections::HashSet,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tests::scratch::{Scratch, await_some};

/// How long a phase lasts; `ARBEES_CHAOS_S` in seconds, 4 by default.
fn phase() -> Duration {
    let asked = std::env::var("ARBEES_CHAOS_S").ok();
    Duration::from_secs(asked.and_then(|text| text.parse().ok()).unwrap_or(4))
}

/// What every phase is measured by: the rings of the way from tick to order.
struct Hops(Vec<(String, Observer)>);

impl Hops {
    fn of(scratch: &Scratch) -> Self {
        let links = scratch.pipeline.links.iter();
        let observed = links.map(|link| {
            let path = scratch.pipeline.ring_path(&link.name);
            (link.name.clone(), Observer::open(&path).unwrap())
        });
        Self(observed.collect())
    }

    fn published(&self, ring: &str) -> u64 {
        let found = self.0.iter().find(|(name, _)| name == ring);
        found.unwrap().1.statistics().published
    }

    /// Lasts for a phase, in which orders flow, and prints what the hops took in it.
    fn phase(&self, name: &str) {
        let before: Vec<_> = self.0.iter().map(|(_, ring)| ring.latency()).collect();
        let orders = self.published("orders");
        let end = Instant::now() + phase();
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(50));
        }
        await_some(&format!("orders while redis is {name}"), || {
            (self.published("orders") >= orders + 2).then_some(())
        });
        for ((ring, observer), before) in self.0.iter().zip(before) {
            let took = observer.latency().since(&before);
            let us = |share| {
                took.quantile(share)
                    .map_or("-".into(), |ns| (ns / 1_000).to_string())
            };
            println!(
                "{name:<14} {ring:<10} {:>7} hops  p50 {:>6} us  p99 {:>6} us",
                took.count(),
                us(0.5),
                us(0.99)
            );
        }
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// The fields of a hash; none while Redis does not answer.
fn fields(scratch: &Scratch, hash: &str) -> HashSet<String> {
    let socket = scratch.pipeline.run_dir.join("redis.sock");
    let url = format!("redis+unix://{}", socket.display());
    let cold = Cold::connect(&url, &scratch.pipeline.name);
    let fields = block_on(cold.hash_get_all(hash)).unwrap_or_default();
    fields.into_keys().collect()
}

/// Everything that Redis is to know: what there is, and who lives.
fn await_rebuilt(scratch: &Scratch, known: &[HashSet<String>; 4]) {
    for (hash, fields_before) in HASHES.iter().zip(known) {
        await_some(&format!("`{hash}` in redis"), || {
            fields(scratch, hash)
                .is_superset(fields_before)
                .then_some(())
        });
    }
}

const HASHES: [&str; 4] = ["registry", "games", "markets", "market_ids"];

fn redis_of(scratch: &Scratch, other_than: i32) -> i32 {
    let found = await_some("redis-server", || {
        let processes = scratch.processes().into_iter();
        processes
            .filter(|(pid, _)| *pid != other_than)
            .find(|(_, name)| name == "redis-server")
    });
    found.0
}

#[test]
fn redis_is_killed_and_slow_and_the_hot_path_does_not_notice() {
    let _alone = alone();
    let mut scratch = Scratch::of("demo.toml");
    scratch.pipeline.redis.heartbeat_ms = 500;
    let launched = scratch.launch(&[]);
    scratch.await_trading();
    let hops = Hops::of(&scratch);
    hops.phase("there");
    let known = HASHES.map(|hash| fields(&scratch, hash));
    assert!(known.iter().all(|fields| !fields.is_empty()), "{known:?}");

    let first = redis_of(&scratch, 0);
    signal(first, Signal::SIGKILL);
    let second = redis_of(&scratch, first);
    hops.phase("killed");
    await_rebuilt(&scratch, &known);
    // Who comes now learns from the new server what the old one knew.
    for process in ["execution_service", "kalshi_monitor", "market_discovery"] {
        let dead = scratch.await_ready(process);
        signal(dead, Signal::SIGKILL);
        await_some("a successor", || {
            let (pid, _) = scratch
                .processes()
                .into_iter()
                .find(|(_, name)| name == process)?;
            (pid != dead).then_some(())
        });
    }
    hops.phase("empty before");

    signal(second, Signal::SIGSTOP);
    hops.phase("stopped");
    // A process that dies while Redis is away trades again when it is back, at the latest.
    signal(scratch.await_ready("execution_service"), Signal::SIGKILL);
    std::thread::sleep(phase());
    signal(second, Signal::SIGCONT);
    hops.phase("back");
    await_rebuilt(&scratch, &known);
    signal(launched.pid(), Signal::SIGINT);
    let outcome = launched.finish();
    let report = scratch.report();
    println!("{}", outcome.output);
    outcome.ended_with(0);
    assert!(
        outcome
            .errors
            .contains("the hot path goes on without the cold one"),
        "{}",
        outcome.errors
    );
    let processes = report["processes"].as_array().unwrap();
    let redis = processes.iter().find(|one| one["name"] == "redis-server");
    assert_eq!(redis.unwrap()["restarts"], 1, "{report:#}");
    assert_eq!(report["reconciled"], true, "{report:#}");
}

struct Late(Option<Child>);

impl Drop for Late {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Markets are found through Redis: without it everybody lives and waits, and when it comes, they trade.
#[test]
fn a_redis_that_is_not_there_at_the_start_is_waited_for_by_processes_that_live() {
    let _alone = alone();
    let mut scratch = Scratch::of("demo.toml");
    let socket = scratch.path().join("late.sock");
    scratch.pipeline.redis.url = format!("redis+unix://{}", socket.display());
    let mut server = Late(None);
    let launched = scratch.launch(&[]);
    for process in &scratch.pipeline.processes {
        scratch.await_ready(&process.name);
    }
    let states = |scratch: &Scratch| {
        let ring = Observer::open(&scratch.pipeline.ring_path("games.0")).unwrap();
        ring.statistics().published
    };
    await_some("states of games without redis", || {
        (states(&scratch) >= 3).then_some(())
    });
    let spawned = Command::new("redis-server")
        .args(["--port", "0", "--save", "", "--appendonly", "no"])
        .arg("--unixsocket")
        .arg(&socket)
        .stdout(Stdio::null())
        .spawn();
    server.0 = Some(spawned.unwrap());
    scratch.await_trading();
    signal(launched.pid(), Signal::SIGINT);
    let outcome = launched.finish();
    outcome.ended_with(0);
    assert!(
        outcome.errors.contains("redis does not answer"),
        "{}",
        outcome.errors
    );
}
