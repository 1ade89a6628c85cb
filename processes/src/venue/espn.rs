//! The scoreboard feed: a league's document into game states.
//!
//! The document is nobody's contract: any field may be missing, and some are there only while the
//! ball is in play. So it is read by paths, and a missing field leaves its neutral value. Where none
//! is neutral, the event is left out, and said so: one without a number or its two teams, and a live
//! one without score, period or clock. No time left and a score of nought would make a model certain.

use super::league::League;
use crate::discovery::Team;
use layouts::game::NO_PROBABILITY;
use layouts::units::parse_decimal;
use layouts::{GameState, Half, Phase, Sport};
use serde_json::Value;
use stages::win_probability::parameters::Parameters;
use stages::win_probability::to_e4;

/// One game of a scoreboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedGame {
    /// What the pipeline carries of it.
    pub state: GameState,
    /// Scheduled start, RFC 3339, UTC; empty where the feed gives none.
    pub start: String,
    /// Home team.
    pub home: Team,
    /// Away team.
    pub away: Team,
}

/// A scoreboard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scoreboard {
    /// Its games.
    pub games: Vec<ParsedGame>,
    /// Why events were left out.
    pub left_out: Vec<String>,
}

/// When a document arrived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrival {
    /// `CLOCK_MONOTONIC`.
    pub mono_ns: u64,
    /// The wall clock.
    pub unix_us: u64,
}

/// Reads a scoreboard.
///
/// # Errors
///
/// When the document is no scoreboard, in words; a game that cannot be read is told among those left out.
pub fn parse_scoreboard(
    league: League,
    document: &[u8],
    arrival: Arrival,
) -> Result<Scoreboard, String> {
    let document: Value = serde_json::from_slice(document).map_err(|error| error.to_string())?;
    let events = document
        .get("events")
        .and_then(Value::as_array)
        .ok_or("no `events`")?;
    let mut scoreboard = Scoreboard::default();
    for event in events {
        match parse_event(league.sport, event, arrival) {
            Ok(game) => scoreboard.games.push(game),
            Err(reason) => scoreboard.left_out.push(reason),
        }
    }
    Ok(scoreboard)
}

fn parse_event(sport: Sport, event: &Value, arrival: Arrival) -> Result<ParsedGame, String> {
    let id = text(event, "/id").unwrap_or_default();
    let game = id
        .parse()
        .map_err(|_| format!("event id `{}` is no game number", short(&id)))?;
    let competition = event
        .pointer("/competitions/0")
        .ok_or_else(|| format!("event {game}: no competition"))?;
    let competitor = |side: &str| {
        let all = competition.get("competitors").and_then(Value::as_array);
        all.and_then(|all| {
            all.iter()
                .find(|competitor| text(competitor, "/homeAway").as_deref() == Some(side))
        })
        .ok_or_else(|| format!("event {game}: no {side} team"))
    };
    let (home, away) = (competitor("home")?, competitor("away")?);
    // The event and its competition carry the same status; either may be missing.
    let status = event
        .get("status")
        .or_else(|| competition.get("status"))
        .unwrap_or(&Value::Null);
    let phase = phase(status);
    let needed = |what: &str, value: Option<u16>| match value {
        None if phase == Phase::Live => Err(format!("event {game}: live without {what}")),
        value => Ok(value.unwrap_or(0)),
    };
    let mut state = GameState {
        ingress_mono_ns: arrival.mono_ns,
        ingress_unix_us: arrival.unix_us,
        game,
        sport: sport as u8,
        phase: phase as u8,
        home_score: needed("the home team's score", number(home, "/score"))?,
        away_score: needed("the away team's score", number(away, "/score"))?,
        pregame_home_win_e4: pregame_probability(competition)
            .or_else(|| line_probability(competition, sport))
            .unwrap_or(NO_PROBABILITY),
        feed_home_win_e4: NO_PROBABILITY,
        ..bytemuck::Zeroable::zeroed()
    };
    if phase == Phase::Live || phase == Phase::Final {
        let period = number::<u8>(status, "/period").filter(|period| *period > 0);
        needed("a period", period.map(u16::from))?;
        state.period = period.unwrap_or(0);
        // Baseball has no clock.
        if sport != Sport::Mlb {
            state.clock_deciseconds = needed("a clock", clock(status))?;
        }
    }
    if sport == Sport::Mlb {
        state.half = half(status) as u8;
    }
    if let Some(situation) = competition.get("situation") {
        let team_id = |competitor| text(competitor, "/team/id").or_else(|| text(competitor, "/id"));
        read_situation(&mut state, situation, team_id(home), team_id(away));
    }
    Ok(ParsedGame {
        state,
        start: start(event),
        home: team(home),
        away: team(away),
    })
}

/// What holds only for the moment: ball, down, count, runners, the feed's own probability.
fn read_situation(
    state: &mut GameState,
    situation: &Value,
    home_id: Option<String>,
    away_id: Option<String>,
) {
    // Who has the ball says nothing without where it is: line 0 is the home team's own goal.
    if let Some(yard_line) = number(situation, "/yardLine").filter(|yard| *yard <= 100) {
        let holder = text(situation, "/possession");
        state.possession = match holder {
            None => 0,
            holder if holder == home_id => 1,
            holder if holder == away_id => 2,
            _ => 0,
        };
        // -1 stands for none.
        state.down = number(situation, "/down")
            .filter(|down| (1..=4).contains(down))
            .unwrap_or(0);
        state.distance_yards = number(situation, "/distance").unwrap_or(0);
        state.yard_line = yard_line;
    }
    state.home_timeouts = number(situation, "/homeTimeouts").unwrap_or(0);
    state.away_timeouts = number(situation, "/awayTimeouts").unwrap_or(0);
    state.balls = number(situation, "/balls").unwrap_or(0);
    state.strikes = number(situation, "/strikes").unwrap_or(0);
    state.outs = number(situation, "/outs").unwrap_or(0);
    for (bit, base) in ["/onFirst", "/onSecond", "/onThird"]
        .into_iter()
        .enumerate()
    {
        let taken = situation
            .pointer(base)
            .and_then(Value::as_bool)
            .unwrap_or(false);
        state.bases |= u8::from(taken) << bit;
    }
    let probability = situation
        .pointer("/lastPlay/probability/homeWinPercentage")
        .and_then(Value::as_f64);
    state.feed_home_win_e4 = probability
        .and_then(probability_e4)
        .unwrap_or(NO_PROBABILITY);
}

/// Through text, which rounds exactly as it says.
fn probability_e4(probability: f64) -> Option<u16> {
    let value = parse_decimal(&format!("{probability:.4}"), 4)?;
    u16::try_from(value).ok().filter(|value| *value <= 10_000)
}

fn phase(status: &Value) -> Phase {
    let name = text(status, "/type/name").unwrap_or_default();
    let off = [
        "POSTPONED",
        "DELAY",
        "CANCEL",
        "SUSPENDED",
        "ABANDONED",
        "FORFEIT",
    ];
    if off.iter().any(|word| name.contains(word)) {
        return Phase::Off;
    }
    match text(status, "/type/state").as_deref() {
        Some("pre") => Phase::Scheduled,
        Some("in") => Phase::Live,
        Some("post") => Phase::Final,
        _ => Phase::Off,
    }
}

/// The clock as a number of seconds, or else as text.
fn clock(status: &Value) -> Option<u16> {
    ["/clock", "/displayClock"]
        .iter()
        .find_map(|path| deciseconds(&text(status, path)?))
}

/// `8:42`, `54.9` (basketball under a minute) or `522.0`.
fn deciseconds(text: &str) -> Option<u16> {
    let (minutes, seconds) = text.split_once(':').unwrap_or(("0", text));
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let tenths: String = fraction.chars().take(1).collect();
    let parse = |text: &str| text.parse::<u16>().ok();
    parse(minutes)?
        .checked_mul(600)?
        .checked_add(parse(whole)?.checked_mul(10)?)?
        .checked_add(parse(&tenths).filter(|_| fraction.bytes().all(|byte| byte.is_ascii_digit()))?)
}

/// Baseball's half inning, which the feed tells in words only: `Top 9th`, `Mid 5th`, `Bottom 6th`, `End 1st`.
fn half(status: &Value) -> Half {
    let detail = text(status, "/type/detail")
        .or_else(|| text(status, "/type/shortDetail"))
        .unwrap_or_default();
    match detail.get(..3) {
        Some("Top") => Half::Top,
        Some("Mid") => Half::Middle,
        Some("Bot") => Half::Bottom,
        Some("End") => Half::End,
        _ => Half::None,
    }
}

/// The bookmaker's closing line, without its margin. The feed shows it until the game starts.
fn pregame_probability(competition: &Value) -> Option<u16> {
    let implied_e4 = |side: &str| -> Option<u32> {
        let line = text(competition, &format!("/odds/0/moneyline/{side}/close/odds"))?;
        let line = if line == "EVEN" {
            100
        } else {
            line.trim_start_matches('+').parse::<i32>().ok()?
        };
        let stake = line.unsigned_abs();
        let (part, whole) = if line < 0 {
            (stake, stake.checked_add(100)?)
        } else {
            (100, stake.checked_add(100)?)
        };
        (stake >= 100).then(|| u32::try_from(u64::from(part) * 10_000 / u64::from(whole)).ok())?
    };
    let (home, away) = (implied_e4("home")?, implied_e4("away")?);
    u16::try_from((home * 10_000).checked_div(home + away)?).ok()
}

/// The same from the line, where no bet on the winner is on offer: in lopsided games there is none. On
/// the wire it is the home team's handicap, so a favourite's is below zero.
fn line_probability(competition: &Value, sport: Sport) -> Option<u16> {
    let handicap = competition.pointer("/odds/0/spread")?.as_f64()?;
    Parameters::shipped()
        .of(sport)
        .from_line(-handicap)
        .map(to_e4)
}

/// `2025-12-07T18:00Z` on the wire: without seconds, which RFC 3339 wants.
fn start(event: &Value) -> String {
    let date = text(event, "/date").unwrap_or_default();
    date.parse::<jiff::Timestamp>()
        .map(|start| start.to_string())
        .unwrap_or_default()
}

fn team(competitor: &Value) -> Team {
    let field = |name: &str| text(competitor, &format!("/team/{name}")).unwrap_or_default();
    Team {
        code: field("abbreviation"),
        location: field("location"),
        name: field("displayName"),
    }
}

/// Text, or a number as text: the feed writes scores and ids both ways.
fn text(value: &Value, path: &str) -> Option<String> {
    match value.pointer(path)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn number<N: TryFrom<i64>>(value: &Value, path: &str) -> Option<N> {
    let whole = parse_decimal(&text(value, path)?, 0)?;
    N::try_from(whole).ok()
}

fn short(text: &str) -> String {
    text.chars().take(32).collect()
}

#[cfg(test)]
mod tests;
