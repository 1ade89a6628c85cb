//! Sends one's own struct from one process to another, a million times.
//!
//! ```text
//! cargo run --release -p ipc --example two_processes receive &
//! cargo run --release -p ipc --example two_processes send
//! ```
//!
//! Kill either at any moment and start it again: nothing is lost.

use ipc::{
    Consumer, Ladder, Observer, PopError, Producer, PushError, RingOptions, Waiter, create_ring,
    remove_abandoned,
};
use std::path::Path;

ipc::message! {
    /// One level of a book changed.
    pub struct BookDelta v1 {
        /// When it happened.
        event_mono_ns: u64 = "ns, CLOCK_MONOTONIC",
        /// Price of the level.
        price_ticks: i64 = "ticks",
    }
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (role, ring) = match arguments[..] {
        [role] => (role, "/dev/shm/book-deltas.ring"),
        [role, ring] => (role, ring),
        _ => return Err("usage: two_processes send|receive [RING]".into()),
    };
    let ring = Path::new(ring);
    // Whoever comes first lays out the ring.
    match create_ring::<BookDelta>(ring, RingOptions::default()) {
        Ok(_) | Err(ipc::Error::Exists { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    match role {
        "send" => send(ring),
        "receive" => receive(ring),
        other => Err(format!("`{other}` is neither send nor receive").into()),
    }
}

const COUNT: u64 = 1_000_000;

fn send(ring: &Path) -> Result<()> {
    let mut producer = Producer::<BookDelta>::attach(ring)?;
    let mut waiter = Waiter::new(Ladder::Sleep);
    // A producer that is started again goes on where the last one stopped.
    while producer.published() < COUNT {
        let delta = BookDelta {
            event_mono_ns: ipc::clock::mono_ns(),
            price_ticks: producer.published().cast_signed(),
        };
        match producer.push(&delta) {
            Ok(_) => waiter.progress(),
            Err(PushError::Full) => waiter.wait_for_room(&mut producer),
            Err(error) => return Err(error.into()),
        }
    }
    // Dropping the producer is its goodbye.
    Ok(())
}

fn receive(ring: &Path) -> Result<()> {
    let mut consumer = Consumer::<BookDelta>::attach(ring)?;
    let mut waiter = Waiter::new(Ladder::Sleep);
    loop {
        match consumer.pop() {
            Ok(received) => {
                // The work. Then the commit: a successor would continue behind it.
                assert_eq!(
                    received.message.price_ticks,
                    received.sequence.cast_signed()
                );
                consumer.commit();
                waiter.progress();
            }
            Err(PopError::Closed) => break,
            // It may be started again.
            Err(PopError::Empty | PopError::PeerDead | PopError::Stale { .. }) => {
                waiter.wait(&mut [&mut consumer]);
            }
            Err(error) => return Err(error.into()),
        }
    }
    drop(consumer);
    let observer = Observer::open(ring)?;
    let (statistics, latency) = (observer.statistics(), observer.latency());
    println!(
        "{} messages, none lost; from push to pop p50 {} ns, p99 {} ns, max {} ns",
        statistics.consumed,
        latency.quantile(0.5).unwrap_or(0),
        latency.quantile(0.99).unwrap_or(0),
        latency.maximum()
    );
    remove_abandoned(ring)?;
    Ok(())
}
