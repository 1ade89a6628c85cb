//! The frames of the channels, as the venue writes them.

use super::Subscription;
use crate::sim::catalogue::Life;
use crate::sim::exchange::Exchange;
use crate::sim::ledger::MarketNumber;
use crate::sim::records::{Happening, Trade};
use crate::sim::times::{SECOND_US, rfc3339};
use crate::sim::wire;
use layouts::Side;
use layouts::units::E4_PER_DOLLAR;
use serde_json::{Value, json};

pub(super) fn snapshot(
    sid: u64,
    seq: u64,
    use_yes_price: bool,
    market: MarketNumber,
    exchange: &Exchange,
) -> String {
    let Some(market) = exchange.markets().get(market) else {
        return String::new();
    };
    let (yes, no) = wire::levels(market, use_yes_price);
    let mut sides = String::new();
    for (key, levels) in [("yes_dollars_fp", yes), ("no_dollars_fp", no)] {
        // The key of a side without bids is absent, not an empty list.
        if !levels.is_empty() {
            sides.push_str(&format!(r#","{key}":{}"#, Value::Array(levels)));
        }
    }
    format!(
        r#"{{"type":"orderbook_snapshot","sid":{sid},"seq":{seq},"msg":{{"market_ticker":"{}","market_id":"{}"{sides}}}}}"#,
        market.ticker, market.id
    )
}

pub(super) fn ticker(sid: u64, number: MarketNumber, at_us: i64, exchange: &Exchange) -> String {
    let Some(market) = exchange.markets().get(number) else {
        return String::new();
    };
    let at_us = if at_us == 0 { market.updated_us } else { at_us };
    let (bid, ask) = (market.book.best(Side::Bid), market.book.best(Side::Ask));
    json!({"type": "ticker", "sid": sid, "msg": {
        "market_ticker": market.ticker, "market_id": market.id, "price_dollars": wire::price(market.last_price_e4),
        "yes_bid_dollars": wire::price(bid.map_or(0, |(price, _)| price)),
        "yes_ask_dollars": wire::price(ask.map_or(E4_PER_DOLLAR, |(price, _)| price)),
        "yes_bid_size_fp": wire::count(bid.map_or(0, |(_, centi)| centi)),
        "yes_ask_size_fp": wire::count(ask.map_or(0, |(_, centi)| centi)),
        "last_trade_size_fp": wire::count(market.last_count_centi), "volume_fp": wire::count(market.volume_centi),
        "open_interest_fp": wire::count(market.open_interest_centi),
        "dollar_volume": market.dollar_volume_micros / 1_000_000,
        "dollar_open_interest": market.open_interest_centi / 100,
        "ts": at_us / SECOND_US, "ts_ms": at_us / 1_000, "time": rfc3339(at_us),
    }}).to_string()
}

pub(super) fn frame(
    sid: u64,
    one: &mut Subscription,
    happening: &Happening,
    exchange: &Exchange,
) -> Option<String> {
    let ticker_of = |market: MarketNumber| exchange.markets().get(market);
    Some(match happening {
        Happening::Delta { market, side, price_e4, delta_centi, client_order_id, at_us } => {
            let market = ticker_of(*market)?;
            let own = *side == Side::Bid || one.use_yes_price;
            let price = wire::price(if own { *price_e4 } else { E4_PER_DOLLAR - *price_e4 });
            let ours = client_order_id.as_ref().map(|id| format!(r#","client_order_id":{},"subaccount":0"#, json!(id))).unwrap_or_default();
            format!(
                r#"{{"type":"orderbook_delta","sid":{sid},"seq":{},"msg":{{"market_ticker":"{}","market_id":"{}","price_dollars":"{price}","delta_fp":"{}","side":"{}"{ours},"ts":"{}","ts_ms":{}}}}}"#,
                one.next(), market.ticker, market.id, wire::count(*delta_centi), wire::outcome(*side), rfc3339(*at_us), at_us / 1_000
            )
        }
        Happening::Trade(trade) => json!({"type": "trade", "sid": sid, "seq": one.next(), "msg": trade_message(trade, &ticker_of(trade.market)?.ticker)}).to_string(),
        Happening::Ticker { market, at_us } => ticker(sid, *market, *at_us, exchange),
        Happening::Fill(fill) => {
            let mut message = wire::fill(exchange, fill);
            let object = message.as_object_mut()?;
            for absent in ["fill_id", "ticker", "no_price_dollars", "created_time", "subaccount_number"] {
                object.remove(absent);
            }
            if let Some(id) = &fill.client_order_id {
                object.insert("client_order_id".into(), id.as_str().into());
            }
            object.insert("purchased_side".into(), wire::outcome(fill.side).into());
            object.insert("post_position_fp".into(), wire::count(fill.position_after_centi).into());
            object.insert("subaccount".into(), 0.into());
            object.insert("ts_ms".into(), (fill.trade.at_us / 1_000).into());
            json!({"type": "fill", "sid": sid, "msg": message}).to_string()
        }
        Happening::Order(order) => json!({"type": "user_order", "sid": sid, "msg": wire::user_order(exchange, order)}).to_string(),
        Happening::Position { market } => {
            let entry = ticker_of(*market)?;
            let (_, holding) = exchange.client()?.holdings().find(|(number, _)| number == market)?;
            json!({"type": "market_position", "sid": sid, "msg": {
                "user_id": "", "market_ticker": entry.ticker, "position_fp": wire::count(holding.position_centi),
                "position_cost_dollars": wire::money(holding.exposure_micros), "realized_pnl_dollars": wire::money(holding.realized_micros),
                "fees_paid_dollars": wire::money(holding.fees_micros), "position_fee_cost_dollars": wire::money(0),
                "volume_fp": wire::count(entry.volume_centi),
            }}).to_string()
        }
        Happening::Life { market, life, at_us } => lifecycle(sid, one, &ticker_of(*market)?.ticker, *life, *at_us),
    })
}

fn trade_message(trade: &Trade, ticker: &str) -> Value {
    json!({
        "trade_id": trade.id, "market_ticker": ticker, "yes_price_dollars": wire::price(trade.price_e4),
        "no_price_dollars": wire::price(E4_PER_DOLLAR - trade.price_e4), "count_fp": wire::count(trade.count_centi),
        "taker_side": wire::outcome(trade.taker), "taker_outcome_side": wire::outcome(trade.taker),
        "taker_book_side": trade.taker.as_str(), "is_block_trade": false,
        "ts": trade.at_us / SECOND_US, "ts_ms": trade.at_us / 1_000,
    })
}

/// Closing has no event of its own at the venue: the close date is moved to now.
fn lifecycle(sid: u64, one: &mut Subscription, ticker: &str, life: Life, at_us: i64) -> String {
    let seconds = at_us / SECOND_US;
    let message = match life {
        Life::Active => {
            json!({"event_type": "activated", "market_ticker": ticker, "is_deactivated": false})
        }
        Life::Inactive => {
            json!({"event_type": "deactivated", "market_ticker": ticker, "is_deactivated": true})
        }
        Life::Closed => {
            json!({"event_type": "close_date_updated", "market_ticker": ticker, "close_ts": seconds})
        }
        Life::Determined { value_e4, .. } => json!({
            "event_type": "determined", "market_ticker": ticker, "determination_ts": seconds,
            "result": life.result(), "settlement_value": wire::price(value_e4),
        }),
        Life::Finalized { .. } => {
            json!({"event_type": "settled", "market_ticker": ticker, "settled_ts": seconds})
        }
    };
    json!({"type": "market_lifecycle_v2", "sid": sid, "seq": one.next(), "msg": message})
        .to_string()
}
