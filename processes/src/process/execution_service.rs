//! `execution_service`: orders onto the wire, acknowledgements and fills back.
//!
//! The hot thread takes orders, refuses those that are late by the real clock, and hands the rest
//! to an I/O thread that has several on their way at once (`placing`). Every order taken ends in
//! exactly one acknowledgement, after its fills. The ring is committed up to the first order that
//! is not done: a successor takes up the tail again, and because client order ids derive from the
//! order, the venue recognises what it already has. What a predecessor may have sent (`legacy`) is
//! looked up at the venue first, even when it has expired; its fills may then be published for the second time,
//! which their reader recognises. What it has acknowledged is done.
//!
//! When the launcher calls for the safe state on the board `control`, nothing new goes to the venue:
//! an order not yet sent, and be it the last moment before its first byte, is answered as expired, one that may have been sent is looked up and never sent
//! again. Ours do not rest, but whatever does rest on the account is cancelled, once each time.
//!
//! The venue itself limits us too (`brake`): without an order group of ours there, nothing is traded.

mod brake;
mod clearing;
mod desk;
mod dry_orders;
mod legacy;
mod listings;
mod look_up;
mod office;
mod placing;
mod tally;
mod venue_words;

use crate::cold::redis::Cold;
use crate::runtime::handoff::{ToIo, to_hot, to_io};
use crate::runtime::{Context, Control, Failure, Gate, Input, Output, io_thread};
use crate::venue::kalshi_rest::KalshiRest;
use crate::venue::kalshi_ws::Endpoint;
use crate::venue::signing::Signer;
use crate::venue::tls::Trust;
use brake::{Brake, Word};
use desk::{Counts, Desk};
use dry_orders::DryOrders;
use hdrhistogram::Histogram;
use layouts::{Fill, Order, OrderAck, OrderStatus, RejectReason};
use legacy::Legacy;
use office::Office;
use placing::{Done, Taken};
use serde_json::{Value, json};
use stages::execution::{InFlight, ack};
use std::sync::{Arc, Mutex, PoisonError};
use tally::Tally;
use tokio::sync::watch;

/// Orders on their way at once; more wait in the ring.
const WINDOW: usize = 64;
/// From the I/O thread.
enum Note {
    /// The connections are warm, and the venue's brake is there.
    Ready,
    /// Nothing can be traded, and why.
    Refused(String),
    Done(Done),
}

/// Runs the process.
///
/// # Errors
///
/// When the rings or the key are unusable, or an acknowledgement or fill cannot be delivered.
pub fn run(context: &Context) -> Result<Value, Failure> {
    let venue = &context.pipeline.venue;
    let signer = Signer::load(&venue.key_id, &venue.key_file).map_err(Failure::other)?;
    let trust = Trust::load(&context.pipeline.ca_file).map_err(Failure::other)?;
    let rest = client(context, &signer, &trust)?;
    let orders_rest = rest.clone();
    let tally = Tally::new().ok_or_else(|| Failure::other("no histogram can be made"))?;
    let tally = Arc::new(Mutex::new(tally));
    let dry = dry_orders(context)?;
    let mut hall = Hall::attach(context)?;
    let (mut desk, io_inbox) = to_io::<Taken>(WINDOW);
    let (notes, mut inbox) = to_hot::<Note>(WINDOW + 1);
    let tracked = Arc::new(Desk::default());
    let office = Office {
        brake: brake(context, &rest, &hall, &tally),
        rest,
        desk: Arc::clone(&tracked),
        endpoint: Endpoint {
            address: venue.websocket.clone(),
            signer,
            trust,
        },
        cold: Cold::connect(&context.pipeline.redis.url, &context.pipeline.name),
        run_id: context.pipeline.run_id.clone(),
        run_dir: context.pipeline.run_dir.clone(),
        process: context.name.clone(),
        heartbeat_ms: context.pipeline.redis.heartbeat_ms,
        tally: Arc::clone(&tally),
        word: hall.word.subscribe(),
        dry,
        gate: Gate::open(&context.pipeline.control_path())?,
    };
    let thread = io_thread("venue", move || office.run(io_inbox, notes))?;
    context.settle()?;
    let mut idle = context.idle();
    loop {
        let mut worked = false;
        hall.heed();
        while let Some(note) = inbox.pop() {
            worked = true;
            match note {
                Note::Ready => context.ready()?,
                Note::Refused(reason) => return Err(Failure::other(reason)),
                Note::Done(done) => hall.publish(&done, context)?,
            }
        }
        while hall.in_flight.len() < WINDOW && hall.take(&mut desk, context)? {
            worked = true;
        }
        hall.beat();
        if worked {
            idle.progress();
        } else if hall.in_flight.is_empty() && context.stopping() && hall.orders.drained() {
            break;
        } else if inbox.drained() {
            return Err(Failure::other("the venue's thread has ended"));
        } else if hall.in_flight.len() < WINDOW {
            idle.wait(&mut [&mut hall.orders, &mut inbox]);
        } else {
            idle.wait(&mut [&mut inbox]);
        }
    }
    drop(desk);
    let ended = thread.join();
    ended.map_err(|_| Failure::other("the venue's thread has panicked"))?;
    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    let mut figures = hall.figures(&tally, tracked.counts());
    figures["signed_ahead"] = json!(orders_rest.signed_ahead());
    Ok(figures)
}

/// A client with as many signatures ready as orders may be on their way at the same moment.
fn client(context: &Context, signer: &Signer, trust: &Trust) -> Result<KalshiRest, Failure> {
    let open = usize::try_from(context.pipeline.limits.max_open_orders).unwrap_or(WINDOW);
    KalshiRest::new(&context.pipeline.venue.rest, signer.clone(), trust)
        .and_then(|rest| rest.sign_orders_ahead(open.min(WINDOW)))
        .map_err(Failure::other)
}

fn brake(
    context: &Context,
    rest: &KalshiRest,
    hall: &Hall,
    tally: &Arc<Mutex<Tally>>,
) -> Arc<Brake> {
    let pipeline = &context.pipeline;
    Arc::new(Brake::new(
        rest.clone(),
        &pipeline.run_dir,
        pipeline.safe_file(),
        hall.word.subscribe(),
        Arc::clone(tally),
    ))
}

/// Where orders go in place of the venue, if they are to.
fn dry_orders(context: &Context) -> Result<Option<DryOrders>, Failure> {
    if !context.pipeline.dry_orders {
        return Ok(None);
    }
    let path = context.pipeline.dry_orders_file();
    let opened = DryOrders::open(&path);
    let opened = opened.map_err(|error| Failure::io(format!("open `{}`", path.display()), error));
    tracing::warn!("no order is sent: they are written to `{}`", path.display());
    opened.map(Some)
}

/// The hot thread's side.
struct Hall {
    orders: Input<Order>,
    acks: Output<OrderAck>,
    fills: Output<Fill>,
    control: Control,
    /// To the I/O thread.
    word: watch::Sender<Word>,
    legacy: Legacy,
    in_flight: InFlight,
    taken: u64,
    resumed: u64,
    /// Orders that a predecessor had acknowledged.
    done_before: u64,
    /// Orders answered as expired because trading was halted.
    held_back: u64,
    filled: u64,
    by_status: [u64; 6],
    by_reason: [u64; 9],
}

impl Hall {
    fn attach(context: &Context) -> Result<Self, Failure> {
        let orders = context.input()?;
        let acks = context.output()?;
        let mut control = Control::open(context)?;
        // Nothing said is no leave to trade.
        let word = control.news().map_or_else(
            || Word {
                halted: true,
                since_unix_us: 0,
                burst_contracts: context.pipeline.limits.max_burst_contracts,
            },
            |control| Word::from(&control),
        );
        Ok(Self {
            word: watch::Sender::new(word),
            control,
            legacy: Legacy::of(context, &orders, &acks)?,
            orders,
            acks,
            fills: context.output()?,
            in_flight: InFlight::with_room(WINDOW),
            taken: 0,
            resumed: 0,
            done_before: 0,
            held_back: 0,
            filled: 0,
            by_status: [0; 6],
            by_reason: [0; 9],
        })
    }

    /// Says to both readers that this process lives.
    fn beat(&self) {
        self.acks.beat();
        self.fills.beat();
    }

    /// Hears the launcher's word, and passes on what of it has changed.
    fn heed(&mut self) {
        if let Some(control) = self.control.news() {
            let word = Word::from(&control);
            self.word
                .send_if_modified(|before| std::mem::replace(before, word) != word);
        }
    }

    /// Takes one order, if there is one.
    fn take(&mut self, desk: &mut ToIo<Taken>, context: &Context) -> Result<bool, Failure> {
        let Some(received) = self.orders.pop() else {
            return Ok(false);
        };
        let (sequence, order) = (received.sequence, received.message);
        self.taken += 1;
        self.in_flight.take(sequence);
        let maybe_sent = self.legacy.may_have_sent(sequence, &order);
        if maybe_sent && self.legacy.is_acknowledged(&order) {
            self.done_before += 1;
            self.finish(sequence);
            return Ok(true);
        }
        self.resumed += u64::from(maybe_sent);
        let now = ipc::clock::mono_ns();
        let refusal = if order.side().is_none() {
            Some((OrderStatus::Rejected, RejectReason::Other))
        } else if self.control.is_safe() && !maybe_sent {
            self.held_back += 1;
            Some((OrderStatus::Expired, RejectReason::None))
        } else if now > order.expires_mono_ns && !maybe_sent {
            Some((OrderStatus::Expired, RejectReason::None))
        } else {
            let taken = Taken {
                sequence,
                order,
                sent_ns: received.sent_ns,
                popped_ns: received.popped_ns,
                maybe_sent,
            };
            // The queue holds a window, so it is full only when nobody takes from it any more.
            desk.push(taken)
                .map_err(|_| Failure::other("the venue's thread has ended"))?;
            None
        };
        if let Some((status, reason)) = refusal {
            let ack = ack(&order, status, reason, now);
            self.publish(
                &Done {
                    sequence,
                    fills: Vec::new(),
                    ack,
                },
                context,
            )?;
        }
        Ok(true)
    }

    /// Fills, then the acknowledgement, then the commit: a crash in between repeats, never omits.
    fn publish(&mut self, done: &Done, context: &Context) -> Result<(), Failure> {
        for fill in &done.fills {
            self.fills.send(fill, context)?;
            self.filled += 1;
        }
        self.acks.send(&done.ack, context)?;
        let count = |counts: &mut [u64], code: u8| {
            counts
                .get_mut(usize::from(code))
                .into_iter()
                .for_each(|count| *count += 1);
        };
        count(&mut self.by_status, done.ack.status);
        count(&mut self.by_reason, done.ack.reason);
        self.finish(done.sequence);
        Ok(())
    }

    fn finish(&mut self, sequence: u64) {
        if let Some(position) = self.in_flight.finish(sequence) {
            self.orders.commit_to(position);
        }
    }

    fn figures(&self, tally: &Tally, told: Counts) -> Value {
        let [filled, partly_filled, unfilled, rejected, expired, unknown] = self.by_status;
        let [
            _,
            market,
            inactive,
            balance,
            price,
            rate,
            authentication,
            other,
            group,
        ] = self.by_reason;
        json!({
            "orders": self.taken,
            "resumed": self.resumed,
            "done_before": self.done_before,
            "held_back": self.held_back,
            "cleared": tally.cleared,
            "fills": self.filled,
            "acked": {
                "filled": filled, "partly_filled": partly_filled, "unfilled": unfilled,
                "rejected": rejected, "expired": expired, "unknown": unknown,
            },
            "rejected": rejected,
            "rejected_by": {
                "unknown_market": market, "market_inactive": inactive,
                "insufficient_balance": balance, "invalid_price": price, "rate_limited": rate,
                "authentication": authentication, "other": other, "group": group,
            },
            "brakes_shut": tally.brakes_shut,
            "taken_back": tally.taken_back,
            "resting": told.resting,
            "odd_fees": tally.odd_fees + told.odd_fees,
            "frames": told.frames.frames(),
            "frames_by_kind": told.frames,
            "retries": tally.retries,
            "rate_limited": tally.rate_limited,
            "look_ups": tally.look_ups,
            "fills_by_rest": tally.fills_by_rest,
            "unknown_markets": tally.unknown_markets,
            "dry_orders": tally.dry_orders,
            "tick_to_order_ns": latencies(&tally.tick_to_order),
            "tick_to_answer_ns": latencies(&tally.tick_to_answer),
            "order_to_answer_ns": latencies(&tally.order_to_answer),
            "passages": tally.passages.to_json(),
        })
    }
}

/// Percentiles, and all of it as `[ns, count]`: distributions of several runs can be added up.
fn latencies(histogram: &Histogram<u64>) -> Value {
    let values = histogram.iter_recorded();
    let distribution: Vec<[u64; 2]> = values
        .map(|value| [value.value_iterated_to(), value.count_at_value()])
        .collect();
    json!({
        "p50": histogram.value_at_quantile(0.5),
        "p99": histogram.value_at_quantile(0.99),
        "p999": histogram.value_at_quantile(0.999),
        "max": histogram.max(),
        "count": histogram.len(),
        "distribution": distribution,
    })
}

#[cfg(test)]
mod tests;
