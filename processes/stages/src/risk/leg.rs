//! One leg: a signal that was checked, what belongs together, and how much of it fits.

use crate::exposure::{Terms, stake_micros};
use layouts::signal::{kind_of, other_leg};
use layouts::{CENTICONTRACTS_PER_CONTRACT, E4_PER_DOLLAR, Order, Side, Signal, SignalKind, Sport};

/// A signal whose bytes all mean something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checked {
    pub(super) signal: Signal,
    pub(super) side: Side,
    pub(super) kind: SignalKind,
    pub(super) sport: Sport,
}

impl Checked {
    pub(super) fn terms(&self) -> Terms {
        Terms {
            side: self.side,
            kind: self.kind,
            team: self.signal.team,
            sport: self.sport,
            fee_rate_e4: self.signal.fee_rate_e4,
        }
    }
}

pub(super) fn check(signal: &Signal) -> Option<Checked> {
    let (side, kind, sport) = (signal.side()?, signal.kind()?, signal.sport()?);
    let sane = (1..E4_PER_DOLLAR).contains(&signal.price_e4)
        && signal.team <= 1
        && kind_of(signal.signal) == kind;
    sane.then_some(Checked {
        signal: *signal,
        side,
        kind,
        sport,
    })
}

/// Two legs of one arbitrage: one input, the first and the second market of one game.
pub(super) fn is_pair(first: &Signal, second: &Signal) -> bool {
    other_leg(first.signal) == second.signal
        && first.game == second.game
        && first.market != second.market
        && first.team != second.team
        && first.side == second.side
        && first.sport == second.sport
}

/// The signal for the second leg of an arbitrage of which only the first became an order.
pub(super) fn is_other_half(first: &Order, second: &Signal) -> bool {
    second.signal == other_leg(first.order)
        && first.kind == second.kind
        && first.game == second.game
        && first.market != second.market
        && first.side == second.side
}

/// Rounded down to whole contracts; none if that leaves nothing.
pub(super) fn whole(count_centi: u32) -> Option<u32> {
    let count = count_centi - count_centi % CENTICONTRACTS_PER_CONTRACT;
    (count > 0).then_some(count)
}

/// The greatest whole count, up to `count`, whose worst case over all legs fits into `room_micros`.
pub(super) fn fit(count: u32, legs: &[Checked], room_micros: i64) -> Option<u32> {
    let cost = |count: u32| -> i64 {
        legs.iter()
            .map(|leg| stake_micros(leg.side, leg.signal.price_e4, leg.signal.fee_rate_e4, count))
            .sum()
    };
    if cost(count) <= room_micros {
        return Some(count);
    }
    // Per contract with the fee rounded up for each: never less than what the count costs.
    let each = cost(CENTICONTRACTS_PER_CONTRACT).max(1);
    let contracts = u32::try_from((room_micros / each).max(0)).unwrap_or(u32::MAX);
    whole(
        contracts
            .saturating_mul(CENTICONTRACTS_PER_CONTRACT)
            .min(count),
    )
}

pub(super) fn order(signal: &Signal, count_centi: u32) -> Order {
    Order {
        ingress_mono_ns: signal.ingress_mono_ns,
        expires_mono_ns: signal.expires_mono_ns,
        order: signal.signal,
        market: signal.market,
        game: signal.game,
        count_centi,
        price_e4: signal.price_e4,
        side: signal.side,
        kind: signal.kind,
        padding: [0; 8],
    }
}
