//! Which orders of the ring may be at the venue already, and which of them are done.
//!
//! A predecessor that died had taken a window's worth of orders beyond the last commit at most, and
//! none that came after it. And an order whose id was taken before was pushed twice.
//!
//! Whoever dies again and again must get on all the same: an order that a predecessor has acknowledged is done,
//! though one before it held up the commit. Its fills were published before, and both lie in rings that lose nothing.

use super::WINDOW;
use crate::runtime::{Context, Failure, Input, Output};
use ipc::Observer;
use layouts::{Order, OrderAck};
use stages::sources::Sources;
use std::collections::HashSet;

/// What is known of the orders that were in the ring at the start.
pub(super) struct Legacy {
    /// Everything below it may have been sent.
    below: u64,
    taken: Sources,
    /// Orders that were acknowledged.
    acknowledged: HashSet<u64>,
}

impl Legacy {
    /// Looks at the rings before the first order is taken and the first acknowledgement given.
    pub(super) fn of(
        context: &Context,
        orders: &Input<Order>,
        acks: &Output<OrderAck>,
    ) -> Result<Self, Failure> {
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
            acknowledged: acknowledged(context, acks)?,
        })
    }

    /// Whether an order that is taken now may have been sent before. Ask once an order, in order.
    pub(super) fn may_have_sent(&mut self, sequence: u64, order: &Order) -> bool {
        let again = !self.taken.take(order.order);
        again || sequence < self.below
    }

    /// Whether a predecessor has told what became of an order.
    pub(super) fn is_acknowledged(&self, order: &Order) -> bool {
        self.acknowledged.contains(&order.order)
    }
}

/// The orders of all acknowledgements that the ring still holds: more than a window of them.
fn acknowledged(context: &Context, acks: &Output<OrderAck>) -> Result<HashSet<u64>, Failure> {
    let ring = Observer::open(&context.pipeline.ring_path(acks.name()))?;
    let published = ring.statistics().published;
    let kept = published.saturating_sub(u64::from(ring.info().capacity));
    let mut orders = HashSet::new();
    for sequence in kept..published {
        if let Some(ack) = ring.read::<OrderAck>(sequence)? {
            orders.insert(ack.order);
        }
    }
    Ok(orders)
}
