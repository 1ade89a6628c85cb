//! The network between us and both outside worlds: a uniform one-way delay in either direction.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A source of one-way delays.
#[derive(Debug)]
pub(crate) struct Network {
    least: Duration,
    greatest: Duration,
    random: Mutex<ChaCha8Rng>,
}

impl Network {
    /// Delays between two bounds in milliseconds. Nonsense counts as no delay.
    pub(crate) fn new(bounds_ms: [f64; 2], seed: u64) -> Self {
        let [one, other] =
            bounds_ms.map(|ms| Duration::try_from_secs_f64(ms / 1_000.0).unwrap_or_default());
        Self {
            least: one.min(other),
            greatest: one.max(other),
            random: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
        }
    }

    /// The delay of one message.
    pub(crate) fn delay(&self) -> Duration {
        if self.greatest.is_zero() {
            return Duration::ZERO;
        }
        self.random
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .random_range(self.least..=self.greatest)
    }

    /// Lets one message travel.
    pub(crate) async fn travel(&self) {
        let delay = self.delay();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_stay_in_bounds_and_nonsense_is_no_delay() {
        let network = Network::new([3.0, 10.0], 1);
        for _ in 0..100 {
            assert!(
                (Duration::from_millis(3)..=Duration::from_millis(10)).contains(&network.delay())
            );
        }
        for bounds in [[0.0, 0.0], [f64::NAN, -1.0], [-5.0, f64::NEG_INFINITY]] {
            assert_eq!(Network::new(bounds, 1).delay(), Duration::ZERO);
        }
    }
}
