//! What a run found out, for people: in the terminal and as a page.

pub mod page;
mod reliability;
pub mod table;

use crate::evaluate::{Evaluation, Way};
use crate::score::Figure;

/// A way to predict, in words.
fn words(way: Way, set: &Evaluation) -> String {
    match way {
        Way::BaseRate => "base rate".into(),
        Way::Model => "model".into(),
        Way::ModelWithPregame => "model + pregame".into(),
        Way::Feed => set.feed_is.into(),
        Way::Market => "market's mid".into(),
        Way::Blend => match set.trainings.last() {
            Some(training) => format!("blend, {:.0} % model", 100.0 * training.weight),
            None => "blend, 50 % model".into(),
        },
    }
}

/// One game has no interval.
fn interval(figure: Figure) -> String {
    if figure.low < figure.high {
        format!("{:.3} to {:.3}", figure.low, figure.high)
    } else {
        "-".into()
    }
}

/// What trained, and what it gave.
fn trained(set: &Evaluation) -> String {
    let Some(last) = set.trainings.last() else {
        return "published values".into();
    };
    let mut text = format!("trained {} to {}", last.first, last.last);
    if set.trainings.len() > 1 {
        text += " (the last of ";
        text += &set.trainings.len().to_string();
        text += " trainings)";
    }
    if last.fitted.is_empty() {
        return text + ": published values";
    }
    let fitted: Vec<String> = last
        .fitted
        .iter()
        .map(|number| format!("{} {:.4}", number.name, number.value))
        .collect();
    text + ": " + &fitted.join(", ")
}
