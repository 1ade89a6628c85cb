//! Says things on the cold path for a process that must not wait for it: announcements until they are
//! taken, heartbeats as they fall due.

use super::discovery::Discovery;
use super::outbox::{Outbox, outbox};
use super::redis::Cold;
use crate::venue::backoff::Backoff;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// First and longest wait after a refused announcement.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Announces for a process, on a task of the current runtime that ends with it. While the server is
/// away the last word on each game and market waits, and only that.
#[derive(Debug)]
pub struct Announcer(Outbox<Subject, Discovery>);

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
        Self(sender)
    }

    /// Announces, at once or as soon as the server takes it.
    pub fn announce(&self, discovery: Discovery) {
        let subject = match &discovery {
            Discovery::Game(game) => Subject::Game(game.game),
            Discovery::Market(market) => Subject::Market(market.market),
        };
        self.0.put(subject, discovery);
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
