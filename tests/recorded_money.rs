//! Fees, positions and balances against real fills: what the venue charged and showed in recorded answers is what
//! our formulas make of the same fills, to the micro-dollar. What a recording does not hold is said in what is
//! printed.

use bytemuck::Zeroable as _;
use layouts::{
    Fill, Side,
    units::{cost_micros, fee_micros, format_decimal, parse_centi, parse_decimal, parse_price_e4},
};
use processes::venue::{
    kalshi_frames::{Body, parse},
    kalshi_wire::{BalanceRecord, FillRecord, PositionRecord},
};
use serde_json::Value;
use stages::positions::PositionBook;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};
use tests::recorded::recorded;

/// The venue's 0.07 with multiplier one, which held for all markets of the recordings.
const RATE_E4: u16 = 700;
const DOLLAR: i64 = 1_000_000;

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// An answer of the session of June 2026, and when it came, Unix milliseconds; `None` where there is no recording.
fn answer(name: &str) -> Option<(Value, u64)> {
    let of = |kind: &str| recorded(&format!("kalshi_rest/fortuna_demo_2026-06-11/{name}{kind}"));
    let (body, meta) = (of(".json")?, json(&of(".meta.json")?));
    Some((json(&body), meta["recorded_at_epoch_ms"].as_u64().unwrap()))
}

fn micros(value: &Value) -> i64 {
    parse_decimal(value.as_str().expect("a decimal"), 6).expect("dollars")
}

/// The fill as we would have booked it.
fn booked(market: u32, fill: &FillRecord) -> Fill {
    Fill {
        trade: fill.trade_id,
        market,
        count_centi: fill.count_centi,
        fee_micros: u32::try_from(fill.fee_micros).unwrap(),
        price_e4: fill.price_e4,
        side: fill.side as u8,
        is_taker: u8::from(fill.is_taker),
        ..Fill::zeroed()
    }
}

fn fills_of(answer: &Value) -> Vec<FillRecord> {
    let fills = answer["fills"].as_array().unwrap().iter();
    fills
        .map(|fill| serde_json::from_value(fill.clone()).unwrap())
        .collect()
}

/// One book over all fills; markets are numbered by ticker.
fn book_of(fills: &[FillRecord]) -> (PositionBook, BTreeMap<&str, u32>) {
    let tickers: BTreeSet<&str> = fills.iter().map(|fill| fill.ticker.as_str()).collect();
    let numbers: BTreeMap<&str, u32> = tickers.into_iter().zip(1..).collect();
    let mut book = PositionBook::default();
    for fill in fills {
        book.fill(&booked(numbers[fill.ticker.as_str()], fill));
    }
    (book, numbers)
}

fn assert_fee(what: &str, price_e4: u16, count_centi: u32, charged: i64) {
    let ours = fee_micros(RATE_E4, price_e4, count_centi);
    assert_eq!(ours, charged, "{what}: {count_centi} at {price_e4}");
}

#[test]
fn every_recorded_fee_is_the_one_that_we_compute() {
    let Some((answered, _)) = answer("fills__after_taker") else {
        return;
    };
    let Some(frames) = recorded("kalshi_ws/jfreun123_demo_session_2026-07-01.raw.jsonl") else {
        return;
    };
    let mut checked = 0;
    for fill in fills_of(&answered) {
        assert!(fill.is_taker, "the formula is the taker's: {fill:?}");
        assert_fee("REST", fill.price_e4, fill.count_centi, fill.fee_micros);
        checked += 1;
    }
    for line in fs::read_to_string(frames).unwrap().lines() {
        if let Some(Body::Fill(fill)) = parse(line).ok().map(|frame| frame.body) {
            assert_fee(
                "WebSocket",
                fill.price_e4,
                fill.count_centi,
                fill.fee_micros,
            );
            checked += 1;
        }
    }
    // What the venue answered to the orders themselves: average price and average fee of a contract.
    for name in ["orders__create_v2_taker_ioc", "orders__settlement_seed"] {
        let (order, _) = answer(name).expect("as the fills");
        let text = |field: &str| order[field].as_str().unwrap();
        let count = u32::try_from(parse_centi(text("fill_count")).unwrap()).unwrap();
        let price = parse_price_e4(text("average_fill_price")).unwrap();
        let fee = micros(&order["average_fee_paid"]) * i64::from(count) / 100;
        assert_fee(name, price, count, fee);
        checked += 1;
    }
    println!(
        "fees: {checked} of {checked} recorded fills and orders equal to the micro-dollar; none is a maker's"
    );
    assert_eq!(checked, 7);
}

/// Until 2025 the venue charged whole cents: the same product, rounded up further.
#[test]
fn a_fill_under_the_rule_of_2025_differs_by_its_rounding_alone() {
    let Some(fills) = recorded("kalshi_rest/precog_kalshi_get_fills.json") else {
        return;
    };
    let positions = recorded("kalshi_rest/precog_kalshi_get_positions.json").expect("as the fills");
    let fill = json(&fills)[0]["response_body"]["fills"][0].clone();
    let held = json(&positions)[0]["response_body"]["market_positions"][0].clone();
    let count = u32::try_from(fill["count"].as_i64().unwrap() * 100).unwrap();
    let price = parse_price_e4(fill["yes_price_fixed"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&fill["action"], &fill["side"]),
        (&"buy".into(), &"no".into())
    );
    let ours = fee_micros(RATE_E4, price, count);
    let charged = micros(&held["fees_paid_dollars"]);
    let whole_cents = (ours + 9_999) / 10_000 * 10_000;
    assert_eq!(whole_cents, charged, "to the next cent");
    let mut book = PositionBook::default();
    book.fill(&Fill {
        market: 1,
        count_centi: count,
        price_e4: price,
        side: Side::Ask as u8,
        fee_micros: u32::try_from(charged).unwrap(),
        ..Fill::zeroed()
    });
    let position = book.market(1).unwrap();
    assert_eq!(
        position.position_centi,
        held["position"].as_i64().unwrap() * 100
    );
    // What NO cost is the dollar that is held against each contract, less what its sale brought.
    let exposure = position.collateral_micros() + position.open_cost_micros;
    assert_eq!(exposure, micros(&held["market_exposure_dollars"]));
    assert_eq!(exposure, micros(&held["total_traded_dollars"]));
    println!(
        "fees of 2025: {} by today's rule, {} charged by that of whole cents; position and cost equal",
        format_decimal(ours, 6),
        format_decimal(charged, 6)
    );
}

#[test]
fn recorded_positions_follow_from_the_recorded_fills() {
    let Some((answered, fills_ms)) = answer("fills__after_taker") else {
        return;
    };
    let (positions, positions_ms) = answer("portfolio__positions").expect("as the fills");
    assert!(positions_ms >= fills_ms, "shown after the fills");
    let fills = fills_of(&answered);
    let (book, numbers) = book_of(&fills);
    let shown = positions["market_positions"].as_array().unwrap();
    assert_eq!(shown.len(), numbers.len(), "no other market was traded");
    for record in shown {
        let theirs: PositionRecord = serde_json::from_value(record.clone()).unwrap();
        let ours = book.market(numbers[theirs.ticker.as_str()]).unwrap();
        assert_eq!(ours.position_centi, theirs.position_centi);
        assert_eq!(ours.fees_micros, theirs.fees_paid_micros);
        assert_eq!(
            ours.realised_micros,
            micros(&record["realized_pnl_dollars"])
        );
        assert_eq!(
            ours.open_cost_micros,
            micros(&record["market_exposure_dollars"])
        );
        let traded: i64 = fills
            .iter()
            .filter(|fill| fill.ticker == theirs.ticker)
            .map(|fill| cost_micros(fill.price_e4, fill.count_centi))
            .sum();
        assert_eq!(traded, micros(&record["total_traded_dollars"]));
    }
    println!(
        "positions: {} market of {} fills equal in contracts, cost, fees and result; none of the recorded positions was closed",
        shown.len(),
        fills.len()
    );
}

/// Two fills over the WebSocket, each with the position after it. Its REST answer is older than they are.
#[test]
fn each_recorded_fill_leaves_the_position_that_the_venue_told_with_it() {
    let Some(frames) = recorded("kalshi_ws/jfreun123_demo_session_2026-07-01.raw.jsonl") else {
        return;
    };
    let mut book = PositionBook::default();
    let mut told = 0;
    for line in fs::read_to_string(frames).unwrap().lines() {
        let Some(Body::Fill(fill)) = parse(line).ok().map(|frame| frame.body) else {
            continue;
        };
        book.fill(&Fill {
            trade: fill.trade_id,
            market: 1,
            count_centi: fill.count_centi,
            fee_micros: u32::try_from(fill.fee_micros).unwrap(),
            price_e4: fill.price_e4,
            side: fill.side as u8,
            ..Fill::zeroed()
        });
        let raw: Value = serde_json::from_str(line).unwrap();
        let after = raw["msg"]["post_position_fp"].as_str().unwrap();
        let held = book.market(1).unwrap().position_centi;
        assert_eq!(Some(held), parse_centi(after));
        told += 1;
    }
    println!(
        "positions after fills: {told} of {told} equal; that session's balance was not recorded"
    );
    assert_eq!(told, 2);
}

/// The account was opened for the session: its list of orders is whole. The deposit was not recorded, nor a balance
/// after the last fills; so the first balances must be a round sum and the flows of all fills before them.
#[test]
fn recorded_balances_are_the_deposit_and_the_flows_of_the_fills() {
    let Some((answered, _)) = answer("fills__after_taker") else {
        return;
    };
    let (orders, _) = answer("portfolio__orders_list").expect("as the fills");
    let of_orders = |field: &str| -> i64 {
        let orders = orders["orders"].as_array().unwrap().iter();
        orders.map(|order| micros(&order[field])).sum()
    };
    let fills = fills_of(&answered);
    let (book, _) = book_of(&fills);
    let (cost, fees) = (book.total().open_cost_micros, book.total().fees_micros);
    assert_eq!(cost, of_orders("taker_fill_cost_dollars"));
    assert_eq!(fees, of_orders("taker_fees_dollars"));

    let mut deposits = BTreeSet::new();
    let names = [
        "balance_ok",
        "balance_alt_host",
        "skew_minus5s",
        "skew_plus5s",
    ];
    for name in names {
        let (balance, at_ms) = answer(&format!("auth__{name}")).expect("as the fills");
        let theirs: BalanceRecord = serde_json::from_value(balance.clone()).unwrap();
        let raw = answered["fills"].as_array().unwrap().iter();
        let before: Vec<FillRecord> = raw
            .filter(|fill| fill["ts"].as_u64().unwrap() * 1_000 < at_ms)
            .map(|fill| serde_json::from_value(fill.clone()).unwrap())
            .collect();
        assert_eq!(before.len(), 2, "{name}");
        let (book, _) = book_of(&before);
        let flows = book.total().cash_micros - book.collateral_micros();
        deposits.insert(theirs.balance_micros - flows);
        // What is held counts at its price, in whole cents.
        let held = book.total().open_cost_micros / 10_000;
        assert_eq!(balance["portfolio_value"].as_i64(), Some(held));
    }
    assert_eq!(deposits, BTreeSet::from([100 * DOLLAR]));
    println!(
        "balances: {} recorded ones are $100.00 and the flows of the 2 fills before them, exactly; none was recorded after the 2 later ones",
        names.len()
    );
}
