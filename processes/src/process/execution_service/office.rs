//! The I/O thread of `execution_service`: all that talks to the venue and to Redis.

use super::brake::{Brake, Word};
use super::clearing;
use super::desk::Desk;
use super::dry_orders::DryOrders;
use super::listings::Listings;
use super::look_up::LookUps;
use super::placing::{Placing, Taken};
use super::tally::Tally;
use super::{Endpoint, Note};
use crate::cold::announcer::heart;
use crate::cold::redis::Cold;
use crate::runtime::Gate;
use crate::runtime::handoff::{IoInbox, ToHot};
use crate::venue::backoff::{Backoff, until_done};
use crate::venue::kalshi_rest::KalshiRest;
use serde_json::json;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// First and longest wait between attempts to reach the venue at the start.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// How often a connection is used at least.
const TOUCH_EVERY: Duration = Duration::from_secs(20);

/// The I/O thread's side.
pub(super) struct Office {
    pub(super) rest: KalshiRest,
    pub(super) brake: Arc<Brake>,
    pub(super) desk: Arc<Desk>,
    pub(super) endpoint: Endpoint,
    pub(super) cold: Cold,
    pub(super) run_id: String,
    pub(super) run_dir: PathBuf,
    pub(super) process: String,
    pub(super) heartbeat_ms: u64,
    pub(super) tally: Arc<Mutex<Tally>>,
    pub(super) word: watch::Receiver<Word>,
    pub(super) dry: Option<DryOrders>,
    pub(super) gate: Gate,
}

impl Office {
    /// Places orders until the hot thread hangs up and all are done.
    pub(super) async fn run(mut self, mut orders: IoInbox<Taken>, mut notes: ToHot<Note>) {
        let heart = heart(self.cold.clone(), &self.process, self.heartbeat_ms);
        let brake = Arc::clone(&self.brake);
        let placing = Arc::new(Placing {
            rest: self.rest.clone(),
            look_ups: LookUps::new(self.rest.clone()),
            listings: Listings::follow(self.cold.clone(), &self.run_dir),
            desk: Arc::clone(&self.desk),
            brake: Arc::clone(&brake),
            run_id: self.run_id.clone(),
            tally: Arc::clone(&self.tally),
            dry: self.dry.take(),
            gate: self.gate.clone(),
        });
        let sends = placing.dry.is_none();
        self.attend(&placing, sends);
        let mut warming = std::pin::pin!(async {
            warm(&self.rest).await;
            if sends { brake.opened().await } else { Ok(()) }
        });
        let (mut cold, mut open) = (true, true);
        let mut placed = JoinSet::new();
        let mut done_so_far = 0_u64;
        while open || !placed.is_empty() {
            let note = tokio::select! {
                biased;
                taken = orders.recv(), if open => {
                    match taken {
                        Some(taken) => {
                            let placing = Arc::clone(&placing);
                            placed.spawn(async move { placing.place(taken).await });
                        }
                        None => open = false,
                    }
                    continue;
                }
                Some(done) = placed.join_next() => match done {
                    Ok(done) => Note::Done(done),
                    // Its order is lost to this process; ending lets a successor take it up again.
                    Err(error) => return tracing::error!(%error, "an order's task has ended"),
                },
                opened = &mut warming, if cold => {
                    cold = false;
                    match opened {
                        Ok(()) => Note::Ready,
                        Err(error) => Note::Refused(format!(
                            "nothing is traded without the venue's own brake, an order group: {error}"
                        )),
                    }
                }
            };
            done_so_far += 1;
            heart.send_replace(json!({ "done": done_so_far, "in_flight": placed.len() }));
            if notes.send(note).await.is_err() {
                return;
            }
        }
        if sends {
            brake.end().await;
        }
    }

    /// Sees to what goes on beside the orders.
    fn attend(&self, placing: &Placing, sends: bool) {
        let (desk, endpoint) = (Arc::clone(&self.desk), self.endpoint.clone());
        tokio::spawn(async move { desk.listen(&endpoint).await });
        // Where nothing is sent nothing is taken back either.
        if sends {
            tokio::spawn(clearing::keep_clear(
                self.rest.clone(),
                self.word.clone(),
                Arc::clone(&self.tally),
            ));
            let (brake, shards) = (Arc::clone(&self.brake), placing.listings.shards());
            tokio::spawn(async move { brake.keep(shards).await });
            tokio::spawn(keep_warm(self.rest.clone()));
        }
    }
}

/// Opens the connections that orders will take, without which the first orders would pay for that, and learns how many
/// of them the account may send.
async fn warm(rest: &KalshiRest) {
    until_done(
        Backoff::new(BACKOFF.0, BACKOFF.1),
        || rest.learn_limits(),
        |error| tracing::warn!(%error, "the venue does not answer yet, trying on"),
    )
    .await;
    touch_all(rest).await;
}

/// Keeps as many connections open as the legs of an arbitrage need: the venue closes idle ones, and the next order would
/// pay for a new one. Ends with its runtime.
async fn keep_warm(rest: KalshiRest) {
    loop {
        tokio::time::sleep(TOUCH_EVERY).await;
        touch_all(&rest).await;
    }
}

/// At the same time, so that each takes a connection of its own.
async fn touch_all(rest: &KalshiRest) {
    let (one, other) = tokio::join!(rest.touch(), rest.touch());
    for error in [one.err(), other.err()].into_iter().flatten() {
        tracing::debug!(%error, "a connection cannot be kept warm");
    }
}

#[cfg(test)]
mod tests;
