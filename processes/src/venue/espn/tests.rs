//! The scoreboard parser against recorded documents, checked by hand against the text in them.

use super::*;
use crate::venue::league::LEAGUES;
use crate::venue::recorded;
use serde_json::json;

fn recorded_games(file: &str, path: &str) -> Option<Vec<ParsedGame>> {
    let document = recorded::bytes(&format!("espn_scoreboard/{file}.json"))?;
    let league = League::at(path).expect("a league");
    let scoreboard = parse_scoreboard(
        league,
        &document,
        Arrival {
            mono_ns: 5,
            unix_us: 6,
        },
    )
    .expect("a scoreboard");
    assert_eq!(scoreboard.left_out, Vec::<String>::new());
    Some(scoreboard.games)
}

fn find<'a>(games: &'a [ParsedGame], away: &str, home: &str) -> &'a ParsedGame {
    let wanted = |game: &&ParsedGame| game.home.code == home && game.away.code == away;
    games
        .iter()
        .find(wanted)
        .unwrap_or_else(|| panic!("{away} at {home}"))
}

/// One row a live game: what its clock text, scores and `downDistanceText` say to a human.
/// Away and home team, clock, away and home score, possession, yard line, down, distance.
type Row = (&'static str, &'static str, u16, u16, u16, u8, u8, u8, u8);

fn check(file: &str, rows: &[Row]) {
    let Some(games) = recorded_games(file, "football/nfl") else {
        return;
    };
    for &(
        away,
        home,
        clock_seconds,
        away_score,
        home_score,
        possession,
        yard_line,
        down,
        distance_yards,
    ) in rows
    {
        let state = find(&games, away, home).state;
        let expected = GameState {
            period: 2,
            clock_deciseconds: clock_seconds * 10,
            away_score,
            home_score,
            possession,
            yard_line,
            down,
            distance_yards,
            phase: Phase::Live as u8,
            sport: Sport::Nfl as u8,
            ..state
        };
        assert_eq!(state, expected, "{away} at {home}");
    }
    assert_eq!(
        games
            .iter()
            .filter(|game| game.state.phase() == Some(Phase::Live))
            .count(),
        rows.len()
    );
}

const HOME: u8 = 1;
const AWAY: u8 = 2;
const NOBODY: u8 = 0;

#[test]
fn lesson_7_the_first_recorded_board_reads_as_its_text_says() {
    check(
        "nfl_2025-12-07T185945Z_8live",
        &[
            // 6:00, 4th & 8 at SEA 36: Seattle's own 36, 64 yards from Atlanta's goal.
            ("SEA", "ATL", 360, 3, 3, AWAY, 64, 4, 8),
            // 3:34, 2nd & 10 at BUF 43.
            ("CIN", "BUF", 214, 14, 11, AWAY, 43, 2, 10),
            // 11:48, 4th & 6 at 50.
            ("TEN", "CLE", 708, 14, 10, AWAY, 50, 4, 6),
            // 1:51, 4th & 20 at MIN 24.
            ("WSH", "MIN", 111, 0, 14, HOME, 24, 4, 20),
            // 12:33, 4th & 4 at NYJ 19.
            ("MIA", "NYJ", 753, 21, 7, HOME, 19, 4, 4),
            // 9:18, 4th & 5 at NO 23: 77 yards from Tampa Bay's goal.
            ("NO", "TB", 558, 7, 7, HOME, 77, 4, 5),
            // 12:52, between plays after a touchdown: no down, no possession.
            ("IND", "JAX", 772, 7, 21, NOBODY, 85, 0, 0),
            // 10:39, likewise.
            ("PIT", "BAL", 639, 10, 3, NOBODY, 65, 0, 0),
        ],
    );
}

#[test]
fn the_second_recorded_board_reads_as_its_text_says() {
    check(
        "nfl_2025-12-07T190037Z_8live",
        &[
            // 5:49, 1st & 10 at ATL 12, after a punt.
            ("SEA", "ATL", 349, 3, 3, HOME, 12, 1, 10),
            // 3:34, 1st & Goal at BUF 10.
            ("CIN", "BUF", 214, 14, 11, AWAY, 10, 1, 10),
            // 11:39, 1st & 10 at CLE 9.
            ("TEN", "CLE", 699, 14, 10, HOME, 9, 1, 10),
            // 1:45, 1st & 10 at WSH 34: 66 yards from Minnesota's goal.
            ("WSH", "MIN", 105, 0, 14, AWAY, 66, 1, 10),
            // 11:45, 1st & 10 at MIA 41: 59 yards from the Jets' goal.
            ("MIA", "NYJ", 705, 21, 7, AWAY, 59, 1, 10),
            // 9:11, a field goal since: kick-off.
            ("NO", "TB", 551, 7, 10, NOBODY, 35, 0, 0),
            // 12:52, 1st & 10 at IND 27, but the feed does not say whose ball: 73 yards from Jacksonville's goal.
            ("IND", "JAX", 772, 7, 21, NOBODY, 73, 1, 10),
            // 10:39, still between plays.
            ("PIT", "BAL", 639, 10, 3, NOBODY, 65, 0, 0),
        ],
    );
}

#[test]
fn teams_times_and_probabilities_come_along() {
    let Some(games) = recorded_games("nfl_2025-12-07T185945Z_8live", "football/nfl") else {
        return;
    };
    let game = find(&games, "SEA", "ATL");
    assert_eq!(
        (game.state.game, game.start.as_str()),
        (401_772_900, "2025-12-07T18:00:00Z")
    );
    assert_eq!(
        (game.home.location.as_str(), game.away.name.as_str()),
        ("Atlanta", "Seattle Seahawks")
    );
    assert_eq!((game.state.home_timeouts, game.state.away_timeouts), (2, 3));
    assert_eq!(
        (game.state.feed_home_win_e4, game.state.pregame_home_win_e4),
        (4_311, NO_PROBABILITY)
    );
    assert_eq!(
        (game.state.ingress_mono_ns, game.state.ingress_unix_us),
        (5, 6)
    );
    // 360 against -470: 100/460 = 0.2173 and 470/570 = 0.8245, together 1.0418.
    let scheduled = find(&games, "DEN", "LV").state;
    assert_eq!(
        (scheduled.phase(), scheduled.period),
        (Some(Phase::Scheduled), 0)
    );
    assert_eq!(
        (scheduled.pregame_home_win_e4, scheduled.feed_home_win_e4),
        (2_085, NO_PROBABILITY)
    );
    let done = find(&games, "DAL", "DET").state;
    assert_eq!(
        (done.phase(), done.away_score, done.home_score),
        (Some(Phase::Final), 30, 44)
    );
}

#[test]
fn baseball_has_halves_bases_and_no_clock() {
    let Some(games) = recorded_games("ha_teamtracker_mlb_2022-09_live", "baseball/mlb") else {
        return;
    };
    let state = find(&games, "BAL", "TOR").state;
    assert_eq!(
        (state.period, state.half(), state.outs, state.strikes),
        (9, Some(Half::Top), 2, 1)
    );
    assert_eq!((state.bases, state.clock_deciseconds), (0b001, 0));
    let state = find(&games, "MIA", "WSH").state;
    assert_eq!(
        (state.period, state.half(), state.bases, state.home_score),
        (5, Some(Half::Bottom), 0b011, 5)
    );
}

#[test]
fn hockey_and_college_football_read() {
    let Some(games) = recorded_games("ha_teamtracker_nhl_2022-09_live", "hockey/nhl") else {
        return;
    };
    let state = find(&games, "ANA", "ARI").state;
    assert_eq!(
        (state.period, state.clock_deciseconds, state.away_score),
        (3, 5_430, 3)
    );
    let Some(games) = recorded_games(
        "ncaaf_2025-12-01T035638Z_final",
        "football/college-football",
    ) else {
        return;
    };
    assert_eq!(games.len(), 19);
    assert!(
        games
            .iter()
            .all(|game| game.state.phase() == Some(Phase::Final))
    );
}

fn one(event: Value) -> Scoreboard {
    let document = json!({ "events": [event] }).to_string();
    parse_scoreboard(LEAGUES[2], document.as_bytes(), Arrival::default()).expect("a scoreboard")
}

fn bare(status: Value) -> Value {
    json!({ "id": "12", "status": status, "competitions": [{ "competitors": [
        { "homeAway": "away", "team": {} }, { "homeAway": "home", "score": 7 } ] }] })
}

/// As [`bare`], with both scores.
fn scored(status: Value) -> Value {
    let mut event = bare(status);
    event["competitions"][0]["competitors"][0]["score"] = json!("3");
    event
}

#[test]
fn missing_fields_are_neutral_and_missing_teams_are_told() {
    let scoreboard = one(bare(json!(null)));
    let [game] = scoreboard.games.as_slice() else {
        panic!("{scoreboard:?}")
    };
    assert_eq!(
        (
            game.state.game,
            game.state.home_score,
            game.state.away_score
        ),
        (12, 7, 0)
    );
    assert_eq!(
        (game.state.phase(), game.start.as_str()),
        (Some(Phase::Off), "")
    );
    for event in [
        json!({}),
        json!({ "id": "x" }),
        json!({ "id": "1" }),
        json!({ "id": "1", "competitions": [{}] }),
    ] {
        let scoreboard = one(event);
        assert_eq!((scoreboard.games.len(), scoreboard.left_out.len()), (0, 1));
    }
    assert!(parse_scoreboard(LEAGUES[0], b"{}", Arrival::default()).is_err());
    assert!(parse_scoreboard(LEAGUES[0], b"<html>", Arrival::default()).is_err());
}

#[test]
fn status_names_tell_what_must_not_be_traded() {
    for (name, state, phase) in [
        ("STATUS_SCHEDULED", "pre", Phase::Scheduled),
        ("STATUS_IN_PROGRESS", "in", Phase::Live),
        ("STATUS_HALFTIME", "in", Phase::Live),
        ("STATUS_END_PERIOD", "in", Phase::Live),
        ("STATUS_FINAL", "post", Phase::Final),
        ("STATUS_POSTPONED", "post", Phase::Off),
        ("STATUS_CANCELED", "post", Phase::Off),
        ("STATUS_DELAYED", "in", Phase::Off),
        ("STATUS_RAIN_DELAY", "in", Phase::Off),
        ("STATUS_SOMETHING_NEW", "limbo", Phase::Off),
    ] {
        let status = json!({ "clock": 60, "period": 2, "type": { "name": name, "state": state } });
        let scoreboard = one(scored(status));
        assert_eq!(scoreboard.games[0].state.phase(), Some(phase), "{name}");
    }
}

#[test]
fn clocks_read_in_every_form() {
    for (text, expected) in [
        ("8:42", Some(5_220)),
        ("54.9", Some(549)),
        ("522.0", Some(5_220)),
        ("0", Some(0)),
        ("0:07.35", Some(73)),
        ("15:00", Some(9_000)),
        ("", None),
        ("soon", None),
        ("1:2:3", None),
        ("99999:00", None),
        ("-1", None),
    ] {
        assert_eq!(deciseconds(text), expected, "{text:?}");
    }
    let status =
        json!({ "clock": null, "displayClock": "54.9", "period": 4, "type": { "state": "in" } });
    assert_eq!(one(scored(status)).games[0].state.clock_deciseconds, 549);
}

/// VENUE 8.6: a clock that could not be read became no time left, and the model was certain.
#[test]
fn lesson_6_a_live_game_without_score_or_clock_is_left_out() {
    let live =
        json!({ "clock": 60, "displayClock": "1:00", "period": 2, "type": { "state": "in" } });
    assert_eq!(one(scored(live.clone())).games.len(), 1);
    let without = |field: &str| {
        let mut status = live.clone();
        status[field] = json!("soon");
        status
    };
    let mut no_clock = without("clock");
    no_clock["displayClock"] = json!(null);
    for event in [
        bare(live.clone()),
        scored(no_clock),
        scored(without("period")),
    ] {
        let scoreboard = one(event);
        assert_eq!((scoreboard.games.len(), scoreboard.left_out.len()), (0, 1));
        let said = &scoreboard.left_out[0];
        assert!(said.contains("event 12: live without"), "{said}");
    }
    // One of the two forms of the clock is enough, and baseball has neither.
    assert_eq!(
        one(scored(without("clock"))).games[0]
            .state
            .clock_deciseconds,
        600
    );
    let document = json!({ "events": [scored(json!({ "period": 9, "type": { "state": "in" } }))] });
    let league = League::at("baseball/mlb").expect("a league");
    let scoreboard = parse_scoreboard(league, document.to_string().as_bytes(), Arrival::default());
    assert_eq!(scoreboard.expect("a scoreboard").games.len(), 1);
}

/// Line 0 is the home team's own goal line: the ball must not be put there for want of a line.
#[test]
fn lesson_7_a_ball_without_its_yard_line_is_nobodys() {
    let mut event = scored(json!({ "clock": 60, "period": 2, "type": { "state": "in" } }));
    let situation = json!({ "possession": "30", "down": 3, "distance": 8, "yardLine": 40 });
    event["competitions"][0]["competitors"][1]["team"] = json!({ "id": "30" });
    event["competitions"][0]["situation"] = situation;
    let ball = |event: &Value| {
        let state = one(event.clone()).games[0].state;
        (
            state.possession,
            state.down,
            state.distance_yards,
            state.yard_line,
        )
    };
    assert_eq!(ball(&event), (HOME, 3, 8, 40));
    for line in [json!(null), json!(101), json!(-1)] {
        event["competitions"][0]["situation"]["yardLine"] = line;
        assert_eq!(ball(&event), (NOBODY, 0, 0, 0));
    }
}

/// The home team's handicap: 13.2 points are one standard deviation about the line in professional basketball.
#[test]
fn a_line_stands_in_where_nobody_bets_on_the_winner() {
    let pregame = |odds: Value| {
        let mut event = scored(json!({ "type": { "state": "pre" } }));
        event["competitions"][0]["odds"] = json!([odds]);
        one(event).games[0].state.pregame_home_win_e4
    };
    let closed = |home: &str, away: &str| json!({ "home": { "close": { "odds": home } }, "away": { "close": { "odds": away } } });
    let off = closed("OFF", "OFF");
    assert_eq!(pregame(json!({ "spread": -13.2, "moneyline": off })), 8_413);
    assert_eq!(pregame(json!({ "spread": 13.2 })), 1_587);
    assert_eq!(pregame(json!({ "spread": 0 })), 5_000);
    // The bet on the winner says more.
    let both = json!({ "spread": 13.2, "moneyline": closed("+100", "-100") });
    assert_eq!(pregame(both), 5_000);
    assert_eq!(pregame(json!({ "spread": "soon" })), NO_PROBABILITY);
    // Baseball's line is always a run and a half.
    let mut event = scored(json!({ "type": { "state": "pre" } }));
    event["competitions"][0]["odds"] = json!([{ "spread": 1.5 }]);
    let document = json!({ "events": [event] }).to_string();
    let league = League::at("baseball/mlb").expect("a league");
    let scoreboard = parse_scoreboard(league, document.as_bytes(), Arrival::default());
    let states = scoreboard.expect("a scoreboard").games;
    assert_eq!(states[0].state.pregame_home_win_e4, NO_PROBABILITY);
}

/// The recorded sign: Denver, away, gives 8.5 points, and the field is 8.5.
#[test]
fn the_recorded_line_is_the_home_teams_handicap() {
    let Some(document) = recorded::bytes("espn_scoreboard/nfl_2025-12-07T185945Z_8live.json")
    else {
        return;
    };
    let document: Value = serde_json::from_slice(&document).expect("a document");
    let events = document["events"].as_array().expect("events");
    let game = events
        .iter()
        .find(|event| event["shortName"] == "DEN @ LV")
        .expect("a scheduled game");
    let line = line_probability(&game["competitions"][0], Sport::Nfl).expect("a line");
    let winner = pregame_probability(&game["competitions"][0]).expect("a bet on the winner");
    assert!(
        line < 5_000 && line.abs_diff(winner) < 700,
        "{line} {winner}"
    );
}
