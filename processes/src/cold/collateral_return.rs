//! Collateral return, a setting of the account at the venue, off by default, which must stay off.
//!
//! Of contracts sold short in several markets of one event at most one market's can lose. With the setting the venue
//! pays back at once what the others are sure to bring, so its balance is higher than ours until the event is settled:
//! our books, as the venue without it, keep a dollar for each contract. It may then also refuse to let go of what it
//! has paid back for. Source: the venue's help, "Collateral Returns".

use layouts::E4_PER_DOLLAR;
use std::collections::BTreeMap;

/// What the venue would have paid back for these positions, micro-dollars: 1/100 contract by market, long YES
/// positive. A market's ticker is that of its event and one part more.
pub(super) fn returned_micros<'a>(positions: impl Iterator<Item = (&'a str, i64)>) -> i64 {
    let mut events = BTreeMap::<&str, (i64, i64)>::new();
    for (ticker, position_centi) in positions {
        let event = ticker.rsplit_once('-').map_or(ticker, |(event, _)| event);
        let short = (-position_centi).max(0);
        let (all, greatest) = events.entry(event).or_default();
        *all += short;
        *greatest = short.max(*greatest);
    }
    let sure = events.values().map(|(all, greatest)| all - greatest);
    sure.sum::<i64>() * i64::from(E4_PER_DOLLAR)
}

/// What to do about a balance of the venue that is so much higher than ours, if this is why: the whole of it is paid back, and
/// nothing else is likely to come to the same micro-dollar.
pub(super) fn advice(gap_micros: i64, returned_micros: i64) -> &'static str {
    if gap_micros > 0 && gap_micros == returned_micros {
        "\n    fix: it looks like collateral return, which our books do not follow: turn it off in the account's settings, and wait until these events are settled"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_shorts_in_one_event_all_but_the_greatest_are_sure() {
        let of = |held: &[(&'static str, i64)]| returned_micros(held.iter().copied());
        assert_eq!(of(&[("G-A", -300), ("G-B", -100)]), 1_000_000);
        assert_eq!(of(&[("G-A", -300), ("G-B", 100), ("H-A", -100)]), 0);
        assert_eq!(of(&[("G-A", -1), ("G-B", -2), ("G-C", -3)]), 30_000);
        assert_eq!(of(&[]), 0);
    }

    #[test]
    fn nothing_is_advised_where_it_is_not_the_cause() {
        assert!(advice(1_000_000, 1_000_000).contains("fix: "));
        for (gap, returned) in [
            (999_999, 1_000_000),
            (1_000_001, 1_000_000),
            (-1_000_000, 1_000_000),
            (0, 0),
            (1, 0),
        ] {
            assert_eq!(advice(gap, returned), "");
        }
    }
}
