//! How long a consumer has heard nothing of its producer.

use crate::{clock, error::PopError};
use std::time::Duration;

/// The silence of a producer, and the bound beyond which it is told.
pub(crate) struct Silence {
    bound: Duration,
    /// The message that the consumer waited for when it came.
    first: u64,
    /// Since when the ring has been empty, and the message that it then waited for.
    since: Option<(u64, u64)>,
}

impl Silence {
    /// One that has not begun, of a consumer that came when message `first` was the next.
    pub(crate) fn new(bound: Duration, first: u64) -> Self {
        Self {
            bound,
            first,
            since: None,
        }
    }

    /// Whether nothing was heard for longer than the bound: no message since the ring was first found
    /// empty, and no beat.
    pub(crate) fn judge(&mut self, next: u64, beat_ns: u64) -> PopError {
        self.judge_at(next, beat_ns, clock::coarse_mono_ns())
    }

    fn judge_at(&mut self, next: u64, beat_ns: u64, now: u64) -> PopError {
        let since = match self.since {
            Some((since, waited_for)) if waited_for == next => since,
            // It has heard nothing at all yet: how long there was no message before it came is not known.
            _ if next == self.first => 0,
            _ => now,
        };
        self.since = Some((since, next));
        let age = age(since, beat_ns, now);
        if age > self.bound {
            PopError::Stale { age }
        } else {
            PopError::Empty
        }
    }

    /// How long it may still last before it is stale, and beyond that, how soon to look again so that
    /// no beat is overlooked; `None` when it has not begun.
    #[cfg(feature = "async")]
    pub(crate) fn left(&self, beat_ns: u64) -> Option<Duration> {
        let age = age(self.since?.0, beat_ns, clock::coarse_mono_ns());
        Some(self.bound.checked_sub(age).unwrap_or(self.bound / 2))
    }
}

/// Time since the last that was heard. A beat in the future counts as one of now.
fn age(since: u64, beat_ns: u64, now: u64) -> Duration {
    Duration::from_nanos(now.saturating_sub(since.max(beat_ns)))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const BOUND: u64 = 100;
    const HOUR: u64 = 3_600_000_000_000;

    fn stale(age: u64) -> PopError {
        let age = Duration::from_nanos(age);
        PopError::Stale { age }
    }

    #[test]
    fn before_the_first_message_only_the_beats_count() {
        let mut silence = Silence::new(Duration::from_nanos(BOUND), 7);
        assert_eq!(silence.judge_at(7, HOUR, 2 * HOUR), stale(HOUR));
        let (beat, now) = (2 * HOUR, 2 * HOUR + BOUND);
        assert_eq!(silence.judge_at(7, beat, now), PopError::Empty);
        assert_eq!(silence.judge_at(7, beat, now + 1), stale(BOUND + 1));
    }

    #[test]
    fn a_message_ends_the_silence_and_a_beat_in_the_future_is_one_of_now() {
        let mut silence = Silence::new(Duration::from_nanos(BOUND), 7);
        assert_eq!(silence.judge_at(8, 0, HOUR), PopError::Empty);
        assert_eq!(silence.judge_at(8, 0, HOUR + BOUND), PopError::Empty);
        assert_eq!(silence.judge_at(8, 0, HOUR + BOUND + 1), stale(BOUND + 1));
        assert_eq!(silence.judge_at(9, 0, HOUR + BOUND + 1), PopError::Empty);
        assert_eq!(silence.judge_at(9, u64::MAX, 2 * HOUR), PopError::Empty);
    }
}
