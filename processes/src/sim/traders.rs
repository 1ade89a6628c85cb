//! The other traders: makers who quote around what they believe, and noise takers.
//!
//! A maker learns the true probability with a lag and errs by a wandering amount of its own, one for
//! each market. So after a score the quotes are stale for a moment (edge), and now and then the two
//! markets of a game disagree by more than the fees (arbitrage). Makers hold several levels a side,
//! cancel and replace them one at a time, and pick off each other's stale quotes.

use super::book::{AccountNumber, OrderNumber, SelfTrade};
use super::exchange::Exchange;
use super::ledger::MarketNumber;
use super::records::{NewOrder, OrderState, Reason, TimeInForce};
use super::sports::normal;
use layouts::Side;
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

/// Levels that a maker quotes on each side.
const LEVELS: usize = 4;
/// A price step.
const CENT_E4: f64 = 100.0;

/// One maker in one market.
#[derive(Debug)]
pub(crate) struct Maker {
    account: AccountNumber,
    market: MarketNumber,
    /// Seconds in which about two thirds of the news have sunk in.
    lag: f64,
    half_spread_e4: f64,
    believed: f64,
    error: f64,
    quotes: [[Option<OrderNumber>; LEVELS]; 2],
}

impl Maker {
    /// A maker without quotes.
    pub(crate) fn new(
        account: AccountNumber,
        market: MarketNumber,
        lag: f64,
        half_spread_e4: f64,
        believed: f64,
    ) -> Self {
        Self {
            account,
            market,
            lag,
            half_spread_e4,
            believed,
            error: 0.0,
            quotes: [[None; LEVELS]; 2],
        }
    }

    /// The market that it quotes.
    pub(crate) const fn market(&self) -> MarketNumber {
        self.market
    }

    /// Learns for so many seconds.
    pub(crate) fn learn(&mut self, truth: f64, seconds: f64, random: &mut ChaCha8Rng) {
        self.believed += (truth - self.believed) * (1.0 - (-seconds / self.lag).exp());
        // The error wanders with a standard deviation of about a cent and is forgotten in two seconds.
        self.error += -self.error * seconds / 2.0 + 0.010 * seconds.sqrt() * normal(random);
    }

    /// Errs by so much at once.
    pub(crate) fn err(&mut self, by: f64) {
        self.error += by;
    }

    /// Quotes every level afresh.
    pub(crate) fn quote_all(
        &mut self,
        exchange: &mut Exchange,
        now_us: i64,
        random: &mut ChaCha8Rng,
    ) {
        for level in 0..LEVELS {
            for side in [Side::Bid, Side::Ask] {
                self.requote(side, level, exchange, now_us, random);
            }
        }
    }

    /// Cancels and replaces one level, the best one most often.
    pub(crate) fn requote_one(
        &mut self,
        exchange: &mut Exchange,
        now_us: i64,
        random: &mut ChaCha8Rng,
    ) {
        let side = if random.random_bool(0.5) {
            Side::Bid
        } else {
            Side::Ask
        };
        let draw: f64 = random.random();
        let level = if draw < 0.70 {
            0
        } else if draw < 0.86 {
            1
        } else if draw < 0.95 {
            2
        } else {
            3
        };
        self.requote(side, level, exchange, now_us, random);
    }

    fn requote(
        &mut self,
        side: Side,
        level: usize,
        exchange: &mut Exchange,
        now_us: i64,
        random: &mut ChaCha8Rng,
    ) {
        if !exchange.trades(self.market) {
            return;
        }
        let row = &mut self.quotes[usize::from(side as u8)];
        let Some(slot) = row.get_mut(level) else {
            return;
        };
        if let Some(order) = slot.take() {
            exchange.cancel(order, Reason::Cancel, now_us);
        }
        let Some(price_e4) =
            quote_price(side, level, self.believed + self.error, self.half_spread_e4)
        else {
            return;
        };
        let order = NewOrder {
            account: self.account,
            market: self.market,
            side,
            price_e4,
            count_centi: size_centi(random),
            time_in_force: TimeInForce::GoodTillCanceled,
            // An own quote in the way is itself stale.
            self_trade: SelfTrade::Maker,
            post_only: false,
            reduce_only: false,
            cancel_on_pause: false,
            expires_us: None,
            client_order_id: None,
            group: None,
        };
        *slot = exchange
            .create(order, now_us)
            .ok()
            .filter(|order| order.state == OrderState::Resting)
            .map(|order| order.number);
    }
}

/// The price of a level around a belief, rounded away from it; `None` off the grid's ends.
fn quote_price(side: Side, level: usize, belief: f64, half_spread_e4: f64) -> Option<u16> {
    let away = half_spread_e4 + f64::from(u8::try_from(level).unwrap_or(u8::MAX)) * CENT_E4;
    let middle = belief.clamp(0.0, 1.0) * 10_000.0;
    let cents = match side {
        Side::Bid => ((middle - away) / CENT_E4).floor(),
        Side::Ask => ((middle + away) / CENT_E4).ceil(),
    };
    (1..=99_u16)
        .find(|cent| f64::from(*cent) == cents)
        .map(|cent| cent * 100)
}

/// Contracts of a quote: whole and round most often, as real ones are, from 10 to some hundreds.
fn size_centi(random: &mut ChaCha8Rng) -> u32 {
    match random.random_range(0..10_u8) {
        0 => random.random_range(100..40_000),
        1..=4 => 100 * random.random_range(10..80),
        5..=7 => 1_000 * random.random_range(5..30),
        _ => 10_000 * random.random_range(1..6),
    }
}

/// Takes a little at the touch, for no reason.
pub(crate) fn take_noise(
    account: AccountNumber,
    market: MarketNumber,
    exchange: &mut Exchange,
    now_us: i64,
    random: &mut ChaCha8Rng,
) {
    let side = if random.random_bool(0.5) {
        Side::Bid
    } else {
        Side::Ask
    };
    let touch = exchange
        .markets()
        .get(market)
        .and_then(|entry| entry.book.best(super::book::opposite(side)));
    let Some((price_e4, _)) = touch else { return };
    let order = NewOrder {
        account,
        market,
        side,
        price_e4,
        count_centi: 100 * random.random_range(1..25),
        time_in_force: TimeInForce::ImmediateOrCancel,
        self_trade: SelfTrade::TakerAtCross,
        post_only: false,
        reduce_only: false,
        cancel_on_pause: false,
        expires_us: None,
        client_order_id: None,
        group: None,
    };
    // A market that has closed meanwhile refuses it, which is as good.
    let _ = exchange.create(order, now_us);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_lie_on_the_grid_and_around_the_belief() {
        assert_eq!(quote_price(Side::Bid, 0, 0.50, 100.0), Some(4_900));
        assert_eq!(quote_price(Side::Ask, 0, 0.50, 100.0), Some(5_100));
        assert_eq!(quote_price(Side::Ask, 2, 0.503, 100.0), Some(5_400));
        assert_eq!(quote_price(Side::Bid, 0, 0.015, 100.0), None);
        assert_eq!(quote_price(Side::Ask, 3, 0.98, 100.0), None);
        assert_eq!(quote_price(Side::Bid, 0, f64::NAN, 100.0), None);
    }
}
