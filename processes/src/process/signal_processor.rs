//! `signal_processor`: signals into orders, within limits. The loop around [`Risk`].
//!
//! Asked to stop, it takes the signals that are left and then waits until the execution service is
//! done with every order, so that whoever comes after it in the data flow finds nothing unfinished.
//! To have an answer to each order is not enough: one that was started again may answer once more.
//!
//! An order is pushed before its signal is committed. A successor of one that died is told first
//! what was left behind (`recovery`), so that it neither makes an order twice nor forgets what is
//! at stake; signals that came meanwhile are judged by their own time, and the execution service
//! does not send what has expired.
//!
//! What the launcher says on the board `control` holds from the next round on: other limits, or no
//! orders at all. Signals are taken all the same, and dropped.

mod day;
mod news;
mod recovery;

use super::pulse::Pulse;
use crate::runtime::{Context, Control, Failure, Idle, Input, Passages, handoff};
use ipc::{Observer, WakeSource as _};
use layouts::{Mode, Order, OrderAck, Signal};
use news::News;
use serde::Serialize;
use serde_json::{Value, json};
use stages::limits::Limits;
use stages::risk::{Counters, Risk};

/// Messages of one ring in one round, so that none starves another.
const ROUND: usize = 64;

/// What the report and the heartbeat say.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Figures {
    #[serde(flatten)]
    stage: Counters,
    /// The most that positions and open orders can lose, at the moment.
    at_stake_micros: i64,
    /// Gained since the trading day began by games that are over; negative when lost.
    result_today_micros: i64,
    /// Orders whose answer never came, because the one who answers was gone.
    unanswered: usize,
}

/// Runs the process.
///
/// # Errors
///
/// When the rings are unusable, or an order cannot be delivered.
pub fn run(context: &Context) -> Result<Value, Failure> {
    let mut signals = context.inputs::<Signal>()?;
    let mut acks = context.input::<OrderAck>()?;
    let mut orders = context.output::<Order>()?;
    let mut risk = Risk::new(context.pipeline.limits);
    let sent = Observer::open(&context.pipeline.ring_path(orders.name()))?;
    let unlisted = recovery::recall(context, &mut risk, &acks, &sent)?;
    let mut control = Control::open(context)?;
    let mut news = news::follow(context, unlisted)?;
    let mut pulse = Pulse::start(context)?;
    // When the signal of each order was sent and popped.
    let mut passages = Passages::new();
    context.settle()?;
    context.ready()?;
    let mut idle = context.idle();
    loop {
        let mut worked = false;
        if let Some(word) = control.news() {
            heed(&word, &mut risk);
        }
        // Acknowledgements first: they make room.
        for _ in 0..ROUND {
            let Some(received) = acks.pop() else { break };
            worked = true;
            risk.on_ack(&received.message);
        }
        acks.commit();
        for ring in &mut signals {
            for _ in 0..ROUND {
                let Some(received) = ring.pop() else { break };
                worked = true;
                // What was said before the signal holds for it.
                if let Some(word) = control.news() {
                    heed(&word, &mut risk);
                }
                let now = received.sent_ns.max(received.message.ingress_mono_ns);
                for order in risk.on_signal(&received.message, now).iter().flatten() {
                    orders.send_caused(order, now, context)?;
                    passages.keep(order.order, [received.sent_ns, received.popped_ns]);
                }
            }
            ring.commit();
        }
        while let Some(news) = news.pop() {
            worked = true;
            news.tell(&mut risk);
        }
        pulse.beat(figures(&risk, 0));
        orders.beat();
        if worked {
            idle.progress();
            continue;
        }
        if context.stopping()
            && signals.iter().all(Input::drained)
            && (is_done(&sent) && !acks.is_ready() || acks.drained())
        {
            let mut report = json!(figures(&risk, risk.open_orders()));
            report["passages"] = passages.to_json();
            return Ok(report);
        }
        wait(&mut idle, &mut signals, &mut acks, &mut news);
    }
}

/// Does as the launcher says.
#[cold]
fn heed(word: &layouts::Control, risk: &mut Risk) {
    let (limits, halted) = (Limits::from(word), word.mode() == Mode::Safe);
    risk.limit(limits);
    risk.halt(halted);
    tracing::info!(halted, ?limits, "the launcher's word");
}

/// Whether the execution service is done with every order: it has published all that it will.
fn is_done(orders: &Observer) -> bool {
    let statistics = orders.statistics();
    statistics.position == statistics.published
}

/// Waits for any of the rings. A list on the stack has a fixed length, and one on the heap would be made anew
/// in each idle round.
#[allow(clippy::many_single_char_names)]
fn wait(
    idle: &mut Idle,
    signals: &mut [Input<Signal>],
    acks: &mut Input<OrderAck>,
    news: &mut handoff::Inbox<News>,
) {
    match signals {
        [a] => idle.wait(&mut [a, acks, news]),
        [a, b] => idle.wait(&mut [a, b, acks, news]),
        [a, b, c] => idle.wait(&mut [a, b, c, acks, news]),
        [a, b, c, d] => idle.wait(&mut [a, b, c, d, acks, news]),
        [a, b, c, d, e] => idle.wait(&mut [a, b, c, d, e, acks, news]),
        [a, b, c, d, e, f] => idle.wait(&mut [a, b, c, d, e, f, acks, news]),
        [a, b, c, d, e, f, g] => idle.wait(&mut [a, b, c, d, e, f, g, acks, news]),
        [a, b, c, d, e, f, g, h] => idle.wait(&mut [a, b, c, d, e, f, g, h, acks, news]),
        // The pipeline file with more of them is refused.
        _ => idle.wait(&mut [acks, news]),
    }
}

fn figures(risk: &Risk, unanswered: usize) -> Figures {
    Figures {
        stage: risk.counters(),
        at_stake_micros: risk.at_stake_micros(),
        result_today_micros: risk.result_today_micros(),
        unanswered,
    }
}
