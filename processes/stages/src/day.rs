//! What a trading day has cost so far.
//!
//! A stage has no clock and no calendar: it is told when the day ends, and compares that with the time
//! of its messages. Gains of a day make up for its losses; they never allow more than the limit.

/// Length of a day.
const DAY_NS: u64 = 24 * 60 * 60 * 1_000_000_000;

/// The result of the day so far, of games that are decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Day {
    /// When it ends, ns, CLOCK_MONOTONIC.
    end_mono_ns: u64,
    result_micros: i64,
}

impl Default for Day {
    /// A day that never ends.
    fn default() -> Self {
        Self {
            end_mono_ns: u64::MAX,
            result_micros: 0,
        }
    }
}

impl Day {
    pub(super) fn new(end_mono_ns: u64, result_micros: i64) -> Self {
        Self {
            end_mono_ns,
            result_micros,
        }
    }

    /// Begins the next day if it is time. A message that is older than the one before changes nothing.
    pub(super) fn pass(&mut self, now: u64) {
        if now >= self.end_mono_ns {
            let days = (now - self.end_mono_ns) / DAY_NS + 1;
            let on = days.saturating_mul(DAY_NS);
            *self = Self::new(self.end_mono_ns.saturating_add(on), 0);
        }
    }

    /// Books what was gained, or lost.
    pub(super) fn book(&mut self, gain_micros: i64, now: u64) {
        self.pass(now);
        self.result_micros = self.result_micros.saturating_add(gain_micros);
    }

    /// What was gained on balance; negative when lost.
    pub(super) fn result_micros(&self) -> i64 {
        self.result_micros
    }

    /// What was lost on balance; 0 after a gain.
    pub(super) fn lost_micros(&self) -> i64 {
        self.result_micros.saturating_neg().max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_add_up_gains_make_up_for_them_and_a_new_day_forgets_both() {
        let mut day = Day::new(100, -5);
        day.book(-10, 1);
        assert_eq!(day.lost_micros(), 15);
        day.book(40, 2);
        assert_eq!(day.lost_micros(), 0, "a gain is no loss");
        day.book(-30, 99);
        assert_eq!(day.lost_micros(), 5, "and it was made today");
        day.book(-7, 100);
        assert_eq!(day.lost_micros(), 7, "of the new day");
        day.pass(99);
        assert_eq!(day.lost_micros(), 7);
        day.pass(100 + 3 * DAY_NS);
        assert_eq!(day.lost_micros(), 0);
        day.book(-1, 100 + 4 * DAY_NS - 1);
        assert_eq!(day.lost_micros(), 1);
        day.pass(100 + 4 * DAY_NS);
        assert_eq!(day.lost_micros(), 0);
    }
}
