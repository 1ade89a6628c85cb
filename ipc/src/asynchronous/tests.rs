//! Peers that do not ring, and wakers that misbehave.

use super::*;
use crate::{RingOptions, create_ring};
use std::{
    panic::panic_any,
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    task::{Wake, Waker},
};

/// Far beyond anything that a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(30);

#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
struct Count(u64);

impl Message for Count {
    const NAME: &'static str = "Count";
    const VERSION: u16 = 1;
    const FIELDS: &'static [crate::Field] = &[];
}

struct Says(Sender<()>);

impl Wake for Says {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(());
    }
}

/// Its panic panics again when it is dropped.
struct Bomb(Sender<()>);

struct Shrapnel;

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(());
        panic_any(Shrapnel);
    }
}

impl Drop for Shrapnel {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

fn waker<W: Wake + Send + Sync + 'static>(
    make: impl FnOnce(Sender<()>) -> W,
) -> (Waker, Receiver<()>) {
    let (sender, called) = channel();
    (Arc::new(make(sender)).into(), called)
}

fn ring(directory: &Path, name: &str) -> (Producer<Count>, AsyncConsumer<Count>) {
    let path = directory.join(name);
    create_ring::<Count>(&path, RingOptions::default()).unwrap();
    let consumer = AsyncConsumer::new(Consumer::attach(&path).unwrap()).unwrap();
    (Producer::attach(&path).unwrap(), consumer)
}

fn poll(consumer: &mut AsyncConsumer<Count>, waker: &Waker) -> bool {
    let polled = consumer.poll_pop(&mut Context::from_waker(waker));
    polled.is_ready()
}

/// As a peer that is stopped between its store and its wake leaves it.
#[test]
fn a_message_for_which_nobody_rings_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let (mut producer, mut consumer) = ring(directory.path(), "count.ring");
    let (waker, called) = waker(Says);
    assert!(!poll(&mut consumer, &waker));
    // Now the producer sees nobody asleep.
    consumer.sleeping.source.disarm();
    producer.push(&Count(7)).unwrap();
    called.recv_timeout(PATIENCE).expect("it sleeps on");
    assert!(poll(&mut consumer, &waker));
}

#[test]
fn what_a_waker_throws_ends_no_other_wake_up() {
    let directory = tempfile::tempdir().unwrap();
    let (mut producer, mut consumer) = ring(directory.path(), "bomb.ring");
    let (bomb, thrown) = waker(Bomb);
    assert!(!poll(&mut consumer, &bomb));
    producer.push(&Count(1)).unwrap();
    thrown.recv_timeout(PATIENCE).expect("it sleeps on");
    let (mut producer, mut consumer) = ring(directory.path(), "count.ring");
    let (waker, called) = waker(Says);
    assert!(!poll(&mut consumer, &waker));
    producer.push(&Count(2)).unwrap();
    called.recv_timeout(PATIENCE).expect("the thread is gone");
}
