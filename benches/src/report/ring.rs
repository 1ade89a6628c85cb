//! The table, the targets, and the same as JSON.

use crate::{
    Failure,
    conditions::Conditions,
    rounds::{OURS, OURS_BATCHES, Row},
};
use serde::Serialize;
use std::{fs, path::Path};

/// Everything that a run found out.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Under what circumstances.
    pub conditions: Conditions,
    /// What was aimed at.
    pub targets: Vec<Target>,
    /// What came out.
    pub rows: Vec<Row>,
}

/// One aim.
#[derive(Debug, Clone, Serialize)]
pub struct Target {
    /// What is compared.
    pub name: &'static str,
    /// What it may be at most.
    pub at_most: f64,
    /// What it is.
    pub value: f64,
    /// Whether that is enough.
    pub met: bool,
}

impl Report {
    /// Judges the rows.
    #[must_use]
    pub fn new(conditions: Conditions, rows: Vec<Row>) -> Self {
        Self {
            conditions,
            targets: targets(&rows),
            rows,
        }
    }

    /// Writes it as JSON.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(())
    }

    /// Prints it for people.
    pub fn print(&self) {
        self.print_conditions();
        let mut cell = None;
        for row in &self.rows {
            let here = (row.experiment, row.message_bytes, row.slots, row.gap_us);
            if cell != Some(here) {
                cell = Some(here);
                print_head(row);
            }
            print_row(row);
        }
        println!("\nTARGETS");
        for target in &self.targets {
            println!(
                "  {:<6} {:<58} {:>6.2}, at most {:.2}",
                if target.met { "met" } else { "MISSED" },
                target.name,
                target.value,
                target.at_most
            );
        }
        for warning in &self.conditions.warnings {
            println!("warning: {warning}");
        }
    }

    fn print_conditions(&self) {
        let it = &self.conditions;
        println!(
            "{}, {}, cores {} > {} of {}; load {}",
            it.cpu, it.kernel, it.cores.near, it.cores.far, it.online, it.load
        );
        println!(
            "{:.0} s; steal {:.2} %; involuntary switches: near {}, far {}; clock read {:.1} ns, not subtracted",
            it.seconds, it.steal_percent, it.near_involuntary, it.far_involuntary, it.clock_read_ns
        );
        println!(
            "closed loops in interleaved windows; MEDIAN is of windows; x FLOOR and x RTRB are medians of ratios\nof one round, of the ROUNDS in which no side lost its core; percentiles leave nothing out"
        );
    }
}

fn print_head(row: &Row) {
    let mut title = row.experiment.to_owned();
    if let Some(bytes) = row.message_bytes {
        title += &format!(", {bytes} B");
    }
    if let Some(slots) = row.slots {
        title += &format!(", {slots} slots");
    }
    if let Some(gap) = row.gap_us {
        title += &format!(", every {gap} us");
    }
    title += match row.experiment {
        "round trip" => ": ns there and back; percentiles of single trips",
        "wake-up" => ": ns from push to pop",
        _ => ": ns per message; percentiles of blocks of 1,024",
    };
    println!("\n{title}");
    let last = match row.gap_us {
        Some(_) => format!("{:>8} {:>7}", "PUSH", "CPU %"),
        None => format!("{:>8} {:>7}", "x RTRB", "x OURS"),
    };
    println!(
        "  {:<23} {:>9} {:>9} {:>9} {:>9} {:>10} {:>9} {:>8} {:>13} {:>6} {last}",
        "", "MEDIAN", "P50", "P99", "P99.9", "MAX", "FLOOR", "x FLOOR", "(QUARTILES)", "ROUNDS"
    );
}

fn print_row(row: &Row) {
    let [low, high] = row.ratio_to_floor_quartiles;
    let last = match row.gap_us {
        Some(_) => format!(
            "{:>8} {:>7}",
            optional(row.push_ns, 0),
            optional(row.cpu_percent, 1)
        ),
        None => format!(
            "{:>8} {:>7}",
            optional(row.ratio_to_rtrb, 2),
            optional(row.ratio_to_unstamped, 2)
        ),
    };
    println!(
        "  {:<23} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>10.1} {:>9.1} {:>8.2} {:>13} {:>6} {last}",
        row.name,
        row.level_ns,
        row.p50_ns,
        row.p99_ns,
        row.p999_ns,
        row.max_ns,
        row.floor_ns,
        row.ratio_to_floor,
        format!("{low:.2}-{high:.2}"),
        row.rounds_compared
    );
}

fn optional(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

fn targets(rows: &[Row]) -> Vec<Target> {
    let trip = |row: &&Row| row.experiment == "round trip" && row.name == OURS;
    let stream = |row: &&Row| {
        row.experiment == "streaming" && row.message_bytes == Some(56) && row.slots == Some(65_536)
    };
    let judge = |name, at_most, value: Option<f64>| {
        value.map(|value| Target {
            name,
            at_most,
            value,
            met: value <= at_most,
        })
    };
    let trip = rows.iter().find(trip);
    let stream_of = |name| rows.iter().find(|row| stream(row) && row.name == name);
    let (stream, batches) = (stream_of(OURS), stream_of(OURS_BATCHES));
    [
        judge(
            "round trip by the bare ping-pong",
            1.05,
            trip.map(|row| row.ratio_to_floor),
        ),
        judge(
            "streaming 56 B through 65,536 slots by rtrb",
            0.8,
            stream.and_then(|row| row.ratio_to_rtrb),
        ),
        judge(
            "streaming 56 B through 65,536 slots by the floor",
            1.5,
            stream.map(|row| row.ratio_to_floor),
        ),
        judge(
            "the same, hoped for",
            1.25,
            stream.map(|row| row.ratio_to_floor),
        ),
        judge(
            "the same by batches of 64, hoped for",
            1.25,
            batches.map(|row| row.ratio_to_floor),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(experiment: &'static str, name: &'static str, ratio_to_floor: f64) -> Row {
        Row {
            experiment,
            name,
            message_bytes: Some(56),
            slots: Some(65_536),
            gap_us: None,
            windows: 1,
            level_ns: 1.0,
            p50_ns: 1.0,
            p99_ns: 1.0,
            p999_ns: 1.0,
            max_ns: 1.0,
            floor_ns: 1.0,
            ratio_to_floor,
            ratio_to_floor_quartiles: [1.0, 1.0],
            rounds_compared: 1,
            ratio_to_rtrb: Some(0.9),
            ratio_to_unstamped: None,
            cpu_percent: None,
            push_ns: None,
        }
    }

    #[test]
    fn targets_are_judged_by_our_own_rows() {
        let rows = [
            row("round trip", "rtrb", 9.0),
            row("round trip", OURS, 1.04),
            row("streaming", OURS, 1.4),
        ];
        let met: Vec<bool> = targets(&rows).iter().map(|target| target.met).collect();
        assert_eq!(met, [true, false, true, false]);
        assert!(targets(&rows[..1]).is_empty());
    }

    #[test]
    fn a_ratio_that_is_no_number_misses() {
        let judged = targets(&[row("round trip", OURS, f64::NAN)]);
        assert!(!judged[0].met);
    }
}
