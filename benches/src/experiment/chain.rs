//! How long does a tick take through the pipeline's three hops, with its real stages: price, signal,
//! order?
//!
//! Two processes, so that it can be measured on two cores: the near one is the source and the
//! `signal_processor`, the far one the `game_shard` and the `execution_service`, so that each of the
//! three messages crosses from one process to the other. Timed from the tick to the point at which
//! the order would go to the venue. One tick is on its way at a time; the acknowledgement that ends
//! it goes back by the transport too, and is not timed. The floor is the same stages in one thread.

use super::Place;
use crate::{
    Failure,
    carrier::{Far, open},
    decisions::{Limiting, Pricing, conclude, place as place_order},
    entry::Part,
    exchange::receive,
    job::Job,
    link::Link,
    outcome::Outcome,
    partner::{Partner, Work},
    payload::{Size, price},
    rounds::{Cell, Contender},
    row::{Between, Waiting},
    transport::{End, InProcess, Receiver, Sender, Transport},
};
use ipc::clock::mono_ns;
use layouts::{Order, OrderAck, PriceUpdate, Signal};
use std::time::{Duration, Instant};

/// As in the reports.
pub const NAME: &str = "chain";
/// Messages that must fit.
const SLOTS: u32 = 1024;
/// Ticks of a window; fewer where that would take longer than [`LONGEST`].
const TICKS: u64 = 500;
/// Ticks of the first window, which tells how fast a transport is.
const TRIAL: u64 = 20;
/// Ticks before the timed ones: the partner has just been woken.
const LEAD: u64 = 8;
const LONGEST: Duration = Duration::from_millis(6);

/// Prices, signals, orders, acknowledgements.
pub type Hops = [Link; 4];

/// The cell: the transports of the proposal, and rings.
///
/// # Errors
///
/// Never for want of a transport.
pub fn cells(place: &Place<'_>) -> Result<Vec<Cell>, Failure> {
    let mut cell = Cell::new(NAME);
    cell.message_bytes = Some(Size::Price.bytes());
    cell.differences = true;
    let floor = cell.enter_own(
        "floor: the stages alone",
        Between::Nothing,
        Waiting::Spins,
        None,
        Box::new(Alone::new()),
    )?;
    for entry in place.entries(NAME, Part::Chain) {
        let hops = [(); 4].map(|()| place.link(SLOTS));
        let job = Job::Chain {
            who: entry.id(),
            hops: Box::new(hops.clone()),
        };
        let far = place.far(entry, job);
        let contender = entry.carrier.chain(&hops, far);
        place.enter(&mut cell, entry, floor, contender)?;
    }
    Ok(vec![cell])
}

/// The stages without a transport.
struct Alone {
    pricing: Pricing,
    limiting: Limiting,
    number: u64,
}

impl Alone {
    fn new() -> Self {
        Self {
            pricing: Pricing::new(&price(0, 0)),
            limiting: Limiting::new(),
            number: 0,
        }
    }
}

impl Contender for Alone {
    fn window(&mut self) -> Result<Outcome, Failure> {
        let mut latencies = Vec::new();
        for tick in 0..LEAD + TICKS {
            self.number += 1;
            let tick_price = price(self.number, mono_ns());
            let signal = self.pricing.on_price(&tick_price).ok_or(NO_SIGNAL)?;
            let order = self.limiting.on_signal(&signal).ok_or(NO_ORDER)?;
            let placement = place_order(&order, signal.ingress_mono_ns).ok_or(NO_POST)?;
            let now = mono_ns();
            if tick >= LEAD {
                latencies.push(now - order.ingress_mono_ns);
            }
            self.limiting.on_ack(&conclude(&order, placement, now));
        }
        Ok(Outcome::of_latencies(latencies))
    }
}

const NO_SIGNAL: &str = "a price raised no signal";
const NO_ORDER: &str = "a signal became no order";
const NO_POST: &str = "an order may not be posted";

/// The near side, over a transport between processes.
///
/// # Errors
///
/// When an end cannot be had.
pub fn near<Tr: Transport>(hops: &Hops, far: Far) -> Result<Box<dyn Contender>, Failure> {
    let [prices, signals, orders, acks] = hops;
    let mut partner = far.process()?;
    let prices = open::<Tr, _>(End::Sender, &mut partner, || {
        Tr::sender::<PriceUpdate>(prices)
    })?;
    let signals = open::<Tr, _>(End::Receiver, &mut partner, || {
        Tr::receiver::<Signal>(signals)
    })?;
    let orders = open::<Tr, _>(End::Sender, &mut partner, || Tr::sender::<Order>(orders))?;
    let acks = open::<Tr, _>(End::Receiver, &mut partner, || {
        Tr::receiver::<OrderAck>(acks)
    })?;
    Ok(Box::new(Near::new(prices, signals, orders, acks, partner)))
}

/// What the partner process does.
#[must_use]
pub fn far<Tr: Transport>(hops: Hops) -> Work {
    let (mut prices, mut signals, mut orders, mut acks) = (None, None, None, None);
    let mut pricing = Pricing::new(&price(0, 0));
    Box::new(move |ticks| {
        match (&mut prices, &mut signals, &mut orders, &mut acks) {
            (None, ..) => prices = Some(Tr::receiver::<PriceUpdate>(&hops[0])?),
            (_, None, ..) => signals = Some(Tr::sender::<Signal>(&hops[1])?),
            (.., None, _) => orders = Some(Tr::receiver::<Order>(&hops[2])?),
            (.., None) => acks = Some(Tr::sender::<OrderAck>(&hops[3])?),
            (Some(prices), Some(signals), Some(orders), Some(acks)) => {
                return work(&mut pricing, prices, signals, orders, acks, ticks);
            }
        }
        Ok(Outcome::default())
    })
}

/// Both sides, over a transport between threads.
///
/// # Errors
///
/// When it cannot be had.
pub fn within<P: InProcess>(far: Far) -> Result<Box<dyn Contender>, Failure> {
    let (prices, mut far_prices) = P::pair::<PriceUpdate>(SLOTS)?;
    let (mut far_signals, signals) = P::pair::<Signal>(SLOTS)?;
    let (orders, mut far_orders) = P::pair::<Order>(SLOTS)?;
    let (mut far_acks, acks) = P::pair::<OrderAck>(SLOTS)?;
    let mut pricing = Pricing::new(&price(0, 0));
    let partner = Partner::thread(far.core()?, move |ticks| {
        work(
            &mut pricing,
            &mut far_prices,
            &mut far_signals,
            &mut far_orders,
            &mut far_acks,
            ticks,
        )
    })?;
    Ok(Box::new(Near::new(prices, signals, orders, acks, partner)))
}

/// A window of the far side, which sees the order arrive.
fn work(
    pricing: &mut Pricing,
    prices: &mut impl Receiver<PriceUpdate>,
    signals: &mut impl Sender<Signal>,
    orders: &mut impl Receiver<Order>,
    acks: &mut impl Sender<OrderAck>,
    ticks: u64,
) -> Result<Outcome, Failure> {
    let mut latencies = Vec::with_capacity(usize::try_from(ticks)?);
    for tick in 0..ticks {
        let price = receive(prices)?;
        let signal = pricing.on_price(&price).ok_or(NO_SIGNAL)?;
        send(signals, &signal)?;
        prices.commit();
        let order = receive(orders)?;
        let now = mono_ns();
        let placement = place_order(&order, now).ok_or(NO_POST)?;
        if tick >= LEAD {
            latencies.push(now.saturating_sub(order.ingress_mono_ns));
        }
        send(acks, &conclude(&order, placement, now))?;
        orders.commit();
    }
    Ok(Outcome::of_latencies(latencies))
}

/// The near side.
struct Near<A, B, C, D> {
    prices: A,
    signals: B,
    orders: C,
    acks: D,
    partner: Partner,
    limiting: Limiting,
    ticks: u64,
    number: u64,
}

impl<A, B, C, D> Near<A, B, C, D> {
    fn new(prices: A, signals: B, orders: C, acks: D, partner: Partner) -> Self {
        Self {
            prices,
            signals,
            orders,
            acks,
            partner,
            limiting: Limiting::new(),
            ticks: TRIAL,
            number: 0,
        }
    }
}

impl<A, B, C, D> Contender for Near<A, B, C, D>
where
    A: Sender<PriceUpdate>,
    B: Receiver<Signal>,
    C: Sender<Order>,
    D: Receiver<OrderAck>,
{
    fn window(&mut self) -> Result<Outcome, Failure> {
        let ticks = self.ticks;
        self.partner.start(LEAD + ticks)?;
        let start = Instant::now();
        for _ in 0..LEAD + ticks {
            self.number += 1;
            send(&mut self.prices, &price(self.number, mono_ns()))?;
            let signal = receive(&mut self.signals)?;
            let order = self.limiting.on_signal(&signal).ok_or(NO_ORDER)?;
            send(&mut self.orders, &order)?;
            self.signals.commit();
            self.limiting.on_ack(&receive(&mut self.acks)?);
            self.acks.commit();
        }
        let each = start.elapsed().as_nanos() / u128::from(LEAD + ticks);
        let fitting = u64::try_from(LONGEST.as_nanos() / each.max(1))?;
        self.ticks = self.ticks.max(fitting.clamp(TRIAL, TICKS));
        self.partner.outcome()
    }
}

#[inline(always)]
fn send<T>(to: &mut impl Sender<T>, message: &T) -> Result<(), Failure> {
    if !to.send(message)? {
        return Err("an empty transport says that it is full".into());
    }
    to.flush()
}
