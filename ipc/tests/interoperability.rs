//! A segment is a plain file: a program that knows nothing of this library, but the layout that
//! `slot` describes, reads it through any shared memory library.

use ipc::{Producer, RingOptions, create_ring};
use shared_memory::{Shmem, ShmemConf};
use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering::Acquire},
};

ipc::message! {
    /// Two words.
    pub struct Pair v1 {
        /// One.
        first: u64 = "count",
        /// The other.
        second: u64 = "count",
    }
}

/// Where things lie in a segment with pages of 4096 bytes.
const SCHEMA: usize = 128;
const SLOTS: usize = 6 * 4096;

/// POSIX names live in one directory, so a file there must go with the test.
struct Named(PathBuf);

impl Drop for Named {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A word of a mapping that another may write.
fn word(foreign: &Shmem, offset: usize) -> &AtomicU64 {
    assert!(offset.is_multiple_of(8) && offset + 8 <= foreign.len());
    // SAFETY: inside the mapping, which is page-aligned and lives as long as the borrow; the producer
    // writes it as an atomic.
    unsafe { &*foreign.as_ptr().add(offset).cast() }
}

#[test]
fn another_library_reads_a_live_ring() {
    let name = format!("ipc-interoperability-{}", std::process::id());
    let named = Named(PathBuf::from("/dev/shm").join(&name));
    let options = RingOptions {
        capacity: 4,
        stamp_every: 0,
        ..RingOptions::default()
    };
    create_ring::<Pair>(&named.0, options).unwrap();
    let foreign = ShmemConf::new().os_id(format!("/{name}")).open().unwrap();
    assert_eq!(foreign.len() as u64, fs::metadata(&named.0).unwrap().len());
    assert_eq!(word(&foreign, 0).load(Acquire).to_ne_bytes(), *b"ARBEESq1");
    let beginning = word(&foreign, SCHEMA).load(Acquire).to_ne_bytes();
    assert_eq!(beginning, *b"Pair v1 ");

    let mut producer = Producer::<Pair>::attach(&named.0).unwrap();
    for number in 0..4_u64 {
        let slot = SLOTS + usize::try_from(number).unwrap() * 64;
        assert_eq!(word(&foreign, slot).load(Acquire), 0, "not yet");
        let (first, second) = (number + 10, number + 20);
        producer.push(&Pair { first, second }).unwrap();
        let [sequence, one, other] = [0, 8, 16].map(|at| word(&foreign, slot + at).load(Acquire));
        assert_eq!((sequence, one, other), (2 * number + 2, first, second));
    }
    drop(foreign);
    assert!(named.0.exists(), "a visitor takes nothing with it");
}
