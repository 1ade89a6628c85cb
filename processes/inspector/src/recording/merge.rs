//! Entries of several rings into the order of their times.
//!
//! A message has its time before it can be seen, so what is seen now may be older than what was seen before.
//! Entries are held back for a while; who takes longer from his clock to his ring comes late, and is written
//! behind its place. Who needs the order exactly sorts again.

use super::Entry;
use std::{cmp::Reverse, collections::BinaryHeap};

/// How long an entry is held back: a process that was put off its core in the middle of a push is back by then.
pub(super) const HOLD_NS: u64 = 50_000_000;

/// Entries on their way into the file.
#[derive(Default)]
pub(super) struct Merge {
    held: BinaryHeap<Reverse<Held>>,
    seen: u64,
}

struct Held {
    key: (u64, u16, u64),
    entry: Entry,
}

impl Merge {
    /// Takes an entry whose time is `time_ns`. Those of one segment come in its order, and their times with them.
    pub(super) fn take(&mut self, time_ns: u64, entry: Entry) {
        let segment = match &entry {
            Entry::Message { segment, .. }
            | Entry::Gap { segment, .. }
            | Entry::Row { segment, .. } => *segment,
        };
        self.seen += 1;
        let key = (time_ns, segment, self.seen);
        self.held.push(Reverse(Held { key, entry }));
    }

    /// The earliest entry, if its time is at most `until_ns`.
    pub(super) fn give(&mut self, until_ns: u64) -> Option<Entry> {
        let Reverse(first) = self.held.peek()?;
        if first.key.0 > until_ns {
            return None;
        }
        self.held.pop().map(|Reverse(held)| held.entry)
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}
