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

mod clearing;
mod desk;
mod dry_orders;
mod legacy;
mod listings;
mod look_up;
mod placing;

use crate::cold::announcer::heart;
use crate::cold::redis::Cold;
use crate::runtime::handoff::{IoInbox, ToHot, ToIo, to_hot, to_io};
use crate::runtime::{Context, Control, Failure, Gate, Input, Output, io_thread};
use crate::venue::backoff::Backoff;
use crate::venue::kalshi_rest::KalshiRest;
use crate::venue::kalshi_ws::Endpoint;
use crate::venue::signing::Signer;
use crate::venue::tls::Trust;
use desk::Desk;
use dry_orders::DryOrders;
use hdrhistogram::Histogram;
use layouts::{Fill, Order, OrderAck, OrderStatus, RejectReason};
use legacy::Legacy;
use listings::Listings;
use look_up::LookUps;
use placing::{Done, Placing, Taken, Tally};
use serde_json::{Value, json};
use stages::execution::{InFlight, ack};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Orders on their way at once; more wait in the ring.
const WINDOW: usize = 64;
/// First and longest wait between attempts to reach the venue at the start.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// From the I/O thread.
enum Note {
    /// The connection is warm.
    Ready,
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
    let rest = KalshiRest::new(&venue.rest, signer.clone(), &trust)
        .and_then(KalshiRest::sign_orders_ahead)
        .map_err(Failure::other)?;
    let orders_rest = rest.clone();
    let tally = Tally::new().ok_or_else(|| Failure::other("no histogram can be made"))?;
    let tally = Arc::new(Mutex::new(tally));
    let dry = dry_orders(context)?;
    let mut hall = Hall::attach(context)?;
    let (orders_to_io, io_inbox) = to_io::<Taken>(WINDOW);
    let (notes, mut inbox) = to_hot::<Note>(WINDOW + 1);
    let office = Office {
        rest,
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
        halted: hall.halted.subscribe(),
        dry,
        gate: Gate::open(&context.pipeline.control_path())?,
    };
    let thread = io_thread("venue", move || office.run(io_inbox, notes))?;
    context.settle()?;
    let mut desk = orders_to_io;
    let mut idle = context.idle();
    loop {
        let mut worked = false;
        hall.heed();
        while let Some(note) = inbox.pop() {
            worked = true;
            match note {
                Note::Ready => context.ready()?,
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
    thread
        .join()
        .map_err(|_| Failure::other("the venue's thread has panicked"))?;
    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    let mut figures = hall.figures(&tally);
    figures["signed_ahead"] = json!(orders_rest.signed_ahead());
    Ok(figures)
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
    halted: watch::Sender<bool>,
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
    by_reason: [u64; 8],
}

impl Hall {
    fn attach(context: &Context) -> Result<Self, Failure> {
        let orders = context.input()?;
        let acks = context.output()?;
        let mut control = Control::open(context)?;
        control.news();
        Ok(Self {
            halted: watch::Sender::new(control.is_safe()),
            control,
            legacy: Legacy::of(context, &orders, &acks)?,
            orders,
            acks,
            fills: context.output()?,
            in_flight: InFlight::default(),
            taken: 0,
            resumed: 0,
            done_before: 0,
            held_back: 0,
            filled: 0,
            by_status: [0; 6],
            by_reason: [0; 8],
        })
    }

    /// Says to both readers that this process lives.
    fn beat(&self) {
        self.acks.beat();
        self.fills.beat();
    }

    /// Hears the launcher's word, and passes it on when the mode has changed.
    fn heed(&mut self) {
        if self.control.news().is_some() {
            let safe = self.control.is_safe();
            self.halted
                .send_if_modified(|halted| std::mem::replace(halted, safe) != safe);
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

    fn figures(&self, tally: &Tally) -> Value {
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
                "authentication": authentication, "other": other,
            },
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

/// The I/O thread's side.
struct Office {
    rest: KalshiRest,
    endpoint: Endpoint,
    cold: Cold,
    run_id: String,
    run_dir: PathBuf,
    process: String,
    heartbeat_ms: u64,
    tally: Arc<Mutex<Tally>>,
    halted: watch::Receiver<bool>,
    dry: Option<DryOrders>,
    gate: Gate,
}

impl Office {
    /// Places orders until the hot thread hangs up and all are done.
    async fn run(mut self, mut orders: IoInbox<Taken>, mut notes: ToHot<Note>) {
        let heart = heart(self.cold.clone(), &self.process, self.heartbeat_ms);
        let desk = Arc::new(Desk::default());
        let placing = Arc::new(Placing {
            rest: self.rest.clone(),
            look_ups: LookUps::new(self.rest.clone()),
            listings: Listings::follow(self.cold.clone(), &self.run_dir),
            desk: Arc::clone(&desk),
            run_id: self.run_id.clone(),
            tally: Arc::clone(&self.tally),
            dry: self.dry.take(),
            gate: self.gate.clone(),
        });
        // Where nothing is sent nothing is taken back either.
        if placing.dry.is_none() {
            tokio::spawn(clearing::keep_clear(
                self.rest.clone(),
                self.halted.clone(),
                Arc::clone(&self.tally),
            ));
        }
        let endpoint = self.endpoint.clone();
        tokio::spawn(async move { desk.listen(&endpoint).await });
        let mut warming = std::pin::pin!(warm(&self.rest));
        let (mut cold, mut open) = (true, true);
        let mut placed = JoinSet::new();
        let mut done_so_far = 0_u64;
        while open || !placed.is_empty() {
            let note = tokio::select! {
                biased;
                taken = orders.recv(), if open => {
                    match taken {
                        Some(taken) => {
                            let placing = Arc::clone(&placing);
                            placed.spawn(async move { placing.place(taken).await });
                        }
                        None => open = false,
                    }
                    continue;
                }
                Some(done) = placed.join_next() => match done {
                    Ok(done) => Note::Done(done),
                    // Its order is lost to this process; ending lets a successor take it up again.
                    Err(error) => return tracing::error!(%error, "an order's task has ended"),
                },
                () = &mut warming, if cold => {
                    cold = false;
                    Note::Ready
                }
            };
            done_so_far += 1;
            heart.send_replace(json!({ "done": done_so_far, "in_flight": placed.len() }));
            if notes.send(note).await.is_err() {
                return;
            }
        }
    }
}

/// Opens the connection that orders will take, without which the first order would pay for that, and learns how many
/// of them the account may send.
async fn warm(rest: &KalshiRest) {
    let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
    let mut said = false;
    while let Err(error) = rest.learn_limits().await {
        if !std::mem::replace(&mut said, true) {
            tracing::warn!(%error, "the venue does not answer yet, trying on");
        }
        tokio::time::sleep(backoff.delay()).await;
    }
}
