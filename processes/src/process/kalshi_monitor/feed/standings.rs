//! Whether each market trades: what the venue lists, what its lifecycle channel tells, when it closes, and
//! whether the venue trades at all.
//!
//! | known of a market | then |
//! |---|---|
//! | nothing, or the channel has lost frames since | it is asked for, and not traded |
//! | the channel has told it since it last was whole | that holds, whatever a list says: lists are copies, seconds old |
//! | else a list has | that holds; it is asked for once more when no copy can be that old |
//! | its close has passed | closed: the channel does not tell that |
//! | the venue, or the market's shard of it, trades nothing | closed |
//!
//! No I/O and no clock: [`Feed`](super::Feed) asks what is due and tells what came.

use crate::venue::kalshi_wire::{ExchangeStatus, MarketRecord, PriceRange, tick_e4};
use stages::books::{Facts, Trading};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// Between two questions, so that no trouble on the channel empties the account's budget of reads.
const PAUSE: Duration = Duration::from_millis(500);
/// The venue's lists may be copies of up to 5 s: what one of them says is looked at again after this.
const COPY: Duration = Duration::from_secs(6);
/// A market that does not trade yet, or not for now, is asked for so often: its opening has no event.
const AGAIN: Duration = Duration::from_secs(30);

/// All markets.
#[derive(Debug, Default)]
pub(super) struct Standings {
    markets: HashMap<u32, Standing>,
    exchange: Option<ExchangeStatus>,
    /// Grows when what was known becomes doubtful, so that answers to earlier questions are not taken.
    epoch: u64,
    /// No question before.
    quiet_until: Option<Instant>,
    /// When the next market closes by the clock, Unix milliseconds: until then there is no news, unless something was
    /// told since the last.
    next_close_ms: Option<i64>,
}

/// One market.
#[derive(Debug)]
struct Standing {
    listing: Listing,
    /// Whether it trades, as the channel has told since it last was whole.
    told: Option<bool>,
    /// The same, as listed.
    listed: Option<bool>,
    /// When it closes, Unix milliseconds: as the channel has told, and as listed.
    close_told: Option<i64>,
    close_listed: Option<i64>,
    /// Decided, for good.
    over: bool,
    /// When it is to be asked for; `None` while it need not be, or an answer is awaited.
    ask_at: Option<Instant>,
    /// Answers since it last became doubtful.
    answers: u32,
    /// What the books know.
    said: Trading,
}

/// What discovery says of a market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) facts: Facts,
    pub(super) shard: u8,
    pub(super) ticker: String,
    pub(super) exchange_index: Option<u32>,
}

/// A question about markets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) epoch: u64,
    pub(super) tickers: Vec<String>,
}

impl Standings {
    /// A market to follow, or news of one.
    pub(super) fn add(&mut self, listing: Listing, now: Instant) {
        let fresh = Standing {
            listing: listing.clone(),
            told: None,
            listed: None,
            close_told: None,
            close_listed: None,
            over: false,
            ask_at: Some(now),
            answers: 0,
            said: Trading::Unknown,
        };
        self.next_close_ms = None;
        let standing = self.markets.entry(listing.facts.market).or_insert(fresh);
        standing.listing = listing;
    }

    /// Whatever the channel has told, it may have told something else since.
    pub(super) fn doubt(&mut self, now: Instant) {
        self.epoch += 1;
        self.next_close_ms = None;
        for standing in self.markets.values_mut() {
            standing.doubt(now);
        }
    }

    /// The channel tells that a market trades from now on, or does not.
    pub(super) fn tell(&mut self, market: u32, trades: bool) {
        if let Some(standing) = self.told_of(market) {
            standing.told = Some(trades);
        }
    }

    /// The channel tells that a market is decided, or that it has come back to life.
    pub(super) fn set_over(&mut self, market: u32, over: bool) {
        if let Some(standing) = self.told_of(market) {
            standing.over = over;
        }
    }

    /// The channel tells when a market closes.
    pub(super) fn tell_close(&mut self, market: u32, unix_s: i64) {
        if let Some(standing) = self.told_of(market) {
            standing.close_told = Some(unix_s.saturating_mul(1_000));
        }
    }

    /// The market of which something is told, so that there may be news.
    fn told_of(&mut self, market: u32) -> Option<&mut Standing> {
        self.next_close_ms = None;
        self.markets.get_mut(&market)
    }

    /// What is to be asked now, no more than so many at once.
    pub(super) fn question(&mut self, now: Instant, most: usize) -> Option<Question> {
        if self.quiet_until.is_some_and(|until| now < until) {
            return None;
        }
        let due = self.markets.values_mut();
        let due = due.filter(|standing| standing.ask_at.is_some_and(|at| at <= now));
        let tickers: Vec<String> = due
            .take(most)
            .map(|standing| {
                standing.ask_at = None;
                standing.listing.ticker.clone()
            })
            .collect();
        if tickers.is_empty() {
            return None;
        }
        self.quiet_until = Some(now + PAUSE);
        let epoch = self.epoch;
        Some(Question { epoch, tickers })
    }

    /// What the venue lists, in answer to a question; nothing where it could not be asked.
    pub(super) fn on_listed(
        &mut self,
        question: &Question,
        records: &[MarketRecord],
        now: Instant,
    ) {
        if question.epoch != self.epoch {
            // They are due again already.
            return;
        }
        self.next_close_ms = None;
        for standing in self.markets.values_mut() {
            let ticker = &standing.listing.ticker;
            if !question.tickers.contains(ticker) {
                continue;
            }
            match records.iter().find(|record| record.ticker == *ticker) {
                Some(record) => standing.on_listed(record, now),
                None => standing.ask_at = Some(now + COPY),
            }
        }
    }

    /// Whether the venue trades at all.
    pub(super) fn on_exchange(&mut self, status: ExchangeStatus) {
        self.exchange = Some(status);
        self.next_close_ms = None;
    }

    /// A market with other price steps than were known; what discovery is to be taken to have said of it.
    pub(super) fn on_steps(&mut self, market: u32, ranges: &[PriceRange]) -> Option<Listing> {
        let step = tick_e4(ranges)?;
        let facts = &mut self.markets.get_mut(&market)?.listing.facts;
        if facts.tick_e4 == step {
            return None;
        }
        facts.tick_e4 = step;
        self.markets.get(&market).map(|known| known.listing.clone())
    }

    /// What has changed for the books, by market. Asked after every frame, few of which change anything.
    pub(super) fn news(&mut self, unix_ms: u64) -> Vec<(u32, Trading)> {
        let exchange = &self.exchange;
        let unix_ms = i64::try_from(unix_ms).unwrap_or(i64::MAX);
        if self.next_close_ms.is_some_and(|close| unix_ms < close) {
            return Vec::new();
        }
        let closes = self.markets.values().filter_map(Standing::close_ms);
        let next = closes.filter(|close| *close > unix_ms).min();
        self.next_close_ms = Some(next.unwrap_or(i64::MAX));
        let changed = self.markets.iter_mut().filter_map(|(market, standing)| {
            let trading = standing.trading(exchange.as_ref(), unix_ms);
            let before = std::mem::replace(&mut standing.said, trading);
            (before != trading).then_some((*market, trading))
        });
        changed.collect()
    }
}

impl Standing {
    fn doubt(&mut self, now: Instant) {
        (self.told, self.listed, self.close_told) = (None, None, None);
        (self.ask_at, self.answers) = (Some(now), 0);
    }

    fn on_listed(&mut self, record: &MarketRecord, now: Instant) {
        let trades = record.status == "active";
        self.listed = Some(trades);
        let close: Result<jiff::Timestamp, _> = record.close_time.parse();
        self.close_listed = close.ok().map(|close| close.as_millisecond());
        self.answers += 1;
        self.ask_at = match (self.answers, trades) {
            (1, _) => Some(now + COPY),
            (_, false) if !self.over => Some(now + AGAIN),
            _ => None,
        };
    }

    fn close_ms(&self) -> Option<i64> {
        self.close_told.or(self.close_listed)
    }

    fn trading(&self, exchange: Option<&ExchangeStatus>, unix_ms: i64) -> Trading {
        if self.over || self.close_ms().is_some_and(|close| close <= unix_ms) {
            return Trading::Closed;
        }
        let venue = exchange.map(|status| status.trades(self.listing.exchange_index));
        match (self.told.or(self.listed), venue) {
            (Some(false), _) | (_, Some(false)) => Trading::Closed,
            (Some(true), Some(true)) => Trading::Open,
            (None, _) | (_, None) => Trading::Unknown,
        }
    }
}

#[cfg(test)]
mod tests;
