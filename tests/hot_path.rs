//! What the hot path does not do: allocate, and call the kernel. Counted, not said.

use allocation_counter::measure;
use bytemuck::Zeroable;
use ipc::{Consumer, PopError, Producer, RingOptions, create_ring};
use layouts::{
    GameState, MarketStatus, OrderAck, OrderStatus, Phase, PriceUpdate, Sport, game::NO_PROBABILITY,
};
use stages::{
    limits::Limits,
    model::Model,
    risk::Risk,
    shard::{Shard, Stamp},
};
use std::{collections::BTreeMap, process::Command, time::Duration};
use tests::{programs::program, stage::Count};

#[test]
fn a_ring_allocates_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("count.ring");
    create_ring::<Count>(
        &path,
        RingOptions {
            capacity: 64,
            ..RingOptions::default()
        },
    )
    .unwrap();
    let mut producer = Producer::<Count>::attach(&path).unwrap();
    let mut consumer = Consumer::<Count>::attach(&path).unwrap();
    consumer.stale_after(Some(Duration::from_secs(3600)));
    let counted = measure(|| {
        for number in 0..10_000 {
            producer.push(&Count::new(number)).unwrap();
            assert_eq!(consumer.pop().unwrap().message.number(), Some(number));
            consumer.commit();
            assert_eq!(producer.push_batch(&[Count::new(number); 3]), Ok(3));
            assert_eq!(consumer.drain(9, |_| ()), Ok(3));
            consumer.commit();
            assert_eq!(consumer.pop(), Err(PopError::Empty));
            producer.beat();
        }
    });
    assert_eq!(counted.count_total, 0, "{counted:?}");
}

/// Games known, the shard and the risk stage allocate nothing more, whatever prices and states come.
#[test]
fn lesson_3_shard_and_risk_allocate_nothing_once_their_games_are_known() {
    let model = Model {
        min_edge_e4: 100,
        min_arbitrage_e4: 20,
        weight_percent: 40,
        max_state_age_ms: 4_000,
        signal_ttl_ms: 250,
    };
    let limits = Limits {
        max_order_contracts: 50,
        max_market_contracts: 4_000,
        max_game_dollars: 4_000,
        max_sport_dollars: 20_000,
        max_exposure_dollars: 20_000,
        max_day_loss_dollars: 20_000,
        max_open_orders: 16,
        max_burst_contracts: 100_000,
        repeat_ms: 5,
        kelly_percent: 25,
    };
    let mut day = Day {
        shard: Shard::new(0, model, 5),
        risk: Risk::new(limits),
        step: 0,
        signals: 0,
        orders: 0,
    };
    day.run(1_000);
    let (signals, orders) = (day.signals, day.orders);
    let counted = measure(|| day.run(20_000));
    assert_eq!(counted.count_total, 0, "{counted:?}");
    assert!(
        day.signals > signals + 100 && day.orders > orders + 100,
        "too quiet to tell: {} signals, {} orders",
        day.signals,
        day.orders
    );
}

struct Day {
    shard: Shard,
    risk: Risk,
    step: u64,
    signals: u64,
    orders: u64,
}

impl Day {
    fn run(&mut self, steps: u64) {
        for _ in 0..steps {
            self.step += 1;
            let now = self.step * 1_000_000;
            let stamp = Stamp {
                sequence: self.step,
                sent_mono_ns: now,
            };
            let signals = match self.step % 10 {
                0 => self.shard.on_state(&state(self.step, now), stamp),
                _ => self.shard.on_price(&price(self.step, now), stamp),
            };
            for signal in signals.iter().flatten() {
                self.signals += 1;
                for order in self.risk.on_signal(signal, now).iter().flatten() {
                    self.orders += 1;
                    self.risk.on_ack(&OrderAck {
                        order: order.order,
                        market: order.market,
                        status: OrderStatus::Unfilled as u8,
                        side: order.side,
                        ..OrderAck::zeroed()
                    });
                }
            }
        }
    }
}

fn state(step: u64, now: u64) -> GameState {
    GameState {
        ingress_mono_ns: now,
        game: game(step / 10),
        clock_deciseconds: 3_000,
        home_score: u16::try_from(step % 30).unwrap(),
        away_score: 14,
        feed_home_win_e4: NO_PROBABILITY,
        pregame_home_win_e4: 5_500,
        sport: Sport::Nfl as u8,
        phase: Phase::Live as u8,
        period: 3,
        ..GameState::zeroed()
    }
}

fn price(step: u64, now: u64) -> PriceUpdate {
    let team = u8::from(step.is_multiple_of(2));
    let bid_price_e4 = 3_000 + u16::try_from(step % 40).unwrap() * 100;
    PriceUpdate {
        ingress_mono_ns: now,
        market: game(step) * 2 + u32::from(team),
        game: game(step),
        bid_count_centi: 10_000,
        ask_count_centi: 10_000,
        bid_price_e4,
        ask_price_e4: bid_price_e4 + 100,
        fee_rate_e4: 700,
        tick_e4: 100,
        team,
        status: MarketStatus::Active as u8,
        ..PriceUpdate::zeroed()
    }
}

fn game(number: u64) -> u32 {
    1 + u32::try_from(number % 8).unwrap()
}

/// Between the two marks that the stage program writes, no system call is seen by a tracer.
#[test]
fn a_spinning_ring_makes_no_system_call() {
    let directory = tempfile::tempdir().unwrap();
    let (ring, trace) = (
        directory.path().join("count.ring"),
        directory.path().join("trace"),
    );
    create_ring::<Count>(
        &ring,
        RingOptions {
            capacity: 64,
            ..RingOptions::default()
        },
    )
    .unwrap();
    let traced = Command::new("strace")
        .args(["-f", "-qq", "-o"])
        .arg(&trace)
        .arg(program("stage"))
        .arg("spin")
        .arg(&ring)
        .arg("100000")
        .output()
        .expect("strace is installed by scripts/test");
    assert!(
        traced.status.success(),
        "{}",
        String::from_utf8_lossy(&traced.stderr)
    );
    let trace = std::fs::read_to_string(&trace).unwrap();
    let marked = |mark: &str| {
        trace
            .lines()
            .position(|line| line.contains("write(1") && line.contains(mark))
            .unwrap_or_else(|| panic!("no {mark} in:\n{trace}"))
    };
    let (begin, end) = (marked("begin"), marked("end"));
    // Another thread watches the producer's life, so a call of the loop's may be shown in two halves.
    let looping = |line: &&str| {
        line.split_whitespace().next() == trace.split_whitespace().next()
            && !line.contains(" resumed>")
    };
    let mut between = BTreeMap::new();
    for line in trace.lines().take(end).skip(begin + 1).filter(looping) {
        *between
            .entry(line.split_whitespace().nth(1).unwrap_or(line).to_owned())
            .or_insert(0) += 1;
    }
    assert!(between.is_empty(), "{between:#?}");
}
