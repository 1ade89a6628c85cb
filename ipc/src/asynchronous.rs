//! Awaiting a ring in a task of any executor (feature `async`).
//!
//! A task that finds nothing announces its sleep exactly as a loop does ([`crate::Waiter`]): it arms the
//! bell, runs the barrier, and looks once more. Then it leaves the waiting to a thread, one for all
//! tasks of the process, which calls its waker when the bell rings. The peer notices no difference.

use crate::{
    barrier,
    consumer::{Consumer, Received},
    error::{Error, PopError, PushError},
    header::Info,
    listener::{Listener, Words},
    message::Message,
    producer::Producer,
    wait::{LONGEST_SLEEP, UNSURE_SLEEP, WakeSource},
};
use std::{
    future::poll_fn,
    mem::{ManuallyDrop, replace},
    ops::Deref,
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// Answers in a row before a task gives way once, so that a ring that is never empty does not keep the
/// executor from its other tasks.
const MOST_IN_A_ROW: u32 = 128;
/// The longest tick of the kernel's clock, by which silence is timed.
const TICK: Duration = Duration::from_millis(10);

/// One end of a ring, with the sleep of the task that awaits it.
///
/// Only for ends whose bells' words lie in mappings, or behind an `Arc`, that they keep until they are
/// dropped, so that moving them leaves the words in their places.
struct Sleeping<S: WakeSource> {
    source: S,
    /// While it is armed: what the listener knows it by.
    ticket: Option<u64>,
    listener: &'static Listener,
    in_a_row: u32,
}

impl<S: WakeSource> Sleeping<S> {
    fn new(source: S, info: impl Fn(&S) -> &Info) -> Result<Self, Error> {
        let listener = Listener::of_this_process().map_err(|error| {
            Error::io("start the thread that awaits", &info(&source).path, error)
        })?;
        Ok(Self {
            source,
            ticket: None,
            listener,
            in_a_row: 0,
        })
    }

    /// What `look` finds. While it finds nothing, the task is woken when the source rings, and at the
    /// latest after the longest sleep of a loop, or the time that `patience` allows.
    fn poll<R>(
        &mut self,
        context: &Context<'_>,
        mut look: impl FnMut(&mut S) -> Option<R>,
        patience: impl Fn(&S) -> Option<Duration>,
    ) -> Poll<R> {
        if self.in_a_row == MOST_IN_A_ROW {
            self.in_a_row = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(found) = look(&mut self.source) {
            return self.found(found);
        }
        if let Some(ticket) = self.ticket
            && self.listener.replace_waker(ticket, context.waker())
        {
            // It has not rung since it was armed, so it still will.
            self.in_a_row = 0;
            return Poll::Pending;
        }
        self.rest();
        // SAFETY: they stay where they are as long as the source lives; `rest` has the listener forget
        // them, and `drop` calls it before the source goes.
        let words = unsafe { Words::of(self.source.arm()) };
        let reliable = barrier::before_looking_for_work();
        // S2, as in `wait::sleep`.
        if let Some(found) = look(&mut self.source) {
            self.source.disarm();
            return self.found(found);
        }
        let longest = if reliable {
            LONGEST_SLEEP
        } else {
            UNSURE_SLEEP
        };
        let longest = patience(&self.source).map_or(longest, |patience| patience.min(longest));
        let due = Instant::now() + longest;
        let waker = context.waker().clone();
        self.ticket = Some(self.listener.listen(words, due, waker));
        self.in_a_row = 0;
        Poll::Pending
    }

    fn found<R>(&mut self, found: R) -> Poll<R> {
        self.in_a_row += 1;
        self.rest();
        Poll::Ready(found)
    }

    /// Takes the announcement of a sleep back. A child that was forked has announced none: the list may
    /// be locked by a thread that is not there, and the words lie in pages that it has not.
    fn rest(&mut self) {
        if let Some(ticket) = self.ticket.take()
            && self.listener.is_of_this_process()
        {
            self.listener.forget(ticket);
            self.source.disarm();
        }
    }

    fn into_inner(mut self) -> S {
        self.rest();
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is not used again and never dropped, so the source is moved, not copied; no
        // other field needs to be dropped.
        unsafe { std::ptr::read(&raw const this.source) }
    }
}

impl<S: WakeSource> Drop for Sleeping<S> {
    fn drop(&mut self) {
        // Before the source goes, and its words with it.
        self.rest();
    }
}

/// A ring's consumer, for a task to await (feature `async`).
///
/// Any executor will do. Here one that has a single thread, and parks it:
///
/// ```
/// use std::{future::Future, pin::pin, sync::Arc, task::{Context, Poll, Wake}, thread};
///
/// struct Unpark(thread::Thread);
///
/// impl Wake for Unpark {
///     fn wake(self: Arc<Self>) {
///         self.0.unpark();
///     }
/// }
///
/// fn block_on<F: Future>(future: F) -> F::Output {
///     let (mut future, waker) = (pin!(future), Arc::new(Unpark(thread::current())).into());
///     loop {
///         match future.as_mut().poll(&mut Context::from_waker(&waker)) {
///             Poll::Ready(output) => return output,
///             Poll::Pending => thread::park(),
///         }
///     }
/// }
/// # mod messages {
/// #     ipc::message! { pub struct Price v1 { ticks: i64 = "ticks" } }
/// # }
/// # use messages::Price;
/// # fn main() -> Result<(), ipc::Error> {
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = &directory.path().join("prices.ring");
/// # ipc::create_ring::<Price>(path, ipc::RingOptions::default())?;
///
/// let mut producer = ipc::Producer::<Price>::attach(path)?;
/// let mut prices = ipc::AsyncConsumer::new(ipc::Consumer::<Price>::attach(path)?)?;
/// thread::spawn(move || {
///     for ticks in 40..43 {
///         producer.push(&Price { ticks }).unwrap();
///     }
/// }); // and says goodbye
///
/// let sum = block_on(async {
///     let mut sum = 0;
///     loop {
///         match prices.pop().await {
///             Ok(received) => sum += received.message.ticks,
///             Err(ipc::PopError::Closed) => return sum,
///             Err(reason) => panic!("{reason}"),
///         }
///         prices.commit();
///     }
/// });
/// assert_eq!(sum, 40 + 41 + 42);
/// # Ok(())
/// # }
/// ```
///
/// The first one of a process starts the thread that waits for all of them (`ipc-async`; it takes no
/// signals). What holds for the thread of [`Consumer::attach`] holds for it too: first this, then pin; no
/// `fork` without `exec`. It wakes the tasks of 63 rings at once; while more of them sleep, it looks at all
/// every millisecond.
pub struct AsyncConsumer<T: Message> {
    sleeping: Sleeping<Consumer<T>>,
    told: Told,
}

/// What the task has been told that a pop of the consumer would tell again and again.
#[derive(Default)]
struct Told {
    /// The last incarnation of the producer whose end it knows.
    ended: u64,
    /// It knows of the silence that still lasts.
    silence: bool,
}

impl Told {
    /// A message, or why there is none if that is news.
    fn look<T: Message>(
        &mut self,
        consumer: &mut Consumer<T>,
    ) -> Option<Result<Received<T>, PopError>> {
        let popped = consumer.pop();
        let is_silent = matches!(popped, Err(PopError::Stale { .. }));
        let was_silent = replace(&mut self.silence, is_silent);
        let is_news = match popped {
            Ok(_) | Err(PopError::Damaged) => true,
            Err(PopError::Empty) => false,
            Err(PopError::Stale { .. }) => !was_silent,
            Err(PopError::Closed | PopError::PeerDead) => {
                let ended = consumer.told();
                replace(&mut self.ended, ended) != ended
            }
        };
        is_news.then_some(popped)
    }
}

impl<T: Message> AsyncConsumer<T> {
    /// Lets tasks await the consumer.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the thread cannot be started. The consumer is detached then.
    pub fn new(consumer: Consumer<T>) -> Result<Self, Error> {
        Ok(Self {
            sleeping: Sleeping::new(consumer, Consumer::info)?,
            told: Told::default(),
        })
    }

    /// Waits for the next message, or for news of why there is none.
    ///
    /// Cancel-safe: a future that is dropped has popped nothing. It may leave one call of its waker behind.
    ///
    /// A task that always finds a message gives way to others after 128 of them, by one `Pending` whose
    /// waker has been called already.
    ///
    /// # Errors
    ///
    /// Never [`PopError::Empty`]: that is what is waited out. [`PopError::Closed`] and
    /// [`PopError::PeerDead`] once for each producer, [`PopError::Stale`] once for each silence; whoever
    /// awaits again after one of them awaits what comes next: a successor's message, or the end of the
    /// silence. [`PopError::Damaged`] every time, at once.
    pub async fn pop(&mut self) -> Result<Received<T>, PopError> {
        poll_fn(|context| self.poll_pop(context)).await
    }

    /// As [`AsyncConsumer::pop`], for whoever writes a future or stream by hand. Only the waker of the
    /// last call is called.
    ///
    /// # Errors
    ///
    /// As [`AsyncConsumer::pop`].
    pub fn poll_pop(&mut self, context: &mut Context<'_>) -> Poll<Result<Received<T>, PopError>> {
        let Self { sleeping, told } = self;
        let look = |consumer: &mut Consumer<T>| told.look(consumer);
        sleeping.poll(context, look, |consumer| {
            Some(consumer.silence_left()?.saturating_add(TICK))
        })
    }

    /// As [`Consumer::drain`]: takes what is there, and does not wait.
    ///
    /// # Errors
    ///
    /// As [`Consumer::drain`].
    pub fn drain(&mut self, most: usize, work: impl FnMut(Received<T>)) -> Result<usize, PopError> {
        self.sleeping.source.drain(most, work)
    }

    /// As [`Consumer::commit`].
    pub fn commit(&mut self) {
        self.sleeping.source.commit();
    }

    /// As [`Consumer::commit_to`].
    pub fn commit_to(&mut self, position: u64) {
        self.sleeping.source.commit_to(position);
    }

    /// As [`Consumer::stale_after`], from the next poll on: a task that awaits is woken when the bound is
    /// reached.
    pub fn stale_after(&mut self, bound: Option<Duration>) {
        self.sleeping.rest();
        self.sleeping.source.stale_after(bound);
    }

    /// The consumer, for a loop again.
    #[must_use]
    pub fn into_inner(self) -> Consumer<T> {
        self.sleeping.into_inner()
    }
}

/// What can be asked of a consumer. Not changed: the words that are awaited are those of this one.
impl<T: Message> Deref for AsyncConsumer<T> {
    type Target = Consumer<T>;

    fn deref(&self) -> &Consumer<T> {
        &self.sleeping.source
    }
}

/// A ring's producer, for a task to await room (feature `async`). Its thread is that of [`AsyncConsumer`].
pub struct AsyncProducer<T: Message> {
    sleeping: Sleeping<Producer<T>>,
}

impl<T: Message> AsyncProducer<T> {
    /// Lets tasks await room.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the thread cannot be started. The producer has said goodbye then.
    pub fn new(producer: Producer<T>) -> Result<Self, Error> {
        let sleeping = Sleeping::new(producer, Producer::info)?;
        Ok(Self { sleeping })
    }

    /// Publishes a message and returns its sequence number; waits for room where a lossless ring is full.
    ///
    /// Cancel-safe: a future that is dropped has published nothing. It gives way as
    /// [`AsyncConsumer::pop`] does.
    ///
    /// # Errors
    ///
    /// As [`Producer::push`], but never [`PushError::Full`]: that is what is waited out.
    pub async fn push(&mut self, message: &T) -> Result<u64, PushError> {
        poll_fn(|context| self.poll_push(context, message)).await
    }

    /// As [`AsyncProducer::push`], for whoever writes a future or sink by hand. Only the waker of the last
    /// call is called.
    ///
    /// # Errors
    ///
    /// As [`AsyncProducer::push`].
    pub fn poll_push(
        &mut self,
        context: &mut Context<'_>,
        message: &T,
    ) -> Poll<Result<u64, PushError>> {
        let look = |producer: &mut Producer<T>| match producer.push(message) {
            Err(PushError::Full) => None,
            pushed => Some(pushed),
        };
        self.sleeping.poll(context, look, |_| None)
    }

    /// The producer, for a loop again.
    #[must_use]
    pub fn into_inner(self) -> Producer<T> {
        self.sleeping.into_inner()
    }
}

/// What can be asked of a producer.
impl<T: Message> Deref for AsyncProducer<T> {
    type Target = Producer<T>;

    fn deref(&self) -> &Producer<T> {
        &self.sleeping.source
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
