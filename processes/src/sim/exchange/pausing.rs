//! Pauses, of a market and of the whole venue: nothing trades, and what was to be cancelled then is.

use super::{CLIENT, Exchange};
use crate::sim::catalogue::Life;
use crate::sim::ledger::MarketNumber;
use crate::sim::records::Reason;

impl Exchange {
    /// Whether the venue trades at all.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether orders are taken in a market.
    pub(crate) fn trades(&self, market: MarketNumber) -> bool {
        let entry = self.markets.get(market);
        !self.paused && entry.is_some_and(|entry| entry.life == Life::Active)
    }

    /// Pauses the venue. What rests stays, and may be cancelled, but for orders that end with a pause.
    pub(crate) fn pause(&mut self, now_us: i64) {
        self.paused = true;
        for market in 0..self.markets.len() {
            self.halt(market, now_us);
        }
    }

    /// Ends the pause of the venue.
    pub(crate) fn resume(&mut self) {
        self.paused = false;
    }

    /// Pauses an active market; whether it was one. What rests stays, but for orders that end with a pause.
    pub(crate) fn deactivate(&mut self, market: MarketNumber, now_us: i64) -> bool {
        let active = self.is(market, Life::Active);
        if active {
            self.halt(market, now_us);
            self.live(market, Life::Inactive, now_us);
        }
        active
    }

    /// Ends the pause of a market; whether there was one. All that rests in it is cancelled.
    pub(crate) fn activate(&mut self, market: MarketNumber, now_us: i64) -> bool {
        let paused = self.is(market, Life::Inactive);
        if paused {
            let resting = self.markets[market].book.orders();
            for order in resting {
                self.cancel(order, Reason::HaltCancel, now_us);
            }
            self.live(market, Life::Active, now_us);
        }
        paused
    }

    fn is(&self, market: MarketNumber, life: Life) -> bool {
        let entry = self.markets.get(market);
        entry.is_some_and(|entry| entry.life == life)
    }

    fn halt(&mut self, market: MarketNumber, now_us: i64) {
        for number in self.markets[market].book.orders() {
            let ends = self.orders.get(&number);
            let ends =
                ends.is_some_and(|order| order.new.account == CLIENT && order.new.cancel_on_pause);
            if ends {
                self.cancel(number, Reason::HaltCancel, now_us);
            }
        }
    }
}
