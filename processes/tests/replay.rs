//! The same inputs give byte-identical outputs, through the shard and the risk stage together.

use bytemuck::{Zeroable, bytes_of};
use layouts::game::NO_PROBABILITY;
use layouts::{
    GameState, Half, MarketStatus, Order, OrderAck, OrderStatus, Phase, PriceUpdate, Side, Sport,
};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use stages::limits::Limits;
use stages::model::Model;
use stages::risk::Risk;
use stages::shard::{Shard, Stamp};

const GAMES: u32 = 12;
const STEPS: u64 = 20_000;
const NS_PER_MS: u64 = 1_000_000;

/// Everything that came out, in order.
#[derive(Default, PartialEq, Eq)]
struct Output {
    signals: Vec<u8>,
    orders: Vec<u8>,
}

/// A day's inputs in little: quotes about a drifting price, with spells in which both markets
/// together are too cheap or too dear, and states of games of every sport.
fn run(seed: u64) -> Output {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut shard = Shard::new(1, model(), 500);
    let mut risk = Risk::new(limits());
    let mut output = Output::default();
    for step in 0..STEPS {
        let now = step * NS_PER_MS;
        let stamp = Stamp {
            sequence: step,
            sent_mono_ns: now,
        };
        let game = random.random_range(0..GAMES);
        let signals = if random.random_bool(0.1) {
            shard.on_state(&state(game, now, &mut random), stamp)
        } else {
            shard.on_price(&price(game, now, &mut random), stamp)
        };
        for signal in signals.iter().flatten() {
            output.signals.extend_from_slice(bytes_of(signal));
            for order in risk.on_signal(signal, now).iter().flatten() {
                output.orders.extend_from_slice(bytes_of(order));
                risk.on_ack(&answer(order, &mut random));
            }
        }
    }
    output
}

fn model() -> Model {
    Model {
        min_edge_e4: 100,
        min_arbitrage_e4: 20,
        weight_percent: 40,
        max_state_age_ms: 4_000,
        signal_ttl_ms: 250,
    }
}

fn limits() -> Limits {
    Limits {
        max_order_contracts: 50,
        max_market_contracts: 4_000,
        max_game_dollars: 4_000,
        max_sport_dollars: 20_000,
        max_exposure_dollars: 20_000,
        max_day_loss_dollars: 20_000,
        max_open_orders: 16,
        max_burst_contracts: 100_000,
        repeat_ms: 500,
        kelly_percent: 25,
    }
}

fn price(game: u32, now: u64, random: &mut ChaCha8Rng) -> PriceUpdate {
    let team = random.random_range(0..2_u8);
    let bid_price_e4 = random.random_range(35..60) * 100;
    PriceUpdate {
        ingress_mono_ns: now,
        market: game * 2 + u32::from(team),
        game,
        bid_count_centi: random.random_range(0..50_000),
        ask_count_centi: random.random_range(0..50_000),
        bid_price_e4,
        ask_price_e4: bid_price_e4 + random.random_range(1..4) * 100,
        fee_rate_e4: 700,
        tick_e4: 100,
        team,
        status: MarketStatus::Active as u8,
        sport: sport(game) as u8,
        ..PriceUpdate::zeroed()
    }
}

fn sport(game: u32) -> Sport {
    let sports = [
        Sport::Nfl,
        Sport::Ncaaf,
        Sport::Nba,
        Sport::Ncaam,
        Sport::Nhl,
        Sport::Mlb,
    ];
    sports[game as usize % sports.len()]
}

fn state(game: u32, now: u64, random: &mut ChaCha8Rng) -> GameState {
    let sport = sport(game);
    GameState {
        ingress_mono_ns: now,
        game,
        clock_deciseconds: random.random_range(0..7_200),
        home_score: random.random_range(0..8),
        away_score: random.random_range(0..8),
        feed_home_win_e4: NO_PROBABILITY,
        pregame_home_win_e4: 5_500,
        sport: sport as u8,
        phase: Phase::Live as u8,
        period: random.random_range(1..5),
        half: if sport == Sport::Mlb {
            Half::Top
        } else {
            Half::None
        } as u8,
        outs: random.random_range(0..3),
        bases: random.random_range(0..8),
        ..GameState::zeroed()
    }
}

/// Filled wholly, by half or not at all.
fn answer(order: &Order, random: &mut ChaCha8Rng) -> OrderAck {
    let filled_centi = order.count_centi / 2 * random.random_range(0..3);
    let sign = order.side().map_or(0, Side::sign);
    OrderAck {
        order: order.order,
        market: order.market,
        filled_centi,
        cost_micros: sign * i64::from(order.price_e4) * i64::from(filled_centi),
        status: OrderStatus::Filled as u8,
        side: order.side,
        ..OrderAck::zeroed()
    }
}

#[test]
fn the_same_inputs_give_byte_identical_outputs() {
    let (once, again) = (run(2026), run(2026));
    assert!(once == again);
    let (signals, orders) = (once.signals.len() / 48, once.orders.len() / 48);
    assert!(
        signals > 1_000 && orders > 100,
        "{signals} signals, {orders} orders: too quiet to tell"
    );
    assert!(once != run(2027), "and other inputs others");
}
