//! How much is ordered: the stake is the game's, whoever tells of its edge and how often. And when what was
//! staked is decided.

use super::*;

/// $1000, an edge of 2 cents at 50: Kelly stakes 80 contracts.
#[test]
fn the_share_of_kelly_is_what_the_limits_say() {
    for (kelly_percent, contracts) in [(25, 2_000), (10, 800), (50, 4_000), (100, 5_000), (1, 0)] {
        let mut risk = Risk::new(Limits {
            kelly_percent,
            ..limits()
        });
        let small = Signal {
            edge_e4: 200,
            ..signal(1, 0)
        };
        assert_eq!(count(risk.on_signal(&small, MS)), contracts);
    }
}

/// An edge of 2 cents at 50, of either team: 20 contracts are worth holding.
fn small(sequence: u64, team: u8, side: Side) -> Signal {
    Signal {
        edge_e4: 200,
        side: side as u8,
        ..signal(sequence, team)
    }
}

/// A lasting edge is told again every `repeat_ms`: each time it took the whole stake.
#[test]
fn limit_target_trips() {
    let mut risk = Risk::new(limits());
    let [Some(first), None] = risk.on_signal(&small(1, 0, Side::Bid), MS) else {
        panic!("one order")
    };
    assert_eq!(first.count_centi, 2_000);
    let again = risk.on_signal(&small(2, 0, Side::Bid), 600 * MS);
    assert_eq!(again, NOTHING, "it is open");
    risk.on_ack(&ack(&first, 1_500, 0));
    assert_eq!(
        count(risk.on_signal(&small(3, 0, Side::Bid), 1_200 * MS)),
        500,
        "what is missing"
    );
    assert_eq!(risk.on_signal(&small(4, 0, Side::Bid), 1_800 * MS), NOTHING);
    assert_eq!(risk.counters().at_target, 2);
}

#[test]
fn limit_target_lets_pass() {
    let mut risk = Risk::new(limits());
    assert_eq!(count(risk.on_signal(&small(1, 0, Side::Bid), MS)), 2_000);
    // A greater edge is worth more.
    let better = Signal {
        edge_e4: 300,
        ..signal(2, 0)
    };
    assert_eq!(count(risk.on_signal(&better, 600 * MS)), 1_000);
}

/// To sell the away team's win is to buy the home team's.
#[test]
fn both_markets_of_a_game_have_one_stake() {
    let mut risk = Risk::new(limits());
    let [Some(home), None] = risk.on_signal(&small(1, 0, Side::Bid), MS) else {
        panic!("one order")
    };
    let away = || small(2, 1, Side::Ask);
    assert_eq!(risk.clone().on_signal(&away(), MS), NOTHING, "it is open");
    risk.on_ack(&ack(&home, 1_200, 0));
    let mut held = risk.clone();
    assert_eq!(count(held.on_signal(&away(), MS)), 800, "12 are held");
    // The other opinion gives up what is held, and takes its own stake.
    assert_eq!(count(risk.on_signal(&small(2, 1, Side::Bid), MS)), 3_200);
    let mut other = held.clone();
    let elsewhere = Signal {
        game: 2,
        ..small(3, 0, Side::Bid)
    };
    assert_eq!(
        count(other.on_signal(&elsewhere, MS)),
        2_000,
        "another game"
    );
}

/// Both legs of an arbitrage cancel each other out.
#[test]
fn a_pair_that_is_held_is_no_opinion() {
    let mut risk = Risk::new(limits());
    risk.on_signal(&leg(1, 0), MS);
    for order in risk.on_signal(&leg(1, 1), MS).into_iter().flatten() {
        risk.on_ack(&ack(&order, 1_000, 0));
    }
    assert_eq!(count(risk.on_signal(&small(2, 0, Side::Bid), MS)), 2_000);
}

#[test]
fn the_limits_cut_what_is_missing_of_the_stake() {
    let mut risk = Risk::new(Limits {
        max_market_contracts: 15,
        ..limits()
    });
    assert_eq!(count(risk.on_signal(&small(1, 0, Side::Bid), MS)), 1_500);
    assert_eq!(risk.on_signal(&small(2, 0, Side::Bid), 600 * MS), NOTHING);
    assert_eq!(risk.counters().market_limit, 1);
    assert_eq!(
        count(risk.on_signal(&small(3, 1, Side::Ask), 600 * MS)),
        500,
        "of the other market what is missing"
    );
}

/// The venue settles what is held: what was sold again is decided by that.
#[test]
fn a_position_that_is_closed_is_decided_and_of_the_day() {
    let mut risk = Risk::new(limits());
    let [Some(bought), None] = risk.on_signal(&small(1, 0, Side::Bid), MS) else {
        panic!("one order")
    };
    risk.on_ack(&ack(&bought, 2_000, 35));
    let worse = Signal {
        price_e4: 4_000,
        count_centi: 2_000,
        ..small(2, 0, Side::Ask)
    };
    let [Some(sold), None] = risk.on_signal(&worse, MS) else {
        panic!("one order")
    };
    risk.on_ack(&ack(&sold, 2_000, 35));
    assert_eq!(risk.at_stake_micros(), 0);
    assert_eq!(risk.lost_today_micros(), 2_000_070);
    // Whatever becomes of the game.
    risk.on_game_over(1, Outcome::Home, MS);
    assert_eq!(risk.lost_today_micros(), 2_000_070);
}

/// What a game has cost by round trips is no room for the next.
#[test]
fn a_games_limit_counts_what_was_lost_in_it() {
    let mut risk = Risk::new(Limits {
        max_game_dollars: 10,
        ..limits()
    });
    let buy = Signal {
        count_centi: 600,
        ..signal(1, 0)
    };
    let sell = Signal {
        price_e4: 1_000,
        side: Side::Ask as u8,
        count_centi: 600,
        ..signal(2, 0)
    };
    for signal in [buy, sell] {
        let [Some(order), None] = risk.on_signal(&signal, MS) else {
            panic!("one order")
        };
        risk.on_ack(&ack(&order, 600, 0));
    }
    assert_eq!(risk.lost_today_micros(), 2_400_000);
    // $7.60 are left, at $0.52.
    assert_eq!(count(risk.on_signal(&signal(3, 0), 600 * MS)), 1_400);
}

/// The feed said that the game was over, and takes it back.
#[test]
fn a_game_that_goes_on_after_its_end_is_at_stake_again() {
    let mut risk = Risk::new(limits());
    let [Some(bought), None] = risk.on_signal(&small(1, 0, Side::Bid), MS) else {
        panic!("one order")
    };
    risk.on_ack(&ack(&bought, 2_000, 0));
    let before = risk.at_stake_micros();
    assert_eq!(before, 10_000_000);
    risk.on_game_over(1, Outcome::Home, MS);
    assert_eq!(
        (risk.at_stake_micros(), risk.result_today_micros()),
        (0, 10_000_000)
    );
    risk.on_game_on(1, MS);
    assert_eq!(
        (risk.at_stake_micros(), risk.result_today_micros()),
        (before, 0)
    );
    // It is over after all, and otherwise.
    risk.on_game_over(1, Outcome::Home, MS);
    risk.on_game_over(1, Outcome::Away, MS);
    assert_eq!(
        (risk.at_stake_micros(), risk.result_today_micros()),
        (0, -10_000_000)
    );
    // An order is made of a live game only, whatever was heard of it here.
    assert_ne!(risk.on_signal(&one_of(2, 1), 2 * MS), NOTHING);
    assert_eq!(risk.result_today_micros(), 0);
    assert!(risk.at_stake_micros() > before);
}

/// The feed's word comes by another way than the signal, and later.
#[test]
fn a_game_that_goes_on_has_no_more_room_than_before_its_end() {
    let mut risk = Risk::new(Limits {
        max_game_dollars: 10,
        ..limits()
    });
    let [Some(bought), None] = risk.on_signal(&signal(1, 0), MS) else {
        panic!("one order")
    };
    risk.on_ack(&ack(&bought, bought.count_centi, 0));
    let before = risk.at_stake_micros();
    risk.on_game_over(1, Outcome::Home, 2 * MS);
    assert_eq!(risk.at_stake_micros(), 0);
    assert_eq!(risk.on_signal(&signal(2, 0), 600 * MS), NOTHING);
    assert_eq!(risk.counters().game_limit, 1);
    assert_eq!(
        (risk.at_stake_micros(), risk.result_today_micros()),
        (before, 0)
    );
}

fn one_of(sequence: u64, team: u8) -> Signal {
    Signal {
        count_centi: 100,
        ..signal(sequence, team)
    }
}

/// A season has more games than the table: those that are over make room.
#[test]
fn games_that_are_over_make_room_for_others() {
    let mut risk = Risk::new(limits());
    let of_game = |game: u32| Signal {
        game,
        count_centi: 100,
        ..signal(u64::from(game), 0)
    };
    for game in 0..4_096 {
        let [Some(order), None] = risk.on_signal(&of_game(game), MS) else {
            panic!("one order for game {game}")
        };
        risk.on_ack(&ack(&order, 0, 0));
    }
    assert_eq!(risk.on_signal(&of_game(5_000), MS), NOTHING, "all are on");
    risk.on_game_over(7, Outcome::Home, MS);
    assert_ne!(risk.on_signal(&of_game(5_001), MS), NOTHING);
    assert_eq!(risk.on_signal(&of_game(5_002), MS), NOTHING);
}

/// A start forgot it.
#[test]
fn a_games_limit_counts_what_was_lost_in_it_before_a_start() {
    let mut risk = Risk::new(Limits {
        max_game_dollars: 10,
        ..limits()
    });
    let listing = Listing {
        game: 1,
        team: 0,
        sport: layouts::Sport::Nba,
        fee_rate_e4: 700,
    };
    risk.recall_closed(listing, -2_400_000);
    assert_eq!((risk.at_stake_micros(), risk.lost_today_micros()), (0, 0));
    // $7.60 are left, at $0.52.
    assert_eq!(count(risk.on_signal(&signal(3, 0), MS)), 1_400);
}
