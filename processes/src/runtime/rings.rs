//! A process's ends of its rings, and how its loop waits on them.

#[cfg(feature = "redis-hot-path")]
use super::redis_path::{Bridge, Publisher};
use super::{Context, Failure};
use ipc::{
    Bell, Consumer, Incarnation, Info, Ladder, Message, Peer, PopError, Producer, PushError,
    Received, Residency, Waiter, WakeSource,
};
#[cfg(feature = "redis-hot-path")]
use pipeline::HotPath;
use pipeline::{Link, Pipeline};
use std::time::Duration;

/// Rounds of waiting for room between two looks at whether the reader still lives; a round may sleep.
const ROUNDS_BETWEEN_LOOKS: u32 = 32;

/// Says what memory a ring or board has got, and warns where its first use or a busy host may stall us.
pub(super) fn report_memory(ring: &str, residency: &Residency) {
    tracing::info!(ring, "attached: {residency}");
    if let Some(shortfall) = residency.shortfall() {
        tracing::warn!(ring, "{shortfall}");
    }
}

/// A message that the hot path carries.
#[cfg(not(feature = "redis-hot-path"))]
pub trait Carried: Message {}
#[cfg(not(feature = "redis-hot-path"))]
impl<T: Message> Carried for T {}

/// A message that the hot path carries, through rings or as JSON.
#[cfg(feature = "redis-hot-path")]
pub trait Carried: Message + Send + serde::Serialize + serde::de::DeserializeOwned {}
#[cfg(feature = "redis-hot-path")]
impl<T: Message + Send + serde::Serialize + serde::de::DeserializeOwned> Carried for T {}

/// The reading end of a ring.
pub struct Input<T: Carried> {
    name: String,
    consumer: Consumer<T>,
    #[cfg(feature = "redis-hot-path")]
    bridge: Option<Bridge>,
    why_empty: PopError,
    damage_said: bool,
}

impl<T: Carried> Input<T> {
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

    /// Which file it is.
    pub(super) fn info(&self) -> &Info {
        self.consumer.info()
    }

    pub(super) fn attach(link: &Link, pipeline: &Pipeline) -> Result<Self, Failure> {
        let consumer = Consumer::attach(&pipeline.ring_path(&link.name))?;
        consumer.introduce(&link.to);
        report_memory(&link.name, consumer.residency());
        Ok(Self {
            name: link.name.clone(),
            consumer,
            #[cfg(feature = "redis-hot-path")]
            bridge: match pipeline.hot_path {
                HotPath::Rings => None,
                HotPath::Redis => Some(Bridge::start::<T>(link, pipeline)?),
            },
            why_empty: PopError::Empty,
            damage_said: false,
        })
    }

    /// The next message, if there is one; if not, [`Input::why_empty`] knows why.
    #[inline]
    pub fn pop(&mut self) -> Option<Received<T>> {
        match self.consumer.pop() {
            #[cfg(feature = "redis-hot-path")]
            Ok(mut received) => {
                if let Some(bridge) = &mut self.bridge {
                    bridge.stamp(&mut received);
                }
                Some(received)
            }
            #[cfg(not(feature = "redis-hot-path"))]
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
        #[cfg(feature = "redis-hot-path")]
        if self.bridge.is_some() {
            // What writes the ring then does not know whether the writer lives.
            return;
        }
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

impl<T: Carried> WakeSource for Input<T> {
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
pub struct Output<T: Carried> {
    name: String,
    to_index: u8,
    way: Way<T>,
    waiter: Waiter,
    /// Messages have the time of what caused them.
    replays: bool,
}

/// Where messages go.
#[cfg_attr(
    feature = "redis-hot-path",
    expect(clippy::large_enum_variant, reason = "the large one is the fast one")
)]
enum Way<T: Carried> {
    Ring(Producer<T>),
    #[cfg(feature = "redis-hot-path")]
    Redis(Publisher),
}

impl<T: Carried> Output<T> {
    /// Name of the ring.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which file it is; `None` where no ring carries the messages.
    pub(super) fn info(&self) -> Option<&Info> {
        match &self.way {
            Way::Ring(producer) => Some(producer.info()),
            #[cfg(feature = "redis-hot-path")]
            Way::Redis(_) => None,
        }
    }

    pub(super) fn attach(
        link: &Link,
        pipeline: &Pipeline,
        ladder: Ladder,
    ) -> Result<Self, Failure> {
        let to_index = link
            .to
            .split_once('.')
            .and_then(|(_, index)| index.parse().ok())
            .unwrap_or(0);
        Ok(Self {
            name: link.name.clone(),
            to_index,
            way: Way::open(link, pipeline)?,
            waiter: Waiter::new(ladder),
            replays: pipeline.replay,
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
        match &self.way {
            Way::Ring(producer) => producer.beat(),
            #[cfg(feature = "redis-hot-path")]
            Way::Redis(_) => {}
        }
    }

    /// Publishes a message, waiting for room in a lossless ring.
    ///
    /// # Errors
    ///
    /// When this process is to stop and the reader, for whom there is no room, is gone; and when the
    /// reader's page is damaged.
    #[inline]
    pub fn send(&mut self, message: &T, context: &Context) -> Result<u64, Failure> {
        self.send_at(message, None, context)
    }

    /// As [`Output::send`], for a message that one sent at `cause_ns` has caused. In a replay, and only
    /// there, that is its own time too: nothing ages while the stages work.
    ///
    /// # Errors
    ///
    /// As [`Output::send`].
    #[inline]
    pub fn send_caused(
        &mut self,
        message: &T,
        cause_ns: u64,
        context: &Context,
    ) -> Result<u64, Failure> {
        let stamp = self.replays.then_some(cause_ns);
        self.send_at(message, stamp, context)
    }

    #[inline]
    fn send_at(
        &mut self,
        message: &T,
        stamp: Option<u64>,
        context: &Context,
    ) -> Result<u64, Failure> {
        let sent = match &mut self.way {
            Way::Ring(producer) => match push(producer, message, stamp) {
                Ok(sequence) => return Ok(sequence),
                Err(PushError::Full) => {
                    push_when_there_is_room(producer, message, stamp, &mut self.waiter, context)
                }
                Err(error) => Err(error.to_string()),
            },
            #[cfg(feature = "redis-hot-path")]
            Way::Redis(publisher) => publisher.send(message),
        };
        sent.map_err(|cause| Failure::Undelivered {
            link: self.name.clone(),
            cause,
        })
    }
}

/// Pushes with the time of now, or with another one.
#[inline]
fn push<T: Carried>(
    producer: &mut Producer<T>,
    message: &T,
    stamp: Option<u64>,
) -> Result<u64, PushError> {
    match stamp {
        None => producer.push(message),
        Some(sent_ns) => producer.push_stamped(message, sent_ns),
    }
}

#[cold]
fn push_when_there_is_room<T: Carried>(
    producer: &mut Producer<T>,
    message: &T,
    stamp: Option<u64>,
    waiter: &mut Waiter,
    context: &Context,
) -> Result<u64, String> {
    waiter.progress();
    let mut rounds = 0_u32;
    loop {
        match push(producer, message, stamp) {
            Ok(sequence) => return Ok(sequence),
            Err(PushError::Full) => {}
            Err(error) => return Err(error.to_string()),
        }
        rounds = rounds.wrapping_add(1);
        if rounds.is_multiple_of(ROUNDS_BETWEEN_LOOKS)
            && context.stopping()
            && producer.consumer() != Peer::Attached
        {
            return Err("the ring is full and its reader is gone".to_owned());
        }
        waiter.wait_for_room(producer);
    }
}

impl<T: Carried> Way<T> {
    fn open(link: &Link, pipeline: &Pipeline) -> Result<Self, Failure> {
        #[cfg(feature = "redis-hot-path")]
        if pipeline.hot_path == HotPath::Redis {
            return Publisher::connect(link, pipeline).map(Self::Redis);
        }
        let producer = Producer::attach(&pipeline.ring_path(&link.name))?;
        producer.introduce(&link.from);
        report_memory(&link.name, producer.residency());
        Ok(Self::Ring(producer))
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
