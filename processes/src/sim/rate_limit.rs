//! Token buckets: what each call costs, and what an account of a tier may spend.

use super::ledger::Shard;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What an account may spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tier {
    pub(crate) name: &'static str,
    /// Capacity and refill a second of the bucket of reads.
    pub(crate) read: (u32, u32),
    /// Capacity and refill a second of the bucket of writes.
    pub(crate) write: (u32, u32),
}

impl From<pipeline::Tier> for Tier {
    fn from(tier: pipeline::Tier) -> Self {
        use pipeline::Tier as Named;
        let tier_of = |name, read: (u32, u32), write: (u32, u32)| Self { name, read, write };
        match tier {
            Named::Basic => tier_of("basic", (200, 200), (100, 100)),
            Named::Advanced => tier_of("advanced", (600, 300), (600, 300)),
            Named::Expert => tier_of("expert", (600, 600), (1_200, 600)),
            Named::Premier => tier_of("premier", (1_000, 1_000), (2_000, 1_000)),
            Named::Paragon => tier_of("paragon", (2_000, 2_000), (4_000, 2_000)),
            Named::Prime => tier_of("prime", (4_000, 4_000), (8_000, 4_000)),
            Named::Prestige => tier_of("prestige", (10_000, 10_000), (16_000, 8_000)),
        }
    }
}

/// Cost of a call that is not listed.
pub(crate) const DEFAULT_COST: u32 = 10;

/// Calls that cost something else, as the venue lists them, those that are not simulated too: method,
/// path below the API's root (`:` stands for any segment), tokens.
pub(crate) const COSTS: [(&str, &str, u32); 16] = [
    ("POST", "/account/api_usage_level/upgrade", 30),
    ("GET", "/cfbenchmarks", 150),
    ("GET", "/cfbenchmarks/*endpoint", 150),
    ("POST", "/communications/quotes", 2),
    ("DELETE", "/communications/quotes/:quote_id", 2),
    ("GET", "/margin/balance", 5),
    (
        "PUT",
        "/multivariate_event_collections/:collection_ticker/lookup",
        2,
    ),
    ("DELETE", "/portfolio/events/orders/:order_id", 2),
    ("DELETE", "/portfolio/events/orders/batched", 2),
    ("POST", "/portfolio/orders", 20),
    ("DELETE", "/portfolio/orders/:order_id", 4),
    ("GET", "/portfolio/orders/:order_id", 2),
    ("POST", "/portfolio/orders/:order_id/amend", 20),
    ("POST", "/portfolio/orders/:order_id/decrease", 20),
    ("DELETE", "/portfolio/orders/batched", 4),
    ("POST", "/portfolio/orders/batched", 20),
];

/// A call beside those of one order, by its path no name of an order.
const QUEUES: &str = "/portfolio/orders/queue_positions";

/// Cost of a call.
pub(crate) fn cost(method: &str, path: &str) -> u32 {
    if path == QUEUES {
        return DEFAULT_COST;
    }
    let matches = |pattern: &str| {
        let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return true,
                (Some(want), Some(have)) if want.starts_with(':') || want == have => {}
                _ => return false,
            }
        }
    };
    COSTS
        .iter()
        .find(|(verb, pattern, _)| *verb == method && matches(pattern))
        .map_or(DEFAULT_COST, |(_, _, tokens)| *tokens)
}

/// One bucket, refilled continuously.
#[derive(Debug)]
struct Bucket {
    capacity: f64,
    per_second: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn new((capacity, refill): (u32, u32), now: Instant) -> Self {
        let capacity = f64::from(capacity);
        Self {
            capacity,
            per_second: f64::from(refill),
            tokens: capacity,
            filled: now,
        }
    }

    /// Whether so much is there by now.
    fn has(&mut self, tokens: u32, now: Instant) -> bool {
        let waited: Duration = now.saturating_duration_since(self.filled);
        self.tokens = (self.tokens + waited.as_secs_f64() * self.per_second).min(self.capacity);
        self.filled = now;
        self.tokens >= f64::from(tokens)
    }
}

/// The buckets of one account.
#[derive(Debug)]
pub(crate) struct Buckets {
    tier: Tier,
    read: Bucket,
    /// One a shard. The first's is that of all writes which name no shard.
    writes: BTreeMap<Shard, Bucket>,
}

impl Buckets {
    /// Full buckets.
    pub(crate) fn new(tier: Tier, now: Instant) -> Self {
        Self {
            tier,
            read: Bucket::new(tier.read, now),
            writes: BTreeMap::new(),
        }
    }

    /// What the account may spend.
    pub(crate) const fn tier(&self) -> Tier {
        self.tier
    }

    /// Pays for all items of a call, each at its shard, or refuses all of it. A refusal costs nothing.
    pub(crate) fn take(
        &mut self,
        method: &str,
        path: &str,
        items: &BTreeMap<Shard, usize>,
        now: Instant,
    ) -> bool {
        let due = |items: usize| {
            let items = u32::try_from(items).unwrap_or(u32::MAX);
            cost(method, path).saturating_mul(items)
        };
        for (shard, count) in items {
            if !self.bucket(method, *shard, now).has(due(*count), now) {
                return false;
            }
        }
        for (shard, count) in items {
            self.bucket(method, *shard, now).tokens -= f64::from(due(*count));
        }
        true
    }

    /// The bucket of a call; one that nobody has taken from is full.
    fn bucket(&mut self, method: &str, shard: Shard, now: Instant) -> &mut Bucket {
        if method == "GET" {
            return &mut self.read;
        }
        let full = || Bucket::new(self.tier.write, now);
        self.writes.entry(shard).or_insert_with(full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(shard: Shard, items: usize) -> BTreeMap<Shard, usize> {
        BTreeMap::from([(shard, items)])
    }

    /// How many of a hundred orders the venue takes at once on a shard.
    fn burst_on(shard: Shard, buckets: &mut Buckets, now: Instant) -> usize {
        (0..100)
            .filter(|_| buckets.take("POST", "/portfolio/events/orders", &on(shard, 1), now))
            .count()
    }

    fn burst(buckets: &mut Buckets, now: Instant) -> usize {
        burst_on(0, buckets, now)
    }

    #[test]
    fn shards_have_buckets_of_their_own_for_writes() {
        let start = Instant::now();
        let mut buckets = Buckets::new(pipeline::Tier::Basic.into(), start);
        assert_eq!(burst_on(3, &mut buckets, start), 10);
        assert_eq!(burst(&mut buckets, start), 10);
        let later = start + Duration::from_secs(1);
        let both = |first, third| BTreeMap::from([(0, first), (3, third)]);
        let path = "/portfolio/events/orders/batched";
        assert!(
            !buckets.take("POST", path, &both(1, 11), later),
            "all or none"
        );
        assert!(buckets.take("POST", path, &both(10, 9), later));
        assert_eq!(burst_on(3, &mut buckets, later), 1);
        assert!(buckets.take("GET", "/portfolio/fills", &on(0, 20), start));
        assert!(
            !buckets.take("GET", "/portfolio/fills", &on(3, 1), start),
            "one for all reads"
        );
    }

    #[test]
    fn a_basic_account_places_ten_orders_at_once_and_ten_more_each_second() {
        let start = Instant::now();
        let mut buckets = Buckets::new(pipeline::Tier::Basic.into(), start);
        assert_eq!(burst(&mut buckets, start), 10);
        assert_eq!(burst(&mut buckets, start + Duration::from_millis(500)), 5);
        assert_eq!(burst(&mut buckets, start + Duration::from_secs(60)), 10);
        assert!(
            buckets.take("GET", "/portfolio/balance", &on(0, 1), start),
            "reads have their own bucket"
        );
    }

    #[test]
    fn a_better_account_saves_up_two_seconds_of_orders() {
        let start = Instant::now();
        let mut buckets = Buckets::new(pipeline::Tier::Advanced.into(), start);
        assert_eq!(burst(&mut buckets, start), 60);
        assert_eq!(burst(&mut buckets, start + Duration::from_secs(1)), 30);
    }

    #[test]
    fn a_batch_is_taken_whole_or_not_at_all() {
        const BATCH: &str = "/portfolio/events/orders/batched";
        let start = Instant::now();
        let mut buckets = Buckets::new(pipeline::Tier::Basic.into(), start);
        assert!(!buckets.take("POST", BATCH, &on(0, 11), start));
        assert!(!buckets.take("POST", BATCH, &on(0, usize::MAX), start));
        assert!(
            buckets.take("POST", BATCH, &on(0, 9), start),
            "a refusal cost nothing"
        );
        assert!(!buckets.take("DELETE", BATCH, &on(0, 6), start));
        assert!(buckets.take("DELETE", BATCH, &on(0, 5), start));
    }

    #[test]
    fn calls_cost_what_the_venue_lists() {
        assert_eq!(cost("POST", "/portfolio/events/orders"), 10);
        assert_eq!(cost("DELETE", "/portfolio/events/orders/1-2"), 2);
        assert_eq!(cost("GET", "/portfolio/orders/1-2"), 2);
        assert_eq!(cost("GET", "/portfolio/orders"), 10);
        assert_eq!(cost("GET", "/portfolio/orders/queue_positions"), 10);
        assert_eq!(cost("POST", "/portfolio/orders"), 20);
    }
}
