//! A queue that keeps the latest value of each key: what waits for a server that is away is never
//! more than there are things to tell of, and never out of date.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The end that puts values in.
#[derive(Debug)]
pub struct Outbox<K, V>(Arc<Shared<K, V>>);

/// The end that takes them out.
#[derive(Debug)]
pub struct Outgoing<K, V>(Arc<Shared<K, V>>);

#[derive(Debug)]
struct Shared<K, V> {
    /// Held for a look-up at a time.
    waiting: Mutex<Waiting<K, V>>,
    news: Notify,
}

#[derive(Debug)]
struct Waiting<K, V> {
    /// Keys in the order of their oldest value that was not taken.
    order: VecDeque<K>,
    latest: HashMap<K, V>,
    closed: bool,
}

/// A queue and its two ends.
#[must_use]
pub fn outbox<K: Clone + Eq + Hash, V>() -> (Outbox<K, V>, Outgoing<K, V>) {
    let shared = Arc::new(Shared {
        waiting: Mutex::new(Waiting {
            order: VecDeque::new(),
            latest: HashMap::new(),
            closed: false,
        }),
        news: Notify::new(),
    });
    (Outbox(Arc::clone(&shared)), Outgoing(shared))
}

impl<K, V> Shared<K, V> {
    fn waiting(&self) -> MutexGuard<'_, Waiting<K, V>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash, V> Outbox<K, V> {
    /// Puts a value in, in the place of one that waits under its key.
    pub fn put(&self, key: K, value: V) {
        let mut waiting = self.0.waiting();
        if waiting.latest.insert(key.clone(), value).is_none() {
            waiting.order.push_back(key);
        }
        drop(waiting);
        self.0.news.notify_one();
    }
}

impl<K, V> Drop for Outbox<K, V> {
    fn drop(&mut self) {
        self.0.waiting().closed = true;
        self.0.news.notify_one();
    }
}

impl<K: Clone + Eq + Hash, V> Outgoing<K, V> {
    /// The next value; `None` when nothing waits and the other end is gone.
    pub async fn next(&mut self) -> Option<(K, V)> {
        loop {
            {
                let mut waiting = self.0.waiting();
                if let Some(key) = waiting.order.pop_front()
                    && let Some(value) = waiting.latest.remove(&key)
                {
                    return Some((key, value));
                }
                if waiting.closed {
                    return None;
                }
            }
            self.0.news.notified().await;
        }
    }

    /// Puts back what could not be delivered, to be next again, unless a later value waits already.
    pub fn put_back(&mut self, key: K, value: V) {
        let mut waiting = self.0.waiting();
        if !waiting.latest.contains_key(&key) {
            waiting.order.push_front(key.clone());
            waiting.latest.insert(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_latest_value_of_a_key_waits() {
        let (outbox, mut outgoing) = outbox();
        for value in 0..1_000 {
            outbox.put("a", value);
            outbox.put("b", value);
        }
        let first = outgoing.next().await;
        assert_eq!(first, Some(("a", 999)));
        outgoing.put_back("a", 999);
        assert_eq!(outgoing.next().await, Some(("a", 999)), "next again");
        outbox.put("a", 1_000);
        outgoing.put_back("a", 999);
        drop(outbox);
        assert_eq!(outgoing.next().await, Some(("b", 999)));
        assert_eq!(outgoing.next().await, Some(("a", 1_000)), "out of date");
        assert_eq!(outgoing.next().await, None);
    }
}
