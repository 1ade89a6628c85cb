//! A new order, and the body of its request.

use super::super::kalshi_wire::CreateOrder;
use layouts::Side;
use layouts::units::format_decimal;

/// An immediate-or-cancel limit order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewOrder<'a> {
    /// Market.
    pub ticker: &'a str,
    /// Our id, unique for ever: sending it again cannot trade twice.
    pub client_order_id: &'a str,
    /// Buy or sell YES.
    pub side: Side,
    /// Contracts.
    pub count_centi: u32,
    /// Limit, the price of YES for either side.
    pub price_e4: u16,
    /// The market's shard; without it the venue must look it up, which takes time.
    pub exchange_index: Option<u32>,
    /// The group whose limit it counts towards.
    pub order_group_id: Option<&'a str>,
}

impl NewOrder<'_> {
    /// The body of its request, as it is written.
    #[must_use]
    pub(crate) fn on_the_wire(&self) -> CreateOrder<'_> {
        CreateOrder {
            ticker: self.ticker,
            client_order_id: self.client_order_id,
            side: self.side.as_str(),
            count: format_decimal(i64::from(self.count_centi), 2),
            price: format_decimal(i64::from(self.price_e4), 4),
            time_in_force: "immediate_or_cancel",
            self_trade_prevention_type: "taker_at_cross",
            exchange_index: self.exchange_index,
            order_group_id: self.order_group_id,
        }
    }
}
