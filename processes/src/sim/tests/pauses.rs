//! Pauses of a market and of the venue, as a client meets them.

use super::laws::{exchange, order};
use super::outside::{Outside, next_json};
use crate::sim::exchange::CLIENT;
use crate::sim::records::{NewOrder, OrderState, Reason, Refusal, TimeInForce::GoodTillCanceled};
use futures_util::SinkExt as _;
use layouts::Side;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

#[test]
fn a_pause_ends_orders_that_say_so_and_its_end_all_others() {
    let mut exchange = exchange();
    let ends_with_a_pause = NewOrder {
        cancel_on_pause: true,
        ..order(CLIENT, Side::Bid, 100, 100, GoodTillCanceled)
    };
    let mut rest = |new: NewOrder| exchange.create(new, 1).expect("rests").number;
    let numbers = [
        rest(ends_with_a_pause),
        rest(order(CLIENT, Side::Bid, 200, 100, GoodTillCanceled)),
        rest(order(1, Side::Ask, 9_900, 100, GoodTillCanceled)),
    ];
    assert!(exchange.deactivate(0, 2) && !exchange.deactivate(0, 2));
    let left = exchange.markets()[0].book.orders();
    assert_eq!(left.len(), 2);
    let refused = exchange.create(order(CLIENT, Side::Bid, 300, 100, GoodTillCanceled), 3);
    assert_eq!(refused.err(), Some(Refusal::MarketInactive));
    assert!(exchange.activate(0, 4) && !exchange.activate(0, 4));
    assert!(exchange.markets()[0].book.orders().is_empty());
    for order in exchange.client_orders(i64::MAX) {
        assert!(numbers.contains(&order.number));
        assert_eq!(
            (order.state, order.reason),
            (OrderState::Canceled, Reason::HaltCancel)
        );
    }
    // A pause of the venue ends the same orders, and leaves the others for good.
    exchange
        .create(order(CLIENT, Side::Bid, 200, 100, GoodTillCanceled), 5)
        .expect("rests");
    exchange.pause(6);
    let refused = exchange.create(order(1, Side::Bid, 300, 100, GoodTillCanceled), 7);
    assert_eq!(refused.err(), Some(Refusal::TradingPaused));
    exchange.resume();
    assert_eq!(exchange.markets()[0].book.orders().len(), 1);
    // A market that is paused when its game ends is closed like any other.
    exchange.deactivate(0, 8);
    exchange.close(0, 9);
    assert_eq!(exchange.markets()[0].life.as_str(), "closed");
}

#[tokio::test]
async fn pauses_are_told_and_refuse_orders_and_cancels() {
    let outside = Outside::open(1, false).await;
    let ticker = outside.tickers().await[0].clone();
    let mut socket = outside.connect().await;
    let subscribe = r#"{"id":1,"cmd":"subscribe","params":{"channels":["market_lifecycle_v2"]}}"#;
    socket.send(Message::text(subscribe)).await.expect("send");
    next_json(&mut socket).await;
    let steer = async |what: &str| {
        let address = format!("http://{}/simulator/{what}", outside.address);
        let answer = outside.http.post(address).send().await.expect("answer");
        answer.status().as_u16()
    };
    let place = async |id: &str| {
        let body = Outside::order(&ticker, id, "bid", "0.0100", "1.00", "good_till_canceled");
        outside.place(&body).await
    };
    let (_, resting) = place("a").await;
    let cancel = format!(
        "/portfolio/events/orders/{}?market_ticker={ticker}",
        resting["order_id"].as_str().expect("an id")
    );
    assert_eq!(steer(&format!("markets/{ticker}/deactivate")).await, 204);
    assert_eq!(steer(&format!("markets/{ticker}/deactivate")).await, 404);
    let told = next_json(&mut socket).await;
    assert_eq!(
        told["msg"],
        json!({"event_type": "deactivated", "market_ticker": ticker, "is_deactivated": true})
    );
    let (status, body) = place("b").await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (409, &json!("MARKET_INACTIVE"))
    );
    let (status, body) = outside.call("DELETE", &cancel, None).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (409, &json!("MARKET_INACTIVE"))
    );
    let (_, body) = outside
        .call(
            "GET",
            &format!("/markets?tickers={ticker}&status=paused"),
            None,
        )
        .await;
    assert_eq!(body["markets"][0]["status"], "inactive");
    assert_eq!(steer(&format!("markets/{ticker}/activate")).await, 204);
    let told = next_json(&mut socket).await;
    assert_eq!(
        (&told["seq"], &told["msg"]["event_type"]),
        (&json!(2), &json!("activated"))
    );
    assert_eq!(steer("pause").await, 204);
    let (_, body) = outside.call("GET", "/exchange/status", None).await;
    assert_eq!(
        body,
        json!({"exchange_active": true, "trading_active": false})
    );
    assert_eq!(place("c").await.0, 503);
    assert_eq!(steer("resume").await, 204);
    assert_eq!(place("d").await.0, 201);
}
