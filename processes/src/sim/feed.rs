//! The scoreboard feed: one document a league, in the shapes and JSON types of the real one.

use super::game::{Fixture, Game, League, Stage, State};
use super::server::Shared;
use super::teams::Team;
use super::times::{eastern_day, feed_detail, feed_minute};
use axum::extract::{Path, Query, State as AppState};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use layouts::Half;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// Answers a scoreboard request, with 304 when the client has this document already.
pub(crate) async fn scoreboard(
    AppState(shared): AppState<Arc<Shared>>,
    Path((sport, league)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let journey = shared.network.request().await;
    let path = format!("{sport}/{league}");
    let Some(league) = League::ALL.into_iter().find(|league| league.path() == path) else {
        let body = json!({"code": 400, "message": "Failed to get league"}).to_string();
        return (
            StatusCode::BAD_REQUEST,
            [(header::CONTENT_TYPE, "application/json")],
            body,
        )
            .into_response();
    };
    let body = document(
        league,
        &shared.games(),
        query.get("dates").map(String::as_str),
    )
    .to_string();
    journey.answer().await;
    let tag = format!("\"{:016x}\"", ipc::fingerprint(&body));
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    let known = known.is_some_and(|list| {
        list.split(',')
            .any(|one| one.trim().trim_start_matches("W/") == tag)
    });
    let mut answer = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        (
            [(header::CONTENT_TYPE, "application/json;charset=UTF-8")],
            body,
        )
            .into_response()
    };
    answer
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=1"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        answer.headers_mut().insert(header::ETAG, tag);
    }
    answer
}

/// The scoreboard of a league. Without `dates` it shows every game of the run: replayed days pass in
/// seconds, and a game must not vanish before its end was seen.
pub(crate) fn document(league: League, games: &[Game], dates: Option<&str>) -> Value {
    let (sport_id, league_id, name, abbreviation) = league.names();
    let (first, last) = dates.map_or(("", "99999999"), |dates| {
        dates.split_once('-').unwrap_or((dates, dates))
    });
    let shown = |game: &&Game| {
        let day = eastern_day(game.fixture.start_us);
        game.fixture.league == league && first <= day.as_str() && day.as_str() <= last
    };
    let events: Vec<Value> = games.iter().filter(shown).map(event).collect();
    let slug = league.path().split('/').next_back().unwrap_or("");
    json!({
        "leagues": [{
            "id": league_id.to_string(), "uid": format!("s:{sport_id}~l:{league_id}"), "name": name, "abbreviation": abbreviation,
            "slug": slug, "season": season(games),
        }],
        "season": {"type": 2, "year": year(games)},
        "events": events,
        "provider": {"id": "100", "priority": 1},
    })
}

fn year(games: &[Game]) -> i64 {
    games
        .first()
        .and_then(|game| eastern_day(game.fixture.start_us).get(..4)?.parse().ok())
        .unwrap_or(1970)
}

fn season(games: &[Game]) -> Value {
    let year = year(games);
    json!({"year": year, "displayName": year.to_string(), "type": {"id": "2", "type": 2, "name": "Regular Season", "abbreviation": "reg"}})
}

fn event(game: &Game) -> Value {
    let (fixture, state) = (&*game.fixture, &game.state);
    let (sport_id, league_id, ..) = fixture.league.names();
    let id = fixture.id.to_string();
    let uid = format!("s:{sport_id}~l:{league_id}~e:{id}");
    let date = feed_minute(fixture.start_us);
    let status = status(fixture, state);
    let mut competition = json!({
        "id": id, "uid": format!("{uid}~c:{id}"), "date": date, "startDate": date, "attendance": 0,
        "type": {"id": "1", "abbreviation": "STD"}, "timeValid": true, "neutralSite": false,
        "conferenceCompetition": false, "playByPlayAvailable": true, "recent": true,
        "competitors": [competitor(fixture, state, 0), competitor(fixture, state, 1)],
        "notes": [], "status": status, "broadcasts": [],
    });
    if state.is_live() {
        competition["situation"] = situation(fixture, state);
    }
    let year: i64 = date
        .get(..4)
        .and_then(|year| year.parse().ok())
        .unwrap_or(1970);
    json!({
        "id": id, "uid": uid, "date": date,
        "name": format!("{} at {}", full_name(&fixture.away), full_name(&fixture.home)),
        "shortName": format!("{} @ {}", fixture.away.code, fixture.home.code),
        "season": {"year": year, "type": 2, "slug": "regular-season"},
        "competitions": [competition], "status": status,
    })
}

fn full_name(team: &Team) -> String {
    if team.location == team.name {
        team.name.to_string()
    } else {
        format!("{} {}", team.location, team.name)
    }
}

fn competitor(fixture: &Fixture, state: &State, side: usize) -> Value {
    let team = if side == 0 {
        &fixture.home
    } else {
        &fixture.away
    };
    let (sport_id, league_id, ..) = fixture.league.names();
    let uid = format!("s:{sport_id}~l:{league_id}~t:{}", team.id);
    let mut competitor = json!({
        "id": team.id.to_string(), "uid": uid, "type": "team", "order": side,
        "homeAway": if side == 0 { "home" } else { "away" },
        "team": {
            "id": team.id.to_string(), "uid": uid, "location": team.location, "name": team.name, "abbreviation": team.code,
            "displayName": full_name(team), "shortDisplayName": team.name, "isActive": true,
        },
        "score": state.score.get(side).copied().unwrap_or(0).to_string(), "statistics": [], "records": [],
    });
    if state.stage == Stage::Over && state.score[0] != state.score[1] {
        competitor["winner"] = (state.score[side.min(1)] > state.score[1 - side.min(1)]).into();
    }
    competitor
}

/// `status`, with the half inning of baseball only in its texts.
fn status(fixture: &Fixture, state: &State) -> Value {
    let (regular, _) = fixture.league.periods();
    let (id, name, phase, description) = match state.stage {
        Stage::Scheduled => ("1", "STATUS_SCHEDULED", "pre", "Scheduled"),
        Stage::Playing => ("2", "STATUS_IN_PROGRESS", "in", "In Progress"),
        // Between half innings a baseball game counts as in progress: only the texts tell.
        Stage::EndOfPeriod if fixture.league == League::Mlb => {
            ("2", "STATUS_IN_PROGRESS", "in", "In Progress")
        }
        Stage::EndOfPeriod => ("22", "STATUS_END_PERIOD", "in", "End of Period"),
        Stage::Halftime => ("23", "STATUS_HALFTIME", "in", "Halftime"),
        Stage::Over => ("3", "STATUS_FINAL", "post", "Final"),
    };
    let clock = display_clock(fixture.league, state);
    let (detail, short) = match state.stage {
        Stage::Scheduled => feed_detail(fixture.start_us),
        Stage::Halftime => ("Halftime".to_string(), "Halftime".to_string()),
        Stage::Over => {
            let text = over_text(fixture.league, state);
            (text.clone(), text)
        }
        _ if fixture.league == League::Mlb => {
            let text = format!("{} {}", half_word(state.half), ordinal(state.period));
            (text.clone(), text)
        }
        Stage::EndOfPeriod => {
            let text = format!("End of {}", period_name(fixture.league, state.period));
            (text.clone(), text)
        }
        Stage::Playing => {
            let word = if fixture.league == League::Ncaam {
                " Half"
            } else if fixture.league == League::Nhl {
                " Period"
            } else {
                " Quarter"
            };
            let period = period_name(fixture.league, state.period);
            let long = if state.period > regular {
                period.clone()
            } else {
                format!("{period}{word}")
            };
            (format!("{clock} - {long}"), format!("{clock} - {period}"))
        }
    };
    let mut kind = json!({
        "id": id, "name": name, "state": phase, "completed": state.stage == Stage::Over,
        "description": description, "detail": detail, "shortDetail": short,
    });
    if state.stage == Stage::Over && state.period > regular && fixture.league != League::Mlb {
        kind["altDetail"] = period_name(fixture.league, state.period).into();
    }
    let clock_seconds = shown_seconds(fixture.league, state);
    json!({"clock": clock_seconds, "displayClock": clock, "period": state.period, "type": kind})
}

fn over_text(league: League, state: &State) -> String {
    let (regular, _) = league.periods();
    match league {
        League::Mlb if state.period > regular => format!("Final/{}", state.period),
        League::Mlb => "Final".to_string(),
        _ if state.period > regular => format!("Final/{}", period_name(league, state.period)),
        _ => "Final".to_string(),
    }
}

fn period_name(league: League, period: u8) -> String {
    let (regular, _) = league.periods();
    match period.checked_sub(regular) {
        None | Some(0) => ordinal(period),
        Some(1) => "OT".to_string(),
        Some(more) => format!("{more}OT"),
    }
}

fn ordinal(number: u8) -> String {
    let ending = match (number % 10, number % 100) {
        (1, other) if other != 11 => "st",
        (2, other) if other != 12 => "nd",
        (3, other) if other != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

const fn half_word(half: Half) -> &'static str {
    match half {
        Half::Top | Half::None => "Top",
        Half::Middle => "Mid",
        Half::Bottom => "Bot",
        Half::End => "End",
    }
}

/// Whole seconds, but for tenths in basketball's last minute; baseball has no clock.
fn shown_seconds(league: League, state: &State) -> f64 {
    let seconds = state.clock_seconds.max(0.0);
    match league {
        League::Mlb => 0.0,
        League::Nba | League::Ncaam if seconds < 60.0 => (seconds * 10.0).floor() / 10.0,
        _ => seconds.ceil(),
    }
}

/// `8:42`; basketball's last minute is shown as seconds with tenths, `54.9`, without a colon.
fn display_clock(league: League, state: &State) -> String {
    if league == League::Mlb {
        return "0:00".to_string();
    }
    let seconds = shown_seconds(league, state);
    if matches!(league, League::Nba | League::Ncaam)
        && seconds < 60.0
        && state.stage == Stage::Playing
    {
        return format!("{seconds:.1}");
    }
    let minutes = (seconds / 60.0).floor();
    format!("{minutes:.0}:{:02.0}", (seconds - minutes * 60.0).floor())
}

fn situation(fixture: &Fixture, state: &State) -> Value {
    let mut situation = match fixture.league {
        League::Nfl | League::Ncaaf => football(fixture, state),
        League::Mlb => json!({
            "balls": state.balls, "strikes": state.strikes, "outs": state.outs,
            "onFirst": state.bases & 1 != 0, "onSecond": state.bases & 2 != 0, "onThird": state.bases & 4 != 0,
        }),
        League::Nba | League::Ncaam | League::Nhl => json!({}),
    };
    situation["lastPlay"] = last_play(fixture, state);
    situation
}

fn football(fixture: &Fixture, state: &State) -> Value {
    let mut object = json!({
        "down": if state.down == 0 { -1 } else { i32::from(state.down) }, "distance": state.distance, "yardLine": state.yard_line,
        "isRedZone": state.possession.is_some_and(|team| yards_to_goal(state, team) <= 20),
        "homeTimeouts": state.timeouts[0], "awayTimeouts": state.timeouts[1],
    });
    // Between series and in breaks there is no down and nobody is named.
    if let Some(side) = state
        .possession
        .filter(|_| state.down > 0 && state.stage == Stage::Playing)
    {
        let team = if side == 0 {
            &fixture.home
        } else {
            &fixture.away
        };
        let spot = match state.yard_line {
            50 => "50".to_string(),
            line if line < 50 => format!("{} {line}", fixture.home.code),
            line => format!("{} {}", fixture.away.code, 100_u8.saturating_sub(line)),
        };
        let short = format!("{} & {}", ordinal(state.down), state.distance);
        object["possession"] = team.id.to_string().into();
        object["downDistanceText"] = format!("{short} at {spot}").into();
        object["shortDownDistanceText"] = short.into();
        object["possessionText"] = spot.into();
    }
    object
}

/// Yards that a team has to go: the home team plays towards 100.
pub(crate) fn yards_to_goal(state: &State, team: usize) -> u8 {
    if team == 0 {
        100_u8.saturating_sub(state.yard_line)
    } else {
        state.yard_line
    }
}

fn last_play(fixture: &Fixture, state: &State) -> Value {
    let team = if state.last_team == 0 {
        &fixture.home
    } else {
        &fixture.away
    };
    let mut play = json!({
        "id": format!("{}{:04}", fixture.id, state.plays), "type": {"id": "0", "text": state.last_play},
        "text": format!("{} {}", team.name, state.last_play), "scoreValue": state.last_value, "team": {"id": team.id.to_string()},
    });
    if fixture.league.has_probability() {
        let home = (state.home_win * 10_000.0).round() / 10_000.0;
        play["probability"] = json!({"tiePercentage": 0.0, "homeWinPercentage": home, "awayWinPercentage": 1.0 - home, "secondsLeft": 0});
    }
    play
}
