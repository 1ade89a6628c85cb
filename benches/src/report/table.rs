//! The results in the terminal.

use super::{
    columns::{Grid, Head, Line, grid},
    number::{beside, time},
    section::{Section, sections},
};
use crate::row::{Absent, Bar, Claim, Results, Target};
use std::{
    env,
    io::{self, IsTerminal, Write},
};

/// Widest line of a table.
const WIDTH: usize = 120;
/// Space between columns.
const SPACE: usize = 2;
/// Names are cut to this at least.
const NARROWEST_NAME: usize = 16;

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// With escape sequences.
    Yes,
    /// Plain text.
    No,
}

impl Colour {
    /// What standard output and `NO_COLOR` ask for.
    #[must_use]
    pub fn of_stdout() -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if io::stdout().is_terminal() && !unwanted {
            Self::Yes
        } else {
            Self::No
        }
    }

    pub(super) fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Yes => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::No => text.to_owned(),
        }
    }
}

pub(super) const BOLD: &str = "1";
const DIM: &str = "2";
pub(super) const GOOD: &str = "32";
pub(super) const BAD: &str = "1;31";
const WARNING: &str = "33";

/// Prints everything to standard output.
///
/// # Errors
///
/// When it cannot be written; a reader that left early, such as `head`, is no error.
pub fn print(results: &Results) -> io::Result<()> {
    write_out(&render(results, Colour::of_stdout()))
}

pub(super) fn write_out(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Everything as text.
#[must_use]
pub fn render(results: &Results, colour: Colour) -> String {
    let mut text = conditions(results);
    for section in sections(results) {
        text += &experiment(&section, colour);
    }
    text += &targets(&results.targets, colour);
    text += &claims(&results.claims, colour);
    text += &absent(&results.absent, colour);
    if !results.conditions.warnings.is_empty() {
        text += "\n";
    }
    for warning in &results.conditions.warnings {
        text += &format!("{} {warning}\n", colour.paint(WARNING, "warning:"));
    }
    text
}

fn conditions(results: &Results) -> String {
    let it = &results.conditions;
    format!(
        "{}, {}, cores {} > {} of {}; governor {}; clock {}; load {}\n\
         {:.0} s; steal {:.2} %; involuntary switches: near {}, far {}; clock read {:.1} ns, not subtracted\n\
         contenders take turns in short windows; the median is of windows; x floor, x rtrb and x ours are medians of ratios\n\
         of one round, of the rounds in which no side lost its core; percentiles leave nothing out\n",
        it.cpu,
        it.kernel,
        it.cores.near,
        it.cores.far,
        it.online,
        it.governor.as_deref().unwrap_or("the host's"),
        it.clock_source,
        it.load,
        it.seconds,
        it.steal_percent,
        it.near_involuntary,
        it.far_involuntary,
        it.clock_read_ns
    )
}

fn experiment(section: &Section<'_>, colour: Colour) -> String {
    let mut grid = grid(section);
    fit(&mut grid, WIDTH);
    let mut text = format!(
        "\n{}\n",
        colour.paint(BOLD, &section.title().to_uppercase())
    );
    for sentence in [section.question.about, &grid.shared.join("; ")] {
        for line in broken(sentence) {
            text += &format!("  {line}\n");
        }
    }
    text += &rows(&grid, colour);
    for note in &grid.notes {
        text += &format!("  {}\n", colour.paint(DIM, note));
    }
    text
}

/// The heads and the lines of a grid.
pub(super) fn rows(grid: &Grid, colour: Colour) -> String {
    let widths = widths(grid);
    let heads: Vec<String> = grid.heads.iter().map(|head| head.text.to_owned()).collect();
    let head = aligned(&grid.heads, &heads, &widths);
    let mut text = colour.paint(BOLD, &head) + "\n";
    for line in &grid.lines {
        if line.opens_group {
            text += "\n";
        }
        let plain = aligned(&grid.heads, &line.cells, &widths);
        text += &match line {
            Line { ours: true, .. } => colour.paint(BOLD, &plain),
            Line { floor: true, .. } => colour.paint(DIM, &plain),
            _ => plain,
        };
        text += "\n";
    }
    text
}

fn widths(grid: &Grid) -> Vec<usize> {
    grid.heads
        .iter()
        .enumerate()
        .map(|(index, head)| {
            let cells = grid.lines.iter().map(|line| line.cells[index].as_str());
            cells
                .chain([head.text])
                .map(|text| text.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect()
}

fn aligned(heads: &[Head], cells: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for ((head, cell), width) in heads.iter().zip(cells).zip(widths) {
        text += &" ".repeat(SPACE);
        text += &if head.is_text {
            format!("{cell:<width$}")
        } else {
            format!("{cell:>width$}")
        };
    }
    text.trim_end().to_owned()
}

/// What is given up for room, in this order: columns that are this expendable, names beyond this.
const ROOM: [(u8, usize); 4] = [(4, 40), (2, 28), (2, NARROWEST_NAME), (1, NARROWEST_NAME)];

/// Leaves out the columns that can be spared, and cuts names, until lines are not wider than that.
fn fit(grid: &mut Grid, width: usize) {
    let total = |grid: &Grid| widths(grid).iter().map(|it| it + SPACE).sum::<usize>();
    for (least, narrowest) in ROOM {
        while total(grid) > width {
            let heads = grid.heads.iter().enumerate();
            let spare = heads.filter(|(_, head)| head.expendable >= least);
            match spare.map(|(index, head)| (head.expendable, index)).max() {
                Some((_, index)) => remove(grid, index),
                None => break,
            }
        }
        let over = total(grid).saturating_sub(width);
        if over > 0 {
            cut_names(grid, over, narrowest);
        }
    }
}

fn remove(grid: &mut Grid, index: usize) {
    grid.heads.remove(index);
    for line in &mut grid.lines {
        line.cells.remove(index);
    }
}

/// Makes names that much narrower, but leaves them that many letters.
fn cut_names(grid: &mut Grid, over: usize, narrowest: usize) {
    let Some(index) = grid.heads.iter().position(|head| head.is_name) else {
        return;
    };
    let narrower = widths(grid)[index].saturating_sub(over).max(narrowest);
    for line in &mut grid.lines {
        let name = &mut line.cells[index];
        if name.chars().count() > narrower {
            *name = name.chars().take(narrower - 1).chain(['…']).collect();
        }
    }
}

/// Lines that fit, broken at spaces.
fn broken(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() + 3 < WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The bar and the value of a target in words.
pub(super) fn judged(target: &Target) -> (String, String) {
    let (words, bar) = match target.bar {
        Bar::AtMost(bar) => ("at most", bar),
        Bar::AtLeast(bar) => ("at least", bar),
    };
    let (value, bar) = beside(target.value.unwrap_or(f64::NAN), bar);
    (value, format!("{words} {bar}"))
}

fn targets(targets: &[Target], colour: Colour) -> String {
    if targets.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", colour.paint(BOLD, "TARGETS"));
    let names = widest(targets.iter().map(|target| target.name.as_str()));
    for target in targets {
        let verdict = if target.met {
            colour.paint(GOOD, "met   ")
        } else {
            colour.paint(BAD, "MISSED")
        };
        let (value, bar) = judged(target);
        let value = match target.value {
            Some(_) => value,
            None => "no number".to_owned(),
        };
        text += &format!("  {verdict}  {:<names$}  {value:>9}, {bar}\n", target.name);
    }
    text
}

fn claims(claims: &[Claim], colour: Colour) -> String {
    if claims.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "\n{}: what the proposal said, and what this run measured\n",
        colour.paint(BOLD, "CLAIMS")
    );
    let what = widest(claims.iter().map(|claim| claim.what.as_str()));
    let claimed = widest(claims.iter().map(|claim| claim.claimed.as_str())).max(7);
    text += &format!(
        "  {:<what$}  {:>claimed$}  {:>12}\n",
        "", "claimed", "measured"
    );
    for claim in claims {
        let (measured, from) = measured(claim);
        let line = format!(
            "  {:<what$}  {:>claimed$}  {measured:>12}  {from}",
            claim.what, claim.claimed
        );
        text += line.trim_end();
        text += "\n";
    }
    text
}

/// What was measured of a claim, and by which row.
pub(super) fn measured(claim: &Claim) -> (String, String) {
    match claim.measured_ns {
        Some(ns) => (time(ns), claim.from.clone()),
        None => ("not measured".to_owned(), claim.from.clone()),
    }
}

fn absent(absent: &[Absent], colour: Colour) -> String {
    if absent.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "\n{}: without a row, and why\n",
        colour.paint(BOLD, "ABSENT")
    );
    let experiment = widest(absent.iter().map(|it| it.experiment.as_str()));
    let name = widest(absent.iter().map(|it| it.name.as_str()));
    for it in absent {
        text += &format!(
            "  {:<experiment$}  {:<name$}  {}\n",
            it.experiment, it.name, it.reason
        );
    }
    text
}

fn widest<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{report::invented, row::Row};

    #[test]
    fn no_line_of_a_table_is_wider_than_a_terminal() {
        let mut results = invented::results();
        for index in 0..45 {
            let name =
                format!("a transport with quite a long name over a unix socket, number {index}");
            results
                .rows
                .push(invented::row("hop", &name, 1e5 * f64::from(index)));
            results.rows.push(Row {
                offered_per_s: Some(1e6),
                achieved_per_s: Some(1e5),
                lost: Some(123_456),
                ..invented::row("rate", &name, 1e5)
            });
        }
        for section in sections(&results) {
            let text = experiment(&section, Colour::No);
            for line in text.lines() {
                assert!(line.chars().count() <= WIDTH, "{line}");
            }
            for head in ["p99.9", "max", "x floor", "95 %"] {
                let has_interval = section.name == "hop" || section.name == "rate";
                assert!(!has_interval || text.contains(head), "{head}: {text}");
            }
            for row in &section.rows {
                let start: String = row.name.chars().take(NARROWEST_NAME - 1).collect();
                assert!(text.contains(&start), "{start}: {text}");
            }
        }
    }

    #[test]
    fn everything_that_a_run_found_out_is_said() {
        let text = render(&invented::results(), Colour::No);
        for part in [
            "Invented Processor <3 & Co.",
            "steal 0.83 %",
            "redis pub/sub, tcp, JSON",
            "NO, ",
            "between",
            "server: a server carries every message",
            "threads: two threads",
            "MISSED  faster than the fastest socket by",
            "41.70, at least 50.00",
            "no number",
            "15-20 ms       71.4 µs  hop: redis pub/sub, tcp, JSON",
            "not measured",
            "build with --features aeron",
            "warning: tails:",
            "1.02-1.07",
        ] {
            assert!(text.contains(part), "{part} is missing:\n{text}");
        }
        assert!(!text.contains('\x1b'));
    }

    #[test]
    fn colour_is_laid_over_the_same_text() {
        let results = invented::results();
        let mut coloured = render(&results, Colour::Yes);
        assert!(coloured.contains("\x1b[1;31mMISSED"));
        for code in [BOLD, DIM, GOOD, BAD, WARNING, "0"] {
            coloured = coloured.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(coloured, render(&results, Colour::No));
    }

    #[test]
    fn numbers_that_are_none_are_dashes() {
        let mut results = invented::results();
        results.rows = vec![
            Row {
                level_ns: f64::NAN,
                ratio_to_floor: None,
                ratio_to_floor_interval: Some([f64::NAN, f64::NAN]),
                ..invented::row("hop", "broken", 1.0)
            },
            invented::row("hop", "whole", 1.0),
        ];
        let text = render(&results, Colour::No);
        assert!(!text.contains("NaN"), "{text}");
        assert!(
            text.lines()
                .any(|line| line.contains("broken") && line.contains(" - ")),
            "{text}"
        );
    }

    #[test]
    fn a_run_of_nothing_is_its_conditions() {
        let mut results = invented::results();
        results.rows.clear();
        results.targets.clear();
        results.claims.clear();
        results.absent.clear();
        results.conditions.warnings.clear();
        assert_eq!(render(&results, Colour::No).lines().count(), 4);
    }
}
