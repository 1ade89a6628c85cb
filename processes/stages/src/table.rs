//! A hash table of fixed room: open addressing, allocated once, never again.
//!
//! Keys are ids from outside (games, markets, orders). A full table refuses, it does not grow, so
//! a flood of ids cannot make a hot thread allocate. Iteration follows the slots, which depend only
//! on the sequence of operations: the same inputs give the same order.

/// A table with room for a number of entries stated at the start.
#[derive(Debug, Clone)]
pub struct Table<V> {
    /// A power of two, at least twice the room, so that a probe ends soon.
    slots: Box<[Option<(u64, V)>]>,
    room: usize,
    len: usize,
}

impl<V> Table<V> {
    /// A table with room for `room` entries.
    #[must_use]
    pub fn with_room(room: usize) -> Self {
        let slots = (room.max(1) * 2).next_power_of_two();
        Self {
            slots: std::iter::repeat_with(|| None).take(slots).collect(),
            room,
            len: 0,
        }
    }

    /// Entries held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entry of a key.
    #[must_use]
    pub fn get(&self, key: u64) -> Option<&V> {
        self.slots
            .get(self.find(key)?)?
            .as_ref()
            .map(|(_, value)| value)
    }

    /// The entry of a key, to change.
    pub fn get_mut(&mut self, key: u64) -> Option<&mut V> {
        let at = self.find(key)?;
        self.slots.get_mut(at)?.as_mut().map(|(_, value)| value)
    }

    /// The entry of a key, made if there is none yet; `None` when there is no room for it.
    pub fn entry(&mut self, key: u64, make: impl FnOnce() -> V) -> Option<&mut V> {
        let at = match self.find(key) {
            Some(at) => at,
            None if self.len < self.room => {
                let at = self.free(key);
                self.slots[at] = Some((key, make()));
                self.len += 1;
                at
            }
            None => return None,
        };
        self.slots[at].as_mut().map(|(_, value)| value)
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: u64) -> Option<V> {
        let mut hole = self.find(key)?;
        let (_, value) = self.slots[hole].take()?;
        self.len -= 1;
        // Backward shift (Knuth 6.4, algorithm R): whoever was pushed past the hole moves into it.
        let mut at = hole;
        loop {
            at = self.next(at);
            let Some((key, _)) = &self.slots[at] else {
                return Some(value);
            };
            let home = self.home(*key);
            let distance_to_home = at.wrapping_sub(home) & (self.slots.len() - 1);
            let distance_to_hole = at.wrapping_sub(hole) & (self.slots.len() - 1);
            if distance_to_home >= distance_to_hole {
                self.slots[hole] = self.slots[at].take();
                hole = at;
            }
        }
    }

    /// Takes out the entry of the least rank, if any has one. Looks at every slot: for a table that is full.
    pub fn evict_least(&mut self, rank: impl Fn(&V) -> Option<u64>) -> Option<V> {
        let ranked = self.slots.iter().flatten();
        let ranked = ranked.filter_map(|(key, value)| Some((rank(value)?, *key)));
        let (_, key) = ranked.min()?;
        self.remove(key)
    }

    /// Every value, in the order of the slots.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.slots.iter().flatten().map(|(_, value)| value)
    }

    /// Every value, to change, in the order of the slots.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.slots.iter_mut().flatten().map(|(_, value)| value)
    }

    /// Fibonacci hashing (Knuth 6.4): the top bits of the product, which every bit of the key moves.
    fn home(&self, key: u64) -> usize {
        let shift = 64 - self.slots.len().trailing_zeros();
        // At most as many bits as the table has slots, so it fits.
        #[allow(clippy::cast_possible_truncation)]
        let home = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> shift) as usize;
        home
    }

    fn next(&self, at: usize) -> usize {
        (at + 1) & (self.slots.len() - 1)
    }

    fn find(&self, key: u64) -> Option<usize> {
        let mut at = self.home(key);
        // Ends: at most half of the slots are taken.
        while let Some((held, _)) = &self.slots[at] {
            if *held == key {
                return Some(at);
            }
            at = self.next(at);
        }
        None
    }

    fn free(&self, key: u64) -> usize {
        let mut at = self.home(key);
        while self.slots[at].is_some() {
            at = self.next(at);
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn a_full_table_refuses_and_takes_again_after_a_removal() {
        let mut table = Table::with_room(2);
        assert!(table.entry(1, || 'a').is_some() && table.entry(2, || 'b').is_some());
        assert!(table.entry(3, || 'c').is_none());
        assert_eq!(
            table.entry(2, || 'z'),
            Some(&mut 'b'),
            "a known key needs no room"
        );
        assert_eq!(table.remove(1), Some('a'));
        assert_eq!(table.entry(3, || 'c'), Some(&mut 'c'));
    }

    #[test]
    fn the_least_of_those_that_may_go_is_evicted() {
        let mut table = Table::with_room(3);
        for (key, value) in [(1, 5), (2, 3), (3, 1)] {
            table.entry(key, || value);
        }
        let may_go = |value: &u64| (*value > 1).then_some(*value);
        assert_eq!(table.evict_least(may_go), Some(3));
        assert_eq!(table.evict_least(may_go), Some(5));
        assert_eq!(table.evict_least(may_go), None);
        assert_eq!(table.get(3), Some(&1));
    }

    proptest! {
        #[test]
        fn behaves_like_a_map(steps in prop::collection::vec((0_u64..24, any::<bool>(), any::<u8>()), 0..300)) {
            let mut table = Table::with_room(12);
            let mut map = HashMap::new();
            for (key, insert, value) in steps {
                if insert && (map.len() < 12 || map.contains_key(&key)) {
                    prop_assert_eq!(table.entry(key, || value).copied(), Some(*map.entry(key).or_insert(value)));
                } else if insert {
                    prop_assert!(table.entry(key, || value).is_none());
                } else {
                    prop_assert_eq!(table.remove(key), map.remove(&key));
                }
                prop_assert_eq!(table.len(), map.len());
                for key in 0..24 {
                    prop_assert_eq!(table.get(key), map.get(&key));
                }
                prop_assert_eq!(table.values().count(), map.len());
            }
        }
    }
}
