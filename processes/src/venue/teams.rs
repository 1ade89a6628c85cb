//! Which event of the exchange is which game of the feed.
//!
//! | must agree | how |
//! |---|---|
//! | league | the events are those of the league's series |
//! | day | the ticker's date is the start's date in US Eastern time |
//! | both teams | the two markets are the two teams: in college by place first, else by the suffix's code |
//! | ticker | the two suffixes, joined, are the ticker's own end |
//! | time, where the ticker has one | within [`TIME_TOLERANCE`]: a doubleheader is two games on a day |
//!
//! Anything else is no match. More than one match is refused: a wrong market costs money.

use super::kalshi_wire::{EventRecord, MarketRecord};
use super::league::League;
use crate::discovery::{Game, Team};
use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use layouts::Sport;
use std::collections::HashMap;

/// Most by which the ticker's time may differ from the feed's start.
pub const TIME_TOLERANCE: SignedDuration = SignedDuration::from_hours(2);
/// US Eastern by its rule, so that no time zone database need be installed.
const EASTERN: &str = "EST5EDT,M3.2.0,M11.1.0";
const ALIASES: &str = include_str!("../../data/team_aliases.toml");
const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];

/// What a game's event and its markets are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match<'a> {
    /// No event is this game's: not listed yet, or not recognised.
    None,
    /// Exactly one is.
    One(Matched<'a>),
    /// Several could be: their tickers.
    Ambiguous(Vec<&'a str>),
}

/// A game's event and its two markets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matched<'a> {
    /// The event.
    pub event: &'a EventRecord,
    /// The market that pays when the home team wins.
    pub home: &'a MarketRecord,
    /// The market that pays when the away team wins.
    pub away: &'a MarketRecord,
}

/// What an event's ticker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTicker<'a> {
    /// Such as `KXMLBGAME`.
    pub series: &'a str,
    /// Day of the game, US Eastern.
    pub date: Date,
    /// Start, US Eastern, where the ticker tells it.
    pub time: Option<Time>,
    /// Both teams' codes, joined; a former `G1` or `G2` of a doubleheader behind them.
    pub teams: &'a str,
}

impl<'a> EventTicker<'a> {
    /// Reads `SERIES-YYMMMDD[HHMM]AWAYHOME`.
    #[must_use]
    pub fn parse(ticker: &'a str) -> Option<Self> {
        let (series, rest) = ticker.split_once('-')?;
        let (year, month, day) = (rest.get(..2)?, rest.get(2..5)?, rest.get(5..7)?);
        let month = MONTHS.iter().position(|known| *known == month)? + 1;
        let date = Date::new(
            2_000 + digits(year)?,
            i8::try_from(month).ok()?,
            digits(day)?.try_into().ok()?,
        )
        .ok()?;
        let (time, teams) = match rest.get(7..11).and_then(digits) {
            Some(clock) => {
                let (hour, minute) = (
                    i8::try_from(clock / 100).ok()?,
                    i8::try_from(clock % 100).ok()?,
                );
                (Some(Time::new(hour, minute, 0, 0).ok()?), rest.get(11..)?)
            }
            None => (None, rest.get(7..)?),
        };
        (!teams.is_empty()).then_some(Self {
            series,
            date,
            time,
            teams,
        })
    }
}

/// A number of plain digits only.
fn digits(text: &str) -> Option<i16> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// The table of codes that differ.
#[derive(Debug, Clone, Default)]
pub struct Aliases(HashMap<String, HashMap<String, Vec<String>>>);

impl Aliases {
    /// The table that comes with the program.
    ///
    /// # Errors
    ///
    /// When it is no TOML, which is a fault of this program.
    pub fn built_in() -> Result<Self, toml::de::Error> {
        toml::from_str(ALIASES).map(Self)
    }

    /// Whether the exchange's code may name the feed's team.
    fn same_code(&self, league: League, feed: &str, exchange: &str) -> bool {
        let listed = self.0.get(league.path).and_then(|codes| codes.get(feed));
        !exchange.is_empty()
            && (feed == exchange
                || listed.is_some_and(|codes| codes.iter().any(|code| code == exchange)))
    }

    /// Which of an event's two markets is whose: home first. By place for both teams, and only where
    /// that does not tell, by either: college codes change, and one school's may be another's.
    fn sides<'a>(
        &self,
        league: League,
        game: &Game,
        markets: [(&str, &'a MarketRecord); 2],
    ) -> Option<[&'a MarketRecord; 2]> {
        let college = matches!(league.sport, Sport::Ncaaf | Sport::Ncaam);
        let [one, two] = markets;
        let by_place = |team: &Team, (_, market): (&str, &MarketRecord)| {
            college && same_place(&team.location, &market.yes_sub_title)
        };
        let by_either = |team: &Team, (suffix, market): (&str, &MarketRecord)| {
            by_place(team, (suffix, market)) || self.same_code(league, &team.code, suffix)
        };
        let decide = |same: &dyn Fn(&Team, (&str, &MarketRecord)) -> bool| {
            let straight = same(&game.home, one) && same(&game.away, two);
            let crossed = same(&game.home, two) && same(&game.away, one);
            match (straight, crossed) {
                (true, false) => Some([one.1, two.1]),
                (false, true) => Some([two.1, one.1]),
                _ => None,
            }
        };
        decide(&by_place).or_else(|| decide(&by_either))
    }

    /// Finds the game's event among the events of its league's series.
    #[must_use]
    pub fn find<'a>(&self, league: League, game: &Game, events: &'a [EventRecord]) -> Match<'a> {
        let Some(start) = eastern(&game.start) else {
            return Match::None;
        };
        let mut found: Vec<Matched<'a>> = events
            .iter()
            .filter_map(|event| self.matched(league, game, start, event))
            .collect();
        match (found.pop(), found.is_empty()) {
            (None, _) => Match::None,
            (Some(one), true) => Match::One(one),
            (Some(last), false) => {
                found.push(last);
                Match::Ambiguous(
                    found
                        .iter()
                        .map(|matched| matched.event.event_ticker.as_str())
                        .collect(),
                )
            }
        }
    }

    fn matched<'a>(
        &self,
        league: League,
        game: &Game,
        start: DateTime,
        event: &'a EventRecord,
    ) -> Option<Matched<'a>> {
        let ticker = EventTicker::parse(&event.event_ticker)?;
        let on_time = ticker.time.is_none_or(|time| {
            start.duration_since(ticker.date.to_datetime(time)).abs() <= TIME_TOLERANCE
        });
        if ticker.series != league.series || ticker.date != start.date() || !on_time {
            return None;
        }
        let [first, second] = event.markets.as_slice() else {
            return None;
        };
        let (one, two) = (suffix(event, first)?, suffix(event, second)?);
        let teams = ticker
            .teams
            .strip_suffix("G1")
            .or_else(|| ticker.teams.strip_suffix("G2"));
        let joined = [format!("{one}{two}"), format!("{two}{one}")];
        if !joined
            .iter()
            .any(|joined| joined == ticker.teams || Some(joined.as_str()) == teams)
        {
            return None;
        }
        let [home, away] = self.sides(league, game, [(one, first), (two, second)])?;
        Some(Matched { event, home, away })
    }
}

/// The team's code at the end of a market's ticker.
fn suffix<'a>(event: &EventRecord, market: &'a MarketRecord) -> Option<&'a str> {
    market
        .ticker
        .strip_prefix(&event.event_ticker)?
        .strip_prefix('-')
        .filter(|suffix| !suffix.is_empty())
}

fn eastern(start: &str) -> Option<DateTime> {
    let zone = TimeZone::posix(EASTERN).ok()?;
    Some(zone.to_datetime(start.parse::<Timestamp>().ok()?))
}

fn same_place(feed: &str, exchange: &str) -> bool {
    !feed.is_empty() && place(feed) == place(exchange)
}

/// A place in one spelling: `Jacksonville St.` and `Jacksonville State`, `St. John's` and `Saint Johns`.
fn place(text: &str) -> String {
    let plain: String = text
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || c.is_whitespace() || *c == '&')
        .collect();
    let words = plain
        .split_whitespace()
        .enumerate()
        .map(|(position, word)| match (position, word) {
            (0, "st") => "saint",
            (_, "st") => "state",
            (_, word) => word,
        });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
