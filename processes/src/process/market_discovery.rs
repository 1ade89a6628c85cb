//! `market_discovery`: the venue's two markets of every announced game.
//!
//! It has no rings. It follows the discovery stream, asks the venue for the events of the game's
//! series, and announces the markets with their numbers, fees and ticks ([`catalogue`] keeps what
//! the venue said for some seconds). A game that is not listed yet is tried again; one that could be
//! several events is refused, and said once.

pub mod catalogue;

use crate::cold::announcer::{announcer, heart};
use crate::cold::discovery::{Discovery, Game, Market};
use crate::cold::redis::{Cold, Cursor};
use crate::process::complaints::Complaints;
use crate::runtime::{Context, Failure, io_thread};
use crate::venue::VenueError;
use crate::venue::backoff::Backoff;
use crate::venue::kalshi_rest::KalshiRest;
use crate::venue::league::League;
use crate::venue::signing::Signer;
use crate::venue::teams::{Aliases, Match, Matched};
use catalogue::Catalogue;
use ipc::Message as _;
use layouts::{PriceUpdate, TeamSide};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

/// One wait for announcements; also how soon a stop is noticed.
const BLOCK: Duration = Duration::from_millis(200);
/// First and longest wait before looking for a game again.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Runs the process.
///
/// # Errors
///
/// When the key, the venue's address or the alias table is unusable.
pub fn run(context: &Context) -> Result<Value, Failure> {
    let (pipeline, stop) = (&context.pipeline, context.stop_flag());
    let signer =
        Signer::load(&pipeline.venue.key_id, &pipeline.venue.key_file).map_err(Failure::other)?;
    let rest = KalshiRest::new(&pipeline.venue.rest, signer).map_err(Failure::other)?;
    let priced = pipeline
        .boards
        .iter()
        .filter(|board| board.message == PriceUpdate::NAME);
    let finder = Finder {
        cold: Cold::connect(&pipeline.redis.url, &pipeline.name),
        catalogue: Catalogue::new(rest),
        aliases: Aliases::built_in().map_err(Failure::other)?,
        slots: priced.map(|board| board.slots).min().unwrap_or(u32::MAX),
        seen: HashMap::new(),
        waiting: HashMap::new(),
        counters: Counters::default(),
        complaints: Complaints::default(),
    };
    let heartbeat = (context.name.clone(), pipeline.redis.heartbeat_ms);
    let thread = io_thread("discovery", move || finder.run(stop, heartbeat))?;
    context.ready()?;
    let counters = thread
        .join()
        .map_err(|_| Failure::other("the discovery's thread has died"))?;
    Ok(json!(counters))
}

#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
struct Counters {
    games: u64,
    markets: u64,
    retries: u64,
    refused: u64,
    failed: u64,
}

/// A game whose markets are still to be found.
struct Waiting {
    game: Game,
    due: Instant,
    backoff: Backoff,
}

struct Finder {
    cold: Cold,
    catalogue: Catalogue,
    aliases: Aliases,
    /// Rows of the board: numbers must stay below.
    slots: u32,
    /// Markets announced by game, by us or by an earlier run.
    seen: HashMap<u32, HashSet<u8>>,
    waiting: HashMap<u32, Waiting>,
    counters: Counters,
    complaints: Complaints,
}

/// What looking for a game came to.
enum Look {
    Done,
    Later,
}

impl Finder {
    async fn run(mut self, stop: Arc<AtomicBool>, (name, heartbeat_ms): (String, u64)) -> Counters {
        let beat = heart(self.cold.clone(), &name, heartbeat_ms);
        let announce = announcer(self.cold.clone());
        let mut cursor = Cursor::default();
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
        while !stop.load(Relaxed) {
            match self.cold.discoveries(&mut cursor, BLOCK).await {
                Ok(found) => {
                    backoff.reset();
                    self.complaints.forget("redis is away");
                    found
                        .into_iter()
                        .for_each(|discovery| self.learn(discovery));
                }
                Err(error) => {
                    self.complaints.say("redis is away", &error);
                    sleep(backoff.delay()).await;
                }
            }
            self.look_for_due(&announce, &stop).await;
            beat.send_replace(json!(self.counters));
        }
        self.counters
    }

    fn learn(&mut self, discovery: Discovery) {
        match discovery {
            Discovery::Market(market) => drop(
                self.seen
                    .entry(market.game)
                    .or_default()
                    .insert(market.team),
            ),
            Discovery::Game(game) if matches!(game.phase.as_str(), "final" | "off") => {
                self.waiting.remove(&game.game);
            }
            Discovery::Game(game) if self.found(game.game) => {}
            Discovery::Game(game) => {
                if let Some(waiting) = self.waiting.get_mut(&game.game) {
                    waiting.game = game;
                    return;
                }
                self.counters.games += 1;
                let backoff = Backoff::new(RETRY.0, RETRY.1);
                self.waiting.insert(
                    game.game,
                    Waiting {
                        game,
                        due: Instant::now(),
                        backoff,
                    },
                );
            }
        }
    }

    /// Whether both markets of a game are known.
    fn found(&self, game: u32) -> bool {
        self.seen.get(&game).is_some_and(|teams| teams.len() >= 2)
    }

    async fn look_for_due(
        &mut self,
        announce: &mpsc::UnboundedSender<Discovery>,
        stop: &AtomicBool,
    ) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|game, _| !self.found(*game));
        self.waiting = waiting;
        let now = Instant::now();
        let due: Vec<Game> = self
            .waiting
            .values()
            .filter(|waiting| waiting.due <= now)
            .map(|waiting| waiting.game.clone())
            .collect();
        for game in due {
            if stop.load(Relaxed) {
                return;
            }
            match self.look_for(&game, announce).await {
                Look::Done => drop(self.waiting.remove(&game.game)),
                Look::Later => {
                    self.counters.retries += 1;
                    if let Some(waiting) = self.waiting.get_mut(&game.game) {
                        waiting.due = Instant::now() + waiting.backoff.delay();
                    }
                }
            }
        }
    }

    async fn look_for(&mut self, game: &Game, announce: &mpsc::UnboundedSender<Discovery>) -> Look {
        let Some(league) = League::at(&game.league) else {
            self.counters.refused += 1;
            self.complaints.say("unknown league", &game.league);
            return Look::Done;
        };
        match self.markets(league, game).await {
            Ok(Some(markets)) => {
                for market in markets {
                    tracing::info!(
                        game = game.game,
                        market = market.market,
                        ticker = market.ticker,
                        "market found"
                    );
                    self.seen.entry(game.game).or_default().insert(market.team);
                    self.counters.markets += 1;
                    // The announcer lives as long as this runtime.
                    let _ = announce.send(Discovery::Market(market));
                }
                Look::Done
            }
            Ok(None) => Look::Later,
            Err(Trouble::Venue(error)) => {
                self.counters.failed += 1;
                self.complaints.say("the venue cannot be asked", &error);
                Look::Later
            }
            Err(Trouble::Cold(error)) => {
                self.counters.failed += 1;
                self.complaints.say("no market number to be had", &error);
                Look::Later
            }
            Err(Trouble::Refused(reason)) => {
                self.counters.refused += 1;
                tracing::error!(
                    game = game.game,
                    home = game.home.code,
                    away = game.away.code,
                    "refused: {reason}"
                );
                Look::Done
            }
        }
    }

    /// The game's two markets; `None` when the venue does not list it.
    async fn markets(
        &mut self,
        league: League,
        game: &Game,
    ) -> Result<Option<[Market; 2]>, Trouble> {
        let series = self
            .catalogue
            .series(league.series)
            .await
            .map_err(Trouble::Venue)?;
        let matched = match self.aliases.find(league, game, &series.events) {
            Match::None => return Ok(None),
            Match::One(matched) => matched,
            Match::Ambiguous(tickers) => {
                return Err(Trouble::Refused(format!(
                    "it could be any of {}",
                    tickers.join(", ")
                )));
            }
        };
        let fee_rate_e4 = series
            .fee_rate_e4(matched.event)
            .map_err(Trouble::Refused)?;
        let market = async |side: TeamSide| {
            market(&self.cold, self.slots, game, &matched, side, fee_rate_e4).await
        };
        Ok(Some([
            market(TeamSide::Home).await?,
            market(TeamSide::Away).await?,
        ]))
    }
}

/// Why a game's markets cannot be announced.
enum Trouble {
    /// Not now.
    Venue(VenueError),
    /// Not now.
    Cold(crate::cold::redis::ColdError),
    /// Never.
    Refused(String),
}

async fn market(
    cold: &Cold,
    slots: u32,
    game: &Game,
    matched: &Matched<'_>,
    side: TeamSide,
    fee_rate_e4: u16,
) -> Result<Market, Trouble> {
    let (event, record) = match side {
        TeamSide::Home => (matched.event, matched.home),
        TeamSide::Away => (matched.event, matched.away),
    };
    let number = cold
        .market_number(&record.ticker)
        .await
        .map_err(Trouble::Cold)?;
    if number >= slots {
        return Err(Trouble::Refused(format!(
            "market number {number} is beyond the board's {slots} slots"
        )));
    }
    Ok(Market {
        market: number,
        ticker: record.ticker.clone(),
        event_ticker: event.event_ticker.clone(),
        game: game.game,
        shard: game.shard,
        team: side as u8,
        fee_rate_e4,
        tick_e4: catalogue::tick_e4(record),
        exchange_index: record.exchange_index.or(event.exchange_index).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests;
