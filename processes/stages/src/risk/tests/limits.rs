//! Each limit twice: a signal that trips it, and one just within it that becomes an order.
//!
//! A contract at $0.50 costs at most $0.52: its fee is $0.0175 in one fill, $0.0200 in a hundred.

use super::*;

/// At $0.50, of 19 contracts at the most where a limit is $10.
const TEN_DOLLARS_BUY: u32 = 1_900;

fn of_game(sequence: u64, game: u32, sport: Sport) -> Signal {
    Signal {
        game,
        market: game * 2,
        sport: sport as u8,
        ..signal(sequence, 0)
    }
}

/// A stage that holds what a $10 game limit lets it buy of game 1.
fn invested(limits: Limits) -> (Risk, u32) {
    let mut risk = Risk::new(Limits {
        max_game_dollars: 10,
        ..limits
    });
    let [Some(order), None] = risk.on_signal(&of_game(1, 1, Sport::Nba), MS) else {
        panic!("one order")
    };
    risk.on_ack(&ack(&order, order.count_centi, 332_500));
    (risk, order.count_centi)
}

fn one_contract(sequence: u64) -> Signal {
    Signal {
        count_centi: 100,
        ..signal(sequence, 1)
    }
}

#[test]
fn limit_order_trips() {
    let mut risk = Risk::new(limits());
    assert_eq!(count(risk.on_signal(&signal(1, 0), MS)), 5_000, "cut");
    let mut risk = Risk::new(Limits {
        max_order_contracts: 0,
        ..limits()
    });
    assert_eq!(risk.on_signal(&one_contract(1), MS), NOTHING);
    assert_eq!(risk.counters().too_small, 1);
}

#[test]
fn limit_order_lets_pass() {
    let mut risk = Risk::new(limits());
    let just = Signal {
        count_centi: 5_000,
        ..signal(1, 0)
    };
    assert_eq!(count(risk.on_signal(&just, MS)), 5_000);
}

#[test]
fn limit_market_trips() {
    let mut risk = Risk::new(Limits {
        max_market_contracts: 50,
        ..limits()
    });
    assert_eq!(count(risk.on_signal(&signal(1, 0), MS)), 5_000);
    let more = Signal {
        count_centi: 100,
        ..signal(2, 0)
    };
    assert_eq!(risk.on_signal(&more, 600 * MS), NOTHING);
    assert_eq!(risk.counters().market_limit, 1);
}

#[test]
fn limit_market_lets_pass() {
    let mut risk = Risk::new(Limits {
        max_market_contracts: 51,
        ..limits()
    });
    assert_eq!(count(risk.on_signal(&signal(1, 0), MS)), 5_000);
    assert_eq!(count(risk.on_signal(&signal(2, 0), 600 * MS)), 100);
    // The other market of the game has room of its own.
    assert_eq!(count(risk.on_signal(&one_contract(3), 600 * MS)), 100);
}

#[test]
fn limit_game_trips() {
    let (mut risk, bought) = invested(limits());
    assert_eq!(bought, TEN_DOLLARS_BUY);
    assert_eq!(risk.on_signal(&signal(2, 0), 600 * MS), NOTHING);
    assert_eq!(risk.counters().game_limit, 1);
}

#[test]
fn limit_game_lets_pass() {
    let (mut risk, bought) = invested(limits());
    // Another game has room of its own.
    let other = of_game(2, 2, Sport::Nba);
    assert_eq!(count(risk.on_signal(&other, MS)), bought);
}

#[test]
fn limit_sport_trips() {
    let (mut risk, _) = invested(Limits {
        max_sport_dollars: 10,
        ..limits()
    });
    assert_eq!(risk.on_signal(&of_game(2, 2, Sport::Nba), MS), NOTHING);
    assert_eq!(risk.counters().sport_limit, 1);
}

#[test]
fn limit_sport_lets_pass() {
    let (mut risk, bought) = invested(Limits {
        max_sport_dollars: 10,
        ..limits()
    });
    // Of another sport, and of the same one once its game is over.
    let other = of_game(2, 2, Sport::Mlb);
    assert_eq!(count(risk.on_signal(&other, MS)), bought);
    risk.on_game_over(1, Outcome::Home, MS);
    let same = of_game(3, 3, Sport::Nba);
    assert_eq!(count(risk.on_signal(&same, MS)), bought);
}

/// A stage with so much at stake in another game, all of it allowed but by the total limit of $10.
fn with_at_stake(micros: i64) -> Risk {
    let mut risk = Risk::new(Limits {
        max_exposure_dollars: 10,
        ..limits()
    });
    let listing = Listing {
        game: 9,
        team: 0,
        sport: Sport::Mlb,
        fee_rate_e4: 700,
    };
    risk.recall_position(listing, 2_000, micros);
    risk
}

#[test]
fn limit_total_trips() {
    let mut risk = with_at_stake(9_500_000);
    assert_eq!(risk.on_signal(&one_contract(1), MS), NOTHING);
    assert_eq!(risk.counters().total_limit, 1);
}

#[test]
fn limit_total_lets_pass() {
    let mut risk = with_at_stake(9_480_000);
    assert_eq!(count(risk.on_signal(&one_contract(1), MS)), 100);
}

#[test]
fn limit_day_trips() {
    let day = Limits {
        max_day_loss_dollars: 15,
        ..limits()
    };
    // By what is at stake alone, and by what was lost: $9.83 of the 15, and the rest is at stake.
    for lost in [false, true] {
        let (mut risk, _) = invested(day);
        if lost {
            risk.on_game_over(1, Outcome::Away, MS);
            assert_eq!(risk.lost_today_micros(), 9_500_000 + 332_500);
            assert_eq!(risk.at_stake_micros(), 0);
        }
        // $5.16 are left: nine.
        let second = of_game(2, 2, Sport::Mlb);
        assert_eq!(count(risk.on_signal(&second, MS)), 900, "lost: {lost}");
        let third = of_game(3, 3, Sport::Nhl);
        assert_eq!(risk.on_signal(&third, MS), NOTHING);
        assert_eq!(risk.counters().day_limit, 1);
    }
}

#[test]
fn limit_day_lets_pass() {
    let day = Limits {
        max_day_loss_dollars: 15,
        ..limits()
    };
    let (mut won, bought) = invested(day);
    won.on_game_over(1, Outcome::Home, MS);
    assert_eq!(won.lost_today_micros(), 0);
    assert_eq!(won.result_today_micros(), 19_000_000 - 9_832_500);
    let again = of_game(2, 2, Sport::Nba);
    assert_eq!(count(won.on_signal(&again, MS)), bought);
    // What was lost yesterday is no loss of today.
    let (mut lost, bought) = invested(day);
    lost.recall_day(1_000 * MS, -5_000_000);
    lost.on_game_over(1, Outcome::Away, 999 * MS);
    assert_eq!(
        lost.on_signal(&of_game(2, 2, Sport::Nba), 999 * MS),
        NOTHING
    );
    assert_eq!(
        count(lost.on_signal(&of_game(3, 2, Sport::Nba), 1_000 * MS)),
        bought
    );
}

/// A gain pays for a loss of the same day, and for nothing else.
#[test]
fn a_gain_allows_no_more_than_the_days_limit() {
    let mut risk = Risk::new(Limits {
        max_day_loss_dollars: 10,
        ..limits()
    });
    risk.recall_day(u64::MAX, 1_000_000_000);
    assert_eq!(
        count(risk.on_signal(&of_game(1, 1, Sport::Nba), MS)),
        TEN_DOLLARS_BUY
    );
}

/// Three ends of a game, bought at home for $5 and sold away for $4.50, to the cent.
#[test]
fn a_game_that_is_over_gains_what_its_outcome_pays() {
    for (outcome, gain) in [
        (
            Outcome::of_score([3, 1]),
            9_500_000 - 10_000_000 + 10_000_000,
        ),
        (
            Outcome::of_score([1, 3]),
            9_500_000 - 10_000_000 - 10_000_000,
        ),
        (Outcome::of_score([2, 2]), 9_500_000 - 10_000_000),
    ] {
        let mut risk = Risk::new(limits());
        risk.recall_day(u64::MAX, -100_000_000);
        let held = |team| Listing {
            game: 1,
            team,
            sport: Sport::Nba,
            fee_rate_e4: 0,
        };
        risk.recall_position(held(0), 1_000, 5_000_000);
        risk.recall_position(held(1), -1_000, -4_500_000);
        risk.on_game_over(1, outcome, MS);
        assert_eq!(risk.lost_today_micros(), 100_000_000 - gain, "{outcome:?}");
        assert_eq!(risk.at_stake_micros(), 0);
        risk.on_game_over(1, outcome, MS);
        assert_eq!(risk.lost_today_micros(), 100_000_000 - gain, "told twice");
    }
}

/// The answer comes after the end of the game; and of one order nobody ever knew.
#[test]
fn what_is_filled_after_the_end_of_its_game_is_of_the_day_too() {
    let mut risk = Risk::new(limits());
    let [Some(late), None] = risk.on_signal(&signal(1, 0), MS) else {
        panic!("one order")
    };
    let [Some(lost), None] = risk.on_signal(&signal(2, 1), MS) else {
        panic!("one order")
    };
    let unknown = OrderAck {
        status: OrderStatus::Unknown as u8,
        ..ack(&lost, 0, 0)
    };
    let stake = stake_micros(Side::Bid, 5_000, 700, lost.count_centi);
    let mut before = risk.clone();
    before.on_ack(&unknown);
    before.on_game_over(1, Outcome::Away, MS);
    assert_eq!(before.lost_today_micros(), stake);
    before.on_ack(&ack(&late, 1_000, 7));
    assert_eq!(before.lost_today_micros(), stake + 5_000_000 + 7);
    risk.on_game_over(1, Outcome::Away, MS);
    risk.on_ack(&ack(&late, 1_000, 7));
    risk.on_ack(&unknown);
    assert_eq!(risk.lost_today_micros(), stake + 5_000_000 + 7);
    assert_eq!((risk.at_stake_micros(), before.at_stake_micros()), (0, 0));
}

#[test]
fn limit_open_orders_trips() {
    let mut risk = Risk::new(Limits {
        max_open_orders: 1,
        ..limits()
    });
    assert_ne!(risk.on_signal(&one_contract(1), MS), NOTHING);
    assert_eq!(risk.on_signal(&one_contract(2), 600 * MS), NOTHING);
    assert_eq!(risk.counters().open_orders, 1);
}

#[test]
fn limit_open_orders_lets_pass() {
    let mut risk = Risk::new(Limits {
        max_open_orders: 1,
        ..limits()
    });
    let [Some(order), None] = risk.on_signal(&one_contract(1), MS) else {
        panic!("one order")
    };
    risk.on_ack(&ack(&order, 0, 0));
    assert_ne!(risk.on_signal(&one_contract(2), 600 * MS), NOTHING);
}

#[test]
fn limit_repeat_trips() {
    let mut risk = Risk::new(limits());
    risk.on_signal(&one_contract(1), MS);
    assert_eq!(risk.on_signal(&one_contract(2), 500 * MS), NOTHING);
    assert_eq!(risk.counters().repeated, 1);
}

#[test]
fn limit_repeat_lets_pass() {
    let mut risk = Risk::new(limits());
    risk.on_signal(&one_contract(1), MS);
    assert_ne!(risk.on_signal(&one_contract(2), 501 * MS), NOTHING);
}

#[test]
fn limit_halt_trips() {
    let mut risk = Risk::new(limits());
    risk.halt(true);
    assert_eq!(risk.on_signal(&signal(1, 0), MS), NOTHING);
    assert_eq!(risk.counters().halted, 1);
}

#[test]
fn limit_halt_lets_pass() {
    let mut risk = Risk::new(limits());
    risk.halt(true);
    risk.halt(false);
    assert_ne!(risk.on_signal(&signal(1, 0), MS), NOTHING);
}

#[test]
fn limit_expiry_trips() {
    let mut risk = Risk::new(limits());
    assert_eq!(risk.on_signal(&signal(1, 0), 10_000 * MS + 1), NOTHING);
    assert_eq!(risk.counters().expired, 1);
}

#[test]
fn limit_expiry_lets_pass() {
    let mut risk = Risk::new(limits());
    assert_ne!(risk.on_signal(&signal(1, 0), 10_000 * MS), NOTHING);
}

/// A game that was rained out kept its stake in every limit.
#[test]
fn what_the_venue_has_settled_is_decided_whatever_the_feed_says() {
    let listing = Listing {
        game: 1,
        team: 0,
        sport: Sport::Nba,
        fee_rate_e4: 0,
    };
    let mut risk = Risk::new(limits());
    risk.recall_position(listing, 1_000, 6_000_000);
    assert!(risk.on_settlement(listing, 5_000, MS));
    assert_eq!(
        (risk.at_stake_micros(), risk.lost_today_micros()),
        (0, 1_000_000)
    );
    assert!(!risk.on_settlement(listing, 5_000, MS), "once");
    assert_eq!(risk.lost_today_micros(), 1_000_000);
    // Where the feed has told the end before, the venue has the last word.
    let mut told = Risk::new(limits());
    told.recall_position(listing, 1_000, 6_000_000);
    told.on_game_over(1, Outcome::Home, MS);
    assert_eq!(told.result_today_micros(), 4_000_000);
    assert!(told.on_settlement(listing, 5_000, MS));
    assert_eq!(told.result_today_micros(), -1_000_000);
    assert_eq!(told.at_stake_micros(), 0);
}

/// A stage to which the venue has just said that it has too little of our money for an order of game 1.
fn refused_at(acked_mono_ns: u64) -> Risk {
    let mut risk = Risk::new(limits());
    let [Some(order), None] = risk.on_signal(&of_game(1, 1, Sport::Mlb), MS) else {
        panic!("one order")
    };
    risk.on_ack(&OrderAck {
        status: OrderStatus::Rejected as u8,
        reason: RejectReason::InsufficientBalance as u8,
        acked_mono_ns,
        ..ack(&order, 0, 0)
    });
    risk
}

#[test]
fn limit_cash_trips() {
    let mut risk = refused_at(2 * MS);
    let last = 2 * MS + SHORT_NS - 1;
    let late = |signal| Signal {
        expires_mono_ns: u64::MAX,
        ..signal
    };
    assert_eq!(
        risk.on_signal(&late(of_game(2, 2, Sport::Mlb)), last),
        NOTHING
    );
    let pair = |team| Signal {
        sport: Sport::Mlb as u8,
        ..late(leg(3, team))
    };
    risk.on_signal(&pair(0), last);
    assert_eq!(risk.on_signal(&pair(1), last), NOTHING);
    assert_eq!(risk.counters().short_of_cash, 3, "a leg each");
}

#[test]
fn limit_cash_lets_pass() {
    let mut risk = refused_at(2 * MS);
    let other = of_game(2, 2, Sport::Nba);
    assert_ne!(risk.on_signal(&other, 3 * MS), NOTHING, "on another shard");
    let later = Signal {
        expires_mono_ns: u64::MAX,
        ..of_game(3, 3, Sport::Mlb)
    };
    assert_ne!(risk.on_signal(&later, 2 * MS + SHORT_NS), NOTHING);
    // Another refusal says nothing of money.
    let mut risk = Risk::new(limits());
    let [Some(order), None] = risk.on_signal(&signal(1, 0), MS) else {
        panic!("one order")
    };
    risk.on_ack(&OrderAck {
        status: OrderStatus::Rejected as u8,
        reason: RejectReason::InvalidPrice as u8,
        ..ack(&order, 0, 0)
    });
    assert_ne!(risk.on_signal(&signal(2, 1), 2 * MS), NOTHING);
}
