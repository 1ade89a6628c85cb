//! An order and what became of it. `signal_processor` -> `execution_service` -> `signal_processor`.

use crate::{
    SignalKind,
    units::{Side, checked},
};
use bytemuck::CheckedBitPattern;

ipc::message! {
    /// An immediate-or-cancel limit order to be placed.
    #[derive(Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct Order v1 {
        /// Ingress time of the tick that caused it.
        ingress_mono_ns: u64 = "ns, CLOCK_MONOTONIC",
        /// After this moment it may not be sent.
        expires_mono_ns: u64 = "ns, CLOCK_MONOTONIC",
        /// Identity: the `signal` it was made from. The client order id derives from it.
        order: u64 = "id",
        /// Market number.
        market: u32 = "id",
        /// Game number.
        game: u32 = "id",
        /// Contracts to trade.
        count_centi: u32 = "1/100 contract",
        /// Limit price for YES.
        price_e4: u16 = "1/10000 dollar",
        /// A [`Side`].
        side: u8 = "0 bid, 1 ask",
        /// A [`SignalKind`].
        kind: u8 = "0 model edge, 1 arbitrage",
        /// Always zero.
        #[cfg_attr(feature = "serde", serde(skip))]
        padding: [u8; 8] = "zero",
    }
}
const _: () = assert!(size_of::<Order>() == 48 && core::mem::offset_of!(Order, price_e4) == 36);

impl Order {
    /// Buy or sell, or `None` for a byte that means nothing.
    #[must_use]
    pub fn side(&self) -> Option<Side> {
        Side::from_byte(self.side)
    }

    /// Why its signal was raised, or `None` for a byte that means nothing.
    #[must_use]
    pub fn kind(&self) -> Option<SignalKind> {
        checked(self.kind)
    }
}

ipc::message! {
    /// The final word on one order. There is exactly one for every order taken from the ring.
    #[derive(Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct OrderAck v1 {
        /// Ingress time of the tick that caused the order.
        ingress_mono_ns: u64 = "ns, CLOCK_MONOTONIC",
        /// When the venue's answer was known.
        acked_mono_ns: u64 = "ns, CLOCK_MONOTONIC",
        /// Identity of the order.
        order: u64 = "id",
        /// What was paid for the filled contracts, without fees; negative when sold.
        cost_micros: i64 = "1e-6 dollar",
        /// Market number.
        market: u32 = "id",
        /// Contracts filled.
        filled_centi: u32 = "1/100 contract",
        /// Fees paid.
        fee_micros: u32 = "1e-6 dollar",
        /// An [`OrderStatus`].
        status: u8 = "0 filled, 1 partly filled, 2 unfilled, 3 rejected, 4 expired, 5 unknown",
        /// A [`RejectReason`].
        reason: u8 = "code",
        /// A [`Side`].
        side: u8 = "0 bid, 1 ask",
        /// Always zero.
        #[cfg_attr(feature = "serde", serde(skip))]
        padding: [u8; 1] = "zero",
    }
}
const _: () = assert!(size_of::<OrderAck>() == 48 && core::mem::offset_of!(OrderAck, status) == 44);

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, CheckedBitPattern, bytemuck::NoUninit)]
#[repr(u8)]
pub enum OrderStatus {
    /// All of it traded.
    Filled = 0,
    /// Part of it traded, the rest was cancelled.
    PartlyFilled = 1,
    /// None of it traded.
    Unfilled = 2,
    /// The venue, or we, refused it: see [`RejectReason`].
    Rejected = 3,
    /// Its time had passed before it was sent.
    Expired = 4,
    /// The venue never told; a human must look.
    Unknown = 5,
}

/// Why an order was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, CheckedBitPattern, bytemuck::NoUninit)]
#[repr(u8)]
pub enum RejectReason {
    /// It was not.
    None = 0,
    /// The venue has no such market, or we do not know its ticker.
    UnknownMarket = 1,
    /// The market is closed or paused.
    MarketInactive = 2,
    /// Not enough money at the venue.
    InsufficientBalance = 3,
    /// The price is off the market's grid.
    InvalidPrice = 4,
    /// Too many requests, still after the retries.
    RateLimited = 5,
    /// The signature, key or time stamp was refused.
    Authentication = 6,
    /// Anything else that the venue said.
    Other = 7,
    /// The venue's own brake on us, our order group, lets nothing pass.
    Braked = 8,
}

impl OrderAck {
    /// What became of the order, or `None` for a byte that means nothing.
    #[must_use]
    pub fn status(&self) -> Option<OrderStatus> {
        checked(self.status)
    }

    /// Why it was refused, or `None` for a byte that means nothing.
    #[must_use]
    pub fn reason(&self) -> Option<RejectReason> {
        checked(self.reason)
    }
}
