//! A process's ends of its rings, and how its loop waits on them.

use super::{Context, Failure};
use crate::pipeline::Link;
use ipc::{
    Bell, Consumer, Incarnation, Ladder, Message, Peer, PopError, Producer, PushError, Received,
    Residency, Waiter, WakeSource,
};
use std::{path::Path, time::Duration};

/// Rounds of waiting for room between two looks at whether the reader still lives; a round may sleep.
const ROUNDS_BETWEEN_LOOKS: u32 = 32;

/// Says what memory a ring or board has got, and warns where its first use or a busy host may stall us.
pub(super) fn report_memory(ring: &str, residency: &Residency) {
    tracing::info!(ring, "attached: {residency}");
    if let Some(shortfall) = residency.shortfall() {
        tracing::warn!(ring, "{shortfall}");
    }
}

/// The reading end of a ring.
pub struct Input<T: Message> {
    name: String,
    consumer: Consumer<T>,
    why_empty: PopError,
    damage_said: bool,
}

impl<T: Message> Input<T> {
    /// Name of the ring.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sequence of the next message that will be popped.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.consumer.next_sequence()
    }

    pub(super) fn attach(link: &Link, path: &Path) -> Result<Self, Failure> {
        let consumer = Consumer::attach(path)?;
        report_memory(&link.name, consumer.residency());
        Ok(Self {
            name: link.name.clone(),
            consumer,
            why_empty: PopError::Empty,
            damage_said: false,
        })
    }

    /// The next message, if there is one; if not, [`Input::why_empty`] knows why.
    #[inline]
    pub fn pop(&mut self) -> Option<Received<T>> {
        match self.consumer.pop() {
            Ok(received) => Some(received),
            Err(reason) => {
                self.why_empty = reason;
                if reason == PopError::Damaged {
                    self.say_damaged();
                }
                None
            }
        }
    }

    /// Why the last pop that found nothing found nothing.
    #[must_use]
    pub fn why_empty(&self) -> PopError {
        self.why_empty
    }

    /// From which silence of the writer on the ring counts as stale; see [`Consumer::stale_after`].
    pub fn stale_after(&mut self, bound: Duration) {
        self.consumer.stale_after(Some(bound));
    }

    /// Which writer writes the ring, or was the last to.
    #[inline]
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.consumer.incarnation()
    }

    /// Whether the writer is there. A system call.
    #[must_use]
    pub fn has_writer(&self) -> bool {
        self.consumer.producer() == Peer::Attached
    }

    /// Nothing more will come of this ring; what is in it is missing in the report as lost.
    #[cold]
    fn say_damaged(&mut self) {
        if !std::mem::replace(&mut self.damage_said, true) {
            tracing::error!(
                ring = self.name,
                "damaged: no producer of ours leaves it like this; nothing more is read from it"
            );
        }
    }

    /// Everything popped so far is done with.
    #[inline]
    pub fn commit(&mut self) {
        self.consumer.commit();
    }

    /// Every message with a sequence below `position` is done with.
    #[inline]
    pub fn commit_to(&mut self, position: u64) {
        self.consumer.commit_to(position);
    }

    /// Whether nothing is left and nothing more will come: the writer is gone. A system call.
    #[must_use]
    pub fn drained(&self) -> bool {
        // The second look is for what the writer published before it went.
        !self.consumer.has_message() && !self.has_writer() && !self.consumer.has_message()
    }
}

impl<T: Message> WakeSource for Input<T> {
    fn is_ready(&self) -> bool {
        self.consumer.is_ready()
    }

    fn arm(&mut self) -> Bell<'_> {
        self.consumer.arm()
    }

    fn disarm(&mut self) {
        self.consumer.disarm();
    }
}

/// The writing end of a ring.
pub struct Output<T: Message> {
    name: String,
    to_index: u8,
    producer: Producer<T>,
    waiter: Waiter,
}

impl<T: Message> Output<T> {
    /// Name of the ring.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn attach(link: &Link, path: &Path, ladder: Ladder) -> Result<Self, Failure> {
        let to_index = link
            .to
            .split_once('.')
            .and_then(|(_, index)| index.parse().ok())
            .unwrap_or(0);
        let producer = Producer::attach(path)?;
        report_memory(&link.name, producer.residency());
        Ok(Self {
            name: link.name.clone(),
            to_index,
            producer,
            waiter: Waiter::new(ladder),
        })
    }

    /// The number after the dot of the reader's name: the shard that this ring feeds.
    #[must_use]
    pub fn to_index(&self) -> u8 {
        self.to_index
    }

    /// Says that this process lives, to a reader that asks how long it was silent. Once a round of the
    /// loop: whoever is stopped, or starved, or stuck, is silent.
    #[inline]
    pub fn beat(&self) {
        self.producer.beat();
    }

    /// Publishes a message, waiting for room in a lossless ring.
    ///
    /// # Errors
    ///
    /// When this process is to stop and the reader, for whom there is no room, is gone; and when the
    /// reader's page is damaged.
    #[inline]
    pub fn send(&mut self, message: &T, context: &Context) -> Result<u64, Failure> {
        match self.producer.push(message) {
            Ok(sequence) => Ok(sequence),
            Err(PushError::Full) => self.send_when_there_is_room(message, context),
            Err(error) => Err(self.undelivered(error)),
        }
    }

    #[cold]
    fn send_when_there_is_room(&mut self, message: &T, context: &Context) -> Result<u64, Failure> {
        self.waiter.progress();
        let mut rounds = 0_u32;
        loop {
            match self.producer.push(message) {
                Ok(sequence) => return Ok(sequence),
                Err(PushError::Full) => {}
                Err(error) => return Err(self.undelivered(error)),
            }
            rounds = rounds.wrapping_add(1);
            if rounds.is_multiple_of(ROUNDS_BETWEEN_LOOKS)
                && context.stopping()
                && self.producer.consumer() != Peer::Attached
            {
                return Err(self.undelivered("the ring is full and its reader is gone"));
            }
            self.waiter.wait_for_room(&mut self.producer);
        }
    }

    fn undelivered(&self, cause: impl ToString) -> Failure {
        Failure::Undelivered {
            link: self.name.clone(),
            cause: cause.to_string(),
        }
    }
}

/// How a hot loop waits: reports progress, or waits for one of its sources.
pub struct Idle {
    waiter: Waiter,
}

impl Idle {
    pub(super) fn new(ladder: Ladder) -> Self {
        Self {
            waiter: Waiter::new(ladder),
        }
    }

    /// The round did some work.
    #[inline]
    pub fn progress(&mut self) {
        self.waiter.progress();
    }

    /// The round found nothing: waits, at most some 50 ms.
    #[inline]
    pub fn wait(&mut self, sources: &mut [&mut dyn WakeSource]) {
        self.waiter.wait(sources);
    }
}
