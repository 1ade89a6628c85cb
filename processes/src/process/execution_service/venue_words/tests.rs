//! Every answer of VENUE 1.2 and 1.6, in every shape of a body, over a real socket.

use super::*;
use crate::venue::kalshi_rest::{KalshiRest, NewOrder};
use crate::venue::last_look::LastLook;
use crate::venue::signing::test_signer;
use crate::venue::tls::Trust;
use axum::{Router, http::StatusCode};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use RejectReason::{
    Authentication, Braked, InsufficientBalance, InvalidPrice, MarketInactive, Other, UnknownMarket,
};

const fn no(reason: RejectReason) -> Answer {
    Answer::Refused(reason)
}

/// Status, body, and what it means for the order.
const CASES: &[(u16, &str, Answer)] = &[
    // 1.2
    (
        401,
        r#"{"error":{"code":"authentication_error","message":"authentication_error","details":"INCORRECT_API_KEY_SIGNATURE"}}"#,
        no(Authentication),
    ),
    (
        401,
        r#"{"error":{"code":"authentication_error","message":"authentication_error","details":"NOT_FOUND"}}"#,
        no(Authentication),
    ),
    (
        401,
        r#"{"error":{"code":"signature_is_missing_from_headers","message":"signature is missing from headers"}}"#,
        no(Authentication),
    ),
    (
        401,
        r#"{"error":{"code":"header_timestamp_expired","message":"header timestamp expired"}}"#,
        no(Authentication),
    ),
    (
        403,
        r#"{"error":{"code":"forbidden","message":"forbidden"}}"#,
        no(Authentication),
    ),
    (403, "<html>blocked</html>", no(Authentication)),
    // 1.6
    (
        409,
        r#"{"error":{"code":"order_already_exists","message":"order already exists","service":"exchange"}}"#,
        Answer::AlreadyExists,
    ),
    (
        409,
        r#"{"error":{"code":"ORDER_ALREADY_EXISTS","message":"x"}}"#,
        Answer::AlreadyExists,
    ),
    (
        409,
        r#"{"error":{"code":"fill_or_kill_insufficient_resting_volume","message":"x"}}"#,
        no(Other),
    ),
    (
        400,
        r#"{"error":{"code":"insufficient_balance","message":"insufficient balance"}}"#,
        no(InsufficientBalance),
    ),
    (
        400,
        r#"{"error":{"code":"available_balance_too_low","message":"x"}}"#,
        no(InsufficientBalance),
    ),
    (
        400,
        r#"{"error":{"code":"invalid_price","message":"invalid price"}}"#,
        no(InvalidPrice),
    ),
    (
        400,
        r#"{"error":{"code":"invalid_order","message":"invalid order","details":"post only cross"}}"#,
        no(Other),
    ),
    (
        400,
        r#"{"error":{"code":"invalid_order_size","message":"x"}}"#,
        no(Other),
    ),
    (
        400,
        r#"{"error":{"code":"order_side_mismatch","message":"x"}}"#,
        no(Other),
    ),
    (
        400,
        r#"{"error":{"code":"order_ticker_mismatch","message":"x"}}"#,
        no(Other),
    ),
    (
        400,
        r#"{"error":{"code":"order_id_and_client_order_id_mismatch","message":"x"}}"#,
        no(Other),
    ),
    (
        400,
        r#"{"error":{"code":"MARKET_INACTIVE","message":"MARKET_INACTIVE"}}"#,
        no(MarketInactive),
    ),
    (
        409,
        r#"{"error":{"code":"MARKET_INACTIVE","message":"MARKET_INACTIVE"}}"#,
        no(MarketInactive),
    ),
    (
        409,
        r#"{"error":{"code":"trading_paused","message":"trading is paused"}}"#,
        no(MarketInactive),
    ),
    (
        400,
        r#"{"error":{"code":"exchange_paused","message":"x"}}"#,
        no(MarketInactive),
    ),
    // Whether somebody before the matching engine says so, or it itself, is not known.
    (
        503,
        r#"{"error":{"code":"trading_paused","message":"trading is paused"}}"#,
        Answer::Unclear,
    ),
    (
        404,
        r#"{"error":{"code":"not_found","message":"not found"}}"#,
        no(UnknownMarket),
    ),
    (
        404,
        r#"{"error":{"code":"market_not_found","message":"x"}}"#,
        no(UnknownMarket),
    ),
    (404, "404 page not found", no(UnknownMarket)),
    (
        400,
        r#"{"error":{"code":"invalid_order","message":"invalid order","details":"order group triggered"}}"#,
        no(Braked),
    ),
    (
        400,
        r#"{"error":{"code":"order_group_not_found","message":"x"}}"#,
        no(Other),
    ),
    // The other shapes.
    (
        400,
        r#"{"code":"bad_request","message":"bad request","details":"json: cannot unmarshal number into Go struct field CreateOrderV2Request.count of type string"}"#,
        no(Other),
    ),
    (
        400,
        r#"{"msg":"Parameter validation failed for CreateOrder"}"#,
        no(Other),
    ),
    (429, r#"{"error":"too many requests"}"#, Answer::RateLimited),
    (429, "", Answer::RateLimited),
    (400, "", no(Other)),
    (400, "<html>", no(Other)),
    (400, r#"{"error":{"code":"invalid_pr"#, no(Other)),
    (400, r#"{"error":null}"#, no(Other)),
    (400, r#"{"error":{"code":7,"message":null}}"#, no(Other)),
    (400, "[]", no(Other)),
    (302, "", no(Other)),
    // Nobody knows.
    (408, "", Answer::Missing),
    (408, "<html>", Answer::Missing),
    (504, "<html>gateway time-out</html>", Answer::Missing),
    (
        500,
        r#"{"error":{"code":"internal_server_error","message":"x"}}"#,
        Answer::Unclear,
    ),
    (500, "", Answer::Unclear),
    (502, "<html>", Answer::Unclear),
    (
        503,
        r#"{"error":{"code":"service_unavailable","message":"x"}}"#,
        Answer::Unclear,
    ),
    (201, "", Answer::Unclear),
    (201, "<html>", Answer::Unclear),
    (
        201,
        r#"{"order_id":"o","fill_count":"1.00""#,
        Answer::Unclear,
    ),
    (201, r#"{"order_id":"o"}"#, Answer::Unclear),
    (
        201,
        r#"{"order_id":"o","fill_count":1,"remaining_count":"0.00"}"#,
        Answer::Unclear,
    ),
    (
        201,
        r#"{"order_id":"o","fill_count":"0.00","remaining_count":"0.00"}"#,
        Answer::Placed { filled_centi: 0 },
    ),
    (
        201,
        r#"{"order_id":"o","client_order_id":null,"fill_count":"1.50","remaining_count":"0.00","new":[1]}"#,
        Answer::Placed { filled_centi: 150 },
    ),
    (
        201,
        r#"{"order_id":"o","fill_count":"1.00","remaining_count":"0.50"}"#,
        Answer::Working,
    ),
];

#[tokio::test]
async fn every_answer_of_the_venue_means_what_it_says() {
    let answers: VecDeque<(u16, &str)> = CASES.iter().map(|case| (case.0, case.1)).collect();
    let answers = Arc::new(Mutex::new(answers));
    let next = move || {
        let answer = answers.lock().expect("whole").pop_front();
        let (status, body) = answer.expect("one for each request");
        async move { (StatusCode::from_u16(status).expect("a status"), body) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("binds");
    let base = format!("http://{}/x", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(next)).await });
    for (status, body, expected) in CASES {
        // Each with a full budget of its own.
        let rest = KalshiRest::new(&base, test_signer(), &Trust::none()).expect("a client");
        let order = NewOrder {
            ticker: "A-B",
            client_order_id: "c-1",
            side: Side::Bid,
            count_centi: 100,
            price_e4: 5_000,
            exchange_index: None,
            order_group_id: None,
        };
        let mut order_id = None;
        let answer = rest.create_order(&order, &LastLook::new(|_| true)).await;
        let answer = answer_of(answer, &mut order_id);
        assert_eq!(answer, *expected, "{status} {body}");
        let taken = matches!(answer, Answer::Placed { .. } | Answer::Working);
        assert_eq!(order_id.is_some(), taken, "{status} {body}");
    }
}

/// It ended as expired, as if its time had been too short.
#[test]
fn an_order_beyond_the_budget_is_rate_limited() {
    let error = VenueError::OverBudget {
        request: "POST".into(),
        wait_ms: 900,
    };
    assert_eq!(answer_of(Err(error), &mut None), Answer::RateLimited);
}

/// `unknown` with nothing traded made an order unfilled that was alive.
#[test]
fn only_the_venue_s_own_words_end_an_order() {
    let found = |status: &str| {
        let state = OrderState {
            order_id: "o".into(),
            client_order_id: "c".into(),
            ticker: "A-B".into(),
            side: Side::Bid,
            status: status.into(),
            filled_centi: 50,
            remaining_centi: 0,
        };
        found_of(Ok(Some(state)), &mut None)
    };
    for status in ["canceled", "executed"] {
        assert_eq!(found(status), Found::Done { filled_centi: 50 }, "{status}");
    }
    for status in ["resting", "pending", "unknown", "", "Executed", "cancelled"] {
        assert_eq!(found(status), Found::Working, "{status}");
    }
    assert_eq!(found_of(Ok(None), &mut None), Found::Absent);
    assert_eq!(found_of(Err(Unreadable), &mut None), Found::Missing);
}

/// A rebate lost the whole trade, and with it the position.
#[test]
fn a_fee_that_no_message_carries_loses_no_trade() {
    for (told, booked, as_told) in [
        (17_500, 17_500, true),
        (0, 0, true),
        (-10_000, 0, false),
        (i64::MAX, u32::MAX, false),
    ] {
        let (trade, told) = trade([7; 16], 150, 5_200, told, Side::Ask, true);
        assert_eq!((trade.fee_micros, told), (booked, as_told));
        assert_eq!((trade.count_centi, trade.side), (150, Side::Ask));
    }
}
