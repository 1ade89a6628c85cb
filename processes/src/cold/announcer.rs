//! Says things on the cold path for a process that must not wait for it: announcements until they are
//! taken, heartbeats as they fall due.

use super::outbox::{Outbox, outbox};
use super::redis::Cold;
use crate::discovery::Discovery;
use crate::venue::backoff::Backoff;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// First and longest wait after a refused announcement.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// Time between two looks at whether the server has forgotten.
const REMIND_EVERY: Duration = Duration::from_secs(1);

/// Announces for a process, on tasks of the current runtime that end with it. While the server is
/// away the last word on each game and market waits, and only that; a server that has forgotten what it was
/// told is told again.
#[derive(Debug)]
pub struct Announcer(Arc<Said>);

/// Everything that the server is to know.
#[derive(Debug)]
struct Said {
    outbox: Outbox<Subject, Discovery>,
    /// Held for a look at a time.
    all: Mutex<HashMap<Subject, Discovery>>,
}

/// What a discovery is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Subject {
    Game(u32),
    Market(u32),
}

impl Announcer {
    /// An announcer of the current runtime.
    #[must_use]
    pub fn start(cold: Cold) -> Self {
        let (sender, mut outgoing) = outbox();
        let memory = cold.clone();
        tokio::spawn(async move {
            let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
            let mut said = false;
            while let Some((subject, discovery)) = outgoing.next().await {
                match cold.announce(&discovery).await {
                    Ok(()) => {
                        said = false;
                        backoff.reset();
                    }
                    Err(error) => {
                        if !std::mem::replace(&mut said, true) {
                            tracing::warn!(%error, "cannot announce, trying on");
                        }
                        outgoing.put_back(subject, discovery);
                        sleep(backoff.delay()).await;
                    }
                }
            }
        });
        let said = Arc::new(Said {
            outbox: sender,
            all: Mutex::default(),
        });
        tokio::spawn(remind(memory, Arc::downgrade(&said)));
        Self(said)
    }

    /// Announces, at once or as soon as the server takes it.
    pub fn announce(&self, discovery: Discovery) {
        self.remember(discovery.clone());
        self.0.outbox.put(Subject::of(&discovery), discovery);
    }

    /// Takes note of what the server has been told by somebody before us, to say it again should it forget.
    pub fn remember(&self, discovery: Discovery) {
        self.0.all().insert(Subject::of(&discovery), discovery);
    }
}

impl Said {
    fn all(&self) -> MutexGuard<'_, HashMap<Subject, Discovery>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subject {
    fn of(discovery: &Discovery) -> Self {
        match discovery {
            Discovery::Game(game) => Self::Game(game.game),
            Discovery::Market(market) => Self::Market(market.market),
        }
    }
}

/// Says everything again when the server knows of less than it was told: it was started anew, or wiped.
async fn remind(cold: Cold, said: Weak<Said>) {
    let mut due = interval(REMIND_EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        let Some(said) = said.upgrade() else { return };
        let all: Vec<Discovery> = said.all().values().cloned().collect();
        let hashes: HashSet<&str> = all.iter().map(Discovery::hash).collect();
        for hash in hashes {
            let told: Vec<&Discovery> = all.iter().filter(|one| one.hash() == hash).collect();
            // Announcements that are on their way are few, and to say them twice does no harm.
            let Ok(known) = cold.hash_len(hash).await else {
                continue;
            };
            if known < told.len() {
                tracing::info!(
                    hash,
                    known,
                    told = told.len(),
                    "redis has forgotten: said again"
                );
                for discovery in told {
                    said.outbox.put(Subject::of(discovery), discovery.clone());
                }
            }
        }
    }
}

/// Beats for a process with the figures last sent, on a task of the current runtime.
#[must_use]
pub fn heart(cold: Cold, process: &str, period_ms: u64) -> watch::Sender<serde_json::Value> {
    let (sender, figures) = watch::channel(serde_json::json!({}));
    let (process, period) = (
        process.to_owned(),
        Duration::from_millis(period_ms.max(100)),
    );
    tokio::spawn(async move {
        let mut due = interval(period);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while figures.has_changed().is_ok() {
            due.tick().await;
            let beat = serde_json::json!({
                "state": "run",
                "unix_ms": jiff::Timestamp::now().as_millisecond(),
                "figures": *figures.borrow(),
            });
            // Whoever watches sees a missing beat; saying so here again would say nothing new.
            if let Err(error) = cold.heartbeat(&process, &beat, period).await {
                tracing::debug!(%error, "no heartbeat");
            }
        }
    });
    sender
}
