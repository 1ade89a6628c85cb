//! What is at stake: positions as acknowledged and open orders at their worst case.
//!
//! Per game there are two markets and two outcomes; exactly one market pays a dollar (in a tie each
//! pays half, which is never worse than the worse of the two). What a game can lose is therefore the
//! greater loss of both outcomes over *both* positions: a hedged pair risks nothing. An open order
//! may fill wholly or not at all, so it counts with all it can lose by itself.

use super::table::Table;
use crate::limits::Limits;
use layouts::units::{E4_PER_DOLLAR, cost_micros, fee_micros};
use layouts::{
    CENTICONTRACTS_PER_CONTRACT, MICROS_PER_DOLLAR, Order, OrderAck, OrderStatus, Side, Signal,
    SignalKind,
};

/// Games with a position or an order at one time.
const GAMES: usize = 4_096;
/// What one centicontract pays.
const PAYOUT_MICROS: i64 = E4_PER_DOLLAR as i64;

/// Money that may still be put at stake, in micro-dollars; negative when over the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) game: i64,
    pub(super) total: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Exposure {
    games: Table<Game>,
    orders: Table<OpenOrder>,
    /// Sum of `Game::at_stake` over all games, kept in step.
    at_stake_micros: i64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Game {
    markets: [Market; 2],
    /// Worst case of the open orders, and of those whose fate the venue never told.
    orders_micros: i64,
    /// Of that, what belongs to orders whose fate nobody knows.
    unknown_micros: i64,
    /// Decided: what is filled now is won or lost already.
    over: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Market {
    /// Long YES positive.
    position_centi: i64,
    /// Paid for the position with its fees, less what was received.
    paid_micros: i64,
    /// Open bids and open asks.
    open_centi: [i64; 2],
    /// Time of the last order, by side and kind.
    last_order: [[Option<u64>; 2]; 2],
}

/// What an order's market adds to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) side: Side,
    pub(super) kind: SignalKind,
    pub(super) team: u8,
    pub(super) fee_rate_e4: u16,
}

#[derive(Debug, Clone, Copy)]
struct OpenOrder {
    game: u32,
    team: u8,
    side: Side,
    count_centi: u32,
    stake_micros: i64,
}

/// What an order can lose by itself: its cost, or the collateral of a short, and the fee.
pub(super) fn stake_micros(side: Side, price_e4: u16, fee_rate_e4: u16, count_centi: u32) -> i64 {
    let at_risk_e4 = match side {
        Side::Bid => price_e4,
        Side::Ask => E4_PER_DOLLAR.saturating_sub(price_e4),
    };
    // A fill nearer to one half costs a greater fee, but its price improved by more than that.
    cost_micros(at_risk_e4, count_centi) + fee_micros(fee_rate_e4, price_e4, count_centi)
}

impl Game {
    /// The most that can be lost from here.
    fn at_stake(&self) -> i64 {
        let [home, away] = &self.markets;
        let paid = home.paid_micros + away.paid_micros;
        let home_wins = paid - home.position_centi * PAYOUT_MICROS;
        let away_wins = paid - away.position_centi * PAYOUT_MICROS;
        home_wins.max(away_wins).max(0) + self.orders_micros
    }
}

impl Exposure {
    pub(super) fn new(max_open_orders: usize) -> Self {
        Self {
            games: Table::with_room(GAMES),
            orders: Table::with_room(max_open_orders),
            at_stake_micros: 0,
        }
    }

    /// The most that can be lost from here, over all games.
    pub(super) fn at_stake_micros(&self) -> i64 {
        self.at_stake_micros
    }

    pub(super) fn open_orders(&self) -> usize {
        self.orders.len()
    }

    /// When the last order of this market, side and kind was made.
    pub(super) fn last_order(&self, signal: &Signal, side: Side, kind: SignalKind) -> Option<u64> {
        self.market(signal)?.last_order[side as usize][kind as usize]
    }

    /// Contracts that may still be taken on this side of the market.
    pub(super) fn market_room(&self, signal: &Signal, side: Side, limits: &Limits) -> u32 {
        let limit = i64::from(limits.max_market_contracts) * i64::from(CENTICONTRACTS_PER_CONTRACT);
        let held = self.market(signal).map_or(0, |market| {
            side.sign() * market.position_centi + market.open_centi[side as usize]
        });
        u32::try_from((limit - held).max(0)).unwrap_or(u32::MAX)
    }

    /// Money that may still be put at stake. A game that the table has no room for has none.
    pub(super) fn money_room(&self, game: u32, limits: &Limits) -> Room {
        let dollars = |dollars: u32| i64::from(dollars) * MICROS_PER_DOLLAR;
        let game = match self.games.get(u64::from(game)) {
            Some(game) => dollars(limits.max_game_dollars) - game.at_stake(),
            None if self.games.len() < GAMES => dollars(limits.max_game_dollars),
            None => 0,
        };
        Room {
            game,
            total: dollars(limits.max_exposure_dollars) - self.at_stake_micros,
        }
    }

    /// Books an order that goes out.
    pub(super) fn open(&mut self, order: &Order, terms: Terms, now: u64) {
        let Terms {
            side,
            team,
            fee_rate_e4,
            ..
        } = terms;
        let stake = stake_micros(side, order.price_e4, fee_rate_e4, order.count_centi);
        let open = OpenOrder {
            game: order.game,
            team,
            side,
            count_centi: order.count_centi,
            stake_micros: stake,
        };
        self.orders.entry(order.order, || open);
        self.change(order.game, |game| {
            game.over = false;
            game.orders_micros += stake;
            if let Some(market) = game.markets.get_mut(usize::from(team)) {
                market.open_centi[side as usize] += i64::from(order.count_centi);
            }
        });
        self.remember(order, terms, now);
    }

    /// Remembers that an order was made, to space out those after it.
    pub(super) fn remember(&mut self, order: &Order, terms: Terms, now: u64) {
        self.change(order.game, |game| {
            if let Some(market) = game.markets.get_mut(usize::from(terms.team)) {
                market.last_order[terms.side as usize][terms.kind as usize] = Some(now);
            }
        });
    }

    /// Books what is held of a market, paid for with its fees.
    pub(super) fn hold(&mut self, game: u32, team: u8, position_centi: i64, paid_micros: i64) {
        self.change(game, |game| {
            if let Some(market) = game.markets.get_mut(usize::from(team)) {
                market.position_centi += position_centi;
                market.paid_micros += paid_micros;
            }
        });
    }

    /// Books what became of an order; false if it is not open.
    pub(super) fn acknowledge(&mut self, ack: &OrderAck, status: OrderStatus) -> bool {
        let Some(order) = self.orders.remove(ack.order) else {
            return false;
        };
        let filled = i64::from(ack.filled_centi);
        // Nobody knows what the rest of an `Unknown` order did: its worst case stays counted.
        let told = match status {
            OrderStatus::Unknown => filled.min(i64::from(order.count_centi)),
            _ => i64::from(order.count_centi),
        };
        let freed = order.stake_micros * told / i64::from(order.count_centi).max(1);
        self.change(order.game, |game| {
            game.orders_micros -= freed;
            game.unknown_micros += order.stake_micros - freed;
            let over = game.over;
            if let Some(market) = game.markets.get_mut(usize::from(order.team)) {
                market.open_centi[order.side as usize] -= told;
                if over {
                    return;
                }
                market.position_centi += order.side.sign() * filled;
                market.paid_micros += ack.cost_micros + i64::from(ack.fee_micros);
            }
        });
        true
    }

    /// Forgets the positions of a game that is over; its open orders stay until they are answered.
    pub(super) fn release(&mut self, game: u32) {
        self.change_known(game, |game| {
            game.over = true;
            // Whatever an order of unknown fate did, the game's settlement has decided it.
            game.orders_micros -= std::mem::take(&mut game.unknown_micros);
            for market in &mut game.markets {
                (market.position_centi, market.paid_micros) = (0, 0);
            }
        });
    }

    fn market(&self, signal: &Signal) -> Option<&Market> {
        self.games
            .get(u64::from(signal.game))?
            .markets
            .get(usize::from(signal.team))
    }

    fn change(&mut self, game: u32, change: impl FnOnce(&mut Game)) {
        // `money_room` gave no room to a game that does not fit, so the entry is there.
        self.games.entry(u64::from(game), Game::default);
        self.change_known(game, change);
    }

    fn change_known(&mut self, game: u32, change: impl FnOnce(&mut Game)) {
        if let Some(game) = self.games.get_mut(u64::from(game)) {
            self.at_stake_micros -= game.at_stake();
            change(game);
            self.at_stake_micros += game.at_stake();
        }
    }
}
