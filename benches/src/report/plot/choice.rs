//! Which pictures an experiment gets.

use super::{
    Plot,
    bars::{self, Bar, Fill},
    lines::{self, Axis, Heights, Look, Series},
    scale::{drawable, nines},
};
use crate::{
    report::{
        number::{count, per_second, ratio, time},
        section::{Section, ascending, fell_behind, is_floor, is_ours},
    },
    row::Row,
};

/// So many curves are told from one another in one picture.
const CURVES: usize = 14;

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

fn bar(row: &Row) -> Bar {
    Bar {
        name: row.title(),
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
    let bars: Vec<Bar> = rows.iter().map(|row| bar(row)).collect();
    let drawn = bars::draw(&bars, [section.question.level, "x floor"])?;
    Some(Plot::new(
        name,
        section.title().to_owned(),
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
            "{} contenders, the shortest time first ({what}): from {} with {} to {} with {}. Note the logarithmic axis.",
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
fn usual(rows: &[&Row], of: fn(&Row) -> Option<u32>) -> Option<u32> {
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
        plot.title = format!("{}, {}", plot.title, shape.join(", "));
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
            ..bar(row)
        })
        .collect();
    let drawn = bars::draw(&bars, ["alone", "with floor"])?;
    let floor = rows.first()?;
    let caption = format!(
        "What each transport adds to {}, which takes {}. Note the logarithmic axis.",
        floor.floor,
        time(floor.floor_ns)
    );
    let title = format!("{}: the transport alone", section.title());
    Some(Plot::new(section.name, title, caption, drawn))
}

/// What a picture of lines shows.
struct Course<'a> {
    name: &'a str,
    title: String,
    caption: String,
    x_title: &'a str,
    y_title: &'a str,
    /// Where a row lies, and how to say it.
    x: fn(&Row) -> Option<(f64, String)>,
    y: fn(&Row) -> f64,
    heights: Heights,
    /// What else tells lines of one name apart.
    also: fn(&Row) -> Option<String>,
}

impl Course<'_> {
    fn plot(self, rows: &[&Row]) -> Option<Plot> {
        let mut ticks: Vec<(f64, String)> = rows.iter().filter_map(|row| (self.x)(row)).collect();
        ticks.sort_by(|one, other| one.0.total_cmp(&other.0));
        ticks.dedup_by(|one, other| one.0.to_bits() == other.0.to_bits());
        if ticks.len() < 2 {
            return None;
        }
        let mut series: Vec<Series> = Vec::new();
        let (mut ours, mut others) = (0, 0);
        for row in rows {
            let Some((x, _)) = (self.x)(row) else {
                continue;
            };
            let y = (self.y)(row);
            if !y.is_finite() || (matches!(self.heights, Heights::Times) && !drawable(y)) {
                continue;
            }
            let name = match (self.also)(row) {
                Some(also) => format!("{}, {also}", row.title()),
                None => row.title(),
            };
            let mark = (x, y, fell_behind(row).is_some());
            if let Some(line) = series.iter_mut().find(|line| line.name == name) {
                line.points.push((x, y));
                line.marks.push(mark);
                continue;
            }
            series.push(Series {
                name,
                look: look(row, &mut ours, &mut others),
                points: vec![(x, y)],
                marks: vec![mark],
            });
        }
        for line in &mut series {
            line.points.sort_by(|one, other| one.0.total_cmp(&other.0));
        }
        let axis = Axis {
            title: self.x_title.to_owned(),
            ticks,
        };
        let drawn = lines::draw(&series, &axis, self.y_title, &self.heights)?;
        Some(Plot::new(self.name, self.title, self.caption, drawn))
    }
}

fn look(row: &Row, ours: &mut usize, others: &mut usize) -> Look {
    let next = |counter: &mut usize| {
        *counter += 1;
        *counter - 1
    };
    if is_floor(row) {
        Look::Floor
    } else if is_ours(row) {
        Look::Ours(next(ours))
    } else {
        Look::Other(next(others))
    }
}

fn slots(row: &Row) -> Option<(f64, String)> {
    let slots = row.slots?;
    Some((f64::from(slots.max(1)).log2(), count(slots.into())))
}

fn size(row: &Row) -> Option<String> {
    Some(format!("{} B", count(row.message_bytes?.into())))
}

fn by_depth(section: &Section<'_>, rows: &[&Row]) -> Option<Plot> {
    let deep: Vec<&Row> = rows
        .iter()
        .copied()
        .filter(|row| {
            let same = |other: &&&Row| {
                other.title() == row.title() && other.message_bytes == row.message_bytes
            };
            row.slots.is_some() && rows.iter().filter(same).count() > 1
        })
        .collect();
    let first = deep.first()?.message_bytes;
    let several = deep.iter().any(|row| row.message_bytes != first);
    Course {
        name: "stream",
        title: format!("{}, by depth", section.title()),
        caption: "Time per message as the ring has room for more: up to the size of a cache it is read where it was written.".to_owned(),
        x_title: "slots",
        y_title: "per message",
        x: slots,
        y: |row| row.level_ns,
        heights: Heights::Times,
        also: if several { size } else { |_| None },
    }
    .plot(&deep)
}

fn by_size(section: &Section<'_>, rows: &[&Row]) -> Option<Plot> {
    let depth = usual(rows, |row| row.slots);
    let rows: Vec<&Row> = rows
        .iter()
        .copied()
        .filter(|row| row.slots == depth && row.message_bytes.is_some())
        .filter(|row| {
            let same = |other: &&&Row| other.title() == row.title() && other.slots == row.slots;
            rows.iter().filter(same).count() > 1
        })
        .collect();
    Course {
        name: "stream-sizes",
        title: format!("{}, by size of message", section.title()),
        caption: depth.map_or_else(String::new, |depth| {
            format!(
                "Time per message through {} slots as messages grow.",
                count(depth.into())
            )
        }),
        x_title: "bytes",
        y_title: "per message",
        x: |row| {
            let bytes = row.message_bytes?;
            Some((f64::from(bytes.max(1)).log2(), count(bytes.into())))
        },
        y: |row| row.level_ns,
        heights: Heights::Times,
        also: |_| None,
    }
    .plot(&rows)
}

fn by_rate(section: &Section<'_>, rows: &[&Row]) -> Option<Plot> {
    Course {
        name: "rate",
        title: format!("{}: the 99.9th percentile", section.title()),
        caption: "From when a message was due until it arrived, 99.9th percentile. Hollow marks: the transport did not keep up.".to_owned(),
        x_title: "messages due per second",
        y_title: "99.9th percentile",
        x: |row| {
            let rate = row.offered_per_s.filter(|rate| drawable(*rate))?;
            Some((rate.log10(), per_second(rate)))
        },
        y: |row| row.p999_ns,
        heights: Heights::Times,
        also: |_| None,
    }
    .plot(rows)
}

fn gap(row: &Row) -> Option<(f64, String)> {
    let gap = row.gap_us? as f64;
    let text = match gap {
        gap if gap < 1000.0 => format!("{gap} µs"),
        gap if gap < 1e6 => format!("{} ms", gap / 1e3),
        gap => format!("{} s", gap / 1e6),
    };
    Some((gap.max(0.1).log10(), text))
}

fn by_gap(section: &Section<'_>, rows: &[&Row]) -> Option<Plot> {
    Course {
        name: "wake",
        title: section.title().to_owned(),
        caption: "From push to pop, median, by the gap before the message.".to_owned(),
        x_title: "gap before the message",
        y_title: "median",
        x: gap,
        y: |row| row.level_ns,
        heights: Heights::Times,
        also: |_| None,
    }
    .plot(rows)
}

fn processor(section: &Section<'_>, rows: &[&Row]) -> Option<Plot> {
    if rows.iter().all(|row| row.cpu_percent.is_none()) {
        return None;
    }
    Course {
        name: "wake-cpu",
        title: format!("{}: what waiting costs", section.title()),
        caption: "Processor time of the receiving side, percent of one core, by the gap between messages.".to_owned(),
        x_title: "gap before the message",
        y_title: "of one core",
        x: gap,
        y: |row| row.cpu_percent.unwrap_or(f64::NAN),
        heights: Heights::Percent,
        also: |_| None,
    }
    .plot(rows)
}

fn by_rings(section: &Section<'_>, rows: &[&Row]) -> Option<Plot> {
    Course {
        name: "fanin",
        title: section.title().to_owned(),
        caption: "Median by the number of rings that one reader polls; the floor polls as many bare lines.".to_owned(),
        x_title: "rings",
        y_title: "median",
        x: |row| {
            let rings = row.rings?;
            Some((f64::from(rings.max(1)).log2(), count(rings.into())))
        },
        y: |row| row.level_ns,
        heights: Heights::Times,
        also: |_| None,
    }
    .plot(rows)
}

/// The first word of a name: of one family the fastest stands for all in the first picture.
fn family(row: &Row) -> String {
    row.name
        .split(|letter: char| !letter.is_alphanumeric())
        .next()
        .unwrap_or_default()
        .to_lowercase()
}

fn percentiles(section: &Section<'_>, name: &str, rows: &[&Row]) -> Vec<Plot> {
    let reference = |row: &&&Row| is_floor(row) || is_ours(row);
    let references: Vec<&Row> = rows.iter().copied().filter(|row| reference(&row)).collect();
    let mut first = references.clone();
    let mut rest: Vec<&Row> = Vec::new();
    for row in rows.iter().copied().filter(|row| !reference(&row)) {
        let is_new = !first.iter().any(|other| family(other) == family(row));
        if is_new && first.len() < CURVES {
            first.push(row);
        } else {
            rest.push(row);
        }
    }
    let title = format!("{}: the whole distribution", section.title());
    let caption = if rest.is_empty() {
        "Every single time, up to the greatest: each step to the right is ten times rarer."
    } else {
        "Every single time, up to the greatest: each step to the right is ten times rarer. Of each family its fastest; the table has all."
    };
    let mut plots: Vec<Plot> = curves(name, &title, caption, &first).into_iter().collect();
    for (index, rows) in rest.chunks(CURVES - 4).enumerate() {
        let floor = references.iter().filter(|row| is_floor(row)).take(1);
        let ours = references.iter().filter(|row| is_ours(row)).take(1);
        let rows: Vec<&Row> = floor.chain(ours).chain(rows).copied().collect();
        let title = format!("{title}, others ({})", index + 1);
        let caption = "The same for the others, beside the floor and ours.";
        if let Some(mut plot) = curves(&format!("{name}-{}", index + 2), &title, caption, &rows) {
            plot.is_detail = true;
            plots.push(plot);
        }
    }
    plots
}

fn curves(name: &str, title: &str, caption: &str, rows: &[&Row]) -> Option<Plot> {
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
                name: row.title(),
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
    Some(Plot::new(name, title.to_owned(), caption.to_owned(), drawn))
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
