//! The monitor's I/O side between a real Redis, a real WebSocket, and the books.

mod lists;
mod simulator;
mod statuses;
mod tally;

use super::*;
use crate::cold::redis::private_server::Server;
use crate::discovery::Market;
use crate::runtime::handoff::{self, Inbox, ToIo};
use crate::runtime::io_thread;
use crate::venue::frame_tally::Kind;
use crate::venue::kalshi_ws::stand_in::{Venue as Peer, listen};
use crate::venue::recorded;
use crate::venue::signing::test_signer;
use crate::venue::tls::Trust;
use futures_util::StreamExt as _;
use layouts::{MarketStatus, PriceUpdate};
use lists::Desk;
use serde_json::json;
use stages::books::Books;
use std::convert::Infallible;
use tokio::net::TcpListener;

/// The hot thread's side of a feed.
struct Hot {
    inbox: Inbox<Note>,
    wanted: ToIo<Wanted>,
    books: Books,
    published: Vec<PriceUpdate>,
    counters: FeedCounters,
    /// What the venue lists.
    desk: Desk,
}

impl Hot {
    /// Starts a feed towards `address`.
    async fn start(server: &Server, address: String) -> Self {
        // A scripted venue answers our pings only while it is listened to.
        let safety = Safety {
            max_venue_silence_ms: 60_000,
            ..Safety::default()
        };
        Self::start_with(server, address, safety).await
    }

    async fn start_with(server: &Server, address: String, safety: Safety) -> Self {
        let endpoint = Endpoint {
            address,
            signer: test_signer(),
            trust: Trust::none(),
        };
        let desk = Desk::open().await;
        let rest = desk.rest.clone();
        let hot = Self::of(server, Venue { endpoint, rest }, safety).await;
        Self { desk, ..hot }
    }

    /// Starts a feed towards a venue.
    async fn of(server: &Server, venue: Venue, safety: Safety) -> Self {
        let (to_hot, inbox) = handoff::to_hot(64);
        let (wanted, wanted_inbox) = handoff::to_io(16);
        let cold = Cold::connect(&server.url(), "test");
        let feed = Feed::new(venue, safety, cold, to_hot);
        io_thread("feed", move || {
            feed.run(wanted_inbox, ("kalshi_monitor".into(), 100))
        })
        .expect("starts");
        let (books, published) = (Books::default(), Vec::new());
        Self {
            inbox,
            wanted,
            books,
            published,
            counters: FeedCounters::default(),
            desk: Desk::open().await,
        }
    }

    /// Works until a condition holds.
    async fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let working = async {
            while !holds(self) {
                let Some(note) = self.inbox.pop() else {
                    tokio::task::yield_now().await;
                    continue;
                };
                self.take(note);
            }
        };
        let patience = Duration::from_secs(30);
        tokio::time::timeout(patience, working)
            .await
            .unwrap_or_else(|_| panic!("never came: {what}"));
    }

    /// Lets everybody else have some turns, and takes what has come.
    async fn turn(&mut self) {
        for _ in 0..50 {
            tokio::task::yield_now().await;
            while let Some(note) = self.inbox.pop() {
                self.take(note);
            }
        }
    }

    fn take(&mut self, note: Note) {
        let (event, ingress_mono_ns) = match note {
            Note::Event {
                event,
                ingress_mono_ns,
            } => (event, ingress_mono_ns),
            Note::Market { facts, .. } => (Event::Market(facts), 0),
            Note::Counters(counters) => {
                self.counters = counters;
                return;
            }
        };
        let published = &mut self.published;
        let wanted = self.books.apply(&event, ingress_mono_ns, &mut |update| {
            published.push(*update);
            Ok::<(), Infallible>(())
        });
        match wanted {
            Ok(Wanted::Nothing) => {}
            Ok(wanted) => self.wanted.push(wanted).expect("room"),
        }
    }

    async fn until_last_is(&mut self, status: MarketStatus) {
        let last = |hot: &Self| hot.published.last().and_then(PriceUpdate::status);
        self.until("a price of that status", |hot| last(hot) == Some(status))
            .await;
    }
}

fn market(number: u32, ticker: &str) -> Discovery {
    Discovery::Market(Market {
        market: number,
        ticker: ticker.into(),
        event_ticker: "E".into(),
        game: 5,
        shard: 0,
        team: 0,
        sport: 0,
        fee_rate_e4: 700,
        tick_e4: 100,
        exchange_index: Some(0),
    })
}

/// Now, as the venue stamps it.
fn now_ms() -> u64 {
    ipc::clock::unix_ns() / 1_000_000
}

fn delta(seq: u64, price: &str, ts_ms: u64) -> String {
    json!({"type":"orderbook_delta","sid":1,"seq":seq,"msg":{"market_ticker":"E-A",
        "price_dollars":price,"delta_fp":"1.00","side":"yes","ts_ms":ts_ms}})
    .to_string()
}

fn snapshot(seq: u64, price: &str) -> String {
    json!({"type":"orderbook_snapshot","sid":1,"seq":seq,"msg":{"market_ticker":"E-A",
        "yes_dollars_fp":[[price,"10.00"]],"no_dollars_fp":[["0.3000","7.00"]]}})
    .to_string()
}

/// Takes the three subscriptions that open a session.
async fn welcome(venue: &mut Peer) -> Vec<String> {
    let lifecycle = venue.command().await;
    assert_eq!(
        lifecycle["params"]["channels"],
        json!(["market_lifecycle_v2"])
    );
    let books = venue.command().await;
    assert_eq!(books["params"]["channels"], json!(["orderbook_delta"]));
    let trades = venue.command().await;
    assert_eq!(trades["params"]["channels"], json!(["trade"]));
    assert_eq!(
        trades["params"]["market_tickers"],
        books["params"]["market_tickers"]
    );
    for (id, channel, sid) in [(1, LIFECYCLE, 2), (2, BOOKS, 1), (3, TRADES, 3)] {
        let answer = json!({"type":"subscribed","id":id,"msg":{"channel":channel,"sid":sid}});
        venue.says(&answer.to_string()).await;
    }
    serde_json::from_value(books["params"]["market_tickers"].clone()).expect("tickers")
}

/// A feed whose only market has its first price.
async fn in_step(server: &Server) -> (Hot, Cold, TcpListener, Peer) {
    let cold = server.cold().await;
    cold.announce(&market(1, "E-A")).await.expect("announces");
    let (listener, address) = listen().await;
    let mut hot = Hot::start(server, address).await;
    let mut venue = Peer::accept(&listener).await;
    assert_eq!(welcome(&mut venue).await, ["E-A"]);
    venue.says(&snapshot(1, "0.4000")).await;
    hot.until_last_is(MarketStatus::Active).await;
    assert_eq!(
        (hot.published[0].bid_price_e4, hot.published[0].ask_price_e4),
        (4_000, 7_000)
    );
    (hot, cold, listener, venue)
}

#[tokio::test]
async fn a_frame_that_cannot_be_read_is_a_gap_and_heals() {
    let Some(server) = Server::start() else {
        return;
    };
    let (mut hot, cold, _listener, mut venue) = in_step(&server).await;
    // Number 2 cannot be read: its book is not traded on from then on, though nothing else comes.
    venue
        .says(r#"{"type":"orderbook_delta","sid":1,"seq":2,"msg":{"market_ticker":"E-A"}}"#)
        .await;
    hot.until_last_is(MarketStatus::Suspect).await;
    venue
        .says(r#"{"type":"weather","sid":1,"seq":3,"msg":{}}"#)
        .await;
    let asked = venue.command().await["params"].clone();
    assert_eq!(
        asked,
        json!({"sid":1,"action":"get_snapshot","market_tickers":["E-A"]})
    );
    venue.says(&snapshot(4, "0.4100")).await;
    hot.until_last_is(MarketStatus::Active).await;
    hot.until("the counters", |hot| hot.counters.frames.frames() == 7)
        .await;
    let frames = hot.counters.frames;
    let malformed = frames.of(Kind::Malformed);
    assert_eq!(
        (malformed, frames.of(Kind::Unknown), hot.counters.resyncs),
        (1, 1, 1)
    );
    assert_eq!(hot.books.counters().gaps, 1, "its number was known");
    assert!(
        cold.get("heartbeat:kalshi_monitor")
            .await
            .expect("asks")
            .is_some(),
        "it beats"
    );
}

#[tokio::test]
async fn a_lost_connection_is_made_anew_with_every_market() {
    let Some(server) = Server::start() else {
        return;
    };
    let (mut hot, cold, listener, mut venue) = in_step(&server).await;
    // A market found later is added to the subscription.
    cold.announce(&market(2, "E-B")).await.expect("announces");
    let asked = venue.command().await["params"].clone();
    assert_eq!(
        asked,
        json!({"sid":1,"action":"add_markets","market_tickers":["E-B"]})
    );
    let trades = venue.command().await["params"].clone();
    assert_eq!(
        trades,
        json!({"sid":3,"action":"add_markets","market_tickers":["E-B"]})
    );
    // Everything is suspect until the next session's snapshot.
    drop(venue);
    hot.until_last_is(MarketStatus::Suspect).await;
    let mut venue = Peer::accept(&listener).await;
    let mut tickers = welcome(&mut venue).await;
    tickers.sort();
    assert_eq!(tickers, ["E-A", "E-B"]);
    venue.says(&snapshot(1, "0.4200")).await;
    hot.until_last_is(MarketStatus::Active).await;
    let determined = r#"{"type":"market_lifecycle_v2","sid":2,"seq":1,"msg":{"event_type":"determined","market_ticker":"E-A"}}"#;
    venue.says(determined).await;
    hot.until_last_is(MarketStatus::Closed).await;
    // The venue may also end a session by an error that says so.
    for (code, reconnects) in [(25, 2), (10, 3)] {
        let end = json!({"type":"error","msg":{"code":code,"msg":"no more of it"}});
        venue.says(&end.to_string()).await;
        venue = Peer::accept(&listener).await;
        let reconnected = |hot: &Hot| hot.counters.reconnects == reconnects;
        hot.until("the counters", reconnected).await;
    }
    assert_eq!(hot.counters.frames.of(Kind::Error), 2);
}

/// A refused or unreadable subscription left a healthy connection over which no book came.
#[tokio::test]
async fn a_session_without_its_subscription_is_ended() {
    let Some(server) = Server::start() else {
        return;
    };
    let cold = server.cold().await;
    cold.announce(&market(1, "E-A")).await.expect("announces");
    let (listener, address) = listen().await;
    let mut hot = Hot::start(&server, address).await;
    for answer in [
        r#"{"type":"error","id":2,"msg":{"code":9,"msg":"Authentication required"}}"#,
        r#"{"type":"error","id":2,"msg":{"code":11,"msg":"Invalid parameter"}}"#,
        r#"{"type":"subscribed","id":2,"msg":{"channel":"orderbook_delta"}}"#,
        // Without what becomes of markets, too.
        r#"{"type":"error","id":1,"msg":{"code":8,"msg":"Unknown channel name"}}"#,
        r#"{"type":"subscribed","id":1,"msg":{"channel":"market_lifecycle_v2"}}"#,
    ] {
        let mut venue = Peer::accept(&listener).await;
        for _ in 0..3 {
            venue.command().await;
        }
        venue.says(answer).await;
        // Whatever comes up to then, the session ends.
        while let Some(Ok(_)) = venue.socket.next().await {}
    }
    for sid in [1, 2] {
        let mut venue = Peer::accept(&listener).await;
        welcome(&mut venue).await;
        venue.says(&snapshot(1, "0.4000")).await;
        hot.until_last_is(MarketStatus::Active).await;
        let ended = json!({"type":"unsubscribed","sid":sid,"seq":2});
        venue.says(&ended.to_string()).await;
        hot.until_last_is(MarketStatus::Suspect).await;
        while let Some(Ok(_)) = venue.socket.next().await {}
    }
}

#[tokio::test]
async fn markets_beside_a_refused_one_are_followed() {
    let Some(server) = Server::start() else {
        return;
    };
    let (mut hot, cold, _listener, mut venue) = in_step(&server).await;
    cold.announce(&market(2, "E-X")).await.expect("announces");
    let asked = venue.command().await;
    assert_eq!(asked["params"]["market_tickers"], json!(["E-X"]));
    for asked in [asked, venue.command().await] {
        let refusal =
            json!({"type":"error","id":asked["id"],"msg":{"code":11,"msg":"Invalid parameter"}});
        venue.says(&refusal.to_string()).await;
    }
    cold.announce(&market(3, "E-B")).await.expect("announces");
    let asked = venue.command().await;
    assert_eq!(asked["params"]["market_tickers"], json!(["E-B"]));
    venue.says(&snapshot(2, "0.4300")).await;
    hot.until("the next price", |hot| {
        hot.published.last().map(|last| last.bid_price_e4) == Some(4_300)
    })
    .await;
}

#[tokio::test]
async fn a_recorded_session_served_verbatim_arrives_whole() {
    let name = "kalshi_ws/jfreun123_demo_session_2026-07-01.raw.jsonl";
    let (Some(session), Some(server)) = (recorded::text(name), Server::start()) else {
        return;
    };
    let cold = server.cold().await;
    let mut tickers: Vec<&str> = session
        .split("\"market_ticker\":\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    tickers.sort_unstable();
    tickers.dedup();
    for (number, ticker) in (1..).zip(&tickers) {
        cold.announce(&market(number, ticker))
            .await
            .expect("announces");
    }
    let (listener, address) = listen().await;
    let mut hot = Hot::start(&server, address).await;
    let serve = async {
        let mut venue = Peer::accept(&listener).await;
        for frame in session.lines() {
            venue.says(frame).await;
        }
        venue
    };
    let followed = hot.until("the last delta", |hot| hot.books.counters().deltas == 2_885);
    let (_venue, ()) = tokio::join!(serve, followed);
    let all = session.lines().count() as u64;
    let arrived = |hot: &Hot| hot.counters.frames.frames() == all;
    hot.until("every frame", arrived).await;
    let frames = hot.counters.frames;
    assert_eq!(frames.counted(), all, "{frames:?}");
    let kinds = [
        Kind::Delta,
        Kind::Snapshot,
        Kind::Fill,
        Kind::Ok,
        Kind::Subscribed,
        Kind::Blank,
    ];
    assert_eq!(
        kinds.map(|kind| frames.of(kind)),
        [2_885, 5, 2, 4, 2, 2_898]
    );
    let counters = hot.books.counters();
    assert_eq!(
        (counters.gaps, counters.contradictions, counters.snapshots),
        (0, 0, 5)
    );
    assert_eq!(
        (
            tickers.len(),
            hot.books.iter().filter(|(.., in_step)| *in_step).count()
        ),
        (5, 5)
    );
}
