//! The pipeline's own stages, set up so that every price becomes one order: a live game, an edge
//! that stays, limits that are never reached because no order trades.

use bytemuck::Zeroable as _;
use layouts::{
    GameState, Order, OrderAck, OrderStatus, Phase, PriceUpdate, RejectReason, Signal, Sport,
};
use stages::{
    execution::{Answer, Placement, Step, ack},
    limits::Limits,
    model::Model,
    risk::Risk,
    shard::{Shard, Stamp},
};

/// Longer than any run, ms; in ns it still fits.
const FOREVER_MS: u64 = 1 << 40;

/// Prices into signals: the stage of `game_shard`.
pub struct Pricing {
    shard: Shard,
    sequence: u64,
}

impl Pricing {
    /// With the state of the game to which `price` belongs.
    #[must_use]
    pub fn new(price: &PriceUpdate) -> Self {
        let model = Model {
            min_edge_e4: 100,
            min_arbitrage_e4: 30,
            weight_percent: 50,
            max_state_age_ms: FOREVER_MS,
            signal_ttl_ms: FOREVER_MS,
        };
        let mut shard = Shard::new(0, model, 0);
        let state = GameState {
            game: price.game,
            clock_deciseconds: 600,
            home_score: 99,
            away_score: 80,
            pregame_home_win_e4: 5_000,
            sport: Sport::Nba as u8,
            phase: Phase::Live as u8,
            period: 4,
            ..GameState::zeroed()
        };
        shard.on_state(
            &state,
            Stamp {
                sequence: 0,
                sent_mono_ns: 0,
            },
        );
        Self { shard, sequence: 0 }
    }

    /// The signal that a price raises.
    #[inline]
    pub fn on_price(&mut self, price: &PriceUpdate) -> Option<Signal> {
        self.sequence += 1;
        let stamp = Stamp {
            sequence: self.sequence,
            sent_mono_ns: price.ingress_mono_ns,
        };
        let [home, away] = self.shard.on_price(price, stamp);
        home.or(away)
    }
}

/// Signals into orders: the stage of `signal_processor`.
pub struct Limiting(Risk);

impl Limiting {
    /// With no positions.
    #[must_use]
    pub fn new() -> Self {
        Self(Risk::new(Limits {
            max_order_contracts: 50,
            max_market_contracts: 10_000,
            max_game_dollars: 10_000,
            max_sport_dollars: 100_000,
            max_exposure_dollars: 100_000,
            max_day_loss_dollars: 100_000,
            max_open_orders: 16,
            max_burst_contracts: 100_000,
            repeat_ms: 0,
            kelly_percent: 25,
        }))
    }

    /// The order that a signal becomes.
    #[inline]
    pub fn on_signal(&mut self, signal: &Signal) -> Option<Order> {
        self.0.on_signal(signal, signal.ingress_mono_ns)[0]
    }

    /// The order is done with.
    #[inline]
    pub fn on_ack(&mut self, ack: &OrderAck) {
        self.0.on_ack(ack);
    }
}

impl Default for Limiting {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether the order may go on the wire now: the stage of `execution_service`, up to the point at which
/// the hot path ends.
#[inline]
#[must_use]
pub fn place(order: &Order, now_mono_ns: u64) -> Option<Placement> {
    let mut placement = Placement::new(order.expires_mono_ns);
    let posts = matches!(placement.first_step(), Step::Post { .. });
    (posts && placement.may_post(now_mono_ns).is_ok()).then_some(placement)
}

/// The end of an order that the venue took and nobody traded with.
#[inline]
#[must_use]
pub fn conclude(order: &Order, mut placement: Placement, now_mono_ns: u64) -> OrderAck {
    let (status, reason) = match placement.on_answer(Answer::Placed { filled_centi: 0 }) {
        Step::Finish { status, reason } => (status, reason),
        _ => (OrderStatus::Unknown, RejectReason::None),
    };
    ack(order, status, reason, now_mono_ns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::price;

    #[test]
    fn every_price_becomes_one_order() {
        let mut pricing = Pricing::new(&price(0, 0));
        let mut limiting = Limiting::new();
        for number in 1..1_000 {
            let signal = pricing.on_price(&price(number, number * 1_000)).unwrap();
            let order = limiting.on_signal(&signal).unwrap();
            assert_eq!(order.ingress_mono_ns, number * 1_000);
            let placement = place(&order, number * 1_000 + 500).unwrap();
            limiting.on_ack(&conclude(&order, placement, number * 1_000 + 900));
        }
    }
}
