//! What counts as an opportunity, as a pipeline file says it.

use serde::{Deserialize, Serialize};

/// What counts as an opportunity.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Least edge of the model over the price, after fees, 1/10,000 dollar a contract.
    pub min_edge_e4: u16,
    /// Least gain of an arbitrage, after fees, 1/10,000 dollar a pair.
    pub min_arbitrage_e4: u16,
    /// Weight of the model against the market's own mid, percent.
    pub weight_percent: u8,
    /// Oldest game state that may be priced from, milliseconds.
    pub max_state_age_ms: u64,
    /// How long a signal may wait to become an order on the wire, milliseconds.
    pub signal_ttl_ms: u64,
}
