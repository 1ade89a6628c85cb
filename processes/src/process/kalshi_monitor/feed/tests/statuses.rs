//! Whether markets trade, as the feed makes it of lists, frames and clocks.

use super::*;
use serde_json::Value;

/// A step of the only market's life.
fn step(seq: u64, event_type: &str, more: Value) -> String {
    let mut message = json!({"event_type": event_type, "market_ticker": "E-A"});
    let fields = message.as_object_mut().expect("an object");
    fields.extend(more.as_object().cloned().unwrap_or_default());
    json!({"type":"market_lifecycle_v2","sid":2,"seq":seq,"msg":message}).to_string()
}

#[tokio::test]
async fn every_step_of_a_market_s_life_counts() {
    let Some(server) = Server::start() else {
        return;
    };
    let (mut hot, _cold, _listener, mut venue) = in_step(&server).await;
    let none = Value::Null;
    let paused = json!({"is_deactivated": true});
    let steps = [
        ("deactivated", &none, MarketStatus::Closed),
        ("activated", &none, MarketStatus::Active),
        ("metadata_updated", &paused, MarketStatus::Closed),
        ("activated", &none, MarketStatus::Active),
        ("determined", &none, MarketStatus::Closed),
        ("activated", &none, MarketStatus::Active),
        ("settled", &none, MarketStatus::Closed),
    ];
    for (seq, (event_type, more, status)) in (1..).zip(steps) {
        venue.says(&step(seq, event_type, more.clone())).await;
        hot.until_last_is(status).await;
    }
    assert_eq!(hot.counters.lifecycle_gaps, 0);
}

/// A book that lost step in a pause stayed suspect for a minute, or for ever.
#[tokio::test]
async fn a_book_that_lost_step_in_a_pause_is_asked_for_after_it() {
    let Some(server) = Server::start() else {
        return;
    };
    let (mut hot, _cold, _listener, mut venue) = in_step(&server).await;
    venue.says(&step(1, "deactivated", Value::Null)).await;
    hot.until_last_is(MarketStatus::Closed).await;
    // A gap: the snapshot that is asked for does not come while the market is paused.
    venue.says(&delta(3, "0.4000", now_ms())).await;
    let gap = |hot: &Hot| hot.books.counters().gaps == 1;
    hot.until("the gap", gap).await;
    venue.command().await;
    venue.says(&step(2, "activated", Value::Null)).await;
    let asked = venue.command().await["params"].clone();
    assert_eq!(asked["action"], "get_snapshot");
    venue.says(&snapshot(4, "0.4400")).await;
    hot.until_last_is(MarketStatus::Active).await;
}

/// The channel does not repeat what it told before we listened.
#[tokio::test]
async fn what_happened_before_the_session_is_asked_for() {
    let Some(server) = Server::start() else {
        return;
    };
    let (mut hot, cold, listener, venue) = in_step(&server).await;
    // The market is paused while the connection is down.
    hot.desk.list("E-A", json!({"status": "inactive"}));
    drop(venue);
    hot.until_last_is(MarketStatus::Suspect).await;
    let mut venue = Peer::accept(&listener).await;
    welcome(&mut venue).await;
    venue.says(&snapshot(1, "0.4000")).await;
    hot.until_last_is(MarketStatus::Closed).await;
    let told = hot.published.iter().skip(1).map(PriceUpdate::status);
    assert!(
        !told
            .into_iter()
            .any(|status| status == Some(MarketStatus::Active))
    );
    venue.says(&step(1, "activated", Value::Null)).await;
    hot.until_last_is(MarketStatus::Active).await;
    // One that is listed after that is asked for too.
    cold.announce(&market(2, "E-B")).await.expect("announces");
    let asked = |hot: &Hot| hot.desk.lists().asked.contains(&"E-B".to_owned());
    hot.until("a question about it", asked).await;
}

#[tokio::test]
async fn a_break_of_the_lifecycle_channel_closes_until_markets_are_asked_for_again() {
    let Some(server) = Server::start() else {
        return;
    };
    let (mut hot, _cold, _listener, mut venue) = in_step(&server).await;
    let foreign =
        r#"{"type":"market_lifecycle_v2","sid":2,"seq":1,"msg":{"market_ticker":"ELSE"}}"#;
    venue.says(foreign).await;
    let breaks = [
        // Number 2 is missing.
        step(3, "metadata_updated", Value::Null),
        // These cannot be read, or have none.
        r#"{"type":"market_lifecycle_v2","sid":2,"seq":4,"msg":{"market_ticker":"E-A"}}"#.to_owned(),
        r#"{"type":"market_lifecycle_v2","sid":2,"msg":{"event_type":"deactivated","market_ticker":"E-A"}}"#.to_owned(),
        r#"{"type":"market_lifecycle_v2","seq":6,"msg":{"event_type":"deactivated","market_ticker":"E-A"}}"#.to_owned(),
    ];
    for (number, broken) in (1..).zip(breaks) {
        venue.says(&broken).await;
        hot.until_last_is(MarketStatus::Suspect).await;
        hot.until_last_is(MarketStatus::Active).await;
        let counted = |hot: &Hot| hot.counters.lifecycle_gaps == number;
        hot.until("the counters", counted).await;
    }
    let malformed = |hot: &Hot| hot.counters.frames.of(Kind::Malformed) == 4;
    hot.until("the counters", malformed).await;
    assert_eq!(hot.counters.frames.counted(), hot.counters.frames.frames());
}

#[tokio::test]
async fn new_steps_and_a_new_close_are_taken() {
    let Some(server) = Server::start() else {
        return;
    };
    let (mut hot, _cold, _listener, mut venue) = in_step(&server).await;
    let ranges = json!({"price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0010"}]});
    venue
        .says(&step(1, "price_level_structure_updated", ranges))
        .await;
    let finer = |hot: &Hot| hot.published.last().map(|last| last.tick_e4) == Some(10);
    hot.until("the new tick", finer).await;
    let at = |seconds: u64| json!({"close_ts": now_ms() / 1_000 + seconds});
    venue.says(&step(2, "close_date_updated", at(0))).await;
    hot.until_last_is(MarketStatus::Closed).await;
    venue.says(&step(3, "close_date_updated", at(3_600))).await;
    hot.until_last_is(MarketStatus::Active).await;
}

#[tokio::test]
async fn nothing_trades_while_the_venue_says_so() {
    let Some(server) = Server::start() else {
        return;
    };
    let (mut hot, _cold, _listener, _venue) = in_step(&server).await;
    hot.desk.lists().halted = true;
    hot.until_last_is(MarketStatus::Closed).await;
    hot.desk.lists().halted = false;
    hot.until_last_is(MarketStatus::Active).await;
}

#[tokio::test]
async fn limit_stale_price_trips() {
    let Some(server) = Server::start() else {
        return;
    };
    let cold = server.cold().await;
    cold.announce(&market(1, "E-A")).await.expect("announces");
    let (listener, address) = listen().await;
    let safety = Safety {
        max_venue_silence_ms: 2_000,
        ..Safety::default()
    };
    let mut hot = Hot::start_with(&server, address, safety).await;
    let mut venue = Peer::accept(&listener).await;
    welcome(&mut venue).await;
    venue.says(&snapshot(1, "0.4000")).await;
    hot.until_last_is(MarketStatus::Active).await;
    venue.says(&delta(2, "0.4100", now_ms() - 2_100)).await;
    hot.until_last_is(MarketStatus::Suspect).await;
    assert_eq!(
        hot.published.last().map(|last| last.bid_price_e4),
        Some(4_100)
    );
    venue.says(&delta(3, "0.4200", now_ms())).await;
    hot.until_last_is(MarketStatus::Active).await;
    // The other end neither speaks nor answers from here on, though the connection stands.
    hot.until_last_is(MarketStatus::Suspect).await;
    let _next = Peer::accept(&listener).await;
    drop(venue);
}

#[tokio::test]
async fn limit_stale_price_lets_pass() {
    let Some(server) = Server::start() else {
        return;
    };
    let (mut hot, _cold, _listener, mut venue) = in_step(&server).await;
    // A second old, and from a clock that is ahead of ours.
    for (seq, ts_ms) in [(2, now_ms() - 1_000), (3, now_ms() + 5_000)] {
        venue.says(&delta(seq, "0.4100", ts_ms)).await;
    }
    let taken = |hot: &Hot| hot.books.counters().deltas == 2;
    hot.until("both", taken).await;
    assert_eq!(hot.books.counters().late, 0);
    let told = hot.published.last().and_then(PriceUpdate::status);
    assert_eq!(told, Some(MarketStatus::Active));
}
