//! The latency histogram in the segment: written by the consumer, read by any observer.

use crate::{pages::add, sync::AtomicU64};
use std::sync::atomic::Ordering::Relaxed;

/// Buckets of the histogram: 16 to each power of two, so a bucket is at most 6.25 % wide.
const SUB_BITS: u32 = 4;
const BUCKETS: usize = (64 - SUB_BITS as usize + 1) << SUB_BITS;

/// The histogram as it lies in the segment.
#[repr(C, align(64))]
pub(crate) struct HistogramPage {
    maximum: AtomicU64,
    buckets: [AtomicU64; BUCKETS],
}

impl Default for HistogramPage {
    fn default() -> Self {
        Self {
            maximum: AtomicU64::default(),
            buckets: std::array::from_fn(|_| AtomicU64::default()),
        }
    }
}

impl HistogramPage {
    /// Records one value. Only the consumer may call it.
    #[inline]
    pub(crate) fn record(&self, value: u64) {
        add(&self.buckets[bucket(value)], 1);
        if value > self.maximum.load(Relaxed) {
            self.maximum.store(value, Relaxed);
        }
    }

    /// A copy for statistics. Concurrent records may or may not be in it.
    pub(crate) fn snapshot(&self) -> Histogram {
        Histogram {
            maximum: self.maximum.load(Relaxed),
            buckets: self
                .buckets
                .iter()
                .map(|bucket| bucket.load(Relaxed))
                .collect(),
        }
    }
}

/// A copy of a latency histogram, in nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram {
    maximum: u64,
    buckets: Vec<u64>,
}

impl Histogram {
    /// Number of recorded values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// What was recorded since `earlier`, a copy of the same histogram. Its maximum is the end of its last bucket, rounded
    /// up as quantiles are, but never above the whole one's.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let pairs = self.buckets.iter().zip(&earlier.buckets);
        let buckets: Vec<u64> = pairs
            .map(|(now, before)| now.saturating_sub(*before))
            .collect();
        let last = buckets.iter().rposition(|count| *count > 0);
        Self {
            maximum: last.map_or(0, |index| last_of(index).min(self.maximum)),
            buckets,
        }
    }

    /// Its buckets that hold anything: the greatest value of each, and how many values it holds. In order.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        let buckets = self.buckets.iter().enumerate();
        buckets
            .filter(|(_, count)| **count > 0)
            .map(|(index, count)| (last_of(index), *count))
    }

    /// Greatest recorded value, exact; 0 when there is none.
    #[must_use]
    pub const fn maximum(&self) -> u64 {
        self.maximum
    }

    /// Least value that at least `fraction` of the recorded values do not exceed, rounded up to the
    /// end of its bucket (at most 6.25 %), never above the maximum; `None` when nothing is recorded.
    #[must_use]
    pub fn quantile(&self, fraction: f64) -> Option<u64> {
        let count = self.count();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank, clamped"
        )]
        let rank = ((count as f64 * fraction).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0_u64;
        self.buckets.iter().enumerate().find_map(|(index, inside)| {
            seen = seen.saturating_add(*inside);
            (*inside > 0 && seen >= rank).then(|| last_of(index).min(self.maximum))
        })
    }
}

/// The bucket of a value.
#[inline]
fn bucket(value: u64) -> usize {
    if value < 1 << SUB_BITS {
        #[expect(clippy::cast_possible_truncation, reason = "below 16")]
        return value as usize;
    }
    let exponent = 63 - value.leading_zeros();
    let sub = ((value >> (exponent - SUB_BITS)) & ((1 << SUB_BITS) - 1)) as usize;
    (((exponent - SUB_BITS + 1) as usize) << SUB_BITS) + sub
}

/// The greatest value of a bucket.
fn last_of(bucket: usize) -> u64 {
    let (power, sub) = (bucket >> SUB_BITS, (bucket & ((1 << SUB_BITS) - 1)) as u64);
    match power {
        0 => sub,
        power => {
            let first = ((1 << SUB_BITS) + sub) << (power - 1);
            first + ((1_u64 << (power - 1)) - 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn histogram(values: &[u64]) -> Histogram {
        let page = HistogramPage::default();
        for value in values {
            page.record(*value);
        }
        page.snapshot()
    }

    #[test]
    fn the_ends_of_the_range_have_buckets() {
        assert_eq!(bucket(0), 0);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!(last_of(BUCKETS - 1), u64::MAX);
    }

    #[test]
    fn an_empty_histogram_has_no_quantile() {
        assert_eq!(histogram(&[]).quantile(0.5), None);
    }

    #[test]
    fn what_came_since_is_the_difference() {
        let page = HistogramPage::default();
        page.record(7);
        let earlier = page.snapshot();
        [3, 100, 100]
            .into_iter()
            .for_each(|value| page.record(value));
        let since = page.snapshot().since(&earlier);
        let buckets: Vec<_> = since.buckets().collect();
        assert_eq!(buckets, [(3, 1), (103, 2)]);
        assert_eq!((since.count(), since.maximum()), (3, 100));
        let nothing = earlier.since(&page.snapshot());
        assert_eq!((nothing.count(), nothing.maximum()), (0, 0));
    }

    proptest! {
        #[test]
        fn a_quantile_is_within_a_sixteenth_of_the_truth(mut values in prop::collection::vec(any::<u64>(), 1..200), fraction in 0.0_f64..=1.0) {
            let found = histogram(&values).quantile(fraction).unwrap();
            values.sort_unstable();
            #[expect(clippy::cast_possible_truncation, reason = "at most the length")]
            let rank = ((values.len() as f64 * fraction).ceil() as usize).clamp(1, values.len());
            let truth = values[rank - 1];
            prop_assert!(found >= truth && found - truth <= truth / 16, "{} for {}", found, truth);
        }
    }
}
