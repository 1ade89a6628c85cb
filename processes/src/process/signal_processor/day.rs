//! The trading day: when it begins, and what it has gained or lost before this process came.
//!
//! It begins at 09:00 UTC: the last game of the American evening is over by then, and the first of the next
//! day has not begun. A result counts on the day on which it is told: by the final score, or, to a process
//! that comes later, by the time of the venue's settlement.

use stages::positions::PositionBook;

/// Seconds from midnight UTC to the beginning.
const BEGINS_AT_S: i64 = 9 * 60 * 60;
const DAY_S: i64 = 24 * 60 * 60;
const NS_PER_S: u64 = 1_000_000_000;

/// The day that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TradingDay {
    pub(super) began_unix_s: i64,
    /// On the clock of messages, ns, CLOCK_MONOTONIC.
    pub(super) ends_mono_ns: u64,
}

impl TradingDay {
    /// The one of a moment, told by both clocks.
    pub(super) fn at(unix_ns: u64, mono_ns: u64) -> Self {
        let unix_s = i64::try_from(unix_ns / NS_PER_S).unwrap_or(i64::MAX);
        let into_s = (unix_s - BEGINS_AT_S).rem_euclid(DAY_S);
        let left_ns = u64::try_from(DAY_S - into_s).unwrap_or(0) * NS_PER_S - unix_ns % NS_PER_S;
        Self {
            began_unix_s: unix_s - into_s,
            ends_mono_ns: mono_ns.saturating_add(left_ns),
        }
    }
}

/// What the markets that were settled today have gained after fees, micro-dollars.
pub(super) fn result_micros(book: &PositionBook, settled_today: &[u32]) -> i64 {
    let decided = settled_today
        .iter()
        .filter_map(|market| book.market(*market));
    decided.map(|position| position.cash_micros).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable as _;
    use layouts::{Fill, Side};

    /// 2026-10-04 09:00:00 UTC.
    const NINE_S: i64 = 1_791_104_400;

    #[test]
    fn a_day_goes_from_nine_to_nine() {
        let at = |unix_s: i64, ns: u64| {
            let unix_ns = u64::try_from(unix_s).expect("after 1970") * NS_PER_S + ns;
            TradingDay::at(unix_ns, 1_000)
        };
        let whole = u64::try_from(DAY_S).expect("positive") * NS_PER_S;
        assert_eq!(
            at(NINE_S, 0),
            TradingDay {
                began_unix_s: NINE_S,
                ends_mono_ns: 1_000 + whole
            }
        );
        assert_eq!(at(NINE_S, 7).ends_mono_ns, 1_000 + whole - 7);
        let last = at(NINE_S - 1, NS_PER_S - 1);
        assert_eq!(
            (last.began_unix_s, last.ends_mono_ns),
            (NINE_S - DAY_S, 1_001)
        );
    }

    #[test]
    fn the_result_of_a_day_is_that_of_its_settlements() {
        let mut book = PositionBook::default();
        for market in [1_u32, 2, 3] {
            book.fill(&Fill {
                trade: [u8::try_from(market).expect("small"); 16],
                market,
                count_centi: 1_000,
                price_e4: 4_000,
                fee_micros: 500,
                side: Side::Bid as u8,
                ..Fill::zeroed()
            });
        }
        book.settle(1, 0);
        book.settle(2, 10_000);
        // The third is open: what it can lose is at stake, not lost.
        assert_eq!(result_micros(&book, &[1]), -4_000_500);
        assert_eq!(result_micros(&book, &[1, 2]), -4_000_500 + 5_999_500);
        assert_eq!(result_micros(&book, &[9]), 0, "never held");
    }
}
