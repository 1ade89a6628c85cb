//! What is at stake: positions as acknowledged and open orders at their worst case.
//!
//! Per game there are two markets and two outcomes; exactly one market pays a dollar (in a tie each
//! pays half, which is never worse than the worse of the two). What a game can lose is therefore the
//! greater loss of both outcomes over *both* positions: a hedged pair risks nothing. An open order
//! may fill wholly or not at all, so it counts with all it can lose by itself.
//!
//! A position that is closed is decided at once: the venue settles what is held, and nothing else. What
//! is still held is decided when the feed says that the game is over, and with it every order that is
//! still open; an order of unknown fate counts as lost then: it cost no more. The feed may take that back
//! until the venue has settled, so positions are kept, and are at stake again when the game goes on.

use super::risk::Listing;
use super::table::Table;
use crate::limits::Limits;
use crate::positions::Settlement;
use layouts::units::{E4_PER_DOLLAR, cost_micros, worst_fee_micros};
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
    /// Worst case of the open orders.
    orders_micros: i64,
    /// Worst case of the orders whose fate the venue never told.
    unknown_micros: i64,
    /// What positions that were closed have gained; negative when they have lost.
    closed_micros: i64,
    /// What of its result is counted already, and does not depend on what becomes of the rest.
    counted_micros: i64,
    /// Whether something of it was held before the day began: how much of a gain is of today nobody knows.
    is_held_over_night: bool,
    /// Decided: what is filled now is won or lost already.
    over: Option<Over>,
}

/// A game's end as the feed tells it.
#[derive(Debug, Clone, Copy)]
struct Over {
    outcome: Outcome,
    told_mono_ns: u64,
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

/// What an order can lose by itself: its cost, or the collateral of a short, and the greatest fee.
pub(super) fn stake_micros(side: Side, price_e4: u16, fee_rate_e4: u16, count_centi: u32) -> i64 {
    let at_risk_e4 = match side {
        Side::Bid => price_e4,
        Side::Ask => E4_PER_DOLLAR.saturating_sub(price_e4),
    };
    // A fill at a better price, nearer to one half, may cost a greater fee, but never more than a price that
    // is better by a whole cent saves.
    cost_micros(at_risk_e4, count_centi) + worst_fee_micros(fee_rate_e4, price_e4, count_centi)
}

impl Game {
    fn of(sport: Sport) -> Self {
        Self {
            sport,
            markets: [Market::default(); 2],
            orders_micros: 0,
            unknown_micros: 0,
            closed_micros: 0,
            counted_micros: 0,
            is_held_over_night: false,
            over: None,
        }
    }

    /// The most that can be lost from here.
    fn at_stake(&self) -> i64 {
        if self.over.is_some() {
            return self.orders_micros;
        }
        let [home, away] = &self.markets;
        let paid = home.paid_micros + away.paid_micros;
        let home_wins = paid - home.position_centi * PAYOUT_MICROS;
        let away_wins = paid - away.position_centi * PAYOUT_MICROS;
        home_wins.max(away_wins).max(0) + self.orders_micros + self.unknown_micros
    }

    /// What is decided of it: closed positions, and all of them once it is over.
    fn result(&self) -> i64 {
        let Some(Over { outcome, .. }) = self.over else {
            return self.closed_micros;
        };
        let held = self.markets.iter().enumerate().map(|(team, market)| {
            outcome.payout_micros(team) * market.position_centi - market.paid_micros
        });
        self.closed_micros + held.sum::<i64>() - self.unknown_micros
    }

    /// What of that is of the day.
    fn of_today(&self) -> i64 {
        let result = self.result() - self.counted_micros;
        match self.is_held_over_night {
            true => result.min(0),
            false => result,
        }
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

    /// The sport of an order that is open.
    pub(super) fn sport_of(&self, order: u64) -> Option<Sport> {
        let order = self.orders.get(order)?;
        Some(self.games.get(u64::from(order.game))?.sport)
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

    /// What is held and open towards one end of the game, of both its markets: to buy the one is the opinion
    /// that sells the other. Negative when more is held against it.
    pub(super) fn towards(&self, signal: &Signal, side: Side) -> i64 {
        let team = usize::from(signal.team);
        let Some(game) = self.games.get(u64::from(signal.game)) else {
            return 0;
        };
        let (Some(own), Some(other)) = (game.markets.get(team), game.markets.get(1 - team)) else {
            return 0;
        };
        let (same, against) = (side as usize, 1 - side as usize);
        side.sign() * (own.position_centi - other.position_centi)
            + own.open_centi[same]
            + other.open_centi[against]
    }

    /// Forgets the game that has been over for longest if there is no room for this one.
    pub(super) fn make_room(&mut self, game: u32) {
        if self.games.len() == GAMES && self.games.get(u64::from(game)).is_none() {
            self.games.evict_least(|game| {
                let done = game.over.filter(|_| game.orders_micros == 0)?;
                Some(done.told_mono_ns)
            });
        }
    }

    /// Money that may still be put at stake. A game that the table has no room for has none.
    pub(super) fn money_room(&self, game: u32, sport: Sport, limits: &Limits) -> Room {
        let dollars = |dollars: u32| i64::from(dollars) * MICROS_PER_DOLLAR;
        let game = match self.games.get(u64::from(game)) {
            // What the game has cost by positions that are closed is not there to be risked once more.
            Some(game) => {
                dollars(limits.max_game_dollars) - game.at_stake() + game.closed_micros.min(0)
            }
            None if self.games.len() < GAMES => dollars(limits.max_game_dollars),
            None => 0,
        };
        Room {
            game,
            sport: dollars(limits.max_sport_dollars) - self.by_sport_micros[sport as usize],
            total: dollars(limits.max_exposure_dollars) - self.at_stake_micros,
        }
    }

    /// Books an order that goes out; what is gained by it, micro-dollars: its game is not over, whatever the
    /// feed has said.
    pub(super) fn open(&mut self, order: &Order, terms: Terms, now: u64) -> i64 {
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
        let gain = self.change(order.game, sport, |game| {
            game.over = None;
            game.orders_micros += stake;
            if let Some(market) = game.markets.get_mut(usize::from(team)) {
                market.open_centi[side as usize] += i64::from(order.count_centi);
            }
        });
        self.remember(order, terms, now);
        gain
    }

    /// Remembers that an order was made, to space out those after it.
    pub(super) fn remember(&mut self, order: &Order, terms: Terms, now: u64) {
        self.change(order.game, terms.sport, |game| {
            if let Some(market) = game.markets.get_mut(usize::from(terms.team)) {
                market.last_order[terms.side as usize][terms.kind as usize] = Some(now);
            }
        });
    }

    /// Books what is held of a market, paid for with its fees; what that decides, micro-dollars: its game may be over.
    pub(super) fn hold(&mut self, listing: Listing, position_centi: i64, paid_micros: i64) -> i64 {
        self.change(listing.game, listing.sport, |game| {
            if let Some(market) = game.markets.get_mut(usize::from(listing.team)) {
                market.position_centi += position_centi;
                market.paid_micros += paid_micros;
            }
        })
    }

    /// Books what a position that was closed has gained, and whoever says so has counted.
    pub(super) fn close(&mut self, listing: Listing, gain_micros: i64) {
        self.change(listing.game, listing.sport, |game| {
            game.closed_micros += gain_micros;
            game.counted_micros += gain_micros;
        });
    }

    /// From here on the game's losses are of the day, and its gains only as far as they make up for them. What it has
    /// gained before stays counted.
    pub(super) fn hold_over_night(&mut self, listing: Listing) {
        self.change(listing.game, listing.sport, |game| {
            game.counted_micros += game.of_today().max(0);
            game.is_held_over_night = true;
        });
    }

    /// Books what the venue has paid for a market; what that decides, micro-dollars, and whether anything was held or
    /// paid for.
    pub(super) fn settle(&mut self, listing: Listing, settlement: Settlement) -> (i64, bool) {
        let mut anything = false;
        let gain = self.change_known(listing.game, |game| {
            let Some(market) = game.markets.get_mut(usize::from(listing.team)) else {
                return;
            };
            let held = std::mem::take(&mut market.position_centi);
            let paid = std::mem::take(&mut market.paid_micros);
            anything = (held, paid) != (0, 0);
            game.closed_micros += settlement.payout_micros(held) - paid;
        });
        (gain, anything)
    }

    /// Adds to what is at stake in games that are not known here, or takes from it.
    pub(super) fn hold_elsewhere(&mut self, micros: i64) {
        self.at_stake_micros += micros;
    }

    /// Books what became of an order; `None` if it is not open. What is decided by it, micro-dollars: a
    /// position that it has closed, or what it filled of a game that is over.
    pub(super) fn acknowledge(&mut self, ack: &OrderAck, status: OrderStatus) -> Option<i64> {
        let order = self.orders.remove(ack.order)?;
        let filled = i64::from(ack.filled_centi);
        // Nobody knows what the rest of an `Unknown` order did: its worst case stays counted.
        let told = match status {
            OrderStatus::Unknown => filled.min(i64::from(order.count_centi)),
            _ => i64::from(order.count_centi),
        };
        let freed = order.stake_micros * told / i64::from(order.count_centi).max(1);
        Some(self.change_known(order.game, |game| {
            game.orders_micros -= order.stake_micros;
            game.unknown_micros += order.stake_micros - freed;
            let Some(market) = game.markets.get_mut(usize::from(order.team)) else {
                return;
            };
            market.open_centi[order.side as usize] -= told;
            market.position_centi += order.side.sign() * filled;
            market.paid_micros += ack.cost_micros + i64::from(ack.fee_micros);
            if market.position_centi == 0 {
                game.closed_micros -= std::mem::take(&mut market.paid_micros);
            }
        }))
    }

    /// A game is over, as far as the feed knows; what that decides, micro-dollars. Its open orders stay until
    /// they are answered.
    pub(super) fn release(&mut self, game: u32, outcome: Outcome, now: u64) -> i64 {
        self.change_known(game, |game| {
            game.over = Some(Over {
                outcome,
                told_mono_ns: now,
            });
        })
    }

    /// A game is not over; what was decided by its end is so no more, micro-dollars.
    pub(super) fn reopen(&mut self, game: u32) -> i64 {
        self.change_known(game, |game| game.over = None)
    }

    fn market(&self, signal: &Signal) -> Option<&Market> {
        self.games
            .get(u64::from(signal.game))?
            .markets
            .get(usize::from(signal.team))
    }

    fn change(&mut self, game: u32, sport: Sport, change: impl FnOnce(&mut Game)) -> i64 {
        // `money_room` gave no room to a game that does not fit, so the entry is there.
        self.games.entry(u64::from(game), || Game::of(sport));
        self.change_known(game, change)
    }

    /// Changes a game, and keeps the sums in step; what the change decides of the day, micro-dollars.
    fn change_known(&mut self, game: u32, change: impl FnOnce(&mut Game)) -> i64 {
        let Some(game) = self.games.get_mut(u64::from(game)) else {
            return 0;
        };
        let before = (game.at_stake(), game.of_today());
        change(game);
        let more = game.at_stake() - before.0;
        self.at_stake_micros += more;
        self.by_sport_micros[game.sport as usize] += more;
        game.of_today() - before.1
    }
}
