//! What may not be traded, each beside what is just good enough.

use super::*;

/// Cheap enough to be told of in any case.
fn good() -> PriceUpdate {
    quote(TeamSide::Home, 4_000, 4_200)
}

fn is_told(price: PriceUpdate) -> bool {
    live_shard().on_price(&price, at(1, MS)) != NOTHING
}

fn with_status(status: MarketStatus) -> PriceUpdate {
    PriceUpdate {
        status: status as u8,
        ..good()
    }
}

#[test]
fn limit_market_status_trips() {
    for status in [MarketStatus::Suspect, MarketStatus::Closed] {
        assert!(!is_told(with_status(status)), "{status:?}");
    }
}

#[test]
fn limit_market_status_lets_pass() {
    assert!(is_told(with_status(MarketStatus::Active)));
}

#[test]
fn limit_crossed_book_trips() {
    for bid_price_e4 in [4_200, 4_300] {
        assert!(!is_told(PriceUpdate {
            bid_price_e4,
            ..good()
        }));
    }
}

#[test]
fn limit_crossed_book_lets_pass() {
    assert!(is_told(PriceUpdate {
        bid_price_e4: 4_199,
        ..good()
    }));
}

#[test]
fn limit_one_sided_book_trips() {
    for empty in [
        PriceUpdate {
            ask_count_centi: 0,
            ..good()
        },
        PriceUpdate {
            bid_count_centi: 0,
            bid_price_e4: 0,
            ..good()
        },
        PriceUpdate {
            ask_price_e4: 10_000,
            ..good()
        },
    ] {
        assert!(!is_told(empty), "{empty:?}");
    }
}

#[test]
fn limit_one_sided_book_lets_pass() {
    assert!(is_told(PriceUpdate {
        bid_count_centi: 1,
        ..good()
    }));
}

#[test]
fn limit_stale_state_trips() {
    assert_eq!(
        live_shard().on_price(&good(), at(1, 5_001 * MS)),
        NOTHING,
        "older than 5 s"
    );
    assert_eq!(shard().on_price(&good(), at(1, MS)), NOTHING, "none yet");
}

#[test]
fn limit_stale_state_lets_pass() {
    assert_ne!(live_shard().on_price(&good(), at(1, 5_000 * MS)), NOTHING);
}

#[test]
fn limit_game_phase_trips() {
    for phase in [Phase::Scheduled, Phase::Final, Phase::Off] {
        let mut shard = live_shard();
        let state = GameState {
            phase: phase as u8,
            ..even_state(MS)
        };
        shard.on_state(&state, at(1, MS));
        assert_eq!(shard.on_price(&good(), at(1, MS)), NOTHING, "{phase:?}");
    }
}

#[test]
fn limit_game_phase_lets_pass() {
    assert!(is_told(good()), "live");
}

/// The limit of a sport would be that of another one.
#[test]
fn limit_sport_of_the_game_trips() {
    let baseball = PriceUpdate {
        sport: Sport::Mlb as u8,
        ..good()
    };
    let mut shard = live_shard();
    assert_eq!(shard.on_price(&baseball, at(1, MS)), NOTHING);
    assert_eq!(shard.counters().conflicting, 1);
    // It came before the state.
    let mut shard = super::shard();
    shard.on_price(&baseball, at(1, MS));
    assert_eq!(shard.on_state(&even_state(MS), at(1, MS)), NOTHING);
    assert_eq!(shard.counters().conflicting, 1);
}

#[test]
fn limit_sport_of_the_game_lets_pass() {
    let [Some(signal), None] = live_shard().on_price(&good(), at(1, MS)) else {
        panic!("one signal")
    };
    assert_eq!(signal.sport(), Some(Sport::Nba));
}
