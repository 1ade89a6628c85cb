//! WebSocket frames of the exchange: one JSON object each, borrowed from the text they came in.
//!
//! An unknown `type` is a [`Body::Unknown`], never an error, and still counts in its subscription's
//! sequence. A frame of a known type that cannot be read is an error and must be treated as lost:
//! the sequence then shows a gap, and the books heal as from any other gap.

use super::kalshi_wire::{PriceRange, null_is_empty, units};
use layouts::Side;
use serde::{Deserialize, Serialize};
use stages::book::{Level, Outcome};
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
    /// An order of ours has changed.
    UserOrder(UserOrder<'a>),
    /// A trade between any two.
    Trade(Trade<'a>),
    /// A market opened, closed, was determined or settled.
    Lifecycle(Lifecycle<'a>),
    /// The venue refuses a command or ends a subscription.
    Error(ErrorFrame<'a>),
    /// A type that we do not know, by name.
    Unknown(Cow<'a, str>),
    /// No text.
    Blank,
    /// Bytes in place of text.
    Binary,
}

/// A whole book. A side that is empty is absent on the wire, or null.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Snapshot<'a> {
    /// Market.
    #[serde(borrow, rename = "market_ticker")]
    pub ticker: Cow<'a, str>,
    /// Bids for YES.
    #[serde(rename = "yes_dollars_fp", default, deserialize_with = "units::levels")]
    pub yes: Vec<Level>,
    /// Bids for NO, in NO dollars.
    #[serde(rename = "no_dollars_fp", default, deserialize_with = "units::levels")]
    pub no: Vec<Level>,
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
    #[serde(deserialize_with = "units::outcome")]
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

/// An order of ours as it stands now.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct UserOrder<'a> {
    /// The venue's id.
    #[serde(borrow)]
    pub order_id: Cow<'a, str>,
    /// Our id.
    #[serde(borrow, default)]
    pub client_order_id: Option<Cow<'a, str>>,
    /// Market.
    #[serde(borrow, alias = "market_ticker")]
    pub ticker: Cow<'a, str>,
    /// `resting`, `canceled`, `executed` or `unknown`.
    #[serde(borrow)]
    pub status: Cow<'a, str>,
    /// Contracts traded.
    #[serde(rename = "fill_count_fp", deserialize_with = "units::centi")]
    pub filled_centi: u32,
    /// Contracts that still rest.
    #[serde(rename = "remaining_count_fp", deserialize_with = "units::centi")]
    pub remaining_centi: u32,
}

/// A trade between any two.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Trade<'a> {
    /// Market.
    #[serde(borrow, rename = "market_ticker")]
    pub ticker: Cow<'a, str>,
    /// Contracts traded.
    #[serde(rename = "count_fp", deserialize_with = "units::centi")]
    pub count_centi: u32,
    /// Price of YES.
    #[serde(rename = "yes_price_dollars", deserialize_with = "units::price_e4")]
    pub price_e4: u16,
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
    /// When it closes from now on, Unix seconds.
    #[serde(default)]
    pub close_ts: Option<i64>,
    /// Whether it is paused, where that is told.
    #[serde(default)]
    pub is_deactivated: Option<bool>,
    /// Where which price step holds from now on.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub price_ranges: Vec<PriceRange>,
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
    /// Its subscription, likewise.
    pub sid: Option<u32>,
    /// Its number there, likewise.
    pub seq: Option<u64>,
    /// The market that it is about, likewise.
    pub ticker: Option<String>,
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
        sid: None,
        seq: None,
        ticker: None,
        reason: error.to_string(),
    })?;
    let mut frame = Frame {
        id: head.id,
        sid: head.sid,
        seq: head.seq,
        body: Body::Ok,
    };
    frame.body = match &*head.kind {
        "orderbook_delta" => Body::Delta(message(text, &head)?),
        "orderbook_snapshot" => Body::Snapshot(message(text, &head)?),
        "trade" => Body::Trade(message(text, &head)?),
        "fill" => Body::Fill(message(text, &head)?),
        "user_order" => Body::UserOrder(message(text, &head)?),
        "market_lifecycle_v2" => Body::Lifecycle(message(text, &head)?),
        "subscribed" => {
            let Subscribed { channel, sid } = message(text, &head)?;
            frame.sid = Some(sid);
            Body::Subscribed(channel)
        }
        "ok" => Body::Ok,
        "unsubscribed" => Body::Unsubscribed,
        "error" => Body::Error(message(text, &head)?),
        _ => Body::Unknown(head.kind),
    };
    Ok(frame)
}

fn message<'a, T: Deserialize<'a>>(text: &'a str, head: &Head<'_>) -> Result<T, MalformedFrame> {
    #[derive(Deserialize)]
    struct About {
        market_ticker: String,
    }
    let message: Message<T> = serde_json::from_str(text).map_err(|error| MalformedFrame {
        kind: head.kind.clone().into_owned(),
        sid: head.sid,
        seq: head.seq,
        ticker: serde_json::from_str::<Message<About>>(text)
            .ok()
            .map(|about| about.msg.market_ticker),
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
mod tests;
