//! How long to wait before the next attempt: doubling, capped, and spread by chance so that many
//! clients do not come back in step.

use rand::Rng as _;
use std::time::Duration;

/// Waits between attempts.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    next: Duration,
}

impl Backoff {
    /// Waits from `first` up to `cap`.
    #[must_use]
    pub fn new(first: Duration, cap: Duration) -> Self {
        Self {
            first,
            cap,
            next: first,
        }
    }

    /// The wait before the next attempt: between half and the whole of the current step.
    pub fn delay(&mut self) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(self.cap);
        step.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    /// The last attempt was good.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

/// Tries until it is done; tells why not yet, once.
pub async fn until_done<T, E, A: Future<Output = Result<T, E>>>(
    mut backoff: Backoff,
    attempt: impl Fn() -> A,
    tell: impl FnOnce(E),
) -> T {
    let mut tell = Some(tell);
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(error) => drop(tell.take().map(|tell| tell(error))),
        }
        tokio::time::sleep(backoff.delay()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_to_the_cap_and_start_over() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        for step in [100, 200, 350, 350] {
            let (least, most) = (Duration::from_millis(step / 2), Duration::from_millis(step));
            let delay = backoff.delay();
            assert!(
                least <= delay && delay <= most,
                "{delay:?} for a step of {step} ms"
            );
        }
        backoff.reset();
        assert!(backoff.delay() <= Duration::from_millis(100));
    }
}
