//! REST calls against a server on loopback that answers as recorded.

use super::super::last_look::LastLook;
use super::*;
use crate::venue::signing::{SIGNATURE_HEADER, TIMESTAMP_HEADER, test_signer};
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::{Router, response::IntoResponse};
use base64::Engine as _;
use layouts::Side;
use ring::signature::{ED25519, UnparsedPublicKey};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Answers in order, and what was asked.
#[derive(Default)]
struct Script {
    answers: VecDeque<(u16, String)>,
    asked: Vec<(Method, String, String)>,
}

/// A client of a venue that gives these answers.
async fn venue(answers: &[(u16, &str)]) -> (KalshiRest, Arc<Mutex<Script>>) {
    let answers = answers
        .iter()
        .map(|(status, body)| (*status, (*body).to_owned()))
        .collect();
    let script = Arc::new(Mutex::new(Script {
        answers,
        asked: vec![],
    }));
    let (signer, played) = (test_signer(), Arc::clone(&script));
    let key = signer.public_key().to_vec();
    let handler = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
        let header = |name: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let message = format!("{}{method}{}", header(TIMESTAMP_HEADER), uri.path());
        let signature = base64::engine::general_purpose::STANDARD
            .decode(header(SIGNATURE_HEADER))
            .unwrap_or_default();
        if UnparsedPublicKey::new(&ED25519, &key)
            .verify(message.as_bytes(), &signature)
            .is_err()
        {
            return (StatusCode::UNAUTHORIZED, "unsigned".to_owned()).into_response();
        }
        // A body in chunks is nothing that the venue's recorded clients send.
        if method == Method::POST && !headers.contains_key("content-length") {
            return (StatusCode::LENGTH_REQUIRED, "no length".to_owned()).into_response();
        }
        let mut script = played.lock().expect("whole");
        let body = String::from_utf8(body.to_vec()).expect("text");
        script.asked.push((method, uri.to_string(), body));
        let (status, body) = script
            .answers
            .pop_front()
            .expect("an answer for every request");
        (StatusCode::from_u16(status).expect("a status"), body).into_response()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("binds");
    let base = format!(
        "http://{}/trade-api/v2/",
        listener.local_addr().expect("bound")
    );
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
    (
        KalshiRest::new(&base, signer, &Trust::none()).expect("a client"),
        script,
    )
}

fn asked(script: &Mutex<Script>) -> Vec<String> {
    script
        .lock()
        .expect("whole")
        .asked
        .iter()
        .map(|(method, uri, _)| format!("{method} {uri}"))
        .collect()
}

const ORDER: NewOrder<'_> = NewOrder {
    ticker: "A-B",
    client_order_id: "c-1",
    side: Side::Ask,
    count_centi: 150,
    price_e4: 6_300,
    exchange_index: Some(3),
    order_group_id: None,
};

fn always() -> LastLook {
    LastLook::new(|_| true)
}

/// VENUE 8.9: nothing stopped a late order. The connection is there, and the last look says no.
#[tokio::test]
async fn what_the_last_look_forbids_never_reaches_the_venue() {
    let nothing = r#"{"client_order_id":"c-1","fill_count":"0.00","order_id":"97ec18b8","remaining_count":"0.00","ts_ms":1}"#;
    let (rest, script) = venue(&[(201, nothing)]).await;
    let never = LastLook::new(|_| false);
    let error = rest
        .create_order(&ORDER, &never)
        .await
        .expect_err("too late");
    assert!(matches!(error, VenueError::NotSent { .. }), "{error}");
    assert!(
        !error.is_ambiguous() && error.to_string().contains("too late"),
        "{error}"
    );
    assert_eq!(never.close(), None);
    // The same client goes on, and what it is asked for is all that the venue has seen.
    let before = ipc::clock::mono_ns();
    let look = always();
    rest.create_order(&ORDER, &look).await.expect("placed");
    let written = look.close().expect("written");
    assert!((before..=ipc::clock::mono_ns()).contains(&written));
    assert_eq!(asked(&script).len(), 1);
}

/// The account's tier is obeyed before the venue refuses: what would be late by then is not sent, the rest waits.
#[tokio::test]
async fn orders_beyond_the_budget_wait_or_are_not_sent() {
    const PLACED: (u16, &str) = (
        201,
        r#"{"client_order_id":"c-1","fill_count":"0.00","order_id":"97ec18b8","remaining_count":"0.00","ts_ms":1}"#,
    );
    const LIMITS: (u16, &str) = (
        200,
        r#"{"usage_tier":"tiny","read":{"bucket_capacity":200,"refill_rate":200},"write":{"bucket_capacity":30,"refill_rate":10},"grants":[]}"#,
    );
    let (rest, script) = venue(&[LIMITS, PLACED, PLACED, PLACED, PLACED]).await;
    let limits = rest.learn_limits().await.expect("limits");
    assert_eq!(limits.write.refill_rate, 10);
    for _ in 0..2 {
        rest.create_order(&ORDER, &always()).await.expect("placed");
    }
    // The next token is a second away.
    let now = ipc::clock::mono_ns();
    let brief = LastLook::new(move |at| at < now + 500_000_000);
    let error = rest
        .create_order(&ORDER, &brief)
        .await
        .expect_err("too late");
    assert!(matches!(error, VenueError::OverBudget { .. }), "{error}");
    assert!(
        error.is_rate_limit() && error.to_string().contains("the account may send it in"),
        "{error}"
    );
    assert_eq!(asked(&script).len(), 3, "nothing of it was sent");
    // The leg of a pair that is paid for and could not be written pays no second time.
    let brief = LastLook::new(move |at| at < now + 500_000_000);
    rest.create_paid(&ORDER, &brief).await.expect("placed");
    rest.create_order(&ORDER, &always()).await.expect("placed");
    let waited = ipc::clock::mono_ns() - now;
    assert!(waited >= 500_000_000, "after {waited} ns");
}

#[tokio::test]
async fn an_order_is_strings_and_its_answer_integers() {
    let answer = r#"{"average_fee_paid":"0.0175","average_fill_price":"0.5200","client_order_id":"c-1","fill_count":"1.00","order_id":"97ec18b7","remaining_count":"0.00","ts_ms":1781159370164}"#;
    let nothing = r#"{"client_order_id":"c-1","fill_count":"0.00","order_id":"97ec18b8","remaining_count":"0.00","ts_ms":1}"#;
    let (rest, script) = venue(&[(201, answer), (201, nothing)]).await;
    let result = rest.create_order(&ORDER, &always()).await.expect("placed");
    assert_eq!(
        (
            result.order_id.as_str(),
            result.filled_centi,
            result.remaining_centi
        ),
        ("97ec18b7", 100, 0)
    );
    let result = rest.create_order(&ORDER, &always()).await.expect("placed");
    assert_eq!(result.filled_centi, 0);
    let (method, uri, body) = script.lock().expect("whole").asked[0].clone();
    assert_eq!(
        (method, uri.as_str()),
        (Method::POST, "/trade-api/v2/portfolio/events/orders")
    );
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&body).expect("JSON"),
        serde_json::json!({"ticker":"A-B","client_order_id":"c-1","side":"ask","count":"1.50","price":"0.6300",
            "time_in_force":"immediate_or_cancel","self_trade_prevention_type":"taker_at_cross","exchange_index":3})
    );
}

#[tokio::test]
async fn errors_carry_status_and_code_in_every_shape() {
    let shapes = [
        (
            409,
            r#"{"error":{"code":"order_already_exists","message":"order already exists","service":"exchange"}}"#,
            "order_already_exists",
            "order already exists",
        ),
        (
            401,
            r#"{"error":{"code":"authentication_error","message":"x","details":"NOT_FOUND"}}"#,
            "authentication_error",
            "NOT_FOUND",
        ),
        (
            400,
            r#"{"code":"bad_request","message":"bad request","details":"json: cannot unmarshal"}"#,
            "bad_request",
            "json: cannot unmarshal",
        ),
        (
            400,
            r#"{"msg":"Parameter validation failed"}"#,
            "",
            "Parameter validation failed",
        ),
        (
            429,
            r#"{"error":"too many requests"}"#,
            "too_many_requests",
            "",
        ),
        (503, "<html>", "", "<html>"),
    ];
    let answers: Vec<(u16, &str)> = shapes
        .iter()
        .map(|(status, body, ..)| (*status, *body))
        .collect();
    let (rest, script) = venue(&answers).await;
    for (status, _, code, details) in shapes {
        let error = rest
            .create_order(&ORDER, &always())
            .await
            .expect_err("refused");
        let VenueError::Refused {
            status: s,
            code: c,
            details: d,
            ..
        } = &error
        else {
            panic!("{error}")
        };
        assert_eq!((*s, c.as_str(), d.as_str()), (status, code, details));
        assert_eq!(
            (error.is_rate_limit(), error.is_ambiguous()),
            (status == 429, status == 503)
        );
    }
    assert_eq!(
        asked(&script).len(),
        shapes.len(),
        "an order is never repeated by itself"
    );
}

#[tokio::test]
async fn reads_follow_every_page_and_survive_a_full_bucket() {
    let fill = |id: &str| {
        format!(
            r#"{{"book_side":"ask","count_fp":"5.52","created_time":"t","fee_cost":"0.054600","is_taker":true,"order_id":"o","ticker":"A-B","trade_id":"{id}","yes_price_dollars":"0.1700","side":"yes"}}"#
        )
    };
    let first = format!(
        r#"{{"cursor":"next page","fills":[{}]}}"#,
        fill("f4a42159-b500-57c6-efa2-c31d94d916c1")
    );
    let last = format!(r#"{{"cursor":"","fills":[{}]}}"#, fill("not a UUID"));
    let (rest, script) = venue(&[
        (429, r#"{"error":"too many requests"}"#),
        (200, &first),
        (200, &last),
    ])
    .await;
    let fills = rest.fills_of("o").await.expect("reads");
    assert_eq!(
        (
            fills.len(),
            fills[0].count_centi,
            fills[0].price_e4,
            fills[0].fee_micros,
            fills[0].side
        ),
        (2, 552, 1_700, 54_600, Side::Ask)
    );
    assert_ne!(fills[0].trade_id, fills[1].trade_id);
    let page = "GET /trade-api/v2/portfolio/fills?limit=1000&subaccount=0&order_id=o";
    assert_eq!(
        asked(&script),
        [
            page.to_owned(),
            page.to_owned(),
            format!("{page}&cursor=next+page")
        ]
    );
    let (rest, _) = venue(&[
        (200, r#"{"cursor":"x","fills":[]}"#),
        (200, r#"{"cursor":"x","fills":[]}"#),
    ])
    .await;
    assert!(
        matches!(rest.fills_since(0).await, Err(VenueError::Malformed { .. })),
        "a cursor that stands still"
    );
}

#[tokio::test]
async fn accounts_read() {
    let (rest, _) = venue(&[
        (200, r#"{"balance":9801,"balance_breakdown":[],"balance_dollars":"98.0186","portfolio_value":198,"updated_ts":1781159348}"#),
        (200, r#"{"cursor":"","market_positions":[{"ticker":"A-B","position_fp":"-3.00","fees_paid_dollars":"0.018900"}]}"#),
        (200, r#"{"cursor":"","settlements":[{"ticker":"A-B","market_result":"no","yes_count_fp":"0.00","no_count_fp":"3.00","revenue":300,"value":0,"settled_time":"t"},{"ticker":"C","yes_count_fp":"1.00","no_count_fp":"0.00","revenue":50,"value":null}]}"#),
        (200, r#"{"orders":[{"order_id":"o","client_order_id":"c-0","ticker":"A-B","book_side":"bid","status":"canceled","initial_count_fp":"2.00","fill_count_fp":"0.50","remaining_count_fp":"0.00","taker_fees_dollars":"0.010000"}]}"#),
    ])
    .await;
    assert_eq!(
        rest.balance().await.expect("reads").balance_micros,
        98_018_600
    );
    let positions = rest.positions().await.expect("reads");
    assert_eq!(
        (positions[0].position_centi, positions[0].fees_paid_micros),
        (-300, 18_900)
    );
    let settlements = rest.settlements(0).await.expect("reads");
    assert_eq!(
        (
            settlements[0].revenue_micros,
            settlements[0].value_e4,
            settlements[1].value_e4
        ),
        (3_000_000, Some(0), None)
    );
    let orders = rest.orders(Some("A-B")).await.expect("reads");
    assert_eq!(orders[0].client_order_id, "c-0");
    assert_eq!(
        (
            orders[0].filled_centi,
            orders[0].remaining_centi,
            orders[0].side
        ),
        (50, 0, Side::Bid)
    );
}

/// One event that the venue writes in a new way hid every game of its series.
#[tokio::test]
async fn an_unreadable_record_hides_no_other_unless_it_is_ours() {
    const ORDERS: &str = r#"{"orders":[{"order_id":"o","client_order_id":"c-0","ticker":"A-B","book_side":"bid","status":"canceled","fill_count_fp":"0.50","remaining_count_fp":"0.00"},{"order_id":7}]}"#;
    let (rest, _) = venue(&[
        (200, r#"{"cursor":null,"events":[{"event_ticker":"A"},{"event_ticker":8},{"event_ticker":"B","markets":null}]}"#),
        (200, r#"{"events":null}"#),
        (200, r#"{"events":7}"#),
        (200, r#"{"fills":[{"trade_id":"f"}]}"#),
        (200, r#"{"fills":null,"cursor":null}"#),
        (200, r#"{"market_positions":[{"ticker":"A-B","position_fp":3}]}"#),
        (200, r#"{"settlements":[{"ticker":"A-B"}]}"#),
        (200, r#"{"settlements":[{"ticker":"A-B"},{"ticker":"C","yes_count_fp":"1.00","no_count_fp":"0.00"}]}"#),
        (200, ORDERS),
        (200, ORDERS),
    ])
    .await;
    let events = rest.events("S").await.expect("reads");
    let tickers: Vec<&str> = events
        .items
        .iter()
        .map(|event| &*event.event_ticker)
        .collect();
    assert_eq!((tickers, events.unreadable), (vec!["A", "B"], 1));
    assert!(events.reason.contains("integer `8`"), "{}", events.reason);
    assert_eq!(rest.events("S").await.expect("reads").items, []);
    assert!(rest.events("S").await.is_err(), "no list at all");
    assert!(rest.fills_since(0).await.is_err());
    assert_eq!(rest.fills_since(0).await, Ok(Vec::new()));
    assert!(rest.positions().await.is_err());
    assert!(rest.settlements(0).await.is_err());
    let some = rest.settlements_since(Some(5)).await.expect("reads");
    assert_eq!((some.items.len(), some.unreadable), (1, 1));
    let ours = rest.readable_orders(Some("A-B")).await.expect("reads");
    assert_eq!((ours.items[0].filled_centi, ours.unreadable), (50, 1));
    assert!(rest.orders(Some("A-B")).await.is_err());
}

#[tokio::test]
async fn no_answer_is_ambiguous_and_a_bad_address_is_told() {
    let rest = KalshiRest::new(
        "http://127.0.0.1:1/trade-api/v2",
        test_signer(),
        &Trust::none(),
    )
    .expect("a client");
    let error = rest
        .create_order(&ORDER, &always())
        .await
        .expect_err("nobody listens");
    assert!(
        matches!(error, VenueError::NotSent { .. }) && error.to_string().contains("refused"),
        "{error}"
    );
    assert!(KalshiRest::new("127.0.0.1:1", test_signer(), &Trust::none()).is_err());
}

/// The shard is sent where it is known, and left out where it is not: 0 would be another shard.
#[tokio::test]
async fn an_unknown_shard_is_left_out_and_a_group_is_named() {
    const NOTHING: (u16, &str) = (
        201,
        r#"{"fill_count":"0.00","order_id":"o","remaining_count":"0.00"}"#,
    );
    let gone = (200, r#"{"order_id":"o","reduced_by":"1.00","ts_ms":1}"#);
    let (rest, script) = venue(&[NOTHING, gone, gone]).await;
    let order = NewOrder {
        exchange_index: None,
        order_group_id: Some("g-1"),
        ..ORDER
    };
    rest.create_order(&order, &always()).await.expect("placed");
    rest.cancel_order("o", Some("A-B"), None)
        .await
        .expect("cancelled");
    rest.cancel_order("o", Some("A-B"), Some(3))
        .await
        .expect("cancelled");
    let body = script.lock().expect("whole").asked[0].2.clone();
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(
        (body.get("exchange_index"), &body["order_group_id"]),
        (None, &"g-1".into())
    );
    let one = "DELETE /trade-api/v2/portfolio/events/orders/o";
    assert_eq!(
        asked(&script)[1..],
        [
            format!("{one}?market_ticker=A-B"),
            format!("{one}?exchange_index=3")
        ]
    );
}

/// The signature's headers are for the venue alone.
#[tokio::test]
async fn nobody_is_followed_to_another_host() {
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("binds");
    let address = elsewhere.local_addr().expect("bound");
    let redirect = move || async move {
        let headers = [("location", format!("http://{address}/"))];
        (StatusCode::TEMPORARY_REDIRECT, headers)
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("binds");
    let base = format!("http://{}/x", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(redirect)).await });
    let rest = KalshiRest::new(&base, test_signer(), &Trust::none()).expect("a client");
    tokio::select! {
        balance = rest.balance() => {
            assert_eq!(balance.expect_err("refused").status(), Some(307));
        }
        _ = elsewhere.accept() => panic!("the signature went to somebody else"),
    }
}

/// Nothing more of an order may be written once it is given up.
#[tokio::test]
async fn an_order_that_is_not_answered_in_time_leaves_no_connection() {
    use tokio::io::AsyncReadExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("binds");
    let base = format!("http://{}/x", listener.local_addr().expect("bound"));
    let rest = KalshiRest::new(&base, test_signer(), &Trust::none())
        .expect("a client")
        .patient_for(Duration::from_millis(200));
    let look = always();
    let silent = async {
        let (mut socket, _) = listener.accept().await.expect("accepts");
        let mut heard = Vec::new();
        socket
            .read_to_end(&mut heard)
            .await
            .expect("the other end closes");
        String::from_utf8(heard).expect("text")
    };
    let (answer, heard) = tokio::join!(rest.create_order(&ORDER, &look), silent);
    let error = answer.expect_err("no answer");
    assert!(error.may_arrive_late(), "{error}");
    assert!(look.close().is_some() && heard.contains("c-1"), "{heard}");
}
