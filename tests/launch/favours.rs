//! Real-time priority and locked memory: what hot processes have of them in a pipeline that trades, and what is said where
//! the host does not give them.

use super::alone;
use nix::sys::signal::Signal;
use pipeline::{Core, Wait};
use std::fs;
use tests::scratch::Scratch;

/// Scheduling class and real-time priority of each thread of a process.
fn classes(pid: i32) -> Vec<(u32, u32)> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    threads
        .filter_map(|thread| {
            let stat = fs::read_to_string(thread.path().join("stat")).ok()?;
            let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
            // Fields 40 and 41 of proc_pid_stat(5); the first here is the third there.
            Some((fields[38].parse().ok()?, fields[37].parse().ok()?))
        })
        .collect()
}

fn locked_kib(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

/// The demo with a priority for two of its hot processes.
fn favoured() -> Scratch {
    let mut scratch = Scratch::of("demo.toml");
    scratch.pipeline.wait = Wait::Sleep;
    scratch.pipeline.lock_memory = true;
    for process in &mut scratch.pipeline.processes {
        process.priority = match process.name.as_str() {
            "game_shard.0" => Some("fifo:40".parse().unwrap()),
            "execution_service" => Some("fifo:50".parse().unwrap()),
            _ => None,
        };
    }
    scratch
}

/// Whether this machine lets us do what the test is about; says so where it does not.
fn permitted() -> bool {
    let can = nix::unistd::geteuid().is_root()
        && std::process::Command::new("chrt")
            .args(["-f", "1", "true"])
            .status()
            .is_ok_and(|status| status.success());
    if !can {
        eprintln!("skipped: real-time priority may not be taken here");
    }
    can
}

#[test]
fn hot_loops_have_their_priority_their_memory_is_locked_and_cold_ones_have_neither() {
    let _alone = alone();
    if !permitted() {
        return;
    }
    let scratch = favoured();
    let launched = scratch.launch(&[]);
    scratch.await_trading();
    const FIFO: u32 = 1;
    for (name, level) in [("game_shard.0", 40), ("execution_service", 50)] {
        let found = classes(scratch.await_ready(name));
        let real_time: Vec<_> = found.iter().filter(|(class, _)| *class == FIFO).collect();
        // The loop alone: its I/O threads must not keep others waiting.
        assert_eq!(real_time, [&(FIFO, level)], "`{name}`: {found:?}");
    }
    for process in &scratch.pipeline.processes {
        let pid = scratch.await_ready(&process.name);
        if process.priority.is_none() {
            let found = classes(pid);
            assert!(found.iter().all(|(class, _)| *class != FIFO), "{found:?}");
        }
        let locked = locked_kib(pid);
        if process.hot {
            // A program and its stacks are several MiB.
            assert!(locked > 8192, "`{}`: {locked} KiB", process.name);
        } else {
            assert!(locked < 8192, "`{}`: {locked} KiB", process.name);
        }
    }
    super::signal(launched.pid(), Signal::SIGINT);
    let outcome = launched.finish();
    outcome.ended_with(0);
    for part in [
        "game_shard.0 fifo:40, execution_service fifo:50",
        "lock all of their memory",
    ] {
        assert!(
            outcome.errors.contains(part),
            "{part} in {}",
            outcome.errors
        );
    }
}

#[test]
fn what_the_host_does_not_give_is_named_with_the_way_to_it() {
    let _alone = alone();
    if !permitted() {
        return;
    }
    // Two processes are to have a priority, and the one that is refused first is named.
    for (capability, fixes) in [
        (
            "-sys_nice",
            &["LimitRTPRIO=40", "LimitRTPRIO=50"] as &[&str],
        ),
        ("-ipc_lock", &["LimitMEMLOCK=infinity"]),
    ] {
        let scratch = favoured();
        let outcome = scratch
            .launch_without(capability, &["--for", "2s"])
            .finish();
        outcome.ended_with(2);
        let is_told = fixes.iter().any(|fix| outcome.errors.contains(fix));
        assert!(is_told, "none of {fixes:?} in {}", outcome.errors);
        scratch.await_nobody();
    }
}

#[test]
fn a_real_time_loop_that_would_starve_others_is_refused_before_anything_starts() {
    let mut scratch = favoured();
    scratch.pipeline.wait = Wait::Spin;
    for (index, process) in scratch.pipeline.processes.iter_mut().enumerate() {
        // Each its own, and none of this host's.
        process.core = process.hot.then_some(Core::Number(9000 + index));
    }
    let outcome = scratch.launch(&["--dry-run"]).finish();
    outcome.ended_with(2);
    for part in [
        "`game_shard.0`: spinning at priority \"fifo:40\"",
        "`execution_service`",
        "nothing was started",
    ] {
        assert!(
            outcome.errors.contains(part),
            "{part} in {}",
            outcome.errors
        );
    }
}
