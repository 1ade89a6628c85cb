//! Amounts that no account has.

use super::*;

#[test]
fn amounts_end_at_a_billion_dollars() {
    let position = |position: &str, fees: &str| {
        serde_json::from_str::<PositionRecord>(&format!(
            r#"{{"ticker":"A-B","position_fp":"{position}","fees_paid_dollars":"{fees}"}}"#
        ))
    };
    for sign in ["", "-"] {
        let at_the_end = position(
            &format!("{sign}1000000000.00"),
            &format!("{sign}1000000000.000000"),
        );
        assert!(at_the_end.is_ok(), "{at_the_end:?}");
        let count = position(&format!("{sign}1000000000.01"), "0").unwrap_err();
        assert!(count.to_string().contains("is no count"), "{count}");
        let fee = position("1.00", &format!("{sign}1000000000.000001")).unwrap_err();
        assert!(fee.to_string().contains("is no amount"), "{fee}");
    }
    let revenue = |cents: i64| {
        serde_json::from_str::<SettlementRecord>(&format!(
            r#"{{"ticker":"A-B","yes_count_fp":"1.00","no_count_fp":"0.00","revenue":{cents}}}"#
        ))
    };
    assert!(revenue(100_000_000_000).is_ok());
    for beyond in [100_000_000_001, i64::MAX, i64::MIN] {
        assert!(revenue(beyond).is_err(), "{beyond}");
    }
}
