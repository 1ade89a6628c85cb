//! Looks orders up at the venue by our ids: many at a time, with one read.
//!
//! The venue lists orders by market only. A successor looks up whatever its predecessor had on its way, all at once
//! and several times; a read for each would take longer, at the pace of a small account, than an order may
//! wait for its fate.

use crate::venue::kalshi_rest::{KalshiRest, Listing};
use crate::venue::kalshi_wire::OrderState;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// What one read showed, and when it began; `None` for a list that could not be had.
type Read = Option<(Instant, Option<Arc<Listing<OrderState>>>)>;
/// The last read of each market; of all orders where the market is not known.
type Reads = HashMap<Option<String>, Arc<tokio::sync::Mutex<Read>>>;

/// The reads that are shared.
#[derive(Debug)]
pub(super) struct LookUps {
    rest: KalshiRest,
    /// Held for a look into the map.
    reads: Mutex<Reads>,
}

impl LookUps {
    pub(super) fn new(rest: KalshiRest) -> Self {
        Self {
            rest,
            reads: Mutex::default(),
        }
    }

    /// The order with our id, by a read that began after the question: `Ok(None)` when the venue does not show it,
    /// an error when that cannot be told.
    pub(super) async fn order(
        &self,
        ticker: Option<&str>,
        id: &str,
    ) -> Result<Option<OrderState>, Unreadable> {
        let asked = Instant::now();
        let last = {
            let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(reads.entry(ticker.map(str::to_owned)).or_default())
        };
        // Whoever asks during a read waits here for the next, which one of them makes for all.
        let mut last = last.lock().await;
        let listing = match &*last {
            Some((began, listing)) if *began >= asked => listing.clone(),
            _ => {
                let began = Instant::now();
                let listing = self.rest.readable_orders(ticker).await;
                let listing = listing.inspect_err(
                    |error| tracing::debug!(%error, "orders cannot be read, trying on"),
                );
                let listing = listing.ok().map(Arc::new);
                *last = Some((began, listing.clone()));
                listing
            }
        };
        drop(last);
        let listing = listing.ok_or(Unreadable)?;
        let order = listing
            .items
            .iter()
            .find(|order| order.client_order_id == id);
        match order {
            Some(order) => Ok(Some(order.clone())),
            None if listing.unreadable == 0 => Ok(None),
            // It may be among those.
            None => Err(Unreadable),
        }
    }
}

/// The venue's orders could not be read, or not all of them.
#[derive(Debug)]
pub(super) struct Unreadable;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::signing::test_signer;
    use crate::venue::tls::Trust;
    use axum::{Router, extract::State, routing::get};
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    const ORDERS: &str = r#"{"orders":[{"order_id":"o","client_order_id":"c-0","ticker":"A-B","book_side":"bid","status":"canceled","fill_count_fp":"0.50","remaining_count_fp":"0.00"}]}"#;

    /// A venue that lists these orders, slowly, and how often it was asked.
    async fn venue(orders: &'static str) -> (LookUps, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let answer = async move |State(asked): State<Arc<AtomicUsize>>| {
            asked.fetch_add(1, Relaxed);
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            orders
        };
        let router = Router::new()
            .route("/trade-api/v2/portfolio/orders", get(answer))
            .with_state(Arc::clone(&asked));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        let base = format!("http://{address}/trade-api/v2");
        let rest = KalshiRest::new(&base, test_signer(), &Trust::none()).expect("an address");
        (LookUps::new(rest), asked)
    }

    #[tokio::test]
    async fn who_asks_at_the_same_time_shares_one_read_and_who_asks_later_has_another() {
        let (look_ups, asked) = venue(ORDERS).await;
        let look_ups = Arc::new(look_ups);
        let ask = |id: String| {
            let look_ups = Arc::clone(&look_ups);
            async move { look_ups.order(Some("A-B"), &id).await.expect("reads") }
        };
        let mut all = tokio::task::JoinSet::new();
        for index in 0..64 {
            all.spawn(ask(format!("c-{index}")));
        }
        let found = all.join_all().await;
        let found: Vec<OrderState> = found.into_iter().flatten().collect();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].filled_centi, &*found[0].client_order_id),
            (50, "c-0")
        );
        let so_far = asked.load(Relaxed);
        // Some may ask while the first read is under way: they have the second.
        assert!((1..=2).contains(&so_far), "{so_far} reads");
        assert!(ask("c-0".into()).await.is_some());
        assert_eq!(asked.load(Relaxed), so_far + 1);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_no_absence() {
        let (look_ups, _) = venue(r#"{"orders":7}"#).await;
        assert!(look_ups.order(None, "c-0").await.is_err());
        let (look_ups, _) = venue(r#"{"orders":[{"order_id":7}]}"#).await;
        assert!(look_ups.order(Some("A-B"), "c-0").await.is_err());
    }
}
