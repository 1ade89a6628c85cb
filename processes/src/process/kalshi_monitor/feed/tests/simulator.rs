//! The feed against the simulator, which loses frames and hangs up.

use super::*;
use crate::sim::tests::outside::{KEY_ID, Outside, now_us};
use crate::sim::world::World as _;
use crate::venue::signing::Signer;
use layouts::units::format_decimal;
use serde_json::Value;
use stages::book::Outcome;

/// A market's levels as the venue writes them.
async fn levels(outside: &Outside, ticker: &str) -> [Value; 2] {
    let path = format!("/markets/{ticker}/orderbook");
    let (_, body) = outside.call("GET", &path, None).await;
    ["yes_dollars", "no_dollars"].map(|side| body["orderbook_fp"][side].clone())
}

/// The same of our book; nothing while it is not in step.
fn ours(books: &Books, number: u32) -> Option<[Value; 2]> {
    let (_, book, in_step) = books.iter().find(|(market, ..)| *market == number)?;
    in_step.then(|| {
        [Outcome::Yes, Outcome::No].map(|outcome| {
            let levels = book.levels(outcome).iter();
            let level = levels.map(|level| {
                let price = format_decimal(level.0.into(), 4);
                json!([price, format_decimal(level.1, 2)])
            });
            level.collect()
        })
    })
}

/// Where the simulator is.
fn venue_of(outside: &Outside) -> Venue {
    let signer = Signer::from_pem(KEY_ID, &outside.pem).expect("a key");
    let root = format!("//{}/trade-api", outside.address);
    let rest = KalshiRest::new(&format!("http:{root}/v2"), signer.clone(), &Trust::none());
    let endpoint = Endpoint {
        address: format!("ws:{root}/ws/v2"),
        signer,
        trust: Trust::none(),
    };
    let rest = rest.expect("a client");
    Venue { endpoint, rest }
}

fn status_of(hot: &Hot, number: u32) -> Option<MarketStatus> {
    let told = hot.published.iter().rev();
    let mut told = told.filter(|update| update.market == number);
    told.next().and_then(PriceUpdate::status)
}

#[tokio::test]
async fn through_gaps_hang_ups_and_a_pause_nobody_heard_of_books_and_statuses_end_as_the_venues() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut outside = Outside::open(2, false).await;
    let tickers = outside.tickers().await;
    let cold = server.cold().await;
    for (number, ticker) in (0..).zip(&tickers) {
        cold.announce(&market(number, ticker))
            .await
            .expect("announces");
    }
    let mut hot = Hot::of(&server, venue_of(&outside), Safety::default()).await;
    let hub = &outside.shared.hub;
    hub.make_trouble(7, 50, 2_000);
    let mut world = outside.world.take().expect("a world that stands still");
    let markets = u32::try_from(tickers.len()).expect("few");
    let all = |hot: &Hot, status| (0..markets).all(|market| status_of(hot, market) == Some(status));
    hot.until("every price", |hot| all(hot, MarketStatus::Active))
        .await;
    // After a hang-up nothing but snapshots may come.
    let taken = |hot: &Hot| hot.books.counters().deltas + hot.books.counters().snapshots;
    for second in 0..10_u32 {
        let before = taken(&hot);
        for step in 1..=20_u32 {
            let elapsed = f64::from(second) + f64::from(step) / 20.0;
            hub.with(|exchange| world.advance(elapsed, exchange, now_us()));
            hot.turn().await;
        }
        hot.until("further changes", |hot| taken(hot) > before)
            .await;
    }
    hub.make_trouble(7, 0, 0);
    // The pause falls into an outage: the channel never tells of it.
    hub.disconnect_all();
    assert!(hub.with(|exchange| exchange.deactivate(0, now_us())));
    let gone = hot.counters.reconnects;
    let closed = |hot: &Hot| status_of(hot, 0) == Some(MarketStatus::Closed);
    hot.until("the pause", closed).await;
    let others =
        |hot: &Hot| (1..markets).all(|market| status_of(hot, market) == Some(MarketStatus::Active));
    hot.until("the others", others).await;
    for (number, ticker) in (0..).zip(&tickers) {
        let theirs = levels(&outside, ticker).await;
        let same = |hot: &Hot| ours(&hot.books, number).as_ref() == Some(&theirs);
        hot.until("the venue's book", same).await;
    }
    assert!(hub.with(|exchange| exchange.activate(0, now_us())));
    hot.until("the end of the pause", |hot| all(hot, MarketStatus::Active))
        .await;
    let emptied = |hot: &Hot| ours(&hot.books, 0) == Some([json!([]), json!([])]);
    hot.until("an empty book", emptied).await;
    hot.until("the counters", |hot| hot.counters.reconnects > gone)
        .await;
    let counters = hot.books.counters();
    let reconnects = hot.counters.reconnects;
    assert!(
        counters.gaps > 3 && reconnects > 1,
        "{counters:?}, {reconnects}"
    );
    assert_eq!(hot.books.counters().contradictions, 0);
    assert_eq!(hot.counters.frames.counted(), hot.counters.frames.frames());
}
