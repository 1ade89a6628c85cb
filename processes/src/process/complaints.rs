//! Each trouble is said once, however often it comes; counters tell how often.

use std::collections::HashSet;

/// Causes beyond which nothing new is said: a peer that invents causes must not fill memory.
const MOST: usize = 256;

/// What has been complained about.
#[derive(Debug, Default)]
pub struct Complaints(HashSet<String>);

impl Complaints {
    /// Logs a cause with its details, the first time it comes.
    pub fn say(&mut self, cause: &str, details: &dyn std::fmt::Display) {
        if self.0.len() < MOST && self.0.insert(cause.to_owned()) {
            tracing::warn!(%details, "{cause} (said once)");
        }
    }

    /// The trouble is over: should it come again, it is said again.
    pub fn forget(&mut self, cause: &str) {
        self.0.remove(cause);
    }
}
