//! The cold path against a real server on a socket of its own.

use super::*;
use crate::cold::redis::private_server::{Server, answers};
use crate::discovery::{Game, Market, Team};

fn game(number: u32) -> Discovery {
    let team = |code: &str| Team {
        code: code.into(),
        location: String::new(),
        name: String::new(),
    };
    Discovery::Game(Game {
        game: number,
        league: "football/nfl".into(),
        shard: 1,
        start: "2025-12-07T18:00:00Z".into(),
        home: team("ATL"),
        away: team("SEA"),
        phase: "live".into(),
        final_score: None,
    })
}

fn market(number: u32) -> Discovery {
    Discovery::Market(Market {
        market: number,
        ticker: "A-B".into(),
        event_ticker: "A".into(),
        game: 5,
        shard: 0,
        team: 1,
        sport: 0,
        fee_rate_e4: 700,
        tick_e4: 100,
        exchange_index: Some(3),
    })
}

#[tokio::test]
async fn every_reader_sees_every_announcement_in_order_and_once() {
    let Some(server) = Server::start() else {
        return;
    };
    let cold = server.cold().await;
    let mut early = Cursor::default();
    assert_eq!(
        cold.discoveries(&mut early, Duration::ZERO).await,
        Ok(vec![])
    );
    let waiting = {
        let cold = cold.clone();
        tokio::spawn(async move {
            (
                cold.discoveries(&mut early, Duration::from_secs(30)).await,
                early,
            )
        })
    };
    // Commands do not queue behind the reader that waits.
    cold.announce(&game(5)).await.expect("announces");
    let (first, mut early) = waiting.await.expect("joins");
    assert_eq!(first, Ok(vec![game(5)]));
    cold.announce(&market(9)).await.expect("announces");
    assert_eq!(
        cold.discoveries(&mut early, Duration::ZERO).await,
        Ok(vec![market(9)])
    );
    let late = cold
        .discoveries(&mut Cursor::default(), Duration::ZERO)
        .await;
    assert_eq!(
        late,
        Ok(vec![game(5), market(9)]),
        "a late reader starts from the beginning"
    );
    assert_eq!(cold.hash_get_all("games").await.expect("reads").len(), 1);
    assert!(
        cold.hash_get_all("markets")
            .await
            .expect("reads")
            .contains_key("9")
    );
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_passed_over() {
    let Some(server) = Server::start() else {
        return;
    };
    let cold = server.cold().await;
    let mut raw = Client::open(server.url())
        .expect("client")
        .get_connection()
        .expect("connects");
    let _: String = redis::cmd("XADD")
        .arg(&["arbees:test:discovery", "*", "event", "{}"])
        .query(&mut raw)
        .expect("adds");
    cold.announce(&game(1)).await.expect("announces");
    let mut cursor = Cursor::default();
    assert_eq!(
        cold.discoveries(&mut cursor, Duration::ZERO).await,
        Ok(vec![game(1)])
    );
    assert_eq!(cursor.malformed, 1);
}

#[tokio::test]
async fn numbers_outlive_both_a_restart_and_a_wiped_server() {
    let Some(server) = Server::start() else {
        return;
    };
    let cold = server.cold().await;
    let (a, b) = (
        cold.market_number("A").await.expect("a"),
        cold.market_number("B").await.expect("b"),
    );
    assert_ne!(a, b);
    assert_eq!(
        server.cold().await.market_number("B").await,
        Ok(b),
        "a process started anew"
    );
    let mut raw = Client::open(server.url())
        .expect("client")
        .get_connection()
        .expect("connects");
    let _: () = redis::cmd("FLUSHALL").query(&mut raw).expect("wipes");
    assert_eq!(cold.market_number("A").await, Ok(a));
    let c = cold.market_number("C").await.expect("c");
    assert!(c != a && c != b, "{c} is taken");
}

#[tokio::test]
async fn a_dead_server_is_an_error_and_its_return_is_noticed() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let cold = server.cold().await;
    cold.put("key", "1", Duration::from_secs(60))
        .await
        .expect("writes");
    assert_eq!(cold.get("key").await, Ok(Some("1".into())));
    server.kill();
    assert!(cold.get("key").await.is_err());
    assert!(
        cold.discoveries(&mut Cursor::default(), Duration::from_secs(60))
            .await
            .is_err(),
        "does not block"
    );
    server.child = Server::spawn(&server.socket()).expect("starts");
    answers(&cold).await;
    assert_eq!(cold.get("key").await, Ok(None));
}

#[tokio::test]
async fn a_bad_address_is_told_by_every_call() {
    let cold = Cold::connect("nonsense", "test");
    let error = cold.get("key").await.expect_err("refused").to_string();
    assert!(
        error.contains("`nonsense`") && error.contains("unix:///"),
        "{error}"
    );
}

#[tokio::test]
async fn what_has_a_life_time_has_one_on_the_server() {
    let Some(server) = Server::start() else {
        return;
    };
    let cold = server.cold().await;
    let figures = serde_json::json!({ "state": "run" });
    cold.heartbeat("monitor", &figures, Duration::from_secs(10))
        .await
        .expect("writes");
    cold.hash_put("positions", "9", "1", Some(Duration::from_secs(50)))
        .await
        .expect("writes");
    cold.hash_put("config", "x", "1", None)
        .await
        .expect("writes");
    let mut raw = Client::open(server.url())
        .expect("client")
        .get_connection()
        .expect("connects");
    let mut ttl = |key: &str| -> i64 {
        redis::cmd("TTL")
            .arg(format!("arbees:test:{key}"))
            .query(&mut raw)
            .expect("asks")
    };
    assert!((1..=30).contains(&ttl("heartbeat:monitor")));
    assert!((1..=50).contains(&ttl("positions")));
    assert_eq!(ttl("config"), -1, "for ever");
}

/// A server that was wiped is told everything again, numbers of markets too.
#[tokio::test]
async fn what_a_server_forgets_it_is_told_again() {
    let Some(server) = Server::start() else {
        return;
    };
    let cold = server.cold().await;
    let announcer = crate::cold::announcer::Announcer::start(cold.clone());
    announcer.announce(game(1));
    announcer.announce(game(2));
    // By a predecessor: known, and not said by us.
    announcer.remember(market(7));
    let all_there = async || {
        while cold.hash_len("games").await != Ok(2) || cold.hash_len("markets").await != Ok(1) {
            tokio::task::yield_now().await;
        }
    };
    let patience = Duration::from_secs(30);
    timeout(patience, all_there()).await.expect("announced");
    let mut raw = Client::open(server.url())
        .expect("client")
        .get_connection()
        .expect("connects");
    let _: () = redis::cmd("FLUSHALL").query(&mut raw).expect("wipes");
    timeout(patience, all_there()).await.expect("said again");
    let numbers = cold.hash_get_all("market_ids").await.expect("reads");
    assert_eq!(numbers.get("A-B").map(String::as_str), Some("7"));
    let mut cursor = Cursor::default();
    let heard = cold.discoveries(&mut cursor, Duration::ZERO).await;
    assert_eq!(heard.expect("reads").len(), 3, "the stream begins anew");
}
