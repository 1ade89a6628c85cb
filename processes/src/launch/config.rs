//! What operators ask for through Redis: the hash `arbees:<pipeline>:config`.
//!
//! Its fields are the names of the limits of the pipeline file, and `mode`. A field that is not there changes
//! nothing, so that a server that has lost its memory loosens no limit; what is asked for holds until
//! something else is asked for, or the launcher ends.

use pipeline::Pipeline;
use serde_json::Value;
use stages::limits::Limits;
use std::collections::HashMap;

/// The field that halts trading.
const MODE: &str = "mode";

/// Whether trading is to be halted; `None` where nothing is said.
///
/// # Errors
///
/// When what is said is neither.
pub(super) fn mode(config: &HashMap<String, String>) -> Result<Option<bool>, String> {
    match config.get(MODE).map(String::as_str) {
        None => Ok(None),
        Some("safe") => Ok(Some(true)),
        Some("trade") => Ok(Some(false)),
        // Whoever reaches for the switch and misspells it means to halt.
        Some(other) => Err(format!(
            "{MODE} = \"{other}\", `safe` or `trade` is possible; taken for `safe`"
        )),
    }
}

/// The limits that follow from those in force and what is asked for: judged as those of the pipeline file,
/// and taken as a whole or not at all.
///
/// # Errors
///
/// Every fault.
pub(super) fn limits(
    config: &HashMap<String, String>,
    pipeline: &Pipeline,
    in_force: Limits,
) -> Result<Limits, Vec<String>> {
    let mut faults = Vec::new();
    let Ok(Value::Object(mut fields)) = serde_json::to_value(in_force) else {
        return Err(vec!["the limits in force cannot be written".into()]);
    };
    let names: Vec<String> = fields.keys().cloned().collect();
    let mut asked: Vec<(&String, &String)> =
        config.iter().filter(|(name, _)| *name != MODE).collect();
    asked.sort();
    for (name, text) in asked {
        match (fields.get_mut(name), text.parse::<u64>()) {
            (None, _) => faults.push(format!(
                "`{name}` is no limit; there are {}",
                names.join(", ")
            )),
            (_, Err(_)) => faults.push(format!(
                "limits.{name} = \"{text}\", a whole number is needed"
            )),
            (Some(value), Ok(number)) => *value = number.into(),
        }
    }
    let asked: Option<Limits> = serde_json::from_value(Value::Object(fields))
        .map_err(|error| faults.push(format!("limits: {error}")))
        .ok();
    if let Some(asked) = asked {
        if asked.max_open_orders > pipeline.limits.max_open_orders {
            faults.push(format!(
                "limits.max_open_orders = {}, at most the pipeline file's {}, for which there is memory; start anew for more",
                asked.max_open_orders, pipeline.limits.max_open_orders
            ));
        }
        let mut changed = pipeline.clone();
        changed.limits = asked;
        let known = pipeline.faults();
        faults.extend(
            changed
                .faults()
                .into_iter()
                .filter(|fault| !known.contains(fault)),
        );
    }
    match asked {
        Some(asked) if faults.is_empty() => Ok(asked),
        _ => Err(faults),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable as _;
    use layouts::{OrderAck, OrderStatus, Side, Signal, SignalKind, Sport, signal::signal_id};
    use stages::risk::Risk;
    use std::path::Path;

    fn demo() -> Pipeline {
        Pipeline::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/demo.toml")).unwrap()
    }

    fn config(fields: &[(&str, &str)]) -> HashMap<String, String> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        fields.iter().map(own).collect()
    }

    #[test]
    fn what_is_asked_for_changes_and_what_is_not_stays() {
        let pipeline = demo();
        let lower = Limits {
            max_game_dollars: 7,
            ..pipeline.limits
        };
        let asked = config(&[("max_order_contracts", "3"), ("mode", "trade")]);
        let expected = Limits {
            max_order_contracts: 3,
            ..lower
        };
        assert_eq!(limits(&asked, &pipeline, lower), Ok(expected));
        assert_eq!(
            limits(&config(&[]), &pipeline, lower),
            Ok(lower),
            "a wiped server"
        );
    }

    #[test]
    fn every_fault_is_told_and_nothing_is_taken() {
        let pipeline = demo();
        let asked = config(&[
            ("max_order_contracts", "0"),
            ("max_game_dollars", "-5"),
            ("max_games", "3"),
            ("max_open_orders", "17"),
            ("repeat_ms", "5000000000"),
        ]);
        let faults = limits(&asked, &pipeline, pipeline.limits).unwrap_err();
        let told = faults.join("\n");
        for part in [
            "max_order_contracts = 0",
            "max_game_dollars = \"-5\"",
            "`max_games` is no limit",
            "at most the pipeline file's 16",
            "repeat_ms = 5000000000",
        ] {
            assert!(told.contains(part), "{part} is missing in:\n{told}");
        }
        assert_eq!(faults.len(), 5, "{told}");
        let large = config(&[("max_game_dollars", "5000000000")]);
        assert!(limits(&large, &pipeline, pipeline.limits).is_err());
    }

    /// In a build that checks every sum: an order as large as can be asked for, at the greatest edge and fee that
    /// a message holds, of which half is traded and the rest never told.
    #[test]
    fn the_highest_limits_overflow_no_sum() {
        let pipeline = demo();
        let asked = |contracts: &'static str| {
            let fields = [
                ("max_order_contracts", contracts),
                ("max_burst_contracts", "100000000"),
                ("max_market_contracts", "100000000"),
                ("max_game_dollars", "100000000"),
                ("max_sport_dollars", "100000000"),
                ("max_exposure_dollars", "100000000"),
                ("max_day_loss_dollars", "100000000"),
                ("kelly_percent", "100"),
            ];
            limits(&config(&fields), &pipeline, pipeline.limits)
        };
        let refused = asked("100001").unwrap_err().join("\n");
        assert!(refused.contains("at most 100000"), "{refused}");
        let mut risk = Risk::new(asked("100000").unwrap());
        let signal = Signal {
            expires_mono_ns: 10,
            signal: signal_id(0, false, 1, SignalKind::ModelEdge, 0),
            count_centi: u32::MAX,
            price_e4: 5_000,
            edge_e4: i16::MAX,
            fee_rate_e4: u16::MAX,
            side: Side::Bid as u8,
            kind: SignalKind::ModelEdge as u8,
            sport: Sport::Nba as u8,
            ..Signal::zeroed()
        };
        let [Some(order), None] = risk.on_signal(&signal, 1) else {
            panic!("one order");
        };
        assert_eq!(order.count_centi, 10_000_000);
        risk.on_ack(&OrderAck {
            order: order.order,
            filled_centi: order.count_centi / 2,
            cost_micros: i64::from(order.price_e4) * i64::from(order.count_centi / 2),
            fee_micros: u32::MAX,
            status: OrderStatus::Unknown as u8,
            side: order.side,
            ..OrderAck::zeroed()
        });
        // Half of it at the price paid, with what the acknowledgement can say of a fee, and the other half at its worst.
        assert!(
            risk.at_stake_micros() > 2 * 25_000_000_000,
            "{}",
            risk.at_stake_micros()
        );
    }

    #[test]
    fn a_misspelt_mode_is_an_error_and_silence_is_none() {
        assert_eq!(mode(&config(&[])), Ok(None));
        assert_eq!(mode(&config(&[("mode", "safe")])), Ok(Some(true)));
        assert_eq!(mode(&config(&[("mode", "trade")])), Ok(Some(false)));
        assert!(mode(&config(&[("mode", "SAFE!")])).is_err());
    }
}
