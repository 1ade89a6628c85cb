//! Says things on the cold path for a process that must not wait for it: announcements in order and
//! until they are taken, heartbeats as they fall due.

use super::discovery::Discovery;
use super::redis::Cold;
use crate::venue::backoff::Backoff;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// First and longest wait after a refused announcement.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Announces whatever is sent, on a task of the current runtime. The task ends with its sender.
#[must_use]
pub fn announcer(cold: Cold) -> mpsc::UnboundedSender<Discovery> {
    let (sender, mut receiver) = mpsc::unbounded_channel::<Discovery>();
    tokio::spawn(async move {
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        while let Some(discovery) = receiver.recv().await {
            let mut said = false;
            while let Err(error) = cold.announce(&discovery).await {
                if !std::mem::replace(&mut said, true) {
                    tracing::warn!(%error, "cannot announce, trying on");
                }
                sleep(backoff.delay()).await;
            }
            backoff.reset();
        }
    });
    sender
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
