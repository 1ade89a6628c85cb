//! The hot path over Redis pub/sub in JSON, as it was before the rings: what they are measured against.
//!
//! The writer of a link publishes on a channel. On the reader's side a thread subscribes, decodes, and pushes
//! into the link's ring, from which the loop takes as ever: waiting, draining and looking on are the same code,
//! and both paths do the same work. A message's time, and its latency, is that of the writer's send.
//!
//! It is kind to Redis: the server is on a Unix socket, nothing is kept on disk, and a writer does not wait for
//! the server's answers. What it does not promise: a message that is published while the reader is away, or too
//! slow for the server's patience, is lost, which the report tells where a later one came; a process that is
//! started again does not find what was sent meanwhile; a writer's death or silence is not noticed.

use super::{Carried, Failure};
use hdrhistogram::Histogram;
use ipc::{Ladder, Producer, PushError, Received, Waiter, clock::mono_ns};
use pipeline::{Link, Pipeline};
use redis::{Client, Connection, PubSub, RedisError};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::sync_channel,
    },
    thread,
    time::{Duration, Instant},
};

/// How long a writer waits for its reader to subscribe, and between two looks.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_millis(5));
/// Latencies are recorded up to this.
const SLOWEST_NS: u64 = 60_000_000_000;

/// What is published.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Envelope<M> {
    Message {
        sequence: u64,
        sent_ns: u64,
        message: M,
    },
    /// The writer has ended, in order.
    Goodbye,
}

/// What a reader knows of its link, for the report.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Hops {
    /// Median latency from the writer's send to the reader's loop, ns.
    pub(crate) p50_ns: u64,
    /// 99th percentile of it.
    pub(crate) p99_ns: u64,
    /// 99.9th percentile.
    pub(crate) p999_ns: u64,
    /// Greatest.
    pub(crate) max_ns: u64,
    /// Messages that never came.
    pub(crate) lost: u64,
}

impl Hops {
    /// What the reader of a link has left at its end.
    pub(crate) fn read(pipeline: &Pipeline, link: &str) -> Option<Self> {
        serde_json::from_str(&fs::read_to_string(file(pipeline, link)).ok()?).ok()
    }
}

/// The writing end of a link.
pub(super) struct Publisher {
    connection: Connection,
    channel: String,
    next: u64,
}

impl Publisher {
    /// Connects, and waits until somebody reads: what is published before that is lost.
    pub(super) fn connect(link: &Link, pipeline: &Pipeline) -> Result<Self, Failure> {
        let (mut connection, channel) = (connect(pipeline)?, channel(pipeline, &link.name));
        let due = Instant::now() + PATIENCE.0;
        let mut question = redis::cmd("PUBSUB");
        question.arg("NUMSUB").arg(&channel);
        loop {
            let (_, readers): (String, u64) = question.query(&mut connection).map_err(failed)?;
            if readers > 0 {
                break;
            }
            if Instant::now() >= due {
                let reader = &link.to;
                return Err(Failure::other(format!(
                    "`{reader}` does not subscribe to `{channel}`"
                )));
            }
            thread::sleep(PATIENCE.1);
        }
        let mut silence = redis::cmd("CLIENT");
        silence.arg("REPLY").arg("OFF");
        connection
            .send_packed_command(&silence.get_packed_command())
            .map_err(failed)?;
        Ok(Self {
            connection,
            channel,
            next: 0,
        })
    }

    /// Publishes a message and returns its sequence number.
    pub(super) fn send<M: Serialize>(&mut self, message: &M) -> Result<u64, String> {
        let sequence = self.next;
        self.publish(&Envelope::Message {
            sequence,
            sent_ns: mono_ns(),
            message,
        })?;
        self.next += 1;
        Ok(sequence)
    }

    fn publish<M: Serialize>(&mut self, envelope: &Envelope<M>) -> Result<(), String> {
        let json = serde_json::to_vec(envelope).map_err(|error| error.to_string())?;
        let mut command = redis::cmd("PUBLISH");
        command.arg(&self.channel).arg(json);
        self.connection
            .send_packed_command(&command.get_packed_command())
            .map_err(|error| failed(error).to_string())
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        if let Err(error) = self.publish(&Envelope::<()>::Goodbye) {
            tracing::warn!(self.channel, error, "the reader does not learn of our end");
        }
    }
}

/// The reading end of a link, beside its ring.
pub(super) struct Bridge {
    /// When messages were sent, by their sequence in the ring.
    sent: rtrb::Consumer<(u64, u64)>,
    latencies: Histogram<u64>,
    lost: Arc<AtomicU64>,
    file: PathBuf,
}

impl Bridge {
    /// Subscribes, and carries messages into the link's ring on a thread of its own.
    pub(super) fn start<T: Carried>(link: &Link, pipeline: &Pipeline) -> Result<Self, Failure> {
        let (mut connection, channel) = (connect(pipeline)?, channel(pipeline, &link.name));
        // As many as can be in the ring, and the one that waits for room.
        let (stamps, sent) = rtrb::RingBuffer::new(link.depth as usize + 1);
        let lost = Arc::new(AtomicU64::new(0));
        let mut carrier = Carrier {
            producer: Producer::<T>::attach(&pipeline.ring_path(&link.name))?,
            stamps,
            lost: Arc::clone(&lost),
            next: 0,
        };
        let (subscribed, answer) = sync_channel(1);
        let carry = move || {
            let mut subscription = connection.as_pubsub();
            // Nobody waits for the answer only when this process is ending.
            let _ = subscribed.send(subscription.subscribe(&channel));
            if let Err(reason) = carrier.carry(&mut subscription) {
                tracing::error!(channel, reason, "nothing more comes over Redis");
            }
        };
        thread::Builder::new()
            .name("redis".to_owned())
            .spawn(carry)
            .map_err(|error| Failure::io("create a thread", error))?;
        let gone = |_| Failure::other("the thread that subscribes has ended");
        answer.recv().map_err(gone)?.map_err(failed)?;
        Ok(Self {
            sent,
            latencies: Histogram::new_with_max(SLOWEST_NS, 3).map_err(Failure::other)?,
            lost,
            file: file(pipeline, &link.name),
        })
    }

    /// Gives a message that was just taken from the ring the time of its sending.
    pub(super) fn stamp<T>(&mut self, received: &mut Received<T>) {
        while let Ok(&(sequence, sent_ns)) = self.sent.peek()
            && sequence <= received.sequence
        {
            let _ = self.sent.pop();
            if sequence == received.sequence {
                received.sent_ns = sent_ns;
                let age = mono_ns().saturating_sub(sent_ns);
                self.latencies.saturating_record(age);
            }
        }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let quantile = |share| self.latencies.value_at_quantile(share);
        let hops = Hops {
            p50_ns: quantile(0.5),
            p99_ns: quantile(0.99),
            p999_ns: quantile(0.999),
            max_ns: self.latencies.max(),
            lost: self.lost.load(Relaxed),
        };
        let json = serde_json::json!(hops).to_string();
        if let Err(error) = fs::write(&self.file, json) {
            tracing::warn!(%error, "the report will lack a link's latencies");
        }
    }
}

/// The thread that subscribes.
struct Carrier<T: Carried> {
    producer: Producer<T>,
    stamps: rtrb::Producer<(u64, u64)>,
    lost: Arc<AtomicU64>,
    /// Sequence of the next message of the writer.
    next: u64,
}

impl<T: Carried> Carrier<T> {
    /// Carries messages until the writer says goodbye.
    fn carry(&mut self, subscription: &mut PubSub<'_>) -> Result<(), String> {
        let mut waiter = Waiter::new(Ladder::Sleep);
        loop {
            let published = subscription
                .get_message()
                .map_err(|error| failed(error).to_string())?;
            let envelope = serde_json::from_slice::<Envelope<T>>(published.get_payload_bytes());
            match envelope.map_err(|error| error.to_string())? {
                Envelope::Goodbye => return Ok(()),
                Envelope::Message {
                    sequence,
                    sent_ns,
                    message,
                } => {
                    let lost = sequence.saturating_sub(self.next);
                    self.lost.fetch_add(lost, Relaxed);
                    self.next = sequence + 1;
                    // Refused only where the ring overwrites too: that message keeps the ring's own stamp.
                    let _ = self.stamps.push((self.producer.published(), sent_ns));
                    self.push(&message, &mut waiter)?;
                }
            }
        }
    }

    fn push(&mut self, message: &T, waiter: &mut Waiter) -> Result<(), String> {
        loop {
            match self.producer.push(message) {
                Ok(_) => {
                    waiter.progress();
                    return Ok(());
                }
                Err(PushError::Full) => waiter.wait_for_room(&mut self.producer),
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

fn connect(pipeline: &Pipeline) -> Result<Connection, Failure> {
    Client::open(pipeline.redis.url.as_str())
        .and_then(|client| client.get_connection_with_timeout(PATIENCE.0))
        .map_err(failed)
}

fn channel(pipeline: &Pipeline, link: &str) -> String {
    format!("arbees:{}:{link}", pipeline.name)
}

/// Where the reader of a link leaves what the report is to say.
fn file(pipeline: &Pipeline, link: &str) -> PathBuf {
    pipeline.run_dir.join(format!("{link}.hops.report.json"))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: RedisError) -> Failure {
    Failure::other(format!("the hot path over Redis: {error}"))
}
