//! NATS core: publish and subscribe over TCP on the loopback, without delay (the server listens on
//! nothing else).
//!
//! A message is handed on, not kept, and not confirmed: who is not subscribed misses it, and who lags
//! by more than the server keeps for him (64 MiB, more than any window) is cut off. The subscriber
//! sleeps in a blocking read. `nats_talk.rs` says what is spoken, and why by hand.

use super::{
    bytes::{Encoded, Fixed, Json, ReceiveBytes, SendBytes, Wire},
    nats_talk::Talk,
};
use crate::{
    Failure,
    carrier::Remote,
    entry::{Entry, Needs, Part},
    link::Link,
    row::Waiting,
};

/// In the tables.
pub const ENTRIES: &[Entry] = &[
    Entry::new(
        "nats",
        &[Part::Hop, Part::Stream, Part::Rate, Part::Wake, Part::Chain],
        &Remote::<Encoded<Nats, Fixed>>::NEW,
    )
    .fixed()
    .waits(Waiting::Sleeps)
    .through(Needs::Nats),
    Entry::new(
        "nats",
        &[Part::Hop, Part::Stream, Part::Chain],
        &Remote::<Encoded<Nats, Json>>::NEW,
    )
    .json()
    .waits(Waiting::Sleeps)
    .through(Needs::Nats),
];

/// Publishes to a subject of the link's name.
pub struct Nats;

impl Wire for Nats {
    type Sender = Publisher;
    type Receiver = Subscriber;

    fn sender(link: &Link) -> Result<Publisher, Failure> {
        Ok(Publisher {
            talk: Talk::open(link, "sender")?,
            subject: link.name.clone(),
        })
    }

    fn receiver(link: &Link) -> Result<Subscriber, Failure> {
        let mut talk = Talk::open(link, "receiver")?;
        talk.subscribe(&link.name)?;
        Ok(Subscriber(talk))
    }
}

/// The sending end.
pub struct Publisher {
    talk: Talk,
    subject: String,
}

impl SendBytes for Publisher {
    fn send(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        self.talk.publish(&self.subject, false, bytes)?;
        Ok(true)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.talk.flush()
    }
}

/// The receiving end.
pub struct Subscriber(Talk);

impl ReceiveBytes for Subscriber {
    fn receive(&mut self) -> Result<Option<&[u8]>, Failure> {
        self.0.hear().map(Some)
    }
}
