//! A game as both worlds know it: who plays when, and the state of play that the feed shows.

use super::catalogue::{Fees, Series};
use super::ledger::MarketNumber;
use super::teams::Team;
use layouts::Half;
use std::sync::Arc;

/// The leagues that are simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum League {
    Nfl,
    Ncaaf,
    Nba,
    Ncaam,
    Nhl,
    Mlb,
}

impl League {
    /// All of them, the order in which generated games take turns.
    pub(crate) const ALL: [Self; 6] = [
        Self::Nfl,
        Self::Nba,
        Self::Nhl,
        Self::Mlb,
        Self::Ncaaf,
        Self::Ncaam,
    ];

    /// The feed's path, `sport/league`.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Nfl => "football/nfl",
            Self::Ncaaf => "football/college-football",
            Self::Nba => "basketball/nba",
            Self::Ncaam => "basketball/mens-college-basketball",
            Self::Nhl => "hockey/nhl",
            Self::Mlb => "baseball/mlb",
        }
    }

    /// The feed's ids of sport and league, the league's name and its abbreviation.
    pub(crate) const fn names(self) -> (u32, u32, &'static str, &'static str) {
        match self {
            Self::Nfl => (20, 28, "National Football League", "NFL"),
            Self::Ncaaf => (20, 23, "NCAA - Football", "NCAAF"),
            Self::Nba => (40, 46, "National Basketball Association", "NBA"),
            Self::Ncaam => (40, 41, "NCAA Men's Basketball", "NCAAM"),
            Self::Nhl => (70, 90, "National Hockey League", "NHL"),
            Self::Mlb => (1, 10, "Major League Baseball", "MLB"),
        }
    }

    /// The venue's series.
    pub(crate) const fn series(self) -> Series {
        let (ticker, title, game_word, strike_key) = match self {
            Self::Nfl => (
                "KXNFLGAME",
                "Professional Football Game",
                "professional football game",
                "football_team",
            ),
            Self::Ncaaf => (
                "KXNCAAFGAME",
                "College Football Game",
                "college football game",
                "football_team",
            ),
            Self::Nba => (
                "KXNBAGAME",
                "Professional Basketball Game",
                "professional basketball game",
                "basketball_team",
            ),
            Self::Ncaam => (
                "KXNCAAMBGAME",
                "Men's College Basketball Game",
                "college basketball game",
                "basketball_team",
            ),
            Self::Nhl => (
                "KXNHLGAME",
                "Professional Hockey Game",
                "professional hockey game",
                "hockey_team",
            ),
            Self::Mlb => (
                "KXMLBGAME",
                "Professional Baseball Game",
                "professional baseball game",
                "baseball_team",
            ),
        };
        let baseball = matches!(self, Self::Mlb);
        Series {
            ticker,
            title,
            fees: Fees {
                of_makers: true,
                multiplier_tenths: if baseball { 5 } else { 10 },
            },
            exchange_index: if baseball { 3 } else { 0 },
            strike_key,
            game_word,
        }
    }

    /// Regular periods and seconds in each; baseball has innings and no clock.
    pub(crate) const fn periods(self) -> (u8, f64) {
        match self {
            Self::Nfl | Self::Ncaaf => (4, 900.0),
            Self::Nba => (4, 720.0),
            Self::Ncaam => (2, 1_200.0),
            Self::Nhl => (3, 1_200.0),
            Self::Mlb => (9, 0.0),
        }
    }

    /// Whether it is American football.
    pub(crate) const fn is_football(self) -> bool {
        matches!(self, Self::Nfl | Self::Ncaaf)
    }

    /// Whether the feed gives its own win probability.
    pub(crate) const fn has_probability(self) -> bool {
        matches!(self, Self::Nfl | Self::Ncaaf | Self::Nba | Self::Ncaam)
    }
}

/// Who plays, when, and under which names in both worlds.
#[derive(Debug, Clone)]
pub(crate) struct Fixture {
    /// The feed's event id.
    pub(crate) id: u32,
    pub(crate) league: League,
    pub(crate) home: Team,
    pub(crate) away: Team,
    pub(crate) start_us: i64,
    /// The venue's markets: the home team's, the away team's.
    pub(crate) markets: [MarketNumber; 2],
}

/// Where a game is in its life, as finely as the feed tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Scheduled,
    Playing,
    EndOfPeriod,
    Halftime,
    Over,
}

/// The state of play. Fields of other sports stay zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct State {
    pub(crate) stage: Stage,
    pub(crate) period: u8,
    pub(crate) clock_seconds: f64,
    /// Home, away.
    pub(crate) score: [u16; 2],
    /// 0 home, 1 away.
    pub(crate) possession: Option<usize>,
    pub(crate) down: u8,
    pub(crate) distance: u8,
    /// From the home team's goal line.
    pub(crate) yard_line: u8,
    pub(crate) timeouts: [u8; 2],
    pub(crate) half: Half,
    pub(crate) balls: u8,
    pub(crate) strikes: u8,
    pub(crate) outs: u8,
    /// Bit 0 first base, bit 1 second, bit 2 third.
    pub(crate) bases: u8,
    /// Probability that the home team wins.
    pub(crate) home_win: f64,
    /// Counts what happened, which numbers the last play.
    pub(crate) plays: u32,
    /// What the last play was.
    pub(crate) last_play: &'static str,
    /// Which team made it: 0 home, 1 away.
    pub(crate) last_team: usize,
    /// Points that it brought.
    pub(crate) last_value: u16,
}

impl State {
    /// Before the game.
    pub(crate) const fn scheduled(home_win: f64) -> Self {
        Self {
            stage: Stage::Scheduled,
            period: 0,
            clock_seconds: 0.0,
            score: [0; 2],
            possession: None,
            down: 0,
            distance: 0,
            yard_line: 0,
            timeouts: [3; 2],
            half: Half::None,
            balls: 0,
            strikes: 0,
            outs: 0,
            bases: 0,
            home_win,
            plays: 0,
            last_play: "Start",
            last_team: 0,
            last_value: 0,
        }
    }

    /// What a YES of the home team pays once the game is over: a tie pays half.
    pub(crate) fn home_value_e4(&self) -> u16 {
        match self.score[0].cmp(&self.score[1]) {
            std::cmp::Ordering::Greater => 10_000,
            std::cmp::Ordering::Equal => 5_000,
            std::cmp::Ordering::Less => 0,
        }
    }

    /// Whether it is being played, breaks included.
    pub(crate) const fn is_live(&self) -> bool {
        matches!(
            self.stage,
            Stage::Playing | Stage::EndOfPeriod | Stage::Halftime
        )
    }
}

/// A game: who plays, and how it stands.
#[derive(Debug, Clone)]
pub(crate) struct Game {
    pub(crate) fixture: Arc<Fixture>,
    pub(crate) state: State,
}
