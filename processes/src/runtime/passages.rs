//! When messages passed through a process, by the signal that they belong to. The report joins what the processes
//! have kept to the way of each order from its tick.

use serde_json::{Value, json};

/// Passages that are kept, the last ones: some hours of trading.
const KEPT: usize = 1 << 13;

/// The last passages: an id, and `N` times of it, ns of `CLOCK_MONOTONIC`.
#[derive(Debug)]
pub struct Passages<const N: usize> {
    last: Vec<(u64, [u64; N])>,
    next: usize,
}

impl<const N: usize> Passages<N> {
    /// None yet, with memory for all that are kept.
    #[must_use]
    pub fn new() -> Self {
        Self {
            last: Vec::with_capacity(KEPT),
            next: 0,
        }
    }

    /// Keeps one, in place of the oldest.
    #[inline]
    pub fn keep(&mut self, id: u64, times_ns: [u64; N]) {
        match self.last.get_mut(self.next) {
            Some(oldest) => *oldest = (id, times_ns),
            None => self.last.push((id, times_ns)),
        }
        self.next = (self.next + 1) % KEPT;
    }

    /// For the report: `[[id, [time, ...]], ...]`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let rows = self.last.iter();
        rows.map(|(id, times)| json!([id, times.as_slice()]))
            .collect()
    }
}

impl<const N: usize> Default for Passages<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_kept_in_the_memory_of_the_start() {
        let mut passages = Passages::<1>::new();
        let room = passages.last.capacity();
        let count = KEPT as u64 + 3;
        for id in 0..count {
            passages.keep(id, [id]);
        }
        assert_eq!(passages.last.capacity(), room);
        let kept = passages.to_json();
        let mut ids: Vec<u64> = kept
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row[0].as_u64().unwrap())
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, (3..count).collect::<Vec<_>>());
        assert_eq!(kept[0], json!([KEPT, [KEPT]]));
    }
}
