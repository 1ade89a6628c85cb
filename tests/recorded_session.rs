//! The books against a recorded session of the venue.

#![forbid(unsafe_code)]

use layouts::units::{parse_decimal, parse_price_e4};
use processes::venue::kalshi_frames::{Body, parse};
use stages::{
    book::Outcome,
    books::{Books, Event, Facts, Wanted},
};
use std::{collections::BTreeMap, convert::Infallible, fs};
use tests::recorded::recorded;

/// The books of a session as a few lines of untyped JSON see them.
fn naive_books(session: &str) -> BTreeMap<(String, String), BTreeMap<u16, i64>> {
    let mut books: BTreeMap<(String, String), BTreeMap<u16, i64>> = BTreeMap::new();
    for line in session.lines().filter(|line| !line.is_empty()) {
        let frame: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let (message, text) = (&frame["msg"], |value: &serde_json::Value| {
            value.as_str().expect("text").to_owned()
        });
        let price = |value: &serde_json::Value| parse_price_e4(&text(value)).expect("price");
        let count = |value: &serde_json::Value| parse_decimal(&text(value), 2).expect("count");
        match frame["type"].as_str() {
            Some("orderbook_snapshot") => {
                for side in ["yes", "no"] {
                    let levels = message[format!("{side}_dollars_fp")]
                        .as_array()
                        .cloned()
                        .unwrap_or_default();
                    let levels = levels
                        .iter()
                        .map(|level| (price(&level[0]), count(&level[1])))
                        .collect();
                    books.insert((text(&message["market_ticker"]), side.into()), levels);
                }
            }
            Some("orderbook_delta") => {
                let key = (text(&message["market_ticker"]), text(&message["side"]));
                let book = books.get_mut(&key).expect("a snapshot first");
                *book.entry(price(&message["price_dollars"])).or_default() +=
                    count(&message["delta_fp"]);
                book.retain(|_, count| *count != 0);
            }
            _ => {}
        }
    }
    books
}

/// The recorded session as events; markets are numbered as they appear.
fn events(session: &str) -> (Vec<Event>, Vec<String>) {
    let (mut events, mut tickers) = (Vec::new(), Vec::<String>::new());
    for line in session.lines().filter(|line| !line.is_empty()) {
        let frame = parse(line).expect("every recorded frame parses");
        let mut number = |ticker: &str, events: &mut Vec<Event>| {
            let known = tickers
                .iter()
                .position(|known| known == ticker)
                .unwrap_or_else(|| {
                    tickers.push(ticker.to_owned());
                    tickers.len() - 1
                });
            let market = u32::try_from(known).expect("few");
            if known + 1 == tickers.len() {
                events.push(Event::Market(Facts {
                    market,
                    game: 7,
                    team: 0,
                    fee_rate_e4: 700,
                    tick_e4: 100,
                }));
            }
            market
        };
        let (sid, seq) = (frame.sid.expect("every frame has a sid"), frame.seq);
        match (frame.body, seq) {
            (Body::Subscribed(_), _) => events.push(Event::Subscribed { sid }),
            (Body::Snapshot(body), Some(seq)) => {
                let market = number(&body.ticker, &mut events);
                events.push(Event::Snapshot {
                    sid,
                    seq,
                    market,
                    yes: body.yes,
                    no: body.no,
                });
            }
            (Body::Delta(body), Some(seq)) => {
                let market = number(&body.ticker, &mut events);
                let (outcome, price_e4, delta_centi) = (body.side, body.price_e4, body.delta_centi);
                events.push(Event::Delta {
                    sid,
                    seq,
                    market,
                    outcome,
                    price_e4,
                    delta_centi,
                    venue_unix_us: 0,
                });
            }
            (_, Some(seq)) => events.push(Event::Sequenced { sid, seq }),
            (Body::Fill(_), None) => {}
            (body, None) => panic!("{body:?} without a number"),
        }
    }
    (events, tickers)
}

#[test]
fn the_recorded_session_gives_the_books_that_a_naive_reading_gives() {
    let Some(file) = recorded("kalshi_ws/jfreun123_demo_session_2026-07-01.raw.jsonl") else {
        return;
    };
    let session = fs::read_to_string(file).unwrap();
    let (events, tickers) = events(&session);
    let mut books = Books::default();
    for event in &events {
        let wanted = books.apply(event, 1, &mut |_| Ok::<(), Infallible>(()));
        assert_eq!(wanted, Ok(Wanted::Nothing), "{event:?}");
    }
    let counters = books.counters();
    assert_eq!(
        (
            counters.deltas,
            counters.snapshots,
            counters.gaps,
            counters.contradictions
        ),
        (2_885, 5, 0, 0)
    );
    let naive = naive_books(&session);
    let mut compared = 0;
    for (market, book, in_step) in books.iter() {
        assert!(in_step);
        let ticker = &tickers[market as usize];
        for (outcome, side) in [(Outcome::Yes, "yes"), (Outcome::No, "no")] {
            let ours: BTreeMap<u16, i64> = book
                .levels(outcome)
                .iter()
                .map(|level| (level.0, level.1))
                .collect();
            assert_eq!(
                Some(&ours),
                naive.get(&(ticker.clone(), side.into())),
                "{ticker} {side}"
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 10);
}
