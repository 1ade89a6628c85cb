//! What the launcher tells the processes that make and place orders. One row of a board.

use crate::units::checked;
use bytemuck::CheckedBitPattern;

ipc::message! {
    /// Whether to trade, and within which limits: the word of the launcher, in force until its next.
    ///
    /// It lies in shared memory, so a halt needs neither Redis nor a socket, and a process that is
    /// started again finds the word that is in force.
    #[derive(Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct Control v3 {
        /// When this mode began.
        since_unix_us: u64 = "us, Unix epoch",
        /// Contracts in one order.
        max_order_contracts: u32 = "contracts",
        /// Contracts held of one market, long or short.
        max_market_contracts: u32 = "contracts",
        /// At stake in one game.
        max_game_dollars: u32 = "dollars",
        /// At stake in one sport.
        max_sport_dollars: u32 = "dollars",
        /// At stake in all.
        max_exposure_dollars: u32 = "dollars",
        /// Lost since the trading day began, and at stake, together.
        max_day_loss_dollars: u32 = "dollars",
        /// Orders without a final answer.
        max_open_orders: u32 = "count",
        /// Traded within 15 s, before the venue itself lets no more pass.
        max_burst_contracts: u32 = "contracts",
        /// Shortest time between two orders in one market for one side.
        repeat_ms: u32 = "ms",
        /// Why not to trade, a sum of the numbers in [`crate::control::cause`]; 0 while trading.
        causes: u8 = "1 operator, 2 crash loop, 4 prices lost, 8 games lost, 16 clock skew, 64 books differ",
        /// A [`Mode`].
        mode: u8 = "0 safe, 1 trade",
        /// The share of the Kelly stake that is taken.
        kelly_percent: u8 = "percent",
        /// Always zero.
        #[cfg_attr(feature = "serde", serde(skip))]
        padding: [u8; 1] = "zero",
    }
}
const _: () = assert!(size_of::<Control>() == 48 && core::mem::offset_of!(Control, mode) == 45);

/// The only row of its board.
pub const ROW: u32 = 0;

/// Why a pipeline does not trade; added up in [`Control::causes`].
pub mod cause {
    /// Somebody said so: a signal, a file, Redis.
    pub const OPERATOR: u8 = 1;
    /// A process cannot be kept alive.
    pub const CRASH_LOOP: u8 = 2;
    /// No price of a live game has been good for longer than the bound.
    pub const PRICES_LOST: u8 = 4;
    /// No state of a live game has come for longer than the bound.
    pub const GAMES_LOST: u8 = 8;
    /// The venue's clock and ours are further apart than the bound, or its prices come that late.
    pub const CLOCK_SKEW: u8 = 16;
    /// The account at the venue does not stand as our books say.
    pub const BOOKS_DIFFER: u8 = 64;
}

/// Whether orders may be made. What is not known to be `Trade` is `Safe`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, CheckedBitPattern, bytemuck::NoUninit)]
#[repr(u8)]
pub enum Mode {
    /// No new orders, and nothing that rests at the venue.
    Safe = 0,
    /// Orders within the limits.
    Trade = 1,
}

impl Control {
    /// The mode; a byte that means nothing is no leave to trade.
    #[must_use]
    pub fn mode(&self) -> Mode {
        checked(self.mode).unwrap_or(Mode::Safe)
    }
}
