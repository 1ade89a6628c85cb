//! What the recorded session met: its markets, as they stood, and its account; and the changes of a book that it saw.

use super::laws::order;
use crate::sim::catalogue::NewEvent;
use crate::sim::exchange::{CLIENT, Exchange};
use crate::sim::game::League;
use crate::sim::ledger::MarketNumber;
use crate::sim::records::{NewOrder, Reason, TimeInForce};
use crate::sim::times::now_us;
use layouts::Side;
use layouts::units::{parse_centi, parse_price_e4};
use serde_json::Value;
use std::path::Path;

/// A file of JSON, null where there is none.
pub(super) fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

fn list(exchange: &mut Exchange, ticker: &str, codes: [&str; 2]) -> [MarketNumber; 2] {
    let event = NewEvent {
        ticker: ticker.to_string(),
        series: League::Nfl.series(),
        fees: None,
        start_us: now_us(),
        teams: codes.map(|code| (code.to_string(), code.to_string())),
    };
    exchange.list(event, now_us())
}

fn place(exchange: &mut Exchange, market: MarketNumber, side: Side, price_e4: u16, centi: u32) {
    let them = exchange.open_account();
    let new = order(them, side, price_e4, centi, TimeInForce::GoodTillCanceled);
    exchange
        .create(NewOrder { market, ..new }, now_us())
        .expect("taken");
}

/// The markets that the session met: the one it traded, as it stood, one with a tape, settled and
/// closed ones; and the account, which had traded a little before.
pub(super) fn prepare(exchange: &mut Exchange, folder: &Path) {
    exchange.deposit(0, 100_000_000);
    let event = "KXWTACHALLENGERMATCH-26JUN11JIMLEP";
    let [traded, _] = list(exchange, event, ["LEP", "JIM"]);
    before_the_session(exchange, traded, folder);
    place(exchange, traded, Side::Bid, 4_700, 300);
    place(exchange, traded, Side::Ask, 5_200, 300);
    let [taped, _] = list(exchange, "KXPGATOUR-USO26", ["JDAY", "ELSE"]);
    let tape = json(&folder.join("trades__public_recorded.json"));
    let trades = tape["trades"].as_array().expect("a tape");
    // The newest is listed first; one more, the oldest, is on the next page.
    for trade in trades.last().into_iter().chain(trades.iter().rev()) {
        let price = price_e4(&trade["yes_price_dollars"]);
        let taker = side(&trade["taker_outcome_side"]);
        let maker = if taker == Side::Bid {
            Side::Ask
        } else {
            Side::Bid
        };
        let count = centi(&trade["count_fp"]).unsigned_abs();
        place(exchange, taped, maker, price, count);
        place(exchange, taped, taker, price, count);
    }
    for number in 0..6 {
        for market in list(exchange, &format!("KXOVER-{number}"), ["A", "B"]) {
            exchange.close(market, now_us());
            exchange.determine(market, 10_000, now_us());
            if number < 3 {
                exchange.settle(market, now_us());
            }
        }
    }
}

/// Places and cancels what the account's list shows of the time before the session.
fn before_the_session(exchange: &mut Exchange, market: MarketNumber, folder: &Path) {
    let orders = json(&folder.join("portfolio__orders_list.json"));
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or("").to_string();
    let mut steps = Vec::new();
    // The two newest are those of the session.
    for row in orders["orders"].as_array().into_iter().flatten().skip(2) {
        let (created, updated) = (text(row, "created_time"), text(row, "last_update_time"));
        let rested = created != updated;
        if rested {
            steps.push((updated, row, None));
        }
        steps.push((created, row, Some(rested)));
    }
    steps.sort_by(|one, other| one.0.cmp(&other.0));
    for (_, row, what) in steps {
        let name = text(row, "client_order_id");
        let Some(rests) = what else {
            let mut resting = exchange.client_orders(i64::MAX);
            let found = resting.find(|order| order.new.client_order_id.as_ref() == Some(&name));
            let number = found.expect("placed").number;
            drop(resting);
            exchange
                .cancel(number, Reason::Cancel, now_us())
                .expect("it rested");
            continue;
        };
        let (price, count) = (
            price_e4(&row["yes_price_dollars"]),
            centi(&row["initial_count_fp"]),
        );
        if row["status"] == "executed" {
            place(exchange, market, Side::Ask, price, count.unsigned_abs());
        }
        let force = if rests {
            TimeInForce::GoodTillCanceled
        } else {
            TimeInForce::ImmediateOrCancel
        };
        let new = NewOrder {
            market,
            client_order_id: Some(name),
            ..order(
                CLIENT,
                side(&row["outcome_side"]),
                price,
                count.unsigned_abs(),
                force,
            )
        };
        exchange.create(new, now_us()).expect("taken");
    }
}

fn price_e4(value: &Value) -> u16 {
    parse_price_e4(value.as_str().unwrap_or("")).expect("a price")
}

fn centi(value: &Value) -> i32 {
    let count = parse_centi(value.as_str().unwrap_or("")).expect("a count");
    i32::try_from(count).expect("a small count")
}

fn side(outcome: &Value) -> Side {
    if outcome == "yes" {
        Side::Bid
    } else {
        Side::Ask
    }
}

/// Somebody takes an offer away or makes one, as a recorded change tells.
pub(super) fn change(exchange: &mut Exchange, told: &Value, in_yes: bool) {
    let market = exchange
        .market_number(told["market_ticker"].as_str().unwrap_or(""))
        .expect("listed");
    let side = side(&told["side"]);
    let price = price_e4(&told["price_dollars"]);
    let price = if side == Side::Bid || in_yes {
        price
    } else {
        10_000 - price
    };
    let delta = told["delta_fp"].as_str().unwrap_or("");
    let count = centi(&Value::from(delta.trim_start_matches('-'))).unsigned_abs();
    if !delta.starts_with('-') {
        return place(exchange, market, side, price, count);
    }
    let book = &exchange.markets()[market].book;
    let mut theirs = (1..64).flat_map(|account| book.resting_of(account, side));
    let found = theirs.find(|(_, at, left)| (*at, *left) == (price, count));
    let number = found.expect("the level is there as it was").0;
    drop(theirs);
    exchange
        .cancel(number, Reason::Cancel, now_us())
        .expect("it rested");
}
