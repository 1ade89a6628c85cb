//! Percentiles of one contender, and the median of ratios between two that took turns.

use hdrhistogram::Histogram;
use serde::Serialize;
use std::time::Duration;

/// What one contender did over all windows.
pub struct Contender {
    name: &'static str,
    histogram: Histogram<u64>,
    windows: Vec<f64>,
    current: (u128, u32),
}

/// One line of the report, ns.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Who.
    pub name: &'static str,
    /// Median round trip.
    pub p50_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
    /// 99.9th percentile.
    pub p999_ns: u64,
    /// Greatest; nothing is dropped.
    pub max_ns: u64,
    /// Median over the windows of this contender's mean by the floor's mean in the window beside it.
    pub ratio_to_floor: f64,
}

impl Contender {
    /// A contender that has not run yet.
    ///
    /// # Errors
    ///
    /// Never in practice: three significant digits are accepted.
    pub fn new(name: &'static str) -> Result<Self, hdrhistogram::CreationError> {
        Ok(Self {
            name,
            histogram: Histogram::new(3)?,
            windows: Vec::new(),
            current: (0, 0),
        })
    }

    /// Takes one round trip.
    pub fn record(&mut self, time: Duration) {
        let ns = time.as_nanos();
        self.current.0 += ns;
        self.current.1 += 1;
        // The histogram grows as needed; a value beyond u64 is 584 years.
        self.histogram
            .saturating_record(u64::try_from(ns).unwrap_or(u64::MAX));
    }

    /// Ends a window.
    pub fn end_window(&mut self) {
        let (sum, count) = std::mem::take(&mut self.current);
        #[expect(clippy::cast_precision_loss, reason = "a mean for a ratio")]
        self.windows.push(sum as f64 / f64::from(count.max(1)));
    }

    /// The report line, against the windows of the floor.
    #[must_use]
    pub fn row(&self, floor: &Self) -> Row {
        Row {
            name: self.name,
            p50_ns: self.histogram.value_at_quantile(0.5),
            p99_ns: self.histogram.value_at_quantile(0.99),
            p999_ns: self.histogram.value_at_quantile(0.999),
            max_ns: self.histogram.max(),
            ratio_to_floor: median(
                self.windows
                    .iter()
                    .zip(&floor.windows)
                    .map(|(ours, floor)| ours / floor)
                    .collect(),
            ),
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.len(), values.get(values.len() / 2)) {
        (_, None) => f64::NAN,
        (length, Some(upper)) if length % 2 == 1 => *upper,
        (length, Some(upper)) => f64::midpoint(values[length / 2 - 1], *upper),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_of_neighbouring_windows() {
        let (mut floor, mut ours) = (
            Contender::new("floor").unwrap(),
            Contender::new("ours").unwrap(),
        );
        // The machine slows down fourfold in the middle; the ratio does not notice.
        for slow in [1, 1, 4, 4, 4] {
            floor.record(Duration::from_nanos(100 * slow));
            floor.end_window();
            ours.record(Duration::from_nanos(110 * slow));
            ours.end_window();
        }
        let row = ours.row(&floor);
        assert!((row.ratio_to_floor - 1.1).abs() < 1e-9, "{row:?}");
        assert!(row.max_ns >= 440);
    }

    #[test]
    fn medians_of_even_and_no_values() {
        assert!((median(vec![3.0, 1.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median(vec![]).is_nan());
    }
}
