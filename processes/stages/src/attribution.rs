//! What profit and loss came of: pairs of an arbitrage, legs of one that stayed alone, or the opinion of the model.
//!
//! Two legs of an arbitrage make pairs as far as both filled. A pair pays a dollar whatever happens, so its result is
//! certain before the game is over. What one leg filled beyond the other is no arbitrage: it is told apart, and counts like
//! any single order, when its market is decided.
//!
//! Order ids begin anew with each launch, and the books of a real account go through many: an order is what one launch
//! called by its id, in one market and on one side. Only legs of one launch, in different markets and on the same side, are
//! an arbitrage. Of fills whose launch is not known nothing says that two belong together: they make no pairs.
//!
//! Where as much was sold as was bought, the result is certain too, and the venue, which pays nothing there, never tells a
//! decision: each of these orders counts at the mean price of them all.
//!
//! Law: once all markets are decided or flat, the gains less the fees are the cash of the
//! [`PositionBook`](crate::positions::PositionBook).

use layouts::signal::{kind_of, other_leg};
use layouts::units::{E4_PER_DOLLAR, cost_micros};
use layouts::{Fill, Side, SignalKind};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// What came of one kind of order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Contracts traded whose result is certain; of pairs, pairs. 1/100 contract.
    pub decided_centi: i64,
    /// What they gained or lost, without fees.
    pub gain_micros: i64,
    /// Fees of all contracts traded, decided or not.
    pub fees_micros: i64,
    /// Contracts traded whose market is not decided, 1/100 contract.
    pub open_centi: i64,
}

/// All of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Attribution {
    /// Contracts of both legs of an arbitrage, one against one.
    pub arbitrage: Part,
    /// What one leg of an arbitrage filled beyond the other.
    pub lone_legs: Part,
    /// Contracts traded on the model's opinion.
    pub model: Part,
}

/// An order: the launch that made it, its id there, and what it was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Name<'a> {
    launch: &'a str,
    order: u64,
    market: u32,
    is_ask: bool,
}

/// The fills of orders.
struct Orders<'a>(BTreeMap<Name<'a>, Filled>);

/// All fills of one order.
#[derive(Debug, Clone, Copy)]
struct Filled {
    market: u32,
    side: Side,
    count_centi: i64,
    /// Money in less money out, without fees.
    flow_micros: i64,
    fees_micros: i64,
}

impl Part {
    /// What it gained or lost after fees, as far as it is certain.
    #[must_use]
    pub fn net_micros(&self) -> i64 {
        self.gain_micros - self.fees_micros
    }

    /// Adds what an order traded in one market.
    fn add(&mut self, filled: &Filled, value_e4: Option<u16>) {
        self.fees_micros += filled.fees_micros;
        match value_e4 {
            None => self.open_centi += filled.count_centi,
            Some(value) => {
                let pays = filled.side.sign() * i64::from(value) * filled.count_centi;
                self.gain_micros += pays + filled.flow_micros;
                self.decided_centi += filled.count_centi;
            }
        }
    }

    /// Adds pairs: as many of each leg.
    fn add_pairs(&mut self, legs: [&Filled; 2]) {
        let [one, other] = legs;
        let pays = one.side.sign() * i64::from(E4_PER_DOLLAR) * one.count_centi;
        self.gain_micros += pays + one.flow_micros + other.flow_micros;
        self.fees_micros += one.fees_micros + other.fees_micros;
        self.decided_centi += one.count_centi;
    }
}

impl Attribution {
    /// Of all fills, each booked once, with the launch that ordered it, which is empty where it is not known; `decided` is
    /// the value of a market's contract once it is known, 1/10,000 dollar. Fills whose bytes mean nothing count nowhere, as
    /// in the book.
    pub fn of<'a>(
        fills: impl IntoIterator<Item = (&'a str, &'a Fill)>,
        decided: impl Fn(u32) -> Option<u16>,
    ) -> Self {
        let orders = Orders::of(fills);
        let flat = Flat::of(&orders);
        let decided = |market| flat.value(market, &decided);
        let mut all = Self::default();
        for (name, filled) in &orders.0 {
            if kind_of(name.order) == SignalKind::ModelEdge {
                all.model.add(filled, decided(filled.market));
                continue;
            }
            let other = orders.other_leg(name);
            let paired = other.map_or(0, |other| other.count_centi.min(filled.count_centi));
            let (in_pairs, alone) = filled.split(paired);
            // Each pair once, when its first leg is looked at.
            if let Some(other) = other.filter(|_| name.order < other_leg(name.order)) {
                all.arbitrage.add_pairs([&in_pairs, &other.split(paired).0]);
            }
            if alone.count_centi > 0 {
                all.lone_legs.add(&alone, decided(alone.market));
            }
        }
        all
    }

    /// The sum of all kinds after fees, as far as it is certain.
    #[must_use]
    pub fn net_micros(&self) -> i64 {
        let parts = [&self.arbitrage, &self.lone_legs, &self.model];
        parts.into_iter().map(Part::net_micros).sum()
    }
}

impl<'a> Orders<'a> {
    fn of(fills: impl IntoIterator<Item = (&'a str, &'a Fill)>) -> Self {
        let mut orders = BTreeMap::<Name<'a>, Filled>::new();
        for (launch, fill) in fills {
            let side = fill.side().filter(|_| fill.price_e4 <= E4_PER_DOLLAR);
            let Some(side) = side else { continue };
            let name = Name {
                launch,
                order: fill.order,
                market: fill.market,
                is_ask: side == Side::Ask,
            };
            let filled = orders.entry(name).or_insert(Filled {
                market: fill.market,
                side,
                count_centi: 0,
                flow_micros: 0,
                fees_micros: 0,
            });
            filled.count_centi += i64::from(fill.count_centi);
            filled.flow_micros -= side.sign() * cost_micros(fill.price_e4, fill.count_centi);
            filled.fees_micros += i64::from(fill.fee_micros);
        }
        Self(orders)
    }

    /// What makes pairs with an order of an arbitrage.
    fn other_leg(&self, name: &Name<'a>) -> Option<&Filled> {
        (kind_of(name.order) == SignalKind::Arbitrage && !name.launch.is_empty()).then_some(())?;
        let other = other_leg(name.order);
        let from = |order, market, is_ask| Name {
            order,
            market,
            is_ask,
            ..*name
        };
        // An id has one order in a launch, so there is one or none; were there more, nobody could say which is meant.
        let named = |order| {
            self.0
                .range(from(order, 0, false)..=from(order, u32::MAX, true))
        };
        let (leg, filled) = named(other).next()?;
        let alone = named(other).nth(1).is_none() && named(name.order).nth(1).is_none();
        (alone && leg.market != name.market && leg.is_ask == name.is_ask).then_some(filled)
    }
}

/// Markets that are flat, and which two pay a dollar together.
struct Flat {
    /// Mean price by market, 1/10,000 dollar.
    mean_e4: HashMap<u32, u16>,
    /// The market of the other leg, of markets in which an arbitrage was made.
    other: HashMap<u32, u32>,
}

impl Flat {
    fn of(orders: &Orders<'_>) -> Self {
        let mut sums = HashMap::<u32, (i64, i64, i128)>::new();
        let mut other = HashMap::new();
        for (name, filled) in &orders.0 {
            let (held, traded, cost) = sums.entry(filled.market).or_default();
            *held += filled.side.sign() * filled.count_centi;
            *traded += filled.count_centi;
            *cost += i128::from(filled.flow_micros.abs());
            if let Some(leg) = orders.other_leg(name) {
                other.insert(filled.market, leg.market);
            }
        }
        let flat = sums.into_iter().filter(|(_, (held, ..))| *held == 0);
        let mean_e4 = flat.filter_map(|(market, (_, traded, cost))| {
            let mean = cost.checked_div(traded.into())?;
            Some((market, u16::try_from(mean).ok()?))
        });
        Self {
            mean_e4: mean_e4.collect(),
            other,
        }
    }

    /// What a contract counts as: by its decision, else by that of the other leg's market, which pays the rest of the
    /// dollar that makes pairs certain, else by the mean price where the market is flat, and all that it is paired with.
    fn value(&self, market: u32, decided: impl Fn(u32) -> Option<u16>) -> Option<u16> {
        let rest = |value: u16| E4_PER_DOLLAR.saturating_sub(value);
        let mean = |market| self.mean_e4.get(&market).copied();
        if let Some(value) = decided(market) {
            return Some(value);
        }
        let own = mean(market)?;
        let Some(other) = self.other.get(&market).copied() else {
            return Some(own);
        };
        decided(other)
            .map(rest)
            .or_else(|| mean(other).map(|its| if market < other { own } else { rest(its) }))
    }
}

impl Filled {
    /// So many contracts of it, and the rest: money is shared out by count, and what does not divide stays in the rest.
    fn split(&self, count_centi: i64) -> (Self, Self) {
        let part = |amount: i64| {
            let part =
                i128::from(amount) * i128::from(count_centi) / i128::from(self.count_centi.max(1));
            // No more than the amount itself.
            i64::try_from(part).unwrap_or(amount)
        };
        let first = Self {
            count_centi,
            flow_micros: part(self.flow_micros),
            fees_micros: part(self.fees_micros),
            ..*self
        };
        let rest = Self {
            count_centi: self.count_centi - count_centi,
            flow_micros: self.flow_micros - first.flow_micros,
            fees_micros: self.fees_micros - first.fees_micros,
            ..*self
        };
        (first, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::positions::PositionBook;
    use bytemuck::Zeroable;
    use layouts::signal::signal_id;
    use proptest::prelude::*;

    fn fill(trade: u128, order: u64, market: u32, count_centi: u32, price_e4: u16) -> Fill {
        Fill {
            trade: trade.to_be_bytes(),
            order,
            market,
            count_centi,
            price_e4,
            fee_micros: 100,
            ..Fill::zeroed()
        }
    }

    /// Of the fills of one launch.
    fn of(fills: &[Fill], decided: impl Fn(u32) -> Option<u16>) -> Attribution {
        Attribution::of(fills.iter().map(|fill| ("launch", fill)), decided)
    }

    fn leg(sequence: u64, leg: u8) -> u64 {
        signal_id(0, false, sequence, SignalKind::Arbitrage, leg)
    }

    #[test]
    fn a_pair_is_certain_before_the_game_is_over_and_the_rest_of_a_leg_is_no_arbitrage() {
        let fills = [
            fill(1, leg(1, 0), 10, 300, 4_000),
            fill(2, leg(1, 1), 11, 100, 5_000),
            fill(3, leg(1, 1), 11, 100, 5_200),
        ];
        let found = of(&fills, |_| None);
        // Two pairs at 0.40 and 0.51 on average leave 9 cents each.
        assert_eq!(found.arbitrage.decided_centi, 200);
        assert_eq!(found.arbitrage.gain_micros, 2 * 90_000);
        assert_eq!(found.arbitrage.fees_micros, 66 + 200);
        assert_eq!(
            (found.lone_legs.open_centi, found.lone_legs.fees_micros),
            (100, 34)
        );
        assert_eq!(found.model, Part::default());
        let lost = of(&fills, |market| Some(if market == 10 { 0 } else { 10_000 }));
        assert_eq!(lost.arbitrage.gain_micros, 180_000);
        assert_eq!(lost.lone_legs.gain_micros, -400_000);
    }

    #[test]
    fn a_leg_without_the_other_is_told_apart_from_the_models_opinion() {
        let model = signal_id(0, false, 2, SignalKind::ModelEdge, 0);
        let fills = [
            fill(1, leg(1, 1), 11, 100, 5_000),
            fill(2, model, 12, 100, 3_000),
        ];
        let found = of(&fills, |_| Some(10_000));
        assert_eq!(found.arbitrage, Part::default());
        assert_eq!(found.lone_legs.gain_micros, 500_000);
        assert_eq!(found.model.gain_micros, 700_000);
        assert_eq!(found.net_micros(), 1_200_000 - 200);
    }

    /// A leg of one launch and the other leg of another, with ids of the same ring sequence, counted as a pair.
    #[test]
    fn legs_of_two_launches_that_share_an_id_make_no_pair() {
        let legs = [
            fill(1, leg(1, 0), 10, 100, 4_000),
            fill(2, leg(1, 1), 21, 100, 5_000),
        ];
        let decided = |market| Some(if market == 10 { 10_000 } else { 0 });
        let found = Attribution::of(["a", "b"].into_iter().zip(&legs), decided);
        assert_eq!(found.arbitrage, Part::default());
        assert_eq!(found.lone_legs.gain_micros, 600_000 - 500_000);
        let unknown = Attribution::of(["", ""].into_iter().zip(&legs), decided);
        assert_eq!(unknown, found, "nothing says that they belong together");
        let pair = Attribution::of(["a", "a"].into_iter().zip(&legs), decided);
        assert_eq!(pair.arbitrage.gain_micros, 100_000);
    }

    #[test]
    fn orders_of_two_launches_that_share_an_id_stay_in_their_markets() {
        let model = signal_id(0, false, 2, SignalKind::ModelEdge, 0);
        let fills = [
            fill(1, model, 12, 100, 3_000),
            fill(2, model, 13, 300, 2_000),
        ];
        for launches in [["a", "b"], ["", ""]] {
            let found = Attribution::of(launches.into_iter().zip(&fills), |market| {
                (market == 12).then_some(10_000)
            });
            assert_eq!(
                (found.model.decided_centi, found.model.gain_micros),
                (100, 700_000)
            );
            assert_eq!(found.model.open_centi, 300);
        }
    }

    #[test]
    fn only_two_markets_on_one_side_are_an_arbitrage() {
        let pays = |one: Fill, other: Fill| of(&[one, other], |_| Some(5_000)).arbitrage;
        let (one, other) = (
            fill(1, leg(1, 0), 10, 100, 4_000),
            fill(2, leg(1, 1), 11, 100, 5_000),
        );
        assert_eq!(pays(one, other).decided_centi, 100);
        let same_market = Fill {
            market: 10,
            ..other
        };
        let other_side = Fill { side: 1, ..other };
        for shape in [same_market, other_side] {
            assert_eq!(pays(one, shape), Part::default());
        }
    }

    /// Orders of either kind in the two markets of a few games, each filled in up to three parts.
    fn trades() -> impl Strategy<Value = Vec<Fill>> {
        let part = (1_u32..5_000, 1_u16..10_000, 0_u32..20_000);
        let order = (
            0_u64..6,
            any::<bool>(),
            0_u8..2,
            prop::collection::vec(part, 1..4),
        );
        prop::collection::vec(order, 0..16).prop_map(|orders| {
            let mut fills = Vec::new();
            for (sequence, is_pair, leg, parts) in orders {
                let kind = if is_pair {
                    SignalKind::Arbitrage
                } else {
                    SignalKind::ModelEdge
                };
                for (count_centi, price_e4, fee_micros) in parts {
                    let game = u32::try_from(sequence).unwrap();
                    fills.push(Fill {
                        trade: (fills.len() as u128).to_be_bytes(),
                        order: signal_id(0, false, sequence, kind, leg),
                        market: 2 * game + u32::from(leg),
                        count_centi,
                        price_e4,
                        fee_micros,
                        // Both legs of one input are on one side.
                        side: (sequence % 2) as u8,
                        ..Fill::zeroed()
                    });
                }
            }
            fills
        })
    }

    proptest! {
        #[test]
        fn all_kinds_together_make_the_cash_of_the_book(fills in trades(), home in prop::sample::select(vec![0_u16, 5_000, 10_000])) {
            // The two markets of a game pay a dollar together, in a tie too.
            let value = |market: u32| if market.is_multiple_of(2) { home } else { E4_PER_DOLLAR - home };
            let found = of(&fills, |market| Some(value(market)));
            let mut book = PositionBook::default();
            for fill in &fills {
                book.fill(fill);
                book.settle(fill.market, value(fill.market));
            }
            prop_assert_eq!(found.net_micros(), book.total().cash_micros);
            prop_assert_eq!(found.arbitrage.open_centi + found.lone_legs.open_centi + found.model.open_centi, 0);
        }

        /// The same ids again in a second launch, in other markets.
        #[test]
        fn launches_do_not_mix(first in trades(), second in trades(), home in prop::sample::select(vec![0_u16, 5_000, 10_000])) {
            let value = |market: u32| Some(if market.is_multiple_of(2) { home } else { E4_PER_DOLLAR - home });
            let second: Vec<Fill> = second.iter().map(|fill| Fill { market: fill.market + 100, ..*fill }).collect();
            let fills = first.iter().map(|fill| ("a", fill)).chain(second.iter().map(|fill| ("b", fill)));
            let (both, one, other) = (Attribution::of(fills, value), of(&first, value), of(&second, value));
            prop_assert_eq!(both.net_micros(), one.net_micros() + other.net_micros());
            prop_assert_eq!(both.arbitrage.decided_centi, one.arbitrage.decided_centi + other.arbitrage.decided_centi);
        }

        /// Of a market in which nothing is held at the end the venue tells no decision.
        #[test]
        fn what_was_sold_again_is_certain_without_a_decision(mut fills in trades(), price_e4 in 1_u16..10_000, settled in any::<bool>()) {
            let mut book = PositionBook::default();
            for fill in &fills {
                book.fill(fill);
            }
            let held: Vec<(u32, i64)> = book.markets().map(|(market, position)| (market, position.position_centi)).collect();
            for (market, held) in held {
                // One market of each game is left to its decision, in half of the cases.
                if settled && market.is_multiple_of(2) {
                    book.settle(market, E4_PER_DOLLAR);
                    continue;
                }
                let order = signal_id(0, false, 100 + u64::from(market), SignalKind::ModelEdge, 0);
                let trade = 1_000_000 + u128::from(market);
                let count = u32::try_from(held.abs()).unwrap();
                let close = Fill { side: u8::from(held > 0), ..fill(trade, order, market, count, price_e4) };
                book.fill(&close);
                fills.push(close);
            }
            let found = of(&fills, |market| book.market(market).and_then(|held| held.settled_e4));
            prop_assert_eq!(found.net_micros(), book.total().cash_micros);
            prop_assert_eq!(found.arbitrage.open_centi + found.lone_legs.open_centi + found.model.open_centi, 0);
        }
    }
}
