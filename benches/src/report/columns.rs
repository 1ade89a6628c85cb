//! The columns of an experiment's table: those that say something about its rows, in one order.

use super::{
    number::{NONE, count, per_second, ratio, time},
    section::{Section, fell_behind, is_floor, is_ours, same_shape, waiting},
};
use crate::row::{Between, Row};

/// An experiment's table, before it is laid out.
pub(super) struct Grid {
    /// What all rows share, in words.
    pub(super) shared: Vec<String>,
    /// The heads.
    pub(super) heads: Vec<Head>,
    /// The rows.
    pub(super) lines: Vec<Line>,
    /// What the words in it mean.
    pub(super) notes: Vec<&'static str>,
}

/// The head of a column.
#[derive(Clone, Copy)]
pub(super) struct Head {
    /// With its unit, where the cells carry none.
    pub(super) text: &'static str,
    /// Text, not a number.
    pub(super) is_text: bool,
    /// Who it is.
    pub(super) is_name: bool,
    /// Where there is no room for all columns, the greatest of these goes first; 0 stays.
    pub(super) expendable: u8,
}

/// One row.
pub(super) struct Line {
    /// One text for each head.
    pub(super) cells: Vec<String>,
    /// The row before it has another shape.
    pub(super) opens_group: bool,
    /// Of this project.
    pub(super) ours: bool,
    /// What others are compared with.
    pub(super) floor: bool,
}

struct Column {
    head: Head,
    cell: fn(&Row) -> Option<String>,
    /// How to say it once where all rows share it.
    shared: Option<fn(&str) -> String>,
}

const fn number(text: &'static str, expendable: u8, cell: fn(&Row) -> Option<String>) -> Column {
    Column {
        head: Head {
            text,
            is_text: false,
            is_name: false,
            expendable,
        },
        cell,
        shared: None,
    }
}

const fn text(text: &'static str, expendable: u8, cell: fn(&Row) -> Option<String>) -> Column {
    let mut column = number(text, expendable, cell);
    column.head.is_text = true;
    column
}

impl Column {
    const fn or_once(mut self, say: fn(&str) -> String) -> Self {
        self.shared = Some(say);
        self
    }
}

/// The head that each experiment words for itself.
const LEVEL: &str = "";

fn columns() -> Vec<Column> {
    let mut name = text("name", 0, |row| Some(row.title()));
    name.head.is_name = true;
    vec![
        number("offered/s", 0, |row| row.offered_per_s.map(per_second))
            .or_once(|it| format!("{it} messages/s due")),
        number("rings", 0, |row| row.rings.map(|it| count(it.into())))
            .or_once(|it| format!("rings: {it}")),
        number("gap", 0, |row| {
            row.gap_us.map(|gap| time(gap as f64 * 1000.0))
        })
        .or_once(|it| format!("every {it}")),
        number("bytes", 0, |row| {
            row.message_bytes.map(|it| count(it.into()))
        })
        .or_once(|it| format!("messages of {it} B")),
        number("slots", 0, |row| row.slots.map(|it| count(it.into())))
            .or_once(|it| format!("{it} slots")),
        name,
        text("between", 2, between).or_once(|it| format!("between {it}")),
        text("waits", 4, waits).or_once(|it| format!("the receiver {it}")),
        number(LEVEL, 0, |row| Some(time(row.level_ns))),
        number("over floor", 1, |row| row.over_floor_ns.map(time)),
        number("messages/s", 3, throughput),
        number("p50", 6, |row| Some(time(row.p50_ns))),
        number("p99", 1, |row| Some(time(row.p99_ns))),
        number("p99.9", 1, |row| Some(time(row.p999_ns))),
        number("p99.99", 8, |row| Some(time(row.p9999_ns))),
        number("max", 1, |row| Some(time(row.max_ns))),
        number("push", 2, |row| row.push_ns.map(time)),
        number("CPU %", 2, |row| {
            row.cpu_percent
                .filter(|it| it.is_finite())
                .map(|it| format!("{it:.1}"))
        }),
        number("arrived/s", 1, |row| row.achieved_per_s.map(per_second)),
        text("kept up", 1, kept_up),
        number("lost", 3, |row| row.lost.map(count)),
        text("floor", 9, |row| {
            (!row.floor.is_empty()).then(|| row.floor.clone())
        })
        .or_once(|it| format!("floor: {it}")),
        number("floor takes", 7, |row| Some(time(row.floor_ns)))
            .or_once(|it| format!("the floor takes {it}")),
        number("x floor", 0, |row| row.ratio_to_floor.map(ratio)),
        number("95 %", 1, interval),
        number("x rtrb", 5, |row| row.ratio_to_rtrb.map(ratio)),
        number("x ours", 4, |row| row.ratio_to_ours.map(ratio)),
        number("rounds", 9, |row| Some(count(row.rounds_compared as u64))),
        number("samples", 9, |row| Some(count(row.samples))),
    ]
}

fn between(row: &Row) -> Option<String> {
    let word = match row.between {
        Between::Processes => "processes",
        Between::Threads => "threads",
        Between::Server => "server",
        Between::Nothing => "nothing",
    };
    Some(word.to_owned())
}

fn waits(row: &Row) -> Option<String> {
    Some(waiting(row.waiting).to_owned())
}

fn throughput(row: &Row) -> Option<String> {
    let streams = matches!(row.experiment.as_str(), "stream" | "stamps");
    (streams && row.level_ns > 0.0).then(|| per_second(1e9 / row.level_ns))
}

fn kept_up(row: &Row) -> Option<String> {
    row.achieved_per_s?;
    row.offered_per_s?;
    Some(match fell_behind(row) {
        None => "yes".to_owned(),
        Some(share) if share.is_finite() => format!("NO, {:.0} %", 100.0 * share),
        Some(_) => "NO".to_owned(),
    })
}

fn interval(row: &Row) -> Option<String> {
    let [low, high] = row.ratio_to_floor_interval?;
    (low.is_finite() && high.is_finite()).then(|| format!("{}-{}", ratio(low), ratio(high)))
}

/// Lays an experiment out: a column that no row fills is left out, and what all rows share of their
/// shape is said once.
pub(super) fn grid(section: &Section<'_>) -> Grid {
    let rows = &section.rows;
    let mut grid = Grid {
        shared: Vec::new(),
        heads: Vec::new(),
        lines: rows
            .iter()
            .enumerate()
            .map(|(index, row)| Line {
                cells: Vec::new(),
                opens_group: index > 0 && !same_shape(rows[index - 1], row),
                ours: is_ours(row),
                floor: is_floor(row),
            })
            .collect(),
        notes: notes(section),
    };
    for column in columns() {
        let cells: Vec<Option<String>> = rows.iter().map(|row| (column.cell)(row)).collect();
        let filled = |cell: &Option<String>| cell.as_deref().is_some_and(|text| text != NONE);
        if !cells.iter().any(filled) {
            continue;
        }
        if let (Some(say), Some(first)) = (column.shared, &cells[0])
            && cells.iter().all(|cell| cell.as_ref() == Some(first))
        {
            grid.shared.push(say(first));
            continue;
        }
        let mut head = column.head;
        if head.text == LEVEL {
            head.text = section.question.level;
        }
        grid.heads.push(head);
        for (line, cell) in grid.lines.iter_mut().zip(cells) {
            line.cells.push(cell.unwrap_or_else(|| NONE.to_owned()));
        }
    }
    grid
}

fn notes(section: &Section<'_>) -> Vec<&'static str> {
    let any = |between| section.rows.iter().any(|row| row.between == between);
    let mut notes = Vec::new();
    if any(Between::Threads) {
        notes.push("threads: two threads of one process, not two processes");
    }
    if any(Between::Server) {
        notes.push("server: a server carries every message");
    }
    if any(Between::Nothing) {
        notes.push("nothing: what the measuring itself costs");
    }
    if section.rows.iter().any(|row| fell_behind(row).is_some()) {
        notes.push("NO: less than 95 % of what was due arrived; its times grow for as long as it is measured");
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{invented, section::sections};

    fn heads(rows: Vec<Row>) -> (Vec<&'static str>, String) {
        let mut results = invented::results();
        results.rows = rows;
        let grid = grid(&sections(&results)[0]);
        for line in &grid.lines {
            assert_eq!(line.cells.len(), grid.heads.len());
        }
        (
            grid.heads.iter().map(|head| head.text).collect(),
            grid.shared.join("; "),
        )
    }

    #[test]
    fn a_column_that_no_row_fills_is_left_out() {
        let (heads, _) = heads(vec![invented::row("hop", "a", 1.0)]);
        assert!(!heads.contains(&"CPU %"), "{heads:?}");
        assert!(!heads.contains(&"lost"), "{heads:?}");
        assert!(heads.contains(&"median"), "{heads:?}");
    }

    #[test]
    fn what_all_rows_share_is_said_once() {
        let one = invented::row("stream", "a", 1.0);
        let other = Row {
            slots: Some(64),
            ..invented::row("stream", "b", 2.0)
        };
        let (heads, shared) = heads(vec![one, other]);
        assert!(shared.contains("messages of 64 B"), "{shared}");
        assert!(shared.contains("floor: bare line"), "{shared}");
        assert!(heads.contains(&"slots"), "{heads:?}");
        assert!(!heads.contains(&"bytes"), "{heads:?}");
        assert!(heads.contains(&"per message"), "{heads:?}");
    }

    #[test]
    fn a_row_that_fell_behind_says_so() {
        let row = Row {
            offered_per_s: Some(1e6),
            achieved_per_s: Some(8.3e5),
            ..invented::row("rate", "a", 1.0)
        };
        assert_eq!(kept_up(&row).as_deref(), Some("NO, 83 %"));
        let mut results = invented::results();
        results.rows = vec![row];
        assert!(
            grid(&sections(&results)[0])
                .notes
                .iter()
                .any(|note| note.starts_with("NO:"))
        );
    }
}
