//! Our ring, between two processes, by readers that do not keep their core: one yields between two
//! looks, one spins and yields briefly and then sleeps until woken.

use super::{End, Receiver, Transport, ours::Ring};
use crate::{
    Failure,
    carrier::Remote,
    entry::{Entry, Part},
    link::Link,
    patience::LONGEST,
    payload::Carried,
    row::Waiting,
};
use ipc::{Consumer, Ladder, Producer, Waiter};
use std::time::Instant;

/// In the tables.
pub const ENTRIES: &[Entry] = &[
    Entry::new("ours, yielding", &[Part::Wake], &Remote::<Yielding>::NEW).waits(Waiting::Yields),
    Entry::new(
        "ours, asleep",
        &[Part::Hop, Part::Rate, Part::Wake, Part::Chain],
        &Remote::<Sleeping>::NEW,
    )
    .waits(Waiting::Sleeps),
];

/// The reader spins and yields briefly, then sleeps until woken.
pub struct Sleeping;

impl Transport for Sleeping {
    const FIRST: End = End::Sender;
    type Sender<T: Carried> = Producer<T>;
    type Receiver<T: Carried> = Sleeper<T>;

    fn sender<T: Carried>(link: &Link) -> Result<Producer<T>, Failure> {
        Ring::<0>::sender(link)
    }

    fn receiver<T: Carried>(link: &Link) -> Result<Sleeper<T>, Failure> {
        Ok(Sleeper {
            consumer: Ring::<0>::receiver(link)?,
            waiter: Waiter::new(Ladder::Sleep),
            empty_since: None,
        })
    }
}

/// The reader lets others run between two looks.
pub struct Yielding;

impl Transport for Yielding {
    const FIRST: End = End::Sender;
    type Sender<T: Carried> = Producer<T>;
    type Receiver<T: Carried> = Yielder<T>;

    fn sender<T: Carried>(link: &Link) -> Result<Producer<T>, Failure> {
        Ring::<0>::sender(link)
    }

    fn receiver<T: Carried>(link: &Link) -> Result<Yielder<T>, Failure> {
        Ok(Yielder(Ring::<0>::receiver(link)?))
    }
}

/// A reader that yields.
pub struct Yielder<T: Carried>(Consumer<T>);

impl<T: Carried> Receiver<T> for Yielder<T> {
    #[inline(always)]
    fn receive(&mut self) -> Option<T> {
        let received = self.0.receive();
        if received.is_none() {
            std::thread::yield_now();
        }
        received
    }

    #[inline(always)]
    fn commit(&mut self) {
        self.0.commit();
    }
}

/// A reader that sleeps.
pub struct Sleeper<T: Carried> {
    consumer: Consumer<T>,
    waiter: Waiter,
    empty_since: Option<Instant>,
}

impl<T: Carried> Receiver<T> for Sleeper<T> {
    #[inline(always)]
    fn receive(&mut self) -> Option<T> {
        if let Ok(received) = self.consumer.pop() {
            self.waiter.progress();
            self.empty_since = None;
            return Some(received.message);
        }
        self.empty_since.get_or_insert_with(Instant::now);
        self.waiter.wait(&mut [&mut self.consumer]);
        None
    }

    fn check(&mut self) -> Result<(), Failure> {
        match self.empty_since {
            Some(since) if since.elapsed() > LONGEST => {
                Err(format!("the other side did nothing for {LONGEST:?}").into())
            }
            _ => Ok(()),
        }
    }

    #[inline(always)]
    fn commit(&mut self) {
        self.consumer.commit();
    }
}
