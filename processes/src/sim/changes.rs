//! The venue's calls about orders that rest: cancel, amend, decrease, and where they stand in their
//! queue.

use super::answer::Answer;
use super::body::{Body, Kind, Schema};
use super::catalogue::Life;
use super::exchange::Exchange;
use super::order_form::{count_centi, invalid, price_e4, side};
use super::portfolio::{inactive, refused};
use super::records::{Amendment, Order, OrderState, Reason, Refusal};
use super::rest::{Params, listed, matches};
use super::server::Shared;
use super::times::{SECOND_US, now_us};
use super::wire;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use layouts::units::parse_centi;
use serde_json::{Value, json};
use std::sync::Arc;

type App = State<Arc<Shared>>;

const AMEND: Schema = Schema {
    name: "AmendOrderV2Request",
    fields: &[
        ("ticker", Kind::Text),
        ("side", Kind::Text),
        ("price", Kind::Text),
        ("count", Kind::Text),
        ("client_order_id", Kind::Text),
        ("updated_client_order_id", Kind::Text),
        ("expiration_time", Kind::Whole),
        ("exchange_index", Kind::Whole),
    ],
};

const DECREASE: Schema = Schema {
    name: "DecreaseOrderV2Request",
    fields: &[
        ("reduce_by", Kind::Text),
        ("reduce_to", Kind::Text),
        ("exchange_index", Kind::Whole),
        ("market_ticker", Kind::Text),
    ],
};

/// The shard that a call names, and the market that it is to be routed by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route<'a> {
    pub(crate) exchange_index: Option<i64>,
    pub(crate) ticker: &'a str,
}

impl Route<'_> {
    /// The shard that the call reaches: the one that it names, else that of its market, else the first.
    fn shard(self, exchange: &Exchange) -> Option<i64> {
        let by_market = || {
            let number = exchange.market_number(self.ticker)?;
            let market = exchange.markets().get(number)?;
            Some(i64::from(market.series.exchange_index))
        };
        match self.exchange_index {
            Some(-1) => by_market(),
            Some(index) => Some(index),
            None if self.ticker.is_empty() => Some(0),
            None => by_market(),
        }
    }
}

/// An order of the client that rests in an open market, on the shard that the call reaches. Done,
/// unknown and foreign orders cannot be told apart.
fn resting(exchange: &Exchange, id: &str, route: Route<'_>) -> Result<Order, Answer> {
    let order = exchange.client_order(id, i64::MAX);
    let found = order.and_then(|order| Some((order, exchange.markets().get(order.new.market)?)));
    let (order, market) = found.ok_or_else(Answer::not_found)?;
    if route.shard(exchange) != Some(i64::from(market.series.exchange_index)) {
        return Err(Answer::not_found());
    }
    if market.life != Life::Active {
        return Err(inactive());
    }
    if order.state != OrderState::Resting {
        return Err(Answer::not_found());
    }
    Ok(order.clone())
}

/// Cancels one order and says what the venue says of it.
pub(crate) fn cancelled(
    exchange: &mut Exchange,
    id: &str,
    route: Route<'_>,
    now: i64,
) -> Result<Value, Answer> {
    let order = resting(exchange, id, route)?;
    let removed = exchange
        .cancel(order.number, Reason::Cancel, now)
        .ok_or_else(Answer::not_found)?;
    // The client's own id may be there by the interface's description; it never was.
    Ok(
        json!({"order_id": id, "reduced_by": wire::count(removed.count_centi), "ts_ms": now / 1_000}),
    )
}

pub(crate) async fn cancel(
    State(shared): App,
    Path(id): Path<String>,
    Query(query): Params,
) -> Answer {
    let index = query.get("exchange_index").map(|text| text.parse());
    let Ok(exchange_index) = index.transpose() else {
        return Answer::invalid_query("CancelOrderV2", "ExchangeIndex", "number");
    };
    let ticker = query.get("market_ticker").map_or("", String::as_str);
    let route = Route {
        exchange_index,
        ticker,
    };
    let done = shared
        .hub
        .with(|exchange| cancelled(exchange, &id, route, now_us()));
    done.map_or_else(|refusal| refusal, |body| Answer::json(200, &body))
}

pub(crate) async fn amend(State(shared): App, Path(id): Path<String>, body: Bytes) -> Answer {
    let body = match AMEND.decode(&body) {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let now = now_us();
    let done = shared.hub.with(|exchange| {
        let order = amendable(exchange, &id, &body)?;
        let change = amendment(&body, now)?;
        let amended = exchange.amend(order.number, &change, now);
        amended.map_err(|refusal| match refusal {
            // The one code that differs from that of a new order.
            Refusal::InsufficientBalance => {
                let words = ("available_balance_too_low", "available balance too low");
                Answer::fault(400, words.0, words.1, None)
            }
            other => refused(other),
        })
    });
    match done {
        Ok((before, order)) => Answer::json(200, &wire::amended(&before, &order)),
        Err(refusal) => refusal,
    }
}

/// The order to be amended, which must be the one that the body describes.
fn amendable(exchange: &Exchange, id: &str, body: &Body) -> Result<Order, Answer> {
    let ticker = body.text("ticker");
    let wanted = side(body)?;
    let route = Route {
        exchange_index: body.whole("exchange_index"),
        ticker,
    };
    let Some(market) = exchange.market_number(ticker) else {
        return Err(Answer::fault(
            404,
            "market_not_found",
            "market not found",
            None,
        ));
    };
    let order = resting(exchange, id, route)?;
    let own = order.new.client_order_id.as_deref().unwrap_or("");
    let named = body.text("client_order_id");
    let (code, message) = if order.new.market != market {
        ("order_ticker_mismatch", "order ticker mismatch")
    } else if order.new.side != wanted {
        ("order_side_mismatch", "order side mismatch")
    } else if !named.is_empty() && named != own {
        (
            "order_id_and_client_order_id_mismatch",
            "order id and client order id mismatch",
        )
    } else {
        return Ok(order);
    };
    Err(Answer::fault(400, code, message, None))
}

fn amendment(body: &Body, now_us: i64) -> Result<Amendment, Answer> {
    let expires_us = match body.whole("expiration_time") {
        None => None,
        Some(0) => Some(None),
        Some(seconds) => match seconds.saturating_mul(SECOND_US) {
            expires_us if expires_us > now_us => Some(Some(expires_us)),
            _ => return Err(invalid("invalid expiration_time")),
        },
    };
    Ok(Amendment {
        price_e4: price_e4(body)?,
        count_centi: count_centi(body, "count")?,
        client_order_id: body.some_text("updated_client_order_id"),
        expires_us,
    })
}

pub(crate) async fn decrease(State(shared): App, Path(id): Path<String>, body: Bytes) -> Answer {
    let body = match DECREASE.decode(&body) {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let now = now_us();
    let done = shared.hub.with(|exchange| {
        let route = Route {
            exchange_index: body.whole("exchange_index"),
            ticker: body.text("market_ticker"),
        };
        let order = resting(exchange, &id, route)?;
        let left_centi = what_remains(&body, order.left_centi)?;
        exchange
            .decrease(order.number, left_centi, now)
            .map_err(refused)
    });
    match done {
        Ok(order) => {
            let mut body = json!({"order_id": id, "remaining_count": wire::count(order.left_centi), "ts_ms": now / 1_000});
            if let Some(client_order_id) = order.new.client_order_id {
                body["client_order_id"] = client_order_id.into();
            }
            Answer::json(200, &body)
        }
        Err(refusal) => refusal,
    }
}

/// What an order is to have left: exactly one of the two fields says it.
fn what_remains(body: &Body, left_centi: u32) -> Result<u32, Answer> {
    match (body.text("reduce_by"), body.text("reduce_to")) {
        (_, "") => {
            let by = count_centi(body, "reduce_by");
            by.and_then(|by| left_centi.checked_sub(by).ok_or_else(too_much))
        }
        ("", to) => parse_centi(to)
            .and_then(|to| u32::try_from(to).ok())
            .filter(|to| *to < left_centi)
            .ok_or_else(too_much),
        _ => Err(invalid("exactly one of reduce_by and reduce_to")),
    }
}

fn too_much() -> Answer {
    refused(Refusal::InvalidSize)
}

pub(crate) async fn queue_position(State(shared): App, Path(id): Path<String>) -> Answer {
    shared.hub.read(|exchange| {
        let ahead = exchange
            .client_order(&id, i64::MAX)
            .and_then(|order| exchange.queue_position(order));
        ahead.map_or_else(Answer::not_found, |ahead| {
            Answer::json(200, &json!({"queue_position_fp": wire::count(ahead)}))
        })
    })
}

/// All resting orders, or those of some markets or of one event.
pub(crate) async fn queue_positions(State(shared): App, Query(query): Params) -> Answer {
    shared.hub.read(|exchange| {
        let position = |order: &Order| {
            let market = exchange.markets().get(order.new.market)?;
            let event = exchange.events().get(market.event)?;
            let wanted = listed(&query, "market_tickers", &market.ticker)
                && matches(&query, "event_ticker", &event.ticker);
            let ahead = exchange.queue_position(order).filter(|_| wanted)?;
            Some(json!({"order_id": order.id, "market_ticker": market.ticker, "queue_position_fp": wire::count(ahead)}))
        };
        let rows: Vec<Value> = exchange.client_orders(i64::MAX).filter_map(position).collect();
        Answer::json(200, &json!({"queue_positions": rows}))
    })
}
