//! What three independent sources say of the orders of a launch: the rings, followed as they flow; the venue's
//! lists over REST; the database. And whether they say the same.

use crate::restarts::venue_of;
use ipc::{Message, Observer};
use layouts::{Fill, MICROS_PER_DOLLAR, Order, OrderAck, OrderStatus, Side};
use pipeline::Pipeline;
use processes::{
    cold::{
        database::{self, Database},
        settlement::settlement,
    },
    venue::kalshi_wire::{FillRecord, OrderState, SettlementRecord},
};
use stages::execution::client_order_id;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, channel},
    },
    thread::JoinHandle,
    time::Duration,
};
use tests::scratch::{Scratch, await_some};

/// Time between two looks at a ring of which nothing is lost in less than a thousand messages.
const LOOK: Duration = Duration::from_millis(2);

/// Follows a lossless ring through all deaths of its ends, without a role in it.
pub(super) struct Follower<T> {
    thread: JoinHandle<()>,
    enough: Arc<AtomicBool>,
    seen: Receiver<T>,
}

impl<T: Message + Send> Follower<T> {
    /// From the ring's first message on.
    pub(super) fn of(scratch: &Scratch, ring: &str) -> Self {
        let observer = Observer::open(&scratch.pipeline.ring_path(ring)).unwrap();
        let enough = Arc::new(AtomicBool::new(false));
        let (to, seen) = channel();
        let (last, name) = (Arc::clone(&enough), ring.to_owned());
        let thread = std::thread::spawn(move || {
            let mut next = 0;
            loop {
                // Asked before the look, so that what came before the word is seen.
                let done = last.load(Ordering::Acquire);
                let published = observer.statistics().published;
                while next < published {
                    let message = observer.read::<T>(next).unwrap();
                    let message =
                        message.unwrap_or_else(|| panic!("{name}: message {next} was overtaken"));
                    next += 1;
                    to.send(message).unwrap();
                }
                if done {
                    return;
                }
                std::thread::sleep(LOOK);
            }
        });
        Self {
            thread,
            enough,
            seen,
        }
    }

    /// Everything that the ring has carried.
    fn finish(self) -> Vec<T> {
        self.enough.store(true, Ordering::Release);
        self.thread.join().expect("the follower has lost nothing");
        self.seen.into_iter().collect()
    }
}

/// The rings of a launch's orders, from its beginning.
pub(super) struct Followed {
    orders: Follower<Order>,
    acks: Follower<OrderAck>,
    fills: Follower<Fill>,
}

impl Followed {
    pub(super) fn of(scratch: &Scratch) -> Self {
        Self {
            orders: Follower::of(scratch, "orders"),
            acks: Follower::of(scratch, "acks"),
            fills: Follower::of(scratch, "fills"),
        }
    }
}

/// What the venue says while nothing is on its way.
pub(super) struct AtVenue {
    orders: Vec<OrderState>,
    fills: Vec<FillRecord>,
    settlements: Vec<SettlementRecord>,
    balance_micros: i64,
    run_id: String,
    /// Market number by ticker.
    numbers: HashMap<String, u32>,
}

impl AtVenue {
    /// Asks it.
    pub(super) fn of(scratch: &Scratch) -> Self {
        let (.., rest) = venue_of(scratch);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let said = await_some("the venue's word", || {
            runtime.block_on(async {
                let orders = rest.orders(None).await.ok()?;
                let fills = rest.fills_since(0).await.ok()?;
                let before = rest.balance().await.ok()?.balance_micros;
                let settlements = rest.settlements(0).await.ok()?;
                // No market was settled in between.
                let balance = rest.balance().await.ok()?.balance_micros;
                (before == balance).then_some((orders, fills, settlements, balance))
            })
        });
        let (orders, fills, settlements, balance_micros) = said;
        let pipeline = resolved(scratch);
        let markets = open(&pipeline).markets().unwrap();
        Self {
            orders,
            fills,
            settlements,
            balance_micros,
            run_id: pipeline.run_id,
            numbers: markets.into_iter().map(|(n, ticker)| (ticker, n)).collect(),
        }
    }
}

fn resolved(scratch: &Scratch) -> Pipeline {
    Pipeline::load(&scratch.pipeline.run_dir.join("pipeline.toml")).unwrap()
}

fn open(pipeline: &Pipeline) -> Database {
    Database::open_read_only(&database::path(pipeline)).unwrap()
}

/// What was found, in numbers.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Found {
    /// Orders made.
    pub(super) orders: usize,
    /// Orders at the venue.
    pub(super) at_venue: usize,
    /// Trades at the venue.
    pub(super) fills: usize,
    /// Orders twice in the ring or at the venue, or filled beyond their count.
    pub(super) duplicates: usize,
    /// Orders without a final fate, or with two; and what the venue has and we do not know.
    pub(super) lost: usize,
    /// Fills that came again, as they may after a death.
    pub(super) fills_again: usize,
    /// Orders by fate: filled, partly filled, unfilled, rejected, expired, unknown.
    pub(super) fates: [usize; 6],
}

impl Found {
    pub(super) fn add(&mut self, other: &Self) {
        self.orders += other.orders;
        self.at_venue += other.at_venue;
        self.fills += other.fills;
        self.duplicates += other.duplicates;
        self.lost += other.lost;
        self.fills_again += other.fills_again;
        for (sum, count) in self.fates.iter_mut().zip(other.fates) {
            *sum += count;
        }
    }
}

/// Compares the sources after a launch has ended. Each complaint is counted and told.
pub(super) fn judge(
    scratch: &Scratch,
    followed: Followed,
    venue: &AtVenue,
) -> (Found, Vec<String>) {
    let mut judge = Judge {
        venue,
        found: Found::default(),
        complaints: Vec::new(),
    };
    let orders = judge.orders(&followed.orders.finish());
    let filled = judge.filled();
    let fates = judge.fates(&orders, followed.acks.finish());
    judge.compare(&orders, &fates, &filled);
    let booked = open(&resolved(scratch)).fills().unwrap();
    judge.trades(&followed.fills.finish(), &booked, scratch);
    (judge.found, judge.complaints)
}

struct Judge<'a> {
    venue: &'a AtVenue,
    found: Found,
    complaints: Vec<String>,
}

impl Judge<'_> {
    fn duplicate(&mut self, what: String) {
        self.found.duplicates += 1;
        self.complaints.push(format!("twice: {what}"));
    }

    fn lost(&mut self, what: String) {
        self.found.lost += 1;
        self.complaints.push(format!("lost: {what}"));
    }

    /// The orders of the ring by client order id.
    fn orders(&mut self, made: &[Order]) -> BTreeMap<String, Order> {
        let mut orders = BTreeMap::new();
        for order in made {
            let id = client_order_id(&self.venue.run_id, order.order);
            if orders.insert(id.clone(), *order).is_some() {
                self.duplicate(format!("{id} in the ring"));
            }
        }
        self.found.orders = orders.len();
        orders
    }

    /// What the venue traded, by its own id of the order.
    fn filled(&mut self) -> HashMap<String, u64> {
        let (mut filled, mut trades) = (HashMap::new(), HashSet::new());
        for fill in &self.venue.fills {
            *filled.entry(fill.order_id.clone()).or_default() += u64::from(fill.count_centi);
            if !trades.insert(fill.trade_id) {
                self.duplicate(format!("trade {:02x?} at the venue", fill.trade_id));
            }
        }
        self.found.fills = trades.len();
        filled
    }

    /// The final word on each order, which is said once.
    fn fates(
        &mut self,
        orders: &BTreeMap<String, Order>,
        acks: Vec<OrderAck>,
    ) -> HashMap<String, OrderAck> {
        let mut fates: HashMap<String, OrderAck> = HashMap::new();
        for ack in acks {
            let id = client_order_id(&self.venue.run_id, ack.order);
            if !orders.contains_key(&id) {
                self.lost(format!("{id} was acknowledged and is not in the ring"));
            }
            if let Some(before) = fates.get(&id) {
                self.lost(format!("{id} has two fates: {before:?} and {ack:?}"));
            } else {
                self.found.fates[usize::from(ack.status.min(5))] += 1;
                fates.insert(id, ack);
            }
        }
        for id in orders.keys().filter(|id| !fates.contains_key(*id)) {
            self.lost(format!("{id} has no fate"));
        }
        for (id, ack) in &fates {
            if matches!(ack.status(), None | Some(OrderStatus::Unknown)) {
                self.lost(format!("{id} has an unknown fate: {ack:?}"));
            }
        }
        fates
    }

    /// Ring, fate and venue of each order.
    fn compare(
        &mut self,
        orders: &BTreeMap<String, Order>,
        fates: &HashMap<String, OrderAck>,
        filled: &HashMap<String, u64>,
    ) {
        let (mut clients, mut venues) = (HashMap::new(), HashSet::new());
        let venue = self.venue;
        self.found.at_venue = venue.orders.len();
        for there in &venue.orders {
            let id = &there.client_order_id;
            if clients.insert(id.as_str(), there).is_some() || !venues.insert(&there.order_id) {
                self.duplicate(format!("{id} at the venue: {there:?}"));
            }
            let traded = filled.get(&there.order_id).copied().unwrap_or(0);
            let Some(order) = orders.get(id) else {
                self.lost(format!("the venue has {id}, which we never made"));
                continue;
            };
            if traded > u64::from(order.count_centi) {
                self.duplicate(format!("{id} traded {traded} of {}", order.count_centi));
            }
            let told = fates.get(id).map(|ack| u64::from(ack.filled_centi));
            if told != Some(traded) || u64::from(there.filled_centi) != traded {
                self.lost(format!("{id} traded {traded}: {there:?}, {told:?}"));
            }
        }
        for (id, ack) in fates {
            if ack.filled_centi > 0 && !clients.contains_key(id.as_str()) {
                self.lost(format!("{id} is not at the venue: {ack:?}"));
            }
        }
    }

    /// Trades and money: of the ring of fills, of the database and of the venue.
    fn trades(&mut self, carried: &[Fill], booked: &[Fill], scratch: &Scratch) {
        let carried_ids: HashSet<[u8; 16]> = carried.iter().map(|fill| fill.trade).collect();
        self.found.fills_again += carried.len() - carried_ids.len();
        let key = |fill: &Fill| {
            (
                fill.market,
                fill.count_centi,
                fill.price_e4,
                fill.fee_micros,
            )
        };
        let mut ours: HashMap<[u8; 16], _> =
            booked.iter().map(|fill| (fill.trade, key(fill))).collect();
        let (mut cash, mut held) = (0, HashMap::<u32, i64>::new());
        let venue = self.venue;
        for fill in &venue.fills {
            let market = venue.numbers.get(&fill.ticker).copied().unwrap_or(0);
            let fee = u32::try_from(fill.fee_micros).unwrap();
            let theirs = (market, fill.count_centi, fill.price_e4, fee);
            let booked = ours.remove(&fill.trade_id);
            if booked != Some(theirs) || !carried_ids.contains(&fill.trade_id) {
                self.lost(format!("{fill:?} is booked as {booked:?}"));
            }
            let sign = if fill.side == Side::Bid { 1 } else { -1 };
            let count = sign * i64::from(fill.count_centi);
            cash -= count * i64::from(fill.price_e4) + fill.fee_micros;
            *held.entry(market).or_default() += count;
        }
        if !ours.is_empty() {
            self.duplicate(format!("booked and not at the venue: {ours:?}"));
        }
        for settled in &venue.settlements {
            let market = venue.numbers.get(&settled.ticker).copied().unwrap_or(0);
            let count = held.remove(&market).unwrap_or(0);
            let paid = settlement(settled).expect("a decided market");
            cash += count * i64::from(paid.value_e4) + paid.remainder_micros;
        }
        // A contract sold short is a dollar that the venue keeps.
        let short: i64 = held.values().map(|count| (-count).max(0)).sum();
        let simulator = scratch.pipeline.simulator.as_ref().unwrap();
        let start = i64::from(simulator.balance_dollars) * MICROS_PER_DOLLAR;
        let expected = start + cash - short * (MICROS_PER_DOLLAR / 100);
        if expected != venue.balance_micros {
            let balance = venue.balance_micros;
            self.lost(format!("money: {expected} by the fills, {balance} there"));
        }
    }
}
