//! The venue's public REST calls: status, series, events, markets, books, trades.

use super::answer::Answer;
use super::catalogue::{Event, Market};
use super::exchange::Exchange;
use super::server::Shared;
use super::wire;
use axum::extract::{Path, Query, State};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// The query of a call. Parameters that the venue does not know are ignored.
pub(crate) type Params = Query<HashMap<String, String>>;
type App = State<Arc<Shared>>;

pub(crate) async fn status() -> Answer {
    Answer::json(
        200,
        &json!({"exchange_active": true, "trading_active": true}),
    )
}

pub(crate) async fn series(State(shared): App, Path(ticker): Path<String>) -> Answer {
    shared.hub.read(|exchange| {
        let found = exchange
            .events()
            .iter()
            .map(|event| event.series)
            .find(|series| series.ticker == ticker);
        found.map_or_else(Answer::not_found, |series| {
            Answer::json(200, &json!({"series": wire::series(&series)}))
        })
    })
}

pub(crate) async fn series_list(State(shared): App) -> Answer {
    shared.hub.read(|exchange| {
        let mut all = Vec::new();
        for event in exchange.events() {
            if !all.contains(&event.series) {
                all.push(event.series);
            }
        }
        Answer::json(
            200,
            &json!({"series": all.iter().map(wire::series).collect::<Vec<_>>()}),
        )
    })
}

pub(crate) async fn fee_changes() -> Answer {
    Answer::json(200, &json!({"series_fee_change_arr": []}))
}

pub(crate) async fn events(State(shared): App, Query(query): Params) -> Answer {
    let limit = match limit(&query, "GetEvents", 200, 200) {
        Ok(limit) => limit,
        Err(refusal) => return refusal,
    };
    let nested = flag(&query, "with_nested_markets");
    shared.hub.read(|exchange| {
        let wanted = |event: &&Event| {
            matches(&query, "series_ticker", event.series.ticker)
                && listed(&query, "tickers", &event.ticker)
                && query.get("status").is_none_or(|status| {
                    event_markets(exchange, event).any(|one| one.life.matches(status))
                })
        };
        let rows = exchange.events().iter().filter(wanted);
        page("events", &query, limit, rows, |event| {
            wire::event(exchange, event, nested)
        })
    })
}

pub(crate) async fn event(
    State(shared): App,
    Path(ticker): Path<String>,
    Query(query): Params,
) -> Answer {
    let nested = flag(&query, "with_nested_markets");
    shared.hub.read(|exchange| {
        let Some(event) = exchange
            .events()
            .iter()
            .find(|event| event.ticker == ticker)
        else {
            return Answer::not_found();
        };
        let mut body = json!({"event": wire::event(exchange, event, nested)});
        if !nested {
            body["markets"] = event_markets(exchange, event)
                .map(|one| wire::market(exchange, one))
                .collect();
        }
        Answer::json(200, &body)
    })
}

fn event_markets<'a>(exchange: &'a Exchange, event: &'a Event) -> impl Iterator<Item = &'a Market> {
    event
        .markets
        .iter()
        .filter_map(|number| exchange.markets().get(*number))
}

pub(crate) async fn markets(State(shared): App, Query(query): Params) -> Answer {
    let limit = match limit(&query, "GetMarkets", 100, 1_000) {
        Ok(limit) => limit,
        Err(refusal) => return refusal,
    };
    shared.hub.read(|exchange| {
        let event_of = |market: &Market| {
            exchange
                .events()
                .get(market.event)
                .map_or("", |event| event.ticker.as_str())
        };
        let rows = exchange.markets().iter().filter(|market| {
            matches(&query, "series_ticker", market.series.ticker)
                && listed(&query, "event_ticker", event_of(market))
                && listed(&query, "tickers", &market.ticker)
                && query
                    .get("status")
                    .is_none_or(|list| list.split(',').any(|status| market.life.matches(status)))
        });
        page("markets", &query, limit, rows, |market| {
            wire::market(exchange, market)
        })
    })
}

pub(crate) async fn market(State(shared): App, Path(ticker): Path<String>) -> Answer {
    shared.hub.read(|exchange| {
        let found = exchange
            .market_number(&ticker)
            .and_then(|number| exchange.markets().get(number));
        found.map_or_else(Answer::not_found, |market| {
            Answer::json(200, &json!({"market": wire::market(exchange, market)}))
        })
    })
}

pub(crate) async fn orderbook(
    State(shared): App,
    Path(ticker): Path<String>,
    Query(query): Params,
) -> Answer {
    let depth = match number(&query, "depth", 0) {
        Some(depth) if depth <= 100 => depth,
        _ => return Answer::invalid_query("GetMarketOrderbook", "Depth", "lte"),
    };
    shared.hub.read(|exchange| {
        let found = exchange
            .market_number(&ticker)
            .and_then(|number| exchange.markets().get(number));
        found.map_or_else(Answer::not_found, |market| {
            Answer::json(200, &wire::orderbook(market, depth))
        })
    })
}

pub(crate) async fn trades(State(shared): App, Query(query): Params) -> Answer {
    let limit = match limit(&query, "GetTrades", 100, 1_000) {
        Ok(limit) => limit,
        Err(refusal) => return refusal,
    };
    shared.hub.read(|exchange| {
        let ticker_of = |number: usize| {
            exchange
                .markets()
                .get(number)
                .map_or("", |market| market.ticker.as_str())
        };
        let rows = exchange
            .tape()
            .iter()
            .rev()
            .filter(|trade| matches(&query, "ticker", ticker_of(trade.market)));
        page("trades", &query, limit, rows, |trade| {
            wire::trade(exchange, trade)
        })
    })
}

/// Where the run stands. Not part of the venue's interface.
pub(crate) async fn progress(State(shared): App) -> Answer {
    Answer::json(200, &shared.progress())
}

/// Makes every order book subscription miss a frame. Not part of the venue's interface.
pub(crate) async fn gap(State(shared): App) -> Answer {
    shared.hub.inject_gap();
    Answer::empty()
}

/// Hangs up on every WebSocket. Not part of the venue's interface.
pub(crate) async fn disconnect(State(shared): App) -> Answer {
    shared.hub.disconnect_all();
    Answer::empty()
}

fn flag(query: &HashMap<String, String>, name: &str) -> bool {
    query
        .get(name)
        .is_some_and(|value| value == "true" || value == "1")
}

/// Whether a filter of one value lets a row pass; an absent or empty one does.
pub(crate) fn matches(query: &HashMap<String, String>, name: &str, value: &str) -> bool {
    query
        .get(name)
        .is_none_or(|wanted| wanted.is_empty() || wanted == value)
}

/// Whether a filter of values with commas between lets a row pass; an absent or empty one does.
pub(crate) fn listed(query: &HashMap<String, String>, name: &str, value: &str) -> bool {
    query
        .get(name)
        .is_none_or(|wanted| wanted.is_empty() || wanted.split(',').any(|one| one == value))
}

fn number(query: &HashMap<String, String>, name: &str, default: usize) -> Option<usize> {
    query
        .get(name)
        .map_or(Some(default), |text| text.parse().ok())
}

/// The `limit` of a list; one above the greatest is refused, not cut.
pub(crate) fn limit(
    query: &HashMap<String, String>,
    call: &str,
    default: usize,
    greatest: usize,
) -> Result<usize, Answer> {
    match number(query, "limit", default) {
        Some(0) => Ok(default),
        Some(limit) if limit <= greatest => Ok(limit),
        _ => Err(Answer::invalid_query(call, "Limit", "lte")),
    }
}

/// One page of rows. A cursor that means nothing starts again, silently; the last page has an empty one.
pub(crate) fn page<T>(
    name: &str,
    query: &HashMap<String, String>,
    limit: usize,
    rows: impl Iterator<Item = T>,
    write: impl Fn(T) -> Value,
) -> Answer {
    let decoded = query
        .get("cursor")
        .and_then(|cursor| URL_SAFE_NO_PAD.decode(cursor).ok());
    let start = decoded
        .and_then(|bytes| {
            String::from_utf8(bytes)
                .ok()?
                .strip_prefix("at:")?
                .parse()
                .ok()
        })
        .unwrap_or(0);
    let mut rows = rows.skip(start);
    let page: Vec<Value> = rows.by_ref().take(limit).map(write).collect();
    let cursor = if rows.next().is_some() {
        URL_SAFE_NO_PAD.encode(format!("at:{}", start + limit))
    } else {
        String::new()
    };
    let mut body = json!({"cursor": cursor});
    body[name] = Value::Array(page);
    Answer::json(200, &body)
}
