//! Trades and ends of orders in flight as the venue's channels `fill` and `user_orders` tell them.
//!
//! The channels are the fast way to exact fills, not the sure one: they have no sequence, and a session
//! may be down. Whoever waits here waits for a bounded time and then asks over REST.

use super::super::complaints::Complaints;
use super::venue_words::{is_final, trade};
use crate::venue::backoff::Backoff;
use crate::venue::error::VenueError;
use crate::venue::frame_tally::{FrameTally, Kind};
use crate::venue::kalshi_frames::{Body, FillFrame, UserOrder};
use crate::venue::kalshi_ws::{Endpoint, Session};
use stages::execution::{Trade, Trades, of_client_order_id};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// First and longest wait before the session is opened anew.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// What was told of the orders that are in flight, by our order id.
#[derive(Debug, Default)]
pub(super) struct Desk {
    /// Held for a look-up at a time, by tasks of one thread: never contended.
    orders: Mutex<HashMap<String, Told>>,
    news: Notify,
    counts: Mutex<Counts>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Told {
    trades: Trades,
    end: Option<End>,
}

/// The last word on an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    /// The venue's id.
    pub(super) order_id: String,
    /// Contracts traded.
    pub(super) filled_centi: u32,
}

/// What came over the channels.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) frames: FrameTally,
    /// Frames by which an order of ours rests, which its terms forbid.
    pub(super) resting: u64,
    /// Trades whose fee no message of ours can carry.
    pub(super) odd_fees: u64,
}

impl Desk {
    /// Starts to keep what is told of an order.
    pub(super) fn expect(&self, client_order_id: &str) {
        self.orders().entry(client_order_id.to_owned()).or_default();
    }

    /// Ends it.
    pub(super) fn forget(&self, client_order_id: &str) {
        self.orders().remove(client_order_id);
    }

    /// What has come so far.
    pub(super) fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The trades told so far once they add up to `count_centi`, or at the latest after `patience`.
    pub(super) async fn trades(
        &self,
        client_order_id: &str,
        count_centi: u32,
        patience: Duration,
    ) -> Trades {
        let complete = |told: &Told| {
            (told.trades.count_centi() >= u64::from(count_centi)).then(|| told.trades.clone())
        };
        let all = self.told(client_order_id, patience, complete).await;
        all.unwrap_or_else(|| self.so_far(client_order_id).trades)
    }

    /// The order's end, if it is told within `patience`.
    pub(super) async fn end(&self, client_order_id: &str, patience: Duration) -> Option<End> {
        self.told(client_order_id, patience, |told| told.end.clone())
            .await
    }

    async fn told<T>(
        &self,
        client_order_id: &str,
        patience: Duration,
        look: impl Fn(&Told) -> Option<T>,
    ) -> Option<T> {
        let found = look(&self.so_far(client_order_id));
        if found.is_some() || patience.is_zero() {
            return found;
        }
        let waiting = async {
            loop {
                // Registered before the look, so that what comes between look and wait wakes it.
                let news = self.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                if let Some(found) = look(&self.so_far(client_order_id)) {
                    return found;
                }
                news.await;
            }
        };
        tokio::time::timeout(patience, waiting).await.ok()
    }

    /// Takes news of an order; of one that is not in flight they are somebody else's.
    fn deliver(&self, client_order_id: &str, take: impl FnOnce(&mut Told)) {
        if let Some(told) = self.orders().get_mut(client_order_id) {
            take(told);
            self.news.notify_waiters();
        }
    }

    fn so_far(&self, client_order_id: &str) -> Told {
        self.orders()
            .get(client_order_id)
            .cloned()
            .unwrap_or_default()
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn orders(&self) -> MutexGuard<'_, HashMap<String, Told>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a session on the channels, for ever.
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
        // Asked for by itself: without it orders are looked up over REST, as without any channel.
        session.subscribe(&["user_orders"], None).await?;
        let mut subscribed = false;
        loop {
            let received = session.next().await?;
            let frame = received.frame();
            let kind = frame.as_ref();
            let kind = kind.map_or(Kind::Malformed, |frame| Kind::of(&frame.body));
            self.count(|counts| {
                counts.frames.arrived();
                counts.frames.count(kind);
            });
            match frame.map(|frame| frame.body) {
                Ok(Body::Subscribed(channel)) => {
                    subscribed |= channel == "fill";
                    backoff.reset();
                }
                Ok(Body::Fill(frame)) => self.on_fill(&frame),
                Ok(Body::UserOrder(frame)) => self.on_user_order(&frame),
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

    fn on_fill(&self, frame: &FillFrame<'_>) {
        let (trade, as_told): (Trade, bool) = trade(
            frame.trade_id,
            frame.count_centi,
            frame.price_e4,
            frame.fee_micros,
            frame.side,
            frame.is_taker,
        );
        self.count(|counts| counts.odd_fees += u64::from(!as_told));
        if let Some(id) = &frame.client_order_id {
            self.deliver(id, |told| told.trades.add(trade));
        }
    }

    pub(super) fn on_user_order(&self, frame: &UserOrder<'_>) {
        let Some(id) = frame.client_order_id.as_deref() else {
            return;
        };
        if is_final(&frame.status) {
            let end = End {
                order_id: frame.order_id.clone().into_owned(),
                filled_centi: frame.filled_centi,
            };
            self.deliver(id, |told| told.end = Some(end));
        } else if frame.status == "resting" && of_client_order_id(id).is_some() {
            tracing::error!(
                id, ticker = %frame.ticker, remaining_centi = frame.remaining_centi,
                "an order of ours rests, which is immediate-or-cancel"
            );
            self.count(|counts| counts.resting += 1);
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
        trade([id; 16], count, 5_000, 100, Side::Bid, true).0
    }

    fn deliver(desk: &Desk, id: &str, trade: Trade) {
        desk.deliver(id, |told| told.trades.add(trade));
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
        deliver(&desk, "mine", some(1, 40));
        deliver(&desk, "another's", some(2, 60));
        let early = desk.trades("mine", 100, Duration::from_millis(1)).await;
        assert_eq!(early.count_centi(), 40, "time is up");
        let (whole, ()) = tokio::join!(desk.trades("mine", 100, Duration::from_secs(600)), async {
            deliver(&desk, "mine", some(1, 40));
            deliver(&desk, "mine", some(3, 60));
        });
        assert_eq!(whole.count_centi(), 100, "at once");
        desk.forget("mine");
        deliver(&desk, "mine", some(4, 1));
        assert_eq!(desk.so_far("mine"), Told::default());
    }

    /// Every frame counts once, whatever it is; the end of an order is told with all that it traded.
    #[tokio::test]
    async fn user_orders_tell_ends_and_alarm_of_what_rests() {
        let order = |id: &str, status: &str, filled: &str, rest: &str| {
            format!(
                r#"{{"type":"user_order","sid":2,"msg":{{"order_id":"o","client_order_id":"{id}","ticker":"A-B","status":"{status}","fill_count_fp":"{filled}","remaining_count_fp":"{rest}"}}}}"#
            )
        };
        let ours = "arb-00ff-000000000000004d";
        let frames = [
            r#"{"type":"subscribed","id":1,"msg":{"channel":"fill","sid":1}}"#.to_owned(),
            // Of the second channel alone: the first goes on.
            r#"{"type":"error","id":2,"msg":{"code":8,"msg":"unknown channel"}}"#.to_owned(),
            order(ours, "resting", "0.00", "6.00"),
            order("by hand", "resting", "0.00", "1.00"),
            order(ours, "unknown", "0.00", "0.00"),
            r#"{"type":"news","msg":{}}"#.to_owned(),
            r#"{"type":"ok","id":3,"msg":[]}"#.to_owned(),
            r#"{"type":"user_order","msg":{}}"#.to_owned(),
            "nonsense".to_owned(),
            r#"{"type":"fill","sid":1,"msg":{"trade_id":"t","order_id":"o","client_order_id":"x","market_ticker":"A-B","is_taker":true,"yes_price_dollars":"0.5200","count_fp":"1.00","fee_cost":"-0.010000","book_side":"bid"}}"#.to_owned(),
            order(ours, "canceled", "1.50", "0.00"),
        ];
        let (desk, (listener, address)) = (Desk::default(), listen().await);
        desk.expect(ours);
        let endpoint = Endpoint {
            address,
            signer: test_signer(),
            trust: Trust::none(),
        };
        let (mut complaints, mut backoff) =
            (Complaints::default(), Backoff::new(BACKOFF.0, BACKOFF.1));
        let serve = async {
            let mut venue = Venue::accept(&listener).await;
            venue.command().await;
            venue.command().await;
            for frame in &frames {
                venue.says(frame).await;
            }
            let end = desk.end(ours, Duration::from_secs(600)).await;
            (venue, end)
        };
        let (_venue, end) = tokio::select! {
            ended = desk.session(&endpoint, &mut backoff, &mut complaints) => panic!("{ended:?}"),
            served = serve => served,
        };
        let expected = End {
            order_id: "o".into(),
            filled_centi: 150,
        };
        assert_eq!(end, Some(expected));
        let counts = desk.counts();
        assert_eq!((counts.resting, counts.odd_fees), (1, 1));
        assert_eq!(counts.frames.frames(), frames.len() as u64);
        assert_eq!(counts.frames.counted(), counts.frames.frames());
        let of = |kind| counts.frames.of(kind);
        assert_eq!((of(Kind::UserOrder), of(Kind::Malformed)), (4, 2));
    }
}
