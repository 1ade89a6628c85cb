//! What a stage is told that takes over from one that died.

use super::{Order, OrderAck, Risk, SignalKind, Terms};
use layouts::{OrderStatus, signal::other_leg};

/// A market as the price board shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    /// Game number.
    pub game: u32,
    /// Whose win it pays for.
    pub team: u8,
    /// Taker fee rate.
    pub fee_rate_e4: u16,
}

/// What is known of an order that the predecessor has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its acknowledgement is still to come, and its fills are in no position yet.
    Open,
    /// It was acknowledged, and its fills are in the positions.
    Closed,
    /// It was acknowledged with [`OrderStatus::Unknown`]; its fills are in no position yet.
    Unknown(OrderAck),
}

impl Risk {
    /// Recalls a position: long YES positive, and what was paid for it with fees.
    pub fn recall_position(&mut self, listing: Listing, position_centi: i64, paid_micros: i64) {
        let Listing { game, team, .. } = listing;
        self.exposure.hold(game, team, position_centi, paid_micros);
    }

    /// Recalls an order; they come in the order in which they were sent.
    pub fn recall_order(&mut self, order: &Order, listing: Listing, fate: Fate) {
        self.taken.take(order.order);
        let (Some(side), Some(kind)) = (order.side(), order.kind()) else {
            return;
        };
        self.half_pair = match self.half_pair {
            // The second leg of the one before.
            Some(first) if other_leg(first.order) == order.order => None,
            _ => (kind == SignalKind::Arbitrage && order.order & 1 == 0).then_some(*order),
        };
        let terms = Terms {
            side,
            kind,
            team: listing.team,
            fee_rate_e4: listing.fee_rate_e4,
        };
        // The signal's own time is not in the order; the tick's is a little earlier.
        let made = order.ingress_mono_ns;
        match fate {
            Fate::Closed => self.exposure.remember(order, terms, made),
            Fate::Open => self.exposure.open(order, terms, made),
            Fate::Unknown(ack) => {
                self.exposure.open(order, terms, made);
                self.exposure.acknowledge(&ack, OrderStatus::Unknown);
            }
        }
    }
}

#[cfg(test)]
mod tests;
