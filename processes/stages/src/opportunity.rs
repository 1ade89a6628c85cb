//! What is worth trading: arbitrage of the two complementary markets of a game, and the edge of the
//! model over one market. Everything per contract, after the taker's fee, in 1/10,000 dollar.

use layouts::units::{E4_PER_DOLLAR, fee_micros, worst_fee_micros};
use layouts::{CENTICONTRACTS_PER_CONTRACT, PriceUpdate, Side};

/// Micro-dollars in 1/10,000 dollar.
const MICROS_PER_E4: i64 = 100;

/// The same side taken in both markets of a game: exactly one of them pays a dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arbitrage {
    /// [`Side::Bid`] buys both below a dollar, [`Side::Ask`] sells both above it.
    pub side: Side,
    /// Gain of one pair after the fees of both legs, in however many pieces each is filled.
    pub gain_e4: i16,
    /// Pairs that both books show.
    pub count_centi: u32,
}

/// One side of one market against what a contract is held to be worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// What to do.
    pub side: Side,
    /// Limit: the price shown.
    pub price_e4: u16,
    /// Contracts shown at it.
    pub count_centi: u32,
    /// Gain of one contract after the fee if `fair` is right.
    pub edge_e4: i16,
}

/// The price and the count shown to someone who takes `side`.
#[must_use]
pub fn shown(price: &PriceUpdate, side: Side) -> (u16, u32) {
    match side {
        Side::Bid => (price.ask_price_e4, price.ask_count_centi),
        Side::Ask => (price.bid_price_e4, price.bid_count_centi),
    }
}

/// Fee of taking one contract, rounded up as the venue rounds it.
fn fee_e4(price: &PriceUpdate, at_e4: u16) -> i64 {
    fee_micros(price.fee_rate_e4, at_e4, CENTICONTRACTS_PER_CONTRACT).div_euclid(MICROS_PER_E4)
}

/// The same at its worst: a gain that one more fill would undo is not certain.
fn worst_fee_e4(price: &PriceUpdate, at_e4: u16) -> i64 {
    worst_fee_micros(price.fee_rate_e4, at_e4, CENTICONTRACTS_PER_CONTRACT)
        .div_euclid(MICROS_PER_E4)
}

/// The better of buying and selling both markets; its gain may be negative.
#[must_use]
pub fn arbitrage(home: &PriceUpdate, away: &PriceUpdate) -> Arbitrage {
    let pair = |side: Side| {
        let (home_price, home_count) = shown(home, side);
        let (away_price, away_count) = shown(away, side);
        let sum = i64::from(home_price) + i64::from(away_price);
        let fees = worst_fee_e4(home, home_price) + worst_fee_e4(away, away_price);
        let gain = side.sign() * (i64::from(E4_PER_DOLLAR) - sum) - fees;
        Arbitrage {
            side,
            gain_e4: clamp_e4(gain),
            count_centi: home_count.min(away_count),
        }
    };
    let (buy, sell) = (pair(Side::Bid), pair(Side::Ask));
    if buy.gain_e4 >= sell.gain_e4 {
        buy
    } else {
        sell
    }
}

/// What a contract is held to be worth: the model and the market's own mid by weight. A model does
/// not know all that the market knows (a quarterback's injury, say), so it is never trusted alone.
#[must_use]
pub fn blend(price: &PriceUpdate, model_e4: u16, weight_percent: u8) -> u16 {
    let weight = u32::from(weight_percent.min(100));
    let twice_mid = u32::from(price.bid_price_e4) + u32::from(price.ask_price_e4);
    // Over 200 with half of it added: rounded to the nearest, and no more than the greater of both.
    let sum = 2 * weight * u32::from(model_e4) + (100 - weight) * twice_mid;
    u16::try_from((sum + 100) / 200)
        .unwrap_or(E4_PER_DOLLAR)
        .min(E4_PER_DOLLAR)
}

/// The better of buying and selling at what the book shows; its edge may be negative.
#[must_use]
pub fn model_edge(price: &PriceUpdate, fair_e4: u16) -> Edge {
    let take = |side: Side| {
        let (price_e4, count_centi) = shown(price, side);
        let gross = side.sign() * (i64::from(fair_e4) - i64::from(price_e4));
        let edge_e4 = clamp_e4(gross - fee_e4(price, price_e4));
        Edge {
            side,
            price_e4,
            count_centi,
            edge_e4,
        }
    };
    let (buy, sell) = (take(Side::Bid), take(Side::Ask));
    if buy.edge_e4 >= sell.edge_e4 {
        buy
    } else {
        sell
    }
}

/// The value that the field of a message can hold: with sane fee rates it always fits.
fn clamp_e4(value: i64) -> i16 {
    i16::try_from(value).unwrap_or(if value < 0 { i16::MIN } else { i16::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;
    use proptest::prelude::*;

    fn quote(bid: u16, ask: u16) -> PriceUpdate {
        PriceUpdate {
            bid_price_e4: bid,
            ask_price_e4: ask,
            bid_count_centi: 1_000,
            ask_count_centi: 700,
            fee_rate_e4: 700,
            ..PriceUpdate::zeroed()
        }
    }

    #[test]
    fn buying_both_gains_what_the_dollar_leaves_after_both_fees() {
        let found = arbitrage(&quote(4_000, 4_200), &quote(5_000, 5_200));
        // 1 - 0.42 - 0.52 = 0.06; fees of 0.0171 and 0.0175 as one fill, 0.02 each in 100 pieces.
        assert_eq!(
            found,
            Arbitrage {
                side: Side::Bid,
                gain_e4: 600 - 200 - 200,
                count_centi: 700
            }
        );
    }

    #[test]
    fn selling_both_gains_what_exceeds_the_dollar() {
        let found = arbitrage(&quote(5_000, 5_100), &quote(5_600, 5_700));
        assert_eq!(
            found,
            Arbitrage {
                side: Side::Ask,
                gain_e4: 600 - 200 - 200,
                count_centi: 1_000
            }
        );
    }

    /// VENUE 8.4: the edge was in cents, the threshold in percent. Here both are 1/10,000 dollar.
    #[test]
    fn lesson_4_edges_are_in_the_unit_of_the_threshold() {
        let edge = model_edge(&quote(4_800, 5_000), 5_500);
        assert_eq!(
            (edge.side, edge.price_e4, edge.edge_e4),
            (Side::Bid, 5_000, 500 - 175)
        );
    }

    #[test]
    fn the_blend_lies_between_model_and_mid() {
        let price = quote(4_000, 4_200);
        assert_eq!(blend(&price, 6_000, 0), 4_100);
        assert_eq!(blend(&price, 6_000, 100), 6_000);
        assert_eq!(blend(&price, 6_000, 30), 4_670);
    }

    proptest! {
        /// Whatever the game's end, and in however many pieces each leg is filled, the pair gains what was told.
        #[test]
        fn an_arbitrage_gains_in_every_outcome(
            home_bid in 1_u16..9_998, away_bid in 1_u16..9_998, spread in 1_u16..300, rate in 0_u16..1_000,
            pieces in [1_u32..=100, 1..=100],
        ) {
            let at = |bid: u16| PriceUpdate { fee_rate_e4: rate, ..quote(bid, (bid + spread).min(9_999)) };
            let (home, away) = (at(home_bid), at(away_bid));
            let found = arbitrage(&home, &away);
            let legs = [shown(&home, found.side).0, shown(&away, found.side).0];
            for home_pays in [0_i64, 5_000, 10_000] {
                let pays = [home_pays, 10_000 - home_pays];
                let gain: i64 = legs.iter().zip(pays).zip(pieces).map(|((price, pay), piece)| {
                    let fees: i64 = fee_micros(rate, *price, piece) * i64::from(100 / piece)
                        + fee_micros(rate, *price, 100 % piece);
                    found.side.sign() * (pay - i64::from(*price)) * 100 - fees
                }).sum();
                prop_assert!(gain >= i64::from(found.gain_e4) * 100);
            }
        }

        #[test]
        fn an_edge_never_exceeds_the_distance_to_fair(bid in 1_u16..9_998, fair in 0_u16..=10_000) {
            let edge = model_edge(&quote(bid, bid + 1), fair);
            prop_assert!(i32::from(edge.edge_e4) <= i32::from(fair.abs_diff(edge.price_e4)));
        }
    }
}
