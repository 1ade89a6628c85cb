//! Columns for a terminal, and how amounts are written in them.

use crate::sample::{float, seconds};

/// How a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table: a head, and rows of as many cells. Each column is as wide as its widest cell.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<(&'static str, Align)>,
    rows: Vec<Row>,
}

/// A line below the head.
#[derive(Debug)]
enum Row {
    Cells(Vec<String>),
    /// About the row before it, across all columns.
    Note(String),
}

impl Table {
    /// An empty one.
    pub(crate) fn new(head: &[(&'static str, Align)]) -> Self {
        Self {
            head: head.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; cells that are missing are empty.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(Row::Cells(cells));
    }

    /// Adds a line about the row before it.
    pub(crate) fn note(&mut self, text: &str) {
        self.rows.push(Row::Note(format!("  {text}")));
    }

    /// As text, with a line break after each line and no spaces before it.
    pub(crate) fn text(&self) -> String {
        let names = self.head.iter().map(|(name, _)| (*name).to_owned());
        let names = Row::Cells(names.collect());
        let lines: Vec<&Row> = [&names].into_iter().chain(&self.rows).collect();
        let width = |column: usize| {
            let cells = lines.iter().filter_map(|line| match line {
                Row::Cells(cells) => cells.get(column),
                Row::Note(_) => None,
            });
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let mut text = String::new();
        for line in lines {
            let line = match line {
                Row::Cells(cells) => cells,
                Row::Note(note) => {
                    text.push_str(note);
                    text.push('\n');
                    continue;
                }
            };
            let mut shown = String::new();
            for (column, (_, align)) in self.head.iter().enumerate() {
                let cell = line.get(column).map_or("", String::as_str);
                let space = " ".repeat(widths[column] - cell.chars().count());
                let (before, after) = match align {
                    Align::Left => ("", space.as_str()),
                    Align::Right => (space.as_str(), ""),
                };
                let gap = if column == 0 { "" } else { "  " };
                shown.push_str(&[gap, before, cell, after].concat());
            }
            text.push_str(shown.trim_end());
            text.push('\n');
        }
        text
    }
}

/// A count: `812`, `12.3k`, `4.56M`.
pub(crate) fn count(count: u64) -> String {
    if count < 100_000 {
        count.to_string()
    } else {
        rate(float(count))
    }
}

/// A rate or another amount in three digits: `0`, `0.25`, `812`, `12.3k`, `4.56M`.
pub(crate) fn rate(amount: f64) -> String {
    let scaled = [(1e9, "G"), (1e6, "M"), (1e3, "k")]
        .into_iter()
        .find(|(scale, _)| amount >= *scale * 0.9995);
    let (value, unit) = scaled.map_or((amount, ""), |(scale, unit)| (amount / scale, unit));
    format!("{}{unit}", digits(value))
}

/// A time in three digits with its unit: `0 ns`, `812 ns`, `1.25 us`, `3.1 s`, `2 min 5 s`, `14 h 3 min`.
pub(crate) fn span(seconds: f64) -> String {
    if seconds >= 3600.0 {
        let minutes = (seconds / 60.0).floor();
        return format!(
            "{:.0} h {:.0} min",
            (minutes / 60.0).floor(),
            minutes % 60.0
        );
    }
    if seconds >= 99.95 {
        return format!(
            "{:.0} min {:.0} s",
            (seconds / 60.0).floor(),
            (seconds % 60.0).floor()
        );
    }
    let units = [(1.0, "s"), (1e-3, "ms"), (1e-6, "us")];
    let scaled = units
        .into_iter()
        .find(|(scale, _)| seconds >= *scale * 0.9995);
    let (scale, unit) = scaled.unwrap_or((1e-9, "ns"));
    format!("{} {unit}", digits(seconds / scale))
}

/// Nanoseconds as [`span`] shows them, `-` where there are none.
pub(crate) fn nanoseconds(ns: Option<u64>) -> String {
    ns.map_or("-".into(), |ns| span(seconds(ns)))
}

fn digits(value: f64) -> String {
    let places = match value {
        value if value >= 99.95 => 0,
        value if value >= 9.995 => 1,
        _ => 2,
    };
    let text = format!("{value:.places$}");
    if places == 0 {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_three_digits_and_a_unit() {
        let rates = [0.0, 0.25, 9.996, 812.4, 999.7, 12_345.0, 4_560_000.0].map(rate);
        assert_eq!(rates, ["0", "0.25", "10", "812", "1k", "12.3k", "4.56M"]);
        let spans = [0.0, 812e-9, 1.25e-6, 0.9999, 3.1, 125.0, 50_580.0].map(span);
        assert_eq!(
            spans,
            [
                "0 ns",
                "812 ns",
                "1.25 us",
                "1 s",
                "3.1 s",
                "2 min 5 s",
                "14 h 3 min"
            ]
        );
        assert_eq!([count(99_999), count(4_560_000)], ["99999", "4.56M"]);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&[("RING", Align::Left), ("LOST", Align::Right)]);
        table.row(vec!["prices.0".into(), "-".into()]);
        table.row(vec!["a".into(), "12345".into()]);
        table.note("why a has lost so many");
        assert_eq!(
            table.text(),
            "RING       LOST\nprices.0      -\na         12345\n  why a has lost so many\n"
        );
    }
}
