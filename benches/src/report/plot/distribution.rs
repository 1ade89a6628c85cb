//! Pictures of whole distributions, to the greatest time that there was.

use super::{
    Plot,
    courses::look,
    lines::{self, Axis, Heights, Series},
    scale::{drawable, nines},
};
use crate::{
    report::section::{Section, ascending, is_floor, is_ours, title_among},
    row::Row,
};

/// So many curves are told from one another in one picture.
const CURVES: usize = 20;
/// So many beside the floor and ours.
const OTHERS: usize = 10;

/// The first word of a name: of one family the fastest stands for all in the first picture.
fn family(row: &Row) -> String {
    row.name
        .split(|letter: char| !letter.is_alphanumeric())
        .next()
        .unwrap_or_default()
        .to_lowercase()
}

/// Of each family its fastest row, and then the others some at a time, beside the floor and ours.
pub(super) fn percentiles(section: &Section<'_>, name: &str, rows: &[&Row]) -> Vec<Plot> {
    let reference = |row: &&&Row| is_floor(row) || is_ours(row);
    let references: Vec<&Row> = rows.iter().copied().filter(|row| reference(&row)).collect();
    let mut families: Vec<&Row> = Vec::new();
    for row in rows.iter().copied().filter(|row| !reference(&row)) {
        if !families.iter().any(|other| family(other) == family(row)) {
            families.push(row);
        }
    }
    // Where there are too many, from the fastest to the slowest some of every speed.
    let room = CURVES.saturating_sub(references.len()).max(1);
    let step = families.len().div_ceil(room).max(1);
    let mut first = references.clone();
    first.extend(families.into_iter().rev().step_by(step));
    first.sort_by(|one, other| ascending(one.level_ns, other.level_ns));
    let rest: Vec<&Row> = rows
        .iter()
        .copied()
        .filter(|row| !first.iter().any(|shown| std::ptr::eq(*shown, *row)))
        .collect();
    let title = "The whole distribution";
    let caption = if rest.is_empty() {
        "Every single time, up to the greatest: each step to the right is ten times rarer."
    } else {
        "Every single time, up to the greatest: each step to the right is ten times rarer. Of each family its fastest; the table has all."
    };
    let mut plots: Vec<Plot> = curves(name, [section.title(), title], caption, &first)
        .into_iter()
        .collect();
    for (index, rows) in rest.chunks(OTHERS).enumerate() {
        let floor = references.iter().filter(|row| is_floor(row)).take(1);
        let ours = references.iter().filter(|row| is_ours(row)).take(1);
        let rows: Vec<&Row> = floor.chain(ours).chain(rows).copied().collect();
        let title = format!("{title}, others ({})", index + 1);
        let caption = "The same for the others, beside the floor and ours.";
        let name = format!("{name}-{}", index + 2);
        if let Some(mut plot) = curves(&name, [section.title(), &title], caption, &rows) {
            plot.is_detail = true;
            plots.push(plot);
        }
    }
    plots
}

fn curves(name: &str, titles: [&str; 2], caption: &str, rows: &[&Row]) -> Option<Plot> {
    let (mut ours, mut others) = (0, 0);
    let series: Vec<Series> = rows
        .iter()
        .filter_map(|row| {
            let place =
                |(share, ns): (f64, f64)| (drawable(ns)).then(|| (nines(share, row.samples), ns));
            let known = [
                (0.5, row.p50_ns),
                (0.99, row.p99_ns),
                (0.999, row.p999_ns),
                (0.9999, row.p9999_ns),
                (1.0, row.max_ns),
            ];
            let last = nines(1.0, row.samples);
            let known: Vec<(f64, f64)> = known
                .into_iter()
                .filter_map(place)
                .filter(|(x, ns)| *x < last || ns.to_bits() == row.max_ns.to_bits())
                .collect();
            let curve = row.curve.iter().map(|[share, ns]| (*share, *ns));
            let mut points: Vec<(f64, f64)> = curve.filter_map(place).collect();
            points.sort_by(|one, other| one.0.total_cmp(&other.0));
            if points.len() < 2 {
                points.clone_from(&known);
            }
            (!points.is_empty()).then(|| Series {
                name: title_among(row, rows),
                look: look(row, &mut ours, &mut others),
                points,
                marks: known.into_iter().map(|(x, y)| (x, y, false)).collect(),
            })
        })
        .collect();
    let axis = Axis {
        title: "percentile of single times".to_owned(),
        ticks: [
            "0", "50", "90", "99", "99.9", "99.99", "99.999", "99.9999", "99.99999",
        ]
        .into_iter()
        .map(|text| {
            let share = text.parse::<f64>().unwrap_or(0.0) / 100.0;
            (nines(share, u64::MAX), format!("{text} %"))
        })
        .collect(),
    };
    let drawn = lines::draw(&series, &axis, "time", &Heights::Times)?;
    Some(Plot::new(name, titles, caption.to_owned(), drawn))
}
