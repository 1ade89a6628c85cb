//! What a stage is told that takes over from one that died.

use super::{Day, E4_PER_DOLLAR, Order, OrderAck, OrderStatus, Risk, SignalKind};
use crate::exposure::Terms;
use layouts::{Sport, signal::other_leg};

/// A market as the price board shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    /// Game number.
    pub game: u32,
    /// Whose win it pays for.
    pub team: u8,
    /// Whose limit it counts against.
    pub sport: Sport,
    /// Taker fee rate.
    pub fee_rate_e4: u16,
}

/// What is known of an order that the predecessor has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its acknowledgement is still to come, and its fills are in no position yet.
    Open,
    /// It was acknowledged, and its fills, so many contracts, are in the positions.
    Closed {
        /// 0 where nobody knows any more.
        filled_centi: u32,
    },
    /// It was acknowledged with [`OrderStatus::Unknown`]; its fills are in no position yet.
    Unknown(OrderAck),
}

impl Risk {
    /// Recalls a position that is held: long YES positive, and what was paid for it with fees. One that was
    /// closed is decided, and of the day on which it was ([`Risk::recall_day`]).
    pub fn recall_position(&mut self, listing: Listing, position_centi: i64, paid_micros: i64) {
        // Nothing is known to be over yet, so nothing is gained by it.
        self.exposure.hold(listing, position_centi, paid_micros);
    }

    /// Recalls that some of what is held of a game was held before the day began: what it loses on balance is of the
    /// day, what it gains is perhaps that of another, and allows no loss elsewhere.
    pub fn recall_held_over_night(&mut self, listing: Listing) {
        self.exposure.hold_over_night(listing);
    }

    /// Recalls what a position that was closed has gained, negative for a loss: the game's limit counts it.
    pub fn recall_closed(&mut self, listing: Listing, gain_micros: i64) {
        self.exposure.close(listing, gain_micros);
    }

    /// Recalls a position in a market that nobody has listed yet: at stake in all and today, at its worst
    /// case, as if alone; of which game and sport is told with [`Risk::list`].
    pub fn recall_unlisted(&mut self, position_centi: i64, paid_micros: i64) {
        self.exposure
            .hold_elsewhere(worst_micros(position_centi, paid_micros));
    }

    /// Says where a position belongs that was recalled unlisted, or one that was closed and not recalled at all.
    pub fn list(&mut self, listing: Listing, position_centi: i64, paid_micros: i64, now: u64) {
        if position_centi == 0 {
            return self.recall_closed(listing, -paid_micros);
        }
        self.exposure
            .hold_elsewhere(-worst_micros(position_centi, paid_micros));
        // Of an earlier launch, and perhaps of an earlier day.
        self.recall_held_over_night(listing);
        let gain = self.exposure.hold(listing, position_centi, paid_micros);
        self.day.book(gain, now);
    }

    /// Says that a position which was recalled unlisted is decided, and what it gained today.
    pub fn settle_unlisted(
        &mut self,
        position_centi: i64,
        paid_micros: i64,
        gain_micros: i64,
        now: u64,
    ) {
        self.exposure
            .hold_elsewhere(-worst_micros(position_centi, paid_micros));
        self.day.book(gain_micros, now);
    }

    /// Recalls the trading day: when it ends, ns, CLOCK_MONOTONIC, and what was gained since it began,
    /// micro-dollars, negative for a loss. Each day after it is as long.
    pub fn recall_day(&mut self, end_mono_ns: u64, result_micros: i64) {
        self.day = Day::new(end_mono_ns, result_micros);
    }

    /// Recalls an order; they come in the order in which they were sent.
    pub fn recall_order(&mut self, order: &Order, listing: Listing, fate: Fate) {
        self.taken.take(order.order);
        let (Some(side), Some(kind)) = (order.side(), order.kind()) else {
            return;
        };
        self.half_pair = match self.half_pair {
            // The second leg of the one before.
            Some((first, _)) if other_leg(first.order) == order.order => None,
            _ if kind == SignalKind::Arbitrage && order.order & 1 == 0 => {
                let count_centi = match fate {
                    Fate::Closed { filled_centi } => filled_centi,
                    Fate::Open | Fate::Unknown(_) => order.count_centi,
                };
                Some((*order, count_centi))
            }
            _ => None,
        };
        let terms = Terms {
            side,
            kind,
            team: listing.team,
            sport: listing.sport,
            fee_rate_e4: listing.fee_rate_e4,
        };
        // The signal's own time is not in the order; the tick's is a little earlier.
        let made = order.ingress_mono_ns;
        match fate {
            Fate::Closed { .. } => self.exposure.remember(order, terms, made),
            // Nothing is known to be over yet, so nothing is gained by it.
            Fate::Open => drop(self.exposure.open(order, terms, made)),
            Fate::Unknown(ack) => {
                self.exposure.open(order, terms, made);
                self.exposure.acknowledge(&ack, OrderStatus::Unknown);
            }
        }
    }
}

/// The most that a position can lose, whatever its market pays.
fn worst_micros(position_centi: i64, paid_micros: i64) -> i64 {
    let at_a_dollar = paid_micros - position_centi * i64::from(E4_PER_DOLLAR);
    paid_micros.max(at_a_dollar).max(0)
}

#[cfg(test)]
mod tests;
