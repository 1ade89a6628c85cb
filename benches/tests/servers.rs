//! The servers of a run: what happens without them, and that none outlives the bench.

use benches::row::Results;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    os::unix::ffi::OsStrExt as _,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const BENCH: &str = env!("CARGO_BIN_EXE_bench");
/// For what must happen at once, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn who_needs_a_missing_server_is_absent_and_says_how_to_install_it() {
    let empty = tempfile::tempdir().unwrap();
    let json = empty.path().join("results.json");
    let status = Command::new(BENCH)
        .args(["hop", "--only", "pub/sub", "--windows", "1", "--json"])
        .arg(&json)
        .env("PATH", empty.path())
        .status()
        .unwrap();
    assert!(status.success());
    let results: Results = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    assert!(!results.absent.is_empty());
    for absent in results.absent {
        let fix = "sudo apt-get install -y redis-server";
        assert!(absent.reason.contains(fix), "{}", absent.reason);
    }
}

#[test]
fn servers_die_with_the_bench() {
    for (server, only) in [("redis-server", "pub/sub"), ("nats-server", "nats")] {
        if !installed(server) {
            eprintln!("skipped: {server} is not installed");
            continue;
        }
        for signal in [Signal::SIGKILL, Signal::SIGINT] {
            let mut bench = Command::new(BENCH)
                .args(["hop", "--only", only, "--windows", "1000000"])
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let pid = await_some(|| child_named(&bench, server));
            let log = fs::read_link(format!("/proc/{pid}/fd/1")).unwrap();
            let directory = log.parent().unwrap();
            kill(Pid::from_raw(bench.id().cast_signed()), signal).unwrap();
            bench.wait().unwrap();
            await_some(|| (name(pid).as_deref() != Some(server)).then_some(()));
            if signal == Signal::SIGINT {
                assert!(!directory.exists(), "{}", directory.display());
            } else {
                // Nobody was left to do it.
                fs::remove_dir_all(directory).unwrap();
            }
        }
    }
}

fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

fn child_named(parent: &Child, wanted: &str) -> Option<u32> {
    let pid = parent.id();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    let mut children = children
        .split_whitespace()
        .map(|child| child.parse().unwrap());
    children.find(|child| name(*child).as_deref() == Some(wanted))
}

/// Of a process that runs; a zombie has none.
fn name(pid: u32) -> Option<String> {
    let program = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let name = program.file_name()?.as_bytes();
    // Debian's `redis-server` is a link to another program.
    let name = std::str::from_utf8(name)
        .ok()?
        .replace("check-rdb", "server");
    Some(name)
}

fn await_some<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let due = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < due, "it does not happen");
        thread::sleep(Duration::from_millis(10));
    }
}
