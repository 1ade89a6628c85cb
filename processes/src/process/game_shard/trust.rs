//! Whether somebody keeps the prices true.
//!
//! Prices are good while the monitor that wrote them lives and is heard. A monitor that comes after it
//! withdraws on the board what it finds there before it shows itself, so the board is read anew at the
//! border between the two: no price of a dead monitor outlives it, however fast its successor comes.

use ipc::{Incarnation, PopError};

/// What was last known.
#[derive(Debug, Default)]
pub(super) struct Trust {
    kept: bool,
    /// Whose prices they are.
    incarnation: u64,
}

/// What a look at the ring has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Same,
    /// Somebody keeps the prices true (again, or another one): the board says which they are.
    Anew,
    /// Nobody does any more.
    Lost,
}

impl Trust {
    /// Whether the prices may be traded on.
    #[must_use]
    pub(super) fn is_kept(&self) -> bool {
        self.kept
    }

    /// Judges what a pop has found: a message with its sequence, or why there is none. `has_writer` is asked
    /// only where something seems to have changed for the better.
    pub(super) fn judge(
        &mut self,
        sight: Result<u64, PopError>,
        writer: Incarnation,
        has_writer: impl FnOnce() -> bool,
    ) -> Verdict {
        let heard = match sight {
            // What a dead one has left in the ring is not of its successor.
            Ok(sequence) => sequence >= writer.first_sequence,
            Err(reason) => reason == PopError::Empty && writer.number > 0,
        };
        let same = self.kept && self.incarnation == writer.number;
        // Who is dead may have left messages, which come before the news of its death.
        let kept = heard && (same || has_writer());
        let verdict = match (kept, self.kept) {
            (true, _) if !same => Verdict::Anew,
            (false, true) => Verdict::Lost,
            _ => Verdict::Same,
        };
        match verdict {
            Verdict::Same => {}
            Verdict::Anew => tracing::info!(writer.number, "the prices are kept true"),
            Verdict::Lost => {
                tracing::info!(?sight, "nobody keeps the prices true: none is traded on");
            }
        }
        (self.kept, self.incarnation) = (kept, writer.number);
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const STALE: PopError = PopError::Stale {
        age: Duration::from_secs(2),
    };

    fn writer(number: u64, first_sequence: u64) -> Incarnation {
        Incarnation {
            number,
            first_sequence,
        }
    }

    fn trusting() -> Trust {
        let mut trust = Trust::default();
        assert_eq!(
            trust.judge(Err(PopError::Empty), writer(1, 0), || true),
            Verdict::Anew
        );
        trust
    }

    #[test]
    fn an_end_and_a_silence_are_told_once_and_what_is_heard_again_too() {
        for end in [
            STALE,
            PopError::PeerDead,
            PopError::Closed,
            PopError::Damaged,
        ] {
            let mut trust = trusting();
            let mut judge = |sight| trust.judge(sight, writer(1, 0), || true);
            assert_eq!(judge(Err(end)), Verdict::Lost, "{end}");
            assert_eq!(judge(Err(end)), Verdict::Same, "{end}");
            assert_eq!(judge(Ok(7)), Verdict::Anew, "{end}");
            assert_eq!(judge(Err(PopError::Empty)), Verdict::Same, "{end}");
        }
    }

    /// The reader was stopped, or waited for room, while one monitor died and the next one came.
    #[test]
    fn a_succession_that_nobody_saw_is_seen_at_its_border() {
        let mut trust = trusting();
        let mut judge = |sight| trust.judge(sight, writer(2, 10), || true);
        assert_eq!(judge(Ok(8)), Verdict::Lost, "left by the dead one");
        assert_eq!(judge(Ok(9)), Verdict::Same);
        assert_eq!(judge(Ok(10)), Verdict::Anew);
        assert_eq!(judge(Ok(11)), Verdict::Same);
        let mut trust = trusting();
        let verdict = trust.judge(Err(PopError::Empty), writer(2, 10), || true);
        assert_eq!(verdict, Verdict::Anew, "nothing was left");
    }

    /// A reader that starts after the death finds what the dead one has left.
    #[test]
    fn what_a_dead_monitor_left_in_the_ring_is_not_trusted() {
        let mut trust = Trust::default();
        for sequence in 0..3 {
            let verdict = trust.judge(Ok(sequence), writer(1, 0), || false);
            assert_eq!((verdict, trust.is_kept()), (Verdict::Same, false));
        }
        let verdict = trust.judge(Err(PopError::PeerDead), writer(1, 0), || false);
        assert_eq!((verdict, trust.is_kept()), (Verdict::Same, false));
    }

    #[test]
    fn before_the_first_monitor_nothing_is_kept() {
        let mut trust = Trust::default();
        let verdict = trust.judge(Err(PopError::Empty), writer(0, 0), || true);
        assert_eq!((verdict, trust.is_kept()), (Verdict::Same, false));
    }
}
