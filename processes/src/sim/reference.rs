//! The venue's public calls about what goes with its markets: hours, changes of fees, the games
//! themselves, many books at once. Their shapes are those of the venue's own client; none is recorded.

use super::answer::Answer;
use super::catalogue::Event;
use super::exchange::Exchange;
use super::rest::{Params, limit, listed, matches, page};
use super::server::Shared;
use super::times::rfc3339;
use super::wire;
use axum::extract::{Query, State};
use serde_json::{Value, json};
use std::sync::Arc;

type App = State<Arc<Shared>>;

/// Books in one answer.
const BOOKS: usize = 100;
const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// The simulator is open at all hours.
pub(crate) async fn schedule() -> Answer {
    let mut week =
        json!({"start_time": "2026-01-01T05:00:00Z", "end_time": "2027-01-01T05:00:00Z"});
    for day in DAYS {
        week[day] = json!([{"open_time": "00:00", "close_time": "24:00"}]);
    }
    let schedule = json!({"standard_hours": [week], "maintenance_windows": []});
    Answer::json(200, &json!({"schedule": schedule}))
}

/// Fees of an event never change here: what it charges is listed with it.
pub(crate) async fn event_fee_changes() -> Answer {
    Answer::json(200, &json!({"event_fee_changes": [], "cursor": ""}))
}

/// The books of the markets that the query names, one `tickers` each or with commas between.
pub(crate) async fn orderbooks(
    State(shared): App,
    Query(query): Query<Vec<(String, String)>>,
) -> Answer {
    let named = query.iter().filter(|(name, _)| name == "tickers");
    let tickers: Vec<&str> = named.flat_map(|(_, list)| list.split(',')).collect();
    let tag = match tickers.len() {
        0 => "required",
        count if count > BOOKS => "max",
        _ => {
            return shared.hub.read(|exchange| {
                let books: Option<Vec<Value>> = tickers
                    .iter()
                    .map(|ticker| book(exchange, ticker))
                    .collect();
                books.map_or_else(Answer::not_found, |books| {
                    Answer::json(200, &json!({"orderbooks": books}))
                })
            });
        }
    };
    Answer::invalid_query("GetMarketOrderbooks", "Tickers", tag)
}

fn book(exchange: &Exchange, ticker: &str) -> Option<Value> {
    let market = exchange.markets().get(exchange.market_number(ticker)?)?;
    let mut book = wire::orderbook(market, 0);
    book["ticker"] = ticker.into();
    Some(book)
}

/// The games, each with its event.
pub(crate) async fn milestones(State(shared): App, Query(query): Params) -> Answer {
    if !query.contains_key("limit") {
        return Answer::invalid_query("GetMilestones", "Limit", "required");
    }
    let limit = match limit(&query, "GetMilestones", 100, 500) {
        Ok(limit) => limit,
        Err(refusal) => return refusal,
    };
    let since = query.get("minimum_start_date");
    let since = since.map(|text| text.parse::<jiff::Timestamp>());
    let Ok(since) = since.transpose() else {
        return Answer::invalid_query("GetMilestones", "MinimumStartDate", "datetime");
    };
    shared.hub.read(|exchange| {
        let rows = exchange.events().iter().filter(|event| {
            matches(&query, "category", "Sports")
                && matches(&query, "type", kind(event))
                && listed(&query, "related_event_ticker", &event.ticker)
                && since.is_none_or(|since| event.start_us >= since.as_microsecond())
        });
        page("milestones", &query, limit, rows, |event| {
            milestone(exchange, event)
        })
    })
}

/// The venue's word for a game of the event's sport.
fn kind(event: &Event) -> &'static str {
    match event.series.strike_key {
        "football_team" => "football_game",
        "basketball_team" => "basketball_game",
        "hockey_team" => "hockey_match",
        _ => "baseball_game",
    }
}

/// A game. The keys of `details` are ours: they differ from sport to sport, and nobody documents them.
fn milestone(exchange: &Exchange, event: &Event) -> Value {
    let team = |number: usize| {
        let market = event.markets.get(number);
        let market = market.and_then(|market| exchange.markets().get(*market));
        market.map_or("", |market| market.team_id.as_str())
    };
    json!({
        "id": event.milestone_id, "category": "Sports", "type": kind(event), "title": event.title,
        "start_date": rfc3339(event.start_us), "notification_message": "",
        "related_event_tickers": [event.ticker], "primary_event_tickers": [event.ticker],
        "details": {"home_team_id": team(0), "away_team_id": team(1)},
        "last_updated_ts": rfc3339(event.listed_us),
    })
}
