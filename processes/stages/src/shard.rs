//! The stage of `game_shard`: joins prices and game states, emits signals.
//!
//! One input gives at most two signals, one a market: the two legs of an arbitrage, or else a model
//! edge in either market. An arbitrage goes first because it is certain; the lowest bit of a
//! signal's id is its market (0 home, 1 away), so ids are unique and derive from the input alone.
//!
//! Nothing is emitted unless the game is live and its state fresh by the input's own time. That
//! holds for an arbitrage too: a game called off settles at "a fair price", which need not add up
//! to a dollar, and a dead feed stops trading altogether.
//!
//! Prices come by a ring on which the latest wins, and by the board. A price from the board is
//! knowledge, not an input: it raises no signal by itself, because several of them would share the
//! identity of one message. The next price or state of the game, for a live one within a second,
//! judges it.
//!
//! An opportunity is told when it appears, when it improves, and again every `rearm` while it
//! lasts: a book that ticks 350 times a second around one opportunity gives one signal, not 350.

use super::opportunity::{Arbitrage, Edge, arbitrage, blend, model_edge, shown};
use super::table::Table;
use super::win_probability::{WinProbability, to_e4};
use crate::model::Model;
use layouts::game::NO_PROBABILITY;
use layouts::signal::signal_id;
use layouts::{
    E4_PER_DOLLAR, GameState, MarketStatus, Phase, PriceUpdate, Side, Signal, SignalKind, TeamSide,
};
use serde::Serialize;

/// Games that one shard can hold; a Saturday of college games is some hundreds.
const GAMES: usize = 4_096;
const NS_PER_MS: u64 = 1_000_000;

/// At most one signal a market.
pub type Signals = [Option<Signal>; 2];
const NOTHING: Signals = [None, None];

/// The identity and time of an input: its ring position and the moment it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Position in its ring.
    pub sequence: u64,
    /// When it was sent, ns, CLOCK_MONOTONIC: the stage's only notion of now.
    pub sent_mono_ns: u64,
}

/// What happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Price updates taken.
    pub prices: u64,
    /// Game states taken.
    pub states: u64,
    /// Inputs with bytes that mean nothing.
    pub malformed: u64,
    /// Inputs of games that the table had no room for.
    pub no_room: u64,
    /// Prices of a second market for a team that has one, or of another sport than the game's state.
    pub conflicting: u64,
    /// Signals of arbitrage legs.
    pub arbitrage_signals: u64,
    /// Signals of model edge.
    pub edge_signals: u64,
}

/// The stage.
#[derive(Debug, Clone)]
pub struct Shard {
    index: u8,
    model: Model,
    rearm_ns: u64,
    models: WinProbability,
    games: Table<Game>,
    counters: Counters,
}

/// What is known of one game.
#[derive(Debug, Clone, Copy)]
struct Game {
    /// Latest price of the home and the away market.
    prices: [Option<PriceUpdate>; 2],
    state: Option<GameState>,
    /// The model's price of a home win in `state`; none where it has no judgement.
    home_e4: Option<u16>,
    /// Of buying and selling both.
    pairs: [Episode; 2],
    /// Of buying and selling, for the home and the away market.
    edges: [[Episode; 2]; 2],
}

/// One opportunity as long as it lasts.
#[derive(Debug, Clone, Copy, Default)]
struct Episode {
    open: bool,
    told_mono_ns: u64,
    gain_e4: i16,
    count_centi: u32,
}

impl Episode {
    /// Whether to tell of the opportunity: it is new, better than told, or was told long ago.
    fn tell(&mut self, gain_e4: i16, count_centi: u32, now: u64, rearm_ns: u64) -> bool {
        let better = gain_e4 > self.gain_e4 || count_centi >= self.count_centi.saturating_mul(2);
        let due = now.saturating_sub(self.told_mono_ns) >= rearm_ns;
        if self.open && !better && !due {
            return false;
        }
        *self = Self {
            open: true,
            told_mono_ns: now,
            gain_e4,
            count_centi,
        };
        true
    }
}

/// What all signals of one input have in common.
#[derive(Debug, Clone, Copy)]
struct Cause {
    now: u64,
    ingress_mono_ns: u64,
    expires_mono_ns: u64,
    shard: u8,
    from_games: bool,
    /// Of the input.
    sequence: u64,
}

impl Shard {
    /// A shard. `rearm_ms` is the shortest time between two signals of one lasting opportunity.
    #[must_use]
    pub fn new(index: u8, model: Model, rearm_ms: u64) -> Self {
        Self {
            index,
            model,
            rearm_ns: rearm_ms.saturating_mul(NS_PER_MS),
            models: WinProbability::new(),
            games: Table::with_room(GAMES),
            counters: Counters::default(),
        }
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Takes a price.
    pub fn on_price(&mut self, price: &PriceUpdate, stamp: Stamp) -> Signals {
        self.counters.prices += 1;
        if !self.learn(price) {
            return NOTHING;
        }
        self.judge(price.game, self.cause(false, price.ingress_mono_ns, stamp))
    }

    /// Takes a price as the board shows it; whether it may be used.
    pub fn learn(&mut self, price: &PriceUpdate) -> bool {
        let (Some(team), Some(_), Some(_)) = (price.team(), price.status(), price.sport()) else {
            self.counters.malformed += 1;
            return false;
        };
        self.make_room(price.game);
        let Some(game) = self.games.entry(u64::from(price.game), Game::unknown) else {
            self.counters.no_room += 1;
            return false;
        };
        // One of the two is about another game; and the sport's limit would be the wrong one.
        let other_sport = game.state.is_some_and(|state| state.sport != price.sport);
        let slot = &mut game.prices[team as usize];
        if other_sport || slot.is_some_and(|known| known.market != price.market) {
            self.counters.conflicting += 1;
            return false;
        }
        *slot = Some(*price);
        true
    }

    /// Trusts no price until it is told again: a lost message may have been the last of its market.
    pub fn distrust(&mut self) {
        for game in self.games.values_mut() {
            for price in game.prices.iter_mut().flatten() {
                price.status = MarketStatus::Suspect as u8;
            }
        }
    }

    /// Takes a state.
    pub fn on_state(&mut self, state: &GameState, stamp: Stamp) -> Signals {
        self.counters.states += 1;
        if state.phase().is_none() || state.sport().is_none() || state.half().is_none() {
            self.counters.malformed += 1;
            return NOTHING;
        }
        self.make_room(state.game);
        let Some(game) = self.games.entry(u64::from(state.game), Game::unknown) else {
            self.counters.no_room += 1;
            return NOTHING;
        };
        let mut state = *state;
        // The line is shown until the game starts; a feed that was started again no longer knows it.
        if state.pregame_home_win_e4 == NO_PROBABILITY
            && let Some(known) = game.state
        {
            state.pregame_home_win_e4 = known.pregame_home_win_e4;
        }
        for price in &mut game.prices {
            let other_sport = price.is_some_and(|price| price.sport != state.sport);
            if other_sport {
                self.counters.conflicting += 1;
                *price = None;
            }
        }
        game.home_e4 = self.models.home_win(&state).map(to_e4);
        game.state = Some(state);
        self.judge(state.game, self.cause(true, state.ingress_mono_ns, stamp))
    }

    /// Forgets the game that was the first to end if there is no room for this one.
    fn make_room(&mut self, game: u32) {
        if self.games.len() == GAMES && self.games.get(u64::from(game)).is_none() {
            self.games.evict_least(|game| {
                let ended =
                    |state: &GameState| matches!(state.phase(), Some(Phase::Final | Phase::Off));
                Some(game.state.filter(ended)?.ingress_mono_ns)
            });
        }
    }

    fn cause(&self, from_games: bool, ingress_mono_ns: u64, stamp: Stamp) -> Cause {
        let ttl = self.model.signal_ttl_ms.saturating_mul(NS_PER_MS);
        Cause {
            now: stamp.sent_mono_ns,
            ingress_mono_ns,
            expires_mono_ns: stamp.sent_mono_ns.saturating_add(ttl),
            shard: self.index,
            from_games,
            sequence: stamp.sequence,
        }
    }

    fn judge(&mut self, game: u32, cause: Cause) -> Signals {
        let Some(game) = self.games.get_mut(u64::from(game)) else {
            return NOTHING;
        };
        let max_age_ns = self.model.max_state_age_ms.saturating_mul(NS_PER_MS);
        if !game.is_live(cause.now, max_age_ns) {
            game.close_all();
            return NOTHING;
        }
        let pair = game.arbitrage(cause, &self.model, self.rearm_ns);
        if pair[0].is_some() {
            self.counters.arbitrage_signals += 2;
            return pair;
        }
        let edges = [TeamSide::Home, TeamSide::Away]
            .map(|team| game.edge(team, cause, &self.model, self.rearm_ns));
        self.counters.edge_signals += edges.iter().flatten().map(|_| 1).sum::<u64>();
        edges
    }
}

impl Game {
    fn unknown() -> Self {
        Self {
            prices: [None; 2],
            state: None,
            home_e4: None,
            pairs: [Episode::default(); 2],
            edges: [[Episode::default(); 2]; 2],
        }
    }

    fn is_live(&self, now: u64, max_age_ns: u64) -> bool {
        self.state.is_some_and(|state| {
            state.phase() == Some(Phase::Live)
                && now.saturating_sub(state.ingress_mono_ns) <= max_age_ns
        })
    }

    fn close_all(&mut self) {
        for episode in self.pairs.iter_mut().chain(self.edges.as_flattened_mut()) {
            episode.open = false;
        }
    }

    fn tradable(&self, team: TeamSide) -> Option<PriceUpdate> {
        self.prices[team as usize].filter(PriceUpdate::is_tradable)
    }

    /// Both legs, or none.
    fn arbitrage(&mut self, cause: Cause, model: &Model, rearm_ns: u64) -> Signals {
        let (home, away) = (self.tradable(TeamSide::Home), self.tradable(TeamSide::Away));
        let (Some(home), Some(away)) = (home, away) else {
            self.pairs = [Episode::default(); 2];
            return NOTHING;
        };
        let found = arbitrage(&home, &away);
        let [bid, ask] = &mut self.pairs;
        let (episode, other) = if found.side == Side::Bid {
            (bid, ask)
        } else {
            (ask, bid)
        };
        other.open = false;
        if found.gain_e4 < threshold(model.min_arbitrage_e4) {
            episode.open = false;
            return NOTHING;
        }
        if !episode.tell(found.gain_e4, found.count_centi, cause.now, rearm_ns) {
            return NOTHING;
        }
        [
            leg(&home, &away, &found, cause),
            leg(&away, &home, &found, cause),
        ]
    }

    fn edge(
        &mut self,
        team: TeamSide,
        cause: Cause,
        model: &Model,
        rearm_ns: u64,
    ) -> Option<Signal> {
        let episodes = &mut self.edges[team as usize];
        let (Some(price), Some(home_e4)) = (
            self.prices[team as usize].filter(PriceUpdate::is_tradable),
            self.home_e4,
        ) else {
            *episodes = [Episode::default(); 2];
            return None;
        };
        let model_e4 = match team {
            TeamSide::Home => home_e4,
            TeamSide::Away => E4_PER_DOLLAR.saturating_sub(home_e4),
        };
        let fair_e4 = blend(&price, model_e4, model.weight_percent);
        let Edge {
            side,
            price_e4,
            count_centi,
            edge_e4,
        } = model_edge(&price, fair_e4);
        let [bid, ask] = episodes;
        let (episode, other) = if side == Side::Bid {
            (bid, ask)
        } else {
            (ask, bid)
        };
        other.open = false;
        if edge_e4 < threshold(model.min_edge_e4) {
            episode.open = false;
            return None;
        }
        episode
            .tell(edge_e4, count_centi, cause.now, rearm_ns)
            .then(|| Signal {
                count_centi,
                fair_e4,
                edge_e4,
                ..signal(&price, side, price_e4, SignalKind::ModelEdge, cause)
            })
    }
}

/// One leg; it is worth what the other leg leaves of the dollar.
fn leg(own: &PriceUpdate, other: &PriceUpdate, found: &Arbitrage, cause: Cause) -> Option<Signal> {
    Some(Signal {
        count_centi: found.count_centi,
        fair_e4: E4_PER_DOLLAR.saturating_sub(shown(other, found.side).0),
        edge_e4: found.gain_e4,
        ..signal(
            own,
            found.side,
            shown(own, found.side).0,
            SignalKind::Arbitrage,
            cause,
        )
    })
}

fn signal(
    price: &PriceUpdate,
    side: Side,
    price_e4: u16,
    kind: SignalKind,
    cause: Cause,
) -> Signal {
    Signal {
        ingress_mono_ns: cause.ingress_mono_ns,
        expires_mono_ns: cause.expires_mono_ns,
        signal: signal_id(
            cause.shard,
            cause.from_games,
            cause.sequence,
            kind,
            price.team,
        ),
        market: price.market,
        game: price.game,
        count_centi: 0,
        price_e4,
        fair_e4: 0,
        edge_e4: 0,
        fee_rate_e4: price.fee_rate_e4,
        side: side as u8,
        kind: kind as u8,
        team: price.team,
        sport: price.sport,
    }
}

/// A threshold as an edge is stated; never below one unit, so that no gain is no opportunity.
fn threshold(least_e4: u16) -> i16 {
    i16::try_from(least_e4).unwrap_or(i16::MAX).max(1)
}

#[cfg(test)]
mod tests;
