//! Discovery between a real Redis and a venue on loopback.

use super::*;
use crate::cold::redis::Cursor;
use crate::cold::redis::private_server::Server;
use crate::discovery::Team;
use crate::venue::signing::test_signer;
use crate::venue::tls::Trust;
use axum::http::Uri;
use axum::{Json, Router};
use std::path::Path;
use tokio::sync::watch;

/// A venue that lists one football game in full, one twice, and fails the first question.
async fn venue() -> String {
    let asked = Arc::new(AtomicBool::new(false));
    let handler = move |uri: Uri| async move {
        let event = |ticker: &str, one: &str, two: &str| {
            let market = |team: &str| json!({"ticker": format!("{ticker}-{team}"), "event_ticker": ticker, "exchange_index": 3});
            json!({"event_ticker": ticker, "fee_multiplier_override": 0.5, "markets": [market(one), market(two)]})
        };
        if uri.path().contains("/series/") {
            if !asked.swap(true, Relaxed) {
                return Json(json!("nonsense"));
            }
            return Json(
                json!({"series": {"ticker": "KXMLBGAME", "fee_type": "quadratic", "fee_multiplier": 1}}),
            );
        }
        Json(json!({"cursor": "", "events": [
            event("KXMLBGAME-26JUN281335CINPIT", "CIN", "PIT"),
            event("KXMLBGAME-26JUN281305AZCWS", "AZ", "CWS"),
            event("KXMLBGAME-26JUN281405AZCWS", "CWS", "AZ"),
            {"event_ticker": "KXMLBGAME-NEW"},
            {"event_ticker": 7},
        ]}))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("binds");
    let base = format!(
        "http://{}/trade-api/v2",
        listener.local_addr().expect("bound")
    );
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
    base
}

fn game(number: u32, away: &str, home: &str) -> Discovery {
    let team = |code: &str| Team {
        code: code.into(),
        location: String::new(),
        name: String::new(),
    };
    Discovery::Game(Game {
        game: number,
        league: "baseball/mlb".into(),
        shard: 1,
        start: "2026-06-28T17:35:00Z".into(),
        home: team(home),
        away: team(away),
        phase: "scheduled".into(),
        final_score: None,
    })
}

fn finder(cold: &Cold, base: &str, slots: u32, directory: &Path) -> Finder {
    Finder {
        cold: cold.clone(),
        catalogue: Catalogue::new(
            KalshiRest::new(base, test_signer(), &Trust::none()).expect("a client"),
        ),
        aliases: Aliases::built_in().expect("reads"),
        slots,
        numbers: Numbers::within(directory),
        known: HashMap::new(),
        told: HashMap::new(),
        looked: HashMap::new(),
        waiting: HashMap::new(),
        counters: Counters::default(),
        complaints: Complaints::default(),
    }
}

/// The next two markets in the stream.
async fn two_markets(cold: &Cold, cursor: &mut Cursor) -> Vec<Market> {
    let mut markets = Vec::new();
    while markets.len() < 2 {
        let found = cold
            .discoveries(cursor, Duration::from_secs(30))
            .await
            .expect("reads");
        markets.extend(found.into_iter().filter_map(|discovery| match discovery {
            Discovery::Market(market) => Some(market),
            Discovery::Game(_) => None,
        }));
    }
    markets
}

/// Waits until the heartbeat tells that the ambiguous game was refused and the unlisted one looked for.
async fn every_game_looked_at(cold: &Cold) {
    let looked = async {
        loop {
            let beat = cold
                .get("heartbeat:market_discovery")
                .await
                .expect("reads")
                .unwrap_or_default();
            let beat: serde_json::Value = serde_json::from_str(&beat).unwrap_or_default();
            let count = |name: &str| beat["figures"][name].as_u64().unwrap_or(0);
            if count("refused") >= 1 && count("retries") >= 1 && count("failed") >= 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), looked)
        .await
        .expect("within half a minute");
}

#[tokio::test]
async fn a_game_gets_its_two_markets_and_an_ambiguous_one_none() {
    let Some(server) = Server::start() else {
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let (cold, base) = (server.cold().await, venue().await);
    for discovery in [
        game(7, "CIN", "PIT"),
        game(8, "ARI", "CHW"),
        game(9, "NYY", "BOS"),
    ] {
        cold.announce(&discovery).await.expect("announces");
    }
    let stop = Arc::new(AtomicBool::new(false));
    let finding = tokio::spawn(
        finder(&cold, &base, 64, directory.path())
            .run(Arc::clone(&stop), ("market_discovery".into(), 50)),
    );
    let markets = two_markets(&cold, &mut Cursor::default()).await;
    every_game_looked_at(&cold).await;
    stop.store(true, Relaxed);
    let counters = finding.await.expect("stops when told");
    for (market, (suffix, team)) in markets.iter().zip([("PIT", 0), ("CIN", 1)]) {
        let number = cold.market_number(&market.ticker).await.expect("known");
        let expected = Market {
            market: number,
            ticker: format!("KXMLBGAME-26JUN281335CINPIT-{suffix}"),
            event_ticker: "KXMLBGAME-26JUN281335CINPIT".into(),
            game: 7,
            shard: 1,
            team,
            sport: layouts::Sport::Mlb as u8,
            fee_rate_e4: 350,
            tick_e4: 100,
            exchange_index: Some(3),
        };
        assert_eq!(market, &expected);
    }
    assert_eq!(
        (counters.games, counters.markets, counters.refused),
        (3, 2, 1)
    );
    assert_eq!(counters.unreadable, 1, "and hides nothing");
    assert!(
        counters.failed >= 1 && counters.retries >= 1,
        "one question failed, one game is not listed"
    );
}

/// A Redis of our own keeps the stream of earlier runs, with other shards and other fees.
#[tokio::test]
async fn markets_of_an_earlier_run_are_announced_anew_as_they_are_now() {
    let Some(server) = Server::start() else {
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let (cold, base) = (server.cold().await, venue().await);
    let mut old = Vec::new();
    for (suffix, team) in [("PIT", 0), ("CIN", 1)] {
        let ticker = format!("KXMLBGAME-26JUN281335CINPIT-{suffix}");
        let market = Market {
            market: cold.market_number(&ticker).await.expect("numbers"),
            ticker,
            event_ticker: "KXMLBGAME-26JUN281335CINPIT".into(),
            game: 7,
            // The first differs in its shard, the second in its fee.
            shard: 1 + (1 - team),
            team,
            sport: layouts::Sport::Mlb as u8,
            fee_rate_e4: 350 + 350 * u16::from(team),
            tick_e4: 100,
            exchange_index: Some(3),
        };
        let found = Discovery::Market(market.clone());
        cold.announce(&found).await.expect("announces");
        old.push(market);
    }
    let wanted = game(7, "CIN", "PIT");
    cold.announce(&wanted).await.expect("announces");
    let stop = Arc::new(AtomicBool::new(false));
    let finding = tokio::spawn(
        finder(&cold, &base, 64, directory.path())
            .run(Arc::clone(&stop), ("market_discovery".into(), 1_000)),
    );
    let mut cursor = Cursor::default();
    assert_eq!(two_markets(&cold, &mut cursor).await, old);
    for market in two_markets(&cold, &mut cursor).await {
        assert_eq!((market.shard, market.fee_rate_e4), (1, 350), "{market:?}");
    }
    stop.store(true, Relaxed);
    assert_eq!(finding.await.expect("stops when told").markets, 2);
}

/// Every game was asked for in turn, each for the whole time-out, and a stop waited for all.
#[tokio::test]
async fn a_venue_that_hangs_is_asked_for_one_game_and_holds_up_no_stop() {
    let Some(server) = Server::start() else {
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("binds");
    let address = listener.local_addr().expect("bound");
    let (asked, mut questions) = tokio::sync::mpsc::unbounded_channel();
    let handler = move || {
        let asked = asked.clone();
        async move {
            asked.send(()).expect("listens");
            std::future::pending::<()>().await;
        }
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
    let cold = server.cold().await;
    for number in 0..9 {
        let wanted = game(number, "CIN", "PIT");
        cold.announce(&wanted).await.expect("announces");
    }
    let stop = Arc::new(AtomicBool::new(false));
    let base = format!("http://{address}/trade-api/v2");
    let finding = tokio::spawn(
        finder(&cold, &base, 64, directory.path())
            .run(Arc::clone(&stop), ("market_discovery".into(), 1_000)),
    );
    questions.recv().await.expect("a question");
    stop.store(true, Relaxed);
    let counters = finding.await.expect("stops when told");
    assert_eq!(counters.failed, 0, "it did not wait for the time-out");
    // And where the venue refuses at once, the round ends with the first game.
    let mut finder = finder(
        &cold,
        "http://127.0.0.1:1/trade-api/v2",
        64,
        directory.path(),
    );
    for number in 0..9 {
        finder.learn(game(number, "CIN", "PIT"));
    }
    finder.look_for_due(&Announcer::start(cold.clone())).await;
    assert_eq!((finder.counters.failed, finder.waiting.len()), (1, 9));
}

#[tokio::test]
async fn a_number_beyond_the_board_is_refused() {
    let Some(server) = Server::start() else {
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let (cold, base) = (server.cold().await, venue().await);
    let mut finder = finder(&cold, &base, 1, directory.path());
    let Discovery::Game(wanted) = game(7, "CIN", "PIT") else {
        return;
    };
    let league = League::at(&wanted.league).expect("a league");
    assert!(
        matches!(
            finder.markets(league, &wanted).await,
            Err(Trouble::Venue(_))
        ),
        "the first question fails"
    );
    let beyond = finder.markets(league, &wanted).await;
    assert!(
        matches!(beyond, Err(Trouble::Refused(reason)) if reason.contains("beyond the board's 1 slots"))
    );
}

/// What the venue says of an event, and of changes to come of its series' fees and its own.
type Said = (Value, Value, Value);

/// A venue that lists one game, and says what it is told to; its address.
async fn venue_that_says(said: watch::Receiver<Said>) -> String {
    let handler = move |uri: Uri| {
        let (event, of_series, of_event) = said.borrow().clone();
        async move {
            if uri.path().ends_with("/series/fee_changes") {
                return Json(json!({ "series_fee_change_arr": of_series }));
            }
            if uri.path().ends_with("/events/fee_changes") {
                return Json(json!({"event_fee_changes": of_event, "cursor": ""}));
            }
            if uri.path().contains("/series/") {
                return Json(json!({"series": {"ticker": "KXMLBGAME", "fee_multiplier": 1}}));
            }
            let ticker = "KXMLBGAME-26JUN281335CINPIT";
            let market =
                |team: &str| json!({"ticker": format!("{ticker}-{team}"), "event_ticker": ticker});
            let mut listed =
                json!({"event_ticker": ticker, "markets": [market("CIN"), market("PIT")]});
            for (name, value) in event.as_object().into_iter().flatten() {
                listed[name] = value.clone();
            }
            Json(json!({ "cursor": "", "events": [listed] }))
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("binds");
    let base = format!("http://{}/v2", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
    base
}

/// The fees of a market were those of the moment when it was found, for ever.
#[tokio::test]
async fn a_market_whose_fee_changes_is_announced_anew() {
    let Some(server) = Server::start() else {
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let (say, said) = watch::channel((json!({}), json!([]), json!([])));
    let base = venue_that_says(said).await;
    let cold = server.cold().await;
    let announcer = Announcer::start(cold.clone());
    let mut finder = finder(&cold, &base, 64, directory.path());
    finder.learn(game(7, "CIN", "PIT"));
    let past = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(60);
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(30);
    let change = |at: jiff::Timestamp| {
        json!([{"series_ticker": "KXMLBGAME", "fee_type": "quadratic",
        "fee_multiplier": 3, "scheduled_ts": at.to_string()}])
    };
    let instead = |at: jiff::Timestamp, multiplier| {
        json!({"series_ticker": "KXMLBGAME", "event_ticker": "KXMLBGAME-26JUN281335CINPIT",
        "fee_multiplier_override": multiplier, "scheduled_ts": at.to_string()})
    };
    let (flat, one) = (
        json!({"fee_type_override": "flat"}),
        json!({"fee_multiplier_override": 1}),
    );
    let none = || json!([]);
    let mut cursor = Cursor::default();
    for (event, of_series, of_event, rate) in [
        (json!({}), none(), none(), 700),
        (json!({"fee_multiplier_override": 0.5}), none(), none(), 350),
        (json!({}), change(past), none(), 2_100),
        (flat, none(), none(), PROHIBITIVE_E4),
        (one.clone(), change(soon), none(), 700),
        (
            one,
            none(),
            json!([instead(past, 4), instead(soon, 5)]),
            2_800,
        ),
    ] {
        say.send_replace((event, of_series, of_event));
        finder.catalogue.grow_old();
        for looked in finder.looked.values_mut() {
            looked.due = Instant::now();
        }
        finder.look_for_due(&announcer).await;
        for market in two_markets(&cold, &mut cursor).await {
            assert_eq!(market.fee_rate_e4, rate);
        }
    }
    assert_eq!((finder.counters.markets, finder.counters.changed), (2, 10));
    // Looked for again when the change is due, and not only after the usual while.
    let due = finder.looked[&7].due - Instant::now();
    assert!(due <= Duration::from_secs(30), "{due:?}");
}

/// A full disk: the markets were announced, and after a power cut others had their numbers.
#[tokio::test]
async fn a_market_whose_number_cannot_be_kept_is_not_announced_yet() {
    let Some(server) = Server::start() else {
        return;
    };
    let (cold, base) = (server.cold().await, venue().await);
    let directory = tempfile::tempdir().expect("a directory");
    let missing = directory.path().join("not yet");
    let mut finder = finder(&cold, &base, 64, &missing);
    let announcer = Announcer::start(cold.clone());
    finder.learn(game(7, "CIN", "PIT"));
    // The venue fails the first question.
    for failed in [1, 2] {
        for waiting in finder.waiting.values_mut() {
            waiting.due = Instant::now();
        }
        finder.look_for_due(&announcer).await;
        let counters = finder.counters;
        assert_eq!((counters.failed, counters.markets), (failed, 0));
        assert_eq!(finder.waiting.len(), 1, "tried again");
    }
    std::fs::create_dir(&missing).expect("makes it");
    for waiting in finder.waiting.values_mut() {
        waiting.due = Instant::now();
    }
    finder.look_for_due(&announcer).await;
    assert_eq!(finder.counters.markets, 2);
}

#[test]
fn a_board_is_nearly_full_beyond_four_fifths() {
    let numbers = |highest| HashMap::from([("A".to_owned(), 1), ("B".to_owned(), highest)]);
    assert!(!is_nearly_full(&HashMap::new(), 100));
    assert!(!is_nearly_full(&numbers(80), 100));
    assert!(is_nearly_full(&numbers(81), 100));
}
