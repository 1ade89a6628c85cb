//! Frames as the venue writes them, and damaged ones.

use super::*;

#[test]
fn a_delta_is_integers() {
    let text = r#"{"type":"orderbook_delta","sid":1,"seq":10,"sending_ts_ms":3,"msg":{"market_ticker":"A-B","market_id":"x","price_dollars":"0.7400","delta_fp":"-1.84","side":"no","ts":"2026-07-01T02:31:45.308599Z","ts_ms":1782873105308}}"#;
    let frame = parse(text).expect("parses");
    assert_eq!((frame.sid, frame.seq, frame.id), (Some(1), Some(10), None));
    let Body::Delta(delta) = frame.body else {
        panic!("{:?}", frame.body)
    };
    assert!(
        matches!(delta.ticker, Cow::Borrowed("A-B")),
        "no allocation for the ticker"
    );
    assert_eq!(
        (delta.price_e4, delta.delta_centi, delta.side),
        (7_400, -184, Outcome::No)
    );
    assert_eq!(delta.ts_ms, 1_782_873_105_308);
}

#[test]
fn an_absent_side_is_an_empty_one() {
    let text = r#"{"type":"orderbook_snapshot","sid":1,"seq":2,"msg":{"market_ticker":"A","no_dollars_fp":[["0.0100","5.00"]]}}"#;
    let Body::Snapshot(snapshot) = parse(text).expect("parses").body else {
        panic!("a snapshot")
    };
    assert_eq!(
        (snapshot.yes.as_slice(), snapshot.no.as_slice()),
        (&[][..], &[Level(100, 500)][..])
    );
}

#[test]
fn a_side_of_null_is_an_empty_one() {
    let text = r#"{"type":"orderbook_snapshot","sid":1,"seq":2,"msg":{"market_ticker":"A","yes_dollars_fp":null,"no_dollars_fp":null}}"#;
    let Body::Snapshot(snapshot) = parse(text).expect("parses").body else {
        panic!("a snapshot")
    };
    assert!(snapshot.yes.is_empty() && snapshot.no.is_empty());
}

#[test]
fn the_sid_of_a_subscription_is_in_its_message() {
    let text = r#"{"type":"subscribed","id":2,"msg":{"channel":"orderbook_delta","sid":7}}"#;
    let frame = parse(text).expect("parses");
    assert_eq!(
        (frame.id, frame.sid, frame.body),
        (Some(2), Some(7), Body::Subscribed("orderbook_delta".into()))
    );
}

#[test]
fn an_error_says_whether_to_connect_anew() {
    let text = r#"{"type":"error","id":4,"msg":{"code":25,"msg":"Buffer overflow"}}"#;
    let Body::Error(error) = parse(text).expect("parses").body else {
        panic!("an error")
    };
    assert!(error.is_terminal() && error.text == "Buffer overflow");
}

#[test]
fn unknown_types_keep_their_place_in_the_sequence() {
    let frame = parse(r#"{"type":"weather","sid":3,"seq":9,"msg":[1,2]}"#).expect("parses");
    assert_eq!(
        (frame.sid, frame.seq, frame.body),
        (Some(3), Some(9), Body::Unknown("weather".into()))
    );
}

#[test]
fn a_damaged_frame_is_an_error_that_names_its_type() {
    for (text, named) in [
        ("", ""),
        ("[]", ""),
        (
            r#"{"type":"orderbook_delta","sid":1,"seq":2}"#,
            "orderbook_delta",
        ),
        (
            r#"{"type":"orderbook_delta","msg":{"market_ticker":"A","price_dollars":"1.01","delta_fp":"1","side":"no"}}"#,
            "orderbook_delta",
        ),
        (
            r#"{"type":"orderbook_delta","msg":{"market_ticker":"A","price_dollars":0.5,"delta_fp":"1","side":"no"}}"#,
            "orderbook_delta",
        ),
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!(error.kind, named, "{error}");
    }
    let numbered = r#"{"type":"orderbook_delta","sid":1,"seq":2,"msg":{"market_ticker":"A-B"}}"#;
    let error = parse(numbered).expect_err("no price");
    assert_eq!(
        (error.sid, error.seq, error.ticker.as_deref()),
        (Some(1), Some(2), Some("A-B")),
        "what can be read of it is"
    );
}

#[test]
fn recorded_trades_are_counted_in_contracts() {
    let Some(recorded) =
        crate::venue::recorded::text("kalshi_ws/ssmd_prod_2026-02-12_trade.raw.jsonl")
    else {
        return;
    };
    let mut contracts_centi = 0;
    for line in recorded.lines() {
        let Body::Trade(trade) = parse(line).expect("parses").body else {
            panic!("a trade: {line}")
        };
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(value["msg"]["market_ticker"], *trade.ticker);
        assert_eq!(value["msg"]["yes_price"], trade.price_e4 / 100);
        contracts_centi += u64::from(trade.count_centi);
        assert_eq!(value["msg"]["count"], trade.count_centi / 100);
    }
    assert!(contracts_centi > 0);
}

/// Frames of every kind, as the venue writes them.
const FRAMES: [&str; 9] = [
    r#"{"type":"subscribed","id":2,"msg":{"channel":"orderbook_delta","sid":1}}"#,
    r#"{"type":"ok","id":6,"sid":1,"seq":1,"msg":{"market_tickers":["A-B","C-D"]}}"#,
    r#"{"type":"orderbook_snapshot","sid":1,"seq":2,"msg":{"market_ticker":"A-B","market_id":"4","yes_dollars_fp":[["0.0100","1406474.86"]],"no_dollars_fp":[["0.7300","55555.20"]]}}"#,
    r#"{"type":"orderbook_delta","sid":1,"seq":10,"msg":{"market_ticker":"A-B","market_id":"7","price_dollars":"0.7400","delta_fp":"-1.84","side":"no","ts":"2026-07-01T02:31:45.308599Z","ts_ms":1782873105308}}"#,
    r#"{"type":"fill","sid":2,"msg":{"trade_id":"f4a42159-b500-57c6-efa2-c31d94d916c1","order_id":"o","client_order_id":"c","market_ticker":"A-B","is_taker":true,"side":"yes","yes_price_dollars":"0.5200","count_fp":"1.00","fee_cost":"0.017500","book_side":"bid","outcome_side":"yes","ts_ms":1782873105308}}"#,
    r#"{"type":"market_lifecycle_v2","sid":3,"seq":1,"msg":{"event_type":"determined","market_ticker":"A-B","result":"yes"}}"#,
    r#"{"type":"error","id":4,"msg":{"code":5,"msg":"unknown command"}}"#,
    r#"{"type":"unsubscribed","id":9,"sid":1,"seq":99}"#,
    r#"{"type":"trade","sid":4,"seq":1,"msg":{"trade_id":"f4a42159-b500-57c6-efa2-c31d94d916c1","market_ticker":"A-B","yes_price_dollars":"0.5200","no_price_dollars":"0.4800","count_fp":"13.50","taker_outcome_side":"yes","taker_book_side":"bid","is_block_trade":false,"ts_ms":1782873105308}}"#,
];

#[test]
fn frames_of_every_kind_read() {
    for text in FRAMES {
        let frame = parse(text).expect(text);
        assert!(!matches!(frame.body, Body::Unknown(_)), "{text}");
    }
    let Body::Fill(fill) = parse(FRAMES[4]).expect("parses").body else {
        panic!("a fill")
    };
    assert_eq!(
        (fill.price_e4, fill.count_centi, fill.fee_micros, fill.side),
        (5_200, 100, 17_500, Side::Bid)
    );
    assert_eq!(fill.trade_id[..4], [0xf4, 0xa4, 0x21, 0x59]);
    let Body::Trade(trade) = parse(FRAMES[8]).expect("parses").body else {
        panic!("a trade")
    };
    assert_eq!((trade.price_e4, trade.count_centi), (5_200, 1_350));
}

proptest::proptest! {
    /// Whatever damage a frame takes, reading it ends in a frame or an error.
    #[test]
    fn a_mutated_frame_never_panics(
        which in 0..FRAMES.len(),
        edits in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), 0_u8..128, 0_u8..3), 0..6),
    ) {
        let mut bytes = FRAMES[which].as_bytes().to_vec();
        for (place, byte, how) in edits {
            let place = place.index(bytes.len().max(1));
            match how {
                0 if place < bytes.len() => bytes[place] = byte,
                1 if place < bytes.len() => drop(bytes.remove(place)),
                _ => bytes.insert(place, byte),
            }
        }
        let _ = parse(&String::from_utf8_lossy(&bytes));
    }
}
