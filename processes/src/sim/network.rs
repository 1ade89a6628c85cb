//! The network between us and both outside worlds: a uniform one-way delay in either direction.

use super::alarm::Alarm;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

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

    /// Lets a request travel here, from now on.
    pub(crate) async fn request(&self) -> Journey {
        let (there, back) = (self.delay(), self.delay());
        let arrival = Instant::now() + there;
        let mut journey = Journey {
            alarm: (!self.greatest.is_zero()).then(Alarm::new),
            due: arrival + back,
        };
        journey.wait_until(arrival).await;
        journey
    }
}

/// A request that has arrived, and its way back.
#[derive(Debug)]
pub(crate) struct Journey {
    alarm: Option<Alarm>,
    due: Instant,
}

impl Journey {
    /// Lets the answer travel. What it took to find is no part of the venue's distance: both ways together are
    /// as long as the delays say.
    pub(crate) async fn answer(mut self) {
        self.wait_until(self.due).await;
    }

    async fn wait_until(&mut self, due: Instant) {
        if let Some(alarm) = &mut self.alarm {
            alarm.wait_until(due).await;
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

    /// The venue is as far away as it says: not nearer, and not farther by what it does itself.
    #[tokio::test]
    async fn an_answer_is_as_late_as_both_ways_whatever_it_took() {
        let (network, both) = (Network::new([4.0, 4.0], 1), Duration::from_millis(8));
        for _ in 0..20 {
            let start = Instant::now();
            let journey = network.request().await;
            let arrived = Instant::now();
            assert!(arrived >= start + both / 2);
            let due = journey.due;
            assert!(start + both <= due && due <= arrived + both / 2);
            std::thread::sleep(Duration::from_millis(2));
            journey.answer().await;
            assert!(Instant::now() >= due);
        }
    }
}
