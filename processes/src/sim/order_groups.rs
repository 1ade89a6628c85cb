//! The venue's calls about order groups. What they refuse with is documented by status only: the
//! codes here are ours.

use super::answer::Answer;
use super::body::{Body, Kind, Schema};
use super::exchange::Exchange;
use super::rest::Params;
use super::server::Shared;
use super::times::now_us;
use super::wire;
use axum::body::Bytes;
use axum::extract::{Path, State};
use layouts::units::parse_centi;
use serde_json::{Value, json};
use std::sync::Arc;

type App = State<Arc<Shared>>;

const CREATE: Schema = Schema {
    name: "CreateOrderGroupRequest",
    fields: &[
        ("subaccount", Kind::Whole),
        ("contracts_limit", Kind::Whole),
        ("contracts_limit_fp", Kind::Text),
        ("exchange_index", Kind::Whole),
    ],
};

const LIMIT: Schema = Schema {
    name: "UpdateOrderGroupLimitRequest",
    fields: &[
        ("contracts_limit", Kind::Whole),
        ("contracts_limit_fp", Kind::Text),
    ],
};

fn invalid(details: &str) -> Answer {
    let (code, message) = ("invalid_parameters", "invalid parameters");
    Answer::fault(400, code, message, Some(details))
}

/// The limit in 1/100 contract: whole contracts, said in one way or alike in both.
fn limit_centi(body: &Body) -> Result<i64, Answer> {
    let whole = body
        .whole("contracts_limit")
        .map(|limit| limit.checked_mul(100));
    let text = body
        .some_text("contracts_limit_fp")
        .map(|text| parse_centi(&text));
    let said = match (whole, text) {
        (Some(one), Some(other)) if one != other => {
            return Err(invalid("contracts_limit and contracts_limit_fp differ"));
        }
        (Some(limit), _) | (None, Some(limit)) => limit,
        (None, None) => None,
    };
    said.filter(|limit| *limit >= 100 && limit % 100 == 0)
        .ok_or_else(|| invalid("contracts_limit is not a whole number of at least 1"))
}

pub(crate) async fn create(State(shared): App, bytes: Bytes) -> Answer {
    let read = CREATE.decode(&bytes).and_then(|body| {
        let index = u32::try_from(body.whole("exchange_index").unwrap_or(0));
        let index = index.map_err(|_| invalid("exchange_index is below 0"))?;
        Ok((limit_centi(&body)?, index))
    });
    let (limit, index) = match read {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    let id = shared
        .hub
        .with(|exchange| exchange.open_group(limit, index));
    Answer::json(
        201,
        &json!({"order_group_id": id, "subaccount": 0, "exchange_index": index}),
    )
}

pub(crate) async fn list(State(shared): App) -> Answer {
    shared.hub.read(|exchange| {
        let rows: Vec<Value> = exchange
            .groups()
            .map(|(id, group)| {
                json!({
                    "id": id, "contracts_limit_fp": wire::count(group.limit_centi), "is_auto_cancel_enabled": true,
                    "exchange_index": group.exchange_index,
                })
            })
            .collect();
        Answer::json(200, &json!({"order_groups": rows}))
    })
}

pub(crate) async fn get(State(shared): App, Path(id): Path<String>) -> Answer {
    shared.hub.read(|exchange| {
        exchange.group(&id).map_or_else(Answer::not_found, |group| {
            let orders = exchange.group_orders(&id);
            Answer::json(200, &json!({
                "is_auto_cancel_enabled": true, "contracts_limit_fp": wire::count(group.limit_centi), "orders": orders,
                "exchange_index": group.exchange_index,
            }))
        })
    })
}

/// Does something to a group of the shard that the query names, the first when it names none.
fn change(
    shared: &Shared,
    id: &str,
    query: &Params,
    act: impl FnOnce(&mut Exchange, i64),
) -> Answer {
    let index = query.get("exchange_index").map_or("0", String::as_str);
    shared.hub.with(|exchange| {
        let found = exchange.group(id);
        if found.is_none_or(|group| group.exchange_index.to_string() != index) {
            return Answer::not_found();
        }
        act(exchange, now_us());
        Answer::json(200, &json!({}))
    })
}

pub(crate) async fn delete(State(shared): App, Path(id): Path<String>, query: Params) -> Answer {
    change(&shared, &id, &query, |exchange, now| {
        exchange.close_group(&id, now)
    })
}

pub(crate) async fn reset(State(shared): App, Path(id): Path<String>, query: Params) -> Answer {
    change(&shared, &id, &query, |exchange, _| {
        exchange.reset_group(&id)
    })
}

pub(crate) async fn trigger(State(shared): App, Path(id): Path<String>, query: Params) -> Answer {
    change(&shared, &id, &query, |exchange, now| {
        exchange.trigger_group(&id, now)
    })
}

pub(crate) async fn limit(
    State(shared): App,
    Path(id): Path<String>,
    query: Params,
    bytes: Bytes,
) -> Answer {
    match LIMIT.decode(&bytes).and_then(|body| limit_centi(&body)) {
        Ok(limit) => change(&shared, &id, &query, |exchange, now| {
            exchange.limit_group(&id, limit, now);
        }),
        Err(refusal) => refusal,
    }
}
