//! The account and our books, compared while they are traded with, on a thread of its own: a venue that is slow
//! holds up nobody who looks after processes.

use super::voice::say;
use crate::{
    cold::{
        database::{self, Opening},
        standing::{Doubts, LOOKS, look},
    },
    runtime::Failure,
    venue::{kalshi_rest::KalshiRest, signing::Signer, tls::Trust},
};
use pipeline::Pipeline;
use serde::Serialize;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::{Notify, oneshot};

/// Time between two looks while something differs, or nothing can be compared. Ten of them outlast what `execution_service` takes to find out
/// about an order that its predecessor may have sent.
const IN_DOUBT: Duration = Duration::from_millis(2_500);

/// How often it was looked.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Audits {
    /// Comparisons of positions, resting orders and cash with the venue, while trading.
    pub looks: u64,
    /// Those in which something differed; it was over soon, or trading was halted.
    pub in_doubt: u64,
    /// Attempts that the venue or the database did not let succeed.
    pub failed: u64,
}

/// The thread, and what it has found. Dropping it ends it.
pub(super) struct Audit {
    found: Arc<Mutex<Found>>,
    /// Rung to look before it is time.
    at_once: Arc<Notify>,
    /// Dropped to end the thread.
    close: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Found {
    /// What is beyond doubt, or that nothing can be known, until it is taken.
    certain: Vec<String>,
    audits: Audits,
}

/// The thread's side.
struct Work {
    rest: KalshiRest,
    database: PathBuf,
    opening: Opening,
    every: Duration,
    found: Arc<Mutex<Found>>,
    at_once: Arc<Notify>,
}

impl Audit {
    /// Begins to compare.
    ///
    /// # Errors
    ///
    /// When the key is unusable, or no thread can be had.
    pub(super) fn start(pipeline: &Pipeline, opening: Opening) -> Result<Self, Failure> {
        let venue = &pipeline.venue;
        let signer = Signer::load(&venue.key_id, &venue.key_file).map_err(Failure::other)?;
        let trust = Trust::load(&pipeline.ca_file).map_err(Failure::other)?;
        let found = Arc::new(Mutex::new(Found::default()));
        let at_once = Arc::new(Notify::new());
        let work = Work {
            rest: KalshiRest::new(&venue.rest, signer, &trust).map_err(Failure::other)?,
            database: database::path(pipeline),
            opening,
            every: Duration::from_secs(pipeline.safety.audit_every_s),
            found: Arc::clone(&found),
            at_once: Arc::clone(&at_once),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::io("create a runtime", error))?;
        let (close, closed) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = work.compare() => {}
                        _ = closed => {}
                    }
                });
            })
            .map_err(|error| Failure::io("create a thread", error))?;
        Ok(Self {
            found,
            at_once,
            close: Some(close),
            thread: Some(thread),
        })
    }

    /// Why the books are not to be traded on, in whole sentences, if that was found since the last question.
    pub(super) fn verdict(&self) -> Option<Vec<String>> {
        let certain = std::mem::take(&mut lock(&self.found).certain);
        (!certain.is_empty()).then_some(certain)
    }

    /// Has it look now, whenever it would have been time.
    pub(super) fn look_now(&self) {
        self.at_once.notify_one();
    }

    /// How often it was looked so far.
    pub(super) fn audits(&self) -> Audits {
        lock(&self.found).audits
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        drop(self.close.take());
        if let Some(thread) = self.thread.take() {
            // It does not panic; and if it did, nothing is left to do.
            let _ = thread.join();
        }
    }
}

impl Work {
    async fn compare(self) {
        let mut doubts = Doubts::default();
        // Attempts in a row that did not succeed.
        let mut failures = 0_u32;
        loop {
            let in_doubt = failures > 0 || doubts.are_there();
            time_to_look(in_doubt, self.every, &self.at_once).await;
            match look(&self.database, &self.rest, self.opening).await {
                Ok(gaps) => {
                    failures = 0;
                    let certain = doubts.weigh(&gaps);
                    let mut found = lock(&self.found);
                    found.audits.looks += 1;
                    found.audits.in_doubt += u64::from(!gaps.is_empty());
                    if !certain.is_empty() {
                        let told = certain
                            .iter()
                            .map(|gap| format!("the account is not as our books say: {gap}"));
                        found.certain = told.collect();
                    }
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    let mut found = lock(&self.found);
                    found.audits.failed += 1;
                    if failures == 1 {
                        say(&format!(
                            "\nwarning: the account cannot be compared with our books, trying on: {error}"
                        ));
                    }
                    // Whoever cannot see does not know that nothing differs.
                    if failures >= LOOKS {
                        found.certain = vec![format!(
                            "the account cannot be compared with our books, {failures} times in a row: {error}"
                        )];
                    }
                }
            }
        }
    }
}

/// Waits until the next look is due.
async fn time_to_look(in_doubt: bool, every: Duration, at_once: &Notify) {
    if in_doubt {
        // No sooner for anybody's death: what it takes to clear a doubt is time, and not looks.
        tokio::time::sleep(IN_DOUBT).await;
    } else {
        // Asked in time, or when it is time.
        let _ = tokio::time::timeout(every, at_once.notified()).await;
    }
}

fn lock(found: &Mutex<Found>) -> MutexGuard<'_, Found> {
    found.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// Ten looks halt trading: restarts one after another must not make them in a moment.
    #[tokio::test]
    async fn whoever_dies_while_there_is_doubt_makes_no_look_come_sooner() {
        let (at_once, began) = (Notify::new(), Instant::now());
        at_once.notify_one();
        time_to_look(true, Duration::ZERO, &at_once).await;
        assert!(began.elapsed() >= IN_DOUBT);
    }

    #[tokio::test]
    async fn without_doubt_it_is_looked_when_somebody_dies_and_in_time() {
        let at_once = Notify::new();
        at_once.notify_one();
        // Or this ends never.
        time_to_look(false, Duration::MAX, &at_once).await;
        time_to_look(false, Duration::from_millis(1), &at_once).await;
    }
}
