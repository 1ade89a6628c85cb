//! Heartbeats of a hot process: the loop hands plain counters over, an I/O thread tells Redis.

use crate::cold::announcer::heart;
use crate::cold::redis::Cold;
use crate::runtime::{Context, Failure, handoff, io_thread};
use serde::Serialize;

const NS_PER_MS: u64 = 1_000_000;

/// The hot loop's end.
pub struct Pulse<T> {
    to_io: handoff::ToIo<T>,
    period_ns: u64,
    due_mono_ns: u64,
}

impl<T: Copy + Send + Serialize + 'static> Pulse<T> {
    /// Starts the I/O thread. Call before the loop is pinned.
    ///
    /// # Errors
    ///
    /// When the thread cannot be created.
    pub fn start(context: &Context) -> Result<Self, Failure> {
        let (to_io, mut inbox) = handoff::to_io::<T>(4);
        let redis = &context.pipeline.redis;
        let (cold, period_ms) = (
            Cold::connect(&redis.url, &context.pipeline.name),
            redis.heartbeat_ms,
        );
        let name = context.name.clone();
        io_thread("pulse", move || async move {
            let heart = heart(cold, &name, period_ms);
            while let Some(figures) = inbox.recv().await {
                heart.send_replace(serde_json::json!(figures));
            }
        })?;
        Ok(Self {
            to_io,
            period_ns: period_ms.saturating_mul(NS_PER_MS),
            due_mono_ns: 0,
        })
    }

    /// Hands the figures over if a beat is due.
    #[inline]
    pub fn beat(&mut self, figures: T) {
        let now = ipc::clock::mono_ns();
        if now >= self.due_mono_ns {
            self.due_mono_ns = now.saturating_add(self.period_ns);
            // A full queue means that Redis is slow: the next beat tells more than this one.
            let _ = self.to_io.push(figures);
        }
    }
}
