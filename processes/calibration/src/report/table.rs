//! The terminal.

use super::{interval, trained, words};
use crate::evaluate::Evaluation;
use crate::run::{Held, Results};
use std::fmt::Write as _;

/// All tables.
#[must_use]
pub fn text(results: &Results) -> String {
    let mut text = String::new();
    for held in &results.held {
        table(&mut text, held);
    }
    for line in &results.absent {
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(text);
    for target in &results.targets {
        let _ = writeln!(
            text,
            "{:7} {}: {:.4} (at most {:.3})",
            if target.met { "met" } else { "MISSED" },
            target.what,
            target.value,
            target.at_most
        );
    }
    text
}

fn table(text: &mut String, held: &Held) {
    let _ = writeln!(text, "HELD-OUT DAYS, {}: {}", held.title, held.what);
    let _ = writeln!(
        text,
        "{:26} {:>5} {:>7}  {:20} {:>8}  {:15} {:>6}  {:15} {:>12}",
        "DATA",
        "GAMES",
        "STATES",
        "PREDICTED BY",
        "LOG LOSS",
        "95 %",
        "BRIER",
        "95 %",
        "OVER MARKET"
    );
    for set in &held.sets {
        rows(text, set);
        let _ = writeln!(
            text,
            "    held out {} to {}; {}",
            set.held_out.0,
            set.held_out.1,
            trained(set)
        );
        for note in &set.notes {
            let _ = writeln!(text, "    {note}");
        }
    }
    let _ = writeln!(text);
}

fn rows(text: &mut String, set: &Evaluation) {
    for (index, row) in set.rows.iter().enumerate() {
        let (name, games, states) = if index == 0 {
            (set.name, set.games.to_string(), set.states.to_string())
        } else {
            ("", String::new(), String::new())
        };
        let over = row.over_market.map_or(String::new(), |figure| {
            format!("{:+.3} ({})", figure.value, interval(figure))
        });
        let line = format!(
            "{name:26} {games:>5} {states:>7}  {:20} {:>8.4}  {:15} {:>6.4}  {:15}  {over}",
            words(row.way, set),
            row.score.log_loss.value,
            interval(row.score.log_loss),
            row.score.brier.value,
            interval(row.score.brier),
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
}
