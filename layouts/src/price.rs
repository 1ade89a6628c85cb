//! The top of one market's book. `kalshi_monitor` -> `game_shard`, and the board.

use crate::{game::Sport, units::checked};
use bytemuck::CheckedBitPattern;

ipc::message! {
    /// Best bid and offer of one market after a book change.
    ///
    /// It carries what a stage needs to judge the price (team, sport, fee rate, tick, status), so that the
    /// stage needs no table. A price of zero with a count of zero means that the side is empty.
    #[derive(Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct PriceUpdate v2 {
        /// Arrival of the frame that changed the book.
        ingress_mono_ns: u64 = "ns, CLOCK_MONOTONIC",
        /// The venue's own time of the change; 0 where it gave none.
        venue_unix_us: u64 = "us, Unix epoch",
        /// Market number, assigned at discovery.
        market: u32 = "id",
        /// Game number, the feed's own event id.
        game: u32 = "id",
        /// Contracts at the best bid, saturating.
        bid_count_centi: u32 = "1/100 contract",
        /// Contracts at the best offer, saturating.
        ask_count_centi: u32 = "1/100 contract",
        /// Best bid for YES.
        bid_price_e4: u16 = "1/10000 dollar",
        /// Best offer of YES.
        ask_price_e4: u16 = "1/10000 dollar",
        /// Taker fee rate including the multiplier; 700 is 0.07.
        fee_rate_e4: u16 = "1/10000",
        /// Price step.
        tick_e4: u16 = "1/10000 dollar",
        /// A [`TeamSide`]: whose win this market pays for.
        team: u8 = "0 home, 1 away",
        /// A [`MarketStatus`].
        status: u8 = "0 suspect, 1 active, 2 closed",
        /// A [`Sport`]: whose limit a trade of it counts against.
        sport: u8 = "0 NFL, 1 NCAAF, 2 NBA, 3 NCAAM, 4 NHL, 5 MLB",
        /// Always zero.
        #[cfg_attr(feature = "serde", serde(skip))]
        padding: [u8; 5] = "zero",
    }
}
const _: () = assert!(
    size_of::<PriceUpdate>() == 48 && core::mem::offset_of!(PriceUpdate, bid_price_e4) == 32
);

/// Whose win a market pays for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, CheckedBitPattern, bytemuck::NoUninit)]
#[repr(u8)]
pub enum TeamSide {
    /// The home team.
    Home = 0,
    /// The away team.
    Away = 1,
}

/// Whether a price may be traded on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, CheckedBitPattern, bytemuck::NoUninit)]
#[repr(u8)]
pub enum MarketStatus {
    /// The book is being rebuilt after a gap or a lost connection, its price is late, or nobody has told whether the
    /// market trades: do not trade.
    Suspect = 0,
    /// The book is in step with the venue, and the market trades.
    Active = 1,
    /// The market is paused, closed, determined or settled, or the venue trades nothing at all.
    Closed = 2,
}

impl PriceUpdate {
    /// Whose win the market pays for, or `None` for a byte that means nothing.
    #[must_use]
    pub fn team(&self) -> Option<TeamSide> {
        checked(self.team)
    }

    /// The market's status, or `None` for a byte that means nothing.
    #[must_use]
    pub fn status(&self) -> Option<MarketStatus> {
        checked(self.status)
    }

    /// The sport, or `None` for a byte that means nothing.
    #[must_use]
    pub fn sport(&self) -> Option<Sport> {
        checked(self.sport)
    }

    /// Both sides quoted, not crossed, in range, in step: fit to price from.
    #[must_use]
    pub fn is_tradable(&self) -> bool {
        self.status() == Some(MarketStatus::Active)
            && self.bid_count_centi > 0
            && self.ask_count_centi > 0
            && self.bid_price_e4 > 0
            && self.bid_price_e4 < self.ask_price_e4
            && self.ask_price_e4 < crate::units::E4_PER_DOLLAR
    }
}
