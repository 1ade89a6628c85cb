//! The reliability plot: how often the home team won, by what was told.

use super::page::escape;
use super::words;
use crate::evaluate::{Evaluation, Row, Way};
use std::fmt::Write as _;

const SIDE: f64 = 320.0;
const LEFT: f64 = 44.0;
const TOP: f64 = 12.0;
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = TOP + SIDE + 40.0;

/// Those that tell more than one number.
fn drawn(set: &Evaluation) -> impl Iterator<Item = &Row> {
    set.rows.iter().filter(|row| row.way != Way::BaseRate)
}

fn class(way: Way) -> &'static str {
    match way {
        Way::BaseRate => "base",
        Way::Model => "model",
        Way::ModelWithPregame => "pregame",
        Way::Feed => "feed",
        Way::Market => "market",
        Way::Blend => "blend",
    }
}

fn place(told: f64, happened: f64) -> (f64, f64) {
    (LEFT + SIDE * told, TOP + SIDE * (1.0 - happened))
}

/// The plot of one data set.
pub(super) fn plot(set: &Evaluation) -> String {
    let mut text = format!(
        "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Reliability, {}\">\n",
        escape(set.name)
    );
    for step in 0..=5 {
        let share = f64::from(step) / 5.0;
        let ((x, y), (far_x, _)) = (place(share, share), place(1.0, 1.0));
        let bottom = TOP + SIDE;
        let _ = writeln!(
            text,
            "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{far_x:.1}M{x:.1} {TOP}V{bottom:.1}\" />\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{share:.1}</text>\n\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{share:.1}</text>",
            LEFT - 6.0,
            y + 4.0,
            bottom + 16.0
        );
    }
    let ((x, y), (far_x, far_y)) = (place(0.0, 0.0), place(1.0, 1.0));
    let _ = writeln!(
        text,
        "<path class=\"ideal\" d=\"M{x:.1} {y:.1}L{far_x:.1} {far_y:.1}\" />\n\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">told</text>\n\
         <text x=\"14\" y=\"{:.1}\" text-anchor=\"middle\" transform=\"rotate(-90 14 {:.1})\">happened</text>",
        LEFT + SIDE / 2.0,
        HEIGHT - 8.0,
        TOP + SIDE / 2.0,
        TOP + SIDE / 2.0
    );
    for (index, row) in drawn(set).enumerate() {
        curve(&mut text, row);
        let y = TOP + 14.0 + 20.0 * index as f64;
        let _ = writeln!(
            text,
            "<circle class=\"{} dot\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" /><text x=\"{:.1}\" y=\"{y:.1}\">{}</text>",
            class(row.way),
            LEFT + SIDE + 20.0,
            y - 4.0,
            LEFT + SIDE + 32.0,
            escape(&words(row.way, set))
        );
    }
    text + "</svg>\n"
}

/// The interval is drawn for the model with all that it may know, lest the plot be nothing but lines.
fn curve(text: &mut String, row: &Row) {
    let class = class(row.way);
    let mut path = String::new();
    for bin in &row.score.bins {
        let (x, y) = place(bin.predicted, bin.happened.value);
        let _ = write!(
            path,
            "{}{x:.1} {y:.1}",
            if path.is_empty() { 'M' } else { 'L' }
        );
        if row.way == Way::ModelWithPregame && bin.happened.low.is_finite() {
            let ((_, low), (_, high)) =
                (place(0.0, bin.happened.low), place(0.0, bin.happened.high));
            let _ = writeln!(
                text,
                "<path class=\"{class} line\" d=\"M{x:.1} {low:.1}V{high:.1}\" />"
            );
        }
        let _ = writeln!(
            text,
            "<circle class=\"{class} dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"><title>{} states told {:.3}, happened {:.3}</title></circle>",
            bin.states, bin.predicted, bin.happened.value
        );
    }
    let _ = writeln!(text, "<path class=\"{class} line\" d=\"{path}\" />");
}
