//! Places one order: carries out the steps that [`Placement`] decides, against the venue.

use super::desk::Desk;
use super::dry_orders::DryOrders;
use super::listings::{Listing, Listings};
use super::look_up::{LookUps, Unreadable};
use crate::runtime::{Gate, Passages};
use crate::venue::error::VenueError;
use crate::venue::kalshi_rest::{KalshiRest, NewOrder};
use crate::venue::kalshi_wire::{FillRecord, OrderResult, OrderState};
use crate::venue::last_look::LastLook;
use hdrhistogram::Histogram;
use layouts::{Fill, Order, OrderAck, OrderStatus, RejectReason, Side};
use stages::execution::{Answer, Found, Placement, Step, Trade, Trades, ack, client_order_id};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long the `fill` channel may take to tell what the answer has announced.
const CHANNEL_PATIENCE: Duration = Duration::from_millis(300);
/// Wait between two reads of fills over REST, which lag by some 0.4 s.
const READ_EVERY: Duration = Duration::from_millis(250);
/// Time of reading before the fills are declared unknown.
const READ_FOR: Duration = Duration::from_secs(15);
/// Latencies are recorded up to this; a minute is beyond any expiry.
const SLOWEST_NS: u64 = 60_000_000_000;

/// An order taken from the ring.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    pub(super) sequence: u64,
    pub(super) order: Order,
    /// When it was pushed and popped, ns of `CLOCK_MONOTONIC`.
    pub(super) sent_ns: u64,
    pub(super) popped_ns: u64,
    /// By a predecessor that died, or by ourselves under the same id.
    pub(super) maybe_sent: bool,
}

/// What became of it.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) sequence: u64,
    pub(super) fills: Vec<Fill>,
    pub(super) ack: OrderAck,
}

/// What an order has left behind on its way.
#[derive(Debug, Default)]
struct Trace {
    /// When it came over from the hot thread.
    taken_up_ns: u64,
    /// The venue's id, once it has told it.
    order_id: Option<String>,
    /// Whether a Post of it was ever written.
    was_sent: bool,
}

/// What is counted on the venue's side.
#[derive(Debug)]
pub(super) struct Tally {
    /// From the tick's arrival to the moment when the request is signed, has its connection and is written, by order.
    pub(super) tick_to_order: Histogram<u64>,
    /// From the tick's arrival to that of the venue's answer, repeated posts included, by order.
    pub(super) tick_to_answer: Histogram<u64>,
    /// From the moment when the request that was answered is written: the venue's part of it.
    pub(super) order_to_answer: Histogram<u64>,
    /// Of each order: the tick's arrival, its own sending, its pop, when it was taken up here, when it was written.
    pub(super) passages: Passages<5>,
    /// Posts after an order's first.
    pub(super) retries: u64,
    /// Answers of too many requests.
    pub(super) rate_limited: u64,
    /// Orders looked up by id.
    pub(super) look_ups: u64,
    /// Orders whose fills had to be read over REST.
    pub(super) fills_by_rest: u64,
    /// Orders whose market was not known in time.
    pub(super) unknown_markets: u64,
    /// Orders written down in place of being sent.
    pub(super) dry_orders: u64,
    /// Times that everything which rests at the venue was cancelled.
    pub(super) cleared: u64,
}

impl Tally {
    pub(super) fn new() -> Option<Self> {
        let latencies = Histogram::new_with_max(SLOWEST_NS, 3).ok()?;
        Some(Self {
            tick_to_order: latencies.clone(),
            tick_to_answer: latencies.clone(),
            order_to_answer: latencies,
            passages: Passages::new(),
            retries: 0,
            rate_limited: 0,
            look_ups: 0,
            fills_by_rest: 0,
            unknown_markets: 0,
            dry_orders: 0,
            cleared: 0,
        })
    }
}

/// What all orders share.
#[derive(Debug)]
pub(super) struct Placing {
    pub(super) rest: KalshiRest,
    pub(super) look_ups: LookUps,
    pub(super) listings: Listings,
    pub(super) desk: Arc<Desk>,
    pub(super) run_id: String,
    /// Held for a count at a time, by tasks of one thread: never contended.
    pub(super) tally: Arc<Mutex<Tally>>,
    /// Shut when nothing may be sent.
    pub(super) gate: Gate,
    /// Takes orders in place of the venue.
    pub(super) dry: Option<DryOrders>,
}

impl Placing {
    /// Places an order and gathers its fills. Always ends, and with exactly one acknowledgement.
    pub(super) async fn place(&self, taken: Taken) -> Done {
        let Taken {
            sequence, order, ..
        } = taken;
        let taken_up_ns = ipc::clock::mono_ns();
        let id = client_order_id(&self.run_id, order.order);
        self.desk.expect(&id);
        let (fills, ack) = self.carry_out(&taken, &id, taken_up_ns).await;
        self.desk.forget(&id);
        Done {
            sequence,
            fills,
            ack,
        }
    }

    async fn carry_out(&self, taken: &Taken, id: &str, taken_up_ns: u64) -> (Vec<Fill>, OrderAck) {
        let order = &taken.order;
        let done = |status, reason| {
            (
                Vec::new(),
                ack(order, status, reason, ipc::clock::mono_ns()),
            )
        };
        let Some(side) = order.side() else {
            return done(OrderStatus::Rejected, RejectReason::Other);
        };
        let listing = self.listing(taken).await;
        if listing.is_none() {
            self.count(|tally| tally.unknown_markets += 1);
            if !taken.maybe_sent {
                return done(OrderStatus::Rejected, RejectReason::UnknownMarket);
            }
        }
        let ticker = match &listing {
            Some(listing) => Some(listing.ticker.clone()),
            None => self.listings.ticker_of_old(order.market),
        };
        let ticker = ticker.as_deref();
        if let (Some(dry), Some(listing)) = (&self.dry, &listing) {
            let (status, reason) = self.show(dry, taken, side, listing, id);
            return done(status, reason);
        }
        let mut placement = if taken.maybe_sent {
            Placement::resumed(order.expires_mono_ns)
        } else {
            Placement::new(order.expires_mono_ns)
        };
        let mut trace = Trace {
            taken_up_ns,
            ..Trace::default()
        };
        let mut step = placement.first_step();
        loop {
            step = match step {
                Step::Post { after } => {
                    pause(after).await;
                    match (placement.may_post(self.posting_time()), &listing) {
                        (Ok(()), Some(listing)) => {
                            let answer = self.post(taken, side, listing, id, &mut trace);
                            placement.on_answer(answer.await)
                        }
                        // It was not sent before, and without its market it cannot be sent now.
                        (Ok(()), None) => {
                            return done(OrderStatus::Rejected, RejectReason::UnknownMarket);
                        }
                        (Err(other), _) => other,
                    }
                }
                Step::LookUp { after } => {
                    pause(after).await;
                    self.count(|tally| tally.look_ups += 1);
                    let found = self.look_ups.order(ticker, id).await;
                    placement.on_found(found_of(found, &mut trace.order_id), ipc::clock::mono_ns())
                }
                Step::Collect { filled_centi } => {
                    let (trades, complete) = self
                        .collect(id, trace.order_id.as_deref(), filled_centi)
                        .await;
                    let ack = trades.ack(order, complete, ipc::clock::mono_ns());
                    return (trades.fills(order), ack);
                }
                Step::Finish { status, reason } => return done(status, reason),
            };
        }
    }

    /// Now; while trading is halted the end of time, when every order has expired: what may have been sent
    /// is looked up then, as it is for an order that was overtaken by its expiry.
    fn posting_time(&self) -> u64 {
        if self.gate.is_shut() {
            u64::MAX
        } else {
            ipc::clock::mono_ns()
        }
    }

    /// The order's market, as soon as it is discovered: a new process reads of it again. What may have been sent is
    /// looked up at once instead.
    async fn listing(&self, taken: &Taken) -> Option<Arc<Listing>> {
        if taken.maybe_sent {
            return self.listings.known(taken.order.market);
        }
        let expires = taken.order.expires_mono_ns;
        let patience = Duration::from_nanos(expires.saturating_sub(ipc::clock::mono_ns()));
        self.listings.clone().of(taken.order.market, patience).await
    }

    /// Writes an order down in place of sending it, if it might be sent.
    fn show(
        &self,
        dry: &DryOrders,
        taken: &Taken,
        side: Side,
        listing: &Listing,
        id: &str,
    ) -> (OrderStatus, RejectReason) {
        let (order, now) = (&taken.order, self.posting_time());
        if now > order.expires_mono_ns {
            return (OrderStatus::Expired, RejectReason::None);
        }
        let request = new_order(order, side, listing, id);
        if let Err(error) = dry.write(&request, now.saturating_sub(order.ingress_mono_ns)) {
            tracing::error!(%error, id, "the order cannot be written down");
            return (OrderStatus::Rejected, RejectReason::Other);
        }
        self.count(|tally| tally.dry_orders += 1);
        (OrderStatus::Unfilled, RejectReason::None)
    }

    async fn post(
        &self,
        taken: &Taken,
        side: Side,
        listing: &Listing,
        id: &str,
        trace: &mut Trace,
    ) -> Answer {
        let order = &taken.order;
        let request = new_order(order, side, listing, id);
        let (gate, expires) = (self.gate.clone(), order.expires_mono_ns);
        let look = LastLook::new(move |now| now <= expires && !gate.is_shut());
        let answer = self.rest.create_order(&request, &look).await;
        let answer = answer_of(answer, &mut trace.order_id);
        let answered = ipc::clock::mono_ns();
        let Some(written) = look.close() else {
            return answer;
        };
        let first = !std::mem::replace(&mut trace.was_sent, true);
        let ingress = order.ingress_mono_ns;
        self.count(|tally| {
            if first {
                let took = written.saturating_sub(ingress);
                tally.tick_to_order.saturating_record(took);
                let times = [
                    ingress,
                    taken.sent_ns,
                    taken.popped_ns,
                    trace.taken_up_ns,
                    written,
                ];
                tally.passages.keep(order.order, times);
            } else {
                tally.retries += 1;
            }
            match answer {
                Answer::RateLimited => tally.rate_limited += 1,
                Answer::Missing | Answer::NotSent => {}
                Answer::Placed { .. } | Answer::AlreadyExists | Answer::Refused(_) => {
                    let took = answered.saturating_sub(written);
                    tally.order_to_answer.saturating_record(took);
                    let took = answered.saturating_sub(ingress);
                    tally.tick_to_answer.saturating_record(took);
                }
            }
        });
        answer
    }

    /// The order's trades, and whether they add up to what the venue said.
    async fn collect(&self, id: &str, order_id: Option<&str>, filled_centi: u32) -> (Trades, bool) {
        let complete = |trades: &Trades| trades.count_centi() == u64::from(filled_centi);
        let mut trades = self.desk.trades(id, filled_centi, CHANNEL_PATIENCE).await;
        if let (false, Some(order_id)) = (complete(&trades), order_id) {
            self.count(|tally| tally.fills_by_rest += 1);
            let reading = async {
                while !complete(&trades) {
                    self.read_fills(order_id, &mut trades).await;
                }
            };
            let _complete_or_late = tokio::time::timeout(READ_FOR, reading).await;
        }
        let whole = complete(&trades);
        if !whole {
            let told = trades.count_centi();
            tracing::error!(id, filled_centi, told, "fills do not add up");
        }
        (trades, whole)
    }

    /// Adds what the venue's list of fills shows now; waits first if it showed nothing new.
    async fn read_fills(&self, order_id: &str, trades: &mut Trades) {
        let before = trades.count_centi();
        match self.rest.fills_of(order_id).await {
            Ok(records) => {
                let of_order = records.iter().filter(|record| record.order_id == order_id);
                of_order
                    .filter_map(trade_of)
                    .for_each(|trade| trades.add(trade));
            }
            Err(error) => tracing::debug!(%error, order_id, "fills cannot be read, trying on"),
        }
        if trades.count_centi() == before {
            pause(READ_EVERY).await;
        }
    }

    fn count(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn new_order<'a>(order: &Order, side: Side, listing: &'a Listing, id: &'a str) -> NewOrder<'a> {
    NewOrder {
        ticker: &listing.ticker,
        client_order_id: id,
        side,
        count_centi: order.count_centi,
        price_e4: order.price_e4,
        exchange_index: listing.exchange_index,
    }
}

async fn pause(duration: Duration) {
    // Even a wait of nothing would go through the timer, on the way from tick to order.
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}

/// A trade as booked; `None` for a fee that no trade of ours can have.
pub(super) fn trade(
    trade: [u8; 16],
    count_centi: u32,
    price_e4: u16,
    fee_micros: i64,
    side: Side,
    is_taker: bool,
) -> Option<Trade> {
    let fee_micros = u32::try_from(fee_micros).ok()?;
    Some(Trade {
        trade,
        count_centi,
        price_e4,
        fee_micros,
        side,
        is_taker,
    })
}

fn trade_of(record: &FillRecord) -> Option<Trade> {
    trade(
        record.trade_id,
        record.count_centi,
        record.price_e4,
        record.fee_micros,
        record.side,
        record.is_taker,
    )
}

fn answer_of(result: Result<OrderResult, VenueError>, order_id: &mut Option<String>) -> Answer {
    match result {
        Ok(result) => {
            *order_id = Some(result.order_id);
            Answer::Placed {
                filled_centi: result.filled_centi,
            }
        }
        Err(error) if error.is_rate_limit() => Answer::RateLimited,
        Err(error) if error.code() == Some("order_already_exists") => Answer::AlreadyExists,
        Err(error) if error.is_ambiguous() => Answer::Missing,
        Err(error @ VenueError::NotSent { .. }) => {
            tracing::debug!(%error, "not sent");
            Answer::NotSent
        }
        Err(error) => {
            tracing::debug!(%error, "order refused");
            Answer::Refused(reason_of(&error))
        }
    }
}

fn found_of(
    result: Result<Option<OrderState>, Unreadable>,
    order_id: &mut Option<String>,
) -> Found {
    match result {
        Ok(Some(state)) => {
            *order_id = Some(state.order_id);
            match state.status.as_str() {
                // Immediate-or-cancel: nothing of it rests, this read only lags.
                "resting" => Found::Working,
                _ => Found::Done {
                    filled_centi: state.filled_centi,
                },
            }
        }
        Ok(None) => Found::Absent,
        Err(Unreadable) => Found::Missing,
    }
}

fn reason_of(error: &VenueError) -> RejectReason {
    let code = error.code().unwrap_or_default().to_ascii_lowercase();
    match (error.status(), code.as_str()) {
        (Some(401 | 403), _) => RejectReason::Authentication,
        (_, "insufficient_balance" | "available_balance_too_low") => {
            RejectReason::InsufficientBalance
        }
        (_, "invalid_price") => RejectReason::InvalidPrice,
        (_, "market_inactive" | "trading_paused" | "exchange_paused") => {
            RejectReason::MarketInactive
        }
        (Some(404), _) | (_, "market_not_found") => RejectReason::UnknownMarket,
        _ => RejectReason::Other,
    }
}

#[cfg(test)]
mod tests;
