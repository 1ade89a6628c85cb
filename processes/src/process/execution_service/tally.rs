//! What is counted on the venue's side.

use crate::runtime::Passages;
use hdrhistogram::Histogram;

/// Latencies are recorded up to this; a minute is beyond any expiry.
const SLOWEST_NS: u64 = 60_000_000_000;

/// The counters.
#[derive(Debug)]
pub(super) struct Tally {
    /// From the tick's arrival to the moment when the request is signed, has its connection and is written, by order.
    pub(super) tick_to_order: Histogram<u64>,
    /// From the tick's arrival to that of the venue's answer, repeated posts included, by order.
    pub(super) tick_to_answer: Histogram<u64>,
    /// From the moment when the request that was answered is written: the venue's part of it.
    pub(super) order_to_answer: Histogram<u64>,
    /// Of each order: the tick's arrival, its own sending, its pop, when it was taken up here, when it was written.
    pub(super) passages: Passages<5>,
    /// Posts after an order's first.
    pub(super) retries: u64,
    /// Answers of too many requests.
    pub(super) rate_limited: u64,
    /// Orders looked up by id.
    pub(super) look_ups: u64,
    /// Orders whose fills had to be read over REST.
    pub(super) fills_by_rest: u64,
    /// Orders whose market was not known in time.
    pub(super) unknown_markets: u64,
    /// Orders written down in place of being sent.
    pub(super) dry_orders: u64,
    /// Times that everything which rests at the venue was cancelled.
    pub(super) cleared: u64,
    /// Cancels of orders that rested against their terms.
    pub(super) taken_back: u64,
    /// Times that the venue's brake shut on us.
    pub(super) brakes_shut: u64,
    /// Trades whose fee no message of ours can carry: below zero, or beyond measure.
    pub(super) odd_fees: u64,
}

impl Tally {
    pub(super) fn new() -> Option<Self> {
        let latencies = Histogram::new_with_max(SLOWEST_NS, 3).ok()?;
        Some(Self {
            tick_to_order: latencies.clone(),
            tick_to_answer: latencies.clone(),
            order_to_answer: latencies,
            passages: Passages::new(),
            retries: 0,
            rate_limited: 0,
            look_ups: 0,
            fills_by_rest: 0,
            unknown_markets: 0,
            dry_orders: 0,
            cleared: 0,
            taken_back: 0,
            brakes_shut: 0,
            odd_fees: 0,
        })
    }
}
