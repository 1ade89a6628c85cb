//! When the pipeline must not trade, and when it may again. Decisions only: no clock, no I/O.
//!
//! | cause | begins | ends |
//! |---|---|---|
//! | operator | SIGUSR1 to the launcher (`launch safe` writes the file instead) | SIGUSR2, as by `launch resume` |
//! | operator | the file `safe` in the run directory is there | it is gone, as after `launch resume` |
//! | operator | `mode` of `arbees:<pipeline>:config` says `safe` | it says `trade`; silence changes nothing |
//! | operator | nobody knows yet what the config in Redis says | it was read, or Redis has not answered |
//! | crash loop | a process died too often in a row | SIGUSR2, as by `launch resume` |
//! | prices, games | the feed has been silent for longer than its bound | it has been heard again for as long |
//! | books differ | the account is not as our books say, or cannot be compared with them, through ten looks | SIGUSR2, as by `launch resume`; begins anew if it still is not |
//! | clock skew | the venue's time stamps are further from our clock than the bound | they are within it |
//!
//! A feed comes back by itself every night; what a person has halted, or what keeps dying for a reason that
//! nobody knows yet, waits for a person.

use super::feeds::Lost;
use layouts::control::cause;
use serde::Serialize;
use std::collections::BTreeSet;

/// Every reason not to trade that holds now.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Safety {
    /// By SIGUSR1.
    signalled: bool,
    /// By the file.
    file: bool,
    /// By Redis, as it last said.
    asked: bool,
    /// Redis was not asked yet.
    unread: bool,
    /// Who cannot be kept alive.
    crash_loops: BTreeSet<String>,
    /// What the venue says otherwise than our books, or that nobody can say.
    differences: Vec<String>,
    lost: Lost,
    /// As the clocks were when they were found apart: the figure moves all the time, the words stay.
    skew_ms: Option<i64>,
}

/// One time of safety, in the report.
#[derive(Debug, Clone, Serialize)]
pub struct SafeTime {
    /// Seconds from the start of the run.
    pub from_s: f64,
    /// How long it lasted, or has lasted at the end.
    pub seconds: f64,
    /// Why, everything that held at any moment of it.
    pub because: Vec<String>,
}

impl Safety {
    /// A signal of the operator.
    pub(super) fn signal(&mut self) {
        self.signalled = true;
    }

    /// `launch resume`: ends what waits for a person.
    pub(super) fn resume(&mut self) {
        self.signalled = false;
        self.crash_loops.clear();
        self.differences.clear();
    }

    /// Whether the file `safe` is there.
    pub(super) fn file(&mut self, there: bool) {
        self.file = there;
    }

    /// What Redis says last.
    pub(super) fn asked(&mut self, safe: bool) {
        self.asked = safe;
    }

    /// Whether the config in Redis is still to be read.
    pub(super) fn unread(&mut self, unread: bool) {
        self.unread = unread;
    }

    /// Whether that alone holds trading: a start like every other, and not to be told of.
    pub(super) fn is_starting(&self) -> bool {
        let read = Self {
            unread: false,
            ..self.clone()
        };
        self.unread && read.causes() == 0
    }

    /// A process died too often in a row.
    pub(super) fn crash_loop(&mut self, process: &str) {
        if !self.crash_loops.contains(process) {
            self.crash_loops.insert(process.to_owned());
        }
    }

    /// The account does not stand as our books say, or cannot be compared with them; in whole sentences.
    pub(super) fn books_differ(&mut self, differences: Vec<String>) {
        self.differences = differences;
    }

    /// Which feeds are lost.
    pub(super) fn feeds(&mut self, lost: Lost) {
        self.lost = lost;
        self.skew_ms = lost.skew_ms.and(self.skew_ms.or(lost.skew_ms));
    }

    /// The sum of the causes, for the board.
    pub(super) fn causes(&self) -> u8 {
        let operator = self.signalled || self.file || self.asked || self.unread;
        [
            (operator, cause::OPERATOR),
            (!self.crash_loops.is_empty(), cause::CRASH_LOOP),
            (self.lost.prices, cause::PRICES_LOST),
            (self.lost.games, cause::GAMES_LOST),
            (self.lost.skew_ms.is_some(), cause::CLOCK_SKEW),
            (!self.differences.is_empty(), cause::BOOKS_DIFFER),
        ]
        .into_iter()
        .filter_map(|(holds, cause)| holds.then_some(cause))
        .sum()
    }

    /// The causes in words, each with the way out.
    pub(super) fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.signalled {
            reasons.push("SIGUSR1 to the launcher (ends with `launch resume`)".to_owned());
        }
        if self.file {
            reasons.push("the file `safe` in the run directory (ends with `launch resume`)".into());
        }
        if self.asked {
            reasons.push("mode = safe in the config of Redis (ends with mode = trade)".into());
        }
        if self.unread {
            reasons.push("the config in Redis, not read yet (ends when it is)".into());
        }
        for process in &self.crash_loops {
            reasons.push(format!(
                "`{process}` cannot be kept alive (ends with `launch resume`)"
            ));
        }
        for difference in &self.differences {
            reasons.push(format!("{difference} (ends with `launch resume`)"));
        }
        if self.lost.prices {
            reasons.push("no good price of a live game (ends when they are back)".into());
        }
        if self.lost.games {
            reasons.push("no state of a live game (ends when they are back)".into());
        }
        if let Some(skew_ms) = self.skew_ms {
            let (way, by) = if skew_ms < 0 {
                ("ahead of", -skew_ms)
            } else {
                ("behind", skew_ms)
            };
            reasons.push(format!(
                "the venue's clock is {by} ms or more {way} ours (ends when it is not; see `chronyc tracking`)"
            ));
        }
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trading_waits_until_the_last_cause_has_ended() {
        let mut safety = Safety::default();
        assert_eq!((safety.causes(), safety.reasons()), (0, vec![]));
        safety.signal();
        safety.file(true);
        safety.crash_loop("game_shard.0");
        safety.crash_loop("game_shard.0");
        safety.feeds(Lost {
            prices: true,
            ..Lost::default()
        });
        assert_eq!(
            safety.causes(),
            cause::OPERATOR | cause::CRASH_LOOP | cause::PRICES_LOST
        );
        assert_eq!(safety.reasons().len(), 4, "{:?}", safety.reasons());
        safety.resume();
        assert_eq!(safety.causes(), cause::OPERATOR | cause::PRICES_LOST);
        safety.file(false);
        safety.asked(true);
        safety.feeds(Lost::default());
        safety.resume();
        assert_eq!(
            safety.causes(),
            cause::OPERATOR,
            "Redis takes its own word back"
        );
        safety.asked(false);
        assert_eq!(safety.causes(), 0);
    }

    #[test]
    fn clocks_that_are_apart_halt_trading_and_are_named_as_they_were_found() {
        let apart = |skew_ms| Lost {
            skew_ms,
            ..Lost::default()
        };
        let mut safety = Safety::default();
        safety.feeds(apart(Some(-3_001)));
        safety.feeds(apart(Some(-2_950)));
        assert_eq!(safety.causes(), cause::CLOCK_SKEW);
        assert!(
            safety.reasons()[0].contains("3001 ms or more ahead of ours"),
            "{:?}",
            safety.reasons()
        );
        safety.feeds(apart(None));
        assert_eq!((safety.causes(), safety.reasons()), (0, vec![]));
        safety.feeds(apart(Some(5_000)));
        assert!(safety.reasons()[0].contains("5000 ms or more behind ours"));
    }
}
