//! A child that was forked: what it drops is its parent's, and what it begins is its own.
//!
//! Alone in its program, so that no other test's thread holds a lock while it forks.
#![cfg(feature = "async")]

use ipc::{AsyncConsumer, Consumer, Producer, RingOptions, create_ring};
use nix::{
    libc,
    sys::wait::{WaitStatus, waitpid},
    unistd::{ForkResult, alarm, fork},
};
use std::{
    path::Path,
    sync::{
        Arc,
        mpsc::{Sender, channel},
    },
    task::{Context, Wake, Waker},
    time::Duration,
};

/// Far beyond anything that a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(30);

ipc::message! {
    /// A number.
    pub struct Count v1 {
        /// It.
        number: u64 = "count",
    }
}

struct Says(Sender<()>);

impl Wake for Says {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(());
    }
}

fn create(directory: &Path, name: &str) -> AsyncConsumer<Count> {
    let path = directory.join(name);
    create_ring::<Count>(&path, RingOptions::default()).unwrap();
    AsyncConsumer::new(Consumer::attach(&path).unwrap()).unwrap()
}

/// Whether a task of this process that awaits a new ring is woken.
fn is_woken(directory: &Path, name: &str) -> bool {
    let mut consumer = create(directory, name);
    let mut producer = Producer::<Count>::attach(&directory.join(name)).unwrap();
    let (sender, called) = channel();
    let waker: Waker = Arc::new(Says(sender)).into();
    let polled = consumer.poll_pop(&mut Context::from_waker(&waker));
    producer.push(&Count { number: 1 }).unwrap();
    polled.is_pending() && called.recv_timeout(PATIENCE).is_ok()
}

#[test]
fn a_forked_child_drops_an_armed_consumer_and_awaits_rings_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let mut armed = create(directory.path(), "armed.ring");
    let polled = armed.poll_pop(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    // SAFETY: the C library keeps its allocator usable in the child, the other threads wait, and what
    // they may hold of ours is what is tested here.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => {
            let status = waitpid(child, None).unwrap();
            assert_eq!(status, WaitStatus::Exited(child, 0));
        }
        ForkResult::Child => {
            // Should it hang after all.
            alarm::set(60);
            drop(armed);
            let failed = !is_woken(directory.path(), "child.ring");
            // SAFETY: ends the child here and now.
            unsafe { libc::_exit(failed.into()) };
        }
    }
    assert!(is_woken(directory.path(), "parent.ring"));
}
