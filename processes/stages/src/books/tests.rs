//! The books against a model that knows everything.

use super::*;
use crate::book::{Level, Outcome};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;

fn facts(market: u32) -> Facts {
    Facts {
        market,
        game: 7,
        team: 0,
        sport: layouts::Sport::Nfl,
        fee_rate_e4: 700,
        tick_e4: 100,
    }
}

/// Applies an event, collecting what is published.
fn apply(books: &mut Books, event: &Event, published: &mut Vec<PriceUpdate>) -> Wanted {
    let mut publish = |update: &PriceUpdate| {
        published.push(*update);
        Ok::<(), Infallible>(())
    };
    match books.apply(event, 1, &mut publish) {
        Ok(wanted) => wanted,
    }
}

fn snapshot(seq: u64, market: u32, yes: &[Level], no: &[Level]) -> Event {
    Event::Snapshot {
        sid: 1,
        seq,
        market,
        yes: yes.to_vec(),
        no: no.to_vec(),
    }
}

fn delta(seq: u64, market: u32, outcome: Outcome, price_e4: u16, delta_centi: i64) -> Event {
    Event::Delta {
        sid: 1,
        seq,
        market,
        outcome,
        price_e4,
        delta_centi,
        venue_unix_us: seq * 1_000,
        late: false,
    }
}

/// The same, come too late.
fn late(mut delta: Event) -> Event {
    if let Event::Delta { late, .. } = &mut delta {
        *late = true;
    }
    delta
}

fn trading(market: u32, trading: Trading) -> Event {
    Event::Trading { market, trading }
}

/// Two markets in step on subscription 1, next number 3.
fn two_in_step() -> (Books, Vec<PriceUpdate>) {
    let (mut books, mut out) = (Books::default(), Vec::new());
    for event in [
        Event::Market(facts(1)),
        Event::Market(facts(2)),
        trading(1, Trading::Open),
        trading(2, Trading::Open),
        Event::Subscribed { sid: 1 },
        snapshot(1, 1, &[Level(4_000, 500)], &[Level(5_000, 300)]),
        snapshot(2, 2, &[Level(3_000, 100)], &[Level(6_000, 100)]),
    ] {
        assert_eq!(apply(&mut books, &event, &mut out), Wanted::Nothing);
    }
    (books, out)
}

fn statuses(published: &[PriceUpdate]) -> Vec<(u32, Option<MarketStatus>)> {
    published
        .iter()
        .map(|update| (update.market, update.status()))
        .collect()
}

#[test]
fn only_a_change_of_the_top_is_published() {
    let (mut books, mut out) = two_in_step();
    assert_eq!(
        statuses(&out),
        [
            (1, Some(MarketStatus::Active)),
            (2, Some(MarketStatus::Active))
        ]
    );
    out.clear();
    apply(&mut books, &delta(3, 1, Outcome::Yes, 3_900, 100), &mut out);
    assert!(out.is_empty(), "a level below the best bid");
    apply(&mut books, &delta(4, 1, Outcome::Yes, 4_100, 100), &mut out);
    let [update] = out.as_slice() else {
        panic!("{out:?}")
    };
    assert_eq!(
        (
            update.bid_price_e4,
            update.bid_count_centi,
            update.ask_price_e4
        ),
        (4_100, 100, 5_000)
    );
    assert_eq!((update.ingress_mono_ns, update.venue_unix_us), (1, 4_000));
    assert!(update.is_tradable());
}

#[test]
fn lesson_1_a_gap_makes_every_book_of_the_subscription_suspect_until_its_snapshot() {
    let (mut books, mut out) = two_in_step();
    out.clear();
    let wanted = apply(&mut books, &Event::Sequenced { sid: 1, seq: 4 }, &mut out);
    assert_eq!(wanted, Wanted::All { sid: 1 });
    assert_eq!(
        statuses(&out),
        [
            (1, Some(MarketStatus::Suspect)),
            (2, Some(MarketStatus::Suspect))
        ]
    );
    assert_eq!(out[0].bid_price_e4, 4_000, "the last price stays visible");
    out.clear();
    assert_eq!(
        apply(&mut books, &delta(5, 1, Outcome::Yes, 4_500, 100), &mut out),
        Wanted::Nothing
    );
    assert!(out.is_empty(), "a delta cannot heal");
    apply(
        &mut books,
        &snapshot(6, 2, &[Level(3_000, 100)], &[Level(6_000, 100)]),
        &mut out,
    );
    assert_eq!(statuses(&out), [(2, Some(MarketStatus::Active))]);
    assert_eq!((books.counters().gaps, books.counters().skipped), (1, 1));
}

/// Without the start of a subscription its numbers mean nothing, so its frames were taken unchecked.
#[test]
fn frames_of_a_subscription_that_nobody_began_are_not_applied() {
    let (mut books, mut out) = two_in_step();
    out.clear();
    let foreign = Event::Delta {
        sid: 9,
        seq: 3,
        market: 1,
        outcome: Outcome::Yes,
        price_e4: 4_500,
        delta_centi: 100,
        venue_unix_us: 0,
        late: false,
    };
    let wanted = apply(&mut books, &foreign, &mut out);
    assert_eq!(wanted, Wanted::One { sid: 9, market: 1 });
    let suspect = [(1, Some(MarketStatus::Suspect))];
    assert_eq!(
        (statuses(&out).as_slice(), out[0].bid_price_e4),
        (&suspect[..], 4_000)
    );
    // A flood of them asks once.
    assert_eq!(apply(&mut books, &foreign, &mut out), Wanted::Nothing);
    let whole = Event::Snapshot {
        sid: 9,
        seq: 1,
        market: 1,
        yes: vec![Level(4_500, 1)],
        no: Vec::new(),
    };
    apply(&mut books, &whole, &mut out);
    assert_eq!(statuses(&out), suspect, "neither heals it");
    apply(
        &mut books,
        &snapshot(3, 1, &[Level(4_100, 100)], &[]),
        &mut out,
    );
    assert_eq!(out.last().map(|last| last.bid_price_e4), Some(4_100));
}

#[test]
fn new_facts_and_new_readers_are_told_at_once() {
    let (mut books, mut out) = two_in_step();
    out.clear();
    let dearer = Facts {
        fee_rate_e4: 1_400,
        ..facts(1)
    };
    apply(&mut books, &Event::Market(dearer), &mut out);
    apply(&mut books, &Event::Market(dearer), &mut out);
    assert_eq!((out.len(), out[0].fee_rate_e4), (1, 1_400), "once");
    books.retell(1);
    apply(&mut books, &Event::Market(dearer), &mut out);
    assert_eq!(out.len(), 2, "to its new readers");
}

#[test]
fn acknowledgements_and_unknown_markets_take_their_numbers() {
    let (mut books, mut out) = two_in_step();
    assert_eq!(
        apply(&mut books, &Event::Sequenced { sid: 1, seq: 3 }, &mut out),
        Wanted::Nothing
    );
    assert_eq!(
        apply(&mut books, &delta(4, 99, Outcome::Yes, 1, -1), &mut out),
        Wanted::Nothing
    );
    assert_eq!(
        apply(&mut books, &Event::Sequenced { sid: 8, seq: 77 }, &mut out),
        Wanted::Nothing
    );
    assert_eq!(books.counters().gaps, 0);
}

#[test]
fn a_contradiction_is_healed_market_by_market() {
    let (mut books, mut out) = two_in_step();
    out.clear();
    let wanted = apply(&mut books, &delta(3, 1, Outcome::No, 100, -1), &mut out);
    assert_eq!(wanted, Wanted::One { sid: 1, market: 1 });
    assert_eq!(statuses(&out), [(1, Some(MarketStatus::Suspect))]);
}

#[test]
fn a_lost_connection_and_a_closed_market_are_told() {
    let (mut books, mut out) = two_in_step();
    out.clear();
    apply(&mut books, &trading(2, Trading::Closed), &mut out);
    apply(&mut books, &Event::Disconnected, &mut out);
    assert_eq!(
        statuses(&out),
        [
            (2, Some(MarketStatus::Closed)),
            (1, Some(MarketStatus::Suspect))
        ]
    );
    out.clear();
    apply(&mut books, &Event::Subscribed { sid: 1 }, &mut out);
    let again = snapshot(1, 1, &[Level(4_000, 500)], &[Level(5_000, 300)]);
    assert_eq!(
        apply(&mut books, &again, &mut out),
        Wanted::Nothing,
        "numbers start over"
    );
    assert_eq!(statuses(&out), [(1, Some(MarketStatus::Active))]);
}

/// A `deactivated` that fell before anybody listened left the market tradable.
#[test]
fn a_market_is_tradable_only_once_it_is_known_to_trade() {
    let (mut books, mut out) = (Books::default(), Vec::new());
    for event in [
        Event::Market(facts(1)),
        Event::Subscribed { sid: 1 },
        snapshot(1, 1, &[Level(4_000, 500)], &[Level(5_000, 300)]),
        trading(1, Trading::Open),
        trading(1, Trading::Closed),
        trading(1, Trading::Unknown),
    ] {
        apply(&mut books, &event, &mut out);
    }
    let expected = [
        MarketStatus::Suspect,
        MarketStatus::Active,
        MarketStatus::Closed,
        MarketStatus::Suspect,
    ];
    assert_eq!(statuses(&out), expected.map(|status| (1, Some(status))));
}

#[test]
fn a_lost_frame_takes_its_number_and_makes_every_book_of_it_suspect() {
    for (seq, next_is_a_gap) in [(Some(3), 0), (None, 1)] {
        let (mut books, mut out) = two_in_step();
        out.clear();
        let wanted = apply(&mut books, &Event::Lost { sid: 1, seq }, &mut out);
        assert_eq!(wanted, Wanted::All { sid: 1 });
        assert_eq!(
            statuses(&out),
            [1, 2].map(|market| (market, Some(MarketStatus::Suspect)))
        );
        let snapshot = snapshot(4, 1, &[Level(4_000, 500)], &[Level(5_000, 300)]);
        apply(&mut books, &snapshot, &mut out);
        assert_eq!(books.counters().gaps, 1 + next_is_a_gap, "{seq:?}");
        assert_eq!(
            statuses(&out).last(),
            Some(&(1, Some(MarketStatus::Active)))
        );
    }
    let (mut books, mut out) = two_in_step();
    out.clear();
    let foreign = Event::Lost { sid: 9, seq: None };
    assert_eq!(apply(&mut books, &foreign, &mut out), Wanted::Nothing);
    assert!(out.is_empty(), "no book of ours");
}

#[test]
fn limit_stale_price_trips() {
    let (mut books, mut out) = two_in_step();
    out.clear();
    let old = late(delta(3, 1, Outcome::Yes, 4_100, 100));
    apply(&mut books, &old, &mut out);
    assert_eq!(statuses(&out), [(1, Some(MarketStatus::Suspect))]);
    assert_eq!(out[0].bid_price_e4, 4_100, "the book is kept all the same");
    let old = late(delta(4, 1, Outcome::Yes, 4_100, 100));
    apply(&mut books, &old, &mut out);
    let unstamped = Event::Delta {
        sid: 1,
        seq: 5,
        market: 1,
        outcome: Outcome::Yes,
        price_e4: 4_100,
        delta_centi: 100,
        venue_unix_us: 0,
        late: false,
    };
    apply(&mut books, &unstamped, &mut out);
    let whole = snapshot(6, 1, &[Level(4_000, 500)], &[Level(5_000, 300)]);
    apply(&mut books, &whole, &mut out);
    let tradable = out.iter().filter(|update| update.is_tradable());
    assert_eq!(tradable.count(), 0, "neither tells the time: {out:?}");
    assert_eq!(books.counters().late, 2);
}

#[test]
fn limit_stale_price_lets_pass() {
    let (mut books, mut out) = two_in_step();
    out.clear();
    for number in [3, 4] {
        let market = u32::try_from(number).expect("small") - 2;
        let old = late(delta(number, market, Outcome::Yes, 4_100, 100));
        apply(&mut books, &old, &mut out);
    }
    out.clear();
    // In time again, in one market: what was late before it is over in all.
    apply(&mut books, &delta(5, 2, Outcome::No, 6_000, 100), &mut out);
    assert_eq!(
        statuses(&out),
        [
            (1, Some(MarketStatus::Active)),
            (2, Some(MarketStatus::Active))
        ]
    );
}

/// The venue in the property test: books without any cleverness.
#[derive(Default)]
struct Model {
    levels: [BTreeMap<u16, i64>; 2],
}

impl Model {
    fn side(&mut self, outcome: Outcome) -> &mut BTreeMap<u16, i64> {
        &mut self.levels[usize::from(outcome == Outcome::No)]
    }

    fn list(&self, side: usize) -> Vec<Level> {
        self.levels[side]
            .iter()
            .map(|(price, count)| Level(*price, *count))
            .collect()
    }
}

proptest! {
    /// Whatever is lost on the way, a book that says it is in step is the venue's, and a snapshot
    /// of each market always brings all of them back.
    #[test]
    fn lesson_1_a_book_in_step_is_the_venues(
        steps in prop::collection::vec((0_u32..3, any::<bool>(), 1_u16..12, 1_i64..9, 0_u8..20), 1..200)
    ) {
        let mut venue: HashMap<u32, Model> = HashMap::new();
        let (mut books, mut out) = (Books::default(), Vec::new());
        for market in 0..3 {
            apply(&mut books, &Event::Market(facts(market)), &mut out);
            apply(&mut books, &trading(market, Trading::Open), &mut out);
        }
        apply(&mut books, &Event::Subscribed { sid: 1 }, &mut out);
        let mut seq = 0;
        for (market, is_no, price, count, fate) in steps {
            let model = venue.entry(market).or_default();
            seq += 1;
            let outcome = if is_no { Outcome::No } else { Outcome::Yes };
            let event = if fate == 0 {
                snapshot(seq, market, &model.list(0), &model.list(1))
            } else {
                let level = model.side(outcome).entry(price).or_default();
                let change = if *level > 0 && fate % 2 == 0 { -count.min(*level) } else { count };
                *level += change;
                model.side(outcome).retain(|_, count| *count > 0);
                delta(seq, market, outcome, price, change)
            };
            if fate != 19 {
                apply(&mut books, &event, &mut out);
            }
            if fate == 18 {
                for market in 0..3 {
                    seq += 1;
                    let model = venue.entry(market).or_default();
                    apply(&mut books, &snapshot(seq, market, &model.list(0), &model.list(1)), &mut out);
                }
                prop_assert!(books.iter().all(|(_, _, in_step)| in_step));
            }
            // A loss shows only with the next frame: compare where none is pending.
            if fate != 19 {
                for (market, book, in_step) in books.iter().filter(|(.., in_step)| *in_step) {
                    prop_assert!(in_step);
                    let model = venue.entry(market).or_default();
                    prop_assert_eq!(book.levels(Outcome::Yes).to_vec(), model.list(0));
                    prop_assert_eq!(book.levels(Outcome::No).to_vec(), model.list(1));
                }
            }
        }
        prop_assert_eq!(books.counters().contradictions, 0, "gaps are found before they contradict");
    }
}
