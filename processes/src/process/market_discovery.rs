//! `market_discovery`: the venue's two markets of every announced game.
//!
//! It has no rings. It follows the discovery stream, asks the venue for the events of the game's
//! series, and announces the markets with their numbers, fees and ticks ([`catalogue`] keeps what
//! the venue said for some seconds). A game that is not listed yet is tried again; one that could be
//! several events is refused, and said once.
//!
//! The stream may hold the markets of earlier runs, with other shards or other fees. So every game is
//! looked for once by this run, and again when it changes shard or phase; a market is announced
//! unless the stream says the same of it already.
//!
//! Fees do not stay what they were: every game is looked for anew each ten minutes, and when an announced change
//! is due, and its markets are announced again where anything of them has changed. Where the fee cannot be
//! computed any more they are announced with one at which nothing is worth taking.
//!
//! The numbers of markets outlive Redis in a file (`market_numbers`): by them the position database knows what
//! is held, and the rings what is priced.

pub mod catalogue;
mod fees;

use crate::cold::announcer::{Announcer, heart};
use crate::cold::database;
use crate::cold::market_numbers::Numbers;
use crate::cold::redis::Cold;
use crate::discovery::{Discovery, Game, Market};
use crate::process::complaints::Complaints;
use crate::process::discoveries::followed;
use crate::runtime::{Context, Failure, io_thread};
use crate::venue::VenueError;
use crate::venue::backoff::Backoff;
use crate::venue::kalshi_rest::KalshiRest;
use crate::venue::league::League;
use crate::venue::signing::Signer;
use crate::venue::teams::{Aliases, Match, Matched};
use crate::venue::tls::Trust;
use catalogue::Catalogue;
use ipc::Message as _;
use layouts::{PriceUpdate, TeamSide};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::{Instant, interval};

/// Between two looks for games that are due, and at whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Between two looks for a game whose markets are known.
const LOOK_AGAIN: Duration = Duration::from_secs(600);
/// A fee rate at which nothing is worth taking.
const PROHIBITIVE_E4: u16 = u16::MAX;
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
    let trust = Trust::load(&pipeline.ca_file).map_err(Failure::other)?;
    let rest = KalshiRest::new(&pipeline.venue.rest, signer, &trust).map_err(Failure::other)?;
    let priced = pipeline
        .boards
        .iter()
        .filter(|board| board.message == PriceUpdate::NAME);
    let mut numbers = Numbers::within(&pipeline.run_dir);
    let known = numbers
        .load_with(&database::path(pipeline))
        .map_err(Failure::other)?;
    let finder = Finder {
        cold: Cold::connect(&pipeline.redis.url, &pipeline.name),
        catalogue: Catalogue::new(rest),
        aliases: Aliases::built_in().map_err(Failure::other)?,
        slots: priced.map(|board| board.slots).min().unwrap_or(u32::MAX),
        numbers,
        known,
        told: HashMap::new(),
        looked: HashMap::new(),
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
    /// Markets of which something else is true than was announced, such as their fee.
    changed: u64,
    failed: u64,
    /// Records that could not be read of the venue's last list that had any.
    unreadable: u64,
}

/// A game whose markets are still to be found.
struct Waiting {
    game: Game,
    due: Instant,
    backoff: Backoff,
}

/// A game that was looked for by this run.
struct Looked {
    game: Game,
    /// When it is looked for again.
    due: Instant,
}

struct Finder {
    cold: Cold,
    catalogue: Catalogue,
    aliases: Aliases,
    /// Rows of the board: numbers must stay below.
    slots: u32,
    numbers: Numbers,
    /// As they were when we came.
    known: HashMap<String, u32>,
    /// The last that the stream says of each market, by us or by an earlier run.
    told: HashMap<u32, Market>,
    looked: HashMap<u32, Looked>,
    waiting: HashMap<u32, Waiting>,
    counters: Counters,
    complaints: Complaints,
}

/// What looking for a game came to.
enum Look {
    Done,
    Later,
    /// The venue is away: it would not answer for the next game either.
    Away,
}

impl Finder {
    async fn run(mut self, stop: Arc<AtomicBool>, (name, heartbeat_ms): (String, u64)) -> Counters {
        let beat = heart(self.cold.clone(), &name, heartbeat_ms);
        let announcer = Announcer::start(self.cold.clone());
        self.cold
            .know_numbers(std::mem::take(&mut self.known))
            .await;
        let mut discoveries = followed(self.cold.clone());
        let mut due = interval(LOOK_EVERY);
        let mut stopped = std::pin::pin!(stopped(&stop));
        loop {
            tokio::select! {
                biased;
                () = &mut stopped => return self.counters,
                Some(discovery) = discoveries.recv() => self.learn(discovery),
                _ = due.tick() => {
                    // A request may take as long as its time-out; a stop does not wait for it.
                    tokio::select! {
                        () = &mut stopped => return self.counters,
                        () = self.look_for_due(&announcer) => {}
                    }
                    beat.send_replace(json!(self.counters));
                }
            }
        }
    }

    fn learn(&mut self, discovery: Discovery) {
        match discovery {
            Discovery::Market(market) => drop(self.told.insert(market.market, market)),
            Discovery::Game(game) if matches!(game.phase.as_str(), "final" | "off") => {
                self.waiting.remove(&game.game);
                self.looked.remove(&game.game);
            }
            Discovery::Game(game) => {
                let looked = self.looked.get(&game.game);
                if looked.is_some_and(|Looked { game: known, .. }| {
                    (known.shard, &known.phase) == (game.shard, &game.phase)
                }) {
                    return;
                }
                if let Some(waiting) = self.waiting.get_mut(&game.game) {
                    waiting.game = game;
                    return;
                }
                if looked.is_none() {
                    self.counters.games += 1;
                }
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

    /// Looks for every game that is due; ends early when the venue is away.
    async fn look_for_due(&mut self, announcer: &Announcer) {
        let now = Instant::now();
        let waiting = self.waiting.values();
        let due: Vec<Game> = waiting
            .filter(|waiting| waiting.due <= now)
            .map(|waiting| waiting.game.clone())
            .collect();
        for game in due {
            let look = self.look_for(&game, announcer).await;
            if matches!(look, Look::Done) {
                self.waiting.remove(&game.game);
                self.looked_for(game);
                continue;
            }
            self.counters.retries += 1;
            if let Some(waiting) = self.waiting.get_mut(&game.game) {
                waiting.due = Instant::now() + waiting.backoff.delay();
            }
            if matches!(look, Look::Away) {
                return;
            }
        }
        let looked = self.looked.values().filter(|looked| looked.due <= now);
        let again: Vec<Game> = looked.map(|looked| looked.game.clone()).collect();
        for game in again {
            match self.look_for(&game, announcer).await {
                Look::Away => {
                    if let Some(looked) = self.looked.get_mut(&game.game) {
                        looked.due = Instant::now() + RETRY.1;
                    }
                    return;
                }
                // What the venue lists no more it trades no more.
                Look::Done | Look::Later => self.looked_for(game),
            }
        }
    }

    /// The game is looked for again when its fees change, as far as that is known, and after a while anyway.
    fn looked_for(&mut self, game: Game) {
        let series = League::at(&game.league).map(|league| league.series);
        let wait = series.and_then(|series| self.catalogue.next_change(series));
        let looked = Looked {
            due: Instant::now() + wait.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN),
            game,
        };
        self.looked.insert(looked.game.game, looked);
    }

    async fn look_for(&mut self, game: &Game, announcer: &Announcer) -> Look {
        let Some(league) = League::at(&game.league) else {
            self.counters.refused += 1;
            self.complaints.say("unknown league", &game.league);
            return Look::Done;
        };
        match self.markets(league, game).await {
            Ok(Some(markets)) => {
                for market in markets {
                    self.announce(market, announcer);
                }
                Look::Done
            }
            Ok(None) => Look::Later,
            Err(Trouble::Venue(error)) => {
                self.counters.failed += 1;
                self.complaints.say("the venue cannot be asked", &error);
                Look::Away
            }
            Err(Trouble::Cold(error)) => {
                self.counters.failed += 1;
                self.complaints.say("no market number to be had", &error);
                Look::Away
            }
            Err(Trouble::Numbers(error)) => {
                self.counters.failed += 1;
                self.complaints.say(
                    "market numbers cannot be kept, nothing is announced",
                    &error,
                );
                Look::Away
            }
            Err(Trouble::Refused(reason)) => {
                self.counters.refused += 1;
                tracing::error!(
                    game = game.game,
                    home = game.home.code,
                    away = game.away.code,
                    "refused: {reason}"
                );
                let told = self.told.values().filter(|told| told.game == game.game);
                let told: Vec<Market> = told.cloned().collect();
                for mut market in told {
                    market.fee_rate_e4 = PROHIBITIVE_E4;
                    self.announce(market, announcer);
                }
                Look::Done
            }
        }
    }

    fn announce(&mut self, market: Market, announcer: &Announcer) {
        let told = self.told.insert(market.market, market.clone());
        if told.as_ref() == Some(&market) {
            announcer.remember(Discovery::Market(market));
            return;
        }
        let Market {
            game,
            market: number,
            ticker,
            fee_rate_e4,
            ..
        } = &market;
        match self.looked.contains_key(game) {
            true => {
                self.counters.changed += 1;
                tracing::warn!(
                    game,
                    market = number,
                    ticker,
                    fee_rate_e4,
                    ?told,
                    "market changed"
                );
            }
            false => {
                self.counters.markets += 1;
                tracing::info!(game, market = number, ticker, fee_rate_e4, "market found");
            }
        }
        announcer.announce(Discovery::Market(market));
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
        let events = &series.events;
        if events.unreadable > 0 {
            self.counters.unreadable = events.unreadable as u64;
            let cause = format!("events of {} cannot be read", league.series);
            self.complaints.say(&cause, &events.reason);
        }
        if let Some(reason) = series.changes.unread() {
            let cause = format!("changes of the fees of {} cannot be read", league.series);
            self.complaints.say(&cause, &reason);
        }
        let matched = match self.aliases.find(league, game, &events.items) {
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
            .fee_rate_e4(matched.event, jiff::Timestamp::now().as_second())
            .map_err(Trouble::Refused)?;
        let market = async |side: TeamSide| {
            market(
                &self.cold,
                self.slots,
                game,
                league,
                &matched,
                side,
                fee_rate_e4,
            )
            .await
        };
        let markets = [market(TeamSide::Home).await?, market(TeamSide::Away).await?];
        let numbers = self.cold.numbers().await;
        // A number that is lost would be given to another market.
        self.numbers.keep(&numbers).map_err(Trouble::Numbers)?;
        if is_nearly_full(&numbers, self.slots) {
            let slots = format!("its {} slots; give it more `slots`", self.slots);
            self.complaints.say(
                "market numbers will soon be beyond the board `prices`",
                &slots,
            );
        }
        Ok(Some(markets))
    }
}

/// Whether the highest number is beyond four fifths of the board.
fn is_nearly_full(numbers: &HashMap<String, u32>, slots: u32) -> bool {
    let highest = numbers.values().copied().max().unwrap_or(0);
    u64::from(highest) * 5 > u64::from(slots) * 4
}

/// Ends when the flag is set. A signal's handler sets it, who can wake nobody.
async fn stopped(stop: &AtomicBool) {
    let mut look = interval(LOOK_EVERY);
    while !stop.load(Relaxed) {
        look.tick().await;
    }
}

/// Why a game's markets cannot be announced.
enum Trouble {
    /// Not now.
    Venue(VenueError),
    /// Not now.
    Cold(crate::cold::redis::ColdError),
    /// Not now: their numbers are not on the disk.
    Numbers(std::io::Error),
    /// Never.
    Refused(String),
}

async fn market(
    cold: &Cold,
    slots: u32,
    game: &Game,
    league: League,
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
        sport: league.sport as u8,
        fee_rate_e4,
        tick_e4: catalogue::tick_e4(record),
        exchange_index: record.exchange_index.or(event.exchange_index),
    })
}

#[cfg(test)]
mod tests;
