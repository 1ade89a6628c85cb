//! From values to pixels.

use crate::report::number::time_tick;

/// A scale of times.
pub(super) struct Times {
    low: f64,
    high: f64,
    /// From zero, each pixel worth the same.
    is_linear: bool,
    /// First digits of the values that count as round.
    digits: &'static [f64],
    /// Pixels of the lowest and the highest.
    ends: (f64, f64),
}

/// Whether it can be drawn on a logarithmic scale.
pub(super) fn drawable(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

impl Times {
    /// Wide enough for these values, and to the next round values; nothing where there is no value.
    pub(super) fn of(values: impl Iterator<Item = f64>, ends: (f64, f64)) -> Option<Self> {
        let (low, high) = values
            .filter(|value| drawable(*value))
            .fold((f64::INFINITY, 0.0_f64), |(low, high), value| {
                (low.min(value), high.max(value))
            });
        if high <= 0.0 {
            return None;
        }
        let digits = if high < low * 6.0 { FINE } else { COARSE };
        let low = round_values(digits, low / 10.0, low).last().unwrap_or(low);
        let high = round_values(digits, high, high * 10.0)
            .next()
            .unwrap_or(high);
        let high = if high > low { high } else { low * 2.0 };
        Some(Self {
            low,
            high,
            is_linear: false,
            digits,
            ends,
        })
    }

    /// For lengths: where they are of one size the scale is linear and begins at zero, as bars ought
    /// to; where they are not it is logarithmic and begins below the shortest.
    pub(super) fn of_lengths(
        values: impl Iterator<Item = f64> + Clone,
        ends: (f64, f64),
    ) -> Option<Self> {
        let logarithmic = Self::of(values.clone().flat_map(|it| [it, 0.7 * it]), ends)?;
        let (low, high) = values
            .filter(|value| drawable(*value))
            .fold((f64::INFINITY, 0.0_f64), |(low, high), value| {
                (low.min(value), high.max(value))
            });
        let is_linear = high < low * 8.0;
        Some(if is_linear {
            Self {
                low: 0.0,
                high: round_values(FINE, high, high * 10.0).next().unwrap_or(high),
                is_linear,
                ..logarithmic
            }
        } else {
            logarithmic
        })
    }

    /// Whether a pixel is worth the same everywhere.
    pub(super) fn is_linear(&self) -> bool {
        self.is_linear
    }

    /// Where a value lies; values beyond the ends lie at the ends.
    pub(super) fn at(&self, value: f64) -> f64 {
        if self.is_linear {
            let share = (value / self.high).clamp(0.0, 1.0);
            return self.ends.0 + (self.ends.1 - self.ends.0) * share;
        }
        let share = (value.max(self.low) / self.low).log10() / (self.high / self.low).log10();
        self.ends.0 + (self.ends.1 - self.ends.0) * share.min(1.0)
    }

    /// Round values with their texts, at least that many pixels apart.
    pub(super) fn ticks(&self, apart: f64) -> Vec<(f64, String)> {
        if self.is_linear {
            let rough = self.high / 8.0;
            let step = round_values(COARSE, rough, rough * 10.0).next();
            let step = step.unwrap_or(self.high);
            return (0..=8)
                .map(|index| f64::from(index) * step)
                .filter(|value| *value <= self.high * (1.0 + 1e-9))
                .map(|value| (self.at(value), time_tick(value)))
                .collect();
        }
        let all: Vec<f64> = round_values(self.digits, self.low, self.high).collect();
        let decades: Vec<f64> = all
            .iter()
            .copied()
            .filter(|value| (value.log10() - value.log10().round()).abs() < 1e-6)
            .collect();
        let fits = |values: &[f64]| {
            values
                .windows(2)
                .all(|pair| (self.at(pair[1]) - self.at(pair[0])).abs() >= apart)
        };
        let chosen = if decades.len() < 2 || (decades.len() < 5 && fits(&all)) {
            all
        } else {
            decades
        };
        chosen
            .into_iter()
            .map(|value| (self.at(value), time_tick(value)))
            .collect()
    }
}

const COARSE: &[f64] = &[1.0, 2.0, 5.0];
const FINE: &[f64] = &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0];

/// Values with these first digits from `low` to `high`, both included.
fn round_values(digits: &[f64], low: f64, high: f64) -> impl Iterator<Item = f64> {
    (-3..=13)
        .flat_map(move |decade| digits.iter().map(move |it| it * 10.0_f64.powi(decade)))
        .filter(move |value| *value >= low * (1.0 - 1e-9) && *value <= high * (1.0 + 1e-9))
}

/// Leaves out ticks whose texts would touch, the first and then each that has room.
pub(super) fn with_room(ticks: Vec<(f64, String)>, width: fn(&str) -> f64) -> Vec<(f64, String)> {
    let mut kept: Vec<(f64, String)> = Vec::new();
    for (at, text) in ticks {
        let half = width(&text) / 2.0 + 3.0;
        let free = kept
            .last()
            .is_none_or(|(last, other)| at - half >= last + width(other) / 2.0);
        if free {
            kept.push((at, text));
        }
    }
    kept
}

/// Where a share of all times lies on a scale that gives each further nine the same room: 0, 0.9,
/// 0.99, 0.999 are 0, 1, 2, 3. Of `samples` times the greatest is the last that there is to tell.
pub(super) fn nines(share: f64, samples: u64) -> f64 {
    let last = (samples.max(2) as f64).recip();
    let rest = (1.0 - share).max(last).min(1.0);
    -rest.log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_at_round_values() {
        let scale = Times::of([55.0, f64::NAN, 0.0, 410.0].into_iter(), (0.0, 100.0)).unwrap();
        assert!((scale.at(50.0)).abs() < 1e-9);
        assert!((scale.at(500.0) - 100.0).abs() < 1e-9);
        assert!((scale.at(1.0)).abs() < 1e-9);
        let texts: Vec<String> = scale.ticks(10.0).into_iter().map(|(_, it)| it).collect();
        assert_eq!(texts, ["50 ns", "100 ns", "200 ns", "500 ns"]);
    }

    #[test]
    fn a_narrow_scale_has_finer_values() {
        let scale = Times::of([4.2, 8.1].into_iter(), (0.0, 100.0)).unwrap();
        let texts: Vec<String> = scale.ticks(5.0).into_iter().map(|(_, it)| it).collect();
        assert_eq!(texts, ["4 ns", "5 ns", "6 ns", "8 ns", "10 ns"]);
    }

    #[test]
    fn lengths_of_one_size_begin_at_zero() {
        let scale = Times::of_lengths([4.4, 6.9, 9.6].into_iter(), (10.0, 110.0)).unwrap();
        assert!(scale.is_linear());
        assert!((scale.at(0.0) - 10.0).abs() < 1e-9);
        assert!((scale.at(5.0) - 60.0).abs() < 1e-9);
        let texts: Vec<String> = scale.ticks(1.0).into_iter().map(|(_, it)| it).collect();
        assert_eq!(texts, ["0 ns", "2 ns", "4 ns", "6 ns", "8 ns", "10 ns"]);
        let scale = Times::of_lengths([50.0, 1e6].into_iter(), (0.0, 100.0)).unwrap();
        assert!(!scale.is_linear());
        assert!(scale.at(50.0) > 1.0);
    }

    #[test]
    fn one_value_has_a_scale_and_none_has_none() {
        assert!(Times::of([f64::NAN, -1.0].into_iter(), (0.0, 1.0)).is_none());
        let scale = Times::of([100.0].into_iter(), (0.0, 1.0)).unwrap();
        assert!(scale.at(100.0).is_finite());
        assert!(!scale.ticks(0.1).is_empty());
    }

    #[test]
    fn a_wide_scale_shows_decades() {
        let scale = Times::of([50.0, 1e8].into_iter(), (0.0, 300.0)).unwrap();
        let texts: Vec<String> = scale.ticks(30.0).into_iter().map(|(_, it)| it).collect();
        assert_eq!(texts.first().map(String::as_str), Some("100 ns"));
        assert!(texts.contains(&"1 ms".to_owned()), "{texts:?}");
        assert!(!texts.contains(&"2 ms".to_owned()), "{texts:?}");
    }

    #[test]
    fn every_nine_has_the_same_room() {
        assert!(nines(0.0, 1000).abs() < 1e-9);
        assert!((nines(0.9, 1000) - 1.0).abs() < 1e-9);
        assert!((nines(0.999, 100_000) - 3.0).abs() < 1e-9);
        assert!((nines(1.0, 100_000) - 5.0).abs() < 1e-9);
        assert!(nines(1.0, 0).is_finite());
        assert!(nines(f64::NAN, 10).is_finite());
    }

    #[test]
    fn ticks_that_would_touch_are_left_out() {
        let ticks = vec![
            (0.0, "aa".to_owned()),
            (5.0, "bb".to_owned()),
            (60.0, "cc".to_owned()),
        ];
        let kept = with_room(ticks, |_| 20.0);
        assert_eq!(kept.len(), 2);
        assert_eq!(kept[1].1, "cc");
    }
}
