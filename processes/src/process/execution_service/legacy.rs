//! Which orders of the ring may be at the venue already.
//!
//! A predecessor that died had taken a window's worth of orders beyond the last commit at most, and
//! none that came after it. And an order whose id was taken before was pushed twice.

use super::WINDOW;
use crate::runtime::{Context, Failure, Input};
use ipc::Observer;
use layouts::Order;
use stages::sources::Sources;

/// What is known of the orders that were in the ring at the start.
pub(super) struct Legacy {
    /// Everything below it may have been sent.
    below: u64,
    taken: Sources,
}

impl Legacy {
    /// Looks at the ring before the first order is taken from it.
    pub(super) fn of(context: &Context, orders: &Input<Order>) -> Result<Self, Failure> {
        let ring = Observer::open(&context.pipeline.ring_path(orders.name()))?;
        let first = orders.next_sequence();
        let published = ring.statistics().published;
        let mut taken = Sources::default();
        let kept = published.saturating_sub(u64::from(ring.info().capacity));
        for sequence in kept..first {
            if let Some(order) = ring.read::<Order>(sequence)? {
                taken.take(order.order);
            }
        }
        Ok(Self {
            below: published.min(first + WINDOW as u64),
            taken,
        })
    }

    /// Whether an order that is taken now may have been sent before. Ask once an order, in order.
    pub(super) fn may_have_sent(&mut self, sequence: u64, order: &Order) -> bool {
        let again = !self.taken.take(order.order);
        again || sequence < self.below
    }
}
