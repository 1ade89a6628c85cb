//! What was booked survives, once; what contradicts is refused.

use super::migrations::OPENED;
use super::*;
use bytemuck::Zeroable;
use layouts::Side;
use std::collections::HashSet;

fn fill(trade: u8, side: Side, count_centi: u32, price_e4: u16) -> Fill {
    Fill {
        trade: [trade; 16],
        order: u64::MAX - u64::from(trade),
        market: 7,
        count_centi,
        price_e4,
        fee_micros: 1_700,
        side: side as u8,
        is_taker: 1,
        ..Fill::zeroed()
    }
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("positions.db");
    (directory, path)
}

#[test]
fn what_was_booked_is_there_after_a_restart_and_booked_once() {
    let (_directory, path) = scratch();
    let fills = [
        fill(1, Side::Bid, 552, 1_700),
        fill(2, Side::Ask, 52, 1_800),
    ];
    {
        let mut database = Database::open(&path).unwrap();
        assert_eq!(database.book("a", &fills).unwrap(), 2);
        database
            .name_market(7, "KXNFLGAME-26OCT12BUFLAR-LAR")
            .unwrap();
    }
    let mut database = Database::open(&path).unwrap();
    assert_eq!(
        database.book("a", &fills).unwrap(),
        0,
        "idempotent by trade"
    );
    database
        .name_market(7, "KXNFLGAME-26OCT12BUFLAR-LAR")
        .unwrap();
    assert_eq!(database.fills().unwrap(), fills);
    assert_eq!(
        database.markets().unwrap(),
        [(7, "KXNFLGAME-26OCT12BUFLAR-LAR".to_owned())]
    );
    assert_eq!(database.settle(7, 10_000, None).unwrap(), Booked::New);
    assert_eq!(database.settle(7, 10_000, None).unwrap(), Booked::Again);
    let total = database.load().unwrap().total();
    assert_eq!(
        total.cash_micros,
        -552 * 1_700 + 52 * 1_800 - 3_400 + 500 * 10_000
    );
}

#[test]
fn a_number_never_means_two_markets() {
    let (_directory, path) = scratch();
    let mut database = Database::open(&path).unwrap();
    database.name_market(7, "A").unwrap();
    for (market, ticker) in [(7, "B"), (8, "A")] {
        let error = database.name_market(market, ticker).unwrap_err();
        assert!(matches!(error, DatabaseError::Renumbered { .. }), "{error}");
    }
    assert_eq!(database.markets().unwrap(), [(7, "A".to_owned())]);
}

#[test]
fn the_view_agrees_with_the_book() {
    let (_directory, path) = scratch();
    let mut database = Database::open(&path).unwrap();
    let view = |database: &Database| -> (i64, i64, i64) {
        database
            .connection
            .query_row(
                "SELECT position_centi, cash_micros, fees_micros FROM positions",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .unwrap()
    };
    database
        .book(
            "a",
            &[
                fill(1, Side::Ask, 552, 1_700),
                fill(2, Side::Bid, 52, 1_800),
            ],
        )
        .unwrap();
    for _ in 0..2 {
        let total = database.load().unwrap().total();
        let expected = (total.position_centi, total.cash_micros, total.fees_micros);
        assert_eq!(view(&database), expected);
        database.settle(7, 5_000, None).unwrap();
    }
}

#[test]
fn a_database_of_a_later_version_is_refused() {
    let (_directory, path) = scratch();
    Database::open(&path)
        .unwrap()
        .connection
        .pragma_update(None, "user_version", MIGRATIONS.len() as i64 + 1)
        .unwrap();
    let error = Database::open(&path).unwrap_err().to_string();
    let words = format!("has version {}, this program knows", MIGRATIONS.len() + 1);
    assert!(error.contains(&words), "{error}");
}

#[test]
fn a_bad_batch_leaves_nothing_behind() {
    let (_directory, path) = scratch();
    let mut database = Database::open(&path).unwrap();
    let bad = Fill {
        side: 9,
        ..fill(2, Side::Bid, 1, 1)
    };
    assert!(!is_bookable(&bad));
    assert!(
        database
            .book("a", &[fill(1, Side::Bid, 1, 1), bad])
            .is_err()
    );
    assert_eq!(database.fills().unwrap(), []);
    assert!(Database::open_read_only(&path.with_extension("none")).is_err());
}

/// A file as a program of this version left it, with rows in every table that it had.
fn left_by(version: usize, path: &Path) {
    let old = Connection::open(path).unwrap();
    for migration in &MIGRATIONS[..version] {
        old.execute_batch(migration).unwrap();
    }
    old.pragma_update(None, "user_version", u32::try_from(version).unwrap())
        .unwrap();
    let rows = [
        (
            1,
            "INSERT INTO markets VALUES (7, 'A'), (8, 'B');
             INSERT INTO fills VALUES (x'01010101010101010101010101010101', -2, 7, 0, 552, 1700, 1700, 1, 5),
                 (x'02020202020202020202020202020202', -3, 7, 1, 52, 1800, 100, 0, 6),
                 (x'03030303030303030303030303030303', 4, 8, 1, 100, 2500, 900, 1, 7);
             INSERT INTO settlements (market, value_e4) VALUES (7, 10000);",
        ),
        (2, "INSERT INTO opening VALUES (0, 1000, 5000000);"),
        (
            3,
            "UPDATE settlements SET settled_unix_s = 1200 WHERE market = 7;",
        ),
        (4, "INSERT INTO launches VALUES ('aa'), ('bb');"),
    ];
    for (_, rows) in rows.iter().filter(|(since, _)| *since <= version) {
        old.execute_batch(rows).unwrap();
    }
}

/// Rows of the view of positions, each as text.
fn positions(connection: &Connection) -> Vec<String> {
    let mut select = connection
        .prepare("SELECT market || ' ' || position_centi || ' ' || cash_micros || ' ' || fees_micros FROM positions ORDER BY market")
        .unwrap();
    let rows = select.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn what_any_earlier_version_has_booked_survives() {
    for version in 1..=4 {
        let (_directory, path) = scratch();
        left_by(version, &path);
        // Whoever only reads does not wait for its writer to bring it up to date.
        let before = Database::open_read_only(&path).unwrap();
        assert!(before.is_laid_out().unwrap());
        let (fills, view) = (before.booked().unwrap(), positions(&before.connection));
        let opening = (version >= OPENED as usize).then_some(Opening {
            began_unix_s: 1_000,
            unix_s: 1_000,
            cash_micros: 5_000_000,
        });
        assert_eq!(before.opening().unwrap(), opening);
        assert!(before.superseded().unwrap().is_empty());
        assert!(before.settlements_agreed().unwrap().is_empty());
        let total = before.load().unwrap().total();
        drop(before);

        let mut database = Database::open(&path).unwrap();
        let pragma = |name: &str| -> String {
            let value = database
                .connection
                .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0));
            format!("{:?}", value.unwrap())
        };
        assert_eq!(pragma("journal_mode"), "Text(\"wal\")");
        assert_eq!(pragma("synchronous"), "Integer(2)", "FULL");
        assert_eq!(
            pragma("user_version"),
            format!("Integer({})", MIGRATIONS.len())
        );
        assert_eq!(database.booked().unwrap(), fills);
        assert_eq!(fills.len(), 3);
        assert!(
            fills
                .iter()
                .all(|booked| booked.launch.is_empty() && !booked.agreed)
        );
        assert_eq!(positions(&database.connection), view);
        assert_eq!(
            view,
            [
                format!(
                    "7 0 {} 1800",
                    -552 * 1_700 + 52 * 1_800 - 1_800 + 500 * 10_000
                ),
                format!("8 -100 {} 900", 2_500 * 100 - 900),
            ]
        );
        assert_eq!(database.load().unwrap().total(), total);
        let markets = [(7, "A".to_owned()), (8, "B".to_owned())];
        assert_eq!(database.markets().unwrap(), markets);
        assert_eq!(database.settlements().unwrap(), [(7, 10_000.into())]);
        let timed = version >= TIMED as usize;
        assert_eq!(
            database.settled_since(1_200).unwrap().len(),
            usize::from(timed)
        );
        assert_eq!(database.opening().unwrap(), opening);
        let launches = if version >= 4 { 2 } else { 0 };
        assert_eq!(database.launches().unwrap().len(), launches);
        // And it goes on.
        assert_eq!(database.book("cc", &[fill(9, Side::Bid, 1, 1)]).unwrap(), 1);
        assert_eq!(database.booked().unwrap()[3].launch, "cc");
    }
}

#[test]
fn settlements_of_a_day_are_told_apart() {
    let (_directory, path) = scratch();
    let mut database = Database::open(&path).unwrap();
    for (market, settled) in [(2, Some(99)), (3, Some(100)), (4, Some(101)), (5, None)] {
        assert_eq!(database.settle(market, 0, settled).unwrap(), Booked::New);
    }
    assert_eq!(database.settled_since(100).unwrap(), [3, 4]);
    assert_eq!(database.settlements().unwrap().len(), 4);
}

#[test]
fn an_amended_settlement_counts_and_what_it_said_before_is_kept() {
    let (_directory, path) = scratch();
    let mut database = Database::open(&path).unwrap();
    database
        .book("a", &[fill(1, Side::Bid, 100, 4_000)])
        .unwrap();
    for (value_e4, booked) in [
        (10_000, Booked::New),
        (0, Booked::Amended),
        (0, Booked::Again),
        (5_000, Booked::Amended),
    ] {
        assert_eq!(database.settle(7, value_e4, Some(9)).unwrap(), booked);
    }
    assert_eq!(database.settlements().unwrap(), [(7, 5_000.into())]);
    assert_eq!(database.superseded().unwrap(), [(7, 10_000), (7, 0)]);
    let cash = -100 * 4_000 - 1_700 + 100 * 5_000;
    assert_eq!(database.load().unwrap().total().cash_micros, cash);
    assert_eq!(
        positions(&database.connection),
        [format!("7 0 {cash} 1700")]
    );
}

#[test]
fn what_has_agreed_is_marked_and_the_venue_is_asked_from_then_on() {
    let (_directory, path) = scratch();
    let mut database = Database::open(&path).unwrap();
    let opened = Opening {
        began_unix_s: 1_000,
        unix_s: 1_000,
        cash_micros: 5,
    };
    database.open_account(opened).unwrap();
    database
        .book("a", &[fill(1, Side::Bid, 100, 4_000)])
        .unwrap();
    database.settle(7, 10_000, Some(9)).unwrap();
    database.agree(900).unwrap();
    assert_eq!(database.opening().unwrap(), Some(opened), "never back");
    database.agree(2_000).unwrap();
    database
        .book("b", &[fill(2, Side::Bid, 100, 4_000)])
        .unwrap();
    let agreed = |database: &Database| -> Vec<bool> {
        let booked = database.booked().unwrap().into_iter();
        booked.map(|booked| booked.agreed).collect()
    };
    assert_eq!(agreed(&database), [true, false]);
    assert_eq!(database.settlements_agreed().unwrap(), HashSet::from([7]));
    // Money that was paid in later changes the sum, not the moment.
    database
        .open_account(Opening {
            began_unix_s: 3_000,
            unix_s: 3_000,
            cash_micros: 8,
        })
        .unwrap();
    let opening = database.opening().unwrap().unwrap();
    let expected = Opening {
        began_unix_s: 1_000,
        unix_s: 2_000,
        cash_micros: 8,
    };
    assert_eq!(opening, expected);
    // What is said anew has not agreed yet.
    database.settle(7, 0, None).unwrap();
    assert_eq!(database.settlements_agreed().unwrap(), HashSet::new());
}

/// The view says what the stage says, also of what was paid beyond the value.
#[test]
fn a_settlement_in_whole_cents_is_kept_to_the_micro_dollar() {
    let (_directory, path) = scratch();
    let mut database = Database::open(&path).unwrap();
    database
        .book("aa", &[fill(1, Side::Bid, 437, 5_000)])
        .unwrap();
    let paid = |remainder_micros| Settlement {
        value_e4: 5_000,
        remainder_micros,
    };
    for (settlement, booked) in [
        (paid(-5_000), Booked::New),
        (paid(-5_000), Booked::Again),
        (paid(0), Booked::Again),
        (paid(-5_000), Booked::Again),
    ] {
        assert_eq!(database.settle(7, settlement, Some(9)).unwrap(), booked);
        let book = database.load().unwrap();
        let cash: i64 = database
            .connection
            .query_row("SELECT cash_micros FROM positions", [], |row| row.get(0))
            .unwrap();
        assert_eq!(cash, settlement.remainder_micros - 1_700);
        assert_eq!(book.market(7).map(|one| one.cash_micros), Some(cash));
    }
    assert_eq!(
        database.superseded().unwrap(),
        [],
        "its value was never another"
    );
    // Of nothing nothing is paid.
    database.settle(8, paid(-5_000), None).unwrap();
    assert_eq!(database.load().unwrap().total().cash_micros, -5_000 - 1_700);
}
