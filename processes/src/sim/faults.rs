//! Faults of the venue on demand: what may go wrong with a new order between its socket and its books.

use super::answer::Answer;
use super::server::Shared;
use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What happens to the next order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fault {
    /// Answered with this status, and not taken.
    Before(u16),
    /// Taken, and answered with this status.
    After(u16),
    /// Not answered, and taken so many milliseconds later, whether or not its sender is still there.
    Late(u64),
}

/// The faults to come, one an order.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<VecDeque<Fault>>);

impl Faults {
    pub(crate) fn plan(&self, faults: impl IntoIterator<Item = Fault>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(faults);
    }

    fn next(&self) -> Option<Fault> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }
}

/// Plans faults, a list of them: `[{"after":503},{"late":3000}]`. Not part of the venue's interface.
pub(crate) async fn plan(
    State(shared): State<Arc<Shared>>,
    Json(faults): Json<Vec<Fault>>,
) -> Answer {
    shared.faults.plan(faults);
    Answer::empty()
}

/// Lets the next fault happen to an order.
pub(crate) async fn spoil(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(fault) = shared.faults.next() else {
        return next.run(request).await;
    };
    match fault {
        Fault::Before(status) => failure(status),
        Fault::After(status) => {
            next.run(request).await;
            failure(status)
        }
        Fault::Late(milliseconds) => {
            // On a task of its own: the body is here whole, so its sender may hang up.
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                next.run(request).await
            });
            std::future::pending().await
        }
    }
}

fn failure(status: u16) -> Response {
    let (code, message) = match status {
        403 => ("forbidden", "forbidden"),
        503 => ("service_unavailable", "service unavailable"),
        _ => ("internal_server_error", "internal server error"),
    };
    Answer::fault(status, code, message, None).into_response()
}
