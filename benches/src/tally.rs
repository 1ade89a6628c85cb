//! Percentiles of one contender, and the median of ratios between two that took turns.

use crate::{Failure, outcome::Outcome};
use hdrhistogram::Histogram;

/// Greatest time that the percentiles tell from others: an hour, in picoseconds.
const GREATEST_PS: u64 = 3_600_000_000_000_000;

/// Fewest undisturbed rounds that are enough for a median.
const FEWEST_PAIRS: usize = 8;

/// Shares of the single times at which the distribution is drawn.
const CURVE: [f64; 18] = [
    0.0, 0.1, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999,
    0.99999, 0.999_999,
];

/// Two-sided 95 % of a normal distribution.
const NORMAL_95: f64 = 1.959_964;

/// What one contender did over all windows.
pub struct Tally {
    histogram: Histogram<u64>,
    max_ps: u64,
    levels: Vec<f64>,
    /// Whether a side lost its core in that window.
    disturbed: Vec<bool>,
    pushes: Vec<f64>,
    cpu: (u64, u64),
    arrived: u64,
    lost: u64,
    span_ns: u64,
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
            arrived: 0,
            lost: 0,
            span_ns: 0,
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
        self.arrived += outcome.arrived;
        self.lost += outcome.lost;
        self.span_ns += outcome.span_ns;
    }

    /// Single times taken.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.histogram.len()
    }

    /// Messages a second that arrived, where they were due at certain times.
    #[must_use]
    pub fn achieved_per_s(&self) -> Option<f64> {
        (self.span_ns > 0).then(|| self.arrived as f64 * 1e9 / self.span_ns as f64)
    }

    /// Messages that were due and never came.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// The distribution of the single times, for drawing: `[share, ns]`, finer towards the tail,
    /// ending with the greatest.
    #[must_use]
    pub fn curve(&self) -> Vec<[f64; 2]> {
        if self.histogram.is_empty() {
            return Vec::new();
        }
        let mut curve: Vec<[f64; 2]> = CURVE
            .into_iter()
            .filter(|share| (1.0 - share) * self.histogram.len() as f64 >= 1.0)
            .map(|share| [share, self.quantile_ns(share)])
            .collect();
        curve.push([1.0, self.max_ns()]);
        curve
    }

    /// Median over the rounds of what this one's window was longer than the other's, ns.
    #[must_use]
    pub fn median_difference_ns(&self, other: &Self) -> f64 {
        let differences = self.levels.iter().zip(&other.levels);
        quantile(
            differences.map(|(ours, theirs)| ours - theirs).collect(),
            0.5,
        )
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
            median: quantile(ratios.clone(), 0.5),
            interval: median_interval(ratios),
        }
    }
}

/// 95 % confidence interval of a median, by order statistics, whatever the distribution: the values
/// that are `1.96 * sqrt(n) / 2` places off the middle (W. J. Conover, Practical Nonparametric
/// Statistics, 3rd ed., 3.2). `None` of fewer than six, for which there is none.
fn median_interval(mut values: Vec<f64>) -> Option<[f64; 2]> {
    if values.len() < 6 {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let count = values.len() as f64;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most half of the length"
    )]
    #[expect(clippy::cast_sign_loss, reason = "positive from six values on")]
    let below = ((count - NORMAL_95 * count.sqrt()) / 2.0).floor().max(0.0) as usize;
    Some([values[below], values[values.len() - 1 - below]])
}

/// The middle of many ratios.
#[derive(Debug, Clone, Copy)]
pub struct Ratios {
    /// How many.
    pub pairs: usize,
    /// Median.
    pub median: f64,
    /// Its 95 % confidence interval; `None` of too few.
    pub interval: Option<[f64; 2]>,
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
        assert!((ratios.median - 1.1).abs() < 1e-9);
        assert_eq!(ratios.interval, None, "of five");
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
        assert!((ratios.interval.unwrap()[1] - 1.2).abs() < 1e-9);
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
    fn the_interval_is_that_of_the_tables() {
        // Of 25 values, the 8th and the 18th (Conover, table A3: 95.7 %); the approximation is wider
        // by at most one place a side.
        let interval = median_interval((1..=25).map(f64::from).collect()).unwrap();
        assert!(interval == [8.0, 18.0], "{interval:?}");
        let many = median_interval((1..=10_000).map(f64::from).collect()).unwrap();
        assert!(many[0] > 4_895.0 && many[1] < 5_105.0, "{many:?}");
    }

    #[test]
    fn the_curve_ends_with_the_greatest_and_draws_no_share_that_no_sample_has() {
        let mut tally = Tally::new().unwrap();
        assert!(tally.curve().is_empty());
        for ps in 1..=200 {
            tally.add(&window(ps * 1000));
        }
        let curve = tally.curve();
        assert!((curve[curve.len() - 1][1] - 200.0).abs() < 1e-9);
        assert!(curve[curve.len() - 2][0] <= 0.995);
        assert!(curve.is_sorted_by(|a, b| a[0] < b[0] && a[1] <= b[1]));
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
