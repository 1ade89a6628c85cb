//! REST as a client meets it.

use super::outside::{KEY_ID, Outside, assert_shape, recorded_json};
use crate::sim::auth::tests::signed_headers;
use crate::sim::times::now_us;
use axum::http::HeaderMap;
use serde_json::{Value, json};
use std::time::Duration;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;

#[tokio::test]
async fn answers_have_the_shapes_of_the_recorded_ones() {
    let outside = Outside::open(6, false).await;
    let ticker = outside.tickers().await.remove(0);
    let taken = outside
        .place(&Outside::order(
            &ticker,
            "taker",
            "bid",
            "0.9900",
            "1.00",
            "immediate_or_cancel",
        ))
        .await;
    let resting = outside
        .place(&Outside::order(
            &ticker,
            "maker",
            "bid",
            "0.0100",
            "1.00",
            "good_till_canceled",
        ))
        .await;
    assert_eq!((taken.0, resting.0), (201, 201), "{taken:?} {resting:?}");
    tokio::time::sleep(Duration::from_millis(450)).await;
    let id = resting.1["order_id"].as_str().unwrap_or("").to_string();
    let (_, order) = outside
        .call("GET", &format!("/portfolio/orders/{id}"), None)
        .await;
    let (_, fills) = outside.call("GET", "/portfolio/fills", None).await;
    let (_, positions) = outside.call("GET", "/portfolio/positions", None).await;
    let (_, balance) = outside.call("GET", "/portfolio/balance", None).await;
    let (_, market) = outside
        .call("GET", &format!("/markets/{ticker}"), None)
        .await;
    let (_, book) = outside
        .call("GET", &format!("/markets/{ticker}/orderbook"), None)
        .await;
    let (_, limits) = outside.call("GET", "/account/limits", None).await;
    let (_, costs) = outside.call("GET", "/account/endpoint_costs", None).await;
    let (status, cancelled) = outside
        .call("DELETE", &format!("/portfolio/events/orders/{id}"), None)
        .await;
    assert_eq!((status, &cancelled["reduced_by"]), (200, &json!("1.00")));
    let cases: [(&str, &str, &Value); 12] = [
        ("orders__create_v2_taker_ioc", "", &taken.1),
        ("orders__create_v2_maker", "", &resting.1),
        ("orders__get_after_create", "/order", &order["order"]),
        ("fills__after_taker", "/fills/0", &fills["fills"][0]),
        (
            "portfolio__positions",
            "/market_positions/0",
            &positions["market_positions"][0],
        ),
        (
            "portfolio__positions",
            "/event_positions/0",
            &positions["event_positions"][0],
        ),
        ("auth__balance_ok", "", &balance),
        ("markets__single", "/market", &market["market"]),
        ("orderbook__base", "/orderbook_fp", &book["orderbook_fp"]),
        ("account__limits", "", &limits),
        ("account__endpoint_costs", "", &costs),
        ("orders__cancel_v2", "", &cancelled),
    ];
    compare_with_recorded(&cases);
}

/// Each of our answers against the recorded body at a JSON pointer.
fn compare_with_recorded(cases: &[(&str, &str, &Value)]) {
    for (file, pointer, ours) in cases {
        let Some(theirs) =
            recorded_json(&format!("kalshi_rest/fortuna_demo_2026-06-11/{file}.json"))
        else {
            return;
        };
        assert_shape(file, theirs.pointer(pointer).expect(file), ours, &[]);
    }
}

#[tokio::test]
async fn refusals_are_the_recorded_ones_word_for_word() {
    let outside = Outside::open(2, false).await;
    let ticker = outside.tickers().await.remove(0);
    let order = |id: &str, price: &str, count: &str| {
        Outside::order(&ticker, id, "bid", price, count, "good_till_canceled")
    };
    let (_, first) = outside.place(&order("a", "0.0100", "1.00")).await;
    let path = format!(
        "/portfolio/events/orders/{}",
        first["order_id"].as_str().unwrap_or("")
    );
    assert_eq!(outside.call("DELETE", &path, None).await.0, 200);
    let post_only = order("e", "0.9900", "1.00").replacen('{', "{\"post_only\":true,", 1);
    let numeric =
        format!(r#"{{"client_order_id":"f","count":1,"price":0.01,"ticker":"{ticker}"}}"#);
    let answers = [
        (
            "orders__reuse_canceled_client_id",
            409,
            outside.place(&order("a", "0.0100", "1.00")).await,
        ),
        (
            "orders__cancel_already_canceled",
            404,
            outside.call("DELETE", &path, None).await,
        ),
        (
            "orders__insufficient_balance",
            400,
            outside.place(&order("c", "0.9900", "99999.00")).await,
        ),
        (
            "orders__invalid_price_structure",
            400,
            outside.place(&order("d", "0.5150", "1.00")).await,
        ),
        (
            "orders__post_only_cross",
            400,
            outside.place(&post_only).await,
        ),
        (
            "orders__numeric_field_types",
            400,
            outside.place(&numeric).await,
        ),
        (
            "markets__limit_over_max",
            400,
            outside.call("GET", "/markets?limit=1001", None).await,
        ),
    ];
    for (file, status, (got, body)) in answers {
        assert_eq!(got, status, "{file}: {body}");
        let Some(mut theirs) =
            recorded_json(&format!("kalshi_rest/fortuna_demo_2026-06-11/{file}.json"))
        else {
            return;
        };
        // `service` has been dropped since the recording.
        if let Some(error) = theirs.get_mut("error").and_then(Value::as_object_mut) {
            error.remove("service");
        }
        assert_eq!(body, theirs, "{file}");
    }
}

#[tokio::test]
async fn unsigned_calls_of_the_account_are_refused_and_public_ones_are_not() {
    let outside = Outside::open(2, false).await;
    let get = |path: &str| {
        outside
            .http
            .get(format!("http://{}{path}", outside.address))
            .send()
    };
    assert_eq!(
        get("/trade-api/v2/portfolio/balance")
            .await
            .expect("answer")
            .status()
            .as_u16(),
        401
    );
    assert_eq!(
        get("/trade-api/v2/exchange/status")
            .await
            .expect("answer")
            .status()
            .as_u16(),
        200
    );
    assert_eq!(
        get("/simulator/status")
            .await
            .expect("answer")
            .json::<Value>()
            .await
            .expect("JSON")["games"],
        2
    );
    let unsigned = connect_async(format!("ws://{}/trade-api/ws/v2", outside.address)).await;
    assert!(matches!(unsigned, Err(Error::Http(answer)) if answer.status().as_u16() == 401));
    for (method, path) in [
        ("POST", "/portfolio/orders"),
        ("POST", "/portfolio/orders/batched"),
        ("POST", "/portfolio/orders/some/amend"),
        ("POST", "/portfolio/orders/some/decrease"),
        ("DELETE", "/portfolio/orders/some"),
        ("DELETE", "/portfolio/orders/batched"),
    ] {
        let (status, refused) = outside.call(method, path, Some("{}")).await;
        let words = &refused["error"]["message"];
        assert_eq!(
            (status, words),
            (410, &json!("Please switch to the V2 endpoints")),
            "{method} {path}"
        );
    }
    let burst = async |count: usize| {
        let mut refused = 0;
        for _ in 0..count {
            refused += usize::from(outside.place("{}").await.0 == 429);
        }
        refused
    };
    assert!(
        burst(40).await > 0,
        "a basic account cannot write 40 times at once"
    );
}

/// What a signed call of everybody's costs, and how a badly signed one is answered.
#[tokio::test]
async fn a_public_call_that_is_signed_is_checked_and_paid_for() {
    let outside = Outside::open(2, false).await;
    let url = format!("http://{}/trade-api/v2/markets", outside.address);
    let path = "/trade-api/v2/markets";
    let get = |headers| outside.http.get(&url).headers(headers).send();
    let signed = |id: &str, skew_ms: i64, path: &str| {
        signed_headers(&outside.pair, id, now_us() / 1_000 + skew_ms, "GET", path)
    };
    let mut partly = signed(KEY_ID, 0, path);
    partly.remove("kalshi-access-signature");
    for (headers, words) in [
        (signed("them", 0, path), "NOT_FOUND"),
        (signed(KEY_ID, 0, "/else"), "INCORRECT_API_KEY_SIGNATURE"),
        (signed(KEY_ID, -30_000, path), "header_timestamp_expired"),
        (partly, "signature_is_missing_from_headers"),
    ] {
        let answer = get(headers).await.expect("answer");
        assert_eq!(answer.status().as_u16(), 401);
        let text = answer.text().await.expect("body");
        assert!(text.contains(words), "{text}");
    }
    let calls = async |headers: HeaderMap| {
        let mut refused = 0;
        for _ in 0..60 {
            let answer = get(headers.clone()).await.expect("answer");
            if answer.status().as_u16() == 429 {
                assert!(!answer.headers().contains_key("retry-after"));
                refused += 1;
            }
        }
        refused
    };
    assert!(
        calls(signed(KEY_ID, 0, path)).await > 0,
        "20 of them are a second's tokens"
    );
    assert_eq!(calls(HeaderMap::new()).await, 0);
}

#[tokio::test]
async fn a_batch_that_cannot_be_read_is_not_free() {
    let outside = Outside::open(2, false).await;
    let mut refused = 0;
    for _ in 0..40 {
        let path = "/portfolio/events/orders/batched";
        let (status, _) = outside.call("POST", path, Some("{")).await;
        assert!(status == 400 || status == 429, "{status}");
        refused += usize::from(status == 429);
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn pages_follow_their_cursors_to_the_end() {
    let outside = Outside::open(6, false).await;
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let (_, page) = outside
            .call(
                "GET",
                &format!("/events?limit=4&with_nested_markets=true&cursor={cursor}"),
                None,
            )
            .await;
        for event in page["events"].as_array().expect("events") {
            assert_eq!(event["markets"].as_array().map(Vec::len), Some(2));
            seen.push(event["event_ticker"].to_string());
        }
        cursor = page["cursor"].as_str().expect("cursor").to_string();
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(seen.len(), 6);
    let (status, page) = outside.call("GET", "/events?cursor=%21%21", None).await;
    assert_eq!(
        (status, page["events"].as_array().map(Vec::len)),
        (200, Some(6)),
        "a garbage cursor is silently the first page"
    );
    let (_, page) = outside
        .call("GET", "/events?series_ticker=KXMLBGAME&status=open", None)
        .await;
    assert_eq!(page["events"].as_array().map(Vec::len), Some(1));
    let (_, series) = outside.call("GET", "/series/KXMLBGAME", None).await;
    assert_eq!(
        (
            &series["series"]["fee_multiplier"],
            &series["series"]["fee_type"]
        ),
        (&json!(0.5), &json!("quadratic_with_maker_fees"))
    );
}
