//! Money: what trades are charged, what orders must be able to pay, and on which shard.

use super::laws::{START, order};
use super::outside::{Outside, next_json};
use crate::sim::catalogue::{Fees, NewEvent};
use crate::sim::exchange::{CLIENT, Exchange};
use crate::sim::game::League;
use crate::sim::records::{NewOrder, OrderState, Reason, Refusal, TimeInForce};
use crate::sim::times::now_us;
use futures_util::SinkExt as _;
use layouts::Side;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use TimeInForce::{GoodTillCanceled, ImmediateOrCancel};

const US: u32 = CLIENT;
const THEM: u32 = 1;

/// An exchange with one event of a league, and another trader.
fn exchange(league: League, fees: Option<Fees>) -> Exchange {
    let mut exchange = Exchange::new("money");
    let event = NewEvent {
        ticker: "KXEVENT-26NOV22ONETWO".into(),
        series: league.series(),
        fees,
        start_us: 0,
        teams: ["TWO", "ONE"].map(|code| (code.to_string(), code.to_string())),
    };
    exchange.list(event, 0);
    exchange.open_account();
    exchange
}

/// What taker and maker pay for 100 contracts at a price.
fn charged(league: League, fees: Option<Fees>, price_e4: u16) -> (i64, i64) {
    let mut exchange = exchange(league, fees);
    exchange.endow(START);
    let rests = order(THEM, Side::Ask, price_e4, 10_000, GoodTillCanceled);
    exchange.create(rests, 1).expect("maker");
    let takes = order(US, Side::Bid, price_e4, 10_000, ImmediateOrCancel);
    let taken = exchange.create(takes, 2).expect("taker");
    let makers = exchange.accounts()[1].holdings();
    let maker = makers.map(|(_, holding)| holding.fees_micros).sum();
    (taken.taker_fee_micros, maker)
}

#[test]
fn a_multiplier_counts_before_the_fee_is_rounded_up() {
    // 100 x 0.25 x 0.07 is 1.75 dollars, a quarter of it for the maker.
    assert_eq!(charged(League::Nfl, None, 5_000), (1_750_000, 437_500));
    // Half of it: 0.21875 is rounded up to 0.2188. A maker's rate of 0.0088 would make it 0.22.
    assert_eq!(charged(League::Mlb, None, 5_000), (875_000, 218_800));
    // An event may say otherwise than its series.
    let half = Fees {
        of_makers: true,
        multiplier_tenths: 5,
    };
    assert_eq!(charged(League::Nfl, Some(half), 5_000), (875_000, 218_800));
    let takers_only = Fees {
        of_makers: false,
        multiplier_tenths: 20,
    };
    assert_eq!(
        charged(League::Nfl, Some(takers_only), 5_000),
        (3_500_000, 0)
    );
}

#[test]
fn money_is_spread_over_the_shards_in_use() {
    let balances = |exchange: &Exchange| -> Vec<(u32, i64)> {
        exchange.client().expect("client").balances().collect()
    };
    let mut one = exchange(League::Mlb, None);
    one.endow(1_000_001);
    assert_eq!(balances(&one), [(3, 1_000_001)]);
    let mut two = exchange(League::Mlb, None);
    let event = NewEvent {
        ticker: "KXNFLGAME-26NOV22WASDAL".into(),
        series: League::Nfl.series(),
        fees: None,
        start_us: 0,
        teams: ["DAL", "WAS"].map(|code| (code.to_string(), code.to_string())),
    };
    two.list(event, 0);
    two.endow(1_000_001);
    assert_eq!(balances(&two), [(0, 500_001), (3, 500_000)]);
}

#[test]
fn a_reduce_only_order_is_cut_before_it_must_be_paid_for() {
    let mut exchange = exchange(League::Nfl, None);
    exchange.endow(10_000_000);
    let reduce = |side, price_e4, count_centi| NewOrder {
        reduce_only: true,
        ..order(US, side, price_e4, count_centi, ImmediateOrCancel)
    };
    let nothing = exchange
        .create(reduce(Side::Ask, 4_000, 1_000_000), 1)
        .expect("created");
    assert_eq!(
        (nothing.state, nothing.reason, nothing.filled_centi),
        (OrderState::Canceled, Reason::ReduceOnlyCancel, 0)
    );
    for (side, price_e4) in [(Side::Ask, 5_000), (Side::Bid, 4_000)] {
        let rests = order(THEM, side, price_e4, 100_000, GoodTillCanceled);
        exchange.create(rests, 2).expect("theirs");
    }
    let bought = order(US, Side::Bid, 5_000, 1_000, ImmediateOrCancel);
    exchange.create(bought, 3).expect("bought");
    // To sell 10,000 contracts short would take more money than there is.
    let naked = order(US, Side::Ask, 4_000, 1_000_000, ImmediateOrCancel);
    assert_eq!(
        exchange.create(naked, 4).err(),
        Some(Refusal::InsufficientBalance)
    );
    let sold = exchange
        .create(reduce(Side::Ask, 4_000, 1_000_000), 5)
        .expect("cut to what is held");
    assert_eq!(
        (sold.state, sold.filled_centi),
        (OrderState::Executed, 1_000)
    );
    let client = exchange.client().expect("client");
    assert_eq!(client.position_centi(0), 0);
}

#[tokio::test]
async fn money_of_one_shard_pays_for_nothing_on_another() {
    let funded = |exchange: &mut Exchange| {
        exchange.deposit(0, START);
        exchange.deposit(3, 0);
    };
    let outside = Outside::open_with(6, false, funded).await;
    let (_, balance) = outside.call("GET", "/portfolio/balance", None).await;
    assert_eq!(
        (&balance["balance_dollars"], &balance["balance_breakdown"]),
        (
            &json!("1000.0000"),
            &json!([{"exchange_index": 0, "balance": "1000.0000"}, {"exchange_index": 3, "balance": "0.0000"}])
        )
    );
    let tickers = outside.tickers().await;
    let named = |start: &str| {
        let found = tickers.iter().find(|ticker| ticker.starts_with(start));
        found.expect("a game").clone()
    };
    let bid = |ticker: &str, id: &str| {
        Outside::order(ticker, id, "bid", "0.0100", "1.00", "good_till_canceled")
    };
    let (status, refused) = outside.place(&bid(&named("KXMLBGAME"), "a")).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (400, &json!("insufficient_balance"))
    );
    let (status, placed) = outside.place(&bid(&named("KXNFLGAME"), "b")).await;
    assert_eq!(status, 201, "{placed}");
    let sum = |balance: &Value| -> i64 {
        let rows = balance["balance_breakdown"]
            .as_array()
            .into_iter()
            .flatten();
        rows.map(|row| dollars_e4(&row["balance"])).sum()
    };
    outside
        .shared
        .hub
        .with(|exchange| exchange.deposit(3, 765_432_100));
    let bid = Outside::order(
        &named("KXMLBGAME"),
        "c",
        "bid",
        "0.9900",
        "3.00",
        "immediate_or_cancel",
    );
    assert_eq!(outside.place(&bid).await.1["fill_count"], "3.00");
    let (_, balance) = outside.call("GET", "/portfolio/balance", None).await;
    assert_eq!(
        sum(&balance),
        dollars_e4(&balance["balance_dollars"]),
        "{balance}"
    );
    assert_eq!(balance["balance_breakdown"][0]["balance"], "1000.0000");
}

fn dollars_e4(text: &Value) -> i64 {
    layouts::units::parse_decimal(text.as_str().unwrap_or(""), 4).expect("dollars")
}

#[tokio::test]
async fn events_list_the_fees_that_are_not_their_series_own() {
    let outside = Outside::open(6, false).await;
    let (_, body) = outside.call("GET", "/events", None).await;
    let overrides = |key: &str| -> Vec<(Value, Value)> {
        let events = body["events"].as_array().into_iter().flatten();
        events
            .filter(|event| event.get(key).is_some())
            .map(|event| (event["series_ticker"].clone(), event[key].clone()))
            .collect()
    };
    assert_eq!(
        overrides("fee_multiplier_override"),
        [(json!("KXNCAAMBGAME"), json!(0.5))]
    );
    assert_eq!(
        overrides("fee_type_override"),
        [(json!("KXNCAAFGAME"), json!("quadratic"))]
    );
}

/// As recorded of a closed position: five YES and five NO for 4.95 in all, of which nothing is left.
#[tokio::test]
async fn an_events_cost_and_shares_only_grow() {
    let outside = Outside::open(1, false).await;
    let mut prices = Vec::new();
    for (id, side, price) in [("a", "bid", "0.9900"), ("b", "ask", "0.0100")] {
        let ticker = outside.tickers().await.remove(0);
        let order = Outside::order(&ticker, id, side, price, "5.00", "immediate_or_cancel");
        let (_, made) = outside.place(&order).await;
        assert_eq!(made["fill_count"], "5.00", "{made}");
        prices.push(dollars_e4(&made["average_fill_price"]));
    }
    let (_, body) = outside.call("GET", "/portfolio/positions", None).await;
    let event = &body["event_positions"][0];
    let cost = 5 * (prices[0] + 10_000 - prices[1]);
    assert_eq!(
        dollars_e4(
            &event["total_cost_dollars"]
                .as_str()
                .map(|text| text[..text.len() - 2].into())
                .unwrap_or_default()
        ),
        cost
    );
    assert_eq!(
        (
            &event["total_cost_shares_fp"],
            &event["event_exposure_dollars"]
        ),
        (&json!("10.00"), &json!("0.000000"))
    );
    assert_eq!(
        body["market_positions"][0]["total_traded_dollars"],
        event["total_cost_dollars"]
    );
}

/// A client that reads the deprecated `side` of a fill must notice here, not there.
#[tokio::test]
async fn the_side_of_a_makers_fill_is_the_aggressors_as_at_the_venue() {
    let outside = Outside::open(1, false).await;
    let ticker = outside.tickers().await.remove(0);
    let mut socket = outside.connect().await;
    let command = r#"{"id":1,"cmd":"subscribe","params":{"channels":["fill"]}}"#;
    socket.send(Message::text(command)).await.expect("send");
    assert_eq!(next_json(&mut socket).await["type"], "subscribed");
    let taker = Outside::order(&ticker, "t", "bid", "0.9900", "1.00", "immediate_or_cancel");
    assert_eq!(outside.place(&taker).await.1["fill_count"], "1.00");
    let told = next_json(&mut socket).await;
    assert_eq!(
        (&told["msg"]["side"], &told["msg"]["outcome_side"]),
        (&json!("yes"), &json!("yes"))
    );
    // Ours is the best bid there can be, and somebody sells to it.
    outside.shared.hub.with(|exchange| {
        let them = exchange.open_account();
        let take = order(them, Side::Bid, 9_900, 1_000_000, ImmediateOrCancel);
        exchange.create(take, now_us()).expect("all offers taken");
    });
    let maker = Outside::order(&ticker, "m", "bid", "0.9900", "1.00", "good_till_canceled");
    assert_eq!(outside.place(&maker).await.1["remaining_count"], "1.00");
    outside.shared.hub.with(|exchange| {
        let sell = order(THEM, Side::Ask, 9_900, 100, ImmediateOrCancel);
        exchange.create(sell, now_us()).expect("sold to us");
    });
    let told = next_json(&mut socket).await;
    let (_, listed) = outside.call("GET", "/portfolio/fills?limit=1", None).await;
    for fill in [&told["msg"], &listed["fills"][0]] {
        assert_eq!(
            (
                &fill["is_taker"],
                &fill["side"],
                &fill["outcome_side"],
                &fill["book_side"]
            ),
            (&json!(false), &json!("no"), &json!("yes"), &json!("bid")),
            "{fill}"
        );
    }
    assert_eq!(told["msg"]["purchased_side"], "yes");
}
