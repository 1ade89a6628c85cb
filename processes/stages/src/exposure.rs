//! What is at stake: positions as acknowledged and open orders at their worst case.
//!
//! Per game there are two markets and two outcomes; exactly one market pays a dollar (in a tie each
//! pays half, which is never worse than the worse of the two). What a game can lose is therefore the
//! greater loss of both outcomes over *both* positions: a hedged pair risks nothing. An open order
//! may fill wholly or not at all, so it counts with all it can lose by itself.
//!
//! When a game is over its result is told once, and with it that of every order that is still open. An
//! order of unknown fate counts as lost then: it cost no more.

use super::risk::Listing;
use super::table::Table;
use crate::limits::Limits;
use layouts::units::{E4_PER_DOLLAR, cost_micros, fee_micros};
use layouts::{
    CENTICONTRACTS_PER_CONTRACT, MICROS_PER_DOLLAR, Order, OrderAck, OrderStatus, Side, Signal,
    SignalKind, Sport,
};
use std::cmp::Ordering;

/// Games with a position or an order at one time.
const GAMES: usize = 4_096;
/// What one centicontract pays.
const PAYOUT_MICROS: i64 = E4_PER_DOLLAR as i64;

/// Money that may still be put at stake, in micro-dollars; negative when over the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) game: i64,
    pub(super) sport: i64,
    pub(super) total: i64,
}

/// How a game ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The home team won.
    Home,
    /// The away team won.
    Away,
    /// Nobody did: each market pays half.
    Tie,
}

impl Outcome {
    /// As the final score of home and away team says.
    #[must_use]
    pub fn of_score([home, away]: [u16; 2]) -> Self {
        match home.cmp(&away) {
            Ordering::Greater => Self::Home,
            Ordering::Less => Self::Away,
            Ordering::Equal => Self::Tie,
        }
    }

    /// What a centicontract of a team's market pays.
    fn payout_micros(self, team: usize) -> i64 {
        match (self, team) {
            (Self::Home, 0) | (Self::Away, 1) => PAYOUT_MICROS,
            (Self::Tie, _) => PAYOUT_MICROS / 2,
            _ => 0,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Exposure {
    games: Table<Game>,
    orders: Table<OpenOrder>,
    /// Sum of `Game::at_stake` over all games, kept in step, and what is at stake elsewhere.
    at_stake_micros: i64,
    /// The same by sport.
    by_sport_micros: [i64; Sport::COUNT],
}

#[derive(Debug, Clone, Copy)]
struct Game {
    sport: Sport,
    markets: [Market; 2],
    /// Worst case of the open orders, and of those whose fate the venue never told.
    orders_micros: i64,
    /// Of that, what belongs to orders whose fate nobody knows.
    unknown_micros: i64,
    /// Decided: what is filled now is won or lost already.
    over: Option<Outcome>,
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
    pub(super) sport: Sport,
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
    fn of(sport: Sport) -> Self {
        Self {
            sport,
            markets: [Market::default(); 2],
            orders_micros: 0,
            unknown_micros: 0,
            over: None,
        }
    }

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
            by_sport_micros: [0; Sport::COUNT],
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
    pub(super) fn money_room(&self, game: u32, sport: Sport, limits: &Limits) -> Room {
        let dollars = |dollars: u32| i64::from(dollars) * MICROS_PER_DOLLAR;
        let game = match self.games.get(u64::from(game)) {
            Some(game) => dollars(limits.max_game_dollars) - game.at_stake(),
            None if self.games.len() < GAMES => dollars(limits.max_game_dollars),
            None => 0,
        };
        Room {
            game,
            sport: dollars(limits.max_sport_dollars) - self.by_sport_micros[sport as usize],
            total: dollars(limits.max_exposure_dollars) - self.at_stake_micros,
        }
    }

    /// Books an order that goes out.
    pub(super) fn open(&mut self, order: &Order, terms: Terms, now: u64) {
        let Terms {
            side,
            team,
            sport,
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
        self.change(order.game, sport, |game| {
            game.over = None;
            game.orders_micros += stake;
            if let Some(market) = game.markets.get_mut(usize::from(team)) {
                market.open_centi[side as usize] += i64::from(order.count_centi);
            }
        });
        self.remember(order, terms, now);
    }

    /// Remembers that an order was made, to space out those after it.
    pub(super) fn remember(&mut self, order: &Order, terms: Terms, now: u64) {
        self.change(order.game, terms.sport, |game| {
            if let Some(market) = game.markets.get_mut(usize::from(terms.team)) {
                market.last_order[terms.side as usize][terms.kind as usize] = Some(now);
            }
        });
    }

    /// Books what is held of a market, paid for with its fees.
    pub(super) fn hold(&mut self, listing: Listing, position_centi: i64, paid_micros: i64) {
        self.change(listing.game, listing.sport, |game| {
            if let Some(market) = game.markets.get_mut(usize::from(listing.team)) {
                market.position_centi += position_centi;
                market.paid_micros += paid_micros;
            }
        });
    }

    /// Adds to what is at stake in games that are not known here, or takes from it.
    pub(super) fn hold_elsewhere(&mut self, micros: i64) {
        self.at_stake_micros += micros;
    }

    /// Books what became of an order; `None` if it is not open. What it gained, micro-dollars, if its game
    /// is over, else 0.
    pub(super) fn acknowledge(&mut self, ack: &OrderAck, status: OrderStatus) -> Option<i64> {
        let order = self.orders.remove(ack.order)?;
        let filled = i64::from(ack.filled_centi);
        // Nobody knows what the rest of an `Unknown` order did: its worst case stays counted.
        let told = match status {
            OrderStatus::Unknown => filled.min(i64::from(order.count_centi)),
            _ => i64::from(order.count_centi),
        };
        let freed = order.stake_micros * told / i64::from(order.count_centi).max(1);
        let bought = order.side.sign() * filled;
        let paid = ack.cost_micros + i64::from(ack.fee_micros);
        let team = usize::from(order.team);
        let mut gain = 0;
        self.change_known(order.game, |game| {
            game.orders_micros -= freed;
            let unknown = order.stake_micros - freed;
            let Some(market) = game.markets.get_mut(team) else {
                return;
            };
            market.open_centi[order.side as usize] -= told;
            if let Some(outcome) = game.over {
                game.orders_micros -= unknown;
                gain = outcome.payout_micros(team) * bought - paid - unknown;
            } else {
                game.unknown_micros += unknown;
                market.position_centi += bought;
                market.paid_micros += paid;
            }
        });
        Some(gain)
    }

    /// Forgets the positions of a game that is over, and says what they gained, micro-dollars; its open
    /// orders stay until they are answered.
    pub(super) fn release(&mut self, game: u32, outcome: Outcome) -> i64 {
        let mut gain = 0;
        self.change_known(game, |game| {
            game.over = Some(outcome);
            // Whatever an order of unknown fate did, the game's settlement has decided it.
            let unknown = std::mem::take(&mut game.unknown_micros);
            game.orders_micros -= unknown;
            gain -= unknown;
            for (team, market) in game.markets.iter_mut().enumerate() {
                let position = std::mem::take(&mut market.position_centi);
                let paid = std::mem::take(&mut market.paid_micros);
                gain += outcome.payout_micros(team) * position - paid;
            }
        });
        gain
    }

    fn market(&self, signal: &Signal) -> Option<&Market> {
        self.games
            .get(u64::from(signal.game))?
            .markets
            .get(usize::from(signal.team))
    }

    fn change(&mut self, game: u32, sport: Sport, change: impl FnOnce(&mut Game)) {
        // `money_room` gave no room to a game that does not fit, so the entry is there.
        self.games.entry(u64::from(game), || Game::of(sport));
        self.change_known(game, change);
    }

    fn change_known(&mut self, game: u32, change: impl FnOnce(&mut Game)) {
        if let Some(game) = self.games.get_mut(u64::from(game)) {
            let before = game.at_stake();
            change(game);
            let more = game.at_stake() - before;
            self.at_stake_micros += more;
            self.by_sport_micros[game.sport as usize] += more;
        }
    }
}
