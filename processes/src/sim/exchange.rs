//! The matching engine: markets, books, orders and accounts in one place. It does no I/O, reads no
//! clock and draws no random number: time is passed in, identities derive from the run's name, so
//! the same calls give the same answers. Orders are taken in and matched in `matching`, amended and
//! decreased in `changing`, paused in `pausing`; `groups` are the venue's brakes on how much may match in a while.
//! What others must be told lies in [`Exchange::happenings`].

mod changing;
mod groups;
mod matching;
mod pausing;

pub(crate) use groups::Group;

use super::book::{AccountNumber, Book, OrderNumber};
use super::catalogue::{Event, Life, Market, NewEvent};
use super::ledger::{Account, MarketNumber, Shard};
use super::records::{ClientFill, Happening, Order, Reason, Settlement, Trade};
use layouts::Side;
use layouts::units::{E4_PER_DOLLAR, cost_micros};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// The one account that is reached from outside. All others are simulated traders without limits.
pub(crate) const CLIENT: AccountNumber = 0;

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
    groups: BTreeMap<String, Group>,
    next_group: u64,
    /// Nothing trades for now.
    paused: bool,
    happenings: Vec<Happening>,
}

/// Trades kept on the tape.
const TAPE: usize = 10_000;

impl Exchange {
    /// An exchange without markets, where the client has no money yet. `run` makes the identities of
    /// this run differ from all others'.
    pub(crate) fn new(run: &str) -> Self {
        Self {
            run: Uuid::new_v5(&Uuid::NAMESPACE_OID, run.as_bytes()),
            events: Vec::new(),
            markets: Vec::new(),
            by_ticker: HashMap::new(),
            accounts: vec![Account::default()],
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
            groups: BTreeMap::new(),
            next_group: 1,
            paused: false,
            happenings: Vec::new(),
        }
    }

    /// Opens an account for a simulated trader.
    pub(crate) fn open_account(&mut self) -> AccountNumber {
        self.accounts.push(Account::default());
        AccountNumber::try_from(self.accounts.len() - 1).unwrap_or(AccountNumber::MAX)
    }

    /// Puts money of the client on a shard.
    pub(crate) fn deposit(&mut self, shard: Shard, micros: i64) {
        if let Some(client) = self.accounts.first_mut() {
            client.deposit(shard, micros);
        }
    }

    /// Spreads money of the client evenly over the shards that list an event, as one has to before
    /// trading there. What cannot be shared goes to the first.
    pub(crate) fn endow(&mut self, micros: i64) {
        let shards: BTreeSet<Shard> = self
            .events
            .iter()
            .map(|event| event.series.exchange_index)
            .collect();
        let first = shards.first().copied().unwrap_or(0);
        let part = micros / i64::try_from(shards.len().max(1)).unwrap_or(1);
        let mut left = micros;
        for shard in shards.into_iter().filter(|shard| *shard != first) {
            self.deposit(shard, part);
            left -= part;
        }
        self.deposit(first, left);
    }

    /// Lists an event with its two markets and returns their numbers, home and away.
    pub(crate) fn list(&mut self, new: NewEvent, now_us: i64) -> [MarketNumber; 2] {
        let event = self.events.len();
        let first = self.markets.len();
        let [home, away] = &new.teams;
        let fees = new.fees.unwrap_or(new.series.fees);
        self.events.push(Event {
            title: format!("{} vs {}", away.1, home.1),
            sub_title: format!("{} vs {}", away.0, home.0),
            ticker: new.ticker.clone(),
            series: new.series,
            start_us: new.start_us,
            listed_us: now_us,
            milestone_id: self.identity("milestone", &new.ticker),
            fees,
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
                fees,
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

    /// Closes a market: what rests is cancelled, nothing trades any more.
    pub(crate) fn close(&mut self, market: MarketNumber, now_us: i64) {
        let Some(entry) = self
            .markets
            .get(market)
            .filter(|entry| matches!(entry.life, Life::Active | Life::Inactive))
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
