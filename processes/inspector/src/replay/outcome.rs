//! What the stages make of a recording: every message of their rings, and a hash over them.

use crate::Failure;
use ipc::{Consumer, Message as _, Observer};
use layouts::Order;
use pipeline::{Link, Pipeline};
use ring::digest::{Context, SHA256};
use serde::Serialize;
use std::fmt::Write as _;

/// The messages of one ring, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Sum {
    /// How many.
    pub(crate) messages: u64,
    /// SHA-256 of their bytes, one behind the other, hexadecimal.
    pub(crate) sha256: String,
}

/// The messages of one ring so far.
pub(super) struct Tally {
    hash: Context,
    messages: u64,
}

/// A ring that a stage writes. A stage reads it, or we do.
pub(super) struct Outcome {
    /// Its name.
    pub(super) name: String,
    observer: Observer,
    consumer: Option<Consumer<Order>>,
    next: u64,
    tally: Tally,
}

impl Tally {
    /// Of nothing.
    pub(super) fn new() -> Self {
        Self {
            hash: Context::new(&SHA256),
            messages: 0,
        }
    }

    /// Adds a message.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.messages += 1;
    }

    /// In short.
    pub(super) fn sum(&self) -> Sum {
        let mut sha256 = String::with_capacity(64);
        for byte in self.hash.clone().finish().as_ref() {
            // Writing to a String cannot fail.
            let _ = write!(sha256, "{byte:02x}");
        }
        Sum {
            messages: self.messages,
            sha256,
        }
    }
}

impl Outcome {
    /// Looks on at a ring, and takes its messages out where its reader is none of the stages.
    ///
    /// # Errors
    ///
    /// When it cannot be attached to, or we cannot read what it carries.
    pub(super) fn open(link: &Link, ours: bool, pipeline: &Pipeline) -> Result<Self, Failure> {
        let path = pipeline.ring_path(&link.name);
        if ours && link.message != Order::NAME {
            return Err(Failure::Other(format!(
                "`{}` carries {} out of the stages, only orders are expected",
                link.name, link.message
            )));
        }
        let consumer = if ours {
            let consumer = Consumer::attach(&path)?;
            consumer.introduce("replay");
            Some(consumer)
        } else {
            None
        };
        Ok(Self {
            name: link.name.clone(),
            observer: Observer::open(&path)?,
            consumer,
            next: 0,
            tally: Tally::new(),
        })
    }

    /// Takes what has come.
    ///
    /// # Errors
    ///
    /// When a message is gone before it was looked at, which no stage of ours does.
    pub(super) fn take(&mut self) -> Result<(), Failure> {
        let published = self.observer.statistics().published;
        while self.next < published {
            let Some(message) = self.observer.read_bytes(self.next)? else {
                return Err(Failure::Other(format!(
                    "message {} of `{}` was overwritten during the replay",
                    self.next, self.name
                )));
            };
            self.tally.add(&message.bytes);
            self.next += 1;
        }
        if let Some(consumer) = &mut self.consumer {
            while consumer.pop().is_ok() {}
            consumer.commit();
        }
        Ok(())
    }

    /// Whether its reader is done with everything in it.
    pub(super) fn is_read(&self) -> bool {
        let now = self.observer.statistics();
        now.position == now.published
    }

    /// What it has carried.
    pub(super) fn sum(&self) -> Sum {
        self.tally.sum()
    }
}
