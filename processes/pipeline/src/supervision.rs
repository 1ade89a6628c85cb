//! What the launcher does about a death: how soon it starts a successor, and when it calls it a crash loop.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How deaths are answered. The first in a row is answered at once, whatever stands here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Supervision {
    /// Who has been ready for so long was started well: a later death is the first of a new row, milliseconds.
    pub steady_ms: u64,
    /// Deaths in a row that are answered by a restart; one more is a crash loop, which halts trading.
    pub max_deaths_in_a_row: u32,
    /// Wait before the restart after the second death in a row, milliseconds; doubles with each further one, up to
    /// `crash_loop_wait_ms`. With 0 every restart comes at once.
    pub backoff_ms: u64,
    /// Wait before each further attempt in a crash loop, milliseconds.
    pub crash_loop_wait_ms: u64,
    /// Wait before the private Redis is started again, for each of its deaths in a row but the first, ten at most;
    /// milliseconds.
    pub redis_backoff_ms: u64,
}

impl Default for Supervision {
    fn default() -> Self {
        Self {
            steady_ms: 10_000,
            max_deaths_in_a_row: 5,
            backoff_ms: 100,
            crash_loop_wait_ms: 5_000,
            redis_backoff_ms: 500,
        }
    }
}

impl Supervision {
    /// [`Supervision::steady_ms`].
    #[must_use]
    pub const fn steady(&self) -> Duration {
        Duration::from_millis(self.steady_ms)
    }

    /// [`Supervision::crash_loop_wait_ms`].
    #[must_use]
    pub const fn crash_loop_wait(&self) -> Duration {
        Duration::from_millis(self.crash_loop_wait_ms)
    }

    /// [`Supervision::redis_backoff_ms`].
    #[must_use]
    pub const fn redis_backoff(&self) -> Duration {
        Duration::from_millis(self.redis_backoff_ms)
    }

    /// Wait before the restart after so many deaths in a row; `None` in a crash loop.
    #[must_use]
    pub fn wait_after(&self, deaths_in_a_row: u32) -> Option<Duration> {
        if deaths_in_a_row > self.max_deaths_in_a_row {
            return None;
        }
        let Some(doublings) = deaths_in_a_row.checked_sub(2) else {
            return Some(Duration::ZERO);
        };
        let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
        let wait = self.backoff_ms.saturating_mul(factor);
        Some(Duration::from_millis(wait.min(self.crash_loop_wait_ms)))
    }

    pub(super) fn faults(&self, faults: &mut Vec<String>) {
        /// An hour: beyond it a wait is no answer to a death.
        const MOST_MS: u64 = 3_600_000;
        let bounds = [
            ("steady_ms", self.steady_ms, 1),
            ("backoff_ms", self.backoff_ms, 0),
            ("crash_loop_wait_ms", self.crash_loop_wait_ms, 1),
            ("redis_backoff_ms", self.redis_backoff_ms, 0),
        ];
        for (name, value, least) in bounds {
            if !(least..=MOST_MS).contains(&value) {
                faults.push(format!(
                    "supervision.{name} = {value}, {least} to {MOST_MS} needed"
                ));
            }
        }
        if self.max_deaths_in_a_row == 0 {
            faults.push(
                "supervision.max_deaths_in_a_row = 0 makes the first death a crash loop, 1 or more is needed"
                    .into(),
            );
        }
        if self.backoff_ms > self.crash_loop_wait_ms {
            faults.push(format!(
                "supervision.backoff_ms = {} is more than crash_loop_wait_ms = {}, which is the longest wait",
                self.backoff_ms, self.crash_loop_wait_ms
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_crash_loop() {
        let waits = |supervision: Supervision| {
            let waits = (0..=6).map(|deaths| supervision.wait_after(deaths));
            waits
                .map(|wait| wait.map(|wait| wait.as_millis()))
                .collect::<Vec<_>>()
        };
        let expected = [0, 0, 100, 200, 400, 800].map(Some);
        let mut expected = expected.to_vec();
        expected.push(None);
        assert_eq!(waits(Supervision::default()), expected);
        let patient = Supervision {
            max_deaths_in_a_row: u32::MAX,
            crash_loop_wait_ms: 300,
            ..Supervision::default()
        };
        assert_eq!(
            waits(patient),
            [0, 0, 100, 200, 300, 300, 300].map(Some),
            "the longest wait"
        );
        let wait = patient.wait_after(u32::MAX);
        assert_eq!(wait, Some(Duration::from_millis(300)), "no overflow");
    }

    #[test]
    fn nonsense_is_a_fault() {
        let mut faults = Vec::new();
        Supervision::default().faults(&mut faults);
        assert_eq!(faults, Vec::<String>::new());
        let nonsense = Supervision {
            steady_ms: 0,
            max_deaths_in_a_row: 0,
            backoff_ms: 20,
            crash_loop_wait_ms: 10,
            redis_backoff_ms: 3_600_001,
        };
        nonsense.faults(&mut faults);
        let faults = faults.join("\n");
        for part in [
            "steady_ms = 0, 1 to 3600000",
            "max_deaths_in_a_row = 0",
            "backoff_ms = 20 is more than crash_loop_wait_ms = 10",
            "redis_backoff_ms = 3600001",
        ] {
            assert!(faults.contains(part), "{part} is missing in:\n{faults}");
        }
    }
}
