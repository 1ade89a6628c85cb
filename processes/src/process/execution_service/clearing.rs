//! Takes back whatever rests at the venue when trading is halted.

use super::brake::Word;
use super::tally::Tally;
use crate::venue::backoff::{Backoff, until_done};
use crate::venue::kalshi_rest::KalshiRest;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// First and longest wait before the venue is asked again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Cancels all each time that trading is halted, and tries on until the venue has done it or trading goes
/// on. Ends with the sender.
pub(super) async fn keep_clear(
    rest: KalshiRest,
    mut word: watch::Receiver<Word>,
    tally: Arc<Mutex<Tally>>,
) {
    while word.wait_for(|word| word.halted).await.is_ok() {
        tracing::warn!("safe state: nothing is sent, what rests at the venue is cancelled");
        let mut goes_on = word.clone();
        tokio::select! {
            () = cancel_all(&rest) => {
                tracing::warn!("safe state: the venue has cancelled all that rested");
                tally.lock().unwrap_or_else(PoisonError::into_inner).cleared += 1;
            }
            // Trading goes on, or this process ends.
            _ = trading(&mut goes_on) => {}
        }
        if trading(&mut word).await.is_err() {
            return;
        }
        tracing::warn!("trading goes on");
    }
}

async fn trading(word: &mut watch::Receiver<Word>) -> Result<(), watch::error::RecvError> {
    word.wait_for(|word| !word.halted).await.map(drop)
}

async fn cancel_all(rest: &KalshiRest) {
    until_done(
        Backoff::new(BACKOFF.0, BACKOFF.1),
        || rest.cancel_all_orders(),
        |error| tracing::error!(%error, "safe state: the venue does not cancel, trying on"),
    )
    .await;
}
