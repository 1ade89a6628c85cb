//! Changes of resting orders. Who only asks for less keeps the place in the queue; any other change
//! is as if the order had been cancelled and had come again.

use super::matching::{incoming_of, on_grid};
use super::{CLIENT, Exchange};
use crate::sim::book::OrderNumber;
use crate::sim::catalogue::Life;
use crate::sim::records::{Amendment, Order, OrderState, Reason, Refusal};

impl Exchange {
    /// Contracts that trade before a resting order does.
    pub(crate) fn queue_position(&self, order: &Order) -> Option<i64> {
        self.markets
            .get(order.new.market)?
            .book
            .ahead_of(order.number)
    }

    /// Amends a resting order. Returns it as it was and as it is.
    pub(crate) fn amend(
        &mut self,
        number: OrderNumber,
        change: &Amendment,
        now_us: i64,
    ) -> Result<(Order, Order), Refusal> {
        let before = self.changeable(number)?;
        if !on_grid(change.price_e4) {
            return Err(Refusal::InvalidPrice);
        }
        let left_centi = change
            .count_centi
            .checked_sub(before.filled_centi)
            .filter(|left| *left > 0)
            .ok_or(Refusal::InvalidSize)?;
        let mut order = before.clone();
        order.new.price_e4 = change.price_e4;
        order.new.count_centi = change.count_centi;
        if let Some(expires_us) = change.expires_us {
            order.new.expires_us = expires_us;
        }
        if let Some(id) = &change.client_order_id {
            order.new.client_order_id = Some(id.clone());
            if before.new.client_order_id.as_ref() != Some(id) && self.client_ids.contains(id) {
                return Err(Refusal::AlreadyExists);
            }
        }
        order.reason = Reason::Amend;
        order.updated_us = now_us;
        let keeps_place = change.price_e4 == before.new.price_e4 && left_centi <= before.left_centi;
        if keeps_place {
            self.shrink(&mut order, left_centi, now_us);
        } else {
            order.left_centi = left_centi;
            self.replace(&mut order, now_us)?;
        }
        self.client_ids.extend(change.client_order_id.clone());
        let order = self.changed(order, now_us);
        Ok((before, order))
    }

    /// Makes a resting order smaller, down to `left_centi` contracts that still rest. Nothing left is
    /// a cancel.
    pub(crate) fn decrease(
        &mut self,
        number: OrderNumber,
        left_centi: u32,
        now_us: i64,
    ) -> Result<Order, Refusal> {
        let mut order = self.changeable(number)?;
        if left_centi >= order.left_centi {
            return Err(Refusal::InvalidSize);
        }
        if left_centi == 0 {
            self.cancel(number, Reason::Decrease, now_us);
            return self.orders.get(&number).cloned().ok_or(Refusal::NotFound);
        }
        order.new.count_centi = order.filled_centi + left_centi;
        order.reason = Reason::Decrease;
        order.updated_us = now_us;
        self.shrink(&mut order, left_centi, now_us);
        Ok(self.changed(order, now_us))
    }

    /// One of the client's orders, where it rests in a market that is open.
    fn changeable(&self, number: OrderNumber) -> Result<Order, Refusal> {
        let order = self.orders.get(&number).ok_or(Refusal::NotFound)?;
        if self.markets[order.new.market].life != Life::Active {
            return Err(Refusal::MarketInactive);
        }
        if self.paused {
            return Err(Refusal::TradingPaused);
        }
        if order.new.account != CLIENT || order.state != OrderState::Resting {
            return Err(Refusal::NotFound);
        }
        Ok(order.clone())
    }

    fn shrink(&mut self, order: &mut Order, left_centi: u32, now_us: i64) {
        let market = order.new.market;
        let touch = self.touch(market);
        self.markets[market].book.shrink(order.number, left_centi);
        let change = i64::from(left_centi) - i64::from(order.left_centi);
        order.left_centi = left_centi;
        if change != 0 {
            self.delta(
                market,
                order.new.side,
                order.new.price_e4,
                change,
                order.new.client_order_id.clone(),
                now_us,
            );
        }
        self.ticker_if_moved(market, touch, false, now_us);
        if let Some(expires_us) = order.new.expires_us {
            self.expiries
                .entry(expires_us)
                .or_default()
                .push(order.number);
        }
    }

    /// Takes an order out of the book and lets it come again, changed.
    fn replace(&mut self, order: &mut Order, now_us: i64) -> Result<(), Refusal> {
        let entry = &self.markets[order.new.market];
        if order.new.post_only && entry.book.crosses(order.new.side, order.new.price_e4) {
            return Err(Refusal::PostOnlyCross);
        }
        let mut rest = order.new.clone();
        rest.count_centi = order.left_centi;
        let (_, executions) = entry.book.preview(&incoming_of(&rest));
        if self.shortfall(&rest, executions, Some(order.number)) {
            return Err(Refusal::InsufficientBalance);
        }
        let market = order.new.market;
        let touch = self.touch(market);
        self.orders.remove(&order.number);
        if let Some(removed) = self.markets[market].book.cancel(order.number) {
            self.delta(
                market,
                removed.side,
                removed.price_e4,
                -i64::from(removed.count_centi),
                order.new.client_order_id.clone(),
                now_us,
            );
        }
        let traded = self.arrive(order, now_us);
        self.ticker_if_moved(market, touch, traded, now_us);
        Ok(())
    }

    fn changed(&mut self, order: Order, now_us: i64) -> Order {
        self.tell_order(&order);
        self.orders.insert(order.number, order.clone());
        self.brake(now_us);
        self.orders.get(&order.number).cloned().unwrap_or(order)
    }
}
