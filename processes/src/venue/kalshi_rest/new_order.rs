//! A new order, the body of its request, and the ways to place it.

use super::super::error::VenueError;
use super::super::kalshi_wire::{CreateOrder, OrderResult};
use super::super::last_look::LastLook;
use super::super::pace::{DEFAULT_COST, Pair};
use super::*;
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

/// What the account's budget of writes has to do with an order.
enum Budget {
    /// It is paid for by itself.
    Order,
    /// With the other order of its pair.
    Leg(Pair),
    /// It is paid for already.
    Paid,
}

impl KalshiRest {
    /// Places an order, if `look` still lets it when its connection is there. `Err` with
    /// [`VenueError::is_ambiguous`] may have reached the venue: look for it with [`Self::readable_orders`], or send the
    /// same `client_order_id` again. [`VenueError::NotSent`] cannot have.
    pub async fn create_order(
        &self,
        order: &NewOrder<'_>,
        look: &LastLook,
    ) -> Result<OrderResult, VenueError> {
        self.create(order, look, Budget::Order).await
    }

    /// As [`Self::create_order`], for one of the two orders of `pair`: the budget has room for both, or neither is sent.
    pub async fn create_leg(
        &self,
        order: &NewOrder<'_>,
        look: &LastLook,
        pair: Pair,
    ) -> Result<OrderResult, VenueError> {
        self.create(order, look, Budget::Leg(pair)).await
    }

    /// As [`Self::create_order`], for one that is paid for: [`Self::create_leg`] could not write it.
    pub async fn create_paid(
        &self,
        order: &NewOrder<'_>,
        look: &LastLook,
    ) -> Result<OrderResult, VenueError> {
        self.create(order, look, Budget::Paid).await
    }

    async fn create(
        &self,
        order: &NewOrder<'_>,
        look: &LastLook,
        budget: Budget,
    ) -> Result<OrderResult, VenueError> {
        const LABEL: &str = "POST /portfolio/events/orders";
        let url = self.url(CREATE_PATH, &[]);
        let body =
            serde_json::to_vec(&order.on_the_wire()).map_err(|error| VenueError::NotSent {
                request: LABEL.to_owned(),
                reason: error.to_string(),
            })?;
        let in_time = |wait: Duration| wait.is_zero() || look.allows_after(wait);
        let now = Instant::now();
        let paid = match budget {
            Budget::Order => self.pace.write(DEFAULT_COST, now, in_time),
            Budget::Leg(pair) => self.pace.write_leg(pair, DEFAULT_COST, now, in_time),
            Budget::Paid => Ok(Duration::ZERO),
        };
        let wait = paid.map_err(|wait| VenueError::OverBudget {
            request: LABEL.to_owned(),
            wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
        })?;
        pause(wait).await;
        let ready = self.signed_ahead.as_ref().and_then(|stock| stock.take());
        let signature = match ready {
            Some(signature) => signature,
            None => self.signer.sign_now("POST", url.path())?,
        };
        let request = self
            .with_signature(Method::POST, url, &signature)
            .header(CONTENT_TYPE, "application/json")
            .timeout(self.patience)
            .body(look.body(body));
        match Self::answer(LABEL, request).await {
            Err(VenueError::Transport { request, reason }) if look.close().is_none() => {
                Err(VenueError::NotSent { request, reason })
            }
            answer => answer,
        }
    }
}
