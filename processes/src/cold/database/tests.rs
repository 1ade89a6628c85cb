//! What was booked survives, once; what contradicts is refused.

use super::*;
use bytemuck::Zeroable;
use layouts::Side;

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
        assert_eq!(database.book(&fills).unwrap(), 2);
        database
            .name_market(7, "KXNFLGAME-26OCT12BUFLAR-LAR")
            .unwrap();
    }
    let mut database = Database::open(&path).unwrap();
    assert_eq!(database.book(&fills).unwrap(), 0, "idempotent by trade");
    database
        .name_market(7, "KXNFLGAME-26OCT12BUFLAR-LAR")
        .unwrap();
    assert_eq!(database.fills().unwrap(), fills);
    assert_eq!(
        database.markets().unwrap(),
        [(7, "KXNFLGAME-26OCT12BUFLAR-LAR".to_owned())]
    );
    assert!(database.settle(7, 10_000, None).unwrap());
    assert!(!database.settle(7, 10_000, None).unwrap());
    assert!(matches!(
        database.settle(7, 0, None),
        Err(DatabaseError::Contradiction { .. })
    ));
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
        .book(&[
            fill(1, Side::Ask, 552, 1_700),
            fill(2, Side::Bid, 52, 1_800),
        ])
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
        .pragma_update(None, "user_version", 9)
        .unwrap();
    let error = Database::open(&path).unwrap_err().to_string();
    assert!(
        error.contains("has version 9, this program knows"),
        "{error}"
    );
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
    assert!(database.book(&[fill(1, Side::Bid, 1, 1), bad]).is_err());
    assert_eq!(database.fills().unwrap(), []);
    assert!(Database::open_read_only(&path.with_extension("none")).is_err());
}

/// The time came with the third version: a database of the first is brought up to date, and read before.
#[test]
fn settlements_of_a_day_are_told_apart_and_an_old_database_has_none() {
    let (_directory, path) = scratch();
    {
        let old = rusqlite::Connection::open(&path).unwrap();
        old.execute_batch(MIGRATIONS[0]).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        old.execute_batch("INSERT INTO settlements VALUES (1, 10000)")
            .unwrap();
    }
    let before = Database::open_read_only(&path).unwrap();
    assert!(before.is_laid_out().unwrap());
    assert!(before.settled_since(0).unwrap().is_empty());
    let mut database = Database::open(&path).unwrap();
    for (market, settled) in [(2, Some(99)), (3, Some(100)), (4, Some(101)), (5, None)] {
        assert!(database.settle(market, 0, settled).unwrap());
    }
    assert_eq!(database.settled_since(100).unwrap(), [3, 4]);
    assert_eq!(database.settlements().unwrap().len(), 5);
}
