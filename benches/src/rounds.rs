//! Contenders take turns: in every round each has one window, in random order.

use crate::{
    Failure,
    entry::{Entry, id},
    outcome::Outcome,
    partner::involuntary_switches,
    row::{Between, Row, Waiting},
    tally::Tally,
};
use rand::seq::SliceRandom;
use std::time::{Duration, Instant};

/// The name of our ring as it is used by default.
pub const OURS: &str = "ours";
/// The name of `rtrb`, used message by message.
pub const RTRB: &str = "rtrb";
/// The name of `ringfire`.
pub const RINGFIRE: &str = "ringfire";

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
    pub name: String,
    /// How messages are encoded, where they are.
    pub encoding: Option<String>,
    /// What stands between its ends.
    pub between: Between,
    /// How its receiver waits.
    pub waiting: Waiting,
    /// Index of the floor that it is compared with.
    pub floor: usize,
    /// Why it takes no more part.
    pub failed: Option<String>,
    contender: Box<dyn Contender>,
    tally: Tally,
}

/// Contenders that are compared with one another.
#[derive(Default)]
pub struct Cell {
    /// The experiment.
    pub experiment: &'static str,
    /// Size of the messages.
    pub message_bytes: Option<u32>,
    /// Slots of the rings.
    pub slots: Option<u32>,
    /// Rings that one reader polls.
    pub rings: Option<u32>,
    /// Time between two messages.
    pub gap_us: Option<u64>,
    /// Messages a second that are due.
    pub offered_per_s: Option<f64>,
    /// Whether the floor is the same work without a transport, so that the difference tells more
    /// than the ratio.
    pub differences: bool,
    /// Who takes part.
    pub entrants: Vec<Entrant>,
}

/// How long an experiment goes on.
#[derive(Debug, Clone, Copy)]
pub enum Rounds {
    /// So many rounds.
    Count(u32),
    /// As many as fit, but not fewer than `fewest`: a median of few ratios says little.
    For {
        /// Time to fill.
        time: Duration,
        /// Whatever the time.
        fewest: u32,
    },
}

impl Cell {
    /// A cell without entrants.
    #[must_use]
    pub fn new(experiment: &'static str) -> Self {
        Self {
            experiment,
            ..Self::default()
        }
    }

    /// Adds what is of our own making, and returns its index: compared with the entrant of that index,
    /// or, being a floor, with itself.
    ///
    /// # Errors
    ///
    /// Never in practice.
    pub fn enter_own(
        &mut self,
        name: &str,
        between: Between,
        waiting: Waiting,
        floor: Option<usize>,
        contender: Box<dyn Contender>,
    ) -> Result<usize, Failure> {
        let index = self.entrants.len();
        self.entrants.push(Entrant {
            name: name.to_owned(),
            encoding: None,
            between,
            waiting,
            floor: floor.unwrap_or(index),
            failed: None,
            contender,
            tally: Tally::new()?,
        });
        Ok(index)
    }

    /// Adds a transport, to be compared with the entrant of that index.
    ///
    /// # Errors
    ///
    /// Never in practice.
    pub fn enter(
        &mut self,
        entry: &Entry,
        floor: usize,
        contender: Box<dyn Contender>,
    ) -> Result<(), Failure> {
        let own = self.enter_own(
            entry.name,
            entry.between,
            entry.waiting,
            Some(floor),
            contender,
        )?;
        self.entrants[own].encoding = entry.encoding.map(str::to_owned);
        Ok(())
    }

    /// The lines of the report.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        self.entrants
            .iter()
            .filter(|entrant| entrant.failed.is_none())
            .map(|entrant| self.row(entrant))
            .collect()
    }

    /// Those that failed in the middle, and why.
    pub fn failures(&self) -> impl Iterator<Item = (String, &str)> {
        self.entrants.iter().filter_map(|entrant| {
            let why = entrant.failed.as_deref()?;
            Some((id(&entrant.name, entrant.encoding.as_deref()), why))
        })
    }

    /// Whether others are compared with that one.
    fn is_floor(&self, index: usize) -> bool {
        self.entrants.iter().any(|entrant| entrant.floor == index)
    }

    fn row(&self, entrant: &Entrant) -> Row {
        let tally = &entrant.tally;
        let floor = &self.entrants[entrant.floor];
        let named = |name| {
            let other = self.entrants.iter().find(|other| other.name == name)?;
            Some(tally.ratios_to(&other.tally).median)
        };
        let to_floor = tally.ratios_to(&floor.tally);
        Row {
            experiment: self.experiment.to_owned(),
            name: entrant.name.clone(),
            encoding: entrant.encoding.clone(),
            between: entrant.between,
            waiting: entrant.waiting,
            message_bytes: self.message_bytes,
            slots: self.slots,
            rings: self.rings,
            gap_us: self.gap_us,
            offered_per_s: self.offered_per_s,
            achieved_per_s: tally.achieved_per_s(),
            lost: self
                .offered_per_s
                .or(self.gap_us.map(|_| 0.0))
                .map(|_| tally.lost()),
            windows: tally.windows(),
            samples: tally.samples(),
            level_ns: tally.level_ns(),
            p50_ns: tally.quantile_ns(0.5),
            p99_ns: tally.quantile_ns(0.99),
            p999_ns: tally.quantile_ns(0.999),
            p9999_ns: tally.quantile_ns(0.9999),
            max_ns: tally.max_ns(),
            curve: tally.curve(),
            floor: floor.name.clone(),
            floor_ns: floor.tally.level_ns(),
            ratio_to_floor: Some(to_floor.median),
            ratio_to_floor_interval: to_floor.interval,
            rounds_compared: to_floor.pairs,
            ratio_to_rtrb: named(RTRB),
            ratio_to_ours: named(OURS),
            over_floor_ns: self
                .differences
                .then(|| tally.median_difference_ns(&floor.tally)),
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
/// When a floor fails. Another who fails takes no more part, see [`Cell::failures`].
pub fn run(
    cells: &mut [Cell],
    rounds: Rounds,
    mut progress: impl FnMut(u32, Duration),
) -> Result<u64, Failure> {
    let mut order: Vec<usize> = (0..cells.len()).collect();
    let mut random = rand::rng();
    let mut involuntary = 0;
    let start = Instant::now();
    for round in 0.. {
        let enough = match rounds {
            Rounds::Count(count) => round > count,
            Rounds::For { time, fewest } => round > fewest && start.elapsed() >= time,
        };
        if enough {
            break;
        }
        progress(round, start.elapsed());
        // Those of one cell stay together: what is compared is measured within a few milliseconds.
        order.shuffle(&mut random);
        for cell in &order {
            let mut turns: Vec<usize> = (0..cells[*cell].entrants.len()).collect();
            turns.shuffle(&mut random);
            for turn in turns {
                let is_floor = cells[*cell].is_floor(turn);
                let entrant = &mut cells[*cell].entrants[turn];
                if entrant.failed.is_some() {
                    continue;
                }
                let before = involuntary_switches();
                let mut outcome = match entrant.contender.window() {
                    Ok(outcome) => outcome,
                    // Without a floor nothing can be compared; without another the rest can.
                    Err(error) if is_floor => {
                        return Err(format!("{}: {error}", entrant.name).into());
                    }
                    Err(error) => {
                        entrant.failed = Some(error.to_string());
                        continue;
                    }
                };
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

    struct Broken;

    impl Contender for Broken {
        fn window(&mut self) -> Result<Outcome, Failure> {
            Err("nothing came".into())
        }
    }

    #[test]
    fn who_fails_has_no_row_and_stops_nobody_but_a_floor_does() {
        let floor = || {
            let mut cell = Cell::new("test");
            let steady = Box::new(Steady(1000));
            cell.enter_own("floor", Between::Threads, Waiting::Spins, None, steady)
                .unwrap();
            cell
        };
        let mut cell = floor();
        let broken = Box::new(Broken);
        cell.enter_own("broken", Between::Threads, Waiting::Spins, Some(0), broken)
            .unwrap();
        let mut cells = [cell];
        run(&mut cells, Rounds::Count(3), |_, _| ()).unwrap();
        assert_eq!(cells[0].rows().len(), 1);
        let failures: Vec<_> = cells[0].failures().map(|(_, why)| why).collect();
        assert_eq!(failures, ["nothing came"]);
        cells[0].entrants[1].failed = None;
        cells[0].entrants[1].floor = 1;
        assert!(run(&mut cells, Rounds::Count(1), |_, _| ()).is_err());
    }

    #[test]
    fn every_contender_has_a_window_a_round_and_the_first_round_does_not_count() {
        let mut cell = Cell::new("test");
        for (name, ps) in [("floor", 1000), (RTRB, 4000), (OURS, 2000)] {
            cell.enter_own(
                name,
                Between::Threads,
                Waiting::Spins,
                None,
                Box::new(Steady(ps)),
            )
            .unwrap();
            cell.entrants.last_mut().unwrap().floor = 0;
        }
        let mut cells = [cell];
        assert_eq!(run(&mut cells, Rounds::Count(5), |_, _| ()).unwrap(), 15);
        let rows = cells[0].rows();
        assert!(rows.iter().all(|row| row.windows == 5));
        assert!((rows[2].ratio_to_floor.unwrap() - 2.0).abs() < 1e-9);
        assert!((rows[2].ratio_to_rtrb.unwrap() - 0.5).abs() < 1e-9);
        assert!((rows[1].ratio_to_ours.unwrap() - 2.0).abs() < 1e-9);
    }
}
