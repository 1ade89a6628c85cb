//! The account and our books, compared while they are traded with, on a thread of its own: a venue that is slow
//! holds up nobody who looks after processes.

use super::voice::say;
use crate::{
    cold::{
        database::{self, Opening},
        standing::{Doubts, look},
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
use tokio::sync::oneshot;

/// Time between two looks while something differs. Ten of them outlast what `execution_service` takes to find out
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
    /// Dropped to end the thread.
    close: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Found {
    /// What is beyond doubt, until it is taken.
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
        let work = Work {
            rest: KalshiRest::new(&venue.rest, signer, &trust).map_err(Failure::other)?,
            database: database::path(pipeline),
            opening,
            every: Duration::from_secs(pipeline.safety.audit_every_s),
            found: Arc::clone(&found),
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
            close: Some(close),
            thread: Some(thread),
        })
    }

    /// What differs for certain, if that was found since the last question.
    pub(super) fn verdict(&self) -> Option<Vec<String>> {
        let certain = std::mem::take(&mut lock(&self.found).certain);
        (!certain.is_empty()).then_some(certain)
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
        let mut has_failed = false;
        loop {
            let due = if doubts.are_there() {
                IN_DOUBT
            } else {
                self.every
            };
            tokio::time::sleep(due).await;
            match look(&self.database, &self.rest, self.opening).await {
                Ok(gaps) => {
                    has_failed = false;
                    let certain = doubts.weigh(&gaps);
                    let mut found = lock(&self.found);
                    found.audits.looks += 1;
                    found.audits.in_doubt += u64::from(!gaps.is_empty());
                    if !certain.is_empty() {
                        found.certain = certain;
                    }
                }
                Err(error) => {
                    lock(&self.found).audits.failed += 1;
                    if !std::mem::replace(&mut has_failed, true) {
                        say(&format!(
                            "\nwarning: the account cannot be compared with our books, trying on: {error}"
                        ));
                    }
                }
            }
        }
    }
}

fn lock(found: &Mutex<Found>) -> MutexGuard<'_, Found> {
    found.lock().unwrap_or_else(PoisonError::into_inner)
}
