//! The time per message of a stream, taken by its reader.
//!
//! A window is a lead-in, the timed middle, and a tail, so that the ends of a window, where one side
//! runs alone, are not in the figure. The clock is read once every [`BLOCK`] messages (or so that a
//! short window has some blocks): per message it would cost more than the message.

use crate::{Failure, outcome::Outcome, payload::expected_sum};
use ipc::clock::mono_ns;
use serde::{Deserialize, Serialize};

/// Messages between two looks at the clock; percentiles of streams are of such blocks.
pub const BLOCK: u64 = 1024;

/// How many messages a window of a stream has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Before the timed part.
    pub lead: u64,
    /// Timed.
    pub timed: u64,
    /// After it.
    pub tail: u64,
    /// Messages between two looks at the clock.
    pub block: u64,
}

impl Plan {
    /// A lap of lead-in, at least two laps timed, a lap of tail.
    #[must_use]
    pub fn for_slots(slots: u32) -> Self {
        let lap = u64::from(slots);
        Self {
            lead: lap.max(4 * BLOCK),
            timed: (2 * lap).max(32 * BLOCK),
            tail: lap,
            block: BLOCK,
        }
    }

    /// Of a window of so many messages, which may be fewer than a few laps where a transport is slow.
    /// Both sides know the parts from the whole.
    #[must_use]
    pub fn of(total: u64, slots: u32) -> Self {
        let whole = Self::for_slots(slots);
        if total >= whole.total() {
            return whole;
        }
        let (lead, tail) = (total / 4, total / 8);
        let timed = total - lead - tail;
        Self {
            lead,
            timed,
            tail,
            block: (timed / 16).clamp(1, BLOCK),
        }
    }

    /// All of it.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.lead + self.timed + self.tail
    }
}

/// Counts, adds up and times the messages of one window.
pub struct Meter {
    plan: Plan,
    total: u64,
    seen: u64,
    sum: u64,
    next_look: u64,
    last: Option<(u64, u64)>,
    first_timed: Option<(u64, u64)>,
    last_timed: (u64, u64),
    samples_ps: Vec<u64>,
}

impl Meter {
    /// For one window.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let blocks = usize::try_from(plan.timed / plan.block + 2).unwrap_or(0);
        Self {
            plan,
            total: plan.total(),
            seen: 0,
            sum: 0,
            next_look: plan.lead,
            last: None,
            first_timed: None,
            last_timed: (0, 0),
            samples_ps: Vec::with_capacity(blocks),
        }
    }

    /// Takes some messages and the sum of their words.
    #[inline]
    pub fn take(&mut self, messages: u64, sum: u64) {
        self.seen += messages;
        self.sum = self.sum.wrapping_add(sum);
        if self.seen >= self.next_look {
            self.look(mono_ns());
        }
    }

    /// Whether the window is over.
    #[inline]
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.seen >= self.total
    }

    #[cold]
    fn look(&mut self, now: u64) {
        let here = (self.seen, now);
        if let Some(last) = self.last {
            self.samples_ps.push(per_message_ps(last, here));
            self.last_timed = here;
        } else {
            self.first_timed = Some(here);
        }
        self.last = Some(here);
        self.next_look = if self.seen >= self.plan.lead + self.plan.timed {
            u64::MAX
        } else {
            self.seen + self.plan.block
        };
    }

    /// The window's outcome.
    ///
    /// # Errors
    ///
    /// When the messages were not the ones that were sent.
    pub fn finish(self, words: u64) -> Result<Outcome, Failure> {
        let expected = expected_sum(words, self.seen);
        if self.seen != self.total || self.sum != expected {
            return Err(format!(
                "a transport damaged its stream: {} messages adding up to {}, not {} and {expected}",
                self.seen,
                self.sum,
                self.total
            )
            .into());
        }
        Ok(Outcome {
            level_ps: self
                .first_timed
                .map_or(0, |first| per_message_ps(first, self.last_timed)),
            samples_ps: self.samples_ps,
            ..Outcome::default()
        })
    }
}

fn per_message_ps(from: (u64, u64), to: (u64, u64)) -> u64 {
    to.1.saturating_sub(from.1).saturating_mul(1000) / to.0.saturating_sub(from.0).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan {
        lead: 2048,
        timed: 4096,
        tail: 1024,
        block: BLOCK,
    };

    #[test]
    fn only_the_middle_is_timed() {
        let mut meter = Meter::new(PLAN);
        for n in 0..PLAN.total() {
            meter.take(1, n);
        }
        assert!(meter.is_done());
        let outcome = meter.finish(1).unwrap();
        assert_eq!(outcome.samples_ps.len(), 4);
    }

    #[test]
    fn the_level_is_time_by_messages() {
        let mut meter = Meter::new(PLAN);
        for (seen, now) in [(2048, 1_000), (3072, 11_240), (6144, 41_960)] {
            meter.seen = seen;
            meter.look(now);
        }
        assert_eq!(meter.next_look, u64::MAX);
        meter.seen = PLAN.total();
        meter.sum = expected_sum(1, PLAN.total());
        let outcome = meter.finish(1).unwrap();
        assert_eq!(outcome.level_ps, 10_000);
        assert_eq!(outcome.samples_ps, [10_000, 10_000]);
    }

    #[test]
    fn a_short_window_has_all_its_parts() {
        for total in [16, 100, 5_000, 1_000_000] {
            let plan = Plan::of(total, 4096);
            assert!(plan.total() <= total && plan.timed > 0 && plan.block > 0);
        }
        assert_eq!(Plan::of(u64::MAX, 4096), Plan::for_slots(4096));
    }

    #[test]
    fn a_lost_message_is_noticed() {
        let mut meter = Meter::new(PLAN);
        for n in 0..PLAN.total() {
            meter.take(1, if n == 5 { 6 } else { n });
        }
        assert!(meter.finish(1).is_err());
    }
}
