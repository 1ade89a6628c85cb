//! What holds for the engine whatever the orders.

use super::super::book::SelfTrade;
use super::super::catalogue::NewEvent;
use super::super::exchange::{CLIENT, Exchange};
use super::super::game::League;
use super::super::ledger::{collateral_micros, settled_micros};
use super::super::records::{Happening, NewOrder, OrderState, Reason, Refusal, TimeInForce};
use layouts::Side;
use layouts::units::fee_micros;
use proptest::prelude::*;
use std::collections::BTreeMap;

pub(super) const START: i64 = 1_000_000_000;

pub(crate) fn exchange() -> Exchange {
    let mut exchange = Exchange::new("test");
    let teams = [("DAL", "Dallas"), ("WAS", "Washington")]
        .map(|(code, place)| (code.to_string(), place.to_string()));
    exchange.list(
        NewEvent {
            ticker: "KXNFLGAME-26NOV22WASDAL".into(),
            series: League::Nfl.series(),
            fees: None,
            start_us: 0,
            teams,
        },
        0,
    );
    exchange.endow(START);
    exchange.open_account();
    exchange.open_account();
    exchange
}

pub(crate) fn order(
    account: u32,
    side: Side,
    price_e4: u16,
    count_centi: u32,
    time_in_force: TimeInForce,
) -> NewOrder {
    NewOrder {
        account,
        market: 0,
        side,
        price_e4,
        count_centi,
        time_in_force,
        self_trade: SelfTrade::TakerAtCross,
        post_only: false,
        reduce_only: false,
        cancel_on_pause: false,
        expires_us: None,
        client_order_id: None,
        group: None,
    }
}

use TimeInForce::{FillOrKill, GoodTillCanceled, ImmediateOrCancel};

#[test]
fn a_taker_fills_at_the_resting_price_and_pays_the_recorded_fees() {
    for (price, count, fee) in [
        (5_200, 100, 17_500),
        (1_700, 552, 54_600),
        (9_900, 100, 700),
    ] {
        let mut exchange = exchange();
        exchange
            .create(order(1, Side::Ask, price, 10_000, GoodTillCanceled), 1)
            .expect("maker");
        let taken = exchange
            .create(order(CLIENT, Side::Bid, 9_900, count, ImmediateOrCancel), 2)
            .expect("taker");
        assert_eq!(
            (taken.filled_centi, taken.left_centi, taken.taker_fee_micros),
            (count, 0, fee)
        );
        assert_eq!(taken.taker_cost_micros, i64::from(price) * i64::from(count));
        let maker_fee = exchange.accounts()[1]
            .holdings()
            .map(|(_, holding)| holding.fees_micros)
            .sum::<i64>();
        assert_eq!(maker_fee, fee_micros(175, price, count));
        let tape = exchange.tape();
        assert_eq!(
            (tape.len(), tape[0].price_e4, tape[0].taker),
            (1, price, Side::Bid)
        );
        assert_eq!(exchange.fills()[0].trade.id, tape[0].id);
    }
}

#[test]
fn orders_that_find_nothing_are_cancelled_rest_or_refused() {
    let mut exchange = exchange();
    let nothing = exchange
        .create(order(CLIENT, Side::Bid, 5_000, 100, ImmediateOrCancel), 1)
        .expect("ioc");
    assert_eq!(
        (nothing.state, nothing.filled_centi, nothing.left_centi),
        (OrderState::Canceled, 0, 0)
    );
    exchange
        .create(order(1, Side::Ask, 5_000, 100, GoodTillCanceled), 2)
        .expect("maker");
    assert_eq!(
        exchange
            .create(order(CLIENT, Side::Bid, 5_000, 200, FillOrKill), 3)
            .err(),
        Some(Refusal::FillOrKill)
    );
    let post_only = NewOrder {
        post_only: true,
        ..order(CLIENT, Side::Bid, 5_000, 100, GoodTillCanceled)
    };
    assert_eq!(
        exchange.create(post_only.clone(), 3).err(),
        Some(Refusal::PostOnlyCross)
    );
    assert!(
        exchange
            .create(
                NewOrder {
                    price_e4: 4_900,
                    ..post_only
                },
                3
            )
            .is_ok()
    );
    let part = exchange
        .create(order(CLIENT, Side::Bid, 5_000, 250, GoodTillCanceled), 4)
        .expect("gtc");
    assert_eq!(
        (part.state, part.filled_centi, part.left_centi),
        (OrderState::Resting, 100, 150)
    );
    assert_eq!(
        exchange
            .create(order(CLIENT, Side::Bid, 5_050, 100, GoodTillCanceled), 5)
            .err(),
        Some(Refusal::InvalidPrice)
    );
    let rich = exchange.create(
        order(CLIENT, Side::Bid, 5_000, 300_000, GoodTillCanceled),
        5,
    );
    assert_eq!(rich.err(), Some(Refusal::InsufficientBalance));
}

#[test]
fn a_client_order_id_is_used_up_for_ever() {
    let mut exchange = exchange();
    let named = NewOrder {
        client_order_id: Some("a".into()),
        ..order(CLIENT, Side::Bid, 100, 100, GoodTillCanceled)
    };
    let first = exchange.create(named.clone(), 1).expect("first");
    assert_eq!(
        exchange.create(named.clone(), 2).err(),
        Some(Refusal::AlreadyExists)
    );
    assert!(exchange.cancel(first.number, Reason::Cancel, 3).is_some());
    assert!(exchange.cancel(first.number, Reason::Cancel, 4).is_none());
    assert_eq!(
        exchange.create(named, 5).err(),
        Some(Refusal::AlreadyExists)
    );
    // Reads see the order as it was at the moment that they ask about.
    assert_eq!(
        exchange.client_order(&first.id, 2).map(|order| order.state),
        Some(OrderState::Resting)
    );
    assert_eq!(
        exchange.client_order(&first.id, 3).map(|order| order.state),
        Some(OrderState::Canceled)
    );
    assert!(exchange.client_order(&first.id, 0).is_none());
}

#[test]
fn crossing_ones_own_order_stops_the_taker_as_recorded() {
    let mut exchange = exchange();
    exchange
        .create(order(CLIENT, Side::Bid, 4_800, 100, GoodTillCanceled), 1)
        .expect("resting");
    let taker = exchange
        .create(order(CLIENT, Side::Ask, 4_800, 100, ImmediateOrCancel), 2)
        .expect("created, not filled");
    assert_eq!(
        (taker.state, taker.filled_centi, taker.left_centi),
        (OrderState::Canceled, 0, 0)
    );
    assert_eq!(
        exchange.markets()[0].book.best(Side::Bid),
        Some((4_800, 100))
    );
}

#[test]
fn a_market_ends_closed_determined_settled_and_a_tie_pays_half() {
    let mut exchange = exchange();
    exchange
        .create(order(1, Side::Ask, 5_000, 1_000, GoodTillCanceled), 1)
        .expect("maker");
    exchange
        .create(order(CLIENT, Side::Bid, 5_000, 600, ImmediateOrCancel), 2)
        .expect("taker");
    let resting = exchange
        .create(order(CLIENT, Side::Bid, 4_000, 100, GoodTillCanceled), 2)
        .expect("rests");
    exchange.settle(0, 3);
    exchange.close(0, 3);
    assert_eq!(
        exchange
            .client_order(&resting.id, 3)
            .map(|order| (order.state, order.reason)),
        Some((OrderState::Canceled, Reason::CloseCancel))
    );
    assert_eq!(
        exchange
            .create(order(CLIENT, Side::Bid, 5_000, 100, ImmediateOrCancel), 4)
            .err(),
        Some(Refusal::MarketInactive)
    );
    exchange.determine(0, 5_000, 5);
    exchange.settle(0, 6);
    exchange.settle(0, 7);
    let fee = fee_micros(700, 5_000, 600);
    assert_eq!(
        exchange.client().map(|client| client.balance_micros()),
        Some(START - fee)
    );
    assert_eq!(exchange.settlements().len(), 1);
    let lives: Vec<_> = exchange
        .happenings()
        .into_iter()
        .filter_map(|one| match one {
            Happening::Life { life, .. } => Some(life.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(lives, ["closed", "determined", "finalized"]);
}

#[derive(Debug, Clone)]
enum Act {
    Create {
        account: u32,
        side: bool,
        cents: u16,
        count: u32,
        kind: u8,
        maker: bool,
    },
    Cancel {
        which: usize,
    },
    Settle {
        value: u8,
    },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let create = (
        0..3_u32,
        any::<bool>(),
        1..100_u16,
        1..40_u32,
        0..3_u8,
        any::<bool>(),
    )
        .prop_map(|(account, side, cents, count, kind, maker)| Act::Create {
            account,
            side,
            cents,
            count,
            kind,
            maker,
        });
    let cancel = (0..50_usize).prop_map(|which| Act::Cancel { which });
    let settle = (0..3_u8).prop_map(|value| Act::Settle { value });
    prop::collection::vec(prop_oneof![40 => create, 8 => cancel, 1 => settle], 1..120)
}

fn perform(exchange: &mut Exchange, act: &Act, now: i64) {
    match *act {
        Act::Create {
            account,
            side,
            cents,
            count,
            kind,
            maker,
        } => {
            let time_in_force =
                [GoodTillCanceled, ImmediateOrCancel, FillOrKill][usize::from(kind)];
            let side = if side { Side::Bid } else { Side::Ask };
            let self_trade = if maker {
                SelfTrade::Maker
            } else {
                SelfTrade::TakerAtCross
            };
            let new = NewOrder {
                self_trade,
                ..order(account, side, cents * 100, count * 100, time_in_force)
            };
            // Refusals are part of the game.
            let _ = exchange.create(new, now);
        }
        Act::Cancel { which } => {
            let resting = exchange.markets()[0].book.orders();
            if let Some(number) = resting.get(which) {
                exchange.cancel(*number, Reason::Cancel, now);
            }
        }
        Act::Settle { value } => {
            exchange.close(0, now);
            exchange.determine(0, u16::from(value) * 5_000, now);
            exchange.settle(0, now);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Balance is start plus flows less collateral; money and contracts only change hands; the client
    /// never owes; the book told by deltas is the book.
    #[test]
    fn accounts_balance_whatever_happens(acts in acts()) {
        let mut exchange = exchange();
        let mut told: BTreeMap<(bool, u16), i64> = BTreeMap::new();
        let mut fees = 0;
        for (now, act) in (1..).zip(&acts) {
            perform(&mut exchange, act, now);
            for happening in exchange.happenings() {
                if let Happening::Delta { side, price_e4, delta_centi, .. } = happening {
                    let level = told.entry((side == Side::Bid, price_e4)).or_default();
                    *level += delta_centi;
                    prop_assert!(*level >= 0, "a level below zero");
                }
            }
            told.retain(|_, centi| *centi != 0);
            let book = &exchange.markets()[0].book;
            let is: BTreeMap<(bool, u16), i64> = [Side::Bid, Side::Ask].into_iter()
                .flat_map(|side| book.levels(side).map(move |(price, centi)| ((side == Side::Bid, price), centi)))
                .collect();
            prop_assert_eq!(&told, &is);
            let crossed = book.best(Side::Bid).zip(book.best(Side::Ask)).is_some_and(|(bid, ask)| bid.0 >= ask.0);
            prop_assert!(!crossed, "a crossed book");
            let positions: i64 = exchange.accounts().iter().map(|account| account.position_centi(0)).sum();
            prop_assert_eq!(positions, 0);
            fees = exchange.accounts().iter().flat_map(|account| account.holdings()).map(|(_, holding)| holding.fees_micros).sum();
            let flows: i64 = exchange.accounts().iter().map(|account| account.flows_micros()).sum();
            // Half cents of a tie are paid to nobody.
            let kept = -fees - flows;
            let settled = exchange.accounts().len() * exchange.settlements().len();
            prop_assert!(kept >= 0 && kept <= settled as i64 * 10_000, "{kept}");
            let client = exchange.client().expect("client");
            prop_assert!(client.balance_micros() >= 0);
            let ours: i64 = exchange.fills().iter()
                .map(|fill| -fill.side.sign() * i64::from(fill.trade.price_e4) * i64::from(fill.trade.count_centi) - fill.fee_micros)
                .sum();
            let paid: i64 = exchange.settlements().iter()
                .map(|one| settled_micros(one.holding.position_centi, one.value_e4) - collateral_micros(one.holding.position_centi))
                .sum();
            let collateral = (-client.position_centi(0)).max(0) * 10_000;
            prop_assert_eq!(client.balance_micros(), START + ours + paid - collateral);
        }
        prop_assert!(fees >= 0);
    }
}
