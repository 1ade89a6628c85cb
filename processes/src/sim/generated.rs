//! Generated games: seeded score processes, and traders who quote them.
//!
//! Time runs in steps of 10 ms; everything random is drawn from the seed step by step, so that a run
//! without outside orders repeats exactly, whatever the machine's speed.

use super::book::AccountNumber;
use super::catalogue::{Fees, NewEvent};
use super::exchange::Exchange;
use super::game::{Fixture, Game, League, Stage, State};
use super::sports::Play;
use super::teams::{Team, teams, venue_name};
use super::times::{SECOND_US, ticker_date};
use super::traders::{Maker, take_noise};
use super::world::World;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;
use std::sync::Arc;

/// A step of simulated real time.
const STEP: f64 = 0.010;
/// Quotes replaced in a step on average; each is two changes of the book, more where it trades.
const REQUOTES_PER_STEP: f64 = 7.0;
/// More of them in each step of a burst, all in one game.
const BURST_PER_STEP: u32 = 3;
/// Steps of a burst: one second.
const BURST_STEPS: u32 = 100;
/// Chance that a noise taker acts in a step.
const NOISE: f64 = 0.08;
/// Chance that one maker errs by several cents in a step.
const MISTAKE: f64 = 0.003;
/// Seconds of the run that a game found near its end still lasts, roughly.
const ENDING: f64 = 14.0;
/// Seconds from the end of a game to its determination, and as long again to its settlement.
const DETERMINATION: f64 = 1.0;

/// One game with its traders.
#[derive(Debug)]
struct Table {
    fixture: Arc<Fixture>,
    play: Play,
    /// Seconds on the play's own clock when the run starts; negative while it is still to begin.
    offset: f64,
    makers: Vec<Maker>,
    /// When it ended, in seconds of the run.
    ended: Option<f64>,
    /// How far its markets have been taken: 0 open, 1 closed, 2 determined, 3 settled.
    paid: u8,
}

/// The generated world.
#[derive(Debug)]
pub(crate) struct Generated {
    tables: Vec<Table>,
    random: ChaCha8Rng,
    speed: f64,
    steps: u64,
    noise: AccountNumber,
    burst: Option<(usize, u32)>,
    next_burst: u64,
}

impl Generated {
    /// Draws the games, lists their markets and quotes them for the first time.
    pub(crate) fn new(
        seed: u64,
        games: usize,
        speed: f64,
        exchange: &mut Exchange,
        now_us: i64,
    ) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let accounts = [exchange.open_account(), exchange.open_account()];
        let noise = exchange.open_account();
        let mut pools: HashMap<League, Vec<Team>> = HashMap::new();
        let mut tables = Vec::new();
        for (number, league) in (0..games).zip(League::ALL.into_iter().cycle()) {
            let pool = pools.entry(league).or_insert_with(|| {
                let mut pool = teams(league);
                pool.shuffle(&mut random);
                pool
            });
            // With more games than teams a league is full; the others go on.
            let (Some(home), Some(away)) = (pool.pop(), pool.pop()) else {
                continue;
            };
            let seat = Seat {
                number,
                league,
                home,
                away,
                speed,
                accounts,
            };
            tables.push(seat.take(seed, &mut random, exchange, now_us));
        }
        Self {
            tables,
            random,
            speed,
            steps: 0,
            noise,
            burst: None,
            next_burst: 300,
        }
    }

    fn step(&mut self, exchange: &mut Exchange, now_us: i64) {
        self.steps += 1;
        let at = seconds(self.steps);
        for table in &mut self.tables {
            table.advance(at, self.speed, exchange, now_us);
            let home = table.play.state().home_win;
            for maker in &mut table.makers {
                let truth = if maker.market() == table.fixture.markets[0] {
                    home
                } else {
                    1.0 - home
                };
                maker.learn(truth, STEP, &mut self.random);
            }
        }
        let playing: Vec<usize> = (0..self.tables.len())
            .filter(|index| self.tables[*index].paid == 0)
            .collect();
        if playing.is_empty() {
            return;
        }
        self.trade(&playing, exchange, now_us);
        self.burst(&playing, exchange, now_us);
    }

    /// The usual bustle: quotes replaced, small orders, a maker's mistake now and then.
    fn trade(&mut self, playing: &[usize], exchange: &mut Exchange, now_us: i64) {
        let mut due = REQUOTES_PER_STEP;
        while due >= 1.0 || (due > 0.0 && self.random.random_bool(due)) {
            due -= 1.0;
            let game = playing[self.random.random_range(0..playing.len())];
            self.requote(game, exchange, now_us);
        }
        if self.random.random_bool(NOISE) {
            let game = playing[self.random.random_range(0..playing.len())];
            let market = self.tables[game].fixture.markets[self.random.random_range(0..2_usize)];
            take_noise(self.noise, market, exchange, now_us, &mut self.random);
        }
        if self.random.random_bool(MISTAKE) {
            let game = playing[self.random.random_range(0..playing.len())];
            let market = self.tables[game].fixture.markets[self.random.random_range(0..2_usize)];
            let by = self.random.random_range(0.04..0.08)
                * if self.random.random_bool(0.5) {
                    1.0
                } else {
                    -1.0
                };
            // Both makers of a market follow the same wrong news, and quote it at once.
            for maker in self.tables[game]
                .makers
                .iter_mut()
                .filter(|maker| maker.market() == market)
            {
                maker.err(by);
                maker.quote_all(exchange, now_us, &mut self.random);
            }
        }
    }

    fn burst(&mut self, playing: &[usize], exchange: &mut Exchange, now_us: i64) {
        if self.burst.is_none() && self.steps >= self.next_burst {
            self.burst = Some((
                playing[self.random.random_range(0..playing.len())],
                BURST_STEPS,
            ));
            self.next_burst = self.steps + self.random.random_range(1_000..1_600);
        }
        let Some((game, left)) = self.burst else {
            return;
        };
        for _ in 0..BURST_PER_STEP {
            self.requote(game, exchange, now_us);
        }
        self.burst = Some((game, left - 1)).filter(|(_, left)| *left > 0);
    }

    fn requote(&mut self, game: usize, exchange: &mut Exchange, now_us: i64) {
        let Some(table) = self.tables.get_mut(game).filter(|table| table.paid == 0) else {
            return;
        };
        let index = self.random.random_range(0..table.makers.len());
        table.makers[index].requote_one(exchange, now_us, &mut self.random);
    }
}

impl World for Generated {
    fn advance(&mut self, elapsed: f64, exchange: &mut Exchange, now_us: i64) {
        while seconds(self.steps + 1) <= elapsed {
            self.step(exchange, now_us);
        }
    }

    fn games(&self) -> Vec<Game> {
        self.tables
            .iter()
            .map(|table| Game {
                fixture: Arc::clone(&table.fixture),
                state: *table.play.state(),
            })
            .collect()
    }

    fn settled(&self) -> usize {
        self.tables.iter().filter(|table| table.paid == 3).count()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 steps are three million years"
)]
fn seconds(steps: u64) -> f64 {
    steps as f64 * STEP
}

impl Table {
    fn advance(&mut self, at: f64, speed: f64, exchange: &mut Exchange, now_us: i64) {
        let clock = self.offset + at * speed;
        if clock >= 0.0 && self.play.state().stage == Stage::Scheduled {
            self.play.start();
        }
        if self.play.state().is_live() {
            self.play.advance(clock);
        }
        if self.play.state().stage == Stage::Over {
            self.pay(at, exchange, now_us);
        }
    }

    /// Closes, determines and settles the two markets, one after the other in time.
    fn pay(&mut self, at: f64, exchange: &mut Exchange, now_us: i64) {
        let since = at - *self.ended.get_or_insert(at);
        pay_markets(
            self.fixture.markets,
            self.play.state(),
            since,
            &mut self.paid,
            exchange,
            now_us,
        );
    }
}

/// Takes the markets of a finished game as far as the time since its end allows.
pub(crate) fn pay_markets(
    markets: [usize; 2],
    state: &State,
    since: f64,
    paid: &mut u8,
    exchange: &mut Exchange,
    now_us: i64,
) {
    let home = state.home_value_e4();
    for (market, value_e4) in markets.into_iter().zip([home, 10_000 - home]) {
        if *paid == 0 {
            exchange.close(market, now_us);
        } else if *paid == 1 && since >= DETERMINATION {
            exchange.determine(market, value_e4, now_us);
        } else if *paid == 2 && since >= 2.0 * DETERMINATION {
            exchange.settle(market, now_us);
        }
    }
    *paid = match *paid {
        0 => 1,
        1 if since >= DETERMINATION => 2,
        2 if since >= 2.0 * DETERMINATION => 3,
        same => same,
    };
}

/// Seconds of play in a game, roughly.
const fn length(league: League) -> f64 {
    match league {
        League::Nfl | League::Ncaaf | League::Nhl => 3_600.0,
        League::Nba => 2_880.0,
        League::Ncaam => 2_400.0,
        League::Mlb => 6_000.0,
    }
}

/// A game to be drawn.
struct Seat {
    number: usize,
    league: League,
    home: Team,
    away: Team,
    speed: f64,
    accounts: [AccountNumber; 2],
}

impl Seat {
    /// Draws the game. Games are found about to start, in the middle or near the end, so that a short
    /// run sees all of a game's life.
    fn take(
        self,
        seed: u64,
        random: &mut ChaCha8Rng,
        exchange: &mut Exchange,
        now_us: i64,
    ) -> Table {
        let mut play = Play::new(self.league, random.random());
        let offset = match self.number % 5 {
            4 => -self.speed * random.random_range(5.0..20.0),
            found => {
                play.start();
                let ending = (ENDING * self.speed / length(self.league)).clamp(0.02, 0.3);
                play.skip_to(
                    [0.62, ending, 0.35, 0.85]
                        .get(found)
                        .copied()
                        .unwrap_or(0.5),
                )
            }
        };
        // The schedule is in whole minutes.
        let start_us = (now_us - micros(offset)).div_euclid(60 * SECOND_US) * 60 * SECOND_US;
        let (date, time) = ticker_date(start_us);
        let series = self.league.series();
        let time = if self.league == League::Mlb {
            time
        } else {
            String::new()
        };
        let new = NewEvent {
            ticker: format!(
                "{}-{date}{time}{}{}",
                series.ticker, self.away.venue_code, self.home.venue_code
            ),
            series,
            fees: self.fees(),
            start_us,
            teams: [&self.home, &self.away]
                .map(|team| (team.venue_code.to_string(), venue_name(self.league, team))),
        };
        let markets = exchange.list(new, now_us);
        let makers = self.makers(markets, play.state().home_win, random, exchange, now_us);
        let id = u32::try_from(401_000_000 + (seed % 8_000) * 100 + self.number as u64 % 100)
            .unwrap_or(401_000_000);
        let fixture = Fixture {
            id,
            league: self.league,
            home: self.home,
            away: self.away,
            start_us,
            markets,
        };
        Table {
            fixture: Arc::new(fixture),
            play,
            offset,
            makers,
            ended: None,
            paid: 0,
        }
    }

    /// Of every six games one costs half as much as its series says, and in one makers pay nothing:
    /// who does not read what the venue lists with an event counts wrong.
    fn fees(&self) -> Option<Fees> {
        let usual = self.league.series().fees;
        match self.number % 6 {
            4 => Some(Fees {
                of_makers: false,
                ..usual
            }),
            5 => Some(Fees {
                multiplier_tenths: usual.multiplier_tenths / 2,
                ..usual
            }),
            _ => None,
        }
    }

    /// Two makers for each market, a quick and a slow one; news of the away team travels more slowly.
    fn makers(
        &self,
        markets: [usize; 2],
        home: f64,
        random: &mut ChaCha8Rng,
        exchange: &mut Exchange,
        now_us: i64,
    ) -> Vec<Maker> {
        let mut makers = Vec::new();
        for (market, truth, slowness) in [(markets[0], home, 1.0), (markets[1], 1.0 - home, 1.6)] {
            for (account, lag, half_spread) in [
                (self.accounts[0], 0.8, 80.0),
                (self.accounts[1], 2.2, 130.0),
            ] {
                let mut maker = Maker::new(account, market, lag * slowness, half_spread, truth);
                maker.quote_all(exchange, now_us, random);
                makers.push(maker);
            }
        }
        makers
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a day has fewer than 2^53 microseconds, and the cast saturates"
)]
fn micros(seconds: f64) -> i64 {
    (seconds * 1e6) as i64
}
