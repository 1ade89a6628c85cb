//! The writing role of a ring.

use crate::{
    error::{Error, PushError},
    fail::fail_point,
    header::{Info, Kind},
    memory::Memory,
    message::Message,
    residency::Residency,
    role::{self, Peer, Role},
    segment::{Access, Segment, View},
    wait::{Bell, WakeSource},
    writer::Writer,
};
use std::path::Path;

/// The one producer of a ring.
pub struct Producer<T: Message> {
    writer: Writer<T>,
    segment: Segment,
}

impl<T: Message> Producer<T> {
    /// Attaches to an existing ring as its producer, and continues where the last one stopped.
    ///
    /// # Errors
    ///
    /// [`Error::RoleTaken`] while another process is its producer, [`Error::Layout`] when it carries
    /// another message, and what else [`Error`] names.
    pub fn attach(path: &Path) -> Result<Self, Error> {
        let mut segment = Segment::open(path, Access::Write)?;
        segment.expect::<T>(false)?;
        fail_point!("attach: opened");
        segment.take(Role::Producer)?;
        fail_point!("attach: role taken");
        let maps = segment.map(View::Producer)?;
        let info = &segment.info;
        fail_point!("attach: mapped");
        let gated = info.kind == Kind::Lossless;
        let writer = Writer::resume(
            Memory::mapped(info, maps),
            gated,
            u64::from(info.stamp_every),
        )
        .map_err(|reason| Error::Damaged {
            path: path.to_owned(),
            reason,
        })?;
        writer.holder().sign();
        Ok(Self { writer, segment })
    }

    /// Says under which name this process holds the role, for whoever looks at the ring; at first it is
    /// that of its program. What is longer than 56 bytes is cut.
    pub fn introduce(&self, name: &str) {
        self.writer.holder().rename(name);
    }

    /// Publishes a message and returns its sequence number.
    ///
    /// Never blocks. Enters the kernel only to wake a consumer that is asleep.
    ///
    /// # Errors
    ///
    /// [`PushError::Full`] in a lossless ring whose consumer has not committed enough.
    #[inline(always)]
    pub fn push(&mut self, message: &T) -> Result<u64, PushError> {
        self.writer.push(message)
    }

    /// Publishes as many of the messages, from the first on, as there is room for, and returns **how
    /// many**: the rest is still the caller's. Into a latest-wins ring it publishes all.
    ///
    /// Each is visible to the consumer as soon as it is written. Time stamps are taken once for each half
    /// of the ring. Otherwise as [`Producer::push`].
    ///
    /// # Errors
    ///
    /// [`PushError::Full`] when there is room for none of them.
    #[inline(always)]
    pub fn push_batch(&mut self, messages: &[T]) -> Result<usize, PushError> {
        self.writer.push_batch(messages)
    }

    /// Says that this process lives, for a consumer that asks how long nothing was heard of it
    /// ([`crate::Consumer::stale_after`]). For loops that may have nothing to push for long: once a
    /// round. Some nanoseconds, and a store when the kernel's clock has ticked since the last time.
    #[inline]
    pub fn beat(&self) {
        self.writer.beat();
    }

    /// Messages published since the ring was created, by this producer and those before it.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.writer.published()
    }

    /// What is known of the consumer. A system call: not for the hot path.
    #[must_use]
    pub fn consumer(&self) -> Peer {
        if role::is_held(&self.segment.file, Role::Consumer) {
            Peer::Attached
        } else {
            Peer::Absent
        }
    }

    /// The checked header.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.segment.info
    }

    /// What memory the attach obtained.
    #[must_use]
    pub fn residency(&self) -> &Residency {
        &self.segment.residency
    }
}

/// Ready when there is room.
impl<T: Message> WakeSource for Producer<T> {
    fn is_ready(&self) -> bool {
        self.writer.has_room()
    }

    fn arm(&mut self) -> Bell<'_> {
        self.writer.arm()
    }

    fn disarm(&mut self) {
        self.writer.disarm();
    }
}

impl<T: Message> Drop for Producer<T> {
    fn drop(&mut self) {
        // A panic is a death, not a goodbye; and a child that was forked has nothing to say.
        if !std::thread::panicking() && self.segment.is_held_here() {
            self.writer.holder().leave();
            self.writer.close();
        }
    }
}
