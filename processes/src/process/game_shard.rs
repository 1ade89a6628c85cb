//! `game_shard`: prices and game states into signals. The loop around [`Shard`].

use super::pulse::Pulse;
use crate::runtime::{Context, Failure, Output};
use crate::stages::shard::{Counters, Shard, Signals, Stamp};
use ipc::Received;
use layouts::{GameState, PriceUpdate, Signal};
use serde::Serialize;
use serde_json::{Value, json};

/// Messages of one ring in one round, so that neither starves the other.
const ROUND: usize = 64;

/// What the report and the heartbeat say.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Figures {
    #[serde(flatten)]
    stage: Counters,
    signals: u64,
    /// Prices overwritten before they were read: each was out of date.
    skipped_prices: u64,
}

/// Runs the process.
///
/// # Errors
///
/// When the rings are unusable, or a signal cannot be delivered.
pub fn run(context: &Context) -> Result<Value, Failure> {
    let mut prices = context.input::<PriceUpdate>()?;
    let mut games = context.input::<GameState>()?;
    let mut signals = context.output::<Signal>()?;
    let pipeline = &context.pipeline;
    let mut shard = Shard::new(context.index(), pipeline.model, pipeline.limits.repeat_ms);
    let mut figures = Figures::default();
    let mut pulse = Pulse::start(context)?;
    context.pin()?;
    context.ready()?;
    let mut idle = context.idle();
    loop {
        let mut worked = false;
        // States first: a price is judged by the latest state there is.
        for _ in 0..ROUND {
            let Some(received) = games.pop() else { break };
            worked = true;
            let stamp = stamp(&received, received.message.ingress_mono_ns);
            let found = shard.on_state(&received.message, stamp);
            send(found, &mut signals, &mut figures, context)?;
        }
        for _ in 0..ROUND {
            let Some(received) = prices.pop() else { break };
            worked = true;
            figures.skipped_prices += received.lost;
            let stamp = stamp(&received, received.message.ingress_mono_ns);
            let found = shard.on_price(&received.message, stamp);
            send(found, &mut signals, &mut figures, context)?;
        }
        figures.stage = shard.counters();
        pulse.beat(figures);
        if worked {
            games.commit();
            prices.commit();
            idle.progress();
        } else if context.stopping() && prices.drained() && games.drained() {
            return Ok(json!(figures));
        } else {
            idle.wait(&mut [&mut prices, &mut games]);
        }
    }
}

fn send(
    found: Signals,
    signals: &mut Output<Signal>,
    figures: &mut Figures,
    context: &Context,
) -> Result<(), Failure> {
    for signal in found.iter().flatten() {
        signals.send(signal, context)?;
        figures.signals += 1;
    }
    Ok(())
}

/// A ring that does not stamp its messages leaves their own time.
fn stamp<T>(received: &Received<T>, ingress_mono_ns: u64) -> Stamp {
    let sent_mono_ns = if received.sent_ns == 0 {
        ingress_mono_ns
    } else {
        received.sent_ns
    };
    Stamp {
        sequence: received.sequence,
        sent_mono_ns,
    }
}
