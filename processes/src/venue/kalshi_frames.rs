//! WebSocket frames of the exchange: one JSON object each, borrowed from the text they came in.
//!
//! An unknown `type` is a [`Body::Unknown`], never an error, and still counts in its subscription's
//! sequence. A frame of a known type that cannot be read is an error and must be treated as lost:
//! the sequence then shows a gap, and the books heal as from any other gap.

use super::kalshi_wire::{null_is_empty, units};
use layouts::Side;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use thiserror::Error;

/// One frame: where it stands in its subscription, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The command that it answers.
    pub id: Option<u64>,
    /// Its subscription.
    pub sid: Option<u32>,
    /// Its number in the subscription, over all markets, from 1; some types carry none.
    pub seq: Option<u64>,
    /// What it says.
    pub body: Body<'a>,
}

/// What a frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body<'a> {
    /// A channel is subscribed under [`Frame::sid`].
    Subscribed(Cow<'a, str>),
    /// A command is done.
    Ok,
    /// A subscription has ended.
    Unsubscribed,
    /// A whole book.
    Snapshot(Snapshot<'a>),
    /// A change of one level.
    Delta(Delta<'a>),
    /// A trade of ours.
    Fill(FillFrame<'a>),
    /// A market opened, closed, was determined or settled.
    Lifecycle(Lifecycle<'a>),
    /// The venue refuses a command or ends a subscription.
    Error(ErrorFrame<'a>),
    /// A type that we do not know, by name.
    Unknown(Cow<'a, str>),
}

/// A level: price in its own side's dollars, and contracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Level(
    /// Price, 1/10,000 dollar.
    #[serde(deserialize_with = "units::price_e4")]
    pub u16,
    /// Contracts, 1/100.
    #[serde(deserialize_with = "units::signed_centi")]
    pub i64,
);

/// A whole book. A side that is empty is absent on the wire, or null.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Snapshot<'a> {
    /// Market.
    #[serde(borrow, rename = "market_ticker")]
    pub ticker: Cow<'a, str>,
    /// Bids for YES.
    #[serde(rename = "yes_dollars_fp", default, deserialize_with = "null_is_empty")]
    pub yes: Vec<Level>,
    /// Bids for NO, in NO dollars.
    #[serde(rename = "no_dollars_fp", default, deserialize_with = "null_is_empty")]
    pub no: Vec<Level>,
}

/// Which contract a level bids for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// YES.
    Yes,
    /// NO.
    No,
}

/// A change of one level.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Delta<'a> {
    /// Market.
    #[serde(borrow, rename = "market_ticker")]
    pub ticker: Cow<'a, str>,
    /// Price in the side's own dollars.
    #[serde(rename = "price_dollars", deserialize_with = "units::price_e4")]
    pub price_e4: u16,
    /// Change, not the new size.
    #[serde(rename = "delta_fp", deserialize_with = "units::signed_centi")]
    pub delta_centi: i64,
    /// The side.
    pub side: Outcome,
    /// The venue's time, Unix milliseconds; 0 where it gives none.
    #[serde(default)]
    pub ts_ms: u64,
}

/// A trade of ours.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FillFrame<'a> {
    /// The trade's id, big-endian.
    #[serde(deserialize_with = "units::trade_id")]
    pub trade_id: [u8; 16],
    /// The venue's id of the order.
    #[serde(borrow)]
    pub order_id: Cow<'a, str>,
    /// Our id of the order.
    #[serde(borrow, default)]
    pub client_order_id: Option<Cow<'a, str>>,
    /// Market.
    #[serde(borrow, rename = "market_ticker")]
    pub ticker: Cow<'a, str>,
    /// Contracts traded.
    #[serde(rename = "count_fp", deserialize_with = "units::centi")]
    pub count_centi: u32,
    /// Price of YES.
    #[serde(rename = "yes_price_dollars", deserialize_with = "units::price_e4")]
    pub price_e4: u16,
    /// Fee.
    #[serde(rename = "fee_cost", deserialize_with = "units::micros")]
    pub fee_micros: i64,
    /// Our side. Not from `side`, which is the aggressor's and so inverted for a maker.
    #[serde(rename = "book_side", deserialize_with = "units::side")]
    pub side: Side,
    /// Whether we took liquidity.
    #[serde(default)]
    pub is_taker: bool,
    /// The venue's time, Unix milliseconds.
    #[serde(default)]
    pub ts_ms: u64,
}

/// A market's step through its life.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Lifecycle<'a> {
    /// Market.
    #[serde(borrow, rename = "market_ticker")]
    pub ticker: Cow<'a, str>,
    /// `activated`, `deactivated`, `determined`, `settled` and others.
    #[serde(borrow)]
    pub event_type: Cow<'a, str>,
    /// `yes`, `no`, `scalar` once determined.
    #[serde(borrow, default)]
    pub result: Option<Cow<'a, str>>,
}

/// The venue refuses a command or ends a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ErrorFrame<'a> {
    /// The venue's number for it.
    #[serde(default)]
    pub code: u32,
    /// Its words.
    #[serde(borrow, rename = "msg", default)]
    pub text: Cow<'a, str>,
    /// The market that it is about, where it is about one.
    #[serde(borrow, rename = "market_ticker", default)]
    pub ticker: Option<Cow<'a, str>>,
}

impl ErrorFrame<'_> {
    /// Channel error and slow consumer: nothing more will come, connect anew.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(self.code, 10 | 25)
    }

    /// Unknown subscription, no authentication, too many requests: whatever else is asked for in
    /// this session would be refused too.
    #[must_use]
    pub fn is_about_the_session(&self) -> bool {
        matches!(self.code, 7 | 9 | 27)
    }
}

/// A frame that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("malformed frame{}{}: {reason}", if kind.is_empty() { "" } else { " of type " }, kind)]
pub struct MalformedFrame {
    /// The type that it claims, where as much could be read.
    pub kind: String,
    /// Where and why.
    pub reason: String,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(default)]
    id: Option<u64>,
    #[serde(default)]
    sid: Option<u32>,
    #[serde(default)]
    seq: Option<u64>,
}

#[derive(Deserialize)]
struct Message<T> {
    msg: T,
}

#[derive(Deserialize)]
struct Subscribed<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
    sid: u32,
}

/// Reads one frame.
pub fn parse(text: &str) -> Result<Frame<'_>, MalformedFrame> {
    let head: Head<'_> = serde_json::from_str(text).map_err(|error| MalformedFrame {
        kind: String::new(),
        reason: error.to_string(),
    })?;
    let mut frame = Frame {
        id: head.id,
        sid: head.sid,
        seq: head.seq,
        body: Body::Ok,
    };
    frame.body = match &*head.kind {
        "orderbook_delta" => Body::Delta(message(text, &head.kind)?),
        "orderbook_snapshot" => Body::Snapshot(message(text, &head.kind)?),
        "fill" => Body::Fill(message(text, &head.kind)?),
        "market_lifecycle_v2" => Body::Lifecycle(message(text, &head.kind)?),
        "subscribed" => {
            let Subscribed { channel, sid } = message(text, &head.kind)?;
            frame.sid = Some(sid);
            Body::Subscribed(channel)
        }
        "ok" => Body::Ok,
        "unsubscribed" => Body::Unsubscribed,
        "error" => Body::Error(message(text, &head.kind)?),
        _ => Body::Unknown(head.kind),
    };
    Ok(frame)
}

fn message<'a, T: Deserialize<'a>>(text: &'a str, kind: &str) -> Result<T, MalformedFrame> {
    let message: Message<T> = serde_json::from_str(text).map_err(|error| MalformedFrame {
        kind: kind.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(message.msg)
}

/// A command to the venue.
#[derive(Debug, Serialize)]
pub(crate) struct Command<'a> {
    pub(crate) id: u64,
    pub(crate) cmd: &'static str,
    pub(crate) params: Parameters<'a>,
}

/// Parameters of a command; what is absent is not sent.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Parameters<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) channels: Option<&'a [&'a str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) market_tickers: Option<&'a [&'a str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) use_yes_price: Option<bool>,
}

#[cfg(test)]
mod tests {
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
    }

    /// Frames of every kind, as the venue writes them.
    const FRAMES: [&str; 8] = [
        r#"{"type":"subscribed","id":2,"msg":{"channel":"orderbook_delta","sid":1}}"#,
        r#"{"type":"ok","id":6,"sid":1,"seq":1,"msg":{"market_tickers":["A-B","C-D"]}}"#,
        r#"{"type":"orderbook_snapshot","sid":1,"seq":2,"msg":{"market_ticker":"A-B","market_id":"4","yes_dollars_fp":[["0.0100","1406474.86"]],"no_dollars_fp":[["0.7300","55555.20"]]}}"#,
        r#"{"type":"orderbook_delta","sid":1,"seq":10,"msg":{"market_ticker":"A-B","market_id":"7","price_dollars":"0.7400","delta_fp":"-1.84","side":"no","ts":"2026-07-01T02:31:45.308599Z","ts_ms":1782873105308}}"#,
        r#"{"type":"fill","sid":2,"msg":{"trade_id":"f4a42159-b500-57c6-efa2-c31d94d916c1","order_id":"o","client_order_id":"c","market_ticker":"A-B","is_taker":true,"side":"yes","yes_price_dollars":"0.5200","count_fp":"1.00","fee_cost":"0.017500","book_side":"bid","outcome_side":"yes","ts_ms":1782873105308}}"#,
        r#"{"type":"market_lifecycle_v2","sid":3,"seq":1,"msg":{"event_type":"determined","market_ticker":"A-B","result":"yes"}}"#,
        r#"{"type":"error","id":4,"msg":{"code":5,"msg":"unknown command"}}"#,
        r#"{"type":"unsubscribed","id":9,"sid":1,"seq":99}"#,
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
}
