//! One order against a venue that loses answers, lags and refuses.

use super::*;
use crate::process::execution_service::brake::Word;
use crate::venue::kalshi_frames::{Body, parse};
use crate::venue::signing::test_signer;
use crate::venue::tls::Trust;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use bytemuck::Zeroable;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};

/// What the venue does with the next Post.
#[derive(Clone, Copy)]
enum Reply {
    /// Takes the order and says so.
    Take,
    /// Takes the order, and its answer is lost.
    TakeAndFail,
    /// Does not take it, and its answer is lost.
    Fail,
    /// Too many requests.
    Limit,
}

/// A venue that does as it is told, then takes every order; its reads lag by one.
#[derive(Default)]
struct Script {
    replies: VecDeque<Reply>,
    /// Contracts of each order that trade, 1/100, in two trades.
    trades: [u32; 2],
    posts: Vec<Value>,
    placed: bool,
    order_reads: u32,
    fill_reads: u32,
    /// Trading is halted.
    halted: bool,
    /// What does not trade at once rests, until it is cancelled.
    rests: bool,
    cancels: Vec<String>,
    /// What the channel has told of the order before it was placed.
    told: Option<&'static str>,
}

type Shared = Arc<Mutex<Script>>;

async fn on_post(
    State(script): State<Shared>,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let mut script = script.lock().expect("no panic before");
    script.posts.push(body.clone());
    let reply = script.replies.pop_front().unwrap_or(Reply::Take);
    let failure = (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({})));
    match reply {
        Reply::Limit => (
            StatusCode::TOO_MANY_REQUESTS,
            Json(json!({"error": "too many requests"})),
        ),
        Reply::Fail => failure,
        Reply::Take | Reply::TakeAndFail if script.placed => {
            let code = json!({"error": {"code": "order_already_exists", "message": "order already exists"}});
            (StatusCode::CONFLICT, Json(code))
        }
        Reply::Take | Reply::TakeAndFail => {
            script.placed = true;
            let filled: u32 = script.trades.iter().sum();
            let answer = json!({
                "order_id": "venue-1", "client_order_id": body["client_order_id"],
                "fill_count": contracts(filled),
                "remaining_count": if script.rests { "4.00" } else { "0.00" }, "ts_ms": 1
            });
            if matches!(reply, Reply::Take) {
                (StatusCode::CREATED, Json(answer))
            } else {
                failure
            }
        }
    }
}

async fn on_orders(State(script): State<Shared>) -> Json<Value> {
    let mut script = script.lock().expect("no panic before");
    script.order_reads += 1;
    let shown = script.placed && script.order_reads > 1;
    let (status, rest) = if script.rests {
        ("resting", "4.00")
    } else {
        ("executed", "0.00")
    };
    let order = json!({
        "order_id": "venue-1", "client_order_id": client_order_id("00ff", 77), "ticker": "A-B",
        "book_side": "bid", "status": status, "initial_count_fp": "6.00",
        "fill_count_fp": contracts(script.trades.iter().sum()), "remaining_count_fp": rest
    });
    Json(json!({ "orders": if shown { vec![order] } else { vec![] }, "cursor": "" }))
}

/// Takes effect one read later: the venue's reads lag.
async fn on_cancel(
    State(script): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Json<Value> {
    assert_eq!(query.get("exchange_index").map(String::as_str), Some("2"));
    let mut script = script.lock().expect("no panic before");
    script.cancels.push(id);
    script.rests = script.cancels.len() < 2;
    Json(json!({}))
}

async fn on_fills(
    State(script): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> Json<Value> {
    let mut script = script.lock().expect("no panic before");
    assert_eq!(query.get("order_id").map(String::as_str), Some("venue-1"));
    script.fill_reads += 1;
    let shown = script.fill_reads.min(2) as usize;
    let fill = |(index, count): (usize, &u32)| {
        json!({
            "trade_id": format!("00000000-0000-4000-8000-00000000000{index}"), "order_id": "venue-1",
            "ticker": "A-B", "count_fp": contracts(*count), "yes_price_dollars": "0.5200",
            "fee_cost": "0.017500", "book_side": "bid", "is_taker": true
        })
    };
    let fills: Vec<Value> = script
        .trades
        .iter()
        .enumerate()
        .take(shown)
        .map(fill)
        .collect();
    Json(json!({ "fills": fills, "cursor": "" }))
}

fn contracts(centi: u32) -> String {
    layouts::units::format_decimal(i64::from(centi), 2)
}

/// The launcher's word, on a board as it lays it out.
pub(in crate::process::execution_service) fn gate(
    directory: &std::path::Path,
    halted: bool,
) -> Gate {
    let path = directory.join("control.board");
    let options = ipc::BoardOptions {
        rows: 4,
        ..ipc::BoardOptions::default()
    };
    ipc::create_board::<layouts::Control>(&path, options).expect("a board");
    let mut board = ipc::BoardWriter::attach(&path).expect("the writer");
    let mode = if halted {
        layouts::Mode::Safe
    } else {
        layouts::Mode::Trade
    };
    let word = layouts::Control {
        mode: mode as u8,
        ..layouts::Control::zeroed()
    };
    board.write(layouts::control::ROW, &word).expect("a row");
    Gate::open(&path).expect("opens")
}

/// The desk of a venue at `base`, before its first order.
fn placing(base: &str, directory: &std::path::Path, known: bool, halted: bool) -> Placing {
    let tally = Arc::new(Mutex::new(Tally::new().expect("a histogram")));
    let rest = KalshiRest::new(base, test_signer(), &Trust::none()).expect("an address");
    let (_, word) = tokio::sync::watch::channel(Word {
        halted,
        since_unix_us: 1,
        burst_contracts: 100,
    });
    let safe_file = directory.join("safe");
    let brake = Brake::new(rest.clone(), directory, safe_file, word, Arc::clone(&tally));
    Placing {
        look_ups: LookUps::new(rest.clone()),
        rest,
        listings: if known {
            Listings::of_one(3, "A-B", Some(2))
        } else {
            Listings::of_one(4, "C-D", None)
        },
        desk: Arc::new(Desk::default()),
        brake: Arc::new(brake.open_on(2, "g-2")),
        gate: gate(directory, halted),
        run_id: "00ff".into(),
        tally,
        dry: None,
    }
}

/// Places one order of six contracts that expires `ttl_ms` from now.
async fn place(script: Script, ttl_ms: i64, known: bool) -> (Done, Shared, Arc<Mutex<Tally>>) {
    place_again(script, ttl_ms, known, false).await
}

/// The same, of an order that a predecessor may have sent.
async fn place_again(
    script: Script,
    ttl_ms: i64,
    known: bool,
    maybe_sent: bool,
) -> (Done, Shared, Arc<Mutex<Tally>>) {
    let (halted, told) = (script.halted, script.told);
    let directory = tempfile::tempdir().expect("a directory");
    let script = Arc::new(Mutex::new(script));
    let router = Router::new()
        .route("/trade-api/v2/portfolio/events/orders", post(on_post))
        .route(
            "/trade-api/v2/portfolio/events/orders/{id}",
            delete(on_cancel),
        )
        .route("/trade-api/v2/portfolio/orders", get(on_orders))
        .route("/trade-api/v2/portfolio/fills", get(on_fills))
        .with_state(Arc::clone(&script));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let base = format!(
        "http://{}/trade-api/v2",
        listener.local_addr().expect("an address")
    );
    tokio::spawn(async move { axum::serve(listener, router).await });
    let placing = placing(&base, directory.path(), known, halted);
    let tally = Arc::clone(&placing.tally);
    let order = Order {
        ingress_mono_ns: ipc::clock::mono_ns(),
        expires_mono_ns: ipc::clock::mono_ns().saturating_add_signed(ttl_ms * 1_000_000),
        order: 77,
        market: 3,
        count_centi: 600,
        price_e4: 5_200,
        ..Order::zeroed()
    };
    let taken = Taken {
        sequence: 9,
        sent_ns: 0,
        popped_ns: 0,
        order,
        maybe_sent,
    };
    if let Some(Body::UserOrder(frame)) = told.map(|text| parse(text).expect("reads").body) {
        placing.desk.expect(&client_order_id("00ff", 77));
        placing.desk.on_user_order(&frame);
    }
    let done = placing.place(taken).await;
    assert_eq!(done.sequence, 9);
    (done, script, tally)
}

fn posts(script: &Shared) -> Vec<Value> {
    script.lock().expect("no panic before").posts.clone()
}

#[tokio::test]
async fn a_partial_fill_is_told_exactly_from_rest_when_the_channel_is_silent() {
    let script = Script {
        trades: [152, 48],
        ..Script::default()
    };
    let (done, script, tally) = place(script, 60_000, true).await;
    assert_eq!(done.ack.status(), Some(OrderStatus::PartlyFilled));
    assert_eq!((done.ack.filled_centi, done.ack.fee_micros), (200, 35_000));
    assert_eq!(done.ack.cost_micros, 200 * 5_200);
    let counts: Vec<u32> = done.fills.iter().map(|fill| fill.count_centi).collect();
    assert_eq!(
        counts,
        [152, 48],
        "the first read lagged, each trade is told once"
    );
    let expected = json!({
        "ticker": "A-B", "client_order_id": "arb-00ff-000000000000004d", "side": "bid",
        "count": "6.00", "price": "0.5200", "time_in_force": "immediate_or_cancel",
        "self_trade_prevention_type": "taker_at_cross", "exchange_index": 2, "order_group_id": "g-2"
    });
    assert_eq!(posts(&script), [expected]);
    let tally = tally.lock().expect("no panic before");
    assert_eq!(
        (
            tally.tick_to_order.len(),
            tally.fills_by_rest,
            tally.retries
        ),
        (1, 1, 0)
    );
}

/// The answer is lost, the same id is sent again, the venue knows it: looked up, booked once.
#[tokio::test]
async fn a_lost_answer_trades_once() {
    let replies = VecDeque::from([Reply::TakeAndFail]);
    let script = Script {
        replies,
        trades: [552, 48],
        ..Script::default()
    };
    let (done, script, tally) = place(script, 60_000, true).await;
    assert_eq!(done.ack.status(), Some(OrderStatus::Filled));
    assert_eq!(
        done.fills.iter().map(|fill| fill.count_centi).sum::<u32>(),
        600
    );
    let ids: Vec<Value> = posts(&script)
        .iter()
        .map(|post| post["client_order_id"].clone())
        .collect();
    assert_eq!(
        ids,
        ["arb-00ff-000000000000004d", "arb-00ff-000000000000004d"]
    );
    let tally = tally.lock().expect("no panic before");
    assert_eq!(
        (tally.retries, tally.look_ups),
        (1, 2),
        "the first look-up lagged"
    );
}

#[tokio::test]
async fn limits_and_failures_are_retried_while_the_order_is_alive() {
    let replies = VecDeque::from([Reply::Limit, Reply::Fail, Reply::Limit]);
    let (done, script, tally) = place(
        Script {
            replies,
            ..Script::default()
        },
        60_000,
        true,
    )
    .await;
    assert_eq!(done.ack.status(), Some(OrderStatus::Unfilled));
    assert_eq!((done.fills.len(), posts(&script).len()), (0, 4));
    let tally = tally.lock().expect("no panic before");
    assert_eq!(tally.rate_limited, 2);
    // One order, one answer, however often it was posted; what the venue did not answer to is none.
    let answered = (tally.tick_to_answer.len(), tally.order_to_answer.len());
    assert_eq!(answered, (1, 1));
    assert!(tally.tick_to_answer.min() >= tally.tick_to_order.min());
}

#[tokio::test]
async fn a_market_that_is_never_discovered_ends_the_order_unsent() {
    let (done, script, _) = place(Script::default(), 5, false).await;
    assert_eq!(done.ack.reason(), Some(RejectReason::UnknownMarket));
    assert!(posts(&script).is_empty());
}

/// VENUE 8.9: nothing stopped a late order.
#[tokio::test]
async fn limit_expiry_at_send_lets_pass() {
    let (done, script, _) = place(Script::default(), 60_000, true).await;
    assert_ne!(done.ack.status(), Some(OrderStatus::Expired));
    assert_eq!(posts(&script).len(), 1, "alive when it was written");
}

#[tokio::test]
async fn limit_expiry_at_send_trips() {
    let (done, script, _) = place(Script::default(), 0, true).await;
    assert_eq!(done.ack.status(), Some(OrderStatus::Expired));
    assert!(posts(&script).is_empty());
}

/// The predecessor sent it, traded and died: nothing is sent again, and every trade is told.
#[tokio::test]
async fn what_a_dead_predecessor_sent_is_found_and_not_sent_again() {
    let script = Script {
        placed: true,
        trades: [552, 48],
        ..Script::default()
    };
    let (done, script, _) = place_again(script, 0, true, true).await;
    assert_eq!(done.ack.status(), Some(OrderStatus::Filled));
    assert_eq!((done.ack.filled_centi, done.fills.len()), (600, 2));
    assert!(posts(&script).is_empty());
}

#[tokio::test]
async fn what_a_dead_predecessor_never_sent_is_sent_only_if_alive() {
    let late = place_again(Script::default(), 0, true, true);
    let alive = place_again(Script::default(), 60_000, true, true);
    let ((late, unsent, _), (alive, sent, _)) = tokio::join!(late, alive);
    assert_eq!(late.ack.status(), Some(OrderStatus::Expired));
    assert!(posts(&unsent).is_empty());
    assert_eq!(alive.ack.status(), Some(OrderStatus::Unfilled));
    assert_eq!(posts(&sent).len(), 1);
}

/// Redis has forgotten the market, or has not been read yet: that holds up nobody.
#[tokio::test]
async fn what_a_dead_predecessor_sent_is_found_without_its_market() {
    let script = Script {
        placed: true,
        trades: [552, 48],
        ..Script::default()
    };
    let found = place_again(script, 60_000, false, true);
    let absent = place_again(Script::default(), 0, false, true);
    let ((found, _, _), (absent, unsent, _)) = tokio::join!(found, absent);
    assert_eq!(found.ack.status(), Some(OrderStatus::Filled));
    assert_eq!(absent.ack.status(), Some(OrderStatus::Expired));
    assert!(posts(&unsent).is_empty());
}

/// The answer is lost, and what it would have said was told by the channel: nothing is asked for.
#[tokio::test]
async fn an_end_that_the_channel_has_told_spares_the_look_up() {
    let script = Script {
        replies: VecDeque::from([Reply::TakeAndFail]),
        trades: [552, 48],
        told: Some(
            r#"{"type":"user_order","sid":2,"msg":{"order_id":"venue-1","client_order_id":"arb-00ff-000000000000004d","ticker":"A-B","status":"executed","fill_count_fp":"6.00","remaining_count_fp":"0.00"}}"#,
        ),
        ..Script::default()
    };
    let (done, script, tally) = place(script, 60_000, true).await;
    assert_eq!(done.ack.status(), Some(OrderStatus::Filled));
    assert_eq!((done.ack.filled_centi, done.fills.len()), (600, 2));
    assert_eq!(script.lock().expect("no panic before").order_reads, 0);
    assert_eq!(tally.lock().expect("no panic before").look_ups, 0);
}

/// An order of ours must not rest: it is cancelled, again if need be, and what became of it is looked up.
#[tokio::test]
async fn what_rests_is_cancelled_until_it_is_done() {
    let script = || Script {
        trades: [152, 48],
        rests: true,
        ..Script::default()
    };
    // Told by the answer, and by a look-up where the answer is lost.
    let lost = Script {
        replies: VecDeque::from([Reply::TakeAndFail]),
        ..script()
    };
    for script in [script(), lost] {
        let (done, script, tally) = place(script, 60_000, true).await;
        assert_eq!(done.ack.status(), Some(OrderStatus::PartlyFilled));
        assert_eq!(done.ack.filled_centi, 200);
        let script = script.lock().expect("no panic before");
        assert_eq!(script.cancels, ["venue-1", "venue-1"]);
        assert_eq!(tally.lock().expect("no panic before").taken_back, 2);
    }
}

#[tokio::test]
async fn limit_halt_at_send_lets_pass() {
    let (done, script, _) = place(Script::default(), 60_000, true).await;
    assert_ne!(done.ack.status(), Some(OrderStatus::Expired));
    assert_eq!(posts(&script).len(), 1);
}

#[test]
fn a_gate_without_a_word_is_shut() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("control.board");
    let options = ipc::BoardOptions::default();
    ipc::create_board::<layouts::Control>(&path, options).expect("a board");
    assert!(Gate::open(&path).expect("opens").is_shut());
}

#[tokio::test]
async fn limit_halt_at_send_trips() {
    let halted = || Script {
        halted: true,
        ..Script::default()
    };
    let (done, script, _) = place(halted(), 60_000, true).await;
    assert_eq!(done.ack.status(), Some(OrderStatus::Expired));
    assert_eq!(posts(&script), [] as [Value; 0]);
    // What may be there is looked for, and not sent again where it is not.
    let (done, script, tally) = place_again(halted(), 60_000, true, true).await;
    assert_eq!(done.ack.status(), Some(OrderStatus::Expired));
    assert_eq!(posts(&script), [] as [Value; 0]);
    assert!(tally.lock().expect("no panic before").look_ups > 0);
}
