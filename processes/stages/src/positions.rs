//! The stage of `position_tracker`: what we hold and what it cost, from fills and settlements.
//!
//! Integers only; micro-dollars hold price x count exactly. Booking is idempotent by the venue's
//! trade id, a settlement by its market. Fills and settlements may come in any order: a fill of a
//! settled market is settled at once.
//!
//! Law, for every market and all together: `cash = realised - fees - cost of what is open`.

use layouts::units::{E4_PER_DOLLAR, cost_micros};
use layouts::{Fill, Side};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};

/// What booking did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Booked {
    /// It was new.
    New,
    /// It was booked before; nothing changed.
    Again,
    /// It revises what was booked before; what it moved is booked anew.
    Amended,
    /// Its bytes mean nothing; nothing changed.
    Refused,
}

/// How the venue has settled a market.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settlement {
    /// What a contract of YES pays, 1/10,000 dollar.
    pub value_e4: u16,
    /// What we were paid beyond that: the venue pays whole cents, and may state a value that is rounded to them.
    pub remainder_micros: i64,
}

impl From<u16> for Settlement {
    /// One that pays exactly its value.
    fn from(value_e4: u16) -> Self {
        Self {
            value_e4,
            remainder_micros: 0,
        }
    }
}

impl Settlement {
    /// What it pays for a position, 1/100 contract, with the dollar that the venue keeps for a short: negative there.
    #[must_use]
    pub fn payout_micros(&self, held_centi: i64) -> i64 {
        match held_centi {
            0 => 0,
            held => i64::from(self.value_e4) * held + self.remainder_micros,
        }
    }
}

/// One market.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Position {
    /// Long YES positive, 1/100 contract.
    pub position_centi: i64,
    /// What the open position cost without fees; negative for a short.
    pub open_cost_micros: i64,
    /// Gained or lost on what was closed or settled, without fees.
    pub realised_micros: i64,
    /// Fees paid.
    pub fees_micros: i64,
    /// What flowed in, less what flowed out.
    pub cash_micros: i64,
    /// Value of a contract once decided, 1/10,000 dollar.
    pub settled_e4: Option<u16>,
    /// What was held when it was decided, 1/100 contract: a revised value is paid on that.
    #[serde(skip)]
    held_centi: i64,
    /// What was paid beyond the value, as told, and as booked: of nothing that was held nothing is paid.
    #[serde(skip)]
    remainder_told_micros: i64,
    #[serde(skip)]
    remainder_micros: i64,
}

/// All markets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PositionBook {
    markets: BTreeMap<u32, Position>,
    trades: HashSet<[u8; 16]>,
}

impl Position {
    /// Gained or lost so far after fees, the open position at cost.
    #[must_use]
    pub fn pnl_micros(&self) -> i64 {
        self.realised_micros - self.fees_micros
    }

    /// Money that the venue holds against a short: a dollar a contract.
    #[must_use]
    pub fn collateral_micros(&self) -> i64 {
        (-self.position_centi).max(0) * i64::from(E4_PER_DOLLAR)
    }

    /// What it would gain or lose on what is open, without fees, if that were closed at this price; 1/10,000 dollar.
    #[must_use]
    pub fn unrealised_micros(&self, price_e4: u16) -> i64 {
        i64::from(price_e4) * self.position_centi - self.open_cost_micros
    }

    fn trade(&mut self, change_centi: i64, flow_micros: i64) {
        self.cash_micros += flow_micros;
        let held = self.position_centi;
        let closing = held.signum() * change_centi.signum() < 0;
        if !closing {
            self.position_centi += change_centi;
            self.open_cost_micros -= flow_micros;
            return;
        }
        let closed = change_centi.abs().min(held.abs());
        // Rounding stays in what is left open, so nothing is ever lost; closing all takes all.
        let basis = share(self.open_cost_micros, closed, held.abs());
        let proceeds = share(flow_micros, closed, change_centi.abs());
        self.realised_micros += proceeds - basis;
        self.open_cost_micros -= basis;
        // What goes beyond flat opens the other way.
        self.open_cost_micros -= flow_micros - proceeds;
        self.position_centi += change_centi;
    }

    fn settle(&mut self, value_e4: u16) {
        let payout = i64::from(value_e4) * self.position_centi;
        self.gain(payout);
        self.realised_micros -= self.open_cost_micros;
        self.held_centi += self.position_centi;
        (self.position_centi, self.open_cost_micros) = (0, 0);
        self.settled_e4 = Some(value_e4);
    }

    fn amend(&mut self, before_e4: u16, value_e4: u16) {
        let change = (i64::from(value_e4) - i64::from(before_e4)) * self.held_centi;
        self.gain(change);
        self.settled_e4 = Some(value_e4);
    }

    /// Books what was paid beyond the value, in place of what was before.
    fn round(&mut self) {
        let remainder_micros = match self.held_centi {
            0 => 0,
            _ => self.remainder_told_micros,
        };
        self.gain(remainder_micros - self.remainder_micros);
        self.remainder_micros = remainder_micros;
    }

    fn gain(&mut self, micros: i64) {
        self.cash_micros += micros;
        self.realised_micros += micros;
    }
}

impl PositionBook {
    /// Books an execution.
    pub fn fill(&mut self, fill: &Fill) -> Booked {
        let Some(side) = fill.side().filter(|_| fill.price_e4 <= E4_PER_DOLLAR) else {
            return Booked::Refused;
        };
        if !self.trades.insert(fill.trade) {
            return Booked::Again;
        }
        let market = self.markets.entry(fill.market).or_default();
        let sign = side.sign();
        let cost = cost_micros(fill.price_e4, fill.count_centi);
        market.trade(sign * i64::from(fill.count_centi), -sign * cost);
        market.fees_micros += i64::from(fill.fee_micros);
        market.cash_micros -= i64::from(fill.fee_micros);
        if let Some(value) = market.settled_e4 {
            market.settle(value);
            market.round();
        }
        Booked::New
    }

    /// Books the decision of a market. The venue may revise it: the last word counts.
    pub fn settle(&mut self, market: u32, settlement: impl Into<Settlement>) -> Booked {
        let Settlement {
            value_e4,
            remainder_micros,
        } = settlement.into();
        if value_e4 > E4_PER_DOLLAR {
            return Booked::Refused;
        }
        let market = self.markets.entry(market).or_default();
        let before = (market.settled_e4, market.remainder_told_micros);
        market.remainder_told_micros = remainder_micros;
        match before.0 {
            Some(before) => market.amend(before, value_e4),
            None => market.settle(value_e4),
        }
        market.round();
        match before {
            (None, _) => Booked::New,
            before if before == (Some(value_e4), remainder_micros) => Booked::Again,
            _ => Booked::Amended,
        }
    }

    /// Every market with a fill or a settlement, by number.
    pub fn markets(&self) -> impl Iterator<Item = (u32, &Position)> {
        self.markets
            .iter()
            .map(|(market, position)| (*market, position))
    }

    /// One market.
    #[must_use]
    pub fn market(&self, market: u32) -> Option<&Position> {
        self.markets.get(&market)
    }

    /// Executions booked.
    #[must_use]
    pub fn fills(&self) -> usize {
        self.trades.len()
    }

    /// The sum over all markets; its `settled_e4` says nothing.
    #[must_use]
    pub fn total(&self) -> Position {
        self.markets
            .values()
            .fold(Position::default(), |sum, market| Position {
                position_centi: sum.position_centi + market.position_centi,
                open_cost_micros: sum.open_cost_micros + market.open_cost_micros,
                realised_micros: sum.realised_micros + market.realised_micros,
                fees_micros: sum.fees_micros + market.fees_micros,
                cash_micros: sum.cash_micros + market.cash_micros,
                settled_e4: None,
                held_centi: 0,
                remainder_told_micros: 0,
                remainder_micros: 0,
            })
    }

    /// Collateral of all shorts, which the venue takes out of the balance.
    #[must_use]
    pub fn collateral_micros(&self) -> i64 {
        self.markets.values().map(Position::collateral_micros).sum()
    }
}

/// The part of an amount that falls to `part` contracts of `whole`, towards zero. A product of money
/// and contracts can be larger than either's integers hold.
fn share(amount: i64, part: i64, whole: i64) -> i64 {
    let share = i128::from(amount) * i128::from(part) / i128::from(whole);
    // A part of the amount is no larger than the amount.
    i64::try_from(share).unwrap_or(amount)
}

/// What a fill moves: money in less money out, fee included.
#[must_use]
pub fn flow_micros(side: Side, price_e4: u16, count_centi: u32, fee_micros: u32) -> i64 {
    -side.sign() * cost_micros(price_e4, count_centi) - i64::from(fee_micros)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;
    use proptest::prelude::*;

    fn fill(trade: u8, side: Side, count_centi: u32, price_e4: u16) -> Fill {
        Fill {
            trade: [trade; 16],
            market: 7,
            count_centi,
            price_e4,
            fee_micros: 100 * u32::from(trade),
            side: side as u8,
            ..Fill::zeroed()
        }
    }

    #[test]
    fn buying_and_selling_part_realises_the_difference_to_the_average() {
        let mut book = PositionBook::default();
        book.fill(&fill(1, Side::Bid, 100, 4_000));
        book.fill(&fill(2, Side::Bid, 300, 6_000));
        assert_eq!(
            book.market(7).map(|position| position.open_cost_micros),
            Some(5_500 * 400)
        );
        book.fill(&fill(3, Side::Ask, 200, 7_000));
        let position = book.market(7).copied().unwrap();
        assert_eq!(position.position_centi, 200);
        assert_eq!(position.realised_micros, (7_000 - 5_500) * 200);
        assert_eq!(position.fees_micros, 600);
        assert_eq!(position.cash_micros, -400_000 - 1_800_000 + 1_400_000 - 600);
    }

    #[test]
    fn what_is_open_is_worth_what_closing_it_brings() {
        for (side, closes, price_e4, micros) in [
            (Side::Bid, Side::Ask, 5_500, 3_000 * 300),
            (Side::Ask, Side::Bid, 3_000, -500 * 300),
        ] {
            let mut book = PositionBook::default();
            book.fill(&fill(1, side, 100, 2_500));
            book.fill(&fill(2, side, 200, 2_500));
            let open = book.total().unrealised_micros(price_e4);
            assert_eq!(open, micros);
            book.fill(&fill(3, closes, 300, price_e4));
            assert_eq!(book.total().realised_micros, micros);
            assert_eq!(book.total().unrealised_micros(price_e4), 0);
        }
    }

    #[test]
    fn selling_beyond_flat_opens_a_short_at_its_own_price() {
        let mut book = PositionBook::default();
        book.fill(&fill(1, Side::Bid, 100, 4_000));
        book.fill(&fill(2, Side::Ask, 300, 6_000));
        let position = book.market(7).copied().unwrap();
        assert_eq!(
            (position.position_centi, position.open_cost_micros),
            (-200, -1_200_000)
        );
        assert_eq!(position.realised_micros, 200_000);
        assert_eq!(position.collateral_micros(), 2_000_000);
    }

    /// VENUE 8.12: fractions of an order are fills like any other.
    #[test]
    fn lesson_12_partial_fills_of_fractions_are_booked() {
        let mut book = PositionBook::default();
        for (trade, count) in [(1, 1), (2, 552), (3, 47)] {
            assert_eq!(
                book.fill(&fill(trade, Side::Bid, count, 1_700)),
                Booked::New
            );
        }
        assert_eq!(
            book.market(7).map(|position| position.position_centi),
            Some(600)
        );
        assert_eq!(book.fill(&fill(2, Side::Bid, 552, 1_700)), Booked::Again);
        assert_eq!(book.fills(), 3);
    }

    /// Half a million contracts at a price: cost times count leaves 64 bits.
    #[test]
    fn a_large_position_closes_without_overflow() {
        let mut book = PositionBook::default();
        book.fill(&fill(1, Side::Bid, u32::MAX, 9_000));
        book.fill(&fill(2, Side::Bid, u32::MAX, 9_000));
        book.fill(&fill(3, Side::Ask, u32::MAX, 9_500));
        let position = book.market(7).copied().unwrap();
        let contracts = i64::from(u32::MAX);
        assert_eq!(position.realised_micros, 500 * contracts);
        assert_eq!(position.open_cost_micros, 9_000 * contracts);
    }

    #[test]
    fn what_means_nothing_is_refused() {
        let mut book = PositionBook::default();
        assert_eq!(
            book.fill(&Fill {
                side: 9,
                ..fill(1, Side::Bid, 1, 1)
            }),
            Booked::Refused
        );
        assert_eq!(book.fill(&fill(1, Side::Bid, 1, 10_001)), Booked::Refused);
        assert_eq!(book.settle(7, 10_001), Booked::Refused);
        assert_eq!(book.settle(7, 10_000), Booked::New);
        assert_eq!(book.settle(7, 10_000), Booked::Again);
    }

    #[test]
    fn a_revised_decision_is_paid_as_if_it_had_been_the_first() {
        let (mut revised, mut right) = (PositionBook::default(), PositionBook::default());
        for book in [&mut revised, &mut right] {
            book.fill(&fill(1, Side::Bid, 300, 4_000));
            book.fill(&fill(2, Side::Ask, 100, 7_000));
        }
        assert_eq!(revised.settle(7, 10_000), Booked::New);
        assert_eq!(revised.settle(7, 0), Booked::Amended);
        assert_eq!(revised.settle(7, 0), Booked::Again);
        right.settle(7, 0);
        assert_eq!(revised, right);
        assert_eq!(revised.total().realised_micros, 3_000 * 100 - 4_000 * 200);
    }

    #[test]
    fn what_was_paid_beyond_the_value_counts_where_something_was_held() {
        let mut book = PositionBook::default();
        book.fill(&fill(1, Side::Bid, 437, 5_000));
        let paid = |remainder_micros| Settlement {
            value_e4: 5_000,
            remainder_micros,
        };
        for market in [7, 8] {
            assert_eq!(book.settle(market, paid(-5_000)), Booked::New);
            assert_eq!(book.settle(market, paid(-5_000)), Booked::Again);
        }
        assert_eq!(book.total().realised_micros, -5_000);
        assert_eq!(book.settle(7, paid(20)), Booked::Amended);
        assert_eq!(book.settle(7, 10_000), Booked::Amended);
        assert_eq!(book.total().realised_micros, 5_000 * 437);
    }

    fn fills() -> impl Strategy<Value = Vec<Fill>> {
        let one = (
            0_u32..3,
            any::<bool>(),
            1_u32..100_000,
            0_u16..=10_000,
            0_u32..50_000,
        );
        prop::collection::vec(one, 0..40).prop_map(|fills| {
            (0_u128..)
                .zip(fills)
                .map(
                    |(trade, (market, buy, count_centi, price_e4, fee_micros))| Fill {
                        trade: trade.to_be_bytes(),
                        market,
                        count_centi,
                        price_e4,
                        fee_micros,
                        side: if buy { 0 } else { 1 },
                        ..Fill::zeroed()
                    },
                )
                .collect()
        })
    }

    proptest! {
        #[test]
        fn cash_is_what_was_realised_less_fees_and_open_cost(fills in fills(), mark in 0_u16..=10_000) {
            let mut book = PositionBook::default();
            for fill in &fills {
                book.fill(fill);
                let total = book.total();
                prop_assert_eq!(total.cash_micros, total.pnl_micros() - total.open_cost_micros);
            }
            // Marked anywhere, cash and the value held are the flows and the value held.
            let flows: i64 = fills.iter().map(|fill| {
                flow_micros(fill.side().unwrap(), fill.price_e4, fill.count_centi, fill.fee_micros)
            }).sum();
            let held: i64 = fills.iter().map(|fill| {
                fill.side().unwrap().sign() * i64::from(fill.count_centi) * i64::from(mark)
            }).sum();
            prop_assert_eq!(book.total().cash_micros + book.total().position_centi * i64::from(mark), flows + held);
        }

        /// A settlement may come before, between or after the fills, and each may come twice.
        #[test]
        fn the_order_of_settlement_and_late_fills_does_not_matter(
            fills in fills(), values in [0_u16..=10_000, 0_u16..=10_000, 0_u16..=10_000], at in 0_usize..40,
        ) {
            let settle = |book: &mut PositionBook| for (market, value) in (0_u32..).zip(values) {
                let remainder_micros = i64::from(value % 7) - 3;
                book.settle(market, Settlement { value_e4: value, remainder_micros });
            };
            let (mut last, mut between) = (PositionBook::default(), PositionBook::default());
            for (index, fill) in fills.iter().enumerate() {
                last.fill(fill);
                if index == at.min(fills.len() - 1) {
                    settle(&mut between);
                }
                between.fill(fill);
                between.fill(fill);
            }
            // Decided otherwise at first, and revised.
            for market in 0..3 {
                last.settle(market, E4_PER_DOLLAR / 2);
            }
            settle(&mut last);
            settle(&mut between);
            prop_assert_eq!(&last, &between);
            prop_assert_eq!(last.total().position_centi, 0);
            prop_assert_eq!(last.total().cash_micros, last.total().pnl_micros());
        }
    }
}
