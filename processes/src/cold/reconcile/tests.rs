//! Equal accounts are equal; every single difference is found and said.

use super::*;
use crate::cold::market_numbers::Numbers;
use bytemuck::Zeroable;
use layouts::Side;
use layouts::units::cost_micros;
use std::collections::HashMap;

const HOME: &str = "KXNBAGAME-26OCT20OKCSAS-SAS";
const AWAY: &str = "KXNBAGAME-26OCT20OKCSAS-OKC";
const START: i64 = 1_000_000_000;

fn fill(trade: u8, market: u32, side: Side, count_centi: u32, price_e4: u16) -> Fill {
    Fill {
        trade: [trade; 16],
        market,
        count_centi,
        price_e4,
        fee_micros: 17_500,
        side: side as u8,
        ..Fill::zeroed()
    }
}

fn fills() -> Vec<Fill> {
    vec![
        fill(1, 1, Side::Bid, 552, 4_500),
        fill(2, 1, Side::Ask, 100, 4_700),
        fill(3, 2, Side::Ask, 300, 5_200),
    ]
}

/// Our books after those fills, with `settled` decided.
fn ledger(settled: &[(u32, u16)]) -> Ledger {
    let mut book = PositionBook::default();
    fills().iter().for_each(|fill| {
        book.fill(fill);
    });
    settled.iter().for_each(|(market, value)| {
        book.settle(*market, *value);
    });
    let tickers = BTreeMap::from([(1, HOME.to_owned()), (2, AWAY.to_owned())]);
    let fills = fills().into_iter().map(|fill| BookedFill {
        launch: "aa".into(),
        fill,
        agreed: false,
    });
    Ledger {
        fills: fills.collect(),
        book,
        tickers,
        agreed: HashSet::new(),
        superseded: Vec::new(),
        opening_fees: BTreeMap::new(),
        starting_cash_micros: START,
    }
}

/// The venue's account of the same, written down by hand.
fn account() -> Account {
    let record = |trade: u8, ticker: &str, side, count_centi, price_e4| FillRecord {
        trade_id: [trade; 16],
        order_id: "venue-order".into(),
        ticker: ticker.into(),
        count_centi,
        price_e4,
        fee_micros: 17_500,
        side,
        is_taker: true,
        created_time: String::new(),
    };
    let position = |ticker: &str, position_centi, fees_paid_micros| PositionRecord {
        ticker: ticker.into(),
        position_centi,
        fees_paid_micros,
    };
    Account {
        fills: vec![
            record(3, AWAY, Side::Ask, 300, 5_200),
            record(1, HOME, Side::Bid, 552, 4_500),
            record(2, HOME, Side::Ask, 100, 4_700),
        ],
        positions: vec![position(HOME, 452, 35_000), position(AWAY, -300, 17_500)],
        settlements: Vec::new(),
        // 1000 - 5.52 x 0.45 + 1 x 0.47 + 3 x 0.52 - 3 x 0.0175 - 3 of collateral
        balance_micros: START - cost_micros(4_500, 552)
            + cost_micros(4_700, 100)
            + cost_micros(5_200, 300)
            - 52_500
            - 3_000_000,
    }
}

fn settlement_of(
    ticker: &str,
    yes: u32,
    no: u32,
    revenue_micros: i64,
    value_e4: u16,
) -> SettlementRecord {
    SettlementRecord {
        ticker: ticker.into(),
        market_result: if value_e4 == 0 { "no" } else { "yes" }.into(),
        yes_count_centi: yes,
        no_count_centi: no,
        revenue_micros,
        value_e4: Some(value_e4),
        settled_time: String::new(),
    }
}

/// After the home team won: YES pays 4.52, the short of the away team its collateral of 3.
fn settled_account() -> Account {
    let open = account();
    Account {
        positions: Vec::new(),
        settlements: vec![
            settlement_of(HOME, 452, 0, 4_520_000, 10_000),
            settlement_of(AWAY, 0, 300, 3_000_000, 0),
        ],
        balance_micros: open.balance_micros + 4_520_000 + 3_000_000,
        ..open
    }
}

#[test]
fn equal_books_are_equal_before_and_after_settlement() {
    let open = judge(&ledger(&[]), &account());
    assert_eq!(open.differences, Vec::<String>::new());
    assert!(open.equal && open.fills == 3 && open.fees_micros == 52_500);
    assert_eq!(open.cash_micros, account().balance_micros);
    let settled = judge(&ledger(&[(1, 10_000), (2, 0)]), &settled_account());
    assert_eq!(settled.differences, Vec::<String>::new());
    assert_eq!(settled.pnl_micros, settled.cash_micros - START);
}

#[test]
fn a_fair_price_that_cents_cannot_express_is_booked_as_it_was_paid() {
    let mut theirs = settled_account();
    // 4.52 at 0.5970, of the other market 3 of NO at 0.4030.
    theirs.settlements = vec![
        settlement_of(HOME, 452, 0, 2_690_000, 5_900),
        settlement_of(AWAY, 0, 300, 1_200_000, 5_900),
    ];
    theirs.balance_micros = account().balance_micros + 2_690_000 + 1_200_000;
    let mut ours = ledger(&[]);
    for (market, record) in [(1, 0), (2, 1)] {
        let booked = settlement(&theirs.settlements[record]).unwrap();
        ours.book.settle(market, booked);
    }
    assert_eq!(judge(&ours, &theirs).differences, Vec::<String>::new());
}

#[test]
fn what_lies_before_the_books_is_no_difference() {
    let mut ours = ledger(&[(3, 10_000)]);
    ours.tickers.insert(3, "KXNBAGAME-26OCT20BOSNYK-NYK".into());
    let mut theirs = account();
    // Traded by hand before: at home too, and where we never did; and one market was settled then.
    for (ticker, before) in [(HOME, 70_000), ("KXNBAGAME-26OCT20BOSNYK-BOS", 35_000)] {
        ours.opening_fees.insert(ticker.into(), before);
        match theirs
            .positions
            .iter_mut()
            .find(|held| held.ticker == ticker)
        {
            Some(held) => held.fees_paid_micros += before,
            None => theirs.positions.push(PositionRecord {
                ticker: ticker.into(),
                position_centi: 0,
                fees_paid_micros: before,
            }),
        }
    }
    assert_eq!(judge(&ours, &theirs).differences, Vec::<String>::new());
    ours.opening_fees.clear();
    let differences = judge(&ours, &theirs).differences;
    assert_eq!(differences.len(), 1, "only where we trade: {differences:?}");
}

/// Whoever books a fill may be stopped before it could read from Redis in which market that was.
#[test]
fn a_market_that_has_a_number_and_no_name_in_the_books_is_named_and_settled() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("positions.db");
    let mut database = Database::open(&path).expect("opens");
    database.book("aa", &fills()).expect("booked");
    database.name_market(1, HOME).expect("named");
    let given = HashMap::from([(HOME.to_owned(), 1), (AWAY.to_owned(), 2)]);
    let kept = Numbers::within(directory.path()).keep(&given);
    kept.expect("kept");
    let account = account();
    let named = |access| {
        let ours = super::ledger(&path, &account, START, access).expect("read");
        assert_eq!(judge(&ours, &account).differences, Vec::<String>::new());
        database.markets().expect("read").len()
    };
    assert_eq!(named(Access::Read), 1);
    assert_eq!(named(Access::Write), 2);
}

#[test]
fn a_balance_that_is_higher_by_returned_collateral_says_what_to_turn_off() {
    let mut ours = ledger(&[]);
    ours.book = PositionBook::default();
    ours.book.fill(&fill(1, 1, Side::Ask, 200, 5_200));
    ours.book.fill(&fill(2, 2, Side::Ask, 300, 5_200));
    let balance = |gap_micros| {
        let balance_micros = judge(&ours, &account()).cash_micros + gap_micros;
        let theirs = Account {
            balance_micros,
            ..account()
        };
        let outcome = judge(&ours, &theirs);
        let mut told = outcome.differences.into_iter();
        let line = told.find(|line| line.starts_with("balance"))?;
        // Which is no money that was paid in.
        let is_told = line.contains("collateral return");
        assert_eq!(outcome.is_returned_collateral, is_told);
        Some(is_told)
    };
    assert_eq!(balance(0), None);
    assert_eq!(balance(2_000_000), Some(true));
    assert_eq!(balance(2_000_001), Some(false));
}

#[test]
fn every_difference_is_found_and_said() {
    type Change = fn(&mut Account);
    let changes: [(&str, Change); 8] = [
        (
            "fill 01010101-0101-0101-0101-010101010101: ours (bid 5.52",
            |a| drop(a.fills.remove(1)),
        ),
        ("@ 0.4700 fee 0.017500), the venue's (ask 1.00", |a| {
            a.fills[2].price_e4 = 4_600
        }),
        (
            "position of KXNBAGAME-26OCT20OKCSAS-SAS: ours 4.52, the venue's 4.51",
            |a| {
                a.positions[0].position_centi = 451;
            },
        ),
        ("position of KXOTHER: ours 0.00, the venue's 1.00", |a| {
            a.positions.push(PositionRecord {
                ticker: "KXOTHER".into(),
                position_centi: 100,
                ..a.positions[0].clone()
            });
        }),
        ("fees of KXNBAGAME-26OCT20OKCSAS-OKC: ours $0.017500", |a| {
            a.positions[1].fees_paid_micros = 1
        }),
        ("balance: ours $", |a| a.balance_micros += 1),
        ("the venue settled 9.00", |a| {
            a.settlements.push(settlement_of("KXOTHER", 900, 0, 0, 0))
        }),
        ("we have none", |a| {
            let more = FillRecord {
                trade_id: [9; 16],
                ..a.fills[0].clone()
            };
            a.fills.push(more);
        }),
    ];
    for (words, change) in changes {
        let mut account = account();
        change(&mut account);
        let outcome = judge(&ledger(&[]), &account);
        assert!(!outcome.equal);
        let found = outcome
            .differences
            .iter()
            .any(|difference| difference.contains(words));
        assert!(found, "`{words}` in {:#?}", outcome.differences);
    }
}

#[test]
fn settlements_that_pay_something_else_are_differences() {
    let ours = ledger(&[(1, 10_000), (2, 0)]);
    let mut account = settled_account();
    account.settlements[0].revenue_micros -= 10_000;
    account.settlements[1].value_e4 = Some(5_000);
    let said = judge(&ours, &account).differences.join("\n");
    assert!(
        said.contains("by our books it pays $4.520000, the venue paid $4.510000"),
        "{said}"
    );
    assert!(
        said.contains("ours at 0.0000, the venue's at 0.5000"),
        "{said}"
    );
    account.settlements.clear();
    let said = judge(&ours, &account).differences.join("\n");
    assert!(said.contains("booked by us, the venue has none"), "{said}");
}

/// The venue's live endpoints hold some three months.
#[test]
fn what_has_agreed_before_need_not_be_listed_any_more_and_is_compared_where_it_is() {
    let mut ours = ledger(&[(1, 10_000), (2, 0)]);
    let mut account = settled_account();
    account.fills.clear();
    account.settlements.clear();
    let said = judge(&ours, &account).differences;
    assert_eq!(said.len(), 3 + 2 + 2, "{said:#?}");
    ours.fills
        .iter_mut()
        .for_each(|booked| booked.agreed = true);
    ours.agreed = HashSet::from([1, 2]);
    let aged = judge(&ours, &account);
    assert_eq!(aged.differences, Vec::<String>::new());
    // All of it counts on.
    let whole = judge(&ledger(&[(1, 10_000), (2, 0)]), &settled_account());
    assert_eq!(aged.attribution, whole.attribution);
    assert_eq!(aged.pnl_micros, whole.pnl_micros);
    // Some of it is still listed, twice read and once counted; and nothing is excused in that.
    account.fills = settled_account().fills[..2].to_vec();
    assert_eq!(judge(&ours, &account).differences, Vec::<String>::new());
    account.fills[0].price_e4 += 100;
    let said = judge(&ours, &account).differences.join("\n");
    assert!(said.contains("ours (ask 3.00"), "{said}");
}

/// The first value stayed booked, and every comparison differed for ever.
#[test]
fn an_amended_settlement_is_no_difference_and_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("positions.db");
    let mut database = Database::open(&path).expect("opens");
    for (market, ticker) in [(1, HOME), (2, AWAY)] {
        database.name_market(market, ticker).expect("named");
    }
    database.book("aa", &fills()).expect("booked");
    database.settle(1, 0, None).expect("settled");
    let settled = |access| {
        let ledger = ledger_of(&path, access);
        judge(&ledger, &settled_account())
    };
    let read = settled(Access::Read);
    assert_eq!(read.differences, Vec::<String>::new());
    assert_eq!(
        database.settlements().expect("read"),
        [(1, 0.into())],
        "only read"
    );
    let written = settled(Access::Write);
    assert_eq!(written.differences, Vec::<String>::new());
    assert_eq!(
        written.amended,
        [format!(
            "settlement of {HOME}: the venue said 0.0000 and has amended it, now 1.0000"
        )]
    );
    assert_eq!(written.pnl_micros, read.pnl_micros);
    assert_eq!(
        database.settlements().expect("read"),
        [(1, 10_000.into()), (2, 0.into())]
    );
}

fn ledger_of(path: &Path, access: Access) -> Ledger {
    super::ledger(path, &settled_account(), START, access).expect("books")
}
