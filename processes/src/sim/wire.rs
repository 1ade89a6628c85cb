//! The venue's objects as it writes them: money in dollar strings, counts in contract strings.

use super::catalogue::{Event, Fees, Life, Market, Series};
use super::exchange::Exchange;
use super::ledger::{Holding, settled_micros};
use super::records::{ClientFill, Order, OrderState, Reason, Settlement, Trade};
use super::times::{SECOND_US, rfc3339};
use layouts::Side;
use layouts::units::{E4_PER_DOLLAR, cost_micros, format_decimal};
use serde_json::{Map, Value, json};

/// The account's owner in every answer.
const USER: &str = "00000000-0000-0000-0000-000000000000";

/// A price in dollars, four decimals.
pub(crate) fn price(price_e4: u16) -> String {
    format_decimal(i64::from(price_e4), 4)
}

/// A count in contracts, two decimals.
pub(crate) fn count(centi: impl Into<i64>) -> String {
    format_decimal(centi.into(), 2)
}

/// Money in dollars, six decimals.
pub(crate) fn money(micros: i64) -> String {
    format_decimal(micros, 6)
}

/// `yes` for a bid, `no` for an ask.
pub(crate) const fn outcome(side: Side) -> &'static str {
    match side {
        Side::Bid => "yes",
        Side::Ask => "no",
    }
}

/// The fee multiplier as the JSON number that the venue writes: `1` or `0.5`.
fn multiplier(fees: Fees) -> Value {
    if fees.multiplier_tenths.is_multiple_of(10) {
        json!(fees.multiplier_tenths / 10)
    } else {
        json!(f64::from(fees.multiplier_tenths) / 10.0)
    }
}

/// A series.
pub(crate) fn series(series: &Series) -> Value {
    json!({
        "ticker": series.ticker, "title": series.title, "category": "Sports", "categories": ["Sports"], "frequency": "custom",
        "fee_type": series.fees.kind(), "fee_multiplier": multiplier(series.fees), "tags": [], "settlement_sources": [],
        "contract_url": "", "contract_terms_url": "", "additional_prohibitions": [],
        "product_metadata": {}, "volume_fp": "0.00",
    })
}

/// An event, with its markets when asked for.
pub(crate) fn event(exchange: &Exchange, event: &Event, nested: bool) -> Value {
    let mut object = json!({
        "event_ticker": event.ticker, "series_ticker": event.series.ticker, "title": event.title,
        "sub_title": event.sub_title, "mutually_exclusive": true, "collateral_return_type": "",
        "strike_period": "", "available_on_brokers": true, "product_metadata": {}, "settlement_sources": [],
        "exchange_index": event.series.exchange_index,
    });
    let usual = event.series.fees;
    if event.fees.of_makers != usual.of_makers {
        object["fee_type_override"] = event.fees.kind().into();
    }
    if event.fees.multiplier_tenths != usual.multiplier_tenths {
        object["fee_multiplier_override"] = multiplier(event.fees);
    }
    if nested {
        object["markets"] = event
            .markets
            .iter()
            .filter_map(|number| exchange.markets().get(*number))
            .map(|one| market(exchange, one))
            .collect();
    }
    object
}

/// When trading in a market ends: two weeks after the game, unless it has ended.
pub(crate) fn close_us(exchange: &Exchange, market: &Market) -> i64 {
    let event = exchange.events().get(market.event);
    match market.life {
        // Recorded games are played long after their dates.
        Life::Active | Life::Inactive => {
            let start_us = event.map_or(market.opened_us, |event| event.start_us);
            start_us.max(market.opened_us) + 14 * 86_400 * SECOND_US
        }
        _ => market.updated_us,
    }
}

/// A market.
pub(crate) fn market(exchange: &Exchange, market: &Market) -> Value {
    let event = exchange.events().get(market.event);
    let start_us = event.map_or(market.opened_us, |event| event.start_us);
    let (bid, ask) = (market.book.best(Side::Bid), market.book.best(Side::Ask));
    let (bid_price, ask_price) = (
        bid.map_or(0, |(price, _)| price),
        ask.map_or(E4_PER_DOLLAR, |(price, _)| price),
    );
    let end = rfc3339(start_us + 3 * 3_600 * SECOND_US);
    let close = rfc3339(close_us(exchange, market));
    let mut object = json!({
        "ticker": market.ticker, "event_ticker": event.map_or("", |event| &event.ticker), "market_type": "binary",
        "title": format!("{} winner?", event.map_or("", |event| &event.title)),
        "yes_sub_title": market.team, "no_sub_title": market.team,
        "created_time": rfc3339(market.opened_us), "updated_time": rfc3339(market.updated_us),
        "open_time": rfc3339(market.opened_us), "close_time": close, "expected_expiration_time": end,
        "expiration_time": rfc3339(start_us + 14 * 86_400 * SECOND_US),
        "latest_expiration_time": rfc3339(start_us + 14 * 86_400 * SECOND_US), "occurrence_datetime": end,
        "settlement_timer_seconds": 300, "status": market.life.as_str(), "result": market.life.result(),
        "can_close_early": true, "fractional_trading_enabled": true, "response_price_units": "usd_cent",
        "notional_value_dollars": "1.0000", "liquidity_dollars": "0.0000", "expiration_value": "",
        "settlement_bounds_type": "default",
        "early_close_condition": "This market will close and expire after a winner is declared.",
        "strike_type": "structured", "price_level_structure": "linear_cent",
        "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
        "rules_primary": format!("If {} wins the {} {} originally scheduled for {}, then the market resolves to Yes.",
            market.team, event.map_or("", |event| &event.title), market.series.game_word, rfc3339(start_us)),
        "rules_secondary": "", "exchange_index": market.series.exchange_index,
        "previous_price_dollars": "0.0000", "previous_yes_bid_dollars": "0.0000", "previous_yes_ask_dollars": "0.0000",
    });
    let moving = json!({
        "custom_strike": {market.series.strike_key: market.team_id},
        "yes_bid_dollars": price(bid_price), "yes_bid_size_fp": count(bid.map_or(0, |(_, centi)| centi)),
        "yes_ask_dollars": price(ask_price), "yes_ask_size_fp": count(ask.map_or(0, |(_, centi)| centi)),
        "no_bid_dollars": price(E4_PER_DOLLAR - ask_price), "no_ask_dollars": price(E4_PER_DOLLAR - bid_price),
        "last_price_dollars": price(market.last_price_e4), "volume_fp": count(market.volume_centi),
        "volume_24h_fp": count(market.volume_centi), "open_interest_fp": count(market.open_interest_centi),
    });
    extend(&mut object, moving);
    if let Some(value_e4) = market.life.value_e4() {
        object["settlement_value_dollars"] = price(value_e4).into();
    }
    if let Life::Finalized { at_us, .. } = market.life {
        object["settlement_ts"] = rfc3339(at_us).into();
    }
    object
}

fn extend(object: &mut Value, more: Value) {
    if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
}

/// The two bid lists of a market, each in its own prices, ascending: the best bid is last.
pub(crate) fn levels(market: &Market, use_yes_price: bool) -> (Vec<Value>, Vec<Value>) {
    let level = |price_e4: u16, centi: i64| json!([price(price_e4), count(centi)]);
    let yes = market
        .book
        .levels(Side::Bid)
        .map(|(at, centi)| level(at, centi))
        .collect();
    let no = if use_yes_price {
        market
            .book
            .levels(Side::Ask)
            .rev()
            .map(|(at, centi)| level(at, centi))
            .collect()
    } else {
        market
            .book
            .levels(Side::Ask)
            .rev()
            .map(|(at, centi)| level(E4_PER_DOLLAR - at, centi))
            .collect()
    };
    (yes, no)
}

/// The answer of the order book call; `depth` keeps the best levels, 0 keeps all.
pub(crate) fn orderbook(market: &Market, depth: usize) -> Value {
    let (yes, no) = levels(market, false);
    let keep = |side: Vec<Value>| -> Vec<Value> {
        let skip = if depth == 0 {
            0
        } else {
            side.len().saturating_sub(depth)
        };
        side.into_iter().skip(skip).collect()
    };
    json!({"orderbook_fp": {"yes_dollars": keep(yes), "no_dollars": keep(no)}})
}

/// Averages of what an order traded on arrival: of all since `before`, where it was there before.
/// Absent when nothing traded.
fn averages(object: &mut Map<String, Value>, order: &Order, before: Option<&Order>) {
    let was = |of: fn(&Order) -> i64| before.map_or(0, of);
    let filled_centi = order.filled_centi - before.map_or(0, |before| before.filled_centi);
    if filled_centi == 0 {
        return;
    }
    let cost = order.taker_cost_micros - was(|before| before.taker_cost_micros);
    let fee = order.taker_fee_micros - was(|before| before.taker_fee_micros);
    let filled = i64::from(filled_centi);
    // Cost is kept on the side bought; the average is a YES price on both sides.
    let yes_cost = match order.new.side {
        Side::Bid => cost,
        Side::Ask => cost_micros(E4_PER_DOLLAR, filled_centi) - cost,
    };
    object.insert(
        "average_fill_price".into(),
        format_decimal(rounded(yes_cost, filled), 4).into(),
    );
    // Micro-dollars over centicontracts are 1/10,000 dollars a contract.
    object.insert(
        "average_fee_paid".into(),
        format_decimal(rounded(fee, filled), 4).into(),
    );
}

/// The answer to a new order.
pub(crate) fn created(order: &Order) -> Value {
    let mut object = Map::new();
    averages(&mut object, order, None);
    if let Some(id) = &order.new.client_order_id {
        object.insert("client_order_id".into(), id.as_str().into());
    }
    object.insert("fill_count".into(), count(order.filled_centi).into());
    object.insert("order_id".into(), order.id.as_str().into());
    object.insert("remaining_count".into(), count(order.left_centi).into());
    object.insert("ts_ms".into(), (order.created_us / 1_000).into());
    Value::Object(object)
}

/// The answer to an amendment: what it traded, and what rests now. Counts are absent where it
/// changed neither.
pub(crate) fn amended(before: &Order, order: &Order) -> Value {
    let mut object = Map::new();
    averages(&mut object, order, Some(before));
    if let Some(id) = &order.new.client_order_id {
        object.insert("client_order_id".into(), id.as_str().into());
    }
    object.insert("order_id".into(), order.id.as_str().into());
    let filled = order.filled_centi - before.filled_centi;
    if filled > 0 || order.left_centi != before.left_centi {
        object.insert("fill_count".into(), count(filled).into());
        object.insert("remaining_count".into(), count(order.left_centi).into());
    }
    object.insert("ts_ms".into(), (order.updated_us / 1_000).into());
    Value::Object(object)
}

fn rounded(value: i64, by: i64) -> i64 {
    (2 * value + by) / (2 * by)
}

/// An order. Deprecated `action` and `side` tell an ask as a sale of YES, as recorded; those of a fill
/// tell a purchase of NO.
pub(crate) fn order(exchange: &Exchange, order: &Order) -> Value {
    let side = outcome(order.new.side);
    let action = match order.new.side {
        Side::Bid => "buy",
        Side::Ask => "sell",
    };
    let market = exchange.markets().get(order.new.market);
    let mut object = json!({
        "order_id": order.id, "user_id": USER, "client_order_id": order.new.client_order_id.as_deref().unwrap_or(""),
        "ticker": market.map_or("", |market| &market.ticker), "type": "limit", "action": action, "side": "yes",
        "outcome_side": side, "book_side": order.new.side.as_str(),
        "status": match order.state {
            OrderState::Resting => "resting",
            OrderState::Canceled => "canceled",
            OrderState::Executed => "executed",
        },
        "yes_price_dollars": price(order.new.price_e4), "no_price_dollars": price(E4_PER_DOLLAR - order.new.price_e4),
        "initial_count_fp": count(order.new.count_centi), "fill_count_fp": count(order.filled_centi),
        "remaining_count_fp": count(order.left_centi),
        "taker_fill_cost_dollars": money(order.taker_cost_micros), "maker_fill_cost_dollars": money(order.maker_cost_micros),
        "taker_fees_dollars": money(order.taker_fee_micros), "maker_fees_dollars": money(order.maker_fee_micros),
        "created_time": rfc3339(order.created_us), "last_update_time": rfc3339(order.updated_us),
        "self_trade_prevention_type": order.new.self_trade.as_str(), "subaccount_number": 0,
        "exchange_index": market.map_or(0, |market| market.series.exchange_index),
    });
    if let Some(expires_us) = order.new.expires_us {
        object["expiration_time"] = rfc3339(expires_us).into();
    }
    if let Some(group) = &order.new.group {
        object["order_group_id"] = group.as_str().into();
    }
    object
}

/// An order as the WebSocket tells it.
pub(crate) fn user_order(exchange: &Exchange, one: &Order) -> Value {
    let mut object = order(exchange, one);
    extend(
        &mut object,
        json!({"is_yes": one.new.side == Side::Bid, "created_ts_ms": one.created_us / 1_000}),
    );
    let reason = match one.reason {
        Reason::None | Reason::Cancel => None,
        Reason::Trade => Some("Trade"),
        Reason::Amend => Some("Amend"),
        Reason::Decrease => Some("Decrease"),
        Reason::SelfTradeCancel => Some("SelfTradeCancel"),
        Reason::ExpiryCancel => Some("ExpiryCancel"),
        Reason::CloseCancel => Some("CloseCancel"),
        Reason::ReduceOnlyCancel => Some("ReduceOnlyCancel"),
        Reason::HaltCancel => Some("HaltCancel"),
    };
    if let Some(reason) = reason {
        object["last_update_reason"] = reason.into();
    }
    object
}

/// A fill as REST lists it. Its deprecated `side` is a trap of the venue's: it tells the side of the
/// aggressor, which is the other one where we made the price. `outcome_side` and `book_side` are ours.
pub(crate) fn fill(exchange: &Exchange, fill: &ClientFill) -> Value {
    let market = exchange.markets().get(fill.trade.market);
    let ticker = market.map_or("", |market| &market.ticker);
    json!({
        "fill_id": fill.trade.id, "trade_id": fill.trade.id, "order_id": fill.order_id, "ticker": ticker,
        "market_ticker": ticker, "exchange_index": market.map_or(0, |market| market.series.exchange_index),
        "action": "buy", "side": outcome(fill.trade.taker), "outcome_side": outcome(fill.side), "book_side": fill.side.as_str(),
        "count_fp": count(fill.trade.count_centi), "yes_price_dollars": price(fill.trade.price_e4),
        "no_price_dollars": price(E4_PER_DOLLAR - fill.trade.price_e4), "is_taker": fill.is_taker,
        "fee_cost": money(fill.fee_micros), "created_time": rfc3339(fill.trade.at_us), "subaccount_number": 0,
        "ts": fill.trade.at_us / SECOND_US,
    })
}

/// A trade on the public tape.
pub(crate) fn trade(exchange: &Exchange, trade: &Trade) -> Value {
    json!({
        "trade_id": trade.id, "ticker": exchange.markets().get(trade.market).map_or("", |market| &market.ticker),
        "count_fp": count(trade.count_centi), "yes_price_dollars": price(trade.price_e4),
        "no_price_dollars": price(E4_PER_DOLLAR - trade.price_e4), "taker_outcome_side": outcome(trade.taker),
        "taker_book_side": trade.taker.as_str(), "taker_side": outcome(trade.taker),
        "created_time": rfc3339(trade.at_us), "is_block_trade": false,
    })
}

/// The account's holding of one market.
pub(crate) fn position(market: &Market, holding: &Holding, resting: usize) -> Value {
    json!({
        "ticker": market.ticker, "exchange_index": market.series.exchange_index, "position_fp": count(holding.position_centi),
        "total_traded_dollars": money(holding.traded_micros), "market_exposure_dollars": money(holding.exposure_micros),
        "realized_pnl_dollars": money(holding.realized_micros), "fees_paid_dollars": money(holding.fees_micros),
        "resting_orders_count": resting, "last_updated_ts": rfc3339(holding.updated_us),
    })
}

/// A settlement. `revenue` is in whole cents, as the venue has it.
pub(crate) fn settlement(exchange: &Exchange, one: &Settlement) -> Value {
    let market = exchange.markets().get(one.market);
    let event = market.and_then(|market| exchange.events().get(market.event));
    let position = one.holding.position_centi;
    json!({
        "ticker": market.map_or("", |market| &market.ticker), "event_ticker": event.map_or("", |event| &event.ticker),
        "market_result": Life::Finalized { value_e4: one.value_e4, at_us: one.at_us }.result(),
        "yes_count_fp": count(position.max(0)), "no_count_fp": count((-position).max(0)),
        "yes_total_cost_dollars": money(one.holding.yes_cost_micros), "no_total_cost_dollars": money(one.holding.no_cost_micros),
        "revenue": settled_micros(position, one.value_e4) / 10_000, "settled_time": rfc3339(one.at_us),
        "fee_cost": money(one.holding.fees_micros), "value": one.value_e4 / 100,
        "exchange_index": market.map_or(0, |market| market.series.exchange_index),
    })
}
