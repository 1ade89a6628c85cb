//! The accounts: cash, positions and what they are bound by. The law, for every account and every shard
//! of the venue at all times:
//!
//! ```text
//! balance = deposits + flows - sum over the shard's markets of max(0, -position) x $1
//! flow of a fill       = -sign(side) x price x count - fee
//! flow of a settlement = value x position in whole cents, after which the position is zero
//! ```
//!
//! A short position of one YES locks its dollar: selling at `p` costs `1 - p`, as buying NO does.
//! What is settled pays whole cents, rounded down: the value of what is held, YES or NO.
//! Money of one shard pays for nothing on another: it has to be moved there before.

use layouts::units::{E4_PER_DOLLAR, cost_micros};
use layouts::{MICROS_PER_DOLLAR, Side};
use std::collections::{BTreeMap, BTreeSet};

const MICROS_PER_CENT: i64 = MICROS_PER_DOLLAR / 100;

/// Number of a market within one exchange.
pub(crate) type MarketNumber = usize;
/// Number of one of the venue's shards.
pub(crate) type Shard = u32;

/// What one account holds of one market, and what it did there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Holding {
    /// Where the market is.
    pub(crate) shard: Shard,
    /// Signed, + is long YES.
    pub(crate) position_centi: i64,
    /// Turnover: what every fill cost at the side that it bought, and how many contracts.
    pub(crate) traded_micros: i64,
    pub(crate) traded_centi: i64,
    /// What the open position cost, at the side it is on (NO cost for a short).
    pub(crate) exposure_micros: i64,
    pub(crate) realized_micros: i64,
    pub(crate) fees_micros: i64,
    /// Paid for YES over the market's life, and contracts bought so.
    pub(crate) yes_cost_micros: i64,
    pub(crate) no_cost_micros: i64,
    pub(crate) updated_us: i64,
}

/// One account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    /// What was deposited, by shard.
    deposits: BTreeMap<Shard, i64>,
    /// All that came in and went out since, by shard.
    flows: BTreeMap<Shard, i64>,
    holdings: BTreeMap<MarketNumber, Holding>,
}

/// One fill as the ledger books it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Booking {
    pub(crate) market: MarketNumber,
    pub(crate) shard: Shard,
    pub(crate) side: Side,
    pub(crate) price_e4: u16,
    pub(crate) count_centi: u32,
    pub(crate) fee_micros: i64,
    pub(crate) at_us: i64,
}

impl Account {
    /// Puts money on a shard.
    pub(crate) fn deposit(&mut self, shard: Shard, micros: i64) {
        *self.deposits.entry(shard).or_default() += micros;
    }

    /// Money on a shard that is not locked by a short position there.
    pub(crate) fn shard_micros(&self, shard: Shard) -> i64 {
        let of = |sums: &BTreeMap<Shard, i64>| sums.get(&shard).copied().unwrap_or(0);
        let locked: i64 = self
            .holdings
            .values()
            .filter(|holding| holding.shard == shard)
            .map(|holding| collateral_micros(holding.position_centi))
            .sum();
        of(&self.deposits) + of(&self.flows) - locked
    }

    /// Every shard on which the account has or had money, and what is there.
    pub(crate) fn balances(&self) -> impl Iterator<Item = (Shard, i64)> {
        let shards: BTreeSet<Shard> = self
            .deposits
            .keys()
            .chain(self.flows.keys())
            .copied()
            .collect();
        shards
            .into_iter()
            .map(|shard| (shard, self.shard_micros(shard)))
    }

    /// Money on all shards together.
    pub(crate) fn balance_micros(&self) -> i64 {
        self.balances().map(|(_, micros)| micros).sum()
    }

    /// Sum of all that came in and went out.
    #[cfg(test)]
    pub(crate) fn flows_micros(&self) -> i64 {
        self.flows.values().sum()
    }

    /// Signed position in a market.
    pub(crate) fn position_centi(&self, market: MarketNumber) -> i64 {
        self.holdings
            .get(&market)
            .map_or(0, |holding| holding.position_centi)
    }

    /// Every market in which the account ever traded.
    pub(crate) fn holdings(&self) -> impl Iterator<Item = (MarketNumber, &Holding)> {
        self.holdings
            .iter()
            .map(|(market, holding)| (*market, holding))
    }

    /// Books one fill.
    pub(crate) fn book(&mut self, fill: &Booking) {
        let sign = fill.side.sign();
        let cost = cost_micros(fill.price_e4, fill.count_centi);
        let count = i64::from(fill.count_centi);
        *self.flows.entry(fill.shard).or_default() -= sign * cost + fill.fee_micros;
        let holding = self.holdings.entry(fill.market).or_default();
        holding.shard = fill.shard;
        // In terms of the side bought: YES at the price, or NO at one dollar less the price.
        let own_cost = if sign > 0 {
            cost
        } else {
            count * MICROS_PER_DOLLAR / 100 - cost
        };
        match fill.side {
            Side::Bid => holding.yes_cost_micros += own_cost,
            Side::Ask => holding.no_cost_micros += own_cost,
        }
        let opposed = if holding.position_centi.signum() == -sign {
            count.min(holding.position_centi.abs())
        } else {
            0
        };
        if opposed > 0 {
            // A contract and its opposite pay one dollar together: closing realises the difference.
            let basis = holding.exposure_micros * opposed / holding.position_centi.abs();
            let paid = own_cost * opposed / count;
            holding.exposure_micros -= basis;
            holding.realized_micros += opposed * MICROS_PER_DOLLAR / 100 - basis - paid;
        }
        holding.exposure_micros += own_cost * (count - opposed) / count;
        holding.position_centi += sign * count;
        holding.traded_micros += own_cost;
        holding.traded_centi += count;
        holding.fees_micros += fill.fee_micros;
        holding.updated_us = fill.at_us;
    }

    /// Pays out a market at its value and returns the holding as it was, if there was one.
    pub(crate) fn settle(
        &mut self,
        market: MarketNumber,
        value_e4: u16,
        at_us: i64,
    ) -> Option<Holding> {
        let holding = self.holdings.get_mut(&market)?;
        let before = *holding;
        let payout = settled_micros(before.position_centi, value_e4);
        let flow = payout - collateral_micros(before.position_centi);
        *self.flows.entry(before.shard).or_default() += flow;
        holding.realized_micros += payout - before.exposure_micros;
        holding.position_centi = 0;
        holding.exposure_micros = 0;
        holding.updated_us = at_us;
        Some(before)
    }
}

/// What a short position locks: one dollar a contract.
pub(crate) fn collateral_micros(position_centi: i64) -> i64 {
    (-position_centi).max(0) * (MICROS_PER_DOLLAR / 100)
}

/// What a position is worth at a value of YES: the long its value, the short the value of its NO.
pub(crate) fn payout_micros(position_centi: i64, value_e4: u16) -> i64 {
    let value = if position_centi >= 0 {
        value_e4
    } else {
        E4_PER_DOLLAR - value_e4
    };
    position_centi.abs() * i64::from(value)
}

/// What a settlement pays out for a position: whole cents.
pub(crate) fn settled_micros(position_centi: i64, value_e4: u16) -> i64 {
    let payout = payout_micros(position_centi, value_e4);
    payout - payout % MICROS_PER_CENT
}

/// By how much the balance would fall were these orders to fill at their limits, `0` if it would not.
///
/// Prices of resting bids lie below those of resting asks of one account (self-trade prevention),
/// so the worst outcome is one side filled and the other not.
pub(crate) fn required_micros(
    position_centi: i64,
    bids: &[(u16, u32, i64)],
    asks: &[(u16, u32, i64)],
) -> i64 {
    let one_side = |side: Side, orders: &[(u16, u32, i64)]| {
        let mut position = position_centi;
        let mut flow = 0;
        for (price_e4, count_centi, fee_micros) in orders {
            flow -= side.sign() * cost_micros(*price_e4, *count_centi) + fee_micros;
            position += side.sign() * i64::from(*count_centi);
        }
        collateral_micros(position) - collateral_micros(position_centi) - flow
    };
    one_side(Side::Bid, bids)
        .max(one_side(Side::Ask, asks))
        .max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(side: Side, price_e4: u16, count_centi: u32, fee_micros: i64) -> Booking {
        Booking {
            market: 0,
            shard: 0,
            side,
            price_e4,
            count_centi,
            fee_micros,
            at_us: 1,
        }
    }

    fn with_micros(micros: i64) -> Account {
        let mut account = Account::default();
        account.deposit(0, micros);
        account
    }

    #[test]
    fn a_short_locks_a_dollar_less_the_proceeds() {
        let mut account = with_micros(100_000_000);
        account.book(&fill(Side::Ask, 6_300, 1_000, 16_400));
        assert_eq!(account.balance_micros(), 100_000_000 - 3_700_000 - 16_400);
        account.book(&fill(Side::Bid, 5_000, 1_000, 17_500));
        assert_eq!(account.position_centi(0), 0);
        assert_eq!(
            account.balance_micros(),
            100_000_000 + 1_300_000 - 16_400 - 17_500
        );
        let holding = account
            .holdings()
            .next()
            .map(|(_, holding)| *holding)
            .unwrap_or_default();
        assert_eq!(
            (holding.realized_micros, holding.exposure_micros),
            (1_300_000, 0)
        );
    }

    #[test]
    fn settlement_pays_longs_shorts_and_ties() {
        for (side, value, expected) in [
            (Side::Bid, 10_000, 105_000_000),
            (Side::Bid, 0, 95_000_000),
            (Side::Bid, 5_000, 100_000_000),
            (Side::Ask, 10_000, 95_000_000),
            (Side::Ask, 0, 105_000_000),
            (Side::Ask, 5_000, 100_000_000),
        ] {
            let mut account = with_micros(100_000_000);
            account.book(&fill(side, 5_000, 1_000, 0));
            assert!(account.settle(0, value, 2).is_some());
            assert_eq!(account.balance_micros(), expected, "{side:?} at {value}");
            assert_eq!(account.position_centi(0), 0);
        }
    }

    #[test]
    fn half_a_cent_is_paid_to_nobody() {
        for side in [Side::Bid, Side::Ask] {
            let mut account = with_micros(10_000_000);
            account.book(&fill(side, 5_000, 437, 0));
            assert!(account.settle(0, 5_000, 2).is_some());
            // Bought for 2.185, paid 2.18: YES and NO alike.
            assert_eq!(account.balance_micros(), 9_995_000, "{side:?}");
        }
    }

    #[test]
    fn each_shard_has_money_of_its_own() {
        let mut account = with_micros(10_000_000);
        account.deposit(3, 5_000_000);
        let on = |market, shard, side| Booking {
            market,
            shard,
            ..fill(side, 4_000, 500, 0)
        };
        account.book(&on(0, 0, Side::Bid));
        account.book(&on(1, 3, Side::Ask));
        let balances: Vec<_> = account.balances().collect();
        assert_eq!(
            balances,
            [(0, 8_000_000), (3, 2_000_000)],
            "a short locks where it is"
        );
        assert_eq!(account.balance_micros(), 10_000_000);
        assert!(account.settle(1, 0, 2).is_some());
        assert_eq!(
            (account.shard_micros(0), account.shard_micros(3)),
            (8_000_000, 7_000_000)
        );
    }

    #[test]
    fn closing_orders_need_no_money_and_opening_ones_do() {
        assert_eq!(required_micros(0, &[(9_900, 100, 700)], &[]), 990_700);
        assert_eq!(required_micros(0, &[], &[(100, 100, 700)]), 990_700);
        assert_eq!(required_micros(100, &[], &[(100, 100, 700)]), 0);
        assert_eq!(required_micros(-100, &[(9_900, 100, 700)], &[]), 0);
        assert_eq!(required_micros(-100, &[(9_900, 200, 0)], &[]), 980_000);
    }
}
