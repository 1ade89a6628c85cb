//! Trades of orders in flight as the venue's `fill` channel tells them.
//!
//! The channel is the fast way to exact fills, not the sure one: it has no sequence, and a session
//! may be down. Whoever waits here waits for a bounded time and then asks over REST.

use super::super::complaints::Complaints;
use super::placing::trade;
use crate::venue::backoff::Backoff;
use crate::venue::error::VenueError;
use crate::venue::kalshi_frames::{Body, FillFrame};
use crate::venue::kalshi_ws::{Endpoint, Session};
use stages::execution::{Trade, Trades};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// First and longest wait before the session is opened anew.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Trades by our order id, of the orders that are in flight.
#[derive(Debug, Default)]
pub(super) struct Desk {
    /// Held for a look-up at a time, by tasks of one thread: never contended.
    orders: Mutex<HashMap<String, Trades>>,
    news: Notify,
}

impl Desk {
    /// Starts to keep the trades of an order.
    pub(super) fn expect(&self, client_order_id: &str) {
        self.orders().entry(client_order_id.to_owned()).or_default();
    }

    /// Ends it.
    pub(super) fn forget(&self, client_order_id: &str) {
        self.orders().remove(client_order_id);
    }

    /// The trades told so far once they add up to `count_centi`, or at the latest after `patience`.
    pub(super) async fn trades(
        &self,
        client_order_id: &str,
        count_centi: u32,
        patience: Duration,
    ) -> Trades {
        let complete = async {
            loop {
                // Registered before the look, so that what comes between look and wait wakes it.
                let news = self.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                if self.told(client_order_id).count_centi() >= u64::from(count_centi) {
                    return;
                }
                news.await;
            }
        };
        let _late_or_complete = tokio::time::timeout(patience, complete).await;
        self.told(client_order_id)
    }

    /// Takes a trade; one of an order that is not in flight is somebody else's.
    fn deliver(&self, client_order_id: &str, trade: Trade) {
        if let Some(trades) = self.orders().get_mut(client_order_id) {
            trades.add(trade);
            self.news.notify_waiters();
        }
    }

    fn told(&self, client_order_id: &str) -> Trades {
        self.orders()
            .get(client_order_id)
            .cloned()
            .unwrap_or_default()
    }

    fn orders(&self) -> MutexGuard<'_, HashMap<String, Trades>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a session on the `fill` channel, for ever.
    pub(super) async fn listen(&self, endpoint: &Endpoint) {
        const DOWN: &str = "the fill channel is down, fills come over REST";
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        let mut complaints = Complaints::default();
        loop {
            match self.session(endpoint, &mut backoff, &mut complaints).await {
                Ok(never) => match never {},
                Err(error) => complaints.say(DOWN, &error),
            }
            tokio::time::sleep(backoff.delay()).await;
        }
    }

    async fn session(
        &self,
        endpoint: &Endpoint,
        backoff: &mut Backoff,
        complaints: &mut Complaints,
    ) -> Result<std::convert::Infallible, VenueError> {
        let mut session = Session::connect(endpoint).await?;
        session.subscribe(&["fill"], None).await?;
        let mut subscribed = false;
        loop {
            let received = session.next().await?;
            match received.frame().map(|frame| frame.body) {
                Ok(Body::Subscribed(_)) => {
                    subscribed = true;
                    backoff.reset();
                }
                Ok(Body::Fill(frame)) => self.on_frame(&frame),
                // Without its subscription the session would stay, and tell nothing.
                Ok(Body::Error(error)) if !subscribed || error.is_terminal() => {
                    let reason = format!("error {}: {}", error.code, error.text);
                    return Err(VenueError::Disconnected { reason });
                }
                Ok(Body::Error(error)) => complaints.say("the venue says an error", &error.text),
                Ok(Body::Unsubscribed) => {
                    let reason = "the venue has ended the subscription".to_owned();
                    return Err(VenueError::Disconnected { reason });
                }
                Ok(_) => {}
                Err(error) if !subscribed && error.kind == "subscribed" => {
                    let reason = error.to_string();
                    return Err(VenueError::Disconnected { reason });
                }
                Err(error) => complaints.say("a frame cannot be read", &error),
            }
        }
    }

    fn on_frame(&self, frame: &FillFrame<'_>) {
        let trade = trade(
            frame.trade_id,
            frame.count_centi,
            frame.price_e4,
            frame.fee_micros,
            frame.side,
            frame.is_taker,
        );
        if let (Some(id), Some(trade)) = (&frame.client_order_id, trade) {
            self.deliver(id, trade);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::kalshi_ws::stand_in::{Venue, listen};
    use crate::venue::signing::test_signer;
    use crate::venue::tls::Trust;
    use layouts::Side;

    fn some(id: u8, count: u32) -> Trade {
        trade([id; 16], count, 5_000, 100, Side::Bid, true).unwrap()
    }

    /// A refused subscription left a connection that never tells a fill.
    #[tokio::test]
    async fn a_session_ends_when_it_is_refused_or_cut_off() {
        const SUBSCRIBED: &str = r#"{"type":"subscribed","id":1,"msg":{"channel":"fill","sid":1}}"#;
        const REFUSED: &str = r#"{"type":"error","id":1,"msg":{"code":9,"msg":"refused"}}"#;
        const OVERFLOW: &str = r#"{"type":"error","msg":{"code":25,"msg":"refused"}}"#;
        const UNREADABLE: &str = r#"{"type":"subscribed","id":1,"msg":{"channel":"fill"}}"#;
        for frames in [
            vec![REFUSED],
            vec![UNREADABLE],
            vec![SUBSCRIBED, OVERFLOW],
            // An error of another command alone is no reason.
            vec![SUBSCRIBED, REFUSED, r#"{"type":"unsubscribed","sid":1}"#],
        ] {
            let (desk, (listener, address)) = (Desk::default(), listen().await);
            let mut complaints = Complaints::default();
            let endpoint = Endpoint {
                address,
                signer: test_signer(),
                trust: Trust::none(),
            };
            let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
            let serve = async {
                let mut venue = Venue::accept(&listener).await;
                venue.command().await;
                for frame in &frames {
                    venue.says(frame).await;
                }
                // The connection itself stays: the client is to leave it.
                venue
            };
            let session = desk.session(&endpoint, &mut backoff, &mut complaints);
            let (ended, _venue) = tokio::join!(session, serve);
            assert!(matches!(ended, Err(VenueError::Disconnected { .. })));
        }
    }

    #[tokio::test]
    async fn trades_are_handed_over_when_they_add_up_or_time_is_up() {
        let desk = Desk::default();
        desk.expect("mine");
        // A trade may be told before the order's own answer.
        desk.deliver("mine", some(1, 40));
        desk.deliver("another's", some(2, 60));
        let early = desk.trades("mine", 100, Duration::from_millis(1)).await;
        assert_eq!(early.count_centi(), 40, "time is up");
        let (whole, ()) = tokio::join!(desk.trades("mine", 100, Duration::from_secs(600)), async {
            desk.deliver("mine", some(1, 40));
            desk.deliver("mine", some(3, 60));
        });
        assert_eq!(whole.count_centi(), 100, "at once");
        desk.forget("mine");
        desk.deliver("mine", some(4, 1));
        assert_eq!(desk.told("mine"), Trades::default());
    }
}
