//! Changes of resting orders and order groups, in the engine.

use super::laws::{exchange, order};
use crate::sim::exchange::Exchange;
use crate::sim::records::{
    Amendment, Happening, NewOrder, OrderState, Reason, Refusal, TimeInForce,
};
use layouts::Side;
use std::collections::BTreeMap;

const US: u32 = 0;
const THEM: u32 = 1;

fn resting(account: u32, side: Side, price_e4: u16, count_centi: u32) -> NewOrder {
    order(
        account,
        side,
        price_e4,
        count_centi,
        TimeInForce::GoodTillCanceled,
    )
}

fn to(price_e4: u16, count_centi: u32) -> Amendment {
    Amendment {
        price_e4,
        count_centi,
        client_order_id: None,
        expires_us: None,
    }
}

#[test]
fn only_less_keeps_the_place_in_the_queue() {
    let mut exchange = exchange();
    let ours = exchange
        .create(resting(US, Side::Bid, 4_000, 300), 1)
        .expect("ours");
    exchange
        .create(resting(THEM, Side::Bid, 4_000, 500), 2)
        .expect("theirs");
    let mut amended = |change: &Amendment| {
        let (_, order) = exchange.amend(ours.number, change, 3).expect("amended");
        assert_eq!(
            (order.state, order.reason),
            (OrderState::Resting, Reason::Amend)
        );
        (order.left_centi, exchange.queue_position(&order))
    };
    assert_eq!(amended(&to(4_000, 200)), (200, Some(0)));
    assert_eq!(amended(&to(4_000, 200)), (200, Some(0)), "nothing changed");
    assert_eq!(amended(&to(4_000, 201)), (201, Some(500)));
    assert_eq!(amended(&to(3_900, 100)), (100, Some(500)));
    assert_eq!(amended(&to(4_100, 100)), (100, Some(0)));
    let order = exchange.decrease(ours.number, 40, 4).expect("decreased");
    assert_eq!((order.left_centi, order.reason), (40, Reason::Decrease));
    assert_eq!(
        exchange.decrease(ours.number, 40, 4).err(),
        Some(Refusal::InvalidSize)
    );
    let order = exchange.decrease(ours.number, 0, 5).expect("emptied");
    assert_eq!((order.state, order.left_centi), (OrderState::Canceled, 0));
    assert_eq!(
        exchange.amend(ours.number, &to(4_000, 100), 6).err(),
        Some(Refusal::NotFound)
    );
}

#[test]
fn an_amendment_trades_what_it_crosses_and_the_stream_tells_the_same_book() {
    let mut exchange = exchange();
    let ours = exchange
        .create(resting(US, Side::Bid, 4_000, 300), 1)
        .expect("ours");
    exchange
        .create(resting(THEM, Side::Ask, 4_200, 100), 2)
        .expect("theirs");
    let (before, order) = exchange
        .amend(ours.number, &to(4_300, 400), 3)
        .expect("amended");
    assert_eq!(
        (before.filled_centi, order.filled_centi, order.left_centi),
        (0, 100, 300)
    );
    assert_eq!(order.taker_cost_micros, 4_200 * 100, "at the resting price");
    // Of the 400 in all, 100 are filled already.
    assert_eq!(
        exchange.amend(ours.number, &to(4_300, 100), 4).err(),
        Some(Refusal::InvalidSize)
    );
    assert_eq!(
        exchange.amend(ours.number, &to(4_350, 400), 4).err(),
        Some(Refusal::InvalidPrice)
    );
    exchange
        .amend(ours.number, &to(4_300, 150), 4)
        .expect("smaller");
    let mut told: BTreeMap<u16, i64> = BTreeMap::new();
    for happening in exchange.happenings() {
        if let Happening::Delta {
            side: Side::Bid,
            price_e4,
            delta_centi,
            ..
        } = happening
        {
            *told.entry(price_e4).or_default() += delta_centi;
        }
    }
    told.retain(|_, centi| *centi != 0);
    let book: Vec<_> = exchange.markets()[0].book.levels(Side::Bid).collect();
    assert_eq!(told.into_iter().collect::<Vec<_>>(), book);
    assert_eq!(book, [(4_300, 50)]);
}

#[test]
fn an_amendment_that_is_refused_changes_nothing() {
    let mut exchange = exchange();
    let post_only = NewOrder {
        post_only: true,
        client_order_id: Some("a".into()),
        ..resting(US, Side::Bid, 4_000, 300)
    };
    let ours = exchange.create(post_only, 1).expect("ours");
    exchange
        .create(
            NewOrder {
                client_order_id: Some("b".into()),
                ..resting(US, Side::Bid, 3_000, 100)
            },
            1,
        )
        .expect("other");
    exchange
        .create(resting(THEM, Side::Ask, 4_200, 100), 2)
        .expect("theirs");
    let balance = |exchange: &Exchange| exchange.client().map(|client| client.balance_micros());
    let start = balance(&exchange);
    for (change, refusal) in [
        (to(4_200, 300), Refusal::PostOnlyCross),
        (to(4_100, 400_000_000), Refusal::InsufficientBalance),
        (
            Amendment {
                client_order_id: Some("b".into()),
                ..to(4_000, 300)
            },
            Refusal::AlreadyExists,
        ),
        (to(0, 300), Refusal::InvalidPrice),
    ] {
        assert_eq!(exchange.amend(ours.number, &change, 3).err(), Some(refusal));
    }
    assert_eq!(exchange.markets()[0].book.ahead_of(ours.number), Some(0));
    assert_eq!(balance(&exchange), start);
    // A new name is used up, as that of a new order is.
    let renamed = Amendment {
        client_order_id: Some("c".into()),
        ..to(4_000, 300)
    };
    assert!(exchange.amend(ours.number, &renamed, 4).is_ok());
    let again = NewOrder {
        client_order_id: Some("c".into()),
        ..resting(US, Side::Bid, 1_000, 100)
    };
    assert_eq!(
        exchange.create(again, 5).err(),
        Some(Refusal::AlreadyExists)
    );
}

#[test]
fn an_amended_expiry_is_the_one_that_counts() {
    let mut exchange = exchange();
    let new = NewOrder {
        expires_us: Some(100),
        ..resting(US, Side::Bid, 4_000, 300)
    };
    let ours = exchange.create(new, 1).expect("ours").number;
    let later = Amendment {
        expires_us: Some(Some(200)),
        ..to(4_000, 300)
    };
    exchange.amend(ours, &later, 2).expect("later");
    let rests = |exchange: &Exchange| exchange.markets()[0].book.ahead_of(ours).is_some();
    exchange.expire(150);
    assert!(rests(&exchange));
    exchange
        .amend(
            ours,
            &Amendment {
                expires_us: Some(None),
                ..to(4_000, 300)
            },
            160,
        )
        .expect("never");
    exchange.expire(1_000);
    assert!(rests(&exchange));
    exchange
        .amend(
            ours,
            &Amendment {
                expires_us: Some(Some(2_000)),
                ..to(4_100, 300)
            },
            1_500,
        )
        .expect("again");
    exchange.expire(2_000);
    assert!(!rests(&exchange));
}

#[test]
fn a_group_that_matches_its_limit_within_fifteen_seconds_is_braked_until_reset() {
    const SECOND: i64 = 1_000_000;
    let mut exchange = exchange();
    let group = exchange.open_group(300, 0);
    let grouped = |side, price_e4, count_centi| NewOrder {
        group: Some(group.clone()),
        ..resting(US, side, price_e4, count_centi)
    };
    let sell = |exchange: &mut Exchange, count_centi, at_us| {
        exchange
            .create(resting(THEM, Side::Ask, 4_000, count_centi), at_us)
            .expect("theirs");
    };
    let maker = exchange
        .create(grouped(Side::Bid, 4_000, 1_000), 1)
        .expect("maker")
        .number;
    let rests = |exchange: &Exchange| exchange.markets()[0].book.ahead_of(maker).is_some();
    sell(&mut exchange, 200, SECOND);
    sell(&mut exchange, 200, 17 * SECOND);
    assert!(rests(&exchange), "200 are out of the window");
    let foreign = exchange
        .create(resting(US, Side::Bid, 1_000, 100), 18 * SECOND)
        .expect("not of the group")
        .number;
    sell(&mut exchange, 100, 20 * SECOND);
    assert!(!rests(&exchange), "300 within it");
    assert!(exchange.markets()[0].book.ahead_of(foreign).is_some());
    let refused = exchange.create(grouped(Side::Bid, 1_000, 100), 21 * SECOND);
    assert_eq!(refused.err(), Some(Refusal::GroupTriggered));
    assert_eq!(
        exchange
            .create(grouped(Side::Bid, 1_000, 100), 90 * SECOND)
            .err(),
        Some(Refusal::GroupTriggered),
        "time does not reset it"
    );
    exchange.reset_group(&group);
    exchange
        .create(resting(THEM, Side::Ask, 5_000, 900), 91 * SECOND)
        .expect("theirs");
    let taker = exchange
        .create(grouped(Side::Bid, 5_000, 1_000), 92 * SECOND)
        .expect("taker");
    assert_eq!(
        (taker.filled_centi, taker.state),
        (900, OrderState::Canceled),
        "what would rest is cancelled"
    );
    assert_eq!(exchange.group_orders(&group).len(), 2);
    exchange.close_group(&group, 93 * SECOND);
    assert_eq!(
        exchange
            .create(grouped(Side::Bid, 1_000, 100), 94 * SECOND)
            .err(),
        Some(Refusal::NoGroup)
    );
}
