//! The life of an order at the exchange: admission, matching, resting, cancelling.

use super::{CLIENT, Exchange};
use crate::sim::book::{Incoming, Match, OrderNumber, Removed, Taken, opposite};
use crate::sim::catalogue::{Life, TICK_E4};
use crate::sim::ledger::{Booking, MarketNumber, Shard, required_micros};
use crate::sim::records::{
    ClientFill, Happening, NewOrder, Order, OrderState, Reason, Refusal, TimeInForce, Trade,
};
use layouts::Side;
use layouts::units::{E4_PER_DOLLAR, cost_micros};

impl Exchange {
    /// Takes an order in: refuses it, trades it, rests or cancels what is left.
    pub(crate) fn create(&mut self, mut new: NewOrder, now_us: i64) -> Result<Order, Refusal> {
        if new.reduce_only {
            new.count_centi = self.closable_centi(&new);
        }
        self.admit(&new)?;
        let number = self.next_order;
        self.next_order += 1;
        let mut order = self.fresh_order(number, new, now_us);
        let touch = self.touch(order.new.market);
        let traded = self.arrive(&mut order, now_us);
        self.ticker_if_moved(order.new.market, touch, traded, now_us);
        if order.new.account == CLIENT {
            self.client_orders.push(number);
            self.by_order_id.insert(order.id.clone(), number);
            self.tell_order(&order);
        }
        if order.new.account == CLIENT || order.state == OrderState::Resting {
            self.orders.insert(number, order.clone());
        }
        self.brake(now_us);
        // A brake may have cancelled what rested.
        Ok(self.orders.get(&number).cloned().unwrap_or(order))
    }

    /// Trades what an order has left against the book, then rests or cancels the rest. Returns
    /// whether anything traded.
    pub(super) fn arrive(&mut self, order: &mut Order, now_us: i64) -> bool {
        let market = order.new.market;
        let incoming = Incoming {
            count_centi: order.left_centi,
            ..incoming_of(&order.new)
        };
        let taken = self.markets[market].book.take(&incoming);
        self.apply_matches(order, &taken, now_us);
        for removed in &taken.cancelled {
            self.removed(market, removed, Reason::SelfTradeCancel, now_us);
        }
        self.finish_arrival(order, &taken, now_us);
        !taken.matches.is_empty()
    }

    /// Every rule that refuses an order, in the order in which the venue applies them.
    fn admit(&mut self, new: &NewOrder) -> Result<(), Refusal> {
        let market = self
            .markets
            .get(new.market)
            .ok_or(Refusal::MarketInactive)?;
        if market.life != Life::Active {
            return Err(Refusal::MarketInactive);
        }
        if self.paused {
            return Err(Refusal::TradingPaused);
        }
        if !on_grid(new.price_e4) {
            return Err(Refusal::InvalidPrice);
        }
        if new
            .client_order_id
            .as_ref()
            .is_some_and(|id| self.client_ids.contains(id))
        {
            return Err(Refusal::AlreadyExists);
        }
        if let Some(group) = &new.group {
            self.admit_to_group(group, market.series.exchange_index)?;
        }
        if new.post_only && market.book.crosses(new.side, new.price_e4) {
            return Err(Refusal::PostOnlyCross);
        }
        let (tradable, executions) = market.book.preview(&incoming_of(new));
        if new.time_in_force == TimeInForce::FillOrKill && tradable < new.count_centi {
            return Err(Refusal::FillOrKill);
        }
        if new.account == CLIENT && self.shortfall(new, executions, None) {
            return Err(Refusal::InsufficientBalance);
        }
        if let Some(id) = &new.client_order_id {
            self.client_ids.insert(id.clone());
        }
        Ok(())
    }

    /// How much of a reduce-only order is taken: it never passes through zero, so what exceeds the
    /// position is cut off before anything else is asked.
    fn closable_centi(&self, new: &NewOrder) -> u32 {
        let account = self.accounts.get(new.account as usize);
        let position = account.map_or(0, |account| account.position_centi(new.market));
        let closable = (-new.side.sign() * position).max(0);
        new.count_centi
            .min(u32::try_from(closable).unwrap_or(u32::MAX))
    }

    /// Whether the account could not pay, out of what it has on the order's shard, were this order and
    /// all that rest there already to fill at their limits. A fee is rounded up once an execution, so each may cost $0.0001 more. The order
    /// that `new` takes the place of, if any, rests no more.
    pub(super) fn shortfall(
        &self,
        new: &NewOrder,
        executions: u32,
        replaced: Option<OrderNumber>,
    ) -> bool {
        let Some(account) = self.accounts.get(new.account as usize) else {
            return true;
        };
        let shard = self.shard(new.market);
        let required: i64 = self
            .markets
            .iter()
            .enumerate()
            .filter(|(_, market)| market.series.exchange_index == shard)
            .map(|(number, market)| {
                let fees = market.fees;
                let resting = |side| -> Vec<(u16, u32, i64)> {
                    let orders = market.book.resting_of(new.account, side);
                    orders
                        .filter(|(order, ..)| Some(*order) != replaced)
                        .map(|(_, price, count)| (price, count, fees.taker_micros(price, count)))
                        .collect()
                };
                let (mut bids, mut asks) = (resting(Side::Bid), resting(Side::Ask));
                if number == new.market {
                    let fee = fees.taker_micros(new.price_e4, new.count_centi)
                        + i64::from(executions) * 100;
                    let side = if new.side == Side::Bid {
                        &mut bids
                    } else {
                        &mut asks
                    };
                    side.push((new.price_e4, new.count_centi, fee));
                }
                required_micros(account.position_centi(number), &bids, &asks)
            })
            .sum();
        account.shard_micros(shard) < required
    }

    fn shard(&self, market: MarketNumber) -> Shard {
        self.markets
            .get(market)
            .map_or(0, |market| market.series.exchange_index)
    }

    fn fresh_order(&self, number: OrderNumber, new: NewOrder, now_us: i64) -> Order {
        let id = if new.account == CLIENT {
            self.identity("order", &number.to_string())
        } else {
            String::new()
        };
        Order {
            number,
            id,
            left_centi: new.count_centi,
            new,
            state: OrderState::Resting,
            reason: Reason::None,
            filled_centi: 0,
            taker_cost_micros: 0,
            maker_cost_micros: 0,
            taker_fee_micros: 0,
            maker_fee_micros: 0,
            created_us: now_us,
            updated_us: now_us,
        }
    }

    fn apply_matches(&mut self, order: &mut Order, taken: &Taken, now_us: i64) {
        let market = order.new.market;
        let fees = self.markets[market].fees;
        for one in &taken.matches {
            let maker_side = opposite(order.new.side);
            let client_order_id = self
                .orders
                .get(&one.maker)
                .filter(|_| one.maker_account == CLIENT)
                .and_then(|maker| maker.new.client_order_id.clone());
            self.delta(
                market,
                maker_side,
                one.price_e4,
                -i64::from(one.count_centi),
                client_order_id,
                now_us,
            );
            let trade = self.print(
                market,
                one.price_e4,
                one.count_centi,
                order.new.side,
                now_us,
            );
            let cost = cost_micros(one.price_e4, one.count_centi);
            let own_cost = if order.new.side == Side::Bid {
                cost
            } else {
                i64::from(one.count_centi) * 10_000 - cost
            };
            let fee = fees.taker_micros(one.price_e4, one.count_centi);
            order.filled_centi += one.count_centi;
            order.left_centi -= one.count_centi;
            order.taker_cost_micros += own_cost;
            order.taker_fee_micros += fee;
            order.reason = Reason::Trade;
            self.settle_side(order, &trade, true, fee);
            let maker_fee = fees.maker_micros(one.price_e4, one.count_centi);
            self.fill_maker(one, &trade, maker_side, maker_fee, now_us);
            self.count_interest(market);
        }
    }

    fn fill_maker(&mut self, one: &Match, trade: &Trade, side: Side, fee: i64, now_us: i64) {
        let Some(mut maker) = self.orders.remove(&one.maker) else {
            return;
        };
        let cost = cost_micros(one.price_e4, one.count_centi);
        maker.maker_cost_micros += if side == Side::Bid {
            cost
        } else {
            i64::from(one.count_centi) * 10_000 - cost
        };
        maker.maker_fee_micros += fee;
        maker.filled_centi += one.count_centi;
        maker.left_centi = one.maker_left_centi;
        maker.reason = Reason::Trade;
        maker.updated_us = now_us;
        if maker.left_centi == 0 {
            maker.state = OrderState::Executed;
        }
        self.settle_side(&maker, trade, false, fee);
        if maker.new.account == CLIENT {
            self.tell_order(&maker);
        }
        if maker.new.account == CLIENT || maker.state == OrderState::Resting {
            self.orders.insert(maker.number, maker);
        }
    }

    pub(super) fn tell_order(&mut self, order: &Order) {
        self.versions
            .entry(order.number)
            .or_default()
            .push(order.clone());
        self.happenings
            .push(Happening::Order(Box::new(order.clone())));
    }

    /// Books one side of a trade and, when it is the client's, tells it.
    fn settle_side(&mut self, order: &Order, trade: &Trade, is_taker: bool, fee_micros: i64) {
        let shard = self.shard(trade.market);
        let Some(account) = self.accounts.get_mut(order.new.account as usize) else {
            return;
        };
        account.book(&Booking {
            market: trade.market,
            shard,
            side: order.new.side,
            price_e4: trade.price_e4,
            count_centi: trade.count_centi,
            fee_micros,
            at_us: trade.at_us,
        });
        if order.new.account != CLIENT {
            return;
        }
        let fill = ClientFill {
            trade: trade.clone(),
            order_id: order.id.clone(),
            client_order_id: order.new.client_order_id.clone(),
            side: order.new.side,
            is_taker,
            fee_micros,
            position_after_centi: account.position_centi(trade.market),
        };
        self.fills.push(fill.clone());
        if let Some(group) = &order.new.group {
            self.count_in_group(group, trade.count_centi, trade.at_us);
        }
        self.happenings.push(Happening::Fill(fill));
        self.happenings.push(Happening::Position {
            market: trade.market,
        });
    }

    /// Rests or cancels what an arriving order could not trade.
    fn finish_arrival(&mut self, order: &mut Order, taken: &Taken, now_us: i64) {
        let new = &order.new;
        if order.left_centi == 0 && order.filled_centi > 0 {
            order.state = OrderState::Executed;
        } else if taken.stopped
            || order.left_centi == 0
            || new.time_in_force != TimeInForce::GoodTillCanceled
        {
            order.state = OrderState::Canceled;
            order.left_centi = 0;
            order.reason = if taken.stopped {
                Reason::SelfTradeCancel
            } else if new.count_centi == 0 {
                Reason::ReduceOnlyCancel
            } else {
                Reason::Cancel
            };
        } else {
            self.markets[new.market].book.rest(
                order.number,
                new.account,
                new.side,
                new.price_e4,
                order.left_centi,
            );
            if let Some(expires_us) = new.expires_us {
                self.expiries
                    .entry(expires_us)
                    .or_default()
                    .push(order.number);
            }
            let own = new
                .client_order_id
                .clone()
                .filter(|_| new.account == CLIENT);
            self.delta(
                new.market,
                new.side,
                new.price_e4,
                i64::from(order.left_centi),
                own,
                now_us,
            );
        }
    }

    /// Cancels a resting order and returns it; `None` when it does not rest.
    pub(crate) fn cancel(
        &mut self,
        number: OrderNumber,
        reason: Reason,
        now_us: i64,
    ) -> Option<Removed> {
        let market = self.orders.get(&number)?.new.market;
        let touch = self.touch(market);
        let removed = self.markets.get_mut(market)?.book.cancel(number)?;
        self.removed(market, &removed, reason, now_us);
        self.ticker_if_moved(market, touch, false, now_us);
        Some(removed)
    }

    /// Cancels orders whose time has come.
    pub(crate) fn expire(&mut self, now_us: i64) {
        while let Some(entry) = self
            .expiries
            .first_entry()
            .filter(|entry| *entry.key() <= now_us)
        {
            let (due_us, numbers) = entry.remove_entry();
            for number in numbers {
                // An amended order may end at another time by now.
                let due = self
                    .orders
                    .get(&number)
                    .and_then(|order| order.new.expires_us);
                if due == Some(due_us) {
                    self.cancel(number, Reason::ExpiryCancel, now_us);
                }
            }
        }
    }

    /// Tells of an order that left the book without trading.
    fn removed(&mut self, market: MarketNumber, removed: &Removed, reason: Reason, now_us: i64) {
        let mut own = None;
        if let Some(mut order) = self.orders.remove(&removed.order) {
            order.state = OrderState::Canceled;
            order.reason = reason;
            order.left_centi = 0;
            order.updated_us = now_us;
            if order.new.account == CLIENT {
                own.clone_from(&order.new.client_order_id);
                self.tell_order(&order);
                self.orders.insert(removed.order, order);
            }
        }
        self.delta(
            market,
            removed.side,
            removed.price_e4,
            -i64::from(removed.count_centi),
            own,
            now_us,
        );
    }
}

/// Whether a price is one at which orders may rest.
pub(super) fn on_grid(price_e4: u16) -> bool {
    (1..E4_PER_DOLLAR).contains(&price_e4) && price_e4.is_multiple_of(TICK_E4)
}

pub(super) fn incoming_of(new: &NewOrder) -> Incoming {
    Incoming {
        account: new.account,
        side: new.side,
        price_e4: new.price_e4,
        count_centi: new.count_centi,
        self_trade: new.self_trade,
    }
}
