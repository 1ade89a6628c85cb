//! A successor that is told what was left behind decides as the one that died would have.

use super::super::Outcome;
use super::super::tests::{MS, ack, leg, limits, signal};
use super::*;
use layouts::{Side, Signal};

fn listing(signal: &Signal) -> Listing {
    Listing {
        game: signal.game,
        team: signal.team,
        sport: signal.sport().unwrap(),
        fee_rate_e4: signal.fee_rate_e4,
    }
}

fn closed(filled_centi: u32) -> Fate {
    Fate::Closed { filled_centi }
}

/// A stage that sent an order for each signal, and those orders.
fn predecessor(signals: &[Signal]) -> (Risk, Vec<Order>) {
    let mut risk = Risk::new(limits());
    let sent = signals.iter().flat_map(|signal| risk.on_signal(signal, MS));
    let sent = sent.flatten().collect();
    (risk, sent)
}

#[test]
fn open_orders_and_positions_are_at_stake_as_before() {
    let (home, away) = (signal(1, 0), signal(2, 1));
    let (mut dead, orders) = predecessor(&[home, away]);
    let [first, second] = orders[..] else {
        panic!("two orders")
    };
    let filled = ack(&first, 3_000, 700);
    dead.on_ack(&filled);

    let mut successor = Risk::new(limits());
    let paid = filled.cost_micros + i64::from(filled.fee_micros);
    successor.recall_position(listing(&home), 3_000, paid);
    successor.recall_order(&first, listing(&home), closed(3_000));
    successor.recall_order(&second, listing(&away), Fate::Open);
    assert_eq!(successor.at_stake_micros(), dead.at_stake_micros());
    assert_eq!(successor.open_orders(), 1);

    // The same answer twice: a restart of the execution service repeats what was not committed.
    for risk in [&mut dead, &mut successor] {
        let before = risk.counters().stray_acks;
        risk.on_ack(&ack(&second, 5_000, 900));
        risk.on_ack(&ack(&second, 5_000, 900));
        assert_eq!(risk.counters().stray_acks, before + 1);
    }
    assert_eq!(successor.at_stake_micros(), dead.at_stake_micros());
    assert_eq!(successor.open_orders(), 0);
}

#[test]
fn an_order_is_not_made_twice_of_one_signal_and_the_next_is_spaced_out() {
    let told = signal(7, 0);
    let (_, orders) = predecessor(&[told]);
    let mut successor = Risk::new(limits());
    successor.recall_order(&orders[0], listing(&told), closed(5_000));
    assert_eq!(successor.on_signal(&told, MS), [None, None]);
    assert_eq!(successor.counters().duplicate, 1);
    assert_eq!(successor.on_signal(&signal(8, 0), 2 * MS), [None, None]);
    assert_eq!(successor.counters().repeated, 1);
    assert_ne!(successor.on_signal(&signal(9, 0), 600 * MS), [None, None]);
}

#[test]
fn an_order_of_unknown_fate_stays_at_stake() {
    let told = signal(7, 0);
    let (mut dead, orders) = predecessor(&[told]);
    let lost = OrderAck {
        status: OrderStatus::Unknown as u8,
        ..ack(&orders[0], 100, 20)
    };
    dead.on_ack(&lost);
    let mut successor = Risk::new(limits());
    successor.recall_order(&orders[0], listing(&told), Fate::Unknown(lost));
    assert_eq!(successor.open_orders(), 0);
    assert_eq!(successor.at_stake_micros(), dead.at_stake_micros());
    assert!(successor.at_stake_micros() > 0);
}

#[test]
fn the_second_leg_of_a_half_sent_pair_follows_with_the_same_count() {
    let (home, away) = (leg(4, 0), leg(4, 1));
    let (_, orders) = predecessor(&[home, away]);
    let [first, second] = orders[..] else {
        panic!("two orders")
    };
    let recalled = || {
        let mut risk = Risk::new(limits());
        risk.recall_order(&first, listing(&home), Fate::Open);
        risk
    };
    let mut successor = recalled();
    // The signals are read again, whether or not the first of them was committed.
    assert_eq!(successor.on_signal(&home, MS), [None, None]);
    assert_eq!(successor.on_signal(&away, MS), [Some(second), None]);
    assert_eq!(successor.open_orders(), 2);
    assert_eq!(recalled().on_signal(&away, MS), [Some(second), None]);

    let mut late = recalled();
    assert_eq!(
        late.on_signal(&away, away.expires_mono_ns + 1),
        [None, None]
    );
    let other = Signal {
        side: Side::Ask as u8,
        ..away
    };
    assert_eq!(recalled().on_signal(&other, MS), [None, None]);

    let mut whole = recalled();
    whole.recall_order(&second, listing(&away), Fate::Open);
    assert_eq!(
        whole.on_signal(&away, MS),
        [None, None],
        "it is out already"
    );
    assert_eq!(whole.counters().duplicate, 1);
}

#[test]
fn a_position_that_nobody_lists_is_at_stake_until_it_is_listed() {
    let mut risk = Risk::new(limits());
    risk.recall_unlisted(1_000, 4_000_000);
    risk.recall_unlisted(-1_000, -4_500_000);
    // The short pays a dollar a contract at the worst.
    assert_eq!(risk.at_stake_micros(), 4_000_000 + 5_500_000);
    risk.list(listing(&signal(1, 0)), 1_000, 4_000_000, MS);
    assert_eq!(risk.at_stake_micros(), 4_000_000 + 5_500_000);
    risk.list(listing(&signal(1, 0)), -1_000, -4_500_000, MS);
    assert_eq!(risk.at_stake_micros(), 0, "sold what was bought, for more");
    risk.recall_unlisted(1_000, 4_000_000);
    risk.settle_unlisted(1_000, 4_000_000, -4_000_000, MS);
    assert_eq!(risk.at_stake_micros(), 0);
    assert_eq!(risk.lost_today_micros(), 4_000_000);
}

/// One market of a game is listed before its end is told, the other after it.
#[test]
fn what_is_listed_when_its_game_is_over_is_decided() {
    let mut risk = Risk::new(limits());
    let [home, away] = [0, 1].map(|team| listing(&signal(1, team)));
    risk.recall_unlisted(1_000, 4_000_000);
    risk.recall_unlisted(1_000, 3_000_000);
    risk.list(home, 1_000, 4_000_000, MS);
    risk.on_game_over(home.game, Outcome::Away, MS);
    assert_eq!(risk.lost_today_micros(), 4_000_000);
    risk.list(away, 1_000, 3_000_000, MS);
    // What the other has gained makes up for it, and allows no more.
    assert_eq!((risk.at_stake_micros(), risk.lost_today_micros()), (0, 0));
    assert_eq!(risk.result_today_micros(), 0);
    risk.on_game_over(home.game, Outcome::Home, MS);
    assert_eq!(risk.result_today_micros(), 0, "gained $6 and lost $3");
    risk.on_game_over(home.game, Outcome::Tie, MS);
    assert_eq!(risk.result_today_micros(), 0, "gained $1 and $2");
}

/// A game of this launch, of whose other market an earlier launch has left something.
#[test]
fn what_is_held_over_night_makes_up_for_a_loss_of_its_game_and_spoils_no_gain() {
    let [home, away] = [0, 1].map(|team| listing(&signal(1, team)));
    for (outcome, before, after) in [
        (Outcome::Away, -4_000_000, 0),
        (Outcome::Home, 6_000_000, 3_000_000),
    ] {
        let mut risk = Risk::new(limits());
        risk.recall_position(home, 1_000, 4_000_000);
        risk.on_game_over(home.game, outcome, MS);
        assert_eq!(risk.result_today_micros(), before);
        risk.recall_unlisted(1_000, 3_000_000);
        risk.list(away, 1_000, 3_000_000, MS);
        assert_eq!(risk.result_today_micros(), after);
        risk.on_game_on(home.game, MS);
        assert_eq!(risk.result_today_micros(), 0, "its end is taken back");
    }
}

/// The second leg of a pair hedges the first: it follows what came of it.
#[test]
fn a_half_sent_pair_is_completed_by_what_its_first_leg_has_filled() {
    let (home, away) = (leg(4, 0), leg(4, 1));
    let (_, orders) = predecessor(&[home, away]);
    let first = orders[0];
    for (filled_centi, follows) in [
        (0, None),
        (99, None),
        (1_250, Some(1_200)),
        (5_000, Some(5_000)),
    ] {
        // Answered before the predecessor died, and after.
        let mut before = Risk::new(limits());
        before.recall_order(&first, listing(&home), closed(filled_centi));
        let mut after = Risk::new(limits());
        after.recall_order(&first, listing(&home), Fate::Open);
        after.on_ack(&ack(&first, filled_centi, 0));
        for mut risk in [before, after] {
            let second = risk.on_signal(&away, MS)[0];
            assert_eq!(
                second.map(|order| order.count_centi),
                follows,
                "{filled_centi}"
            );
            assert_eq!(risk.counters().too_small, u64::from(follows.is_none()));
        }
    }
}
