//! What is a role, and what only looks like one.

use ipc::{Consumer, Error, Peer, Producer, RingOptions, create_ring};
use nix::{
    libc,
    sys::wait::{WaitStatus, waitpid},
    unistd::{ForkResult, fork},
};
use std::{
    fs::File,
    path::{Path, PathBuf},
};

ipc::message! {
    /// A bid and an ask.
    pub struct Quote v1 {
        /// The bid.
        bid: u64 = "ticks",
        /// The ask.
        ask: u64 = "ticks",
    }
}

fn ring_in(directory: &Path) -> PathBuf {
    let ring = directory.join("quotes.ring");
    create_ring::<Quote>(&ring, RingOptions::default()).unwrap();
    ring
}

/// A child has a copy of everything, the locks included. As it tidies up it gives nothing back.
#[test]
fn a_forked_child_does_not_free_its_parents_roles() {
    let directory = tempfile::tempdir().unwrap();
    let ring = ring_in(directory.path());
    let (producer, consumer) = (
        Producer::<Quote>::attach(&ring).unwrap(),
        Consumer::<Quote>::attach(&ring).unwrap(),
    );
    // SAFETY: the child unmaps, closes and ends; it takes no lock that another thread may hold.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => {
            let status = waitpid(child, None).unwrap();
            assert_eq!(status, WaitStatus::Exited(child, 0));
        }
        ForkResult::Child => {
            drop(producer);
            drop(consumer);
            // SAFETY: ends this process at once, without its parent's exit handlers.
            unsafe { libc::_exit(0) }
        }
    }
    for refused in [
        Producer::<Quote>::attach(&ring).err(),
        Consumer::<Quote>::attach(&ring).err(),
    ] {
        assert!(
            matches!(refused, Some(Error::RoleTaken { .. })),
            "{refused:?}"
        );
    }
    assert!(consumer.info() == producer.info(), "both live");
}

/// Who may only look can take a read lock on a role's byte.
#[test]
fn a_read_lock_does_not_pass_for_a_live_owner() {
    let directory = tempfile::tempdir().unwrap();
    let ring = ring_in(directory.path());
    let consumer = Consumer::<Quote>::attach(&ring).unwrap();
    let reader = File::open(&ring).unwrap();
    let lock = libc::flock {
        l_type: libc::F_RDLCK.try_into().unwrap(),
        l_whence: 0,
        l_start: 0,
        l_len: 1,
        l_pid: 0,
    };
    nix::fcntl::fcntl(&reader, nix::fcntl::FcntlArg::F_OFD_SETLK(&lock)).unwrap();
    assert_eq!(consumer.producer(), Peer::Absent);
}
