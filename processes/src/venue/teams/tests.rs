//! Matching games to events: real tickers, and every way of getting it wrong.

use super::*;
use crate::venue::kalshi_wire::fees::EventFees;
use crate::venue::league::LEAGUES;
use crate::venue::recorded;
use std::collections::BTreeSet;
use std::io::Read as _;

const NFL: League = LEAGUES[0];
const NCAAF: League = LEAGUES[1];
const NBA: League = LEAGUES[2];
const MLB: League = LEAGUES[5];

fn event(ticker: &str, markets: &[(&str, &str)]) -> EventRecord {
    let market = |(suffix, place): &(&str, &str)| MarketRecord {
        close_time: String::new(),
        ticker: format!("{ticker}-{suffix}"),
        event_ticker: ticker.into(),
        status: "active".into(),
        yes_sub_title: (*place).into(),
        result: String::new(),
        price_ranges: vec![],
        exchange_index: None,
    };
    EventRecord {
        event_ticker: ticker.into(),
        series_ticker: String::new(),
        title: String::new(),
        fees: EventFees::default(),
        exchange_index: None,
        markets: markets.iter().map(market).collect(),
    }
}

fn game(start: &str, away: (&str, &str), home: (&str, &str)) -> Game {
    let team = |(code, location): (&str, &str)| Team {
        code: code.into(),
        location: location.into(),
        name: String::new(),
    };
    Game {
        game: 1,
        league: String::new(),
        shard: 0,
        start: start.into(),
        home: team(home),
        away: team(away),
        phase: "scheduled".into(),
        final_score: None,
    }
}

fn aliases() -> Aliases {
    Aliases::built_in().expect("the table that comes with the program reads")
}

/// Home and away ticker of the match, if there is exactly one.
fn tickers(league: League, game: &Game, events: &[EventRecord]) -> Option<(String, String)> {
    match aliases().find(league, game, events) {
        Match::One(matched) => Some((matched.home.ticker.clone(), matched.away.ticker.clone())),
        _ => None,
    }
}

#[test]
fn the_table_names_only_leagues_that_exist() {
    for league in aliases().0.keys() {
        assert!(League::at(league).is_some(), "{league}");
    }
}

#[test]
fn tickers_read_with_and_without_a_time() {
    let parsed = EventTicker::parse("KXMLBGAME-26JUN281335CINPIT").expect("parses");
    assert_eq!((parsed.series, parsed.teams), ("KXMLBGAME", "CINPIT"));
    assert_eq!(
        (
            parsed.date.to_string(),
            parsed.time.map(|time| time.to_string())
        ),
        ("2026-06-28".into(), Some("13:35:00".into()))
    );
    let parsed = EventTicker::parse("KXNFLGAME-26OCT12BUFLAR").expect("parses");
    assert_eq!((parsed.time, parsed.teams), (None, "BUFLAR"));
    for bad in [
        "",
        "KXNFLGAME",
        "KXNFLGAME-26OCT",
        "KXNFLGAME-26XXX12AB",
        "KXNFLGAME-26FEB30AB",
        "KXMLBGAME-26JUN282561AB",
        "KXNFLGAME-26OCT12",
        "KXNFLGAME-é6OCT12AB",
    ] {
        assert_eq!(EventTicker::parse(bad), None, "{bad:?}");
    }
}

#[test]
fn codes_go_through_the_table_and_the_order_of_markets_does_not_matter() {
    let events = [
        event("KXNFLGAME-25DEC07WASMIN", &[("WAS", ""), ("MIN", "")]),
        event("KXNFLGAME-25DEC07INDJAC", &[("JAC", ""), ("IND", "")]),
    ];
    let expected = |event: &str, home: &str, away: &str| {
        Some((format!("{event}-{home}"), format!("{event}-{away}")))
    };
    assert_eq!(
        tickers(
            NFL,
            &game("2025-12-07T18:00:00Z", ("WSH", ""), ("MIN", "")),
            &events
        ),
        expected("KXNFLGAME-25DEC07WASMIN", "MIN", "WAS")
    );
    assert_eq!(
        tickers(
            NFL,
            &game("2025-12-07T18:00:00Z", ("IND", ""), ("JAX", "")),
            &events
        ),
        expected("KXNFLGAME-25DEC07INDJAC", "JAC", "IND")
    );
}

#[test]
fn lesson_13_the_same_fixture_on_another_day_is_another_game() {
    let events = [event(
        "KXNBAGAME-25DEC20OKCSAS",
        &[("OKC", ""), ("SAS", "")],
    )];
    let on = |start: &str| tickers(NBA, &game(start, ("OKC", ""), ("SA", "")), &events).is_some();
    assert!(!on("2025-12-22T23:00:00Z"));
    // Late evening in the East is the next day already in UTC.
    assert!(on("2025-12-21T02:30:00Z"));
    assert!(!on("2025-12-20T03:00:00Z"), "the evening before");
    assert!(!on("soon"));
}

#[test]
fn anything_that_does_not_fit_is_no_match() {
    let wanted = game("2025-12-07T18:00:00Z", ("CIN", ""), ("BUF", ""));
    for (what, candidate) in [
        (
            "another team",
            event("KXNFLGAME-25DEC07CINCLE", &[("CIN", ""), ("CLE", "")]),
        ),
        (
            "another series",
            event("KXNBAGAME-25DEC07CINBUF", &[("CIN", ""), ("BUF", "")]),
        ),
        (
            "one market",
            event("KXNFLGAME-25DEC07CINBUF", &[("CIN", "")]),
        ),
        (
            "a third market",
            event(
                "KXNFLGAME-25DEC07CINBUF",
                &[("CIN", ""), ("BUF", ""), ("TIE", "")],
            ),
        ),
        (
            "one team twice",
            event("KXNFLGAME-25DEC07CINBUF", &[("CIN", ""), ("CIN", "")]),
        ),
        (
            "suffixes that are not the ticker's",
            event("KXNFLGAME-25DEC07XXXYYY", &[("CIN", ""), ("BUF", "")]),
        ),
    ] {
        assert_eq!(
            aliases().find(NFL, &wanted, &[candidate]),
            Match::None,
            "{what}"
        );
    }
}

#[test]
fn a_doubleheader_is_told_apart_by_its_times() {
    let first = event("KXMLBGAME-26JUN281305CHWDET", &[("CWS", ""), ("DET", "")]);
    assert_eq!(
        tickers(
            MLB,
            &game("2026-06-28T17:05:00Z", ("CHW", ""), ("DET", "")),
            &[first]
        ),
        None,
        "the ticker's own codes"
    );
    let events = [
        event("KXMLBGAME-26JUN281305CWSDET", &[("CWS", ""), ("DET", "")]),
        event("KXMLBGAME-26JUN281840CWSDET", &[("CWS", ""), ("DET", "")]),
    ];
    for (start, ticker) in [("2026-06-28T17:10:00Z", 0), ("2026-06-28T22:40:00Z", 1)] {
        let found = tickers(MLB, &game(start, ("CHW", ""), ("DET", "")), &events).expect(start);
        assert_eq!(found.0, format!("{}-DET", events[ticker].event_ticker));
    }
    let between = game("2026-06-28T19:52:00Z", ("CHW", ""), ("DET", ""));
    assert_eq!(
        aliases().find(MLB, &between, &events),
        Match::None,
        "neither"
    );
    let old = ["KXMLBGAME-25SEP24CWSDETG1", "KXMLBGAME-25SEP24CWSDETG2"]
        .map(|ticker| event(ticker, &[("CWS", ""), ("DET", "")]));
    let wanted = game("2025-09-24T17:10:00Z", ("CHW", ""), ("DET", ""));
    assert!(
        matches!(aliases().find(MLB, &wanted, &old), Match::Ambiguous(tickers) if tickers.len() == 2)
    );
}

#[test]
fn college_teams_are_matched_by_their_place() {
    let events = [
        event(
            "KXNCAAFGAME-25NOV28TXAMTEX",
            &[("TXAM", "Texas A&M"), ("TEX", "Texas")],
        ),
        event(
            "KXNCAAFGAME-25NOV28JVSTMSST",
            &[("JVST", "Jacksonville St."), ("MSST", "Mississippi St.")],
        ),
        event(
            "KXNCAAFGAME-25NOV28STJRUTG",
            &[("STJ", "St. John's"), ("RUTG", "Rutgers")],
        ),
    ];
    for (away, home, found) in [
        (("TA&M", "Texas A&M"), ("TEX", "Texas"), 0),
        (
            ("JXST", "Jacksonville State"),
            ("MISST", "Mississippi State"),
            1,
        ),
        (("SJU", "Saint Johns"), ("RU", "Rutgers"), 2),
    ] {
        let found_tickers =
            tickers(NCAAF, &game("2025-11-29T00:30:00Z", away, home), &events).expect(home.1);
        assert!(found_tickers.0.starts_with(&events[found].event_ticker));
    }
    let wrong = game(
        "2025-11-29T00:30:00Z",
        ("TXSO", "Texas Southern"),
        ("TEX", "Texas"),
    );
    assert_eq!(aliases().find(NCAAF, &wrong, &events), Match::None);
}

/// Every recorded NBA game finds its own two markets among all of the season, by the feed's codes.
/// Codes of colleges are nobody's for good: here each school has the code that the feed gives the other.
#[test]
fn a_place_goes_before_a_code() {
    let events = [event(
        "KXNCAAFGAME-25NOV28MIAMOH",
        &[("MIA", "Miami (OH)"), ("MOH", "Miami")],
    )];
    let both = game(
        "2025-11-29T00:30:00Z",
        ("MIA", "Miami"),
        ("MOH", "Miami (OH)"),
    );
    let (home, away) = tickers(NCAAF, &both, &events).expect("by place");
    assert!(home.ends_with("-MIA") && away.ends_with("-MOH"), "{home}");
    // Where the places do not tell, the codes do.
    let unplaced = game("2025-11-29T00:30:00Z", ("MIA", ""), ("MOH", ""));
    let (home, _) = tickers(NCAAF, &unplaced, &events).expect("by code");
    assert!(home.ends_with("-MOH"), "{home}");
}

#[test]
fn a_whole_recorded_season_matches() {
    let Some(table) = recorded::text("maps/predictengine_nba_kalshi_markets_2025_26.csv") else {
        return;
    };
    let mut events: Vec<EventRecord> = Vec::new();
    let mut games = BTreeSet::new();
    for row in csv::Reader::from_reader(table.as_bytes()).records() {
        let row = row.expect("reads");
        let (event_ticker, ticker) = (&row[6], &row[7]);
        let suffix = ticker.rsplit('-').next().expect("a suffix");
        games.insert((
            row[3].to_owned(),
            row[5].to_owned(),
            row[4].to_owned(),
            event_ticker.to_owned(),
        ));
        match events
            .iter_mut()
            .find(|known| known.event_ticker == *event_ticker)
        {
            Some(known) => known
                .markets
                .extend(event(event_ticker, &[(suffix, "")]).markets),
            None => events.push(event(event_ticker, &[(suffix, "")])),
        }
    }
    let feed = |code: &str| {
        let differing = [
            ("GSW", "GS"),
            ("NYK", "NY"),
            ("NOP", "NO"),
            ("SAS", "SA"),
            ("UTA", "UTAH"),
            ("WAS", "WSH"),
        ];
        differing
            .iter()
            .find(|(exchange, _)| *exchange == code)
            .map_or(code.to_owned(), |(_, feed)| (*feed).to_owned())
    };
    assert_eq!(games.len(), 221);
    for (date, away, home, ticker) in games {
        // Eight in the evening in New York.
        let start = format!("{date}T20:00:00-05:00")
            .parse::<Timestamp>()
            .expect("a time")
            .to_string();
        let wanted = game(&start, (&feed(&away), ""), (&feed(&home), ""));
        let found = tickers(NBA, &wanted, &events);
        assert_eq!(
            found,
            Some((format!("{ticker}-{home}"), format!("{ticker}-{away}")))
        );
    }
}

#[test]
fn every_recorded_baseball_ticker_reads() {
    let name = "pbp_wp/mlb_2026-06_kalshi_minute_prices_vs_game_state.csv.gz";
    let Some(packed) = recorded::bytes(name) else {
        return;
    };
    let mut table = String::new();
    flate2::read::GzDecoder::new(packed.as_slice())
        .read_to_string(&mut table)
        .expect("unpacks");
    let tickers: BTreeSet<&str> = table
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').next())
        .collect();
    assert!(tickers.len() > 100, "{}", tickers.len());
    for ticker in tickers {
        let (event_ticker, team) = ticker.rsplit_once('-').expect("a suffix");
        let parsed = EventTicker::parse(event_ticker).expect(ticker);
        assert!(
            parsed.time.is_some() && parsed.series == "KXMLBGAME",
            "{ticker}"
        );
        assert!(
            parsed.teams.starts_with(team) || parsed.teams.ends_with(team),
            "{ticker}"
        );
    }
}
