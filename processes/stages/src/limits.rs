//! What may be risked, as a pipeline file says it.

use layouts::Control;
use serde::{Deserialize, Serialize};

/// What may be risked. Whole dollars and contracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Contracts in one order.
    pub max_order_contracts: u32,
    /// Contracts held of one market, long or short.
    pub max_market_contracts: u32,
    /// Dollars at stake in one game.
    pub max_game_dollars: u32,
    /// Dollars at stake in one sport.
    pub max_sport_dollars: u32,
    /// Dollars at stake in all.
    pub max_exposure_dollars: u32,
    /// Dollars that may be lost in one trading day: what was lost since it began, and what is at stake.
    pub max_day_loss_dollars: u32,
    /// Orders without a final answer at any time.
    pub max_open_orders: u32,
    /// Contracts that may trade within 15 s before the venue itself lets no more of our orders pass.
    pub max_burst_contracts: u32,
    /// Shortest time between two orders in one market for one side, milliseconds.
    pub repeat_ms: u64,
    /// The share of the Kelly stake that is taken, percent; a quarter is the usual caution.
    pub kelly_percent: u8,
}

impl From<&Control> for Limits {
    fn from(control: &Control) -> Self {
        Self {
            max_order_contracts: control.max_order_contracts,
            max_market_contracts: control.max_market_contracts,
            max_game_dollars: control.max_game_dollars,
            max_sport_dollars: control.max_sport_dollars,
            max_exposure_dollars: control.max_exposure_dollars,
            max_day_loss_dollars: control.max_day_loss_dollars,
            max_open_orders: control.max_open_orders,
            max_burst_contracts: control.max_burst_contracts,
            repeat_ms: control.repeat_ms.into(),
            kelly_percent: control.kelly_percent,
        }
    }
}
