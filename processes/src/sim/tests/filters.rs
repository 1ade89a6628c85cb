//! What lists leave out, page and refuse; and the calls about what goes with the markets.

use super::outside::Outside;
use crate::sim::times::now_us;
use serde_json::{Value, json};

impl Outside {
    async fn rows(&self, list: &str, path: &str) -> usize {
        let (status, body) = self.call("GET", path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body[list].as_array().expect("a list").len()
    }
}

#[tokio::test]
async fn bounds_of_time_leave_out_what_lies_outside() {
    let outside = Outside::open(2, false).await;
    let now = now_us() / 1_000_000;
    let ticker = outside.tickers().await.remove(0);
    outside.shared.hub.with(|exchange| {
        exchange.close(0, now_us());
        exchange.determine(0, 10_000, now_us());
        exchange.settle(0, now_us());
    });
    let soon = now + 3_600;
    for (query, rows) in [
        (format!("max_close_ts={soon}"), 1),
        (format!("min_close_ts={soon}"), 3),
        (format!("min_created_ts={soon}"), 0),
        (format!("max_created_ts={soon}"), 4),
        (format!("min_updated_ts={soon}"), 0),
        (format!("min_settled_ts={}", now - 60), 1),
        (format!("max_settled_ts={}", now - 60), 0),
        ("mve_filter=only".to_string(), 0),
        ("mve_filter=exclude".to_string(), 4),
    ] {
        let path = format!("/markets?{query}");
        assert_eq!(outside.rows("markets", &path).await, rows, "{query}");
    }
    let other = outside.tickers().await.remove(1);
    let buy = Outside::order(&other, "a", "bid", "0.9900", "1.00", "immediate_or_cancel");
    assert_eq!(outside.place(&buy).await.1["fill_count"], "1.00");
    assert_ne!(ticker, other);
    let all = outside
        .rows("trades", &format!("/markets/trades?ticker={other}"))
        .await;
    assert!(all > 0);
    for (query, rows) in [("min_ts", 0), ("max_ts", all)] {
        let path = format!("/markets/trades?ticker={other}&{query}={soon}");
        assert_eq!(outside.rows("trades", &path).await, rows, "{query}");
    }
}

#[tokio::test]
async fn a_status_that_nobody_knows_is_refused_in_the_venues_words() {
    let outside = Outside::open(1, false).await;
    for (path, call) in [
        ("/markets?status=active", "GetMarkets"),
        ("/markets?status=open,resting", "GetMarkets"),
        ("/events?status=finalized", "GetEvents"),
        ("/portfolio/orders?status=pending", "GetOrders"),
    ] {
        let words = format!(
            "Parameter validation failed for {call}: Key: '{call}Params.Status' Error:Field validation for 'Status' failed on the 'oneof' tag"
        );
        assert_eq!(
            outside.call("GET", path, None).await,
            (400, json!({"msg": words})),
            "{path}"
        );
    }
    assert_eq!(
        outside.rows("markets", "/markets?status=open,closed").await,
        2
    );
    assert_eq!(outside.rows("markets", "/markets?status=paused").await, 0);
    assert_eq!(outside.rows("orders", "/portfolio/orders?status=").await, 0);
}

#[tokio::test]
async fn positions_come_in_pages() {
    let outside = Outside::open(3, false).await;
    let tickers = outside.tickers().await;
    // Both of one game and one of another, where nobody is near the end.
    for ticker in [&tickers[0], &tickers[1], &tickers[4]] {
        let buy = Outside::order(
            ticker,
            ticker,
            "bid",
            "0.9900",
            "1.00",
            "immediate_or_cancel",
        );
        assert_eq!(
            outside.place(&buy).await.1["fill_count"],
            "1.00",
            "{ticker}"
        );
    }
    let (mut cursor, mut pages) = (String::new(), Vec::new());
    loop {
        let path = format!("/portfolio/positions?limit=2&cursor={cursor}");
        let (_, body) = outside.call("GET", &path, None).await;
        let count = |list: &str| body[list].as_array().map(Vec::len);
        pages.push((count("market_positions"), count("event_positions")));
        cursor = body["cursor"].as_str().expect("a cursor").to_string();
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(pages, [(Some(2), Some(1)), (Some(1), Some(1))]);
    let (status, _) = outside
        .call("GET", "/portfolio/positions?limit=1001", None)
        .await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn what_goes_with_the_markets_is_told() {
    let outside = Outside::open(6, false).await;
    let (_, body) = outside.call("GET", "/exchange/schedule", None).await;
    let week = &body["schedule"]["standard_hours"][0];
    assert_eq!(
        week["sunday"][0],
        json!({"open_time": "00:00", "close_time": "24:00"})
    );
    let (_, body) = outside.call("GET", "/events/fee_changes", None).await;
    assert_eq!(body, json!({"event_fee_changes": [], "cursor": ""}));
}

#[tokio::test]
async fn many_books_come_at_once_and_games_with_their_teams() {
    let outside = Outside::open(6, false).await;
    let tickers = outside.tickers().await;
    let path = format!(
        "/markets/orderbooks?tickers={}&tickers={}",
        tickers[0], tickers[3]
    );
    let (_, books) = outside.call("GET", &path, None).await;
    for (number, ticker) in [(0, &tickers[0]), (1, &tickers[3])] {
        let path = format!("/markets/{ticker}/orderbook");
        let (_, alone) = outside.call("GET", &path, None).await;
        let book = &books["orderbooks"][number];
        assert_eq!(
            (&book["ticker"], &book["orderbook_fp"]),
            (&json!(ticker), &alone["orderbook_fp"])
        );
    }
    for (path, status) in [
        ("/markets/orderbooks", 400),
        ("/markets/orderbooks?tickers=KXNONE", 404),
        ("/milestones", 400),
        ("/milestones?limit=501", 400),
        ("/milestones?limit=5&minimum_start_date=soon", 400),
    ] {
        assert_eq!(outside.call("GET", path, None).await.0, status, "{path}");
    }
    let (_, body) = outside
        .call("GET", "/milestones?limit=100&type=baseball_game", None)
        .await;
    let games: Vec<&Value> = body["milestones"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(games.len(), 1, "{body}");
    let event = games[0]["primary_event_tickers"][0]
        .as_str()
        .expect("an event");
    assert!(event.starts_with("KXMLBGAME-"), "{event}");
    let (_, markets) = outside.call("GET", &format!("/events/{event}"), None).await;
    let strikes: Vec<&Value> = markets["markets"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| &one["custom_strike"]["baseball_team"])
        .collect();
    let details = &games[0]["details"];
    assert_eq!(
        strikes,
        [&details["home_team_id"], &details["away_team_id"]]
    );
    let all = outside
        .rows("milestones", "/milestones?limit=100&category=Sports")
        .await;
    assert_eq!(
        (
            all,
            outside
                .rows("milestones", "/milestones?limit=100&category=Crypto")
                .await
        ),
        (6, 0)
    );
}
