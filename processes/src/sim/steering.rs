//! What a test or an operator makes the simulated venue do. None of it is part of the venue's interface.
//!
//! | POST /simulator/... | then |
//! |---|---|
//! | `gap` | the next change of each order book subscription is lost on its way, its number taken |
//! | `disconnect` | every WebSocket is hung up on |
//! | `pause`, `resume` | nothing trades anywhere, until it does again |
//! | `faults` | the next orders fail before or after they are taken, or arrive late: `[{"after":503},{"late":3000}]` |
//! | `markets/{ticker}/deactivate`, `activate` | the same of one market; 404 where it is not active, or not paused |

use super::answer::Answer;
use super::exchange::Exchange;
use super::faults;
use super::ledger::MarketNumber;
use super::server::Shared;
use super::times::now_us;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::post;
use std::sync::Arc;

type App = State<Arc<Shared>>;

/// Its routes.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/simulator/gap", post(gap))
        .route("/simulator/disconnect", post(disconnect))
        .route("/simulator/faults", post(faults::plan))
        .route("/simulator/pause", post(pause))
        .route("/simulator/resume", post(resume))
        .route("/simulator/markets/{ticker}/deactivate", post(deactivate))
        .route("/simulator/markets/{ticker}/activate", post(activate))
}

async fn gap(State(shared): App) -> Answer {
    shared.hub.inject_gap();
    Answer::empty()
}

async fn disconnect(State(shared): App) -> Answer {
    shared.hub.disconnect_all();
    Answer::empty()
}

async fn pause(State(shared): App) -> Answer {
    shared.hub.with(|exchange| exchange.pause(now_us()));
    Answer::empty()
}

async fn resume(State(shared): App) -> Answer {
    shared.hub.with(Exchange::resume);
    Answer::empty()
}

async fn deactivate(State(shared): App, Path(ticker): Path<String>) -> Answer {
    of_market(&shared, &ticker, Exchange::deactivate)
}

async fn activate(State(shared): App, Path(ticker): Path<String>) -> Answer {
    of_market(&shared, &ticker, Exchange::activate)
}

fn of_market(
    shared: &Shared,
    ticker: &str,
    act: fn(&mut Exchange, MarketNumber, i64) -> bool,
) -> Answer {
    let done = shared.hub.with(|exchange| {
        let market = exchange.market_number(ticker);
        market.is_some_and(|market| act(exchange, market, now_us()))
    });
    if done {
        Answer::empty()
    } else {
        Answer::not_found()
    }
}
