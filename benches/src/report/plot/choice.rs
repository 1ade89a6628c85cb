//! Which pictures an experiment gets.

use super::{
    Plot,
    bars::{self, Bar, Fill},
    courses::{by_depth, by_gap, by_rate, by_rings, by_size, processor},
    distribution::percentiles,
    scale::drawable,
};
use crate::{
    report::{
        number::{count, ratio, time},
        section::{Section, ascending, is_floor, title_among},
    },
    row::Row,
};

/// The pictures of an experiment, the one that says most first.
pub(in crate::report) fn of_section(section: &Section<'_>) -> Vec<Plot> {
    let mut rows = section.rows.clone();
    rows.sort_by(|one, other| ascending(one.level_ns, other.level_ns));
    let mut plots: Vec<Option<Plot>> = match section.name {
        "hop" => vec![medians(section, "hop", &rows)],
        "stream" => vec![
            by_depth(section, &rows),
            by_size(section, &rows),
            at_one_shape(section, "stream-all", &rows),
        ],
        "rate" => vec![by_rate(section, &rows)],
        "wake" => vec![by_gap(section, &rows), processor(section, &rows)],
        "fanin" => vec![by_rings(section, &rows)],
        "chain" | "end-to-end" => vec![above_floor(section, &rows)],
        name => vec![at_one_shape(section, name, &rows)],
    };
    if matches!(section.name, "hop" | "chain" | "end-to-end") {
        let name = match section.name {
            "hop" => "percentiles".to_owned(),
            name => format!("{name}-percentiles"),
        };
        plots.extend(percentiles(section, &name, &rows).into_iter().map(Some));
    }
    plots.into_iter().flatten().collect()
}

fn bar(row: &Row, rows: &[&Row]) -> Bar {
    Bar {
        name: title_among(row, rows),
        value: row.level_ns,
        whisker: Some(row.p99_ns).filter(|p99| drawable(*p99)),
        notes: [
            time(row.level_ns),
            row.ratio_to_floor.map_or_else(String::new, ratio),
        ],
        fill: Fill::of(row),
    }
}

fn medians(section: &Section<'_>, name: &str, rows: &[&Row]) -> Option<Plot> {
    let bars: Vec<Bar> = rows.iter().map(|row| bar(row, rows)).collect();
    let drawn = bars::draw(&bars, [section.question.level, "× floor"])?;
    Some(Plot::new(
        name,
        [section.title(), "Medians"],
        caption(rows, section.question.level),
        drawn,
    ))
}

/// Who is fastest and who slowest, in words.
fn caption(rows: &[&Row], what: &str) -> String {
    let mut known = rows.iter().filter(|row| drawable(row.level_ns));
    let ends = (known.clone().next(), known.next_back());
    match ends {
        (Some(first), Some(last)) if first.title() != last.title() => format!(
            "{} contenders, the shortest time first ({what}): from {} with {} to {} with {}.",
            rows.len(),
            first.title(),
            time(first.level_ns),
            last.title(),
            time(last.level_ns)
        ),
        (Some(only), _) => format!("{} takes {} ({what}).", only.title(), time(only.level_ns)),
        _ => String::new(),
    }
}

/// The value that most rows have, of equals the greatest.
pub(super) fn usual(rows: &[&Row], of: fn(&Row) -> Option<u32>) -> Option<u32> {
    let values = || rows.iter().filter_map(|row| of(row));
    values().max_by_key(|value| (values().filter(|other| other == value).count(), *value))
}

/// Rows of the usual size and depth, and those that have no depth.
fn at_one_shape(section: &Section<'_>, name: &str, rows: &[&Row]) -> Option<Plot> {
    let bytes = usual(rows, |row| row.message_bytes);
    let slots = usual(rows, |row| row.slots);
    let rows: Vec<&Row> = rows
        .iter()
        .copied()
        .filter(|row| row.message_bytes == bytes)
        .filter(|row| row.slots.is_none() || row.slots == slots)
        .collect();
    let mut plot = medians(section, name, &rows)?;
    let shape = [
        bytes.map(|bytes| format!("{} B", count(bytes.into()))),
        slots.map(|slots| format!("{} slots", count(slots.into()))),
    ];
    let shape: Vec<String> = shape.into_iter().flatten().collect();
    if !shape.is_empty() {
        plot.title = format!("{} at {}", plot.title, shape.join(", "));
    }
    Some(plot)
}

/// What the transport alone takes, above a floor that is the same work without one.
fn above_floor(section: &Section<'_>, rows: &[&Row]) -> Option<Plot> {
    let mut rows: Vec<&Row> = rows
        .iter()
        .copied()
        .filter(|row| row.over_floor_ns.is_some() && !is_floor(row))
        .collect();
    rows.sort_by(|one, other| {
        let over = |row: &Row| row.over_floor_ns.unwrap_or(f64::NAN);
        ascending(over(one), over(other))
    });
    let bars: Vec<Bar> = rows
        .iter()
        .map(|row| Bar {
            value: row.over_floor_ns.unwrap_or(f64::NAN),
            whisker: None,
            notes: [
                row.over_floor_ns.map_or_else(String::new, time),
                time(row.level_ns),
            ],
            ..bar(row, &rows)
        })
        .collect();
    let drawn = bars::draw(&bars, ["above floor", "in all"])?;
    let floor = rows.first()?;
    let caption = format!(
        "What each adds to {}, which takes {}.",
        floor.floor,
        time(floor.floor_ns)
    );
    let what = match section.name {
        "chain" => "The transport alone",
        _ => "Above the floor",
    };
    let titles = [section.title(), what];
    Some(Plot::new(section.name, titles, caption, drawn))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{invented, section::sections};

    fn names(rows: Vec<Row>) -> Vec<String> {
        let mut results = invented::results();
        results.rows = rows;
        sections(&results)
            .iter()
            .flat_map(of_section)
            .map(|plot| plot.name)
            .collect()
    }

    #[test]
    fn every_experiment_has_its_picture() {
        let plots: Vec<String> = sections(&invented::results())
            .iter()
            .flat_map(of_section)
            .map(|plot| plot.name)
            .collect();
        for name in [
            "hop",
            "percentiles",
            "stream",
            "stream-sizes",
            "stream-all",
            "rate",
            "wake",
            "wake-cpu",
            "fanin",
            "chain",
            "chain-percentiles",
            "end-to-end",
            "stamps",
        ] {
            assert!(plots.iter().any(|plot| plot == name), "{name}: {plots:?}");
        }
        let mut unique = plots.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), plots.len(), "{plots:?}");
    }

    #[test]
    fn one_row_has_bars_and_no_numbers_have_no_picture() {
        assert_eq!(
            names(vec![invented::row("hop", "ours", 60.0)]),
            ["hop", "percentiles"]
        );
        let mut row = invented::row("hop", "ours", f64::NAN);
        row.curve.clear();
        assert!(names(vec![row]).is_empty());
        assert!(names(vec![invented::row("rate", "one rate only", 1.0)]).is_empty());
    }

    #[test]
    fn what_takes_less_than_its_floor_has_no_bar_and_stays_in_the_picture() {
        let row = Row {
            over_floor_ns: Some(-3.0),
            ..invented::row("chain", "below", 100.0)
        };
        let other = Row {
            over_floor_ns: Some(30.0),
            ..invented::row("chain", "above", 130.0)
        };
        let mut results = invented::results();
        results.rows = vec![row, other];
        let plots = of_section(&sections(&results)[0]);
        let svg = plots[0].inline();
        assert!(svg.contains("-3.00 ns"), "{svg}");
        assert_eq!(
            svg.matches("<rect class=\"b-processes\"").count(),
            2,
            "one bar, one legend"
        );
    }

    #[test]
    fn all_rows_are_in_some_percentile_picture() {
        let rows = (0..45)
            .map(|index| invented::row("hop", &format!("redis {index}"), 100.0 + f64::from(index)))
            .collect();
        let mut results = invented::results();
        results.rows = rows;
        let plots = of_section(&sections(&results)[0]);
        let text: String = plots[1..].iter().map(Plot::inline).collect();
        for index in 0..45 {
            assert!(text.contains(&format!(">redis {index}<")), "{index}");
        }
        assert!(plots[1..].iter().filter(|plot| plot.is_detail).count() > 3);
    }
}
