//! The venue's public REST calls: status, series, events, markets, books, trades.

use super::answer::Answer;
use super::catalogue::{Event, Life, Market};
use super::exchange::Exchange;
use super::server::Shared;
use super::times::SECOND_US;
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

pub(crate) async fn status(State(shared): App) -> Answer {
    let trading = !shared.hub.read(Exchange::is_paused);
    Answer::json(
        200,
        &json!({"exchange_active": true, "trading_active": trading}),
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
    let limit = limit(&query, "GetEvents", 200, 200);
    let limit = match limit.and_then(|limit| known(&query, "GetEvents", &STATUSES, limit)) {
        Ok(limit) => limit,
        Err(refusal) => return refusal,
    };
    let nested = flag(&query, "with_nested_markets");
    shared.hub.read(|exchange| {
        let wanted = |event: &&Event| {
            matches(&query, "series_ticker", event.series.ticker)
                && listed(&query, "tickers", &event.ticker)
                && event_markets(exchange, event).any(|one| in_status(&query, one))
                && event_markets(exchange, event)
                    .all(|one| bounded(&query, "close", Some(wire::close_us(exchange, one))))
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
    let limit = limit(&query, "GetMarkets", 100, 1_000);
    let limit = match limit.and_then(|limit| known(&query, "GetMarkets", &STATUSES, limit)) {
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
                && in_status(&query, market)
                && in_time(&query, exchange, market)
                // There are no combinations of markets here.
                && !matches!(query.get("mve_filter").map(String::as_str), Some("only"))
        });
        page("markets", &query, limit, rows, |market| {
            wire::market(exchange, market)
        })
    })
}

/// The words of the `status` filter of markets and events.
const STATUSES: [&str; 5] = ["unopened", "open", "paused", "closed", "settled"];

/// Whether the `status` filter lets a market pass; an absent or empty one does.
fn in_status(query: &HashMap<String, String>, market: &Market) -> bool {
    query.get("status").is_none_or(|list| {
        list.is_empty() || list.split(',').any(|status| market.life.matches(status))
    })
}

/// Whether the times of a market lie within those that the query names.
fn in_time(query: &HashMap<String, String>, exchange: &Exchange, market: &Market) -> bool {
    let settled = match market.life {
        Life::Finalized { at_us, .. } => Some(at_us),
        _ => None,
    };
    bounded(query, "created", Some(market.opened_us))
        && bounded(query, "updated", Some(market.updated_us))
        && bounded(query, "close", Some(wire::close_us(exchange, market)))
        && bounded(query, "settled", settled)
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
        let rows = exchange.tape().iter().rev().filter(|trade| {
            matches(&query, "ticker", ticker_of(trade.market)) && within(&query, trade.at_us)
        });
        page("trades", &query, limit, rows, |trade| {
            wire::trade(exchange, trade)
        })
    })
}

/// Where the run stands. Not part of the venue's interface.
pub(crate) async fn progress(State(shared): App) -> Answer {
    Answer::json(200, &shared.progress())
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

/// Refuses a `status` that the venue does not know, or returns what was read before.
pub(crate) fn known<T>(
    query: &HashMap<String, String>,
    call: &str,
    words: &[&str],
    read: T,
) -> Result<T, Answer> {
    let status = query.get("status").map_or("", String::as_str);
    if status.is_empty() || status.split(',').all(|word| words.contains(&word)) {
        Ok(read)
    } else {
        Err(Answer::invalid_query(call, "Status", "oneof"))
    }
}

/// Whether a time lies between two bounds that a query may have, Unix seconds.
fn between(query: &HashMap<String, String>, least: &str, most: &str, at_us: Option<i64>) -> bool {
    let bound = |name: &str| query.get(name).and_then(|text| text.parse::<i64>().ok());
    let passes = |bound: Option<i64>, test: fn(i64, i64) -> bool| {
        bound.is_none_or(|bound| at_us.is_some_and(|at_us| test(at_us / SECOND_US, bound)))
    };
    passes(bound(least), |at, least| at >= least) && passes(bound(most), |at, most| at <= most)
}

/// Whether a time lies between `min_ts` and `max_ts`.
pub(crate) fn within(query: &HashMap<String, String>, at_us: i64) -> bool {
    between(query, "min_ts", "max_ts", Some(at_us))
}

/// Whether a time of a market lies between the two bounds of its name. What has no such time passes
/// where there is no bound.
fn bounded(query: &HashMap<String, String>, name: &str, at_us: Option<i64>) -> bool {
    let (least, most) = (format!("min_{name}_ts"), format!("max_{name}_ts"));
    between(query, &least, &most, at_us)
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

/// One page of rows, and the cursor of the next one. A cursor that means nothing starts again,
/// silently; the last page has an empty one. All that there is belongs to the primary subaccount.
pub(crate) fn cut<T>(
    query: &HashMap<String, String>,
    limit: usize,
    rows: impl Iterator<Item = T>,
) -> (Vec<T>, String) {
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
    let rows = rows.filter(|_| matches(query, "subaccount", "0"));
    let mut rows = rows.skip(start);
    let page: Vec<T> = rows.by_ref().take(limit).collect();
    let cursor = if rows.next().is_some() {
        URL_SAFE_NO_PAD.encode(format!("at:{}", start + limit))
    } else {
        String::new()
    };
    (page, cursor)
}

/// One page of rows as an answer.
pub(crate) fn page<T>(
    name: &str,
    query: &HashMap<String, String>,
    limit: usize,
    rows: impl Iterator<Item = T>,
    write: impl Fn(T) -> Value,
) -> Answer {
    let (page, cursor) = cut(query, limit, rows);
    let mut body = json!({"cursor": cursor});
    body[name] = page.into_iter().map(write).collect();
    Answer::json(200, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_what_the_asked_subaccount_has() {
        let asked = |subaccount: &str| {
            let query = HashMap::from([("subaccount".to_owned(), subaccount.to_owned())]);
            cut(&query, 2, 0..3)
        };
        let (rows, cursor) = asked("0");
        assert_eq!(rows, [0, 1]);
        assert!(!cursor.is_empty());
        assert_eq!(asked("1"), (Vec::new(), String::new()));
        assert_eq!(cut(&HashMap::new(), 9, 0..3).0, [0, 1, 2]);
    }
}
