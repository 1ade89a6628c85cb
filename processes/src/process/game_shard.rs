//! `game_shard`: prices and game states into signals. The loop around [`Shard`].
//!
//! On the ring of prices the latest wins over all markets, so what is lost may be the last word of a
//! quiet one. The board has every market's last word: it is read at the start, and after a loss.
//!
//! Prices are good as long as somebody keeps them true. When the monitor is dead, gone or silent, the
//! ring of prices says so, and none is traded on until the monitor, or its successor, is heard again.

mod trust;

use super::pulse::Pulse;
use crate::runtime::{Context, Failure, Output, Passages};
use ipc::{BoardReader, PopError, Received};
use layouts::{GameState, PriceUpdate, Signal};
use serde::Serialize;
use serde_json::{Value, json};
use stages::shard::{Counters, Shard, Signals, Stamp};
use std::time::Duration;
use trust::{Trust, Verdict};

/// Messages of one ring in one round, so that neither starves the other.
const ROUND: usize = 64;
/// From this silence of the monitor on its prices are not traded on. It beats at least every 50 ms, and
/// tells by itself when the venue is silent; so it is stopped, or starved beyond all use.
const SILENCE: Duration = Duration::from_secs(2);

/// What the report and the heartbeat say.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Figures {
    #[serde(flatten)]
    stage: Counters,
    signals: u64,
    /// Prices overwritten before they were read.
    skipped_prices: u64,
    /// Times that the board was read, the start included.
    board_reads: u64,
    /// Times that nobody kept the prices true any more.
    price_losses: u64,
}

/// Runs the process.
///
/// # Errors
///
/// When the rings are unusable, or a signal cannot be delivered.
pub fn run(context: &Context) -> Result<Value, Failure> {
    let mut prices = context.input::<PriceUpdate>()?;
    // Recorded prices are as true as they were, also when whoever plays them pauses.
    if !context.pipeline.replay {
        prices.stale_after(SILENCE);
    }
    let mut games = context.input::<GameState>()?;
    let mut desk = Desk::open(context)?;
    let pipeline = &context.pipeline;
    let mut shard = Shard::new(context.index(), pipeline.model, pipeline.limits.repeat_ms);
    let board = context.board_reader::<PriceUpdate>()?;
    let mut figures = Figures::default();
    let mut trust = Trust::default();
    let mut pulse = Pulse::start(context)?;
    context.settle()?;
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
            desk.send(found, stamp, received.popped_ns, context)?;
        }
        for _ in 0..ROUND {
            let received = prices.pop();
            let sight = match &received {
                Some(received) => Ok(received.sequence),
                None => Err(prices.why_empty()),
            };
            let verdict = trust.judge(sight, prices.incarnation(), || prices.has_writer());
            heed(verdict, &mut shard, &board, &mut figures);
            if sight == Err(PopError::Damaged) {
                // A successor reads the ring anew, or is refused and told why.
                return Err(Failure::other("the ring of prices is damaged"));
            }
            let Some(received) = received else { break };
            worked = true;
            if !trust.is_kept() {
                // Of a monitor that is gone: the board will have what is true.
                figures.skipped_prices += 1;
                continue;
            }
            if received.lost > 0 {
                figures.skipped_prices += received.lost;
                relearn(&mut shard, &board, &mut figures);
            }
            let stamp = stamp(&received, received.message.ingress_mono_ns);
            let found = shard.on_price(&received.message, stamp);
            desk.send(found, stamp, received.popped_ns, context)?;
        }
        (figures.stage, figures.signals) = (shard.counters(), desk.sent);
        pulse.beat(figures);
        desk.signals.beat();
        if worked {
            games.commit();
            prices.commit();
            idle.progress();
        } else if context.stopping() && prices.drained() && games.drained() {
            return Ok(desk.report(figures));
        } else {
            idle.wait(&mut [&mut prices, &mut games]);
        }
    }
}

/// Does what follows from a verdict on who keeps the prices true.
fn heed(
    verdict: Verdict,
    shard: &mut Shard,
    board: &BoardReader<PriceUpdate>,
    figures: &mut Figures,
) {
    match verdict {
        Verdict::Same => {}
        Verdict::Anew => relearn(shard, board, figures),
        Verdict::Lost => {
            figures.price_losses += 1;
            shard.distrust();
        }
    }
}

/// Takes every price from the board. The monitor writes a price there before it sends it, so none
/// that was lost is newer than its row. Rows of other shards' games do no harm: no state comes here
/// for these games.
fn relearn(shard: &mut Shard, board: &BoardReader<PriceUpdate>, figures: &mut Figures) {
    figures.board_reads += 1;
    // What has no readable row stays suspect until it is told again.
    shard.distrust();
    for market in 0..board.info().capacity {
        if let Some(price) = last_word(board, market) {
            shard.learn(&price);
        }
    }
}

/// A market's row, if it has one. One that is being written just now is sent right after.
fn last_word(board: &BoardReader<PriceUpdate>, market: u32) -> Option<PriceUpdate> {
    board.read(market).ok().flatten().map(|row| row.value)
}

/// Where signals go out.
struct Desk {
    signals: Output<Signal>,
    sent: u64,
    /// When the input of each signal was sent and popped.
    passages: Passages<2>,
}

impl Desk {
    fn open(context: &Context) -> Result<Self, Failure> {
        Ok(Self {
            signals: context.output::<Signal>()?,
            sent: 0,
            passages: Passages::new(),
        })
    }

    fn report(&self, figures: Figures) -> Value {
        let mut report = json!(figures);
        report["passages"] = self.passages.to_json();
        report
    }

    fn send(
        &mut self,
        found: Signals,
        cause: Stamp,
        popped_ns: u64,
        context: &Context,
    ) -> Result<(), Failure> {
        for signal in found.iter().flatten() {
            self.signals
                .send_caused(signal, cause.sent_mono_ns, context)?;
            self.sent += 1;
            self.passages
                .keep(signal.signal, [cause.sent_mono_ns, popped_ns]);
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable as _;
    use ipc::BoardWriter;
    use layouts::game::NO_PROBABILITY;
    use layouts::{MarketStatus, Phase, Sport};
    use stages::model::Model;

    const GAME: u32 = 5;
    const MODEL: Model = Model {
        min_edge_e4: 100,
        min_arbitrage_e4: 50,
        weight_percent: 50,
        max_state_age_ms: 5_000,
        signal_ttl_ms: 250,
    };

    fn cheap(market: u32, status: MarketStatus) -> PriceUpdate {
        PriceUpdate {
            market,
            game: GAME,
            sport: Sport::Nba as u8,
            bid_count_centi: 100,
            ask_count_centi: 100,
            bid_price_e4: 1_000,
            ask_price_e4: 1_200,
            fee_rate_e4: 700,
            status: status as u8,
            ..PriceUpdate::zeroed()
        }
    }

    /// Whether a level game makes the shard buy the home team's cheap market.
    fn trades(shard: &mut Shard, sequence: u64) -> bool {
        let state = GameState {
            game: GAME,
            sport: Sport::Nba as u8,
            phase: Phase::Live as u8,
            period: 3,
            clock_deciseconds: 7_200,
            home_score: 50,
            away_score: 50,
            feed_home_win_e4: NO_PROBABILITY,
            pregame_home_win_e4: 5_000,
            ..GameState::zeroed()
        };
        let stamp = Stamp {
            sequence,
            // Each time long enough after the last for an opportunity to be told anew.
            sent_mono_ns: sequence * 1_000_000_000,
        };
        let state = GameState {
            ingress_mono_ns: stamp.sent_mono_ns,
            ..state
        };
        shard.on_state(&state, stamp).iter().any(Option::is_some)
    }

    /// The last word of a quiet market may be among the messages that a fast ring overwrote.
    #[test]
    fn lesson_11_what_the_ring_lost_is_read_from_the_board() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("prices.board");
        ipc::create_board::<PriceUpdate>(
            &path,
            ipc::BoardOptions {
                rows: 4,
                ..ipc::BoardOptions::default()
            },
        )
        .expect("a board");
        let mut writer = BoardWriter::<PriceUpdate>::attach(&path).expect("a writer");
        let board = BoardReader::open(&path).expect("a reader");
        let (mut shard, mut figures) = (Shard::new(0, MODEL, 1), Figures::default());
        assert!(!trades(&mut shard, 1), "no price");
        let mut write = |status| writer.write(3, &cheap(3, status)).expect("a row");
        write(MarketStatus::Active);
        relearn(&mut shard, &board, &mut figures);
        assert!(trades(&mut shard, 2), "known before its first message");
        write(MarketStatus::Closed);
        relearn(&mut shard, &board, &mut figures);
        assert!(!trades(&mut shard, 3), "closed, as only the board says");
        // A market that has no row: nobody knows what was lost of it.
        let mut unwritten = Shard::new(0, MODEL, 1);
        unwritten.learn(&cheap(2, MarketStatus::Active));
        let empty = directory.path().join("empty.board");
        ipc::create_board::<PriceUpdate>(
            &empty,
            ipc::BoardOptions {
                rows: 4,
                ..ipc::BoardOptions::default()
            },
        )
        .expect("a board");
        let empty = BoardReader::open(&empty).expect("a reader");
        assert!(trades(&mut unwritten, 4));
        relearn(&mut unwritten, &empty, &mut figures);
        assert!(!trades(&mut unwritten, 5));
    }
}
