//! Follows the discovery stream from its beginning, for as long as the process lives.

use super::complaints::Complaints;
use crate::cold::redis::{Cold, Cursor};
use crate::discovery::Discovery;
use crate::venue::backoff::Backoff;
use std::time::Duration;
use tokio::sync::mpsc;

/// Longest wait of one read for something new.
const BLOCK: Duration = Duration::from_secs(1);
/// First and longest wait after a failed read.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Calls `take` with every discovery, old ones first. Never ends by itself; survives a Redis that
/// is slow, away or wiped.
pub async fn follow(cold: Cold, mut take: impl AsyncFnMut(Discovery)) {
    const TROUBLE: &str = "cannot read the discovery stream, trying on";
    let mut cursor = Cursor::default();
    let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
    let mut complaints = Complaints::default();
    loop {
        match cold.discoveries(&mut cursor, BLOCK).await {
            Ok(discoveries) => {
                backoff.reset();
                complaints.forget(TROUBLE);
                for discovery in discoveries {
                    take(discovery).await;
                }
                if cursor.malformed > 0 {
                    complaints.say(
                        "entries of the discovery stream cannot be read",
                        &cursor.malformed,
                    );
                }
            }
            Err(error) => {
                complaints.say(TROUBLE, &error);
                tokio::time::sleep(backoff.delay()).await;
            }
        }
    }
}

/// As [`follow`], on a task of its own that ends with the receiver.
#[must_use]
pub fn followed(cold: Cold) -> mpsc::UnboundedReceiver<Discovery> {
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let taker = sender.clone();
        let following = follow(cold, async move |discovery| {
            // Refused only when nobody listens any more, which ends this task.
            let _ = taker.send(discovery);
        });
        tokio::select! {
            () = following => {}
            () = sender.closed() => {}
        }
    });
    receiver
}
