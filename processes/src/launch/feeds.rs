//! Whether prices and games still come, as the rings and the board of prices show. Read-only.
//!
//! Silence counts while a game is live: at night nothing comes, and nothing is lost. A price is good while
//! its row on the board is active and the monitor that wrote it is heard; a game is heard of as its state
//! comes, which for a live game is every second even where nothing has changed.
//!
//! Prices carry the venue's time: how far it is from ours is judged here too ([`Skew`]).

mod skew;

use crate::runtime::Failure;
use ipc::{BoardReader, Message, Observer};
use layouts::{GameState, MarketStatus, Phase, PriceUpdate};
use pipeline::{Pipeline, Safety};
use skew::Skew;
use std::collections::HashMap;

const NS_PER_MS: u64 = 1_000_000;

/// Which feeds are lost.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) prices: bool,
    pub(super) games: bool,
    /// How far the venue's clock is behind ours, ms, where that is beyond the bound.
    pub(super) skew_ms: Option<i64>,
}

/// The feeds of a pipeline under watch.
pub(super) struct Feeds {
    board: BoardReader<PriceUpdate>,
    /// Rings of prices: their writer beats as long as it lives.
    monitor: Vec<Observer>,
    /// Rings of games, and what of each is read next.
    games: Vec<(Observer, u64)>,
    /// When each live game was last heard of, ns.
    live: HashMap<u32, u64>,
    prices: Silence,
    states: Silence,
    skew: Skew,
}

/// How long a feed has been silent, or heard again.
#[derive(Debug, Clone, Copy)]
struct Silence {
    bound_ns: u64,
    heard_ns: u64,
    /// From when on it has been heard without a silence; `None` while it is not lost.
    back_since_ns: Option<u64>,
    lost: bool,
}

impl Feeds {
    /// Begins to watch; nothing counts as silent before `now_ns`.
    pub(super) fn open(pipeline: &Pipeline, now_ns: u64) -> Result<Self, Failure> {
        let observers = |message: &str| -> Result<Vec<Observer>, Failure> {
            let links = pipeline.links.iter();
            links
                .filter(|link| link.message == message)
                .map(|link| Ok(Observer::open(&pipeline.ring_path(&link.name))?))
                .collect()
        };
        let Some(board) = pipeline.boards.first() else {
            return Err(Failure::Configuration("no board of prices".into()));
        };
        let Safety {
            max_price_silence_ms,
            max_game_silence_ms,
            max_clock_skew_ms,
            ..
        } = pipeline.safety;
        Ok(Self {
            board: BoardReader::open(&pipeline.board_path(&board.name))?,
            monitor: observers(PriceUpdate::NAME)?,
            games: observers(GameState::NAME)?
                .into_iter()
                .map(|ring| (ring, 0))
                .collect(),
            live: HashMap::new(),
            prices: Silence::from(max_price_silence_ms, now_ns),
            states: Silence::from(max_game_silence_ms, now_ns),
            skew: Skew::within(max_clock_skew_ms),
        })
    }

    /// Looks at everything; `now_unix_ns` is the same moment by the wall clock.
    pub(super) fn look(&mut self, now_ns: u64, now_unix_ns: u64) -> Lost {
        self.read_clock(now_ns, now_unix_ns);
        self.read_games();
        let states = match self.live.values().max() {
            Some(heard) => *heard,
            None => now_ns,
        };
        self.states.hear(states.min(now_ns), now_ns);
        if let Some(heard) = self.prices_heard(now_ns) {
            self.prices.hear(heard, now_ns);
        } else {
            self.prices.wait(now_ns);
        }
        Lost {
            prices: self.prices.lost,
            games: self.states.lost,
            skew_ms: self.skew.beyond_ms(),
        }
    }

    /// What the latest price of each market says of the venue's clock.
    fn read_clock(&mut self, now_ns: u64, now_unix_ns: u64) {
        for index in 0..self.board.info().capacity {
            if let Ok(Some(row)) = self.board.read(index) {
                let PriceUpdate {
                    ingress_mono_ns,
                    venue_unix_us,
                    ..
                } = row.value;
                let age_ns = now_ns.saturating_sub(ingress_mono_ns);
                let arrived_unix_us = now_unix_ns.saturating_sub(age_ns) / 1_000;
                self.skew
                    .hear(index, ingress_mono_ns, venue_unix_us, arrived_unix_us);
            }
        }
    }

    fn read_games(&mut self) {
        for (ring, next) in &mut self.games {
            let published = ring.statistics().published;
            let kept = published.saturating_sub(u64::from(ring.info().capacity));
            for sequence in (*next).max(kept)..published {
                let Ok(Some(state)) = ring.read::<GameState>(sequence) else {
                    continue;
                };
                if state.phase() == Some(Phase::Live) {
                    self.live.insert(state.game, state.ingress_mono_ns);
                } else {
                    self.live.remove(&state.game);
                }
            }
            *next = published;
        }
    }

    /// Until when some live game's price was good; `None` when none is.
    fn prices_heard(&self, now_ns: u64) -> Option<u64> {
        let (mut markets, mut good) = (0, 0);
        for index in 0..self.board.info().capacity {
            let Ok(Some(row)) = self.board.read(index) else {
                continue;
            };
            let status = row.value.status();
            if status != Some(MarketStatus::Closed) && self.live.contains_key(&row.value.game) {
                markets += 1;
                good += usize::from(status == Some(MarketStatus::Active));
            }
        }
        if markets == 0 {
            return Some(now_ns);
        }
        let beats = self.monitor.iter().map(|ring| ring.life().beat_ns);
        (good > 0).then(|| beats.max().unwrap_or(0).min(now_ns))
    }
}

impl Silence {
    fn from(bound_ms: u64, now_ns: u64) -> Self {
        Self {
            bound_ns: bound_ms.saturating_mul(NS_PER_MS),
            heard_ns: now_ns,
            back_since_ns: None,
            lost: false,
        }
    }

    /// It was heard at `heard_ns`, for the last time so far.
    fn hear(&mut self, heard_ns: u64, now_ns: u64) {
        self.heard_ns = self.heard_ns.max(heard_ns);
        self.wait(now_ns);
    }

    fn wait(&mut self, now_ns: u64) {
        let silent = now_ns.saturating_sub(self.heard_ns) > self.bound_ns;
        if silent {
            (self.lost, self.back_since_ns) = (true, None);
        } else if self.lost {
            let since = *self.back_since_ns.get_or_insert(now_ns);
            self.lost = now_ns.saturating_sub(since) < self.bound_ns;
            self.back_since_ns = self.lost.then_some(since);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = NS_PER_MS;

    #[test]
    fn a_silence_beyond_the_bound_is_a_loss_and_ends_when_it_has_been_heard_for_as_long() {
        let mut silence = Silence::from(100, 0);
        silence.hear(50 * MS, 60 * MS);
        silence.wait(150 * MS);
        assert!(!silence.lost, "at the bound");
        silence.wait(151 * MS);
        assert!(silence.lost);
        // Heard, silent again, heard again: only the last counts.
        silence.hear(160 * MS, 160 * MS);
        silence.wait(262 * MS);
        assert!(silence.lost && silence.back_since_ns.is_none());
        for now in [270, 330, 369] {
            silence.hear(now * MS, now * MS);
            assert!(silence.lost, "at {now}");
        }
        silence.hear(371 * MS, 371 * MS);
        assert!(!silence.lost);
    }
}
