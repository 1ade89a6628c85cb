//! Contenders take turns: in every round each has one window, in random order.

use crate::{Failure, outcome::Outcome, partner::involuntary_switches, tally::Tally};
use rand::seq::SliceRandom;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Fewest rounds, whatever the time: a median of fewer ratios says little.
const FEWEST: u32 = 15;

/// Something that is measured in windows.
pub trait Contender {
    /// One window.
    ///
    /// # Errors
    ///
    /// When it cannot be measured any more.
    fn window(&mut self) -> Result<Outcome, Failure>;
}

/// A contender in its cell.
pub struct Entrant {
    /// As in the table.
    pub name: &'static str,
    /// Index of the floor that it is compared with.
    pub floor: usize,
    contender: Box<dyn Contender>,
    tally: Tally,
}

/// Contenders that are compared with one another.
pub struct Cell {
    /// The question.
    pub experiment: &'static str,
    /// Size of the messages.
    pub message_bytes: Option<u32>,
    /// Slots of the rings.
    pub slots: Option<u32>,
    /// Time between two messages.
    pub gap_us: Option<u64>,
    /// Who takes part.
    pub entrants: Vec<Entrant>,
}

/// How long an experiment goes on.
#[derive(Debug, Clone, Copy)]
pub enum Rounds {
    /// So many rounds.
    Count(u32),
    /// As many as fit, at least `FEWEST`.
    For(Duration),
}

/// One line of the report. Times in ns.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The question.
    pub experiment: &'static str,
    /// Who.
    pub name: &'static str,
    /// Size of the messages.
    pub message_bytes: Option<u32>,
    /// Slots of the rings.
    pub slots: Option<u32>,
    /// Time between two messages.
    pub gap_us: Option<u64>,
    /// Windows measured.
    pub windows: usize,
    /// Median over the windows of the window's mean (of its median, where messages are rare).
    pub level_ns: f64,
    /// Median of the single times.
    pub p50_ns: f64,
    /// 99th percentile.
    pub p99_ns: f64,
    /// 99.9th percentile.
    pub p999_ns: f64,
    /// Greatest; nothing is dropped.
    pub max_ns: f64,
    /// The floor's median over its windows.
    pub floor_ns: f64,
    /// Median of the ratios to the floor's window of the same round.
    pub ratio_to_floor: f64,
    /// 25th and 75th percentile of these ratios.
    pub ratio_to_floor_quartiles: [f64; 2],
    /// How many ratios these are of: the rounds in which neither side lost its core.
    pub rounds_compared: usize,
    /// Median of the ratios to the window of `rtrb`, where it took part.
    pub ratio_to_rtrb: Option<f64>,
    /// Median of the ratios to our own ring without time stamps, where it took part.
    pub ratio_to_unstamped: Option<f64>,
    /// Processor time of the receiving side, percent of one core.
    pub cpu_percent: Option<f64>,
    /// Median cost of a push.
    pub push_ns: Option<f64>,
}

/// The name of our ring without time stamps.
pub const OURS: &str = "ours";
/// The name of our ring without time stamps, used by batches.
pub const OURS_BATCHES: &str = "ours, batches of 64";
/// The name of `rtrb`, used message by message.
pub const RTRB: &str = "rtrb";

impl Cell {
    /// A cell without entrants.
    #[must_use]
    pub const fn new(experiment: &'static str) -> Self {
        Self {
            experiment,
            message_bytes: None,
            slots: None,
            gap_us: None,
            entrants: Vec::new(),
        }
    }

    /// Adds a contender, to be compared with the entrant of that index.
    ///
    /// # Errors
    ///
    /// Never in practice.
    pub fn enter(
        &mut self,
        name: &'static str,
        floor: usize,
        contender: impl Contender + 'static,
    ) -> Result<(), Failure> {
        self.entrants.push(Entrant {
            name,
            floor,
            contender: Box::new(contender),
            tally: Tally::new()?,
        });
        Ok(())
    }

    /// The lines of the report.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        self.entrants
            .iter()
            .map(|entrant| self.row(entrant))
            .collect()
    }

    fn row(&self, entrant: &Entrant) -> Row {
        let tally = &entrant.tally;
        let floor = &self.entrants[entrant.floor].tally;
        let named = |name| {
            let other = self.entrants.iter().find(|other| other.name == name)?;
            Some(tally.ratios_to(&other.tally).median)
        };
        let to_floor = tally.ratios_to(floor);
        Row {
            experiment: self.experiment,
            name: entrant.name,
            message_bytes: self.message_bytes,
            slots: self.slots,
            gap_us: self.gap_us,
            windows: tally.windows(),
            level_ns: tally.level_ns(),
            p50_ns: tally.quantile_ns(0.5),
            p99_ns: tally.quantile_ns(0.99),
            p999_ns: tally.quantile_ns(0.999),
            max_ns: tally.max_ns(),
            floor_ns: floor.level_ns(),
            ratio_to_floor: to_floor.median,
            ratio_to_floor_quartiles: [to_floor.low, to_floor.high],
            rounds_compared: to_floor.pairs,
            ratio_to_rtrb: named(RTRB),
            ratio_to_unstamped: named(OURS),
            cpu_percent: self.gap_us.and_then(|_| tally.cpu_percent()),
            push_ns: tally.push_ns(),
        }
    }
}

/// Runs all cells, round by round, and returns how often partners lost their core meanwhile. The
/// first round only warms up.
///
/// # Errors
///
/// When a contender fails.
pub fn run(cells: &mut [Cell], rounds: Rounds) -> Result<u64, Failure> {
    let mut order: Vec<usize> = (0..cells.len()).collect();
    let mut random = rand::rng();
    let mut involuntary = 0;
    let start = Instant::now();
    for round in 0.. {
        let enough = match rounds {
            Rounds::Count(count) => round > count,
            Rounds::For(time) => round > FEWEST && start.elapsed() >= time,
        };
        if enough {
            break;
        }
        // Those of one cell stay together: what is compared is measured within a few milliseconds.
        order.shuffle(&mut random);
        for cell in &order {
            let mut turns: Vec<usize> = (0..cells[*cell].entrants.len()).collect();
            turns.shuffle(&mut random);
            for turn in turns {
                let entrant = &mut cells[*cell].entrants[turn];
                let before = involuntary_switches();
                let mut outcome = entrant
                    .contender
                    .window()
                    .map_err(|error| format!("{}: {error}", entrant.name))?;
                if round > 0 {
                    involuntary += outcome.involuntary;
                    outcome.involuntary += involuntary_switches().saturating_sub(before);
                    entrant.tally.add(&outcome);
                }
            }
        }
    }
    Ok(involuntary)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Steady(u64);

    impl Contender for Steady {
        fn window(&mut self) -> Result<Outcome, Failure> {
            Ok(Outcome {
                level_ps: self.0,
                samples_ps: vec![self.0],
                involuntary: 1,
                ..Outcome::default()
            })
        }
    }

    #[test]
    fn every_contender_has_a_window_a_round_and_the_first_round_does_not_count() {
        let mut cell = Cell::new("test");
        cell.enter("floor", 0, Steady(1000)).unwrap();
        cell.enter(RTRB, 0, Steady(4000)).unwrap();
        cell.enter(OURS, 0, Steady(2000)).unwrap();
        let mut cells = [cell];
        assert_eq!(run(&mut cells, Rounds::Count(5)).unwrap(), 15);
        let rows = cells[0].rows();
        assert!(rows.iter().all(|row| row.windows == 5));
        assert!((rows[2].ratio_to_floor - 2.0).abs() < 1e-9);
        assert!((rows[2].ratio_to_rtrb.unwrap() - 0.5).abs() < 1e-9);
        assert!((rows[1].ratio_to_unstamped.unwrap() - 2.0).abs() < 1e-9);
    }
}
