//! Order groups: a brake at the venue. Once as many contracts as the limit have matched within a
//! rolling window, every order of the group is cancelled and none is taken until somebody resets it.
//!
//! An order that arrives is matched whole before the groups are looked at, so it may match more than
//! the limit, once.

use super::Exchange;
use crate::sim::book::OrderNumber;
use crate::sim::records::{OrderState, Reason, Refusal};
use crate::sim::times::SECOND_US;
use std::collections::VecDeque;

/// How long a match counts.
const WINDOW_US: i64 = 15 * SECOND_US;

/// One order group of the client.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) limit_centi: i64,
    /// The shard whose orders it takes.
    pub(crate) exchange_index: u32,
    triggered: bool,
    /// When contracts matched, and how many.
    matched: VecDeque<(i64, i64)>,
}

impl Group {
    fn is_hit(&mut self, now_us: i64) -> bool {
        while self
            .matched
            .front()
            .is_some_and(|(at_us, _)| now_us - at_us >= WINDOW_US)
        {
            self.matched.pop_front();
        }
        let matched: i64 = self.matched.iter().map(|(_, centi)| centi).sum();
        matched >= self.limit_centi
    }
}

impl Exchange {
    /// Opens a group and returns its id.
    pub(crate) fn open_group(&mut self, limit_centi: i64, exchange_index: u32) -> String {
        let id = self.identity("group", &self.next_group.to_string());
        self.next_group += 1;
        let group = Group {
            limit_centi,
            exchange_index,
            triggered: false,
            matched: VecDeque::new(),
        };
        self.groups.insert(id.clone(), group);
        id
    }

    /// All groups with their ids.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&str, &Group)> {
        self.groups.iter().map(|(id, group)| (id.as_str(), group))
    }

    /// One group.
    pub(crate) fn group(&self, id: &str) -> Option<&Group> {
        self.groups.get(id)
    }

    /// Ids of a group's orders, done ones included, oldest first.
    pub(crate) fn group_orders(&self, id: &str) -> Vec<&str> {
        self.client_orders
            .iter()
            .filter_map(|number| self.orders.get(number))
            .filter(|order| order.new.group.as_deref() == Some(id))
            .map(|order| order.id.as_str())
            .collect()
    }

    /// Cancels a group's orders and forgets it.
    pub(crate) fn close_group(&mut self, id: &str, now_us: i64) {
        self.trigger_group(id, now_us);
        self.groups.remove(id);
    }

    /// Lets a group take orders again, with nothing matched.
    pub(crate) fn reset_group(&mut self, id: &str) {
        if let Some(group) = self.groups.get_mut(id) {
            group.triggered = false;
            group.matched.clear();
        }
    }

    /// Sets a group's limit, which may trigger it at once.
    pub(crate) fn limit_group(&mut self, id: &str, limit_centi: i64, now_us: i64) {
        if let Some(group) = self.groups.get_mut(id) {
            group.limit_centi = limit_centi;
        }
        self.brake(now_us);
    }

    /// Cancels a group's orders and lets it take no more.
    pub(crate) fn trigger_group(&mut self, id: &str, now_us: i64) {
        let Some(group) = self.groups.get_mut(id) else {
            return;
        };
        group.triggered = true;
        let resting: Vec<OrderNumber> = self
            .client_orders
            .iter()
            .filter_map(|number| self.orders.get(number))
            .filter(|order| order.state == OrderState::Resting)
            .filter(|order| order.new.group.as_deref() == Some(id))
            .map(|order| order.number)
            .collect();
        for number in resting {
            self.cancel(number, Reason::Cancel, now_us);
        }
    }

    /// Triggers every group whose limit is hit.
    pub(super) fn brake(&mut self, now_us: i64) {
        let hit: Vec<String> = self
            .groups
            .iter_mut()
            .filter_map(|(id, group)| {
                (!group.triggered && group.is_hit(now_us)).then(|| id.clone())
            })
            .collect();
        for id in hit {
            self.trigger_group(&id, now_us);
        }
    }

    pub(super) fn count_in_group(&mut self, id: &str, count_centi: u32, at_us: i64) {
        if let Some(group) = self.groups.get_mut(id) {
            group.matched.push_back((at_us, i64::from(count_centi)));
        }
    }

    pub(super) fn admit_to_group(&self, id: &str, exchange_index: u32) -> Result<(), Refusal> {
        let group = self.groups.get(id).ok_or(Refusal::NoGroup)?;
        if group.exchange_index != exchange_index {
            return Err(Refusal::NoGroup);
        }
        if group.triggered {
            return Err(Refusal::GroupTriggered);
        }
        Ok(())
    }
}
