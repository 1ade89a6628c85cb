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

/// What the markets that were decided today have gained after fees, micro-dollars. What a market had gained
/// before the day is not of it. One in which something was held over night counts with all that it has lost,
/// and not with a gain: nobody knows how much of that is of today.
pub(super) fn result_micros(
    book: &PositionBook,
    before: &PositionBook,
    decided_today: &[u32],
) -> i64 {
    let decided = decided_today.iter().filter_map(|market| {
        let cash_micros = book.market(*market)?.cash_micros;
        Some(match before.market(*market) {
            None => cash_micros,
            Some(before) if before.position_centi == 0 => cash_micros - before.cash_micros,
            Some(_) => cash_micros.min(0),
        })
    });
    decided.sum()
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

    fn book_of(markets: &[u32]) -> PositionBook {
        let mut book = PositionBook::default();
        for market in markets {
            book.fill(&Fill {
                trade: [u8::try_from(*market).expect("small"); 16],
                market: *market,
                count_centi: 1_000,
                price_e4: 4_000,
                fee_micros: 500,
                side: Side::Bid as u8,
                ..Fill::zeroed()
            });
        }
        book
    }

    #[test]
    fn the_result_of_a_day_is_that_of_its_settlements() {
        let mut book = book_of(&[1, 2, 3]);
        book.settle(1, 0);
        book.settle(2, 10_000);
        let before = PositionBook::default();
        let told = |before, decided: &[u32]| result_micros(&book, before, decided);
        // The third is open: what it can lose is at stake, not lost.
        assert_eq!(told(&before, &[1]), -4_000_500);
        assert_eq!(told(&before, &[1, 2]), -4_000_500 + 5_999_500);
        assert_eq!(told(&before, &[9]), 0, "never held");
        // Held over night, a gain may be another day's.
        assert_eq!(told(&book_of(&[1, 2]), &[1, 2]), -4_000_500);
    }
}
