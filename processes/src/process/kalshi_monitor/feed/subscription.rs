//! What the venue is to tell of books, what it was asked, and what it still owes.
//!
//! | the venue | then |
//! |---|---|
//! | refuses several markets together | they are asked for in two halves: one unknown ticker must not hide the others |
//! | names the market that it refuses | the others are asked for again |
//! | refuses a single market | it is left for a while |
//! | refuses every market, or does not confirm in time | the session is of no use |
//! | owes a snapshot | it is asked for again, ever more patiently |
//!
//! No I/O: [`Feed`](super::Feed) sends what is due here and tells what came.

use stages::books::Wanted;
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// How long the venue may take to confirm the subscription.
const CONFIRMATION: Duration = Duration::from_secs(5);
/// How long a snapshot may take before it is asked for again: at first, and at most.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(60));
/// How long a refused market is left alone.
const REFUSED_FOR: Duration = Duration::from_secs(60);

/// The books' subscription of the session at hand, and the markets of all sessions.
#[derive(Debug, Default)]
pub(super) struct Subscription {
    /// Market number by ticker.
    numbers: HashMap<String, u32>,
    /// Decided markets: nothing more comes of them.
    over: HashSet<u32>,
    /// The subscription, once confirmed.
    sid: Option<u32>,
    confirm_by: Option<Instant>,
    /// Markets that the venue was asked for and did not refuse.
    asked: HashSet<u32>,
    /// Tickers by the command that asked for them and is not answered yet.
    unanswered: HashMap<u64, Vec<String>>,
    /// Refused together, to be asked for apart.
    parts: VecDeque<Vec<String>>,
    /// When to ask again for what was refused alone.
    refused: HashMap<u32, Instant>,
    awaited: HashMap<u32, Awaited>,
    /// Markets that do not trade for now.
    paused: HashSet<u32>,
}

/// A snapshot that is due.
#[derive(Debug, Clone, Copy)]
struct Awaited {
    due: Instant,
    patience: Duration,
}

impl Subscription {
    /// A new session: nothing is asked, nothing is owed.
    pub(super) fn begin(&mut self) {
        *self = Self {
            numbers: std::mem::take(&mut self.numbers),
            over: std::mem::take(&mut self.over),
            ..Self::default()
        };
    }

    pub(super) fn add(&mut self, ticker: String, market: u32) {
        self.numbers.insert(ticker, market);
    }

    /// Whether no market is known.
    pub(super) fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    pub(super) fn number(&self, ticker: &str) -> Option<u32> {
        self.numbers.get(ticker).copied()
    }

    pub(super) fn sid(&self) -> Option<u32> {
        self.sid
    }

    /// The markets to ask for in the next command, no more than `most`; none while nothing is to be
    /// asked, or while the answer to the subscription itself is out.
    pub(super) fn next_tickers(&mut self, now: Instant, most: usize) -> Vec<String> {
        if self.sid.is_none() && !self.unanswered.is_empty() {
            return Vec::new();
        }
        if let Some(part) = self.parts.pop_front() {
            return part;
        }
        let wanted = |market: &u32| {
            let left_alone = self.refused.get(market).is_some_and(|until| *until > now);
            !self.asked.contains(market) && !self.over.contains(market) && !left_alone
        };
        let tickers = self.numbers.iter().filter(|(_, market)| wanted(market));
        tickers
            .take(most)
            .map(|(ticker, _)| ticker.clone())
            .collect()
    }

    /// A command has asked for markets.
    pub(super) fn on_asked(&mut self, command: u64, tickers: Vec<String>, now: Instant) {
        for market in self.markets(&tickers) {
            self.asked.insert(market);
            self.refused.remove(&market);
            self.await_snapshot(market, now + PATIENCE.0);
        }
        self.unanswered.insert(command, tickers);
        self.confirm_by = Some(now + CONFIRMATION);
    }

    /// The venue confirms the subscription; whether that is news.
    pub(super) fn on_subscribed(&mut self, sid: u32) -> bool {
        if self.sid.is_none() {
            // Until now only one command was out, whatever number the answer carries.
            self.unanswered.clear();
        }
        self.sid.replace(sid) != Some(sid)
    }

    /// The venue has done as a command said.
    pub(super) fn on_done(&mut self, command: Option<u64>) {
        if let Some(command) = command {
            self.unanswered.remove(&command);
        }
    }

    /// The venue refuses a command, perhaps for one market; whether it was one of ours.
    pub(super) fn on_refused(
        &mut self,
        command: Option<u64>,
        named: Option<&str>,
        now: Instant,
    ) -> bool {
        let tickers = command.and_then(|command| self.unanswered.remove(&command));
        let Some(mut tickers) = tickers else {
            return false;
        };
        for market in self.markets(&tickers) {
            self.asked.remove(&market);
            self.awaited.remove(&market);
        }
        let blamed = match (named, tickers.as_slice()) {
            (Some(named), _) => tickers.iter().position(|ticker| ticker == named),
            (None, [_]) => Some(0),
            (None, _) => None,
        };
        let halves = match blamed {
            Some(place) => {
                let blamed = tickers.swap_remove(place);
                if let Some(market) = self.number(&blamed) {
                    self.refused.insert(market, now + REFUSED_FOR);
                }
                [tickers, Vec::new()]
            }
            None => {
                let half = tickers.split_off(tickers.len() / 2);
                [tickers, half]
            }
        };
        self.parts
            .extend(halves.into_iter().filter(|part| !part.is_empty()));
        true
    }

    /// A snapshot has come; whether it is one of this subscription.
    pub(super) fn on_snapshot(&mut self, sid: u32, market: u32, now: Instant) -> bool {
        let ours = self.sid == Some(sid);
        if ours {
            self.awaited.remove(&market);
        } else {
            self.want(market, now);
        }
        ours
    }

    /// A market was decided, or came back to life.
    pub(super) fn set_over(&mut self, market: u32, over: bool) {
        if over {
            self.over.insert(market);
            self.awaited.remove(&market);
        } else {
            self.over.remove(&market);
        }
    }

    /// A market does not trade for now: its book may not come.
    pub(super) fn pause(&mut self, market: u32) {
        self.awaited.remove(&market);
        self.paused.insert(market);
    }

    /// A market trades: a book that was not asked for while it did not, or has lost step in that time, is wanted now.
    pub(super) fn resume(&mut self, market: u32, now: Instant) {
        if self.paused.remove(&market) {
            // Also where it was asked for in vain meanwhile.
            self.awaited.remove(&market);
            self.want(market, now);
        }
    }

    /// The books want snapshots.
    pub(super) fn on_wanted(&mut self, wanted: Wanted, now: Instant) {
        match wanted {
            // The request may be older than the session that is served now.
            Wanted::All { sid } if self.sid == Some(sid) => {
                for market in self.asked.clone() {
                    self.want(market, now);
                }
            }
            Wanted::One { sid, market } if self.sid == Some(sid) => self.want(market, now),
            Wanted::Nothing | Wanted::All { .. } | Wanted::One { .. } => {}
        }
    }

    /// A market's snapshot is due now, unless it was asked for already.
    pub(super) fn want(&mut self, market: u32, now: Instant) {
        if self.asked.contains(&market) && !self.over.contains(&market) {
            let asked_for = |awaited: &Awaited| awaited.patience > PATIENCE.0;
            if !self.awaited.get(&market).is_some_and(asked_for) {
                self.await_snapshot(market, now);
            }
        }
    }

    /// The tickers whose snapshots are late by now; they have the next time until they are again.
    pub(super) fn late_tickers(&mut self, now: Instant) -> Vec<String> {
        let late = |market: &u32| self.awaited.get(market).is_some_and(|one| one.due <= now);
        let tickers: Vec<String> = self
            .numbers
            .iter()
            .filter(|(_, market)| late(market))
            .map(|(ticker, _)| ticker.clone())
            .collect();
        for one in self.awaited.values_mut().filter(|one| one.due <= now) {
            one.due = now + one.patience;
            one.patience = (one.patience * 2).min(PATIENCE.1);
        }
        tickers
    }

    /// Why the session is of no use, if it is not.
    pub(super) fn fault(&self, now: Instant) -> Option<&'static str> {
        if self.sid.is_some() {
            return None;
        }
        let nothing_left = self.unanswered.is_empty() && self.parts.is_empty();
        if nothing_left && self.asked.is_empty() && !self.refused.is_empty() {
            return Some("every market is refused");
        }
        let late = self.confirm_by.is_some_and(|by| by <= now);
        (late && !self.unanswered.is_empty()).then_some("the subscription is not confirmed")
    }

    fn markets(&self, tickers: &[String]) -> Vec<u32> {
        tickers
            .iter()
            .filter_map(|ticker| self.number(ticker))
            .collect()
    }

    fn await_snapshot(&mut self, market: u32, due: Instant) {
        let patience = PATIENCE.0;
        self.awaited.insert(market, Awaited { due, patience });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A_SECOND: Duration = Duration::from_secs(1);

    fn subscription(markets: u32) -> Subscription {
        let mut subscription = Subscription::default();
        for market in 0..markets {
            subscription.add(format!("T-{market}"), market);
        }
        subscription.begin();
        subscription
    }

    /// A venue that refuses every command that names one of `unknown`; what it takes in the end.
    fn settle(subscription: &mut Subscription, unknown: &[&str], names: bool) -> Vec<String> {
        let (mut taken, mut command) = (Vec::new(), 0);
        let now = Instant::now();
        loop {
            let tickers = subscription.next_tickers(now, 500);
            if tickers.is_empty() {
                taken.sort_unstable();
                return taken;
            }
            command += 1;
            let culprit = tickers
                .iter()
                .find(|ticker| unknown.contains(&ticker.as_str()))
                .cloned();
            subscription.on_asked(command, tickers.clone(), now);
            match culprit {
                Some(culprit) => {
                    let named = Some(culprit.as_str()).filter(|_| names);
                    assert!(subscription.on_refused(Some(command), named, now));
                }
                None => {
                    subscription.on_subscribed(1);
                    subscription.on_done(Some(command));
                    taken.extend(tickers);
                }
            }
        }
    }

    #[test]
    fn one_refused_market_does_not_hide_the_others() {
        for names in [false, true] {
            let mut subscription = subscription(5);
            let taken = settle(&mut subscription, &["T-1", "T-4"], names);
            assert_eq!(taken, ["T-0", "T-2", "T-3"], "the venue names it: {names}");
            let now = Instant::now();
            assert_eq!(subscription.fault(now), None);
            let mut later = subscription.next_tickers(now + 2 * REFUSED_FOR, 500);
            later.sort_unstable();
            assert_eq!(later, ["T-1", "T-4"], "tried again later");
        }
    }

    #[test]
    fn a_subscription_refused_altogether_or_never_confirmed_is_a_fault() {
        let mut refused = subscription(2);
        settle(&mut refused, &["T-0", "T-1"], false);
        assert!(refused.fault(Instant::now()).is_some());
        let (mut waiting, now) = (subscription(2), Instant::now());
        let tickers = waiting.next_tickers(now, 500);
        waiting.on_asked(1, tickers, now);
        assert_eq!(waiting.fault(now), None);
        assert!(waiting.fault(now + 2 * CONFIRMATION).is_some());
        waiting.on_subscribed(4);
        assert_eq!(waiting.fault(now + 2 * CONFIRMATION), None);
    }

    /// The venue's commands take 500 tickers; further `subscribe`s would be further subscriptions.
    #[test]
    fn more_markets_than_one_command_takes_are_added_once_it_is_confirmed() {
        let (mut many, now) = (subscription(7), Instant::now());
        let first = many.next_tickers(now, 4);
        many.on_asked(1, first.clone(), now);
        assert_eq!(first.len(), 4);
        assert!(many.next_tickers(now, 4).is_empty(), "not confirmed yet");
        many.on_subscribed(1);
        assert_eq!(many.next_tickers(now, 4).len(), 3);
    }

    #[test]
    fn a_book_that_lost_step_in_a_pause_is_asked_for_when_it_ends() {
        let (mut one, now) = (subscription(1), Instant::now());
        let tickers = one.next_tickers(now, 500);
        one.on_asked(1, tickers, now);
        one.on_subscribed(1);
        one.on_snapshot(1, 0, now);
        one.resume(0, now);
        assert!(one.late_tickers(now).is_empty(), "there was no pause");
        one.on_wanted(Wanted::One { sid: 1, market: 0 }, now);
        assert_eq!(one.late_tickers(now), ["T-0"]);
        one.pause(0);
        let later = now + 2 * PATIENCE.1;
        assert!(one.late_tickers(later).is_empty(), "nothing may come of it");
        one.resume(0, later);
        assert_eq!(one.late_tickers(later), ["T-0"]);
    }

    #[test]
    fn a_late_snapshot_is_asked_for_ever_more_patiently_and_a_decided_markets_never() {
        let (mut one, now) = (subscription(2), Instant::now());
        let tickers = one.next_tickers(now, 500);
        one.on_asked(1, tickers, now);
        one.on_subscribed(1);
        one.set_over(1, true);
        assert!(one.late_tickers(now).is_empty());
        let mut asked_at = Vec::new();
        for second in 0..40 {
            let late = one.late_tickers(now + second * A_SECOND);
            if !late.is_empty() {
                assert_eq!(late, ["T-0"]);
                asked_at.push(second);
            }
        }
        assert_eq!(asked_at, [3, 6, 12, 24]);
        assert!(one.on_snapshot(1, 0, now));
        assert!(one.late_tickers(now + 99 * A_SECOND).is_empty());
        assert!(!one.on_snapshot(9, 0, now), "of another subscription");
        assert_eq!(one.late_tickers(now), ["T-0"]);
        one.begin();
        assert_eq!(
            one.next_tickers(now, 500),
            ["T-0"],
            "nor in another session"
        );
    }
}
