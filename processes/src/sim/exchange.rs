//! The matching engine: markets, books, orders and accounts in one place. It does no I/O, reads no
//! clock and draws no random number: time is passed in, identities derive from the run's name, so
//! the same calls give the same answers. What others must be told lies in [`Exchange::happenings`].

use super::book::{AccountNumber, Book, Incoming, OrderNumber, Removed, SelfTrade, Taken};
use super::catalogue::{Event, Life, Market, NewEvent, Series, TICK_E4};
use super::ledger::{Account, Booking, Holding, MarketNumber, required_micros};
use layouts::Side;
use layouts::units::{E4_PER_DOLLAR, cost_micros, fee_micros};
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// The one account that is reached from outside. All others are simulated traders without limits.
pub(crate) const CLIENT: AccountNumber = 0;

/// How long an order may live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeInForce {
    FillOrKill,
    ImmediateOrCancel,
    GoodTillCanceled,
}

/// A valid order request.
#[derive(Debug, Clone)]
pub(crate) struct NewOrder {
    pub(crate) account: AccountNumber,
    pub(crate) market: MarketNumber,
    pub(crate) side: Side,
    pub(crate) price_e4: u16,
    pub(crate) count_centi: u32,
    pub(crate) time_in_force: TimeInForce,
    pub(crate) self_trade: SelfTrade,
    pub(crate) post_only: bool,
    pub(crate) reduce_only: bool,
    pub(crate) expires_us: Option<i64>,
    pub(crate) client_order_id: Option<String>,
}

/// Why an order was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    MarketInactive,
    InvalidPrice,
    AlreadyExists,
    InsufficientBalance,
    PostOnlyCross,
    FillOrKill,
}

/// Where an order is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OrderState {
    Resting,
    Canceled,
    Executed,
}

/// Why an order last changed, in the venue's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    None,
    Trade,
    SelfTradeCancel,
    ExpiryCancel,
    CloseCancel,
    Cancel,
}

/// An order and its history.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) number: OrderNumber,
    pub(crate) id: String,
    pub(crate) new: NewOrder,
    pub(crate) state: OrderState,
    pub(crate) reason: Reason,
    pub(crate) left_centi: u32,
    pub(crate) filled_centi: u32,
    pub(crate) taker_cost_micros: i64,
    pub(crate) maker_cost_micros: i64,
    pub(crate) taker_fee_micros: i64,
    pub(crate) maker_fee_micros: i64,
    pub(crate) created_us: i64,
    pub(crate) updated_us: i64,
}

/// One trade on the tape.
#[derive(Debug, Clone)]
pub(crate) struct Trade {
    pub(crate) id: String,
    pub(crate) market: MarketNumber,
    pub(crate) price_e4: u16,
    pub(crate) count_centi: u32,
    pub(crate) taker: Side,
    pub(crate) at_us: i64,
}

/// One fill of the client.
#[derive(Debug, Clone)]
pub(crate) struct ClientFill {
    pub(crate) trade: Trade,
    pub(crate) order_id: String,
    pub(crate) client_order_id: Option<String>,
    pub(crate) side: Side,
    pub(crate) is_taker: bool,
    pub(crate) fee_micros: i64,
    pub(crate) position_after_centi: i64,
}

/// What the client got for a market that paid out.
#[derive(Debug, Clone)]
pub(crate) struct Settlement {
    pub(crate) market: MarketNumber,
    pub(crate) value_e4: u16,
    pub(crate) holding: Holding,
    pub(crate) at_us: i64,
}

/// Something that subscribers are told.
#[derive(Debug, Clone)]
pub(crate) enum Happening {
    /// A level changed by so much; `order` names the client's own order when it caused that.
    Delta {
        market: MarketNumber,
        side: Side,
        price_e4: u16,
        delta_centi: i64,
        client_order_id: Option<String>,
        at_us: i64,
    },
    Trade(Trade),
    /// The touch, the last price or the volume changed.
    Ticker {
        market: MarketNumber,
        at_us: i64,
    },
    Fill(ClientFill),
    Order(Box<Order>),
    Position {
        market: MarketNumber,
    },
    Life {
        market: MarketNumber,
        life: Life,
        at_us: i64,
    },
}

/// The engine.
#[derive(Debug)]
pub(crate) struct Exchange {
    run: Uuid,
    events: Vec<Event>,
    markets: Vec<Market>,
    by_ticker: HashMap<String, MarketNumber>,
    accounts: Vec<Account>,
    orders: HashMap<OrderNumber, Order>,
    /// Every state in which each order of the client ever was: reads of the venue lag behind.
    versions: HashMap<OrderNumber, Vec<Order>>,
    /// The client's orders, oldest first, done ones included.
    client_orders: Vec<OrderNumber>,
    client_ids: HashSet<String>,
    by_order_id: HashMap<String, OrderNumber>,
    fills: Vec<ClientFill>,
    tape: Vec<Trade>,
    settlements: Vec<Settlement>,
    expiries: BTreeMap<i64, Vec<OrderNumber>>,
    next_order: OrderNumber,
    next_trade: u64,
    happenings: Vec<Happening>,
}

/// Trades kept on the tape.
const TAPE: usize = 10_000;

impl Exchange {
    /// An exchange without markets. `run` makes the identities of this run differ from all others'.
    pub(crate) fn new(run: &str, client_micros: i64) -> Self {
        Self {
            run: Uuid::new_v5(&Uuid::NAMESPACE_OID, run.as_bytes()),
            events: Vec::new(),
            markets: Vec::new(),
            by_ticker: HashMap::new(),
            accounts: vec![Account::with_micros(client_micros)],
            orders: HashMap::new(),
            versions: HashMap::new(),
            client_orders: Vec::new(),
            client_ids: HashSet::new(),
            by_order_id: HashMap::new(),
            fills: Vec::new(),
            tape: Vec::new(),
            settlements: Vec::new(),
            expiries: BTreeMap::new(),
            next_order: 1,
            next_trade: 1,
            happenings: Vec::new(),
        }
    }

    /// Opens an account for a simulated trader.
    pub(crate) fn open_account(&mut self) -> AccountNumber {
        self.accounts.push(Account::default());
        AccountNumber::try_from(self.accounts.len() - 1).unwrap_or(AccountNumber::MAX)
    }

    /// Lists an event with its two markets and returns their numbers, home and away.
    pub(crate) fn list(&mut self, new: NewEvent, now_us: i64) -> [MarketNumber; 2] {
        let event = self.events.len();
        let first = self.markets.len();
        let [home, away] = &new.teams;
        self.events.push(Event {
            title: format!("{} vs {}", away.1, home.1),
            sub_title: format!("{} vs {}", away.0, home.0),
            ticker: new.ticker.clone(),
            series: new.series,
            start_us: new.start_us,
            markets: [first, first + 1],
        });
        for (offset, (code, place)) in new.teams.iter().enumerate() {
            let ticker = format!("{}-{code}", new.ticker);
            self.by_ticker.insert(ticker.clone(), first + offset);
            self.markets.push(Market {
                id: self.identity("market", &ticker),
                team_id: self.identity("team", code),
                ticker,
                event,
                series: new.series,
                team: place.clone(),
                life: Life::Active,
                opened_us: now_us,
                updated_us: now_us,
                last_price_e4: 0,
                last_count_centi: 0,
                volume_centi: 0,
                dollar_volume_micros: 0,
                open_interest_centi: 0,
                book: Book::default(),
            });
        }
        [first, first + 1]
    }

    fn identity(&self, kind: &str, name: &str) -> String {
        Uuid::new_v5(&self.run, format!("{kind}/{name}").as_bytes()).to_string()
    }

    /// Takes what subscribers have not been told yet, in order.
    pub(crate) fn happenings(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.happenings)
    }

    /// All events.
    pub(crate) fn events(&self) -> &[Event] {
        &self.events
    }

    /// All markets; a [`MarketNumber`] is an index into it.
    pub(crate) fn markets(&self) -> &[Market] {
        &self.markets
    }

    /// Number of the market with a ticker.
    pub(crate) fn market_number(&self, ticker: &str) -> Option<MarketNumber> {
        self.by_ticker.get(ticker).copied()
    }

    /// The client's account.
    pub(crate) fn client(&self) -> Option<&Account> {
        self.accounts.first()
    }

    /// All accounts, the client's first.
    #[cfg(test)]
    pub(crate) fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// The client's orders as they were at a moment, newest first; later ones are left out.
    pub(crate) fn client_orders(&self, as_of_us: i64) -> impl Iterator<Item = &Order> {
        self.client_orders
            .iter()
            .rev()
            .filter_map(move |number| self.version(*number, as_of_us))
    }

    /// One of the client's orders by its id, as it was at a moment.
    pub(crate) fn client_order(&self, id: &str, as_of_us: i64) -> Option<&Order> {
        self.by_order_id
            .get(id)
            .and_then(|number| self.version(*number, as_of_us))
    }

    fn version(&self, number: OrderNumber, as_of_us: i64) -> Option<&Order> {
        self.versions
            .get(&number)?
            .iter()
            .rev()
            .find(|order| order.updated_us <= as_of_us)
    }

    /// The client's fills, oldest first.
    pub(crate) fn fills(&self) -> &[ClientFill] {
        &self.fills
    }

    /// The last trades of all, oldest first.
    pub(crate) fn tape(&self) -> &[Trade] {
        &self.tape
    }

    /// The client's settlements, oldest first.
    pub(crate) fn settlements(&self) -> &[Settlement] {
        &self.settlements
    }

    /// Takes an order in: refuses it, trades it, rests or cancels what is left.
    pub(crate) fn create(&mut self, new: NewOrder, now_us: i64) -> Result<Order, Refusal> {
        let series = self.admit(&new)?;
        let number = self.next_order;
        self.next_order += 1;
        let mut order = self.fresh_order(number, new, now_us);
        let incoming = incoming_of(&order.new);
        let touch = self.touch(order.new.market);
        let taken = self.markets[order.new.market].book.take(&incoming);
        self.apply_matches(&mut order, &taken, series, now_us);
        for removed in &taken.cancelled {
            self.removed(order.new.market, removed, Reason::SelfTradeCancel, now_us);
        }
        self.finish_arrival(&mut order, &taken, now_us);
        self.ticker_if_moved(order.new.market, touch, !taken.matches.is_empty(), now_us);
        if order.new.account == CLIENT {
            self.client_orders.push(number);
            self.by_order_id.insert(order.id.clone(), number);
            self.tell_order(&order);
        }
        if order.new.account == CLIENT || order.state == OrderState::Resting {
            self.orders.insert(number, order.clone());
        }
        Ok(order)
    }

    /// Every rule that refuses an order, in the order in which the venue applies them.
    fn admit(&mut self, new: &NewOrder) -> Result<Series, Refusal> {
        let market = self
            .markets
            .get(new.market)
            .ok_or(Refusal::MarketInactive)?;
        if market.life != Life::Active {
            return Err(Refusal::MarketInactive);
        }
        if new.price_e4 == 0
            || new.price_e4 >= E4_PER_DOLLAR
            || !new.price_e4.is_multiple_of(TICK_E4)
        {
            return Err(Refusal::InvalidPrice);
        }
        if new
            .client_order_id
            .as_ref()
            .is_some_and(|id| self.client_ids.contains(id))
        {
            return Err(Refusal::AlreadyExists);
        }
        if new.post_only && market.book.crosses(new.side, new.price_e4) {
            return Err(Refusal::PostOnlyCross);
        }
        let (tradable, executions) = market.book.preview(&incoming_of(new));
        if new.time_in_force == TimeInForce::FillOrKill && tradable < new.count_centi {
            return Err(Refusal::FillOrKill);
        }
        let series = market.series;
        if new.account == CLIENT && self.shortfall(new, executions) {
            return Err(Refusal::InsufficientBalance);
        }
        if let Some(id) = &new.client_order_id {
            self.client_ids.insert(id.clone());
        }
        Ok(series)
    }

    /// Whether the account could not pay were this order, and all that rest already, to fill at
    /// their limits. A fee is rounded up once an execution, so each may cost $0.0001 more.
    fn shortfall(&self, new: &NewOrder, executions: u32) -> bool {
        let Some(account) = self.accounts.get(new.account as usize) else {
            return true;
        };
        let required: i64 = self
            .markets
            .iter()
            .enumerate()
            .map(|(number, market)| {
                let rate = market.series.taker_rate_e4();
                let resting = |side| -> Vec<(u16, u32, i64)> {
                    let orders = market.book.resting_of(new.account, side);
                    orders
                        .map(|(price, count)| (price, count, fee_micros(rate, price, count)))
                        .collect()
                };
                let (mut bids, mut asks) = (resting(Side::Bid), resting(Side::Ask));
                if number == new.market {
                    let fee = fee_micros(rate, new.price_e4, new.count_centi)
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
        account.balance_micros() < required
    }

    fn fresh_order(&self, number: OrderNumber, mut new: NewOrder, now_us: i64) -> Order {
        if new.reduce_only {
            // A reduce-only order never passes through zero; what exceeds the position is cut off.
            let position = self
                .accounts
                .get(new.account as usize)
                .map_or(0, |account| account.position_centi(new.market));
            let closable = (-new.side.sign() * position).max(0);
            new.count_centi = new
                .count_centi
                .min(u32::try_from(closable).unwrap_or(u32::MAX));
        }
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

    fn apply_matches(&mut self, order: &mut Order, taken: &Taken, series: Series, now_us: i64) {
        let market = order.new.market;
        for one in &taken.matches {
            let maker_side = super::book::opposite(order.new.side);
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
            let fee = fee_micros(series.taker_rate_e4(), one.price_e4, one.count_centi);
            order.filled_centi += one.count_centi;
            order.left_centi -= one.count_centi;
            order.taker_cost_micros += own_cost;
            order.taker_fee_micros += fee;
            order.reason = Reason::Trade;
            self.settle_side(order, &trade, true, fee);
            let maker_fee = fee_micros(series.maker_rate_e4(), one.price_e4, one.count_centi);
            self.fill_maker(one, &trade, maker_side, maker_fee, now_us);
            self.count_interest(market);
        }
    }

    fn fill_maker(
        &mut self,
        one: &super::book::Match,
        trade: &Trade,
        side: Side,
        fee: i64,
        now_us: i64,
    ) {
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

    fn tell_order(&mut self, order: &Order) {
        self.versions
            .entry(order.number)
            .or_default()
            .push(order.clone());
        self.happenings
            .push(Happening::Order(Box::new(order.clone())));
    }

    /// Books one side of a trade and, when it is the client's, tells it.
    fn settle_side(&mut self, order: &Order, trade: &Trade, is_taker: bool, fee_micros: i64) {
        let Some(account) = self.accounts.get_mut(order.new.account as usize) else {
            return;
        };
        account.book(&Booking {
            market: trade.market,
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
            for number in entry.remove() {
                self.cancel(number, Reason::ExpiryCancel, now_us);
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

    /// Closes a market: what rests is cancelled, nothing trades any more.
    pub(crate) fn close(&mut self, market: MarketNumber, now_us: i64) {
        let Some(entry) = self
            .markets
            .get(market)
            .filter(|entry| entry.life == Life::Active)
        else {
            return;
        };
        for order in entry.book.orders() {
            self.cancel(order, Reason::CloseCancel, now_us);
        }
        self.live(market, Life::Closed, now_us);
    }

    /// Determines a closed market: the value of a YES contract is known.
    pub(crate) fn determine(&mut self, market: MarketNumber, value_e4: u16, now_us: i64) {
        if self
            .markets
            .get(market)
            .is_some_and(|entry| entry.life == Life::Closed)
        {
            self.live(
                market,
                Life::Determined {
                    value_e4: value_e4.min(E4_PER_DOLLAR),
                    at_us: now_us,
                },
                now_us,
            );
        }
    }

    /// Pays a determined market out.
    pub(crate) fn settle(&mut self, market: MarketNumber, now_us: i64) {
        let Some(Life::Determined { value_e4, .. }) =
            self.markets.get(market).map(|entry| entry.life)
        else {
            return;
        };
        for (number, account) in self.accounts.iter_mut().enumerate() {
            let Some(holding) = account.settle(market, value_e4, now_us) else {
                continue;
            };
            if number == CLIENT as usize && holding.position_centi != 0 {
                self.settlements.push(Settlement {
                    market,
                    value_e4,
                    holding,
                    at_us: now_us,
                });
            }
        }
        self.live(
            market,
            Life::Finalized {
                value_e4,
                at_us: now_us,
            },
            now_us,
        );
        self.count_interest(market);
        self.happenings.push(Happening::Position { market });
    }

    fn live(&mut self, market: MarketNumber, life: Life, at_us: i64) {
        let Some(entry) = self.markets.get_mut(market) else {
            return;
        };
        entry.life = life;
        entry.updated_us = at_us;
        self.happenings.push(Happening::Life {
            market,
            life,
            at_us,
        });
    }

    fn print(
        &mut self,
        market: MarketNumber,
        price_e4: u16,
        count_centi: u32,
        taker: Side,
        at_us: i64,
    ) -> Trade {
        let id = self.identity("trade", &self.next_trade.to_string());
        self.next_trade += 1;
        let trade = Trade {
            id,
            market,
            price_e4,
            count_centi,
            taker,
            at_us,
        };
        if self.tape.len() >= 2 * TAPE {
            self.tape.drain(..TAPE);
        }
        self.tape.push(trade.clone());
        self.happenings.push(Happening::Trade(trade.clone()));
        let entry = &mut self.markets[market];
        entry.last_price_e4 = price_e4;
        entry.last_count_centi = count_centi;
        entry.volume_centi += i64::from(count_centi);
        entry.dollar_volume_micros += cost_micros(price_e4, count_centi);
        trade
    }

    fn count_interest(&mut self, market: MarketNumber) {
        let open = self
            .accounts
            .iter()
            .map(|account| account.position_centi(market).max(0))
            .sum();
        if let Some(entry) = self.markets.get_mut(market) {
            entry.open_interest_centi = open;
        }
    }

    fn delta(
        &mut self,
        market: MarketNumber,
        side: Side,
        price_e4: u16,
        delta_centi: i64,
        client_order_id: Option<String>,
        at_us: i64,
    ) {
        self.happenings.push(Happening::Delta {
            market,
            side,
            price_e4,
            delta_centi,
            client_order_id,
            at_us,
        });
    }

    fn touch(&self, market: MarketNumber) -> [Option<(u16, i64)>; 2] {
        self.markets.get(market).map_or([None, None], |entry| {
            [entry.book.best(Side::Bid), entry.book.best(Side::Ask)]
        })
    }

    fn ticker_if_moved(
        &mut self,
        market: MarketNumber,
        before: [Option<(u16, i64)>; 2],
        traded: bool,
        at_us: i64,
    ) {
        if traded || self.touch(market) != before {
            if let Some(entry) = self.markets.get_mut(market) {
                entry.updated_us = at_us;
            }
            self.happenings.push(Happening::Ticker { market, at_us });
        }
    }
}

fn incoming_of(new: &NewOrder) -> Incoming {
    Incoming {
        account: new.account,
        side: new.side,
        price_e4: new.price_e4,
        count_centi: new.count_centi,
        self_trade: new.self_trade,
    }
}
