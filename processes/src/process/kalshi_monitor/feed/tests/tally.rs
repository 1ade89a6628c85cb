//! Every frame is counted in one kind, and what is lost with it is withdrawn.

use super::*;
use crate::venue::kalshi_ws::Received;
use proptest::prelude::*;
use proptest::sample::Index;

/// A feed of one market with its channels confirmed, and the hot thread's end of it.
struct Bench {
    feed: Feed,
    inbox: Inbox<Note>,
    frames: u64,
}

impl Bench {
    async fn new() -> Self {
        let (to_hot, inbox) = handoff::to_hot(64);
        let endpoint = Endpoint {
            address: String::new(),
            signer: test_signer(),
            trust: Trust::none(),
        };
        let nowhere = "http://127.0.0.1:9/";
        let rest = KalshiRest::new(nowhere, test_signer(), &Trust::none()).expect("a client");
        let venue = Venue { endpoint, rest };
        let cold = Cold::connect("redis://127.0.0.1:9", "test");
        let mut feed = Feed::new(venue, Safety::default(), cold, to_hot);
        feed.learn(market(1, "E-A")).await.ok().expect("room");
        let tickers = feed.subscription.next_tickers(Instant::now(), 500);
        feed.subscription.on_asked(2, tickers, Instant::now());
        let mut bench = Self {
            feed,
            inbox,
            frames: 0,
        };
        for (channel, sid) in [(LIFECYCLE, 2), (BOOKS, 1), (TRADES, 3)] {
            let answer = json!({"type":"subscribed","id":sid,"msg":{"channel":channel,"sid":sid}});
            bench.take(Some(&answer.to_string())).await;
        }
        bench
    }

    /// What the books are told of a frame.
    async fn take(&mut self, text: Option<&str>) -> Vec<Event> {
        self.frames += 1;
        let received = Received::now(text);
        assert!(
            self.feed.on_frame(&received).await.is_ok(),
            "somebody listens"
        );
        let frames = self.feed.counters.frames;
        let counts = (frames.frames(), frames.counted());
        assert_eq!(counts, (self.frames, self.frames), "{text:?}");
        let notes = std::iter::from_fn(|| self.inbox.pop());
        let events = notes.filter_map(|note| match note {
            Note::Event { event, .. } => Some(event),
            Note::Market { .. } | Note::Counters(_) => None,
        });
        events.collect()
    }

    fn count(&self, kind: Kind) -> u64 {
        self.feed.counters.frames.of(kind)
    }
}

/// Frames of every kind about our market, numbered as the first of their channel.
fn frames() -> Vec<String> {
    let trade = json!({"type":"trade","sid":3,"seq":1,"msg":{"market_ticker":"E-A","yes_price_dollars":"0.5200","count_fp":"2.50"}});
    let step = json!({"type":"market_lifecycle_v2","sid":2,"seq":1,"msg":{"event_type":"determined","market_ticker":"E-A"}});
    vec![
        snapshot(1, "0.4000"),
        delta(1, "0.4100", now_ms()),
        trade.to_string(),
        step.to_string(),
        r#"{"type":"fill","sid":4,"msg":{"trade_id":"t","order_id":"o","market_ticker":"E-A","count_fp":"1.00","yes_price_dollars":"0.52","fee_cost":"0.0175","book_side":"bid"}}"#.into(),
        r#"{"type":"user_order","sid":4,"msg":{"order_id":"o","ticker":"E-A","status":"executed","fill_count_fp":"1.00","remaining_count_fp":"0.00"}}"#.into(),
        r#"{"type":"ok","id":6,"sid":1,"seq":1}"#.into(),
        r#"{"type":"subscribed","id":2,"msg":{"channel":"trade","sid":9}}"#.into(),
        r#"{"type":"unsubscribed","id":9,"sid":3,"seq":1}"#.into(),
        r#"{"type":"error","id":4,"msg":{"code":5,"msg":"unknown command"}}"#.into(),
        r#"{"type":"weather","sid":1,"seq":1,"msg":[1]}"#.into(),
    ]
}

#[tokio::test]
async fn each_kind_of_frame_is_counted_as_what_it_is() {
    let mut bench = Bench::new().await;
    for frame in frames() {
        bench.take(Some(&frame)).await;
    }
    let stranger = snapshot(2, "0.4000").replace("E-A", "E-B");
    for text in [Some(stranger.as_str()), Some(" \n"), Some("{"), None] {
        bench.take(text).await;
    }
    let counts = Kind::ALL.map(|kind| (kind, bench.count(kind)));
    let expected = |kind| if kind == Kind::Subscribed { 4 } else { 1 };
    assert_eq!(counts, Kind::ALL.map(|kind| (kind, expected(kind))));
    let counters = bench.feed.counters;
    assert_eq!((counters.trades, counters.contracts_centi), (1, 250));
}

/// They were passed over, and the book stayed tradable.
#[tokio::test]
async fn a_frame_without_its_number_is_malformed_and_lost() {
    for (frame, member) in [(0, "sid"), (0, "seq"), (1, "sid"), (1, "seq")] {
        let mut bench = Bench::new().await;
        let mut text: serde_json::Value = serde_json::from_str(&frames()[frame]).expect("JSON");
        text.as_object_mut()
            .and_then(|object| object.remove(member));
        let events = bench.take(Some(&text.to_string())).await;
        assert_eq!(events, [Event::Lost { sid: 1, seq: None }], "{text}");
        assert_eq!(bench.count(Kind::Malformed), 1);
    }
    for member in ["sid", "seq"] {
        let mut bench = Bench::new().await;
        let mut text: serde_json::Value = serde_json::from_str(&frames()[2]).expect("JSON");
        text.as_object_mut()
            .and_then(|object| object.remove(member));
        bench.take(Some(&text.to_string())).await;
        let counters = bench.feed.counters;
        assert_eq!((counters.trades, counters.trade_gaps), (0, 1), "{member}");
    }
}

/// A trade is one whatever is thought of the book of its market.
#[tokio::test]
async fn trades_in_a_market_whose_book_is_suspect_are_counted() {
    let mut bench = Bench::new().await;
    bench.take(Some(&delta(7, "0.4100", now_ms()))).await;
    bench.take(Some(&frames()[2])).await;
    let later = frames()[2].replace("\"seq\":1", "\"seq\":3");
    bench.take(Some(&later)).await;
    let counters = bench.feed.counters;
    assert_eq!((counters.trades, counters.contracts_centi), (2, 500));
    assert_eq!(counters.trade_gaps, 1, "number 2");
}

proptest! {
    /// Whatever damage frames take, each is counted once, and one about a book that cannot be read is lost.
    #[test]
    fn a_mutated_frame_is_counted_once(
        session in prop::collection::vec((any::<Index>(), prop::collection::vec((any::<Index>(), 0_u8..128, 0_u8..3), 0..4)), 1..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut bench = Bench::new().await;
            let frames = frames();
            for (which, edits) in session {
                let mut bytes = which.get(&frames).clone().into_bytes();
                for (place, byte, how) in edits {
                    let place = place.index(bytes.len().max(1));
                    match how {
                        0 if place < bytes.len() => bytes[place] = byte,
                        1 if place < bytes.len() => drop(bytes.remove(place)),
                        _ => bytes.insert(place, byte),
                    }
                }
                let text = String::from_utf8(bytes).expect("ASCII");
                let malformed = bench.count(Kind::Malformed);
                let events = bench.take(Some(&text)).await;
                let is_lost = |event: &Event| matches!(event, Event::Lost { .. });
                if bench.count(Kind::Malformed) > malformed && text.contains("\"type\":\"orderbook_") {
                    prop_assert!(events.iter().any(is_lost), "{}", text);
                }
            }
            Ok(())
        })?;
    }
}
