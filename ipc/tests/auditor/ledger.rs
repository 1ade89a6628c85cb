//! What a role knows of its own work, in a file that it maps: a SIGKILL comes between two instructions and
//! takes back no store, so the successor finds exactly what had been done, and a store costs nothing that
//! would slow the role down.

use super::{Result, message::Numbered};
use ipc::{Info, Kind, Received};
use memmap2::{MmapOptions, MmapRaw};
use std::{
    fs::OpenOptions,
    path::Path,
    sync::atomic::{
        AtomicU64,
        Ordering::{Acquire, Release},
    },
};

const BYTES: usize = 4096;
/// Words of the file. A producer uses the first three.
const ATTACH_BEGUN: usize = 0;
const ATTACH_DONE: usize = 1;
const PUSHED: usize = 2;
const COMMITS: usize = 3;
/// Messages read, the uncommitted ones included.
const READ: usize = 4;
const AGAIN: usize = 5;
/// The places of the last commits, in turn. Three, so that the last two are whole while one is written.
const PLACES: usize = 8;
const PLACE_WORDS: usize = 8;

pub(super) struct Ledger {
    map: MmapRaw,
}

/// How far a consumer is, and what it has met on its way from the beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Everything below is read or lost.
    pub(super) position: u64,
    /// Messages read, counted one by one.
    pub(super) read: u64,
    /// Messages lost, as told with those that were read.
    pub(super) lost: u64,
    /// The life of the last message's producer.
    life: u64,
    /// When the last message was stamped.
    sent_ns: u64,
}

impl Ledger {
    pub(super) fn create(path: &Path) -> Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(file.set_len(BYTES as u64)?)
    }

    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let map = MmapOptions::new().len(BYTES).map_raw(&file)?;
        Ok(Self { map })
    }

    pub(super) fn attach_begun(&self) -> u64 {
        self.get(ATTACH_BEGUN)
    }

    pub(super) fn attach_done(&self) -> u64 {
        self.get(ATTACH_DONE)
    }

    pub(super) fn begin_attach(&self) {
        self.set(ATTACH_BEGUN, self.attach_begun() + 1);
    }

    pub(super) fn end_attach(&self) {
        self.set(ATTACH_DONE, self.attach_begun());
    }

    /// Messages whose push has returned.
    pub(super) fn pushed(&self) -> u64 {
        self.get(PUSHED)
    }

    pub(super) fn set_pushed(&self, count: u64) {
        self.set(PUSHED, count);
    }

    /// Messages that came again after a death.
    pub(super) fn again(&self) -> u64 {
        self.get(AGAIN)
    }

    pub(super) fn set_read(&self, count: u64) {
        self.set(READ, count);
    }

    /// The place that was written down last, before it was committed.
    pub(super) fn place(&self) -> Place {
        self.nth_place(self.get(COMMITS))
    }

    /// Writes down where a commit will lead, before it is made.
    pub(super) fn intend(&self, place: Place) {
        let next = self.get(COMMITS) + 1;
        let words = [
            place.position,
            place.read,
            place.lost,
            place.life,
            place.sent_ns,
        ];
        let at = Self::place_at(next);
        for (index, word) in words.into_iter().enumerate() {
            self.set(at + index, word);
        }
        self.set(COMMITS, next);
    }

    /// The place at which a successor begins that finds the ring at `position` with `lost`: the last one
    /// written down, or the one before it, if the death came before the commit.
    pub(super) fn resume(&self, position: u64, lost: u64, commit_every: u64) -> Result<Place> {
        let last = self.get(COMMITS);
        let fits = |commit: &u64| {
            let place = self.nth_place(*commit);
            (place.position, place.lost) == (position, lost)
        };
        let candidates = [last, last.saturating_sub(1)];
        let Some(commit) = candidates.into_iter().find(fits) else {
            let expected = candidates.map(|commit| self.nth_place(commit));
            return Err(format!(
                "attached at {position} with {lost} lost; the last commits were {expected:?}"
            )
            .into());
        };
        let place = self.nth_place(commit);
        let open = self.get(READ) - place.read;
        if open > commit_every {
            return Err(format!("{open} messages come again, {commit_every} were open").into());
        }
        self.set(COMMITS, commit);
        self.set_read(place.read);
        self.set(AGAIN, self.again() + open);
        Ok(place)
    }

    fn nth_place(&self, commit: u64) -> Place {
        let at = Self::place_at(commit);
        Place {
            position: self.get(at),
            read: self.get(at + 1),
            lost: self.get(at + 2),
            life: self.get(at + 3),
            sent_ns: self.get(at + 4),
        }
    }

    fn place_at(commit: u64) -> usize {
        PLACES + usize::from((commit % 3) as u8) * PLACE_WORDS
    }

    fn words(&self) -> &[AtomicU64] {
        // SAFETY: page-aligned, BYTES long, mapped as long as `self`; atomics may be shared with the test.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast(), BYTES / 8) }
    }

    fn get(&self, index: usize) -> u64 {
        self.words()[index].load(Acquire)
    }

    fn set(&self, index: usize, value: u64) {
        // Release: the compiler keeps the stores before it before it. The death of the process comes
        // between two instructions, so their order is all that matters.
        self.words()[index].store(value, Release);
    }
}

impl Place {
    /// Goes on by a message, if that is the one that is due.
    pub(super) fn take<M: Numbered>(&mut self, received: &Received<M>, info: &Info) -> Result<()> {
        let Received {
            sequence,
            sent_ns,
            lost,
            ..
        } = *received;
        let Some((number, life)) = received.message.told() else {
            return Err(format!("message {sequence} is torn").into());
        };
        if number != sequence {
            return Err(format!("message {number} came as {sequence}").into());
        }
        if sequence != self.position + lost {
            let due = self.position;
            return Err(format!("message {sequence}, {lost} lost, where {due} was due").into());
        }
        if info.kind == Kind::Lossless && lost > 0 {
            return Err(format!("{lost} lost before message {sequence}").into());
        }
        if life < self.life {
            return Err(format!(
                "message {sequence} was written by life {life}, after one by life {}",
                self.life
            )
            .into());
        }
        let stamped = info.stamp_every > 0 && sequence.is_multiple_of(u64::from(info.stamp_every));
        if stamped != (sent_ns > 0) || (stamped && sent_ns < self.sent_ns) {
            return Err(format!("message {sequence} is stamped {sent_ns}").into());
        }
        *self = Self {
            position: sequence + 1,
            read: self.read + 1,
            lost: self.lost + lost,
            life,
            sent_ns: sent_ns.max(self.sent_ns),
        };
        Ok(())
    }
}
