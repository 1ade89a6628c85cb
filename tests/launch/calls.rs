//! System calls of the hot loops of a pipeline that trades, between their rings: none, but for the word with which a
//! loop that spins in turns gives its core away. Traced, not said.

use super::{alone, number, signal};
use ipc::Observer;
use nix::sys::signal::Signal;
use pipeline::Wait;
use std::{collections::BTreeMap, fs, path::Path, process::Command};
use tests::scratch::{Scratch, await_some};

/// What a loop may call where it shares its core.
const GIVES_ITS_CORE_AWAY: &str = "sched_yield";
/// Longer than the test: the word to Redis that a process lives wakes an I/O thread.
const HEARTBEAT_MS: u64 = 3_600_000;
/// Orders that are made under the tracer's eyes.
const ORDERS: u64 = 5;

/// The calls of a trace, each with how often it was made.
fn calls(trace: &Path) -> BTreeMap<String, usize> {
    let mut calls = BTreeMap::new();
    for line in fs::read_to_string(trace).unwrap().lines() {
        // What was going on when the tracer came is shown without its beginning.
        let name = line.split('(').next().unwrap_or(line);
        if !line.starts_with("---") && !line.starts_with("<...") {
            *calls.entry(name.to_owned()).or_insert(0) += 1;
        }
    }
    calls
}

#[test]
fn shard_and_signal_processor_call_the_kernel_only_to_give_their_core_away() {
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    if !matches!(scope.trim(), "" | "0") && !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: nobody but root may trace here; sysctl kernel.yama.ptrace_scope=0");
        return;
    }
    let _alone = alone();
    let mut scratch = Scratch::of("demo.toml");
    scratch.pipeline.wait = Wait::Yield;
    scratch.pipeline.redis.heartbeat_ms = HEARTBEAT_MS;
    let launched = scratch.launch(&[]);
    scratch.await_trading();
    let loops = ["game_shard.0", "game_shard.1", "signal_processor"];
    let traced = loops.map(|name| {
        let trace = scratch.path().join(format!("{name}.trace"));
        // Without -f it follows the thread of that number alone, which is the loop.
        let tracer = Command::new("strace")
            .args(["-qq", "-o"])
            .arg(&trace)
            .arg("-p")
            .arg(scratch.await_ready(name).to_string())
            .spawn()
            .expect("strace is installed by scripts/test");
        (name, trace, tracer)
    });
    for (name, trace, _) in &traced {
        await_some(&format!("the first call of `{name}`"), || {
            fs::metadata(trace)
                .is_ok_and(|file| file.len() > 0)
                .then_some(())
        });
    }
    let orders = Observer::open(&scratch.pipeline.ring_path("orders")).unwrap();
    let before = orders.statistics().published;
    await_some("orders under the tracer's eyes", || {
        (orders.statistics().published >= before + ORDERS).then_some(())
    });
    for (name, trace, mut tracer) in traced {
        signal(i32::try_from(tracer.id()).unwrap(), Signal::SIGINT);
        let _ended_by_a_signal = tracer.wait().unwrap();
        let mut calls = calls(&trace);
        let yields = calls.remove(GIVES_ITS_CORE_AWAY);
        assert!(yields.is_some_and(|times| times > 0), "`{name}` was seen");
        assert!(calls.is_empty(), "`{name}` calls {calls:?}");
    }
    signal(launched.pid(), Signal::SIGINT);
    let outcome = launched.finish();
    outcome.ended_with(0);
    assert!(
        outcome.errors.contains("they spin in turns"),
        "{}",
        outcome.errors
    );
    assert!(number(&scratch.report(), "orders") >= ORDERS);
}
