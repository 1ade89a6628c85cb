//! The pages that each role writes for others to look at: one writer, any readers, no lock.

use crate::header::CONSUMER_BYTES;
use std::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Relaxed, Release},
};

/// The producer's page. Written by the producer only.
#[repr(C, align(64))]
pub(crate) struct ProducerPage {
    /// Messages published. Nobody looks at it on the hot path.
    pub(crate) published: AtomicU64,
    /// Times that a push found the ring full.
    pub(crate) full: AtomicU64,
    /// Times that a sleeping consumer was woken.
    pub(crate) wakes: AtomicU64,
    /// 1 once the producer has said goodbye; 0 while one is attached.
    pub(crate) closed: AtomicU32,
    /// The futex word that a sleeping consumer waits on.
    pub(crate) wake_word: AtomicU32,
}

/// The consumer's region. Written by the consumer only; each line for another pace of writing.
#[repr(C)]
pub(crate) struct ConsumerPage {
    /// Written at every commit, read by the producer when the ring seems full.
    pub(crate) cursor: CursorLine,
    /// Written when the consumer goes to sleep, read by the producer at every push.
    pub(crate) sleep: SleepLine,
    /// Where the latency of the hop is recorded.
    pub(crate) histogram: HistogramPage,
}

#[repr(C, align(64))]
pub(crate) struct CursorLine {
    /// Every message below it is done with.
    pub(crate) position: AtomicU64,
    /// Messages lost, of those below the position.
    pub(crate) lost: AtomicU64,
}

#[repr(C, align(64))]
pub(crate) struct SleepLine {
    /// 0 when awake, else the number of this sleep.
    pub(crate) epoch: AtomicU32,
}

/// Buckets of the histogram: 16 to each power of two, so a bucket is at most 6.25 % wide.
const SUB_BITS: u32 = 4;
const BUCKETS: usize = (64 - SUB_BITS as usize + 1) << SUB_BITS;

/// The histogram as it lies in the segment.
#[repr(C, align(64))]
pub(crate) struct HistogramPage {
    maximum: AtomicU64,
    buckets: [AtomicU64; BUCKETS],
}

const _: () =
    assert!(size_of::<ConsumerPage>() <= CONSUMER_BYTES && size_of::<ProducerPage>() == 64);

/// Adds to a counter that only this process writes: no locked instruction is needed.
#[inline]
pub(crate) fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(amount), Relaxed);
}

impl HistogramPage {
    /// Records one value. Only the consumer may call it.
    #[inline]
    pub(crate) fn record(&self, value: u64) {
        add(&self.buckets[bucket(value)], 1);
        if value > self.maximum.load(Relaxed) {
            self.maximum.store(value, Release);
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
        let page = HistogramPage {
            maximum: AtomicU64::new(0),
            buckets: [const { AtomicU64::new(0) }; BUCKETS],
        };
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
