//! Queues between the hot thread of a process and its I/O threads: `rtrb`, with a way to wake
//! whichever side sleeps.
//!
//! The asynchronous side parks in its runtime; waking it from there takes a system call of the hot
//! thread, and happens only when it is parked. A hot thread that sleeps is woken by a doorbell.

use ipc::{Bell, Doorbell, WakeSource};
use std::sync::{
    Arc,
    atomic::{
        AtomicBool,
        Ordering::{Relaxed, SeqCst},
        fence,
    },
};
use tokio::sync::Notify;

/// What both ends of a queue share to wake each other.
#[derive(Default)]
struct Shared {
    bell: Arc<Doorbell>,
    notify: Notify,
    /// The asynchronous side is about to park.
    parked: AtomicBool,
}

impl Shared {
    /// Wakes the asynchronous side if it parked. Call after the queue has changed.
    fn wake_io(&self) {
        // Pairs with the fence in park: either we see the mark, or it sees the change.
        fence(SeqCst);
        if self.parked.load(Relaxed) {
            self.parked.store(false, Relaxed);
            self.notify.notify_one();
        }
    }

    /// Marks the asynchronous side as about to park. It must look at the queue once more after it.
    fn park(&self) {
        self.parked.store(true, Relaxed);
        fence(SeqCst);
    }
}

/// One end's hold on what is shared. It stands behind the queue in each end, so that it is dropped,
/// and wakes the other side, when the queue is seen to be abandoned already.
struct Hold(Arc<Shared>);

impl std::ops::Deref for Hold {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.bell.ring();
        self.notify.notify_one();
    }
}

/// A queue from an I/O thread to the hot thread.
#[must_use]
pub fn to_hot<T>(capacity: usize) -> (ToHot<T>, Inbox<T>) {
    let (producer, consumer) = rtrb::RingBuffer::new(capacity);
    let shared = Arc::new(Shared::default());
    (
        ToHot {
            producer,
            shared: Hold(Arc::clone(&shared)),
        },
        Inbox {
            consumer,
            shared: Hold(shared),
        },
    )
}

/// A queue from the hot thread to an I/O thread.
#[must_use]
pub fn to_io<T>(capacity: usize) -> (ToIo<T>, IoInbox<T>) {
    let (producer, consumer) = rtrb::RingBuffer::new(capacity);
    let shared = Arc::new(Shared::default());
    (
        ToIo {
            producer,
            shared: Hold(Arc::clone(&shared)),
        },
        IoInbox {
            consumer,
            shared: Hold(shared),
        },
    )
}

/// The I/O thread's end of [`to_hot`].
pub struct ToHot<T> {
    producer: rtrb::Producer<T>,
    shared: Hold,
}

impl<T> ToHot<T> {
    /// Sends, waiting for room. Returns the value when the hot thread is gone.
    ///
    /// # Errors
    ///
    /// The value, when nobody will ever take it.
    pub async fn send(&mut self, value: T) -> Result<(), T> {
        let mut value = value;
        loop {
            if self.producer.is_abandoned() {
                return Err(value);
            }
            match self.producer.push(value) {
                Ok(()) => {
                    self.shared.bell.ring();
                    return Ok(());
                }
                Err(rtrb::PushError::Full(returned)) => value = returned,
            }
            self.shared.park();
            if self.producer.is_full() && !self.producer.is_abandoned() {
                self.shared.notify.notified().await;
            }
        }
    }
}

/// The hot thread's end of [`to_hot`].
pub struct Inbox<T> {
    consumer: rtrb::Consumer<T>,
    shared: Hold,
}

impl<T> Inbox<T> {
    /// The next value, if there is one.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        let value = self.consumer.pop().ok()?;
        self.shared.wake_io();
        Some(value)
    }

    /// Whether nothing is left and the sender is gone.
    #[must_use]
    pub fn drained(&self) -> bool {
        // In this order: what was sent before the sender went is seen by the second look.
        self.consumer.is_abandoned() && self.consumer.is_empty()
    }
}

impl<T> WakeSource for Inbox<T> {
    fn is_ready(&self) -> bool {
        !self.consumer.is_empty()
    }

    fn arm(&mut self) -> Bell<'_> {
        self.shared.bell.arm()
    }

    fn disarm(&mut self) {
        self.shared.bell.disarm();
    }
}

/// The hot thread's end of [`to_io`].
pub struct ToIo<T> {
    producer: rtrb::Producer<T>,
    shared: Hold,
}

impl<T> ToIo<T> {
    /// Sends without waiting.
    ///
    /// # Errors
    ///
    /// The value, when there is no room or nobody will ever take it.
    #[inline]
    pub fn push(&mut self, value: T) -> Result<(), T> {
        match self.producer.push(value) {
            Ok(()) => {
                self.shared.wake_io();
                Ok(())
            }
            Err(rtrb::PushError::Full(value)) => Err(value),
        }
    }
}

/// The I/O thread's end of [`to_io`].
pub struct IoInbox<T> {
    consumer: rtrb::Consumer<T>,
    shared: Hold,
}

impl<T> IoInbox<T> {
    /// The next value; `None` when nothing is left and the sender is gone. May be cancelled.
    pub async fn recv(&mut self) -> Option<T> {
        loop {
            if let Ok(value) = self.consumer.pop() {
                return Some(value);
            }
            self.shared.park();
            // The sender marks itself gone after its last value, so look for the mark first.
            let gone = self.consumer.is_abandoned();
            if let Ok(value) = self.consumer.pop() {
                return Some(value);
            }
            if gone {
                return None;
            }
            self.shared.notify.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipc::{Ladder, Waiter};

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(future)
    }

    #[test]
    fn everything_crosses_both_ways_through_queues_of_one() {
        const COUNT: u64 = 20_000;
        let (mut to_hot, mut inbox) = to_hot::<u64>(1);
        let (mut to_io, mut io_inbox) = to_io::<u64>(1);
        let io = std::thread::spawn(move || {
            block_on(async {
                let mut sum = 0;
                for number in 0..COUNT {
                    to_hot.send(number).await.unwrap();
                    sum += io_inbox.recv().await.unwrap();
                }
                assert_eq!(io_inbox.recv().await, None, "the hot side is gone");
                sum
            })
        });
        let mut waiter = Waiter::new(Ladder::Sleep);
        let mut echoed = 0;
        while echoed < COUNT {
            match inbox.pop() {
                Some(number) => {
                    to_io.push(number).unwrap();
                    echoed += 1;
                    waiter.progress();
                }
                None => waiter.wait(&mut [&mut inbox]),
            }
        }
        drop(to_io);
        assert_eq!(io.join().unwrap(), COUNT * (COUNT - 1) / 2);
        assert!(inbox.drained());
    }

    #[test]
    fn a_sender_without_receiver_gets_its_value_back() {
        let (mut to_hot, inbox) = to_hot::<u8>(1);
        drop(inbox);
        assert_eq!(block_on(to_hot.send(7)), Err(7));
    }
}
