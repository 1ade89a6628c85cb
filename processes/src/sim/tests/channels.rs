//! Channels of the WebSocket over a real socket: what every frame of theirs says.

use super::laws::{START, order};
use super::outside::{Outside, Socket, next_json};
use crate::sim::catalogue::NewEvent;
use crate::sim::exchange::Exchange;
use crate::sim::game::League;
use crate::sim::records::{NewOrder, TimeInForce};
use crate::sim::times::now_us;
use futures_util::{SinkExt as _, StreamExt as _};
use layouts::Side;
use serde_json::{Value, json};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

async fn send(socket: &mut Socket, command: &Value) {
    let text = Message::text(command.to_string());
    socket.send(text).await.expect("sent");
}

/// Sends a command and reads so many frames.
async fn ask(socket: &mut Socket, frames: usize, command: Value) -> Vec<Value> {
    send(socket, &command).await;
    let mut told = Vec::new();
    for _ in 0..frames {
        told.push(next_json(socket).await);
    }
    told
}

fn subscribe(channel: &str, tickers: &[&str]) -> Value {
    json!({"id": 1, "cmd": "subscribe", "params": {"channels": [channel], "market_tickers": tickers}})
}

/// An event of its own with two empty books.
fn empty_event(exchange: &mut Exchange) {
    exchange.deposit(0, START);
    let event = NewEvent {
        ticker: "KXEMPTY-26NOV22ONETWO".into(),
        series: League::Nfl.series(),
        fees: None,
        start_us: now_us(),
        teams: ["TWO", "ONE"].map(|code| (code.to_string(), code.to_string())),
    };
    exchange.list(event, now_us());
}

const EMPTY: &str = "KXEMPTY-26NOV22ONETWO-TWO";

/// Somebody rests an order in the empty market.
fn rest(exchange: &mut Exchange, side: Side, price_e4: u16) {
    let market = exchange.market_number(EMPTY).expect("listed");
    let them = exchange.open_account();
    let new = order(them, side, price_e4, 300, TimeInForce::GoodTillCanceled);
    exchange
        .create(NewOrder { market, ..new }, now_us())
        .expect("rests");
}

#[tokio::test]
async fn every_answer_of_a_subscription_takes_a_number_of_its_sequence() {
    let outside = Outside::open(2, false).await;
    let tickers = outside.tickers().await;
    let (one, two) = (tickers[0].as_str(), tickers[1].as_str());
    let mut socket = outside.connect().await;
    let told = ask(&mut socket, 2, subscribe("orderbook_delta", &[one])).await;
    assert_eq!(
        told[0],
        json!({"id": 1, "type": "subscribed", "msg": {"channel": "orderbook_delta", "sid": 1}})
    );
    let update = |id: u32, action: &str, ticker: &str| json!({"id": id, "cmd": "update_subscription", "params": {"sids": [1], "market_tickers": [ticker], "action": action}});
    let ok = |id: u32, seq: u32, tickers: &[&str]| json!({"id": id, "type": "ok", "sid": 1, "seq": seq, "msg": {"market_tickers": tickers}});
    let about = |frame: &Value| {
        let part = |value: &Value| value.as_str().unwrap_or("").to_string();
        (
            part(&frame["type"]),
            part(&frame["msg"]["market_ticker"]),
            frame["seq"].as_u64(),
        )
    };
    let book = |ticker: &str, seq| {
        (
            "orderbook_snapshot".to_string(),
            ticker.to_string(),
            Some(seq),
        )
    };
    assert_eq!(about(&told[1]), book(one, 1));
    let told = ask(&mut socket, 2, update(2, "add_markets", two)).await;
    assert_eq!(
        (&told[0], about(&told[1])),
        (&ok(2, 2, &[one, two]), book(two, 3))
    );
    let told = ask(&mut socket, 1, update(3, "delete_markets", one)).await;
    assert_eq!(told[0], ok(3, 4, &[two]));
    let told = ask(&mut socket, 1, update(4, "get_snapshot", two)).await;
    assert_eq!(about(&told[0]), book(two, 5));
    let mut again = subscribe("orderbook_delta", &[one, two]);
    again["id"] = 5.into();
    let told = ask(&mut socket, 2, again).await;
    assert_eq!(
        (&told[0], about(&told[1])),
        (&ok(5, 6, &[one, two]), book(one, 7))
    );
}

#[tokio::test]
async fn a_side_without_offers_has_no_key_and_prices_are_those_asked_for() {
    let outside = Outside::open_with(1, false, empty_event).await;
    let mut plain = outside.connect().await;
    let told = ask(&mut plain, 2, subscribe("orderbook_delta", &[EMPTY])).await;
    let keys = |frame: &Value| {
        let keys = frame["msg"].as_object().expect("a message").keys();
        keys.filter(|key| key.ends_with("_fp"))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&told[1]), Vec::<String>::new());
    outside
        .shared
        .hub
        .with(|exchange| rest(exchange, Side::Ask, 6_300));
    let change = next_json(&mut plain).await;
    let said = |frame: &Value| {
        let message = &frame["msg"];
        json!([
            message["side"],
            message["price_dollars"],
            message["delta_fp"]
        ])
    };
    assert_eq!(
        said(&change),
        json!(["no", "0.3700", "3.00"]),
        "in dollars of NO"
    );
    let mut in_yes = outside.connect().await;
    let mut command = subscribe("orderbook_delta", &[EMPTY]);
    command["params"]["use_yes_price"] = true.into();
    let told = ask(&mut in_yes, 2, command).await;
    assert_eq!(keys(&told[1]), ["no_dollars_fp"]);
    assert_eq!(told[1]["msg"]["no_dollars_fp"], json!([["0.6300", "3.00"]]));
    outside.shared.hub.with(|exchange| {
        rest(exchange, Side::Ask, 6_400);
        rest(exchange, Side::Bid, 6_000);
    });
    for (socket, ask) in [(&mut in_yes, "0.6400"), (&mut plain, "0.3600")] {
        assert_eq!(said(&next_json(socket).await), json!(["no", ask, "3.00"]));
        assert_eq!(
            said(&next_json(socket).await),
            json!(["yes", "0.6000", "3.00"])
        );
    }
}

#[tokio::test]
async fn a_tie_pays_half_and_both_ways_of_asking_say_so() {
    let outside = Outside::open(1, false).await;
    let ticker = outside.tickers().await.remove(0);
    let buy = Outside::order(&ticker, "a", "bid", "0.9900", "3.00", "immediate_or_cancel");
    assert_eq!(outside.place(&buy).await.1["fill_count"], "3.00");
    let balance = async || {
        let (_, body) = outside.call("GET", "/portfolio/balance", None).await;
        let text = body["balance_dollars"].as_str().unwrap_or("").to_string();
        layouts::units::parse_decimal(&text, 4).expect("dollars")
    };
    let before = balance().await;
    let mut socket = outside.connect().await;
    ask(&mut socket, 1, subscribe("market_lifecycle_v2", &[&ticker])).await;
    outside.shared.hub.with(|exchange| {
        let market = exchange.market_number(&ticker).expect("listed");
        exchange.close(market, now_us());
        exchange.determine(market, 5_000, now_us());
        exchange.settle(market, now_us());
    });
    let determined = loop {
        let frame = next_json(&mut socket).await;
        if frame["msg"]["event_type"] == "determined" {
            break frame["msg"].clone();
        }
    };
    assert_eq!(
        (&determined["result"], &determined["settlement_value"]),
        (&json!("scalar"), &json!("0.5000"))
    );
    assert_eq!(next_json(&mut socket).await["msg"]["event_type"], "settled");
    assert_eq!(
        balance().await - before,
        15_000,
        "three contracts at half a dollar"
    );
    let (_, body) = outside
        .call("GET", &format!("/markets/{ticker}"), None)
        .await;
    let market = &body["market"];
    assert_eq!(
        (
            &market["status"],
            &market["result"],
            &market["settlement_value_dollars"]
        ),
        (&json!("finalized"), &json!("scalar"), &json!("0.5000"))
    );
    let (_, body) = outside.call("GET", "/portfolio/settlements", None).await;
    let paid = &body["settlements"][0];
    assert_eq!(
        (
            &paid["market_result"],
            &paid["value"],
            &paid["revenue"],
            &paid["yes_count_fp"]
        ),
        (&json!("scalar"), &json!(50), &json!(150), &json!("3.00"))
    );
}

#[tokio::test]
async fn reads_of_orders_lag_behind_writes() {
    let outside = Outside::open(1, false).await;
    let ticker = outside.tickers().await.remove(0);
    // An attempt counts once the read came back well within the lag, which a busy machine may miss.
    for attempt in 0..50 {
        let id = format!("a{attempt}");
        let new = Outside::order(&ticker, &id, "bid", "0.0100", "1.00", "good_till_canceled");
        let (status, made) = outside.place(&new).await;
        assert!(status == 201 || status == 429, "{made}");
        let id = made["order_id"].as_str().unwrap_or("").to_string();
        let read = async || {
            let path = format!("/portfolio/orders/{id}");
            outside.call("GET", &path, None).await.1["order"]["status"].clone()
        };
        while status == 201 && read().await != "resting" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let asked = std::time::Instant::now();
        let path = format!("/portfolio/events/orders/{id}");
        if outside.call("DELETE", &path, None).await.0 != 200 {
            continue;
        }
        let at_once = read().await;
        if asked.elapsed().as_millis() >= 400 || at_once.is_null() {
            continue;
        }
        assert_eq!(at_once, "resting", "cancelled, and the reads do not know");
        loop {
            let later = read().await;
            if later == "canceled" {
                return;
            }
            assert!(later == "resting" || later.is_null(), "{later}");
        }
    }
}

#[tokio::test]
async fn the_venue_pings_with_its_word_and_takes_pings() {
    let outside = Outside::open(1, false).await;
    let mut socket = outside.connect().await;
    socket
        .send(Message::Ping("ours".into()))
        .await
        .expect("sent");
    let (mut answered, mut asked) = (false, false);
    while !(answered && asked) {
        match socket.next().await.expect("open").expect("a frame") {
            Message::Pong(body) => {
                assert_eq!(body.as_ref(), b"ours");
                answered = true;
            }
            Message::Ping(body) => {
                assert_eq!(body.as_ref(), b"heartbeat");
                asked = true;
            }
            other => panic!("nobody subscribed: {other}"),
        }
    }
}
