//! The README's example, run: two processes, one of them killed on the way.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

fn example(role: &str, ring: &Path) -> Child {
    let tests = std::env::current_exe().unwrap();
    let program: PathBuf = tests
        .ancestors()
        .nth(2)
        .unwrap()
        .join("examples/two_processes");
    Command::new(&program)
        .arg(role)
        .arg(ring)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!(
                "{}: {error}; `cargo test -p ipc` builds it",
                program.display()
            )
        })
}

#[test]
fn a_struct_goes_from_process_to_process_and_nothing_is_lost_at_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let ring = directory.path().join("deltas.ring");
    let receiver = example("receive", &ring);
    let mut first = example("send", &ring);
    let observer = loop {
        match ipc::Observer::open(&ring) {
            Ok(observer) => break observer,
            Err(_) => std::thread::yield_now(),
        }
    };
    while observer.statistics().published < 1000 {
        std::thread::yield_now();
    }
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(example("send", &ring).wait().unwrap().success());
    let output = receiver.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && text.starts_with("1000000 messages, none lost"),
        "{text}"
    );
    assert!(!ring.exists());
}
