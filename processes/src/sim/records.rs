//! What the exchange keeps and tells: orders, trades, fills, settlements, happenings.

use super::book::{AccountNumber, OrderNumber, SelfTrade};
use super::catalogue::Life;
use super::ledger::{Holding, MarketNumber};
use layouts::Side;

/// How long an order may live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeInForce {
    FillOrKill,
    ImmediateOrCancel,
    GoodTillCanceled,
}

/// A valid order request.
#[derive(Debug, Clone)]
pub(crate) struct NewOrder {
    pub(crate) account: AccountNumber,
    pub(crate) market: MarketNumber,
    pub(crate) side: Side,
    pub(crate) price_e4: u16,
    pub(crate) count_centi: u32,
    pub(crate) time_in_force: TimeInForce,
    pub(crate) self_trade: SelfTrade,
    pub(crate) post_only: bool,
    pub(crate) reduce_only: bool,
    pub(crate) cancel_on_pause: bool,
    pub(crate) expires_us: Option<i64>,
    pub(crate) client_order_id: Option<String>,
    /// The order group that it counts in, by its id.
    pub(crate) group: Option<String>,
}

/// What an order is to become. Ticker and side are those it has.
#[derive(Debug, Clone)]
pub(crate) struct Amendment {
    pub(crate) price_e4: u16,
    /// In all: what has been filled, and what is to rest.
    pub(crate) count_centi: u32,
    /// A new client order id, unless the old one stays.
    pub(crate) client_order_id: Option<String>,
    /// When the order ends: `None` leaves that as it was, `Some(None)` is never.
    pub(crate) expires_us: Option<Option<i64>>,
}

/// Why an order was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    MarketInactive,
    /// The venue trades nothing for now.
    TradingPaused,
    InvalidPrice,
    AlreadyExists,
    InsufficientBalance,
    PostOnlyCross,
    FillOrKill,
    InvalidSize,
    /// No such order rests.
    NotFound,
    /// The order group is not there, or belongs to another shard.
    NoGroup,
    /// The order group's limit was hit, and nobody has reset it.
    GroupTriggered,
}

/// Where an order is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OrderState {
    Resting,
    Canceled,
    Executed,
}

/// Why an order last changed, in the venue's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    None,
    Trade,
    SelfTradeCancel,
    ExpiryCancel,
    CloseCancel,
    ReduceOnlyCancel,
    /// The market was paused, or its pause has ended.
    HaltCancel,
    Cancel,
    Amend,
    Decrease,
}

/// An order and its history.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) number: OrderNumber,
    pub(crate) id: String,
    pub(crate) new: NewOrder,
    pub(crate) state: OrderState,
    pub(crate) reason: Reason,
    pub(crate) left_centi: u32,
    pub(crate) filled_centi: u32,
    pub(crate) taker_cost_micros: i64,
    pub(crate) maker_cost_micros: i64,
    pub(crate) taker_fee_micros: i64,
    pub(crate) maker_fee_micros: i64,
    pub(crate) created_us: i64,
    pub(crate) updated_us: i64,
}

/// One trade on the tape.
#[derive(Debug, Clone)]
pub(crate) struct Trade {
    pub(crate) id: String,
    pub(crate) market: MarketNumber,
    pub(crate) price_e4: u16,
    pub(crate) count_centi: u32,
    pub(crate) taker: Side,
    pub(crate) at_us: i64,
}

/// One fill of the client.
#[derive(Debug, Clone)]
pub(crate) struct ClientFill {
    pub(crate) trade: Trade,
    pub(crate) order_id: String,
    pub(crate) client_order_id: Option<String>,
    pub(crate) side: Side,
    pub(crate) is_taker: bool,
    pub(crate) fee_micros: i64,
    pub(crate) position_after_centi: i64,
}

/// What the client got for a market that paid out.
#[derive(Debug, Clone)]
pub(crate) struct Settlement {
    pub(crate) market: MarketNumber,
    pub(crate) value_e4: u16,
    pub(crate) holding: Holding,
    pub(crate) at_us: i64,
}

/// Something that subscribers are told.
#[derive(Debug, Clone)]
pub(crate) enum Happening {
    /// A level changed by so much; `order` names the client's own order when it caused that.
    Delta {
        market: MarketNumber,
        side: Side,
        price_e4: u16,
        delta_centi: i64,
        client_order_id: Option<String>,
        at_us: i64,
    },
    Trade(Trade),
    /// The touch, the last price or the volume changed.
    Ticker {
        market: MarketNumber,
        at_us: i64,
    },
    Fill(ClientFill),
    Order(Box<Order>),
    Position {
        market: MarketNumber,
    },
    Life {
        market: MarketNumber,
        life: Life,
        at_us: i64,
    },
}
