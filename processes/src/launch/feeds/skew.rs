//! How far the venue's clock and ours are apart, by the time stamps of its prices.
//!
//! A frame arrives as much later than it was stamped as its way took and our clock is ahead. The way is never
//! negative and at times short, so the least of the last frames tells the clocks apart, whatever was held up:
//! one late frame is a late frame, all of them late are a clock. (Or prices that all come so late that they
//! may not be traded on either.) Frames of a quiet market are few, and a clock that is set meanwhile must not be
//! excused by those before: none is judged by for longer than a while, but the last of all. Nothing is judged
//! before the first frame that carries a time.

use std::collections::{HashMap, VecDeque};

/// Frames that are judged by.
const FRAMES: usize = 32;
/// For how long after the last one, by their arrival, ns.
const KEPT_NS: u64 = 60_000_000_000;

/// The clocks under watch.
#[derive(Debug)]
pub(super) struct Skew {
    bound_us: i64,
    /// Arrival, ns, and how much later it is than the venue's stamp, us; oldest first.
    frames: VecDeque<(u64, i64)>,
    /// The arrival of each market's frame that was heard last.
    heard: HashMap<u32, u64>,
}

impl Skew {
    pub(super) fn within(bound_ms: u64) -> Self {
        Self {
            bound_us: i64::try_from(bound_ms)
                .unwrap_or(i64::MAX)
                .saturating_mul(1_000),
            frames: VecDeque::with_capacity(FRAMES),
            heard: HashMap::new(),
        }
    }

    /// Takes a market's latest price, which may be one that was taken before, or carry no time.
    pub(super) fn hear(
        &mut self,
        market: u32,
        arrival_mono_ns: u64,
        venue_unix_us: u64,
        arrived_unix_us: u64,
    ) {
        if venue_unix_us == 0 || self.heard.insert(market, arrival_mono_ns) == Some(arrival_mono_ns)
        {
            return;
        }
        if self.frames.len() == FRAMES {
            self.frames.pop_front();
        }
        let signed = |us: u64| i64::try_from(us).unwrap_or(i64::MAX);
        let late_us = signed(arrived_unix_us).saturating_sub(signed(venue_unix_us));
        self.frames.push_back((arrival_mono_ns, late_us));
        self.frames
            .retain(|(then, _)| arrival_mono_ns.saturating_sub(*then) <= KEPT_NS);
    }

    /// How far the venue's clock is behind ours, ms, where that is beyond the bound; negative when ahead.
    pub(super) fn beyond_ms(&self) -> Option<i64> {
        let least = self.frames.iter().map(|(_, late_us)| *late_us).min()?;
        (least.saturating_abs() > self.bound_us).then_some(least / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_US: u64 = 1_800_000_000_000_000;

    /// Frames of one market that were stamped so long before they came, us.
    fn heard(delays_us: impl IntoIterator<Item = i64>) -> Skew {
        let mut skew = Skew::within(2_000);
        for (arrival, delay) in (1_u64..).zip(delays_us) {
            skew.hear(7, arrival, NOW_US.saturating_add_signed(-delay), NOW_US);
        }
        skew
    }

    #[test]
    fn limit_clock_skew_trips() {
        // Ours ahead, and ours behind by more than the way takes.
        assert_eq!(heard([2_000_001]).beyond_ms(), Some(2_000));
        assert_eq!(heard([40_000, -2_000_001]).beyond_ms(), Some(-2_000));
        assert_eq!(heard([3_000_000; 100]).beyond_ms(), Some(3_000));
    }

    #[test]
    fn limit_clock_skew_lets_pass() {
        assert_eq!(heard([]).beyond_ms(), None, "nothing heard yet");
        assert_eq!(heard([2_000_000]).beyond_ms(), None);
        assert_eq!(heard([-2_000_000]).beyond_ms(), None);
    }

    /// The monitor was stopped for five seconds, and reads then what had come meanwhile.
    #[test]
    fn frames_that_were_held_up_are_no_clock() {
        let held_up = (0..20).map(|frame| 5_000_000 - frame * 10_000);
        let skew = heard([60_000, 55_000].into_iter().chain(held_up));
        assert_eq!(skew.beyond_ms(), None);
    }

    #[test]
    fn a_clock_that_was_set_right_is_trusted_after_as_many_frames_as_judge() {
        let wrong = [-9_000_000; FRAMES];
        let mut right = [50_000; FRAMES];
        assert!(heard(wrong.into_iter().chain(right)).beyond_ms().is_none());
        right[0] = -9_000_000;
        assert!(heard(wrong.into_iter().chain(right)).beyond_ms().is_some());
    }

    /// One frame a minute: half an hour of good ones excused what came after.
    #[test]
    fn a_clock_that_is_set_wrong_is_seen_in_a_quiet_market_too() {
        let mut skew = Skew::within(2_000);
        for minute in 1..=10 {
            skew.hear(7, minute * (KEPT_NS + 1), NOW_US - 50_000, NOW_US);
        }
        assert_eq!(skew.beyond_ms(), None);
        skew.hear(7, 11 * (KEPT_NS + 1), NOW_US - 9_000_000, NOW_US);
        assert_eq!(skew.beyond_ms(), Some(9_000));
        // Within the while one good frame is enough.
        skew.hear(8, 11 * (KEPT_NS + 1) + KEPT_NS, NOW_US - 50_000, NOW_US);
        assert_eq!(skew.beyond_ms(), None);
    }

    #[test]
    fn a_price_counts_once_and_one_without_a_time_not_at_all() {
        let mut skew = heard([3_000_000]);
        for _ in 0..FRAMES {
            skew.hear(7, 1, NOW_US, NOW_US);
            skew.hear(8, 5, 0, NOW_US);
        }
        assert_eq!(skew.frames.len(), 1);
        assert_eq!(skew.beyond_ms(), Some(3_000));
    }
}
