//! Every way an order can go, and the laws that hold on all of them.

use super::*;
use bytemuck::Zeroable;
use proptest::prelude::*;

const EXPIRES: u64 = 1_000;
const FINISHED_UNFILLED: Step = Step::Finish {
    status: OrderStatus::Unfilled,
    reason: RejectReason::None,
};
const LOOK_UP: Step = Step::LookUp {
    after: Duration::ZERO,
};

fn posted() -> Placement {
    let mut placement = Placement::new(EXPIRES);
    assert_eq!(placement.may_post(EXPIRES), Ok(()));
    placement
}

fn rejected(reason: RejectReason) -> Step {
    Step::Finish {
        status: OrderStatus::Rejected,
        reason,
    }
}

#[test]
fn a_placed_order_ends_or_has_its_fills_collected() {
    assert_eq!(
        posted().on_answer(Answer::Placed { filled_centi: 0 }),
        FINISHED_UNFILLED
    );
    let step = posted().on_answer(Answer::Placed { filled_centi: 552 });
    assert_eq!(step, Step::Collect { filled_centi: 552 });
}

/// VENUE 8.9: nothing stopped a late order.
#[test]
fn lesson_9_an_expired_order_is_not_posted() {
    let expired = Step::Finish {
        status: OrderStatus::Expired,
        reason: RejectReason::None,
    };
    assert_eq!(Placement::new(EXPIRES).may_post(EXPIRES + 1), Err(expired));
}

#[test]
fn an_order_without_an_answer_is_posted_again_and_looked_up_once_expired() {
    let mut placement = posted();
    assert!(matches!(
        placement.on_answer(Answer::Missing),
        Step::Post { .. }
    ));
    assert_eq!(
        placement.may_post(EXPIRES),
        Ok(()),
        "the same id cannot trade twice"
    );
    assert!(matches!(
        placement.on_answer(Answer::Missing),
        Step::Post { .. }
    ));
    assert_eq!(
        placement.may_post(EXPIRES + 1),
        Err(LOOK_UP),
        "it might be new to the venue"
    );
    assert_eq!(
        placement.on_found(Found::Done { filled_centi: 100 }, EXPIRES + 1),
        Step::Collect { filled_centi: 100 }
    );
}

#[test]
fn an_order_that_was_not_sent_is_posted_while_alive_and_needs_no_look_up() {
    let mut placement = posted();
    for _ in 0..3 {
        assert!(matches!(
            placement.on_answer(Answer::NotSent),
            Step::Post { .. }
        ));
        assert_eq!(placement.may_post(EXPIRES), Ok(()));
    }
    placement.on_answer(Answer::NotSent);
    let expired = Step::Finish {
        status: OrderStatus::Expired,
        reason: RejectReason::None,
    };
    assert_eq!(placement.may_post(EXPIRES + 1), Err(expired));
}

#[test]
fn an_order_that_a_dead_predecessor_may_have_sent_is_looked_up_before_anything_else() {
    let resumed = || Placement::resumed(EXPIRES, false);
    assert_eq!(resumed().first_step(), LOOK_UP);
    assert_eq!(
        Placement::new(EXPIRES).first_step(),
        Step::Post {
            after: Duration::ZERO
        }
    );
    let late = EXPIRES + 1;
    assert_eq!(
        resumed().on_found(Found::Done { filled_centi: 700 }, late),
        Step::Collect { filled_centi: 700 },
        "expired or not"
    );
    let absent = |now| {
        let mut placement = resumed();
        let mut steps = (0..MISSES_TO_BELIEVE).map(|_| placement.on_found(Found::Absent, now));
        steps.find(|step| !matches!(step, Step::LookUp { .. }))
    };
    let post = Step::Post {
        after: Duration::ZERO,
    };
    assert_eq!(absent(EXPIRES), Some(post), "the venue never had it");
    let expired = Step::Finish {
        status: OrderStatus::Expired,
        reason: RejectReason::None,
    };
    assert_eq!(absent(late), None, "it may arrive yet");
    let mut fenced = Placement::resumed(EXPIRES, true);
    let looks = (0..MISSES_TO_BELIEVE).map(|_| fenced.on_found(Found::Absent, late));
    assert_eq!(looks.last(), Some(expired), "it may not, but reads lag");
    let long_ago = EXPIRES + ACCEPTED_FOR_NS;
    let again = Step::LookUp {
        after: LOOK_UP_EVERY,
    };
    assert_eq!(resumed().on_found(Found::Absent, long_ago - 1), again);
    assert_eq!(resumed().on_found(Found::Absent, long_ago), expired);
    // It may have been there already when the first read lagged; a read that fails tells nothing.
    let mut lagged = resumed();
    assert_eq!(lagged.on_found(Found::Absent, late), again);
    assert_eq!(lagged.on_found(Found::Missing, long_ago), again);
}

#[test]
fn a_duplicate_is_looked_up_and_the_lag_of_reads_is_waited_out() {
    let mut placement = posted();
    assert_eq!(placement.on_answer(Answer::AlreadyExists), LOOK_UP);
    assert_eq!(posted().on_answer(Answer::Working), LOOK_UP);
    for found in [Found::Absent, Found::Absent, Found::Working, Found::Missing] {
        assert_eq!(
            placement.on_found(found, 0),
            Step::LookUp {
                after: LOOK_UP_EVERY
            }
        );
    }
    assert_eq!(
        placement.on_found(Found::Done { filled_centi: 0 }, 0),
        FINISHED_UNFILLED
    );
}

#[test]
fn an_order_that_never_arrived_is_expired_or_posted_again() {
    let absent = |answer, now| {
        let mut placement = posted();
        placement.on_answer(answer);
        let steps: Vec<Step> = (0..MISSES_TO_BELIEVE)
            .map(|_| placement.on_found(Found::Absent, now))
            .collect();
        *steps.last().unwrap()
    };
    let post = Step::Post {
        after: Duration::ZERO,
    };
    assert_eq!(absent(Answer::Unclear, EXPIRES), post);
    assert_eq!(absent(Answer::Missing, EXPIRES), post);
    let expired = Step::Finish {
        status: OrderStatus::Expired,
        reason: RejectReason::None,
    };
    assert_eq!(absent(Answer::Unclear, EXPIRES + 1), expired);
}

/// A Post that hung until its time-out arrived three seconds later, and traded, when all reads had missed it.
#[test]
fn an_absence_is_not_believed_while_the_venue_may_still_take_the_request() {
    let mut placement = posted();
    placement.on_answer(Answer::Missing);
    assert_eq!(placement.may_post(EXPIRES + 1), Err(LOOK_UP));
    let mut waited = Duration::ZERO;
    for _ in 0..MOST_LOOK_UPS {
        let now = EXPIRES + 1 + u64::try_from(waited.as_nanos()).unwrap();
        match placement.on_found(Found::Absent, now) {
            Step::LookUp { after } => waited += after,
            other => {
                let expired = Step::Finish {
                    status: OrderStatus::Expired,
                    reason: RejectReason::None,
                };
                assert_eq!(other, expired);
                assert!(now >= EXPIRES + ACCEPTED_FOR_NS, "after {now} ns");
                return;
            }
        }
    }
    panic!("no end");
}

#[test]
fn a_venue_that_never_tells_leaves_the_fate_unknown() {
    let unknown = Step::Finish {
        status: OrderStatus::Unknown,
        reason: RejectReason::None,
    };
    let mut placement = posted();
    placement.on_answer(Answer::Missing);
    let expired = EXPIRES + 1;
    assert_ne!(placement.on_found(Found::Missing, expired), unknown);
    let late = EXPIRES + ACCEPTED_FOR_NS + LOOK_UP_FOR_NS;
    assert_ne!(placement.on_found(Found::Missing, late - 1), unknown);
    assert_eq!(placement.on_found(Found::Missing, late), unknown);
    // Nothing is waited for once it was seen.
    let mut placement = posted();
    placement.on_answer(Answer::Missing);
    placement.on_found(Found::Working, expired);
    let late = expired + LOOK_UP_FOR_NS;
    assert_eq!(placement.on_found(Found::Missing, late), unknown);
}

#[test]
fn rate_limits_are_waited_out_while_the_order_is_alive() {
    let mut placement = posted();
    let mut waits = Vec::new();
    for _ in 0..5 {
        let Step::Post { after } = placement.on_answer(Answer::RateLimited) else {
            panic!("post")
        };
        waits.push(after.as_millis());
        assert_eq!(placement.may_post(1), Ok(()));
    }
    assert_eq!(waits, [25, 50, 100, 200, 200]);
    placement.on_answer(Answer::RateLimited);
    assert_eq!(
        placement.may_post(EXPIRES + 1),
        Err(rejected(RejectReason::RateLimited))
    );
}

#[test]
fn a_refusal_is_final_unless_an_earlier_answer_is_missing() {
    let refused = Answer::Refused(RejectReason::InsufficientBalance);
    assert_eq!(
        posted().on_answer(refused),
        rejected(RejectReason::InsufficientBalance)
    );
    for (answer, believed_at) in [
        (Answer::Unclear, 1),
        (Answer::Missing, EXPIRES + ACCEPTED_FOR_NS),
    ] {
        let mut placement = posted();
        placement.on_answer(answer);
        assert_eq!(placement.may_post(1), Ok(()));
        assert_eq!(
            placement.on_answer(refused),
            LOOK_UP,
            "the first may have used the balance"
        );
        let mut looks =
            (0..MISSES_TO_BELIEVE).map(|_| placement.on_found(Found::Absent, believed_at));
        let end = looks.find(|step| !matches!(step, Step::LookUp { .. }));
        assert_eq!(end, Some(rejected(RejectReason::InsufficientBalance)));
    }
}

fn answers() -> impl Strategy<Value = (Answer, Found)> {
    let answer = prop_oneof![
        Just(Answer::Missing),
        Just(Answer::Unclear),
        Just(Answer::Working),
        Just(Answer::NotSent),
        Just(Answer::RateLimited),
        Just(Answer::AlreadyExists),
        Just(Answer::Placed { filled_centi: 5 }),
        Just(Answer::Refused(RejectReason::Other)),
    ];
    let found = prop_oneof![
        Just(Found::Absent),
        Just(Found::Working),
        Just(Found::Missing)
    ];
    (answer, found)
}

proptest! {
    /// Whatever the venue says, the order ends within bounds, is never posted after its expiry,
    /// never ends as `Expired` or `Rejected` while a Post without an answer is not cleared up, nor at
    /// all once the venue has said that it has the order.
    #[test]
    fn every_order_ends(script in prop::collection::vec(answers(), 1..20), tick in 1_u64..400) {
        let mut placement = Placement::new(EXPIRES);
        let (mut step, mut now, mut in_doubt) = (Step::Post { after: Duration::ZERO }, 0, false);
        let mut known = false;
        let mut talk = script.iter().cycle();
        for round in 0.. {
            prop_assert!(round < 4 * (MOST_POSTS + MOST_LOOK_UPS), "no end");
            let (answer, found) = talk.next().unwrap();
            now += tick;
            step = match step {
                Step::Post { .. } => match placement.may_post(now) {
                    Err(other) => other,
                    Ok(()) => {
                        prop_assert!(now <= EXPIRES);
                        let there = matches!(answer, Answer::AlreadyExists | Answer::Working);
                        in_doubt |= there || matches!(answer, Answer::Missing | Answer::Unclear);
                        known |= there;
                        placement.on_answer(*answer)
                    }
                },
                Step::LookUp { .. } => {
                    let step = placement.on_found(*found, now);
                    in_doubt &= placement.maybe_there;
                    step
                }
                Step::Collect { .. } => break,
                Step::Finish { status, .. } => {
                    prop_assert!(!in_doubt || status == OrderStatus::Unknown, "{:?}", status);
                    prop_assert!(!known || matches!(status, OrderStatus::Unknown | OrderStatus::Unfilled), "{:?}", status);
                    break;
                }
            };
        }
    }
}

fn order() -> Order {
    Order {
        ingress_mono_ns: 9,
        order: 77,
        market: 3,
        count_centi: 600,
        ..Order::zeroed()
    }
}

fn trade(id: u8, count_centi: u32, price_e4: u16) -> Trade {
    Trade {
        trade: [id; 16],
        count_centi,
        price_e4,
        fee_micros: 100,
        side: Side::Ask,
        is_taker: true,
    }
}

/// VENUE 8.12: partial fills were not booked.
#[test]
fn lesson_12_trades_add_up_each_once() {
    let mut trades = Trades::default();
    for trade in [
        trade(2, 48, 5_200),
        trade(1, 552, 5_100),
        trade(2, 48, 5_200),
    ] {
        trades.add(trade);
    }
    assert_eq!(trades.count_centi(), 600);
    let ack = trades.ack(&order(), true, 40);
    assert_eq!(ack.status(), Some(OrderStatus::Filled));
    assert_eq!((ack.filled_centi, ack.fee_micros), (600, 200));
    assert_eq!(
        ack.cost_micros,
        -(552 * 5_100 + 48 * 5_200),
        "sold: money came in"
    );
    let fills = trades.fills(&order());
    assert_eq!(
        fills
            .iter()
            .map(|fill| (fill.order, fill.count_centi))
            .collect::<Vec<_>>(),
        [(77, 552), (77, 48)]
    );
    let bigger = Order {
        count_centi: 700,
        ..order()
    };
    assert_eq!(
        trades.ack(&bigger, true, 40).status(),
        Some(OrderStatus::PartlyFilled)
    );
    assert_eq!(
        trades.ack(&bigger, false, 40).status(),
        Some(OrderStatus::Unknown)
    );
}

#[test]
fn the_client_order_id_derives_from_run_and_order() {
    assert_eq!(
        client_order_id("0011223344556677", 0xff),
        "arb-0011223344556677-00000000000000ff"
    );
}

#[test]
fn a_client_order_id_tells_what_it_was_derived_from() {
    let id = client_order_id("00ff", u64::MAX - 1);
    assert_eq!(of_client_order_id(&id), Some(("00ff", u64::MAX - 1)));
    for other in [
        "",
        "arb-00ff",
        "arb-00ff-1",
        "arb-00ff-000000000000000G",
        "arb-00ff-+00000000000000a",
        "arb-00ff-000000000000000A",
        "2b8394e0-0000-0000-0000-000000000000",
    ] {
        assert_eq!(of_client_order_id(other), None, "{other}");
    }
}
