//! REST bodies of the exchange: decimal strings on the wire, integer units here.
//!
//! Unknown fields are ignored and missing ones take a neutral value, because the venue adds and
//! retires fields while it runs. What a decision depends on (ids, prices, counts) must be there.

pub mod fees;

use fees::{EventFees, SeriesFees};
use layouts::Side;
use layouts::units::{parse_centi, parse_decimal, parse_price_e4};
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};
use stages::book::{Level, Outcome};

/// `null` where a text or list is expected, as good as absent.
pub(crate) fn null_is_empty<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// Decimal strings into integer units, for `deserialize_with`.
pub(crate) mod units {
    use super::*;
    use std::borrow::Cow;

    /// Beyond a billion dollars nothing is an amount: what is summed and multiplied needs no checks then.
    const MOST_MICROS: u64 = 1_000_000_000_000_000;
    /// The contracts that pay as much.
    const MOST_CENTI: u64 = MOST_MICROS / layouts::E4_PER_DOLLAR as u64;

    fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Cow<'de, str>, D::Error> {
        #[derive(Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
        Text::deserialize(from).map(|text| text.0)
    }

    fn wrong<E: de::Error>(what: &str, text: &str) -> E {
        // Cut: whatever came in must not flood the log.
        E::custom(format!(
            "`{}` is no {what}",
            text.chars().take(32).collect::<String>()
        ))
    }

    pub(crate) fn price_e4<'de, D: Deserializer<'de>>(from: D) -> Result<u16, D::Error> {
        let text = text(from)?;
        parse_price_e4(&text).ok_or_else(|| wrong("price", &text))
    }

    pub(crate) fn signed_centi<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
        let text = text(from)?;
        let count = parse_centi(&text).filter(|count| count.unsigned_abs() <= MOST_CENTI);
        count.ok_or_else(|| wrong("count", &text))
    }

    pub(crate) fn centi<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
        let text = text(from)?;
        parse_centi(&text)
            .and_then(|count| u32::try_from(count).ok())
            .ok_or_else(|| wrong("count", &text))
    }

    pub(crate) fn micros<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
        let text = text(from)?;
        let micros = parse_decimal(&text, 6).filter(|micros| micros.unsigned_abs() <= MOST_MICROS);
        micros.ok_or_else(|| wrong("amount", &text))
    }

    /// Whole cents, one of the few amounts that the venue still writes as a number.
    pub(crate) fn cents_as_micros<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
        let cents = i64::deserialize(from)?;
        cents
            .checked_mul(10_000)
            .filter(|micros| micros.unsigned_abs() <= MOST_MICROS)
            .ok_or_else(|| wrong("amount", &cents.to_string()))
    }

    /// Whole cents of a contract's value.
    pub(crate) fn optional_cents_as_e4<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<u16>, D::Error> {
        let cents: Option<u16> = Option::deserialize(from)?;
        cents
            .map(|cents| {
                let value = cents
                    .checked_mul(100)
                    .filter(|value| *value <= layouts::E4_PER_DOLLAR);
                value.ok_or_else(|| wrong("value", &cents.to_string()))
            })
            .transpose()
    }

    /// A multiplier, a JSON number: 0.5 is 5,000. Through its own digits, not through arithmetic.
    pub(crate) fn optional_multiplier_e4<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<u32>, D::Error> {
        let number: Option<serde_json::Number> = Option::deserialize(from)?;
        number
            .map(|number| {
                let text = number.to_string();
                let value = parse_decimal(&text, 4).and_then(|value| u32::try_from(value).ok());
                value.ok_or_else(|| wrong("multiplier", &text))
            })
            .transpose()
    }

    /// A side's levels, pairs of decimal strings; `null` where there are none.
    pub(crate) fn levels<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Level>, D::Error> {
        #[derive(Deserialize)]
        struct Pair(
            #[serde(deserialize_with = "price_e4")] u16,
            #[serde(deserialize_with = "signed_centi")] i64,
        );
        let pairs: Vec<Pair> = null_is_empty(from)?;
        let levels = pairs.into_iter();
        Ok(levels
            .map(|Pair(price, count)| Level(price, count))
            .collect())
    }

    pub(crate) fn outcome<'de, D: Deserializer<'de>>(from: D) -> Result<Outcome, D::Error> {
        let text = text(from)?;
        match &*text {
            "yes" => Ok(Outcome::Yes),
            "no" => Ok(Outcome::No),
            _ => Err(wrong("outcome", &text)),
        }
    }

    pub(crate) fn side<'de, D: Deserializer<'de>>(from: D) -> Result<Side, D::Error> {
        let text = text(from)?;
        match &*text {
            "bid" => Ok(Side::Bid),
            "ask" => Ok(Side::Ask),
            other => Err(wrong("book side", other)),
        }
    }

    /// A UUID, or the name-based UUID of whatever else the venue may use as an id one day.
    pub(crate) fn trade_id<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 16], D::Error> {
        let text = text(from)?;
        let id = uuid::Uuid::parse_str(&text)
            .unwrap_or_else(|_| uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, text.as_bytes()));
        Ok(id.into_bytes())
    }
}

/// Body of a new order.
#[derive(Debug, Serialize)]
pub(crate) struct CreateOrder<'a> {
    pub(crate) ticker: &'a str,
    pub(crate) client_order_id: &'a str,
    pub(crate) side: &'static str,
    pub(crate) count: String,
    pub(crate) price: String,
    pub(crate) time_in_force: &'static str,
    pub(crate) self_trade_prevention_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exchange_index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) order_group_id: Option<&'a str>,
}

/// The matching engine's word on a new order. Success does not mean a fill.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OrderResult {
    /// The venue's id.
    pub order_id: String,
    /// Our id, given back.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub client_order_id: String,
    /// Contracts traded.
    #[serde(rename = "fill_count", deserialize_with = "units::centi")]
    pub filled_centi: u32,
    /// Contracts still resting: 0 for an immediate-or-cancel order.
    #[serde(rename = "remaining_count", deserialize_with = "units::centi")]
    pub remaining_centi: u32,
    /// The engine's time, Unix milliseconds.
    #[serde(default)]
    pub ts_ms: u64,
}

/// What the venue knows about an order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OrderState {
    /// The venue's id.
    pub order_id: String,
    /// Our id.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub client_order_id: String,
    /// Market.
    pub ticker: String,
    /// Buy or sell YES.
    #[serde(rename = "book_side", deserialize_with = "units::side")]
    pub side: Side,
    /// `resting`, `canceled` or `executed`.
    pub status: String,
    /// Contracts traded.
    #[serde(rename = "fill_count_fp", deserialize_with = "units::centi")]
    pub filled_centi: u32,
    /// Contracts still resting.
    #[serde(rename = "remaining_count_fp", deserialize_with = "units::centi")]
    pub remaining_centi: u32,
}

/// One trade of ours.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FillRecord {
    /// The trade's id, big-endian.
    #[serde(deserialize_with = "units::trade_id")]
    pub trade_id: [u8; 16],
    /// The venue's id of the order.
    pub order_id: String,
    /// Market.
    pub ticker: String,
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
    /// When, RFC 3339.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub created_time: String,
}

/// What we hold of one market.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PositionRecord {
    /// Market.
    pub ticker: String,
    /// Signed: positive is YES.
    #[serde(rename = "position_fp", deserialize_with = "units::signed_centi")]
    pub position_centi: i64,
    /// Fees paid in this market.
    #[serde(
        rename = "fees_paid_dollars",
        default,
        deserialize_with = "units::micros"
    )]
    pub fees_paid_micros: i64,
}

/// What our tier lets us spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct AccountLimits {
    /// Of reads.
    pub read: Bucket,
    /// Of writes.
    pub write: Bucket,
}

/// One bucket of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Bucket {
    /// Tokens that it holds.
    pub bucket_capacity: u32,
    /// Tokens that come back each second.
    pub refill_rate: u32,
}

/// Our money at the venue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BalanceRecord {
    /// Cash. From the string: the number beside it is cut to whole cents.
    #[serde(rename = "balance_dollars", deserialize_with = "units::micros")]
    pub balance_micros: i64,
    /// When the venue computed it, Unix seconds.
    #[serde(default)]
    pub updated_ts: u64,
}

/// What a decided market paid us.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SettlementRecord {
    /// Market.
    pub ticker: String,
    /// `yes`, `no`, `scalar` or `void`.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub market_result: String,
    /// YES contracts held.
    #[serde(rename = "yes_count_fp", deserialize_with = "units::centi")]
    pub yes_count_centi: u32,
    /// NO contracts held.
    #[serde(rename = "no_count_fp", deserialize_with = "units::centi")]
    pub no_count_centi: u32,
    /// Paid out; whole cents on the wire.
    #[serde(
        rename = "revenue",
        default,
        deserialize_with = "units::cents_as_micros"
    )]
    pub revenue_micros: i64,
    /// Worth of one YES contract; whole cents on the wire, absent from some records.
    #[serde(
        rename = "value",
        default,
        deserialize_with = "units::optional_cents_as_e4"
    )]
    pub value_e4: Option<u16>,
    /// When, RFC 3339.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub settled_time: String,
}

/// A series: all games of one league.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SeriesRecord {
    /// Such as `KXNFLGAME`.
    pub ticker: String,
    /// What its markets charge.
    #[serde(flatten)]
    pub fees: SeriesFees,
}

/// An event: one game, with its markets where they were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EventRecord {
    /// Such as `KXNFLGAME-26OCT12BUFLAR`.
    pub event_ticker: String,
    /// Such as `KXNFLGAME`.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub series_ticker: String,
    /// In words.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub title: String,
    /// What its markets charge instead of what the series does.
    #[serde(flatten)]
    pub fees: EventFees,
    /// The venue's shard.
    #[serde(default)]
    pub exchange_index: Option<u32>,
    /// Its markets.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub markets: Vec<MarketRecord>,
}

/// A market: one team of one game.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MarketRecord {
    /// Such as `KXNFLGAME-26OCT12BUFLAR-LAR`.
    pub ticker: String,
    /// Such as `KXNFLGAME-26OCT12BUFLAR`.
    pub event_ticker: String,
    /// `active` while it trades.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub status: String,
    /// When it closes, RFC 3339.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub close_time: String,
    /// The team in words.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub yes_sub_title: String,
    /// `yes`, `no`, `scalar`, or empty while undecided.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub result: String,
    /// Where which price step holds.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub price_ranges: Vec<PriceRange>,
    /// The venue's shard.
    #[serde(default)]
    pub exchange_index: Option<u32>,
}

/// Whether the venue trades at all.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ExchangeStatus {
    /// False while nothing at all is answered.
    pub exchange_active: bool,
    /// False while nothing trades.
    pub trading_active: bool,
    /// Of each shard of it.
    #[serde(
        rename = "exchange_index_statuses",
        default,
        deserialize_with = "null_is_empty"
    )]
    pub shards: Vec<ShardStatus>,
}

/// Whether a shard of the venue trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct ShardStatus {
    /// Its number.
    pub exchange_index: u32,
    /// As of the venue.
    pub exchange_active: bool,
    /// As of the venue.
    pub trading_active: bool,
}

impl ExchangeStatus {
    /// Whether the markets of a shard may trade. One that is not listed, or not known, is as the venue.
    #[must_use]
    pub fn trades(&self, exchange_index: Option<u32>) -> bool {
        let mut own = self.shards.iter();
        let own = own.find(|shard| Some(shard.exchange_index) == exchange_index);
        self.exchange_active
            && self.trading_active
            && own.is_none_or(|shard| shard.exchange_active && shard.trading_active)
    }
}

/// A range of prices with one step.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PriceRange {
    /// Step.
    #[serde(rename = "step", deserialize_with = "units::price_e4")]
    pub step_e4: u16,
}

/// The coarsest step of some ranges, valid in all of them; `None` where they tell none.
#[must_use]
pub fn tick_e4(ranges: &[PriceRange]) -> Option<u16> {
    let steps = ranges.iter().map(|range| range.step_e4);
    steps.max().filter(|step| *step > 0)
}

/// Code and further words of an error body, in any of the shapes that the venue uses.
#[must_use]
pub fn parse_error(body: &str) -> (String, String) {
    let field = |value: &serde_json::Value, name: &str| {
        value
            .get(name)
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let Ok(body) = serde_json::from_str::<serde_json::Value>(body) else {
        return (String::new(), body.chars().take(200).collect());
    };
    let inner = body.get("error").unwrap_or(&body);
    if let Some(text) = inner.as_str() {
        return (text.replace(' ', "_"), String::new());
    }
    let code = field(inner, "code");
    let details = [
        field(inner, "details"),
        field(inner, "msg"),
        field(inner, "message"),
    ];
    (
        code,
        details
            .into_iter()
            .find(|text| !text.is_empty())
            .unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests;
