//! Several orders in one call. Each item is answered for itself.

use super::answer::Answer;
use super::body::{Body, Kind, Schema};
use super::changes::{Route, cancelled};
use super::order_form::{CREATE, OrderForm, invalid};
use super::portfolio::placed;
use super::server::Shared;
use super::times::now_us;
use super::wire;
use axum::body::Bytes;
use axum::extract::State;
use serde_json::{Value, json};
use std::sync::Arc;

type App = State<Arc<Shared>>;

/// Path below the API's root.
pub(crate) const PATH: &str = "/portfolio/events/orders/batched";

const CREATES: Schema = Schema {
    name: "BatchCreateOrdersV2Request",
    fields: &[("orders", Kind::List)],
};

const CANCELS: Schema = Schema {
    name: "BatchCancelOrdersV2Request",
    fields: &[("orders", Kind::List)],
};

const CANCEL: Schema = Schema {
    name: "BatchCancelOrdersV2RequestOrder",
    fields: &[
        ("order_id", Kind::Text),
        ("subaccount", Kind::Whole),
        ("exchange_index", Kind::Whole),
        ("market_ticker", Kind::Text),
    ],
};

/// The items of a batch.
fn items(outer: &Schema, inner: &Schema, bytes: &[u8]) -> Result<Vec<Body>, Answer> {
    let rows = inner.rows(outer, outer.decode(bytes)?, "orders")?;
    if rows.is_empty() {
        return Err(invalid("no orders"));
    }
    Ok(rows)
}

pub(crate) async fn create(State(shared): App, bytes: Bytes) -> Answer {
    let rows = match items(&CREATES, &CREATE, &bytes) {
        Ok(rows) => rows,
        Err(refusal) => return refusal,
    };
    let now = now_us();
    let place = |row| {
        let form = OrderForm(row);
        let name = form.0.some_text("client_order_id");
        let placed = shared.hub.with(|exchange| placed(exchange, &form, now));
        placed.map_or_else(
            |refusal| {
                let mut item = json!({"error": refusal.error()});
                if let Some(name) = name {
                    item["client_order_id"] = name.into();
                }
                item
            },
            |order| wire::created(&order),
        )
    };
    let orders: Vec<Value> = rows.into_iter().map(place).collect();
    Answer::json(201, &json!({"orders": orders}))
}

pub(crate) async fn cancel(State(shared): App, bytes: Bytes) -> Answer {
    let rows = match items(&CANCELS, &CANCEL, &bytes) {
        Ok(rows) => rows,
        Err(refusal) => return refusal,
    };
    let now = now_us();
    let orders: Vec<Value> = rows
        .iter()
        .map(|row| {
            let id = row.text("order_id");
            let route = Route {
                exchange_index: row.whole("exchange_index"),
                ticker: row.text("market_ticker"),
            };
            let done = shared
                .hub
                .with(|exchange| cancelled(exchange, id, route, now));
            done.unwrap_or_else(|refusal| {
                json!({"order_id": id, "reduced_by": wire::count(0), "error": refusal.error()})
            })
        })
        .collect();
    Answer::json(200, &json!({"orders": orders}))
}
