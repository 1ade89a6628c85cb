//! What the venue's record of a settlement says.

use crate::venue::kalshi_wire::SettlementRecord;
use layouts::{CENTICONTRACTS_PER_CONTRACT, E4_PER_DOLLAR};
use stages::positions::Settlement;

/// Settlements are paid out in whole cents.
const MICROS_PER_CENT: i64 = 10_000;
/// To a contract.
const CENTICONTRACTS: i64 = CENTICONTRACTS_PER_CONTRACT as i64;

/// What a contract of YES paid, and what we were paid beyond that; none where the record does not say. A market that is
/// void or settled at a fair price pays what whole cents a contract cannot express: what was paid is the last word on it.
#[must_use]
pub fn settlement(record: &SettlementRecord) -> Option<Settlement> {
    let short = i64::from(record.no_count_centi);
    let held = i64::from(record.yes_count_centi) - short;
    // The venue has kept a dollar for each contract sold short.
    let paid_micros = record.revenue_micros - short * i64::from(E4_PER_DOLLAR);
    let value_e4 = match (record.value_e4, record.market_result.as_str()) {
        (Some(value), _) => value,
        (None, "yes") => E4_PER_DOLLAR,
        (None, "no") => 0,
        (None, _) => u16::try_from(paid_micros.checked_div(held)?)
            .ok()
            .filter(|value| *value <= E4_PER_DOLLAR)?,
    };
    let remainder_micros = paid_micros - i64::from(value_e4) * held;
    // More is no matter of rounding, nor is anything where a contract pays all or nothing: then the books go by the value,
    // and the difference is told.
    let most = match value_e4 {
        0 | E4_PER_DOLLAR => 0,
        _ => MICROS_PER_CENT + held.abs() * MICROS_PER_CENT / CENTICONTRACTS,
    };
    Some(Settlement {
        value_e4,
        remainder_micros: if remainder_micros.abs() <= most {
            remainder_micros
        } else {
            0
        },
    })
}

/// When the venue says that it was made, Unix seconds; none where it does not say.
#[must_use]
pub fn settled_unix_s(record: &SettlementRecord) -> Option<i64> {
    let time = record.settled_time.parse::<jiff::Timestamp>().ok()?;
    Some(time.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// VENUE 3.3: a game that is called off settles at a fair price, or gives back what was paid.
    #[test]
    fn what_was_paid_is_the_last_word_on_what_a_contract_was_worth() {
        let told = |record: SettlementRecord| {
            let told = settlement(&record)?;
            Some((told.value_e4, told.remainder_micros))
        };
        let of = |result: &str, value_e4, yes, no, revenue_micros| SettlementRecord {
            ticker: "A".into(),
            market_result: result.into(),
            yes_count_centi: yes,
            no_count_centi: no,
            revenue_micros,
            value_e4,
            settled_time: String::new(),
        };
        assert_eq!(told(of("yes", None, 300, 0, 3_000_000)), Some((10_000, 0)));
        assert_eq!(told(of("no", Some(0), 0, 300, 3_000_000)), Some((0, 0)));
        // 10 contracts at 0.5970, and 4.37 in a tie.
        let fair = of("scalar", Some(5_900), 1_000, 0, 5_970_000);
        assert_eq!(told(fair), Some((5_900, 70_000)));
        let tie = of("scalar", Some(5_000), 437, 0, 2_180_000);
        assert_eq!(told(tie), Some((5_000, -5_000)));
        let tie = of("scalar", Some(5_000), 0, 437, 2_180_000);
        assert_eq!(told(tie), Some((5_000, -5_000)));
        // Bought for 1.35, sold for 1.56 of which the venue kept 1.44 of its own: both are given back.
        let void = of("void", None, 300, 0, 1_350_000);
        assert_eq!(told(void), Some((4_500, 0)));
        let void = of("void", None, 0, 300, 1_440_000);
        assert_eq!(told(void), Some((5_200, 0)));
        assert_eq!(told(of("void", None, 0, 0, 0)), None, "nothing was held");
        assert_eq!(
            told(of("void", None, 300, 0, 3_010_000)),
            None,
            "beyond a dollar"
        );
        // No matter of rounding.
        for revenue_micros in [0, 2_990_000] {
            let wrong = of("yes", Some(10_000), 300, 0, revenue_micros);
            assert_eq!(told(wrong), Some((10_000, 0)));
        }
        let wrong = of("scalar", Some(5_000), 300, 0, 1_540_001);
        assert_eq!(told(wrong), Some((5_000, 0)));
    }
}
