//! Places one order: carries out the steps that [`Placement`] decides, against the venue.

use super::brake::{Brake, Pass, Shut};
use super::desk::{Desk, End};
use super::dry_orders::DryOrders;
use super::listings::{Listing, Listings};
use super::look_up::LookUps;
use super::tally::Tally;
use super::venue_words::{answer_of, found_of, misses_a_group, trade};
use crate::runtime::Gate;
use crate::venue::VenueError;
use crate::venue::kalshi_rest::{KalshiRest, NewOrder};
use crate::venue::last_look::LastLook;
use layouts::{Fill, Order, OrderAck, OrderStatus, RejectReason, Side, SignalKind};
use stages::execution::{Answer, Found, Placement, Step, Trades, ack, client_order_id};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long the `fill` channel may take to tell what the answer has announced.
const CHANNEL_PATIENCE: Duration = Duration::from_millis(300);
/// Wait between two reads of fills over REST, which lag by some 0.4 s.
const READ_EVERY: Duration = Duration::from_millis(250);
/// Time of reading before the fills are declared unknown.
const READ_FOR: Duration = Duration::from_secs(15);

/// Look-ups that show an order at rest between two cancels of it: reads lag behind a cancel too.
const CANCEL_EVERY: u32 = 4;

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
    /// Whether the account's budget of its pair is spent on it.
    is_paid: bool,
    /// Whether a Post of it was ever written.
    was_sent: bool,
    /// How often it was seen at rest.
    seen_at_rest: u32,
}

impl Trace {
    /// The channel has told the order's end.
    fn ended(&mut self, end: End) -> Found {
        self.order_id = Some(end.order_id);
        Found::Done {
            filled_centi: end.filled_centi,
        }
    }
}

/// What all orders share.
#[derive(Debug)]
pub(super) struct Placing {
    pub(super) rest: KalshiRest,
    pub(super) look_ups: LookUps,
    pub(super) listings: Listings,
    pub(super) desk: Arc<Desk>,
    pub(super) brake: Arc<Brake>,
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
        let listed = listing.as_ref().map(|listing| listing.ticker.clone());
        let ticker = listed.or_else(|| self.listings.ticker_of_old(order.market));
        let ticker = ticker.as_deref();
        if let (Some(dry), Some(listing)) = (&self.dry, &listing) {
            let (status, reason) = self.show(dry, taken, side, listing, id);
            return done(status, reason);
        }
        let mut placement = self.placement(taken).await;
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
                            let answer = self.send(taken, side, listing, id, &mut trace);
                            placement.on_answer(answer.await)
                        }
                        // Without its market it cannot be sent now.
                        (Ok(()), None) => {
                            placement.on_answer(Answer::Refused(RejectReason::UnknownMarket))
                        }
                        (Err(other), _) => other,
                    }
                }
                Step::LookUp { after } => {
                    let found = match self.desk.end(id, after).await {
                        Some(end) => trace.ended(end),
                        None => {
                            let index = listing.as_ref().and_then(|one| one.exchange_index);
                            self.look_up(ticker, index, id, &mut trace).await
                        }
                    };
                    placement.on_found(found, ipc::clock::mono_ns())
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

    async fn placement(&self, taken: &Taken) -> Placement {
        let expires = taken.order.expires_mono_ns;
        if taken.maybe_sent {
            Placement::resumed(expires, self.brake.is_fenced().await)
        } else {
            Placement::new(expires)
        }
    }

    async fn look_up(
        &self,
        ticker: Option<&str>,
        exchange_index: Option<u32>,
        id: &str,
        trace: &mut Trace,
    ) -> Found {
        self.count(|tally| tally.look_ups += 1);
        let found = self.look_ups.order(ticker, id).await;
        let rests = found.as_ref().is_ok_and(|order| {
            order
                .as_ref()
                .is_some_and(|order| order.remaining_centi > 0)
        });
        let found = found_of(found, &mut trace.order_id);
        if rests && found == Found::Working {
            self.take_back(ticker, exchange_index, id, trace).await;
        }
        found
    }

    /// Cancels an order that rests: ours are immediate-or-cancel.
    async fn take_back(
        &self,
        ticker: Option<&str>,
        exchange_index: Option<u32>,
        id: &str,
        trace: &mut Trace,
    ) {
        let sighting = trace.seen_at_rest;
        trace.seen_at_rest += 1;
        let (Some(order_id), 0) = (&trace.order_id, sighting % CANCEL_EVERY) else {
            return;
        };
        self.count(|tally| tally.taken_back += 1);
        tracing::error!(
            id,
            order_id,
            "an order rests, which is immediate-or-cancel: cancelled"
        );
        let cancelled = self.rest.cancel_order(order_id, ticker, exchange_index);
        if let Err(error) = cancelled.await {
            tracing::warn!(%error, id, "the cancel is refused; the order may be done");
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
        let patience = time_until(taken.order.expires_mono_ns);
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

    /// Posts an order in its group, and sees to what the answer asks for at once.
    async fn send(
        &self,
        taken: &Taken,
        side: Side,
        listing: &Listing,
        id: &str,
        trace: &mut Trace,
    ) -> Answer {
        let order = &taken.order;
        let index = listing.exchange_index;
        let Some(shard) = index else {
            // A group counts on one shard only, so none can be named.
            tracing::error!(
                id,
                listing.ticker,
                "not sent: the market's shard is not known"
            );
            return Answer::Refused(RejectReason::UnknownMarket);
        };
        let patience = time_until(order.expires_mono_ns);
        let pass = match self.brake.admit(shard, patience).await {
            Ok(pass) => pass,
            Err(Shut) if self.posting_time() > order.expires_mono_ns => return Answer::NotSent,
            Err(Shut) => return Answer::Refused(RejectReason::Braked),
        };
        let answer = self.post(taken, side, listing, id, &pass, trace).await;
        match answer {
            Answer::Refused(RejectReason::Braked) => self.brake.was_shut(&pass),
            Answer::Working => {
                self.take_back(Some(&listing.ticker), index, id, trace)
                    .await;
            }
            _ => {}
        }
        answer
    }

    async fn post(
        &self,
        taken: &Taken,
        side: Side,
        listing: &Listing,
        id: &str,
        pass: &Pass,
        trace: &mut Trace,
    ) -> Answer {
        let order = &taken.order;
        let request = NewOrder {
            order_group_id: Some(&pass.group),
            ..new_order(order, side, listing, id)
        };
        let (gate, expires) = (self.gate.clone(), order.expires_mono_ns);
        let look = LastLook::new(move |now| now <= expires && !gate.is_shut());
        // The legs of an arbitrage come of the same tick.
        let is_leg = order.kind() == Some(SignalKind::Arbitrage) && !trace.was_sent;
        let pair = (order.ingress_mono_ns, order.game);
        let answer = match is_leg {
            // Nothing was written, so it is paid for still.
            true if trace.is_paid => self.rest.create_paid(&request, &look).await,
            true => self.rest.create_leg(&request, &look, pair).await,
            false => self.rest.create_order(&request, &look).await,
        };
        trace.is_paid |= is_leg && !matches!(answer, Err(VenueError::OverBudget { .. }));
        if answer.as_ref().is_err_and(misses_a_group) {
            self.brake.was_missed(pass);
        }
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
                Answer::Missing | Answer::Unclear | Answer::NotSent => {}
                Answer::Placed { .. }
                | Answer::AlreadyExists
                | Answer::Working
                | Answer::Refused(_) => {
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
                for record in records.iter().filter(|one| one.order_id == order_id) {
                    let (trade, as_told) = trade(
                        record.trade_id,
                        record.count_centi,
                        record.price_e4,
                        record.fee_micros,
                        record.side,
                        record.is_taker,
                    );
                    self.count(|tally| tally.odd_fees += u64::from(!as_told));
                    trades.add(trade);
                }
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
        order_group_id: None,
    }
}

fn time_until(mono_ns: u64) -> Duration {
    Duration::from_nanos(mono_ns.saturating_sub(ipc::clock::mono_ns()))
}

async fn pause(duration: Duration) {
    // Even a wait of nothing would go through the timer, on the way from tick to order.
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}

#[cfg(test)]
pub(super) mod tests;
