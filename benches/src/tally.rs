//! Percentiles of one contender, and the median of ratios between two that took turns.

use crate::{Failure, outcome::Outcome};
use hdrhistogram::Histogram;

/// Greatest time that the percentiles tell from others: an hour, in picoseconds.
const GREATEST_PS: u64 = 3_600_000_000_000_000;

/// Fewest undisturbed rounds that are enough for a median.
const FEWEST_PAIRS: usize = 8;

/// What one contender did over all windows.
pub struct Tally {
    histogram: Histogram<u64>,
    max_ps: u64,
    levels: Vec<f64>,
    /// Whether a side lost its core in that window.
    disturbed: Vec<bool>,
    pushes: Vec<f64>,
    cpu: (u64, u64),
}

impl Tally {
    /// Of a contender that has not run yet.
    ///
    /// # Errors
    ///
    /// Never in practice: three significant digits are accepted.
    pub fn new() -> Result<Self, Failure> {
        Ok(Self {
            histogram: Histogram::new_with_bounds(1, GREATEST_PS, 3)?,
            max_ps: 0,
            levels: Vec::new(),
            disturbed: Vec::new(),
            pushes: Vec::new(),
            cpu: (0, 0),
        })
    }

    /// Takes a window. Nothing in it is dropped.
    pub fn add(&mut self, outcome: &Outcome) {
        for sample in &outcome.samples_ps {
            self.histogram.saturating_record(*sample);
            self.max_ps = self.max_ps.max(*sample);
        }
        self.levels.push(outcome.level_ps as f64 / 1000.0);
        self.disturbed.push(outcome.involuntary > 0);
        self.pushes.push(outcome.push_ps as f64 / 1000.0);
        self.cpu.0 += outcome.cpu_ns;
        self.cpu.1 += outcome.wall_ns;
    }

    /// Windows taken.
    #[must_use]
    pub fn windows(&self) -> usize {
        self.levels.len()
    }

    /// The greatest of the single times, ns.
    #[must_use]
    pub fn max_ns(&self) -> f64 {
        self.max_ps as f64 / 1000.0
    }

    /// A percentile of the single times, ns.
    #[must_use]
    pub fn quantile_ns(&self, quantile: f64) -> f64 {
        self.histogram.value_at_quantile(quantile) as f64 / 1000.0
    }

    /// The median over the windows, ns.
    #[must_use]
    pub fn level_ns(&self) -> f64 {
        quantile(self.levels.clone(), 0.5)
    }

    /// The median cost of a push, ns, where it was asked.
    #[must_use]
    pub fn push_ns(&self) -> Option<f64> {
        let push = quantile(self.pushes.clone(), 0.5);
        (push > 0.0).then_some(push)
    }

    /// Processor time used, in percent of the time that went by.
    #[must_use]
    pub fn cpu_percent(&self) -> Option<f64> {
        (self.cpu.1 > 0).then(|| 100.0 * self.cpu.0 as f64 / self.cpu.1 as f64)
    }

    /// This contender's windows by the other's windows of the same rounds.
    ///
    /// Rounds in which a side lost its core compare the scheduler, so they are left out, by that cause
    /// and never by their value; but where fewer than `FEWEST_PAIRS` remain, all are taken.
    #[must_use]
    pub fn ratios_to(&self, other: &Self) -> Ratios {
        let pairs = self.levels.iter().zip(&other.levels);
        let disturbed = self.disturbed.iter().zip(&other.disturbed);
        let undisturbed: Vec<f64> = pairs
            .clone()
            .zip(disturbed)
            .filter(|(_, (ours, theirs))| !**ours && !**theirs)
            .map(|((ours, theirs), _)| ours / theirs)
            .collect();
        let ratios = if undisturbed.len() < FEWEST_PAIRS {
            pairs.map(|(ours, theirs)| ours / theirs).collect()
        } else {
            undisturbed
        };
        Ratios {
            pairs: ratios.len(),
            low: quantile(ratios.clone(), 0.25),
            median: quantile(ratios.clone(), 0.5),
            high: quantile(ratios, 0.75),
        }
    }
}

/// The middle of many ratios.
#[derive(Debug, Clone, Copy)]
pub struct Ratios {
    /// How many.
    pub pairs: usize,
    /// 25th percentile.
    pub low: f64,
    /// Median.
    pub median: f64,
    /// 75th percentile.
    pub high: f64,
}

/// By linear interpolation between the two nearest; of no values, not a number.
fn quantile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = part.clamp(0.0, 1.0) * last as f64;
    #[expect(clippy::cast_possible_truncation, reason = "at most the last index")]
    #[expect(clippy::cast_sign_loss, reason = "clamped above 0")]
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    values[below] + (values[above] - values[below]) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(level_ps: u64) -> Outcome {
        Outcome {
            level_ps,
            samples_ps: vec![level_ps],
            ..Outcome::default()
        }
    }

    #[test]
    fn the_ratio_is_of_neighbouring_windows() {
        let (mut floor, mut ours) = (Tally::new().unwrap(), Tally::new().unwrap());
        // The machine slows down fourfold in the middle; the ratio does not notice.
        for slow in [1, 1, 4, 4, 4] {
            floor.add(&window(100_000 * slow));
            ours.add(&window(110_000 * slow));
        }
        let ratios = ours.ratios_to(&floor);
        for ratio in [ratios.low, ratios.median, ratios.high] {
            assert!((ratio - 1.1).abs() < 1e-9, "{ratio}");
        }
        assert!((ours.level_ns() - 440.0).abs() < 1e-9);
    }

    #[test]
    fn rounds_that_lost_a_core_are_left_out_of_ratios_only() {
        let (mut floor, mut ours) = (Tally::new().unwrap(), Tally::new().unwrap());
        for _ in 0..FEWEST_PAIRS {
            floor.add(&window(100_000));
            ours.add(&window(120_000));
        }
        for _ in 0..20 {
            floor.add(&window(100_000));
            ours.add(&Outcome {
                involuntary: 1,
                ..window(900_000)
            });
        }
        let ratios = ours.ratios_to(&floor);
        assert_eq!(ratios.pairs, FEWEST_PAIRS);
        assert!((ratios.high - 1.2).abs() < 1e-9);
        assert!((ours.max_ns() - 900.0).abs() < f64::EPSILON);
        assert!(ours.quantile_ns(0.5) > 800.0);
    }

    #[test]
    fn where_hardly_a_round_was_undisturbed_all_are_taken() {
        let (mut floor, mut ours) = (Tally::new().unwrap(), Tally::new().unwrap());
        for _ in 0..9 {
            floor.add(&window(100_000));
            ours.add(&Outcome {
                involuntary: 1,
                ..window(300_000)
            });
        }
        assert_eq!(ours.ratios_to(&floor).pairs, 9);
    }

    #[test]
    fn one_outlier_is_the_maximum_and_not_the_median() {
        let mut tally = Tally::new().unwrap();
        for _ in 0..999 {
            tally.add(&window(100_000));
        }
        tally.add(&window(50_000_000));
        assert!((tally.quantile_ns(0.5) - 100.0).abs() < 1.0);
        assert!((tally.quantile_ns(0.99) - 100.0).abs() < 1.0);
        assert!((tally.max_ns() - 50_000.0).abs() < f64::EPSILON);
        assert!(tally.quantile_ns(0.9999) > 49_000.0);
    }

    #[test]
    fn quantiles_lie_between_the_values() {
        assert!((quantile(vec![3.0, 1.0], 0.5) - 2.0).abs() < f64::EPSILON);
        assert!((quantile(vec![1.0, 2.0, 3.0, 4.0, 5.0], 0.25) - 2.0).abs() < f64::EPSILON);
        assert!((quantile(vec![7.0], 0.75) - 7.0).abs() < f64::EPSILON);
        assert!(quantile(vec![], 0.5).is_nan());
    }

    #[test]
    fn processor_time_is_a_share() {
        let mut tally = Tally::new().unwrap();
        assert_eq!(tally.cpu_percent(), None);
        tally.add(&Outcome {
            cpu_ns: 25,
            wall_ns: 100,
            ..Outcome::default()
        });
        assert_eq!(tally.cpu_percent(), Some(25.0));
        assert_eq!(tally.push_ns(), None);
    }
}
