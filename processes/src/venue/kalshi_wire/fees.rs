//! What markets charge: by their series, or by their event instead.

use super::{null_is_empty, units};
use serde::Deserialize;

/// What the markets of a series charge.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SeriesFees {
    /// Such as `quadratic_with_maker_fees`.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub fee_type: String,
    /// Multiplier of the fee, 1/10,000; `None` where the venue gave none.
    #[serde(
        rename = "fee_multiplier",
        default,
        deserialize_with = "units::optional_multiplier_e4"
    )]
    pub fee_multiplier_e4: Option<u32>,
}

/// What the markets of an event charge instead.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct EventFees {
    /// Overrides the series' type of fees; empty where it does not.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub fee_type_override: String,
    /// Overrides the series' multiplier, 1/10,000.
    #[serde(
        rename = "fee_multiplier_override",
        default,
        deserialize_with = "units::optional_multiplier_e4"
    )]
    pub fee_multiplier_override_e4: Option<u32>,
}

/// A change of fees that the venue has announced: of a series, or of one of its events.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FeeChangeRecord<Fees> {
    /// Such as `KXNFLGAME`.
    pub series_ticker: String,
    /// Such as `KXNFLGAME-26OCT12BUFLAR`; empty where the whole series changes.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub event_ticker: String,
    /// From then on.
    #[serde(flatten)]
    pub fees: Fees,
    /// From when on, RFC 3339.
    pub scheduled_ts: String,
}
