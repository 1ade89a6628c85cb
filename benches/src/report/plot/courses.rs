//! Pictures of what grows with a depth, a size, a rate, a gap or a number of rings.

use super::{
    Plot,
    choice::usual,
    lines::{self, Axis, Heights, Look, Series},
    scale::drawable,
};
use crate::{
    report::{
        number::{count, per_second},
        section::{Section, fell_behind, is_floor, is_ours, title_among},
    },
    row::Row,
};

/// What a picture of lines shows.
struct Course<'a> {
    name: &'a str,
    titles: [&'a str; 2],
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
            let mut name = title_among(row, rows);
            if let Some(also) = (self.also)(row) {
                name = format!("{name}, {also}");
            }
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
        Some(Plot::new(self.name, self.titles, self.caption, drawn))
    }
}

/// The look of the next row.
pub(super) fn look(row: &Row, ours: &mut usize, others: &mut usize) -> Look {
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

pub(super) fn by_depth(section: &Section<'_>, rows: &[&Row]) -> Option<Plot> {
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
        titles: [section.title(), "By depth"],
        caption: "Time per message as there is room for more of them.".to_owned(),
        x_title: "slots",
        y_title: "per message",
        x: slots,
        y: |row| row.level_ns,
        heights: Heights::Times,
        also: if several { size } else { |_| None },
    }
    .plot(&deep)
}

pub(super) fn by_size(section: &Section<'_>, rows: &[&Row]) -> Option<Plot> {
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
        titles: [section.title(), "By size of message"],
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

pub(super) fn by_rate(section: &Section<'_>, rows: &[&Row]) -> Option<Plot> {
    Course {
        name: "rate",
        titles: [section.title(), "The 99.9th percentile"],
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

pub(super) fn by_gap(section: &Section<'_>, rows: &[&Row]) -> Option<Plot> {
    Course {
        name: "wake",
        titles: [section.title(), "Latency"],
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

pub(super) fn processor(section: &Section<'_>, rows: &[&Row]) -> Option<Plot> {
    if rows.iter().all(|row| row.cpu_percent.is_none()) {
        return None;
    }
    Course {
        name: "wake-cpu",
        titles: [section.title(), "What waiting costs"],
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

pub(super) fn by_rings(section: &Section<'_>, rows: &[&Row]) -> Option<Plot> {
    Course {
        name: "fanin",
        titles: [section.title(), "By number of rings"],
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
