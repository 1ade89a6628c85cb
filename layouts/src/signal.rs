//! An opportunity to trade. `game_shard` -> `signal_processor`.

use crate::{
    game::Sport,
    units::{Side, checked},
};
use bytemuck::CheckedBitPattern;

ipc::message! {
    /// One leg of an opportunity. The legs of one arbitrage share `signal` but for its lowest bit.
    #[derive(Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct Signal v2 {
        /// Ingress time of the tick that caused it.
        ingress_mono_ns: u64 = "ns, CLOCK_MONOTONIC",
        /// After this moment no order may be sent for it.
        expires_mono_ns: u64 = "ns, CLOCK_MONOTONIC",
        /// Identity, a function of the input that caused it: see [`signal_id`].
        signal: u64 = "id",
        /// Market number.
        market: u32 = "id",
        /// Game number.
        game: u32 = "id",
        /// Contracts worth taking at the limit price or better.
        count_centi: u32 = "1/100 contract",
        /// Limit price for YES.
        price_e4: u16 = "1/10000 dollar",
        /// What the model holds a YES contract to be worth.
        fair_e4: u16 = "1/10000 dollar",
        /// Edge per contract after fees, at the limit price.
        edge_e4: i16 = "1/10000 dollar",
        /// Taker fee rate of the market.
        fee_rate_e4: u16 = "1/10000",
        /// A [`Side`].
        side: u8 = "0 bid, 1 ask",
        /// A [`SignalKind`].
        kind: u8 = "0 model edge, 1 arbitrage",
        /// A [`TeamSide`](crate::TeamSide): whose win the market pays for.
        team: u8 = "0 home, 1 away",
        /// A [`Sport`], as the price said it.
        sport: u8 = "0 NFL, 1 NCAAF, 2 NBA, 3 NCAAM, 4 NHL, 5 MLB",
    }
}
const _: () = assert!(size_of::<Signal>() == 48 && core::mem::offset_of!(Signal, side) == 44);

/// Why a signal was raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, CheckedBitPattern, bytemuck::NoUninit)]
#[repr(u8)]
pub enum SignalKind {
    /// The market's price is off the model's by more than the fees.
    ModelEdge = 0,
    /// Both complementary markets together cost less than they pay.
    Arbitrage = 1,
}

impl Signal {
    /// Buy or sell, or `None` for a byte that means nothing.
    #[must_use]
    pub fn side(&self) -> Option<Side> {
        Side::from_byte(self.side)
    }

    /// The sport, or `None` for a byte that means nothing.
    #[must_use]
    pub fn sport(&self) -> Option<Sport> {
        checked(self.sport)
    }

    /// Why it was raised, or `None` for a byte that means nothing.
    #[must_use]
    pub fn kind(&self) -> Option<SignalKind> {
        checked(self.kind)
    }
}

/// The identity of a signal: 8 bits of shard, 1 bit of input (prices or games), 53 bits of that
/// input's ring sequence, 1 bit of [`SignalKind`], 1 bit of leg. The same input gives the same identity, so an
/// order that derives its client order id from it can be sent again without being placed twice; and a fill,
/// which names its order, tells what it was for.
#[must_use]
pub const fn signal_id(
    shard: u8,
    from_games: bool,
    sequence: u64,
    kind: SignalKind,
    leg: u8,
) -> u64 {
    ((shard as u64) << 56)
        | ((from_games as u64) << 55)
        | ((sequence & ((1 << 53) - 1)) << 2)
        | ((kind as u64) << 1)
        | (leg as u64 & 1)
}

/// Why the signal of this identity was raised.
#[must_use]
pub const fn kind_of(signal: u64) -> SignalKind {
    if signal >> 1 & 1 == 0 {
        SignalKind::ModelEdge
    } else {
        SignalKind::Arbitrage
    }
}

/// The identity of the other leg of an arbitrage, or of the other market's edge.
#[must_use]
pub const fn other_leg(signal: u64) -> u64 {
    signal ^ 1
}
