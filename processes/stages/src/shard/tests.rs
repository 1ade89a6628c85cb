//! The shard as its inputs drive it, and the lessons of the earlier system that concern it.

use super::*;
use bytemuck::Zeroable;
use layouts::game::NO_PROBABILITY;
use layouts::{Half, MarketStatus, Sport};

mod limits;

const MS: u64 = NS_PER_MS;
const GAME: u32 = 401_772_001;

fn model() -> Model {
    Model {
        min_edge_e4: 100,
        min_arbitrage_e4: 50,
        weight_percent: 50,
        max_state_age_ms: 5_000,
        signal_ttl_ms: 250,
    }
}

fn shard() -> Shard {
    Shard::new(3, model(), 1_000)
}

fn quote(team: TeamSide, bid: u16, ask: u16) -> PriceUpdate {
    PriceUpdate {
        ingress_mono_ns: 77,
        market: 10 + team as u32,
        game: GAME,
        bid_count_centi: 5_000,
        ask_count_centi: 2_000,
        bid_price_e4: bid,
        ask_price_e4: ask,
        fee_rate_e4: 700,
        tick_e4: 100,
        team: team as u8,
        sport: Sport::Nba as u8,
        status: MarketStatus::Active as u8,
        ..PriceUpdate::zeroed()
    }
}

/// An NBA game at half time, level, even teams: worth 0.5 to the model.
fn even_state(ingress_mono_ns: u64) -> GameState {
    GameState {
        ingress_mono_ns,
        game: GAME,
        clock_deciseconds: 7_200,
        home_score: 50,
        away_score: 50,
        feed_home_win_e4: NO_PROBABILITY,
        pregame_home_win_e4: 5_000,
        sport: Sport::Nba as u8,
        phase: Phase::Live as u8,
        period: 3,
        half: Half::None as u8,
        ..GameState::zeroed()
    }
}

fn at(sequence: u64, sent_mono_ns: u64) -> Stamp {
    Stamp {
        sequence,
        sent_mono_ns,
    }
}

fn live_shard() -> Shard {
    let mut shard = shard();
    assert_eq!(shard.on_state(&even_state(0), at(0, 0)), NOTHING);
    shard
}

/// The feed shows the line until the game starts, and whoever reads it may be started again then.
#[test]
fn the_line_before_the_game_is_kept_when_it_is_shown_no_more() {
    let line = |pregame_home_win_e4| GameState {
        pregame_home_win_e4,
        ..even_state(0)
    };
    let priced = |states: [u16; 2]| {
        let mut shard = shard();
        for state in states.map(line) {
            shard.on_state(&state, at(0, 0));
        }
        let [Some(signal), None] = shard.on_price(&quote(TeamSide::Home, 100, 200), at(1, MS))
        else {
            panic!("one signal")
        };
        signal.fair_e4
    };
    assert_eq!(priced([9_000, NO_PROBABILITY]), priced([9_000, 9_000]));
    assert_ne!(priced([9_000, NO_PROBABILITY]), priced([NO_PROBABILITY; 2]));
}

/// VENUE 8.4: an arbitrage sent one leg only, and its edge was compared with the wrong unit.
#[test]
fn lesson_4_an_arbitrage_is_two_legs_of_one_size() {
    let mut shard = live_shard();
    assert_eq!(
        shard.on_price(&quote(TeamSide::Home, 4_400, 4_500), at(0, MS)),
        NOTHING
    );
    let cheap = PriceUpdate {
        ask_count_centi: 900,
        ..quote(TeamSide::Away, 4_700, 4_800)
    };
    let [Some(home), Some(away)] = shard.on_price(&cheap, at(1, MS)) else {
        panic!("two legs")
    };
    assert_eq!(
        (home.market, home.price_e4, away.market, away.price_e4),
        (10, 4_500, 11, 4_800)
    );
    assert_eq!(
        (home.count_centi, away.count_centi),
        (900, 900),
        "the smaller shown size"
    );
    assert_eq!(
        (home.side(), away.side()),
        (Some(Side::Bid), Some(Side::Bid))
    );
    assert_eq!(home.kind(), Some(SignalKind::Arbitrage));
    assert_eq!(home.edge_e4, 700 - 200 - 200);
    assert_eq!(
        home.signal,
        signal_id(3, false, 1, SignalKind::Arbitrage, 0)
    );
    assert_eq!(
        away.signal,
        signal_id(3, false, 1, SignalKind::Arbitrage, 1)
    );
    assert_eq!(home.ingress_mono_ns, 77, "the tick that caused it");
}

#[test]
fn selling_both_above_a_dollar_is_found_too() {
    let mut shard = live_shard();
    shard.on_price(&quote(TeamSide::Home, 5_400, 5_500), at(0, MS));
    let [Some(home), Some(away)] = shard.on_price(&quote(TeamSide::Away, 5_300, 5_400), at(1, MS))
    else {
        panic!("two legs")
    };
    assert_eq!(
        (home.side(), home.price_e4, away.price_e4),
        (Some(Side::Ask), 5_400, 5_300)
    );
}

#[test]
fn a_model_edge_is_told_after_fees_and_blended_with_the_mid() {
    let mut shard = live_shard();
    // Mid 0.41, model 0.50, half and half: fair 0.455; 0.455 - 0.42 - fee 0.0171 = 0.0179.
    let [Some(signal), None] = shard.on_price(&quote(TeamSide::Home, 4_000, 4_200), at(9, 2 * MS))
    else {
        panic!("one signal")
    };
    assert_eq!((signal.fair_e4, signal.edge_e4), (4_550, 350 - 171));
    assert_eq!(
        (signal.side(), signal.kind()),
        (Some(Side::Bid), Some(SignalKind::ModelEdge))
    );
    assert_eq!(signal.count_centi, 2_000);
}

/// VENUE 8.9: a signal's expiry counts from its input.
#[test]
fn lesson_9_a_signal_expires_a_fixed_time_after_its_input() {
    let mut shard = live_shard();
    let signals = shard.on_price(&quote(TeamSide::Home, 4_000, 4_200), at(9, 2 * MS));
    assert_eq!(
        signals[0].map(|signal| signal.expires_mono_ns),
        Some(252 * MS)
    );
}

#[test]
fn one_lasting_opportunity_is_told_once_until_it_improves_or_rearms() {
    let mut shard = live_shard();
    let told = |signals: Signals| signals.iter().flatten().count();
    let price = quote(TeamSide::Home, 4_000, 4_200);
    assert_eq!(told(shard.on_price(&price, at(1, MS))), 1, "appears");
    for sequence in 2..300 {
        assert_eq!(
            told(shard.on_price(&price, at(sequence, MS + sequence))),
            0,
            "unchanged"
        );
    }
    let better = quote(TeamSide::Home, 3_900, 4_100);
    assert_eq!(
        told(shard.on_price(&better, at(300, 2 * MS))),
        1,
        "improves"
    );
    assert_eq!(
        told(shard.on_price(&price, at(301, 3 * MS))),
        0,
        "worse than told"
    );
    assert_eq!(
        told(shard.on_price(&price, at(302, 1_002 * MS))),
        1,
        "told long ago"
    );
    let fair = quote(TeamSide::Home, 4_900, 5_100);
    assert_eq!(told(shard.on_price(&fair, at(303, 1_003 * MS))), 0, "gone");
    assert_eq!(
        told(shard.on_price(&price, at(304, 1_004 * MS))),
        1,
        "appears again"
    );
}

#[test]
fn a_fresh_state_can_cause_a_signal_too() {
    let mut shard = shard();
    shard.on_price(&quote(TeamSide::Home, 4_000, 4_200), at(1, MS));
    let signals = shard.on_state(&even_state(2 * MS), at(5, 2 * MS));
    assert_eq!(
        signals[0].map(|signal| signal.signal),
        Some(signal_id(3, true, 5, SignalKind::ModelEdge, 0))
    );
    assert_eq!(
        signals[0].map(|signal| signal.ingress_mono_ns),
        Some(2 * MS)
    );
}

/// Rows of the board share the identity of the message that had them read: no signal may.
#[test]
fn a_price_of_the_board_is_judged_with_the_next_input_only() {
    let mut shard = live_shard();
    assert!(shard.learn(&quote(TeamSide::Home, 4_000, 4_200)));
    let signals = shard.on_state(&even_state(MS), at(1, MS));
    assert_eq!(
        signals[0].map(|signal| signal.signal),
        Some(signal_id(3, true, 1, SignalKind::ModelEdge, 0))
    );
}

#[test]
fn a_distrusted_price_is_not_traded_until_told_again() {
    let mut shard = live_shard();
    let good = quote(TeamSide::Home, 4_000, 4_200);
    assert!(shard.learn(&good));
    shard.distrust();
    assert_eq!(shard.on_state(&even_state(MS), at(1, MS)), NOTHING);
    assert_ne!(shard.on_price(&good, at(1, MS)), NOTHING);
}

#[test]
fn malformed_bytes_and_foreign_markets_are_counted_and_skipped() {
    let mut shard = live_shard();
    let good = quote(TeamSide::Home, 4_900, 5_100);
    shard.on_price(&PriceUpdate { team: 9, ..good }, at(1, MS));
    shard.on_price(&PriceUpdate { status: 9, ..good }, at(2, MS));
    shard.on_price(&PriceUpdate { sport: 6, ..good }, at(2, MS));
    shard.on_state(
        &GameState {
            sport: 9,
            ..even_state(0)
        },
        at(3, MS),
    );
    shard.on_price(&good, at(4, MS));
    let other = PriceUpdate {
        market: 99,
        ..quote(TeamSide::Home, 4_000, 4_200)
    };
    assert_eq!(shard.on_price(&other, at(5, MS)), NOTHING);
    let counters = shard.counters();
    assert_eq!((counters.malformed, counters.conflicting), (4, 1));
}

/// A full table refuses new games and goes on with those it has.
#[test]
fn a_flood_of_games_does_not_grow_the_table() {
    let mut shard = live_shard();
    for game in 0..5_000 {
        shard.on_price(
            &PriceUpdate {
                game,
                ..quote(TeamSide::Home, 4_900, 5_100)
            },
            at(1, MS),
        );
    }
    assert_eq!(shard.counters().no_room, 5_001 - GAMES as u64);
    assert_ne!(
        shard.on_price(&quote(TeamSide::Home, 4_000, 4_200), at(2, MS)),
        NOTHING
    );
}

/// A season has more games than the table: those that are over make room.
#[test]
fn games_that_are_over_make_room_for_others() {
    let mut shard = Shard::new(0, model(), 1_000);
    let of_game = |game: u32, phase: Phase| GameState {
        game,
        phase: phase as u8,
        ingress_mono_ns: u64::from(game),
        ..GameState::zeroed()
    };
    for game in 1..=4_096 {
        let phase = if game % 2 == 0 {
            Phase::Final
        } else {
            Phase::Live
        };
        shard.on_state(&of_game(game, phase), at(game.into(), MS));
    }
    assert_eq!(shard.counters().no_room, 0);
    for game in 10_000..10_000 + 2_048 {
        shard.on_state(&of_game(game, Phase::Live), at(game.into(), MS));
    }
    assert_eq!(shard.counters().no_room, 0);
    shard.on_state(&of_game(20_000, Phase::Live), at(20_000, MS));
    assert_eq!(shard.counters().no_room, 1, "all that are left are on");
}
