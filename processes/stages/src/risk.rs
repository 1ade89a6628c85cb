//! The stage of `signal_processor`: which signals become orders, and of what size. All from memory.
//!
//! | check | drop counted as |
//! |---|---|
//! | bytes that mean something | `malformed` |
//! | id above the last of its source | `duplicate` |
//! | both legs of an arbitrage present | `orphan_leg` |
//! | trading is not halted | `halted` |
//! | not expired by the message's own time | `expired` |
//! | a minute since the venue had too little of our money for an order in the sport | `short_of_cash` |
//! | `repeat_ms` since the last order of the same market, side and kind | `repeated` |
//! | room among the open orders | `open_orders` |
//! | the game's stake is not taken yet | `at_target` |
//! | room in order, market, game, sport, total and day for one whole contract | `too_small`, `market_limit`, `game_limit`, `sport_limit`, `total_limit`, `day_limit` |
//!
//! Repetitions are recognised by [`Sources`]. A stage that follows another one that died is told
//! first what that one left behind: positions, the orders it sent, which of them are open.
//!
//! Every limit of the whole pipeline, where it is kept and how it is tested: `OPERATING.md`.
//!
//! A day's limit is what may be lost in it: the result of the games that have ended since it began, as
//! far as it is a loss, and what is at stake now. A game that is called off stays at its worst case.
//!
//! Of cash nothing is known here but what the venue says: it keeps our money by exchange shard, all markets of an
//! event are on one, and an order that it is too little for is refused. One leg of a pair may go through all the same,
//! so whoever was refused waits. A successor learns it anew.
//!
//! Sizing: `kelly_percent` of the Kelly stake on the total limit as bankroll. With edge e at price p the
//! whole stake is `bankroll x e / (p (1 - p))` contracts for a buy and a sell alike. That is what the *game* is
//! worth holding, not what each signal of it is worth ordering: an edge that lasts is told again and again, and
//! its other market tells it too. So an order is what is missing of it, after all that is held and open in both
//! markets. An arbitrage has no risk to weigh: it takes what is shown. Both are cut to the limits, then to
//! whole contracts; both legs of an arbitrage get the same count or neither is sent.

use super::day::Day;
use super::exposure::{Exposure, Room};
use super::sources::Sources;
use crate::limits::Limits;
use crate::positions::Settlement;
use layouts::units::E4_PER_DOLLAR;
use layouts::{
    CENTICONTRACTS_PER_CONTRACT, MICROS_PER_DOLLAR, Order, OrderAck, OrderStatus, RejectReason,
    Signal, SignalKind, Sport,
};
use leg::{Checked, check, fit, is_other_half, is_pair, order, whole};
use serde::Serialize;

mod leg;
mod recall;
pub use super::exposure::Outcome;
pub use recall::{Fate, Listing};

const NS_PER_MS: u64 = 1_000_000;
const SHARDS: usize = 1 << 8;
/// How long nothing is ordered in a sport for which the venue had too little of our money. Money comes back with
/// settlements and by hand, which takes longer; until then each try at a pair may leave one leg of it.
const SHORT_NS: u64 = 60_000 * NS_PER_MS;

/// At most one order a leg.
pub type Orders = [Option<Order>; 2];
const NOTHING: Orders = [None, None];

/// What happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Signals taken.
    pub signals: u64,
    /// Orders made.
    pub orders: u64,
    /// Acknowledgements taken.
    pub acks: u64,
    /// Acknowledgements of orders that are not open, such as repetitions.
    pub stray_acks: u64,
    /// Dropped: bytes that mean nothing.
    pub malformed: u64,
    /// Dropped: taken before.
    pub duplicate: u64,
    /// Dropped: one leg of an arbitrage without the other.
    pub orphan_leg: u64,
    /// Dropped: trading was halted.
    pub halted: u64,
    /// Dropped: too late.
    pub expired: u64,
    /// Dropped: the venue had too little of our money for an order in the sport just before.
    pub short_of_cash: u64,
    /// Dropped: an order of the same market, side and kind went out just before.
    pub repeated: u64,
    /// Dropped: too many orders without an answer.
    pub open_orders: u64,
    /// Dropped: less than a contract shown or worth taking.
    pub too_small: u64,
    /// Dropped: what the game is worth holding is held or open already.
    pub at_target: u64,
    /// Dropped: the market's limit is reached.
    pub market_limit: u64,
    /// Dropped: the game's limit is reached.
    pub game_limit: u64,
    /// Dropped: the sport's limit is reached.
    pub sport_limit: u64,
    /// Dropped: the total limit is reached.
    pub total_limit: u64,
    /// Dropped: the day's limit is reached.
    pub day_limit: u64,
}

/// Why a signal became no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drop {
    Halted,
    Expired,
    ShortOfCash,
    Repeated,
    OpenOrders,
    TooSmall,
    AtTarget,
    MarketLimit,
    GameLimit,
    SportLimit,
    TotalLimit,
    DayLimit,
}

/// The stage.
#[derive(Debug, Clone)]
pub struct Risk {
    limits: Limits,
    /// Open orders for which there is memory.
    room: u32,
    exposure: Exposure,
    day: Day,
    taken: Sources,
    /// First leg of an arbitrage whose second is due next from the same shard.
    first_leg: Box<[Option<Checked>; SHARDS]>,
    /// The first leg of an arbitrage that a predecessor sent before it died, without the second, and how many
    /// contracts of the second it calls for.
    half_pair: Option<(Order, u32)>,
    /// Until when the venue is held to have too little of our money, by sport; ns, CLOCK_MONOTONIC.
    short_until: [u64; Sport::COUNT],
    halted: bool,
    counters: Counters,
}

impl Risk {
    /// A stage with no positions.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            room: limits.max_open_orders,
            exposure: Exposure::new(limits.max_open_orders as usize),
            day: Day::default(),
            taken: Sources::default(),
            first_leg: Box::new([None; SHARDS]),
            half_pair: None,
            short_until: [0; Sport::COUNT],
            halted: false,
            counters: Counters::default(),
        }
    }

    /// From now on other limits hold. What is at stake already stays; nothing is added beyond them. There is
    /// room for as many open orders as the limits of [`Risk::new`] allow, so more are never made.
    pub fn limit(&mut self, limits: Limits) {
        self.limits = Limits {
            max_open_orders: limits.max_open_orders.min(self.room),
            ..limits
        };
    }

    /// Halts the making of orders, or lets it go on. Answers to those that are out count as ever.
    pub fn halt(&mut self, halted: bool) {
        self.halted = halted;
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Orders without a final answer.
    #[must_use]
    pub fn open_orders(&self) -> usize {
        self.exposure.open_orders()
    }

    /// The most that positions and open orders can lose from here, micro-dollars.
    #[must_use]
    pub fn at_stake_micros(&self) -> i64 {
        self.exposure.at_stake_micros()
    }

    /// What games that are over have gained since the trading day began, micro-dollars; negative when they
    /// have lost.
    #[must_use]
    pub fn result_today_micros(&self) -> i64 {
        self.day.result_micros()
    }

    /// What was lost on balance since the trading day began, by games that are over, micro-dollars.
    #[must_use]
    pub fn lost_today_micros(&self) -> i64 {
        self.day.lost_micros()
    }

    /// Takes a signal; `now` is the message's own time, ns, CLOCK_MONOTONIC.
    pub fn on_signal(&mut self, signal: &Signal, now: u64) -> Orders {
        self.counters.signals += 1;
        self.day.pass(now);
        let Some(checked) = check(signal) else {
            self.counters.malformed += 1;
            return NOTHING;
        };
        if !self.taken.take(signal.signal) {
            self.counters.duplicate += 1;
            return NOTHING;
        }
        let shard = usize::from((signal.signal >> 56).to_le_bytes()[0]);
        let waiting = self.first_leg.get_mut(shard).and_then(Option::take);
        match (waiting, checked.kind) {
            (Some(first), SignalKind::Arbitrage) if is_pair(&first.signal, signal) => {
                self.send(&[first, checked], now)
            }
            (waiting, kind) => {
                self.counters.orphan_leg += u64::from(waiting.is_some());
                match kind {
                    SignalKind::ModelEdge => self.send(&[checked], now),
                    SignalKind::Arbitrage => match self.half_pair {
                        Some((first, count_centi)) if is_other_half(&first, signal) => {
                            self.half_pair = None;
                            self.complete(count_centi, &checked, now)
                        }
                        _ => self.hold(shard, checked),
                    },
                }
            }
        }
    }

    /// Takes the final word on an order.
    pub fn on_ack(&mut self, ack: &OrderAck) {
        self.counters.acks += 1;
        let (Some(status), Some(reason)) = (ack.status(), ack.reason()) else {
            // The order stays open at its worst case: better stuck than guessed at.
            self.counters.malformed += 1;
            return;
        };
        if let Some((first, count_centi)) = &mut self.half_pair
            && first.order == ack.order
            && status != OrderStatus::Unknown
        {
            *count_centi = ack.filled_centi;
        }
        if let (RejectReason::InsufficientBalance, Some(sport)) =
            (reason, self.exposure.sport_of(ack.order))
        {
            self.short_until[sport as usize] = ack.acked_mono_ns.saturating_add(SHORT_NS);
        }
        match self.exposure.acknowledge(ack, status) {
            Some(gain) => self.day.book(gain, ack.acked_mono_ns),
            None => self.counters.stray_acks += 1,
        }
    }

    /// A game is over: what it cost or brought is decided, no longer at stake, and of the day of `now`, ns,
    /// CLOCK_MONOTONIC.
    pub fn on_game_over(&mut self, game: u32, outcome: Outcome, now: u64) {
        let gain = self.exposure.release(game, outcome, now);
        self.day.book(gain, now);
    }

    /// A game is not over, or no more so: what its end had decided is at stake again.
    pub fn on_game_on(&mut self, game: u32, now: u64) {
        let gain = self.exposure.reopen(game);
        self.day.book(gain, now);
    }

    /// The venue has settled a market, whatever the feed says of its game: what is held of it is decided. Whether
    /// anything was.
    pub fn on_settlement(
        &mut self,
        listing: Listing,
        settlement: impl Into<Settlement>,
        now: u64,
    ) -> bool {
        let (gain, anything) = self.exposure.settle(listing, settlement.into());
        self.day.book(gain, now);
        anything
    }

    /// Keeps the first leg of a pair. A second leg whose first never came is of no use.
    fn hold(&mut self, shard: usize, leg: Checked) -> Orders {
        match self.first_leg.get_mut(shard) {
            Some(slot) if leg.signal.signal & 1 == 0 => *slot = Some(leg),
            _ => self.counters.orphan_leg += 1,
        }
        NOTHING
    }

    /// Sends all legs, or none. A drop is counted once a leg.
    fn send(&mut self, legs: &[Checked], now: u64) -> Orders {
        self.exposure.make_room(legs[0].signal.game);
        let count = self.admit(legs, now).and_then(|()| {
            // Its game is not over, whatever was told of it: then what is held of it is at stake again.
            self.on_game_on(legs[0].signal.game, now);
            self.count(legs)
        });
        match count {
            Err(cause) => {
                let legs = legs.len() as u64;
                *self.counter(cause) += legs;
                NOTHING
            }
            Ok(count_centi) => {
                let mut orders = NOTHING;
                for (slot, leg) in orders.iter_mut().zip(legs) {
                    *slot = Some(self.open(leg, count_centi, now));
                }
                orders
            }
        }
    }

    fn open(&mut self, leg: &Checked, count_centi: u32, now: u64) -> Order {
        let order = order(&leg.signal, count_centi);
        let gain = self.exposure.open(&order, leg.terms(), now);
        self.day.book(gain, now);
        self.counters.orders += 1;
        order
    }

    /// Sends the second leg of a pair whose first is out already: admitted with it, of its size, or of what is
    /// known to have come of it.
    fn complete(&mut self, count_centi: u32, second: &Checked, now: u64) -> Orders {
        let cause = match whole(count_centi) {
            _ if self.halted => Drop::Halted,
            _ if now > second.signal.expires_mono_ns => Drop::Expired,
            Some(count_centi) => return [Some(self.open(second, count_centi, now)), None],
            None => Drop::TooSmall,
        };
        *self.counter(cause) += 1;
        NOTHING
    }

    /// Whether anything at all may be ordered for these legs now.
    fn admit(&self, legs: &[Checked], now: u64) -> Result<(), Drop> {
        if self.halted {
            return Err(Drop::Halted);
        }
        if legs.iter().any(|leg| now > leg.signal.expires_mono_ns) {
            return Err(Drop::Expired);
        }
        if now < self.short_until[legs[0].sport as usize] {
            return Err(Drop::ShortOfCash);
        }
        let repeat_ns = self.limits.repeat_ms.saturating_mul(NS_PER_MS);
        let repeated = |leg: &Checked| {
            self.exposure
                .last_order(&leg.signal, leg.side, leg.kind)
                .is_some_and(|last| now.saturating_sub(last) < repeat_ns)
        };
        if legs.iter().any(repeated) {
            return Err(Drop::Repeated);
        }
        if self.exposure.open_orders() + legs.len() > self.limits.max_open_orders as usize {
            return Err(Drop::OpenOrders);
        }
        Ok(())
    }

    /// Whole contracts that every leg may have.
    fn count(&self, legs: &[Checked]) -> Result<u32, Drop> {
        let order = self
            .limits
            .max_order_contracts
            .saturating_mul(CENTICONTRACTS_PER_CONTRACT);
        let mut wanted = order;
        for leg in legs {
            wanted = wanted.min(self.wanted(leg)?);
        }
        let mut count = whole(wanted).ok_or(Drop::TooSmall)?;
        for leg in legs {
            let room = self
                .exposure
                .market_room(&leg.signal, leg.side, &self.limits);
            count = whole(count.min(room)).ok_or(Drop::MarketLimit)?;
        }
        let Room { game, sport, total } =
            self.exposure
                .money_room(legs[0].signal.game, legs[0].sport, &self.limits);
        count = fit(count, legs, game).ok_or(Drop::GameLimit)?;
        count = fit(count, legs, sport).ok_or(Drop::SportLimit)?;
        count = fit(count, legs, total).ok_or(Drop::TotalLimit)?;
        fit(count, legs, self.day_room()).ok_or(Drop::DayLimit)
    }

    /// Money that may still be put at stake today, micro-dollars.
    fn day_room(&self) -> i64 {
        i64::from(self.limits.max_day_loss_dollars) * MICROS_PER_DOLLAR
            - self.day.lost_micros()
            - self.exposure.at_stake_micros()
    }

    /// What the signal is worth taking: see the head of the file.
    fn wanted(&self, leg: &Checked) -> Result<u32, Drop> {
        let shown = leg.signal.count_centi;
        if leg.kind == SignalKind::Arbitrage {
            return Ok(shown);
        }
        let target = self.target(&leg.signal);
        let missing = i64::from(target) - self.exposure.towards(&leg.signal, leg.side);
        if target >= CENTICONTRACTS_PER_CONTRACT && missing < CENTICONTRACTS_PER_CONTRACT.into() {
            return Err(Drop::AtTarget);
        }
        Ok(shown.min(u32::try_from(missing.max(0)).unwrap_or(u32::MAX)))
    }

    /// What the game is worth holding by this signal.
    fn target(&self, signal: &Signal) -> u32 {
        let edge = u64::from(signal.edge_e4.max(0).unsigned_abs());
        let price = u64::from(signal.price_e4);
        let odds = price * u64::from(E4_PER_DOLLAR).saturating_sub(price);
        let bankroll_e4 = u64::from(self.limits.max_exposure_dollars) * u64::from(E4_PER_DOLLAR);
        let kelly_centi = bankroll_e4 * edge * u64::from(CENTICONTRACTS_PER_CONTRACT) / odds.max(1);
        let share = kelly_centi.saturating_mul(self.limits.kelly_percent.into()) / 100;
        u32::try_from(share).unwrap_or(u32::MAX)
    }

    fn counter(&mut self, cause: Drop) -> &mut u64 {
        match cause {
            Drop::Halted => &mut self.counters.halted,
            Drop::Expired => &mut self.counters.expired,
            Drop::ShortOfCash => &mut self.counters.short_of_cash,
            Drop::Repeated => &mut self.counters.repeated,
            Drop::OpenOrders => &mut self.counters.open_orders,
            Drop::TooSmall => &mut self.counters.too_small,
            Drop::AtTarget => &mut self.counters.at_target,
            Drop::MarketLimit => &mut self.counters.market_limit,
            Drop::GameLimit => &mut self.counters.game_limit,
            Drop::SportLimit => &mut self.counters.sport_limit,
            Drop::TotalLimit => &mut self.counters.total_limit,
            Drop::DayLimit => &mut self.counters.day_limit,
        }
    }
}

#[cfg(test)]
mod tests;
