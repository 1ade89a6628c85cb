//! NATS JetStream: a stream in the server's memory, over TCP on the loopback, without delay.
//!
//! The sender waits for the server's acknowledgement of each message: then it is in the stream. The
//! stream keeps a whole window. The reader is an ephemeral push consumer that acknowledges nothing,
//! as the official clients' ordered consumers (a pull consumer would add a request to each wait), and
//! sleeps in a blocking read. `nats_talk.rs` says what is spoken, and why by hand.

use super::{
    bytes::{Encoded, Fixed, ReceiveBytes, SendBytes, Wire},
    nats_talk::Talk,
};
use crate::{
    Failure,
    carrier::Remote,
    entry::{Entry, Needs, Part},
    link::Link,
    meter::Plan,
    row::Waiting,
};
use serde_json::{Value, json};

/// In the tables.
pub const ENTRIES: &[Entry] = &[Entry::new(
    "nats jetstream",
    &[Part::Hop, Part::Stream, Part::Chain],
    &Remote::<Encoded<JetStream, Fixed>>::NEW,
)
.fixed()
.waits(Waiting::Sleeps)
.through(Needs::Nats)];

/// Publishes to a stream of the link's name.
pub struct JetStream;

impl Wire for JetStream {
    type Sender = Publisher;
    type Receiver = PushConsumer;

    fn sender(link: &Link) -> Result<Publisher, Failure> {
        Ok(Publisher {
            talk: Talk::open(link, "sender")?,
            subject: link.name.clone(),
        })
    }

    fn receiver(link: &Link) -> Result<PushConsumer, Failure> {
        let mut talk = Talk::open(link, "receiver")?;
        let name = &link.name;
        let delivered = format!("delivered.{name}");
        let stream = json!({
            "name": name,
            "subjects": [name],
            "storage": "memory",
            "retention": "limits",
            "discard": "old",
            "max_msgs": Plan::for_slots(link.slots).total(),
            "num_replicas": 1,
        });
        request(&mut talk, &format!("STREAM.CREATE.{name}"), &stream)?;
        talk.subscribe(&delivered)?;
        let consumer = json!({
            "stream_name": name,
            "config": {
                "deliver_subject": delivered,
                "deliver_policy": "all",
                "ack_policy": "none",
                "replay_policy": "instant",
                "mem_storage": true,
                "num_replicas": 1,
            },
        });
        request(&mut talk, &format!("CONSUMER.CREATE.{name}"), &consumer)?;
        Ok(PushConsumer(talk))
    }
}

fn request(talk: &mut Talk, what: &str, request: &Value) -> Result<(), Failure> {
    talk.publish(
        &format!("$JS.API.{what}"),
        true,
        &serde_json::to_vec(request)?,
    )?;
    acknowledged(talk)
}

fn acknowledged(talk: &mut Talk) -> Result<(), Failure> {
    talk.flush()?;
    let answer = talk.hear()?;
    if answer.windows(8).any(|window| window == b"\"error\":") {
        return Err(format!("JetStream: {}", String::from_utf8_lossy(answer)).into());
    }
    Ok(())
}

/// The sending end.
pub struct Publisher {
    talk: Talk,
    subject: String,
}

impl SendBytes for Publisher {
    fn send(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        self.talk.publish(&self.subject, true, bytes)?;
        acknowledged(&mut self.talk)?;
        Ok(true)
    }
}

/// The receiving end.
pub struct PushConsumer(Talk);

impl ReceiveBytes for PushConsumer {
    fn receive(&mut self) -> Result<Option<&[u8]>, Failure> {
        self.0.hear().map(Some)
    }
}
