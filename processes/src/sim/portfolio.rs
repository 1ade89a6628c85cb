//! The venue's signed REST calls: orders, fills, positions, settlements, balance, limits.

use super::answer::Answer;
use super::catalogue::Life;
use super::exchange::{CLIENT, Exchange};
use super::ledger::{Holding, payout_micros};
use super::order_form::OrderForm;
use super::rate_limit::{COSTS, DEFAULT_COST};
use super::records::{Order, OrderState, Reason, Refusal};
use super::rest::{Params, cut, known, limit, listed, matches, page, within};
use super::server::Shared;
use super::times::{SECOND_US, now_us};
use super::wire;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use layouts::Side;
use layouts::units::format_decimal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

type App = State<Arc<Shared>>;

/// How far reads of orders lag behind writes, as observed at the venue.
const READ_LAG_US: i64 = 400_000;

pub(crate) async fn create(State(shared): App, body: Bytes) -> Answer {
    let form = match OrderForm::decode(&body) {
        Ok(form) => form,
        Err(refusal) => return refusal,
    };
    let placed = shared
        .hub
        .with(|exchange| placed(exchange, &form, now_us()));
    match placed {
        Ok(order) => Answer::json(201, &wire::created(&order)),
        Err(refusal) => refusal,
    }
}

/// Places an order on the shard of its market; one that names another shard finds no market there.
pub(crate) fn placed(exchange: &mut Exchange, form: &OrderForm, now: i64) -> Result<Order, Answer> {
    let market = exchange.market_number(form.ticker()).filter(|number| {
        let shard = exchange.markets()[*number].series.exchange_index;
        matches_shard(form.0.whole("exchange_index"), shard)
    });
    let Some(market) = market else {
        return Err(Answer::fault(
            404,
            "market_not_found",
            "market not found",
            None,
        ));
    };
    let order = form.order(market, now)?;
    exchange.create(order, now).map_err(refused)
}

/// Whether a call with a ticker reaches a shard: routed by the ticker, unless it names another.
fn matches_shard(exchange_index: Option<i64>, shard: u32) -> bool {
    exchange_index.is_none_or(|index| index == -1 || index == i64::from(shard))
}

pub(crate) fn refused(refusal: Refusal) -> Answer {
    let (status, code, message, details) = match refusal {
        Refusal::MarketInactive => return inactive(),
        Refusal::TradingPaused => (503, "trading_paused", "trading is paused", None),
        Refusal::InvalidPrice => (400, "invalid_price", "invalid price", None),
        Refusal::AlreadyExists => (409, "order_already_exists", "order already exists", None),
        Refusal::InsufficientBalance => (400, "insufficient_balance", "insufficient balance", None),
        Refusal::PostOnlyCross => (
            400,
            "invalid_order",
            "invalid order",
            Some("post only cross"),
        ),
        Refusal::FillOrKill => (
            409,
            "fill_or_kill_insufficient_resting_volume",
            "fill or kill insufficient resting volume",
            None,
        ),
        Refusal::InvalidSize => (400, "invalid_order_size", "invalid order size", None),
        Refusal::NotFound => return Answer::not_found(),
        // The venue documents that these are refused, not how.
        Refusal::NoGroup => (
            400,
            "invalid_order",
            "invalid order",
            Some("order group not found"),
        ),
        Refusal::GroupTriggered => (
            400,
            "invalid_order",
            "invalid order",
            Some("order group triggered"),
        ),
    };
    Answer::fault(status, code, message, details)
}

/// Any order call after the close. The venue documents the code; the status is ours.
pub(crate) fn inactive() -> Answer {
    Answer::fault(409, "MARKET_INACTIVE", "MARKET_INACTIVE", None)
}

pub(crate) async fn cancel_all(State(shared): App) -> Answer {
    let now = now_us();
    shared.hub.with(|exchange| {
        let resting: Vec<_> = exchange
            .client_orders(i64::MAX)
            .filter(|order| order.state == OrderState::Resting)
            .map(|order| order.number)
            .collect();
        for number in resting {
            exchange.cancel(number, Reason::Cancel, now);
        }
        Answer::empty()
    })
}

/// The calls that the venue has switched off.
pub(crate) async fn legacy() -> Answer {
    Answer::fault(
        410,
        "endpoint_deprecated",
        "Please switch to the V2 endpoints",
        None,
    )
}

pub(crate) async fn orders(State(shared): App, Query(query): Params) -> Answer {
    let words = ["resting", "canceled", "executed"];
    let limit = limit(&query, "GetOrders", 100, 1_000);
    let limit = match limit.and_then(|limit| known(&query, "GetOrders", &words, limit)) {
        Ok(limit) => limit,
        Err(refusal) => return refusal,
    };
    let now = now_us();
    shared.hub.read(|exchange| {
        let rows = exchange.client_orders(now - READ_LAG_US).filter(|order| {
            let market = exchange.markets().get(order.new.market);
            let event = market.and_then(|market| exchange.events().get(market.event));
            matches(&query, "ticker", market.map_or("", |market| &market.ticker))
                && listed(
                    &query,
                    "event_ticker",
                    event.map_or("", |event| &event.ticker),
                )
                && query
                    .get("status")
                    .is_none_or(|status| status.is_empty() || state_word(order) == status)
                && within(&query, order.created_us)
        });
        page("orders", &query, limit, rows, |order| {
            wire::order(exchange, order)
        })
    })
}

fn state_word(order: &Order) -> &'static str {
    match order.state {
        OrderState::Resting => "resting",
        OrderState::Canceled => "canceled",
        OrderState::Executed => "executed",
    }
}

pub(crate) async fn order(State(shared): App, Path(id): Path<String>) -> Answer {
    let now = now_us();
    shared.hub.read(|exchange| {
        let found = exchange.client_order(&id, now - READ_LAG_US);
        found.map_or_else(Answer::not_found, |order| {
            Answer::json(200, &json!({"order": wire::order(exchange, order)}))
        })
    })
}

pub(crate) async fn fills(State(shared): App, Query(query): Params) -> Answer {
    let limit = match limit(&query, "GetFills", 100, 1_000) {
        Ok(limit) => limit,
        Err(refusal) => return refusal,
    };
    shared.hub.read(|exchange| {
        let rows = exchange.fills().iter().rev().filter(|fill| {
            matches(
                &query,
                "ticker",
                exchange
                    .markets()
                    .get(fill.trade.market)
                    .map_or("", |market| &market.ticker),
            ) && matches(&query, "order_id", &fill.order_id)
                && within(&query, fill.trade.at_us)
        });
        page("fills", &query, limit, rows, |fill| {
            wire::fill(exchange, fill)
        })
    })
}

/// Page by page of the markets; with each page the events of its markets.
pub(crate) async fn positions(State(shared): App, Query(query): Params) -> Answer {
    let limit = match limit(&query, "GetPositions", 100, 1_000) {
        Ok(limit) => limit,
        Err(refusal) => return refusal,
    };
    shared.hub.read(|exchange| {
        let Some(client) = exchange.client() else {
            return Answer::not_found();
        };
        let rows = client.holdings().filter_map(|(number, holding)| {
            let market = exchange.markets().get(number)?;
            let event = exchange.events().get(market.event)?;
            // Settled markets leave the list; their story is in the settlements.
            let wanted = !matches!(market.life, Life::Finalized { .. })
                && matches(&query, "ticker", &market.ticker)
                && listed(&query, "event_ticker", &event.ticker);
            wanted.then_some((market, holding))
        });
        let (page, cursor) = cut(&query, limit, rows);
        let mut markets = Vec::new();
        let mut events: BTreeMap<usize, Holding> = BTreeMap::new();
        for (market, holding) in page {
            let resting = [Side::Bid, Side::Ask]
                .into_iter()
                .map(|side| market.book.resting_of(CLIENT, side).count())
                .sum();
            markets.push(wire::position(market, holding, resting));
            let sum = events.entry(market.event).or_default();
            sum.traded_micros += holding.traded_micros;
            sum.traded_centi += holding.traded_centi;
            sum.exposure_micros += holding.exposure_micros;
            sum.realized_micros += holding.realized_micros;
            sum.fees_micros += holding.fees_micros;
        }
        let events: Vec<Value> = events
            .iter()
            .map(|(event, sum)| event_position(exchange, *event, sum))
            .collect();
        Answer::json(
            200,
            &json!({"cursor": cursor, "market_positions": markets, "event_positions": events}),
        )
    })
}

/// What an event's markets have cost so far, closed positions too, and what is at stake in them now.
fn event_position(exchange: &Exchange, event: usize, sum: &Holding) -> Value {
    json!({
        "event_ticker": exchange.events().get(event).map_or("", |event| &event.ticker),
        "total_cost_dollars": wire::money(sum.traded_micros), "total_cost_shares_fp": wire::count(sum.traded_centi),
        "event_exposure_dollars": wire::money(sum.exposure_micros), "realized_pnl_dollars": wire::money(sum.realized_micros),
        "fees_paid_dollars": wire::money(sum.fees_micros),
    })
}

pub(crate) async fn settlements(State(shared): App, Query(query): Params) -> Answer {
    let limit = match limit(&query, "GetSettlements", 100, 1_000) {
        Ok(limit) => limit,
        Err(refusal) => return refusal,
    };
    shared.hub.read(|exchange| {
        let rows = exchange.settlements().iter().rev().filter(|one| {
            matches(
                &query,
                "ticker",
                exchange
                    .markets()
                    .get(one.market)
                    .map_or("", |market| &market.ticker),
            ) && within(&query, one.at_us)
        });
        page("settlements", &query, limit, rows, |one| {
            wire::settlement(exchange, one)
        })
    })
}

/// The money of all shards, and what is on each.
pub(crate) async fn balance(State(shared): App) -> Answer {
    let now = now_us();
    shared.hub.read(|exchange| {
        let Some(client) = exchange.client() else { return Answer::not_found() };
        let micros = client.balance_micros();
        let value: i64 = client.holdings().map(|(number, holding)| portfolio_micros(exchange, number, holding)).sum();
        // The balance is exact to 1/10,000 dollar: prices, counts of the venue and fees all are, but for
        // hundredths of contracts, whose rest is cut off.
        let dollars = |micros: i64| format_decimal(micros / 100, 4);
        let shards: Vec<Value> = client
            .balances()
            .map(|(shard, micros)| json!({"exchange_index": shard, "balance": dollars(micros)}))
            .collect();
        Answer::json(200, &json!({
            "balance": micros / 10_000, "balance_dollars": dollars(micros), "portfolio_value": value / 10_000, "updated_ts": now / SECOND_US,
            "balance_breakdown": shards,
        }))
    })
}

/// What a holding is worth at the market's last price.
fn portfolio_micros(exchange: &Exchange, number: usize, holding: &Holding) -> i64 {
    exchange.markets().get(number).map_or(0, |market| {
        payout_micros(holding.position_centi, market.last_price_e4)
    })
}

pub(crate) async fn limits(State(shared): App) -> Answer {
    let tier = shared.tier();
    let bucket = |(capacity, refill): (u32, u32)| json!({"bucket_capacity": capacity, "refill_rate": refill});
    Answer::json(
        200,
        &json!({"grants": [], "usage_tier": tier.name, "read": bucket(tier.read), "write": bucket(tier.write)}),
    )
}

pub(crate) async fn endpoint_costs() -> Answer {
    let costs: Vec<Value> =
        COSTS.iter().map(|(method, path, cost)| json!({"method": method, "path": format!("/trade-api/v2{path}"), "cost": cost})).collect();
    Answer::json(
        200,
        &json!({"default_cost": DEFAULT_COST, "endpoint_costs": costs}),
    )
}
