//! The WebSocket as a client meets it.

use super::outside::{Outside, Socket, assert_shape, next_json, recorded};
use crate::sim::times::now_us;
use crate::sim::world::World as _;
use futures_util::SinkExt as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio_tungstenite::tungstenite::Message;

/// A client's books, kept as a client must: per-subscription sequence, NO prices turned over.
#[derive(Default)]
struct Books {
    seq: BTreeMap<u64, u64>,
    levels: BTreeMap<String, BTreeMap<(String, String), i64>>,
    deltas: usize,
}

impl Books {
    fn apply(&mut self, frame: &Value) {
        if let (Some(sid), Some(seq)) = (frame["sid"].as_u64(), frame["seq"].as_u64()) {
            let last = self.seq.insert(sid, seq).unwrap_or(0);
            assert_eq!(seq, last + 1, "a gap before {frame}");
        }
        let message = &frame["msg"];
        let text = |value: &Value| value.as_str().unwrap_or("").to_string();
        let centi = |value: &Value| {
            layouts::units::parse_centi(value.as_str().unwrap_or("")).expect("a count")
        };
        let book = self
            .levels
            .entry(text(&message["market_ticker"]))
            .or_default();
        match frame["type"].as_str() {
            Some("orderbook_snapshot") => {
                book.clear();
                for side in ["yes", "no"] {
                    for level in message[format!("{side}_dollars_fp")]
                        .as_array()
                        .into_iter()
                        .flatten()
                    {
                        book.insert((side.to_string(), text(&level[0])), centi(&level[1]));
                    }
                }
            }
            Some("orderbook_delta") => {
                self.deltas += 1;
                let key = (text(&message["side"]), text(&message["price_dollars"]));
                let left = book.get(&key).copied().unwrap_or(0) + centi(&message["delta_fp"]);
                assert!(left >= 0, "a level below zero at {frame}");
                if left == 0 {
                    book.remove(&key)
                } else {
                    book.insert(key, left)
                };
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_book_kept_from_the_stream_is_the_book() {
    let mut outside = Outside::open(6, false).await;
    let tickers = outside.tickers().await;
    let mut socket = outside.connect().await;
    let command = json!({"id": 1, "cmd": "subscribe", "params": {"channels": ["orderbook_delta", "trade"], "market_tickers": tickers}});
    socket
        .send(Message::text(command.to_string()))
        .await
        .expect("send");
    let mut books = Books::default();
    let mut world = outside.world.take().expect("a world that stands still");
    for second in 1..=10_u32 {
        read_all(&mut socket, &mut books).await;
        outside
            .shared
            .hub
            .with(|exchange| world.advance(f64::from(second), exchange, now_us()));
    }
    read_all(&mut socket, &mut books).await;
    assert!(books.deltas > 5_000, "{}", books.deltas);
    for ticker in &tickers {
        let (_, body) = outside
            .call("GET", &format!("/markets/{ticker}/orderbook"), None)
            .await;
        let mut truth = BTreeMap::new();
        for (side, key) in [("yes", "yes_dollars"), ("no", "no_dollars")] {
            for level in body["orderbook_fp"][key].as_array().expect("levels") {
                let text = |index: usize| level[index].as_str().expect("a string").to_string();
                truth.insert(
                    (side.to_string(), text(0)),
                    layouts::units::parse_centi(&text(1)).expect("a count"),
                );
            }
        }
        assert_eq!(books.levels.get(ticker), Some(&truth), "{ticker}");
    }
    // A gap, injected on purpose, is one missing number and nothing else.
    let before = books.seq.get(&1).copied();
    outside.shared.hub.inject_gap();
    outside
        .shared
        .hub
        .with(|exchange| world.advance(10.5, exchange, now_us()));
    let next = loop {
        let frame = next_json(&mut socket).await;
        if frame["sid"] == 1 {
            break frame["seq"].as_u64();
        }
    };
    assert_eq!(next, before.map(|last| last + 2));
}

/// Reads everything that the venue has told so far: the answer to a command comes after it.
async fn read_all(socket: &mut Socket, books: &mut Books) {
    socket
        .send(Message::text(r#"{"id":99,"cmd":"list_subscriptions"}"#))
        .await
        .expect("send");
    loop {
        let frame = next_json(socket).await;
        if frame["id"] == 99 {
            return;
        }
        books.apply(&frame);
    }
}

#[tokio::test]
async fn the_protocol_answers_every_command_and_survives_nonsense() {
    let outside = Outside::open(2, false).await;
    let tickers = outside.tickers().await;
    let mut socket = outside.connect().await;
    let first = &tickers[0];
    let exchanges = [
        ("nonsense".to_string(), vec![json!({"type": "error", "msg": {"code": 1, "msg": "Unable to process message"}})]),
        (r#"{"id":1,"cmd":"dance","params":{}}"#.into(), vec![json!({"id": 1, "type": "error", "msg": {"code": 5, "msg": "Unknown command"}})]),
        (r#"{"id":2,"cmd":"subscribe"}"#.into(), vec![json!({"id": 2, "type": "error", "msg": {"code": 2, "msg": "Params required"}})]),
        (
            r#"{"id":3,"cmd":"subscribe","params":{"channels":["orderbook_delta"]}}"#.into(),
            vec![json!({"id": 3, "type": "error", "msg": {"code": 14, "msg": "Market Ticker required"}})],
        ),
        (
            r#"{"id":4,"cmd":"subscribe","params":{"channels":["fill","user_orders"]}}"#.into(),
            vec![
                json!({"id": 4, "type": "subscribed", "msg": {"channel": "fill", "sid": 1}}),
                json!({"id": 4, "type": "subscribed", "msg": {"channel": "user_orders", "sid": 2}}),
            ],
        ),
        (
            r#"{"id":5,"cmd":"update_subscription","params":{"sids":[1,2],"action":"add_markets"}}"#.into(),
            vec![json!({"id": 5, "type": "error", "msg": {"code": 12, "msg": "Exactly one subscription ID is required"}})],
        ),
        (
            r#"{"id":6,"cmd":"list_subscriptions"}"#.into(),
            vec![json!({"id": 6, "type": "ok", "msg": [{"channel": "fill", "sid": 1}, {"channel": "user_orders", "sid": 2}]})],
        ),
        (r#"{"id":7,"cmd":"unsubscribe","params":{"sids":[2]}}"#.into(), vec![json!({"id": 7, "type": "unsubscribed", "sid": 2, "seq": 1})]),
    ];
    for (command, expected) in exchanges {
        socket
            .send(Message::text(command.clone()))
            .await
            .expect("send");
        for frame in expected {
            assert_eq!(next_json(&mut socket).await, frame, "{command}");
        }
    }
    let (_, taken) = outside
        .place(&Outside::order(
            first,
            "x",
            "bid",
            "0.9900",
            "2.00",
            "immediate_or_cancel",
        ))
        .await;
    let fill = next_json(&mut socket).await;
    assert_eq!(
        (
            &fill["type"],
            &fill["msg"]["client_order_id"],
            &fill["msg"]["order_id"]
        ),
        (&json!("fill"), &json!("x"), &taken["order_id"])
    );
    if let Some(file) = recorded("kalshi_ws/jfreun123_demo_session_2026-07-01.raw.jsonl") {
        let text = std::fs::read_to_string(file).expect("readable");
        let theirs = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|frame| frame["type"] == "fill")
            .expect("a fill");
        assert_shape("fill", &theirs["msg"], &fill["msg"], &[]);
    }
}
