//! How far the ring of orders may be committed while orders finish in any order.

use std::collections::VecDeque;

/// Orders taken from the ring and not done yet, in ring order.
///
/// They finish in any order; the ring may forget only those before the first that is not done, so
/// that a successor takes up every other again.
#[derive(Debug, Clone)]
pub struct InFlight {
    /// Sequence of the front.
    first: u64,
    done: VecDeque<bool>,
}

impl InFlight {
    /// Nothing taken, with room for so many: taking no more than these allocates nothing.
    #[must_use]
    pub fn with_room(orders: usize) -> Self {
        Self {
            first: 0,
            done: VecDeque::with_capacity(orders),
        }
    }

    /// An order was taken. Sequences are taken in order, without a gap.
    pub fn take(&mut self, sequence: u64) {
        if self.done.is_empty() {
            self.first = sequence;
        }
        self.done.push_back(false);
    }

    /// An order is done. The position to which the ring may be committed, if that moved.
    pub fn finish(&mut self, sequence: u64) -> Option<u64> {
        let index = usize::try_from(sequence.checked_sub(self.first)?).ok()?;
        *self.done.get_mut(index)? = true;
        let before = self.first;
        while self.done.front() == Some(&true) {
            self.done.pop_front();
            self.first += 1;
        }
        (self.first > before).then_some(self.first)
    }

    /// Orders from the first that is not done on.
    #[must_use]
    pub fn len(&self) -> usize {
        self.done.len()
    }

    /// Whether every order taken is done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.done.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The ring is committed exactly up to the first order that is not done.
        #[test]
        fn commits_never_pass_an_order_in_flight(first in 0_u64..1_000, order in Just((0_usize..24).collect::<Vec<_>>()).prop_shuffle()) {
            let mut in_flight = InFlight::with_room(24);
            let room = in_flight.done.capacity();
            (0..24).for_each(|index| in_flight.take(first + index));
            prop_assert_eq!(in_flight.done.capacity(), room, "nothing is allocated");
            let mut done = [false; 24];
            for index in order {
                done[index] = true;
                let prefix = done.iter().take_while(|done| **done).count() as u64;
                let before = in_flight.first;
                let moved = in_flight.finish(first + index as u64);
                prop_assert_eq!(moved, (first + prefix > before).then_some(first + prefix));
            }
            prop_assert!(in_flight.is_empty());
            prop_assert_eq!(in_flight.finish(first), None);
        }
    }
}
