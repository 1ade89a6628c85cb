//! What the books are told, and what they ask for.

use crate::book::{Level, Outcome};
use layouts::Sport;

/// What discovery knows of a market and every price carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Market number.
    pub market: u32,
    /// Game number.
    pub game: u32,
    /// Whose win it pays for: 0 home, 1 away.
    pub team: u8,
    /// Sport of the game.
    pub sport: Sport,
    /// Taker fee rate.
    pub fee_rate_e4: u16,
    /// Price step.
    pub tick_e4: u16,
}

/// What happened at the venue, as the stage sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A market to keep a book of.
    Market(Facts),
    /// A subscription of books begins; its sequence starts at 1.
    Subscribed {
        /// Subscription.
        sid: u32,
    },
    /// A frame that takes a number and says nothing about a book that we keep.
    Sequenced {
        /// Subscription.
        sid: u32,
        /// Number.
        seq: u64,
    },
    /// A whole book.
    Snapshot {
        /// Subscription.
        sid: u32,
        /// Number.
        seq: u64,
        /// Market number.
        market: u32,
        /// Bids for YES.
        yes: Vec<Level>,
        /// Bids for NO.
        no: Vec<Level>,
    },
    /// A change of one level.
    Delta {
        /// Subscription.
        sid: u32,
        /// Number.
        seq: u64,
        /// Market number.
        market: u32,
        /// Side.
        outcome: Outcome,
        /// Level, in the side's own dollars.
        price_e4: u16,
        /// Change.
        delta_centi: i64,
        /// The venue's time, 0 where it gave none.
        venue_unix_us: u64,
        /// Whether it came too long after that to be traded on.
        late: bool,
    },
    /// A frame about a book was lost: it cannot be read.
    Lost {
        /// Subscription.
        sid: u32,
        /// Number, where that could be read.
        seq: Option<u64>,
    },
    /// What is known of the trading in a market has changed.
    Trading {
        /// Market number.
        market: u32,
        /// What is known now.
        trading: Trading,
    },
    /// The connection is gone, and every subscription with it.
    Disconnected,
}

impl Event {
    /// Subscription and market of a frame about a book.
    pub(super) fn of_book(&self) -> Option<(u32, u32)> {
        match self {
            Self::Snapshot { sid, market, .. } | Self::Delta { sid, market, .. } => {
                Some((*sid, *market))
            }
            _ => None,
        }
    }
}

/// Whether a market trades, as far as that is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trading {
    /// Nobody has told, or what was told may be out of date.
    #[default]
    Unknown,
    /// It trades.
    Open,
    /// It does not, for now or for good.
    Closed,
}

/// What is needed to be in step again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing.
    Nothing,
    /// A snapshot of every market of a subscription.
    All {
        /// Subscription.
        sid: u32,
    },
    /// A snapshot of one market.
    One {
        /// Subscription.
        sid: u32,
        /// Market number.
        market: u32,
    },
}
