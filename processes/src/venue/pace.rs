//! What the venue lets an account spend, obeyed before the venue says so.
//!
//! A call costs tokens; reads and writes have a bucket each, refilled continuously up to its capacity. Who asks for more
//! than is there waits until it is. A refusal (429) would cost a round trip, and tell later.
//!
//! The buckets are the account's, and each process keeps its own picture of them. Only `execution_service` writes, so its
//! picture of the writes is right. Reads of several processes may meet; then the venue refuses one, which is repeated.
//!
//! Costs and tiers: the venue's page on rate limits, `GET /account/limits` and `GET /account/endpoint_costs`.

use super::kalshi_wire::{AccountLimits, Bucket as Limit};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Cost of a call that the venue does not list.
pub(super) const DEFAULT_COST: u32 = 10;
/// Cost of the cancel of one order.
pub(super) const CANCEL_COST: u32 = 2;
/// The lowest tier, in force until the venue has told which one is ours.
const BASIC: AccountLimits = AccountLimits {
    read: Limit {
        bucket_capacity: 200,
        refill_rate: 200,
    },
    write: Limit {
        bucket_capacity: 100,
        refill_rate: 100,
    },
};

/// What two orders have in common that make sense together only: when their cause came, and the game.
pub type Pair = (u64, u32);
/// Pairs whose second order is remembered to be paid for. They come one behind the other, but for some games at once.
const PAIRS: usize = 16;

/// The buckets of an account, as one process sees them.
#[derive(Debug)]
pub(super) struct Pace {
    reads: Mutex<Bucket>,
    writes: Mutex<Bucket>,
    /// Pairs whose other order is paid for, and from when on it may be sent.
    prepaid: Mutex<VecDeque<(Pair, Instant)>>,
}

/// One bucket, as the moment up to which its tokens are spent: the time since then is what has come back.
#[derive(Debug)]
struct Bucket {
    /// Time that one token takes to come back.
    token: Duration,
    /// Time that an empty bucket takes to be full.
    full: Duration,
    /// Ahead of now while more is spent than is there.
    spent_until: Instant,
}

impl Pace {
    /// Full buckets of the lowest tier.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            reads: Mutex::new(Bucket::full(BASIC.read, now)),
            writes: Mutex::new(Bucket::full(with_margin(BASIC.write), now)),
            prepaid: Mutex::new(VecDeque::with_capacity(PAIRS + 1)),
        }
    }

    /// From now on these limits hold.
    pub(super) fn adopt(&self, limits: &AccountLimits) {
        lock(&self.reads).adopt(limits.read);
        lock(&self.writes).adopt(with_margin(limits.write));
    }

    /// Pays for a read; how long to wait before it may be sent.
    pub(super) fn read(&self, tokens: u32, now: Instant) -> Duration {
        let mut bucket = lock(&self.reads);
        let wait = bucket.wait(tokens, now);
        bucket.pay(tokens, now);
        wait
    }

    /// Pays for a write and says how long to wait before it may be sent, if `in_time` agrees with that; otherwise
    /// nothing is paid, and the time is the error.
    pub(super) fn write(
        &self,
        tokens: u32,
        now: Instant,
        in_time: impl FnOnce(Duration) -> bool,
    ) -> Result<Duration, Duration> {
        let mut bucket = lock(&self.writes);
        let wait = bucket.wait(tokens, now);
        if !in_time(wait) {
            return Err(wait);
        }
        bucket.pay(tokens, now);
        Ok(wait)
    }

    /// As [`Pace::write`], of an order of a pair: who comes first pays for both, or nothing is paid.
    pub(super) fn write_leg(
        &self,
        pair: Pair,
        tokens: u32,
        now: Instant,
        in_time: impl FnOnce(Duration) -> bool,
    ) -> Result<Duration, Duration> {
        let mut prepaid = self.prepaid.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = prepaid.iter().position(|(paid, _)| *paid == pair) {
            let paid = prepaid.remove(index);
            return Ok(paid.map_or(Duration::ZERO, |(_, due)| {
                due.saturating_duration_since(now)
            }));
        }
        let wait = self.write(2 * tokens, now, in_time)?;
        prepaid.push_back((pair, now + wait));
        if prepaid.len() > PAIRS {
            prepaid.pop_front();
        }
        Ok(wait)
    }
}

/// Requests may arrive closer together than they were sent, so one more than is due must fit.
fn with_margin(limit: Limit) -> Limit {
    let capacity = limit.bucket_capacity.saturating_sub(DEFAULT_COST);
    Limit {
        bucket_capacity: capacity.max(DEFAULT_COST),
        ..limit
    }
}

fn lock(bucket: &Mutex<Bucket>) -> MutexGuard<'_, Bucket> {
    bucket.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bucket {
    fn full(limit: Limit, now: Instant) -> Self {
        let mut bucket = Self {
            token: Duration::ZERO,
            full: Duration::ZERO,
            spent_until: now,
        };
        bucket.adopt(limit);
        // A host that was started less than a bucket ago has none that is full.
        bucket.spent_until = now.checked_sub(bucket.full).unwrap_or(now);
        bucket
    }

    fn adopt(&mut self, limit: Limit) {
        self.token = Duration::from_secs(1) / limit.refill_rate.max(1);
        self.full = self.token * limit.bucket_capacity;
    }

    /// The moment up to which tokens are spent once these are; what was there beyond the capacity is lost.
    fn after(&self, tokens: u32, now: Instant) -> Instant {
        let least = now.checked_sub(self.full).unwrap_or(self.spent_until);
        self.spent_until.max(least) + self.token * tokens
    }

    fn wait(&self, tokens: u32, now: Instant) -> Duration {
        self.after(tokens, now).saturating_duration_since(now)
    }

    fn pay(&mut self, tokens: u32, now: Instant) {
        self.spent_until = self.after(tokens, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Orders that may be sent within a time, each as soon as it may.
    fn orders_within(pace: &Pace, start: Instant, time: Duration) -> usize {
        let orders =
            std::iter::repeat_with(|| pace.write(DEFAULT_COST, start, |wait| wait <= time).is_ok());
        orders.take_while(|sent| *sent).count()
    }

    #[test]
    fn a_basic_account_sends_nine_orders_at_once_and_ten_a_second() {
        let start = Instant::now() + Duration::from_secs(60);
        let pace = Pace::new(start);
        assert_eq!(orders_within(&pace, start, Duration::ZERO), 9);
        assert_eq!(orders_within(&pace, start, Duration::from_secs(3)), 30);
        // Refused ones have paid nothing.
        let wait = pace.write(DEFAULT_COST, start, |_| false).unwrap_err();
        assert_eq!(wait, Duration::from_millis(3_100));
        assert_eq!(
            pace.read(DEFAULT_COST, start),
            Duration::ZERO,
            "its own bucket"
        );
    }

    /// The second was refused for the budget when the first had traded: a lone leg.
    #[test]
    fn both_orders_of_a_pair_are_paid_for_or_neither() {
        let start = Instant::now() + Duration::from_secs(60);
        let pace = Pace::new(start);
        let leg = |game| pace.write_leg((7, game), DEFAULT_COST, start, |wait| wait.is_zero());
        assert_eq!((leg(1), leg(2)), (Ok(Duration::ZERO), Ok(Duration::ZERO)));
        assert_eq!((leg(2), leg(1)), (Ok(Duration::ZERO), Ok(Duration::ZERO)));
        // Five more are left; four of them go in pairs.
        assert_eq!((leg(3), leg(4)), (Ok(Duration::ZERO), Ok(Duration::ZERO)));
        let next = Err(Duration::from_millis(100));
        assert_eq!((leg(5), leg(5)), (next, next), "room for one alone");
        assert_eq!((leg(3), leg(4)), (Ok(Duration::ZERO), Ok(Duration::ZERO)));
        assert_eq!(orders_within(&pace, start, Duration::ZERO), 1);
    }

    #[test]
    fn what_comes_back_is_no_more_than_the_bucket_holds() {
        let start = Instant::now() + Duration::from_secs(60);
        let pace = Pace::new(start);
        orders_within(&pace, start, Duration::ZERO);
        let later = start + Duration::from_secs(3_600);
        assert_eq!(orders_within(&pace, later, Duration::ZERO), 9);
    }

    #[test]
    fn reads_wait_their_turn_and_all_of_them_go() {
        let start = Instant::now() + Duration::from_secs(60);
        let pace = Pace::new(start);
        let waits: Vec<Duration> = (0..22).map(|_| pace.read(DEFAULT_COST, start)).collect();
        assert!(waits[..20].iter().all(Duration::is_zero), "{waits:?}");
        assert_eq!(waits[20..], [50, 100].map(Duration::from_millis));
    }

    #[test]
    fn the_venue_s_word_replaces_the_lowest_tier() {
        let start = Instant::now() + Duration::from_secs(60);
        let pace = Pace::new(start);
        let premier = Limit {
            bucket_capacity: 2_000,
            refill_rate: 1_000,
        };
        pace.adopt(&AccountLimits {
            read: premier,
            write: premier,
        });
        let later = start + Duration::from_secs(10);
        assert_eq!(orders_within(&pace, later, Duration::ZERO), 199);
    }

    /// The venue keeps its bucket by its own clock, and requests arrive up to 40 ms late.
    #[test]
    fn a_venue_that_counts_for_itself_refuses_none() {
        let start = Instant::now() + Duration::from_secs(60);
        let (pace, mut level, mut last) = (Pace::new(start), 100.0_f64, 0.0_f64);
        let mut arrivals: Vec<f64> = (0..200_u32)
            .map(|number| {
                let wait = pace.write(DEFAULT_COST, start, |_| true).unwrap();
                wait.as_secs_f64() + f64::from(number * 7_919 % 41) / 1_000.0
            })
            .collect();
        arrivals.sort_by(f64::total_cmp);
        for at in arrivals {
            level = (level + (at - last) * 100.0).min(100.0) - 10.0;
            last = at;
            assert!(level >= 0.0, "refused at {at} s");
        }
    }
}
