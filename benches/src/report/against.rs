//! This run beside an earlier one.
//!
//! Absolute times of two runs cannot be compared: between them the machine became another, faster or
//! slower by a factor. What can be compared is how often the floor fits into each row, for the floor
//! was measured in the same seconds; so ratios to the floor are compared, by their intervals.

use super::{
    columns::{Grid, Head, Line},
    number::{count, per_second, ratio, time},
    section::waiting,
    table::{self, BAD, BOLD, Colour, GOOD},
};
use crate::row::{Results, Row};
use std::{collections::HashMap, io};

/// A row that is worse by more than this, beyond what both intervals allow, is a regression.
const ALLOWED: f64 = 1.10;

/// Two runs, row by row.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Rows that both have, with ratios: those that differ first, the most different before others.
    pub changes: Vec<Change>,
    /// Rows that only the earlier run has.
    pub only_before: Vec<String>,
    /// Rows that only this run has.
    pub only_now: Vec<String>,
    /// Rows that both have and that cannot be compared, with the reason.
    pub incomparable: Vec<String>,
    /// What differs in the circumstances.
    pub warnings: Vec<String>,
}

/// A row of two runs.
#[derive(Debug, Clone)]
pub struct Change {
    /// Which, in words.
    pub row: String,
    /// Ratio to the floor in the earlier run, and its interval.
    pub before: (f64, [f64; 2]),
    /// Ratio to the floor in this run, and its interval.
    pub now: (f64, [f64; 2]),
    /// What became of it.
    pub verdict: Verdict,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Its interval lies above the earlier one.
    Worse,
    /// Its interval lies below the earlier one.
    Better,
    /// The intervals overlap.
    Same,
}

impl Change {
    /// How many times the earlier ratio.
    #[must_use]
    pub fn factor(&self) -> f64 {
        self.now.0 / self.before.0
    }

    /// Whether it is worse by more than 10 %, even from the near ends of both intervals.
    #[must_use]
    pub fn is_regression(&self) -> bool {
        self.now.1[0] > self.before.1[1] * ALLOWED
    }
}

impl Comparison {
    /// Whether a row became worse by more than 10 % beyond its interval.
    #[must_use]
    pub fn has_regressions(&self) -> bool {
        self.changes.iter().any(Change::is_regression)
    }

    /// Prints it to standard output.
    ///
    /// # Errors
    ///
    /// When it cannot be written; a reader that left early is no error.
    pub fn print(&self) -> io::Result<()> {
        table::write_out(&self.render(Colour::of_stdout()))
    }

    /// As text.
    #[must_use]
    pub fn render(&self, colour: Colour) -> String {
        let mut text = format!(
            "\n{}: times the floor, before and now, with 95 % intervals\n  \
             absolute times of two runs cannot be compared; the floor was measured in the same windows as its row\n",
            colour.paint(BOLD, "AGAINST AN EARLIER RUN")
        );
        if !self.changes.is_empty() {
            text += &table::rows(&self.grid(), colour);
        }
        let of = |verdict| {
            self.changes
                .iter()
                .filter(|it| it.verdict == verdict)
                .count()
        };
        let regressions = self.changes.iter().filter(|it| it.is_regression()).count();
        let worse = format!("{} worse", of(Verdict::Worse));
        let beyond = format!("{regressions} by more than 10 % beyond its interval");
        text += &format!(
            "  {}, {} the same, {}, of these {}\n",
            colour.paint(GOOD, &format!("{} better", of(Verdict::Better))),
            of(Verdict::Same),
            worse,
            if regressions > 0 {
                colour.paint(BAD, &beyond)
            } else {
                beyond
            }
        );
        for (what, rows) in [
            ("not comparable", &self.incomparable),
            ("only before", &self.only_before),
            ("only now", &self.only_now),
        ] {
            for row in rows {
                text += &format!("  {what}: {row}\n");
            }
        }
        for warning in &self.warnings {
            text += &format!("  warning: {warning}\n");
        }
        text
    }

    fn grid(&self) -> Grid {
        let head = |text, is_text| Head {
            text,
            is_text,
            is_name: false,
            expendable: 0,
        };
        let interval = |[low, high]: [f64; 2]| format!("{}-{}", ratio(low), ratio(high));
        let line = |(index, change): (usize, &Change)| Line {
            cells: vec![
                match change.verdict {
                    Verdict::Worse if change.is_regression() => "WORSE".to_owned(),
                    Verdict::Worse => "worse".to_owned(),
                    Verdict::Better => "better".to_owned(),
                    Verdict::Same => "same".to_owned(),
                },
                change.row.clone(),
                ratio(change.before.0),
                interval(change.before.1),
                ratio(change.now.0),
                interval(change.now.1),
                format!("{:+.1} %", 100.0 * (change.factor() - 1.0)),
            ],
            opens_group: index > 0
                && change.verdict == Verdict::Same
                && self.changes[index - 1].verdict != Verdict::Same,
            ours: change.is_regression(),
            floor: false,
        };
        Grid {
            shared: Vec::new(),
            heads: vec![
                head("", true),
                head("row", true),
                head("before", false),
                head("95 %", false),
                head("now", false),
                head("95 %", false),
                head("change", false),
            ],
            lines: self.changes.iter().enumerate().map(line).collect(),
            notes: Vec::new(),
        }
    }
}

/// Compares two runs.
#[must_use]
pub fn compare(before: &Results, now: &Results) -> Comparison {
    let mut earlier: HashMap<String, &Row> =
        before.rows.iter().map(|row| (words(row), row)).collect();
    let mut comparison = Comparison {
        changes: Vec::new(),
        only_before: Vec::new(),
        only_now: Vec::new(),
        incomparable: Vec::new(),
        warnings: warnings(before, now),
    };
    for row in &now.rows {
        let name = words(row);
        match earlier.remove(&name) {
            None => comparison.only_now.push(name),
            Some(old) => match change(name, old, row) {
                Ok(change) => comparison.changes.push(change),
                Err(reason) => comparison.incomparable.push(reason),
            },
        }
    }
    let left = before.rows.iter().map(words);
    comparison.only_before = left.filter(|name| earlier.contains_key(name)).collect();
    let size = |change: &Change| change.factor().ln().abs();
    comparison.changes.sort_by(|one, other| {
        one.verdict
            .cmp(&other.verdict)
            .then_with(|| size(other).total_cmp(&size(one)))
    });
    comparison
}

/// What tells a row from others, in words.
fn words(row: &Row) -> String {
    let mut text = format!("{}: {}", row.experiment, row.title());
    let shape = [
        row.message_bytes
            .map(|it| format!("{} B", count(it.into()))),
        row.slots.map(|it| format!("{} slots", count(it.into()))),
        row.rings.map(|it| format!("rings: {}", count(it.into()))),
        row.gap_us
            .map(|it| format!("every {}", time(it as f64 * 1e3))),
        row.offered_per_s.map(|it| format!("{}/s", per_second(it))),
        Some(waiting(row.waiting).to_owned()),
    ];
    for part in shape.into_iter().flatten() {
        text += ", ";
        text += &part;
    }
    text
}

fn change(row: String, before: &Row, now: &Row) -> Result<Change, String> {
    if before.floor != now.floor {
        return Err(format!(
            "{row}: the floor was \"{}\" and is \"{}\"",
            before.floor, now.floor
        ));
    }
    let (Some(before), Some(now)) = (figures(before), figures(now)) else {
        return Err(format!("{row}: no ratio with an interval on both sides"));
    };
    let verdict = if now.1[0] > before.1[1] {
        Verdict::Worse
    } else if now.1[1] < before.1[0] {
        Verdict::Better
    } else {
        Verdict::Same
    };
    Ok(Change {
        row,
        before,
        now,
        verdict,
    })
}

fn figures(row: &Row) -> Option<(f64, [f64; 2])> {
    let (ratio, [low, high]) = (row.ratio_to_floor?, row.ratio_to_floor_interval?);
    let sound = [ratio, low, high]
        .iter()
        .all(|it| it.is_finite() && *it > 0.0);
    sound.then_some((ratio, [low, high]))
}

fn warnings(before: &Results, now: &Results) -> Vec<String> {
    let (before, now) = (&before.conditions, &now.conditions);
    let cores =
        [before, now].map(|it| format!("{} > {} of {}", it.cores.near, it.cores.far, it.online));
    [
        ("processor", &before.cpu, &now.cpu),
        ("kernel", &before.kernel, &now.kernel),
        ("cores", &cores[0], &cores[1]),
    ]
    .into_iter()
    .filter(|(_, before, now)| before != now)
    .map(|(what, before, now)| {
        format!("the {what} differs, so the floor does too: it was {before} and is {now}")
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::file;
    use crate::{report::invented, row::Waiting};

    fn run(rows: &[(&str, f64, [f64; 2])]) -> Results {
        let mut results = invented::results();
        results.rows = rows
            .iter()
            .map(|(name, ratio, interval)| Row {
                ratio_to_floor: Some(*ratio),
                ratio_to_floor_interval: Some(*interval),
                ..invented::row("hop", name, 60.0)
            })
            .collect();
        results
    }

    #[test]
    fn rows_are_better_worse_or_the_same_by_their_intervals() {
        let before = run(&[
            ("steady", 1.04, [1.02, 1.06]),
            ("slower", 1.50, [1.45, 1.55]),
            ("a little slower", 1.50, [1.45, 1.55]),
            ("faster", 3.0, [2.9, 3.1]),
        ]);
        let now = run(&[
            ("steady", 1.06, [1.05, 1.09]),
            ("slower", 1.80, [1.75, 1.85]),
            ("a little slower", 1.60, [1.58, 1.65]),
            ("faster", 2.0, [1.9, 2.1]),
        ]);
        let comparison = compare(&before, &now);
        let verdicts: Vec<(&str, Verdict, bool)> = comparison
            .changes
            .iter()
            .map(|it| (it.row.as_str(), it.verdict, it.is_regression()))
            .collect();
        assert_eq!(
            verdicts,
            [
                ("hop: slower, 64 B, spins", Verdict::Worse, true),
                ("hop: a little slower, 64 B, spins", Verdict::Worse, false),
                ("hop: faster, 64 B, spins", Verdict::Better, false),
                ("hop: steady, 64 B, spins", Verdict::Same, false),
            ]
        );
        assert!(comparison.has_regressions());
        let text = comparison.render(Colour::No);
        assert!(text.contains("WORSE") && text.contains("+20.0 %"), "{text}");
        assert!(
            text.contains("1 better, 1 the same, 2 worse, of these 1 by more"),
            "{text}"
        );
        assert!(!compare(&now, &now).has_regressions());
    }

    #[test]
    fn rows_of_one_side_are_listed() {
        let before = run(&[("gone", 1.0, [1.0, 1.0]), ("kept", 1.0, [1.0, 1.0])]);
        let now = run(&[("kept", 1.0, [1.0, 1.0]), ("new", 1.0, [1.0, 1.0])]);
        let comparison = compare(&before, &now);
        assert_eq!(comparison.only_before, ["hop: gone, 64 B, spins"]);
        assert_eq!(comparison.only_now, ["hop: new, 64 B, spins"]);
        assert_eq!(comparison.changes.len(), 1);
    }

    #[test]
    fn rows_of_another_shape_are_other_rows() {
        let before = run(&[("a", 1.0, [1.0, 1.0])]);
        type Edit = fn(&mut Row);
        let edits: [Edit; 8] = [
            |row| row.waiting = Waiting::Sleeps,
            |row| row.encoding = Some("json".into()),
            |row| row.message_bytes = Some(8),
            |row| row.slots = Some(8),
            |row| row.rings = Some(8),
            |row| row.gap_us = Some(8),
            |row| row.offered_per_s = Some(8.0),
            |row| row.experiment = "chain".into(),
        ];
        for (index, edit) in edits.iter().enumerate() {
            let mut now = before.clone();
            edit(&mut now.rows[0]);
            assert!(compare(&before, &now).changes.is_empty(), "{index}");
        }
        assert_eq!(compare(&before, &before).changes.len(), 1);
    }

    #[test]
    fn what_has_no_ratio_or_another_floor_is_not_compared() {
        let before = run(&[("a", 1.0, [1.0, 1.0]), ("b", 1.0, [1.0, 1.0])]);
        let mut now = before.clone();
        now.rows[0].floor = "another".into();
        now.rows[1].ratio_to_floor = None;
        let comparison = compare(&before, &now);
        assert!(comparison.changes.is_empty());
        assert_eq!(comparison.incomparable.len(), 2);
        assert!(comparison.incomparable[0].contains("another"));
        now.rows[1].ratio_to_floor = Some(f64::NAN);
        assert_eq!(compare(&before, &now).incomparable.len(), 2);
    }

    #[test]
    fn another_machine_is_a_warning() {
        let before = run(&[]);
        let mut now = before.clone();
        assert!(compare(&before, &now).warnings.is_empty());
        now.conditions.cpu = "Another".into();
        let text = compare(&before, &now).render(Colour::No);
        assert!(text.contains("the processor differs"), "{text}");
    }

    #[test]
    fn an_earlier_run_is_read_from_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("before.json");
        let results = invented::results();
        file::save(&results, &path).unwrap();
        let comparison = compare(&file::read(&path).unwrap(), &results);
        assert!(comparison.only_now.is_empty(), "{:?}", comparison.only_now);
        assert!(comparison.only_before.is_empty());
        assert!(comparison.changes.len() > 50);
        assert!(
            comparison
                .changes
                .iter()
                .all(|it| it.verdict == Verdict::Same)
        );
    }
}
