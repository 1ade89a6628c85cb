//! Recorded games: minutes of real baseball with the real market's bid and offer, played at a speed.
//!
//! One row is one minute of one game. Rules, where the record says less than the simulation needs:
//! - A row is in force from its `decision_time` on. Time between games, when none is live, is left out.
//! - The record has one market a game, the home team's. The away team's is quoted complementarily, so
//!   it offers no arbitrage that the record does not show.
//! - Size at the touch is a twentieth of the minute's recorded volume, at least 10 and at most 2,000
//!   contracts; the next two cents behind it hold twice as much each. Each minute sets it afresh.
//! - Only the difference of the scores is recorded: a change counts as runs of the team it favours.
//! - The result is `home_win`. Where the last recorded minute contradicts it, the winner's last runs
//!   came after it, and one run more than the loser has is shown.

use super::book::{AccountNumber, SelfTrade};
use super::catalogue::NewEvent;
use super::exchange::Exchange;
use super::game::{Fixture, Game, League, Stage, State};
use super::generated::pay_markets;
use super::ledger::MarketNumber;
use super::records::{NewOrder, Reason, TimeInForce};
use super::teams::{Team, by_venue_code, venue_name};
use super::times::{SECOND_US, from_ticker};
use super::world::World;
use flate2::read::GzDecoder;
use layouts::units::parse_price_e4;
use layouts::{Half, Side};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a record cannot be played.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    /// It cannot be opened.
    #[error("cannot open the record {path}: {source}")]
    Open {
        /// Where it should be.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A row that is not one.
    #[error("{path}, row {row}: {what}")]
    Row {
        /// The record.
        path: PathBuf,
        /// Counted from 1, without the header.
        row: u64,
        /// What is wrong with it.
        what: String,
    },
    /// Nothing in it.
    #[error("the record {0} holds no games")]
    Empty(PathBuf),
}

/// The columns that are used.
#[derive(Debug, Deserialize)]
struct Row {
    market_ticker: String,
    #[serde(deserialize_with = "unix_us")]
    decision_time: i64,
    #[serde(deserialize_with = "unix_us")]
    first_pitch_time: i64,
    #[serde(deserialize_with = "unix_us")]
    last_pitch_time: i64,
    yes_bid_close: String,
    yes_ask_close: String,
    volume: f64,
    game_pk: u32,
    inning: u8,
    inning_topbot: u8,
    outs_when_up: u8,
    runner_on_first: u8,
    runner_on_second: u8,
    runner_on_third: u8,
    balls: u8,
    strikes: u8,
    score_diff: i32,
    home_win_exp: f64,
    home_win: u8,
}

/// Microseconds since the epoch out of a time such as `2026-06-28 17:39:00+00:00`.
fn unix_us<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse::<jiff::Timestamp>()
        .map(|time| time.as_microsecond())
        .map_err(serde::de::Error::custom)
}

/// One minute of a game.
#[derive(Debug, Clone)]
struct Minute {
    at_us: i64,
    bid_e4: u16,
    ask_e4: u16,
    touch_centi: u32,
    state: State,
}

/// One game of the record.
#[derive(Debug)]
struct Replay {
    fixture: Arc<Fixture>,
    first_us: i64,
    last_us: i64,
    home_won: bool,
    minutes: Vec<Minute>,
    next: usize,
    state: State,
    quotes: Vec<u64>,
    ended: Option<f64>,
    paid: u8,
}

/// The recorded world.
#[derive(Debug)]
pub(crate) struct Recorded {
    games: Vec<Replay>,
    /// Stretches of recorded time in which a game is live, in order, apart from each other.
    live: Vec<(i64, i64)>,
    speed: f64,
    maker: AccountNumber,
}

/// Recorded time that is played before the first pitch of a stretch and after its last.
const MARGIN_US: i64 = 60 * SECOND_US;

impl Recorded {
    /// Reads a record, keeps the first games by first pitch, and lists their markets.
    pub(crate) fn open(
        path: &Path,
        games: usize,
        speed: f64,
        exchange: &mut Exchange,
        now_us: i64,
    ) -> Result<Self, RecordError> {
        let file = File::open(path).map_err(|source| RecordError::Open {
            path: path.to_path_buf(),
            source,
        })?;
        let plain: Box<dyn Read> = if path.extension().is_some_and(|ending| ending == "gz") {
            Box::new(GzDecoder::new(file))
        } else {
            Box::new(file)
        };
        let mut by_game: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        for (number, row) in csv::Reader::from_reader(plain).deserialize().enumerate() {
            let row: Row = row.map_err(|error| bad_row(path, number, error.to_string()))?;
            by_game
                .entry(row.market_ticker.clone())
                .or_default()
                .push(row);
        }
        let mut selected: Vec<Vec<Row>> = by_game.into_values().collect();
        selected.sort_by_key(|rows| rows.first().map(|row| (row.first_pitch_time, row.game_pk)));
        selected.truncate(games);
        if selected.is_empty() {
            return Err(RecordError::Empty(path.to_path_buf()));
        }
        let maker = exchange.open_account();
        let mut replays = Vec::new();
        for (number, rows) in selected.iter().enumerate() {
            replays.push(
                Replay::build(rows, exchange, now_us)
                    .map_err(|what| bad_row(path, number, what))?,
            );
        }
        let live = stretches(&replays);
        Ok(Self {
            games: replays,
            live,
            speed,
            maker,
        })
    }

    /// The recorded moment after so many seconds of the run.
    fn moment(&self, elapsed: f64) -> i64 {
        let mut left = micros(elapsed * self.speed);
        for (from, to) in &self.live {
            if left <= to - from {
                return from + left;
            }
            left -= to - from;
        }
        i64::MAX
    }
}

fn bad_row(path: &Path, number: usize, what: String) -> RecordError {
    RecordError::Row {
        path: path.to_path_buf(),
        row: number as u64 + 1,
        what,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast saturates, which is the end of the record"
)]
fn micros(seconds: f64) -> i64 {
    (seconds * 1e6) as i64
}

fn stretches(games: &[Replay]) -> Vec<(i64, i64)> {
    let mut live: Vec<(i64, i64)> = Vec::new();
    for game in games {
        let (from, to) = (game.first_us - MARGIN_US, game.last_us + MARGIN_US);
        match live.last_mut().filter(|last| last.1 >= from) {
            Some(last) => last.1 = last.1.max(to),
            None => live.push((from, to)),
        }
    }
    live
}

impl World for Recorded {
    fn advance(&mut self, elapsed: f64, exchange: &mut Exchange, now_us: i64) {
        let moment = self.moment(elapsed);
        for game in &mut self.games {
            game.advance(moment, elapsed, self.maker, exchange, now_us);
        }
    }

    fn games(&self) -> Vec<Game> {
        self.games
            .iter()
            .map(|game| Game {
                fixture: Arc::clone(&game.fixture),
                state: game.state,
            })
            .collect()
    }

    fn settled(&self) -> usize {
        self.games.iter().filter(|game| game.paid == 3).count()
    }
}

impl Replay {
    fn build(rows: &[Row], exchange: &mut Exchange, now_us: i64) -> Result<Self, String> {
        let first = rows.first().ok_or("no rows")?;
        let (event, home, away, start_us) = names(&first.market_ticker)?;
        let series = League::Mlb.series();
        let teams =
            [&home, &away].map(|team| (team.venue_code.to_string(), venue_name(League::Mlb, team)));
        let markets = exchange.list(
            NewEvent {
                ticker: event,
                series,
                fees: None,
                start_us,
                teams,
            },
            now_us,
        );
        let fixture = Fixture {
            id: first.game_pk,
            league: League::Mlb,
            home,
            away,
            start_us,
            markets,
        };
        let mut score = [0_u16; 2];
        let mut difference = 0;
        let mut minutes = Vec::new();
        for row in rows {
            let change = row.score_diff - difference;
            difference = row.score_diff;
            score[usize::from(change < 0)] += u16::try_from(change.unsigned_abs()).unwrap_or(0);
            minutes.push(minute(row, score)?);
        }
        Ok(Self {
            fixture: Arc::new(fixture),
            first_us: first.first_pitch_time,
            last_us: first.last_pitch_time,
            home_won: first.home_win == 1,
            state: State::scheduled(minutes.first().map_or(0.5, |minute| minute.state.home_win)),
            minutes,
            next: 0,
            quotes: Vec::new(),
            ended: None,
            paid: 0,
        })
    }

    fn advance(
        &mut self,
        moment: i64,
        elapsed: f64,
        maker: AccountNumber,
        exchange: &mut Exchange,
        now_us: i64,
    ) {
        if self.state.stage == Stage::Scheduled && moment >= self.first_us {
            self.state.stage = Stage::Playing;
            self.state.period = 1;
            self.state.half = Half::Top;
        }
        let before = self.next;
        while self
            .minutes
            .get(self.next)
            .is_some_and(|minute| minute.at_us <= moment)
        {
            self.next += 1;
        }
        // Minutes that passed between two looks are over: only the last one counts.
        if self.next > before
            && let Some(minute) = self.minutes.get(self.next - 1).cloned()
        {
            self.state = minute.state;
            self.quote(&minute, maker, exchange, now_us);
        }
        if self.state.stage != Stage::Over
            && moment >= self.last_us
            && self.next == self.minutes.len()
        {
            self.finish();
        }
        if self.state.stage == Stage::Over {
            let since = elapsed - *self.ended.get_or_insert(elapsed);
            pay_markets(
                self.fixture.markets,
                &self.state,
                since,
                &mut self.paid,
                exchange,
                now_us,
            );
        }
    }

    fn finish(&mut self) {
        let [home, away] = self.state.score;
        if self.home_won && home <= away {
            self.state.score[0] = away + 1;
        } else if !self.home_won && away <= home {
            self.state.score[1] = home + 1;
        }
        self.state.stage = Stage::Over;
        self.state.home_win = if self.home_won { 1.0 } else { 0.0 };
    }

    /// Replaces all quotes of both markets by those of the minute.
    fn quote(
        &mut self,
        minute: &Minute,
        maker: AccountNumber,
        exchange: &mut Exchange,
        now_us: i64,
    ) {
        for order in self.quotes.drain(..) {
            exchange.cancel(order, Reason::Cancel, now_us);
        }
        let [home, away] = self.fixture.markets;
        for behind in 0..3_u16 {
            let count_centi = if behind == 0 {
                minute.touch_centi
            } else {
                2 * minute.touch_centi
            };
            let bid = minute
                .bid_e4
                .checked_sub(100 * behind)
                .filter(|price| *price > 0 && minute.bid_e4 > 0);
            let ask = Some(minute.ask_e4 + 100 * behind).filter(|price| *price < 10_000);
            for (market, side, price) in [
                (home, Side::Bid, bid),
                (home, Side::Ask, ask),
                (away, Side::Bid, ask.map(|price| 10_000 - price)),
                (away, Side::Ask, bid.map(|price| 10_000 - price)),
            ] {
                let Some(price_e4) = price else { continue };
                let resting = exchange.create(
                    resting_order(maker, market, side, price_e4, count_centi),
                    now_us,
                );
                self.quotes.extend(resting.map(|order| order.number));
            }
        }
    }
}

fn resting_order(
    account: AccountNumber,
    market: MarketNumber,
    side: Side,
    price_e4: u16,
    count_centi: u32,
) -> NewOrder {
    NewOrder {
        account,
        market,
        side,
        price_e4,
        count_centi,
        time_in_force: TimeInForce::GoodTillCanceled,
        self_trade: SelfTrade::Maker,
        post_only: false,
        reduce_only: false,
        cancel_on_pause: false,
        expires_us: None,
        client_order_id: None,
        group: None,
    }
}

/// Event, home team, away team and start out of a ticker such as `KXMLBGAME-26JUN281335CINPIT-PIT`.
fn names(ticker: &str) -> Result<(String, Team, Team, i64), String> {
    let bad = || format!("the ticker {ticker} is not one of a baseball game");
    let (event, home) = ticker.rsplit_once('-').ok_or_else(bad)?;
    let game = event.strip_prefix("KXMLBGAME-").ok_or_else(bad)?;
    let start_us = from_ticker(game).ok_or_else(bad)?;
    let away = game
        .get(11..)
        .and_then(|codes| codes.strip_suffix(home))
        .ok_or_else(bad)?;
    let team = |code: &str| {
        by_venue_code(League::Mlb, code).ok_or_else(|| format!("no team has the code {code}"))
    };
    Ok((event.to_string(), team(home)?, team(away)?, start_us))
}

fn minute(row: &Row, score: [u16; 2]) -> Result<Minute, String> {
    let price = |text: &str| parse_price_e4(text).ok_or_else(|| format!("{text} is no price"));
    let contracts = (row.volume / 20.0).clamp(10.0, 2_000.0);
    let mut state = State::scheduled(row.home_win_exp.clamp(0.0, 1.0));
    state.stage = Stage::Playing;
    state.period = row.inning;
    state.half = if row.inning_topbot == 0 {
        Half::Top
    } else {
        Half::Bottom
    };
    state.score = score;
    state.outs = row.outs_when_up;
    state.balls = row.balls;
    state.strikes = row.strikes;
    state.bases = row.runner_on_first.min(1)
        | row.runner_on_second.min(1) << 1
        | row.runner_on_third.min(1) << 2;
    state.last_play = "Pitch";
    state.last_team = usize::from(row.inning_topbot == 0);
    Ok(Minute {
        at_us: row.decision_time,
        bid_e4: price(&row.yes_bid_close)?,
        ask_e4: price(&row.yes_ask_close)?,
        touch_centi: u32::try_from(micros(contracts / 1e6)).unwrap_or(10) * 100,
        state,
    })
}
