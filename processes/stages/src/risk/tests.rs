//! Risk as signals and acknowledgements drive it, and the lessons of the earlier system.

use super::*;
use crate::exposure::stake_micros;
use bytemuck::Zeroable;
use layouts::signal::signal_id;
use layouts::{RejectReason, Side, Sport};
use proptest::prelude::*;

mod limits;
mod sizing;

pub(super) const MS: u64 = NS_PER_MS;

pub(super) fn limits() -> Limits {
    Limits {
        max_order_contracts: 50,
        max_market_contracts: 100,
        max_game_dollars: 100,
        max_sport_dollars: 1_000,
        max_exposure_dollars: 1_000,
        max_day_loss_dollars: 1_000,
        max_open_orders: 8,
        max_burst_contracts: 100_000,
        repeat_ms: 500,
        kelly_percent: 25,
    }
}

/// A strong model edge of game 1: it wants more than any limit gives.
pub(super) fn signal(sequence: u64, team: u8) -> Signal {
    Signal {
        ingress_mono_ns: 5,
        expires_mono_ns: 10_000 * MS,
        signal: signal_id(0, false, sequence, SignalKind::ModelEdge, team),
        market: 10 + u32::from(team),
        game: 1,
        count_centi: 1_000_000,
        price_e4: 5_000,
        fair_e4: 7_000,
        edge_e4: 1_800,
        fee_rate_e4: 700,
        side: Side::Bid as u8,
        kind: SignalKind::ModelEdge as u8,
        team,
        sport: Sport::Nba as u8,
    }
}

pub(super) fn leg(sequence: u64, team: u8) -> Signal {
    Signal {
        kind: SignalKind::Arbitrage as u8,
        signal: signal_id(0, false, sequence, SignalKind::Arbitrage, team),
        price_e4: 4_500,
        ..signal(sequence, team)
    }
}

pub(super) fn ack(order: &Order, filled_centi: u32, fee_micros: u32) -> OrderAck {
    let sign = Side::from_byte(order.side).map_or(0, Side::sign);
    let status = match filled_centi {
        0 => OrderStatus::Unfilled,
        filled if filled < order.count_centi => OrderStatus::PartlyFilled,
        _ => OrderStatus::Filled,
    };
    OrderAck {
        order: order.order,
        market: order.market,
        filled_centi,
        cost_micros: sign * i64::from(order.price_e4) * i64::from(filled_centi),
        fee_micros,
        status: status as u8,
        reason: RejectReason::None as u8,
        side: order.side,
        ..OrderAck::zeroed()
    }
}

fn count(orders: Orders) -> u32 {
    orders[0].map_or(0, |order| order.count_centi)
}

#[test]
fn an_order_carries_what_its_signal_said() {
    let mut risk = Risk::new(limits());
    let [Some(order), None] = risk.on_signal(&signal(3, 1), MS) else {
        panic!("one order")
    };
    assert_eq!(
        order.order,
        signal_id(0, false, 3, SignalKind::ModelEdge, 1)
    );
    assert_eq!((order.market, order.game, order.price_e4), (11, 1, 5_000));
    assert_eq!(
        (order.ingress_mono_ns, order.expires_mono_ns),
        (5, 10_000 * MS)
    );
    assert_eq!(order.count_centi, 5_000, "cut to the limit of one order");
    assert_eq!(risk.open_orders(), 1);
}

#[test]
fn a_halt_drops_what_would_be_sent_and_lets_answers_in() {
    let mut risk = Risk::new(limits());
    let [Some(order), None] = risk.on_signal(&signal(1, 0), MS) else {
        panic!("one order")
    };
    risk.halt(true);
    assert_eq!(risk.on_signal(&signal(2, 1), MS), NOTHING);
    risk.on_signal(&leg(3, 0), MS);
    assert_eq!(risk.on_signal(&leg(3, 1), MS), NOTHING);
    assert_eq!(risk.counters().halted, 3, "a leg each");
    risk.on_ack(&ack(&order, order.count_centi, 0));
    assert_eq!(risk.open_orders(), 0);
    risk.halt(false);
    assert_ne!(risk.on_signal(&signal(4, 1), MS), NOTHING);
}

#[test]
fn limits_hold_from_their_change_on_and_open_orders_stay_within_memory() {
    let mut risk = Risk::new(limits());
    risk.limit(Limits {
        max_order_contracts: 3,
        max_open_orders: 1_000,
        ..limits()
    });
    assert_eq!(count(risk.on_signal(&signal(1, 0), MS)), 300);
    assert_eq!(risk.limits.max_open_orders, limits().max_open_orders);
    risk.limit(Limits {
        max_open_orders: 1,
        ..limits()
    });
    assert_eq!(risk.on_signal(&signal(2, 1), MS), NOTHING);
    assert_eq!(risk.counters().open_orders, 1);
}

/// VENUE 8.8: dollars were used as contracts. A quarter of Kelly on $1000 with an edge of 2 cents
/// at 50 cents is $1000 x 0.02 / (4 x 0.25) = 20 contracts.
#[test]
fn lesson_8_size_is_in_contracts() {
    let mut risk = Risk::new(limits());
    let small = Signal {
        edge_e4: 200,
        ..signal(1, 0)
    };
    assert_eq!(count(risk.on_signal(&small, MS)), 2_000);
    let sell = Signal {
        side: Side::Ask as u8,
        price_e4: 1_000,
        edge_e4: 100,
        game: 2,
        ..signal(2, 1)
    };
    // 1000 x 0.01 / (4 x 0.09) = 27.7
    assert_eq!(count(risk.on_signal(&sell, MS)), 2_700);
}

/// VENUE 8.9: nothing stopped a late order.
#[test]
fn lesson_9_an_expired_signal_is_dropped() {
    let mut risk = Risk::new(limits());
    assert_eq!(risk.on_signal(&signal(1, 0), 10_000 * MS + 1), NOTHING);
    assert_ne!(risk.on_signal(&signal(2, 0), 10_000 * MS), NOTHING);
    assert_eq!(risk.counters().expired, 1);
}

/// VENUE 8.10: game + team + direction as the key blocked legitimate trades and let legs collide.
#[test]
fn lesson_10_two_legs_do_not_block_each_other_and_ids_are_of_the_signal() {
    let mut risk = Risk::new(limits());
    assert_eq!(
        risk.on_signal(&leg(1, 0), MS),
        NOTHING,
        "waits for the second leg"
    );
    let [Some(home), Some(away)] = risk.on_signal(&leg(1, 1), MS) else {
        panic!("two orders")
    };
    assert_eq!(home.count_centi, away.count_centi);
    assert_eq!((home.market, away.market), (10, 11));
    // The same signal again is a duplicate; another one of the same market after the pause is not.
    assert_eq!(risk.on_signal(&leg(1, 1), MS), NOTHING);
    assert_eq!(risk.on_signal(&leg(2, 0), 2 * MS), NOTHING);
    assert_eq!(risk.on_signal(&leg(2, 1), 2 * MS), NOTHING, "too soon");
    risk.on_signal(&leg(3, 0), 502 * MS);
    assert_ne!(
        risk.on_signal(&leg(3, 1), 502 * MS),
        NOTHING,
        "a second legitimate trade"
    );
    assert_eq!(
        (risk.counters().duplicate, risk.counters().repeated),
        (1, 2)
    );
}

#[test]
fn a_leg_without_its_partner_is_never_sent() {
    let mut risk = Risk::new(limits());
    risk.on_signal(&leg(1, 0), MS);
    assert_eq!(
        risk.on_signal(&leg(2, 1), MS),
        NOTHING,
        "the partner of another"
    );
    risk.on_signal(&leg(3, 0), MS);
    assert_ne!(
        risk.on_signal(&signal(4, 0), MS),
        NOTHING,
        "an edge goes its own way"
    );
    assert_eq!(
        risk.on_signal(&leg(3, 1), MS),
        NOTHING,
        "older than what was taken"
    );
    assert_eq!(risk.counters().orphan_leg, 3);
}

/// One leg that would break a limit takes the other with it.
#[test]
fn both_legs_are_cut_alike_or_dropped_together() {
    let mut risk = Risk::new(Limits {
        max_market_contracts: 7,
        ..limits()
    });
    assert_eq!(
        count(risk.on_signal(
            &Signal {
                count_centi: 300,
                ..signal(1, 0)
            },
            MS
        )),
        300
    );
    risk.on_signal(&leg(2, 0), 600 * MS);
    let [Some(home), Some(away)] = risk.on_signal(&leg(2, 1), 600 * MS) else {
        panic!("two")
    };
    assert_eq!((home.count_centi, away.count_centi), (400, 400));
    risk.on_signal(&leg(3, 0), 1_200 * MS);
    assert_eq!(
        risk.on_signal(&leg(3, 1), 1_200 * MS),
        NOTHING,
        "no room in the first market"
    );
    assert_eq!(risk.counters().market_limit, 2);
}

/// VENUE 8.12: partial fills were not booked.
#[test]
fn lesson_12_a_partial_fill_counts_for_what_it_filled() {
    let mut risk = Risk::new(Limits {
        max_market_contracts: 50,
        ..limits()
    });
    let [Some(order), None] = risk.on_signal(&signal(1, 0), MS) else {
        panic!("one order")
    };
    assert_eq!(order.count_centi, 5_000);
    assert_eq!(
        risk.on_signal(&signal(2, 0), 600 * MS),
        NOTHING,
        "the open order takes all"
    );
    risk.on_ack(&ack(&order, 2_000, 35_000));
    assert_eq!(
        count(risk.on_signal(&signal(3, 0), 1_200 * MS)),
        3_000,
        "20 of 50 are held"
    );
    risk.on_ack(&ack(&order, 2_000, 35_000));
    assert_eq!(risk.counters().stray_acks, 1, "booked once");
}

#[test]
fn money_limits_hold_and_a_hedge_frees_them() {
    let tight = Limits {
        max_game_dollars: 10,
        ..limits()
    };
    let mut risk = Risk::new(tight);
    let [Some(order), None] = risk.on_signal(&signal(1, 0), MS) else {
        panic!("one order")
    };
    // $10 buys 19 at $0.50 with a fee of $0.0200 each at the worst.
    assert_eq!(order.count_centi, 1_900);
    risk.on_ack(&ack(&order, 1_900, 332_500));
    assert_eq!(risk.on_signal(&signal(2, 0), 600 * MS), NOTHING);
    assert_eq!(risk.counters().game_limit, 1);
    // Selling what is held is an open order at its own worst case first: no room for it either.
    let mut risk = Risk::new(Limits {
        max_exposure_dollars: 12,
        ..limits()
    });
    let [Some(home), None] = risk.on_signal(&signal(1, 0), MS) else {
        panic!("one order")
    };
    risk.on_ack(&ack(&home, home.count_centi, 0));
    risk.on_game_over(1, Outcome::Home, MS);
    let other = Signal {
        game: 2,
        market: 20,
        ..signal(2, 0)
    };
    assert_eq!(
        count(risk.on_signal(&other, MS)),
        home.count_centi,
        "the room is free again"
    );
}

#[test]
fn an_order_whose_fate_is_unknown_stays_at_stake() {
    let mut risk = Risk::new(limits());
    let [Some(order), None] = risk.on_signal(&signal(1, 0), MS) else {
        panic!("one order")
    };
    let before = risk.at_stake_micros();
    assert_eq!(before, 26_000_000, "50 at $0.52");
    risk.on_ack(&OrderAck {
        status: OrderStatus::Unknown as u8,
        ..ack(&order, 0, 0)
    });
    assert_eq!((risk.open_orders(), risk.at_stake_micros()), (0, before));
}

#[test]
fn malformed_signals_and_acks_are_counted_and_skipped() {
    let mut risk = Risk::new(limits());
    let bad = [
        Signal {
            side: 9,
            ..signal(1, 0)
        },
        Signal {
            kind: 9,
            ..signal(2, 0)
        },
        Signal {
            price_e4: 0,
            ..signal(3, 0)
        },
        Signal {
            price_e4: 10_000,
            ..signal(4, 0)
        },
        Signal {
            team: 2,
            ..signal(5, 0)
        },
        Signal {
            sport: 6,
            ..signal(6, 0)
        },
    ];
    for signal in bad {
        assert_eq!(risk.on_signal(&signal, MS), NOTHING);
    }
    risk.on_ack(&OrderAck {
        status: 99,
        ..OrderAck::zeroed()
    });
    assert_eq!(risk.counters().malformed, 7);
    assert_eq!(
        risk.on_signal(
            &Signal {
                count_centi: 99,
                ..signal(7, 0)
            },
            MS
        ),
        NOTHING
    );
    assert_eq!(risk.counters().too_small, 1);
}

/// An independent ledger of what the acknowledged positions and open orders can lose.
fn worst_case(open: &[Order], held: &[[(i64, i64); 2]]) -> i64 {
    let orders: i64 = open
        .iter()
        .map(|order| {
            stake_micros(
                Side::from_byte(order.side).expect("ours"),
                order.price_e4,
                700,
                order.count_centi,
            )
        })
        .sum();
    let games: i64 = held
        .iter()
        .map(|[(home, home_paid), (away, away_paid)]| {
            let paid = home_paid + away_paid;
            (paid - home * 10_000).max(paid - away * 10_000).max(0)
        })
        .sum();
    orders + games
}

proptest! {
    /// Whatever the signals and however much of each order fills: no limit is ever passed, and
    /// with no positions and no open orders nothing is at stake.
    #[test]
    fn limits_hold_always(steps in prop::collection::vec(
        (0_u32..4, 0_u8..2, any::<bool>(), 100_u16..9_900, 100_i16..3_000, 0_u32..4, 0_usize..3), 1..120,
    )) {
        let limits = Limits { max_exposure_dollars: 60, max_game_dollars: 25, max_market_contracts: 40, ..limits() };
        let mut risk = Risk::new(limits);
        let (mut open, mut held, mut decided) = (Vec::<Order>::new(), [[(0_i64, 0_i64); 2]; 4], 0_i64);
        for (step, (game, team, buy, price_e4, edge_e4, quarters, answered)) in (1_u64..).zip(steps) {
            let signal = Signal {
                game, team, price_e4, edge_e4, market: game * 2 + u32::from(team),
                side: if buy { 0 } else { 1 }, ..signal(step, team)
            };
            open.extend(risk.on_signal(&signal, step * 600 * MS).into_iter().flatten());
            prop_assert!(open.len() <= 8);
            prop_assert!(worst_case(&open, &held) <= 60_000_000);
            for order in open.drain(..answered.min(open.len())) {
                let filled = order.count_centi / 4 * quarters;
                let answer = ack(&order, filled, u32::try_from(fee(order.price_e4, filled)).unwrap());
                let held = &mut held[order.game as usize][(order.market % 2) as usize];
                held.0 += Side::from_byte(order.side).unwrap().sign() * i64::from(filled);
                held.1 += answer.cost_micros + i64::from(answer.fee_micros);
                if held.0 == 0 {
                    decided -= std::mem::take(&mut held.1);
                }
                risk.on_ack(&answer);
                prop_assert!(held.0.abs() <= 4_000);
            }
            prop_assert_eq!(risk.result_today_micros(), decided);
            prop_assert_eq!(risk.exposure.at_stake_micros(), worst_case(&open, &held));
        }
    }
}

fn fee(price_e4: u16, count_centi: u32) -> i64 {
    layouts::units::fee_micros(700, price_e4, count_centi)
}
