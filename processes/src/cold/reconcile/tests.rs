//! Equal accounts are equal; every single difference is found and said.

use super::*;
use bytemuck::Zeroable;
use layouts::Side;
use layouts::units::cost_micros;

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
    Ledger {
        fills: fills(),
        book,
        tickers,
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

fn settlement(
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
            settlement(HOME, 452, 0, 4_520_000, 10_000),
            settlement(AWAY, 0, 300, 3_000_000, 0),
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
            a.settlements.push(settlement("KXOTHER", 900, 0, 0, 0))
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
    account.settlements[0].revenue_micros -= MICROS_PER_CENT;
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
