//! One trade of ours at the venue. `execution_service` -> `position_tracker`.

use crate::units::Side;

ipc::message! {
    /// One execution. Booking is idempotent by `trade`.
    #[derive(Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct Fill v1 {
        /// Ingress time of the tick that caused the order.
        ingress_mono_ns: u64 = "ns, CLOCK_MONOTONIC",
        /// Identity of the order.
        order: u64 = "id",
        /// The venue's trade id, a UUID, big-endian.
        trade: [u8; 16] = "UUID",
        /// Market number.
        market: u32 = "id",
        /// Contracts traded.
        count_centi: u32 = "1/100 contract",
        /// Fee charged.
        fee_micros: u32 = "1e-6 dollar",
        /// Price of YES at which it traded.
        price_e4: u16 = "1/10000 dollar",
        /// A [`Side`].
        side: u8 = "0 bid, 1 ask",
        /// 1 when we took liquidity.
        is_taker: u8 = "0 maker, 1 taker",
    }
}
const _: () = assert!(size_of::<Fill>() == 48 && core::mem::offset_of!(Fill, price_e4) == 44);

impl Fill {
    /// Buy or sell, or `None` for a byte that means nothing.
    #[must_use]
    pub fn side(&self) -> Option<Side> {
        Side::from_byte(self.side)
    }
}
