//! The books of a real account go through many launches: profit and loss stay what they are, the venue is asked only for
//! what came since it agreed, and a settlement that it amends is taken over.

use super::{
    super::{alone, signal},
    BRIEFLY, LIVE, agrees, micros, statement,
    world::{KeyKind, World},
};
use nix::sys::signal::Signal;
use std::path::Path;
use tests::scratch::await_some;

#[test]
fn the_books_of_many_launches_are_one_account() {
    let _alone = alone();
    // All games are over within two minutes.
    let world = World::new(KeyKind::Ed25519, |simulator| simulator.speed = 120.0);
    let scratch = world.pipeline();
    let database = scratch.pipeline.run_dir.join("positions.db");
    for launch in 1..=2 {
        let launched = scratch.launch(&LIVE);
        scratch.await_trading();
        await_some("a fill of this launch", || {
            let query = "SELECT count(DISTINCT launch) FROM fills";
            (number(&database, query) == launch).then_some(())
        });
        signal(launched.pid(), Signal::SIGINT);
        launched.finish().ended_with(0);
    }
    let first = "SELECT unix_s FROM opening";
    let asked_from = "SELECT coalesce(agreed_unix_s, unix_s) FROM opening";
    // As if it had begun long ago: what agreed then is not listed for ever.
    age(&database);
    let opened = number(&database, first);
    await_some("the end of all games", || world.is_over().then_some(()));
    agrees(&scratch, &BRIEFLY);
    assert_eq!(number(&database, first), opened);
    assert!(number(&database, asked_from) > opened + 365 * 24 * 3_600 - 2 * 3_600);
    let unagreed = "SELECT count(*) FROM fills WHERE agreed = 0";
    assert_eq!(number(&database, unagreed), 0);

    let report = scratch.report();
    assert_eq!(report["profit"]["net"], report["pnl"], "{report:#}");
    let told = statement(&scratch);
    assert_eq!(told["profit"], report["profit"]);
    assert_eq!(told["total"]["pnl"], report["pnl"]);
    assert_eq!(micros(&told["total"]["unrealised"]), 0);
    assert_eq!(report["amended"], serde_json::json!([]));

    // Our books have another value than the venue, as after an amendment.
    let amended = "UPDATE settlements SET value_e4 = 10000 - value_e4 WHERE market = (SELECT min(market) FROM settlements JOIN fills USING (market))";
    rusqlite::Connection::open(&database)
        .unwrap()
        .execute_batch(amended)
        .unwrap();
    agrees(&scratch, &BRIEFLY);
    let after = scratch.report();
    assert_eq!(after["pnl"], report["pnl"]);
    let words = after["amended"][0].as_str().unwrap();
    assert!(words.contains("and has amended it, now"), "{words}");
    let outcome = agrees(&scratch, &BRIEFLY);
    assert!(
        outcome.output.contains("AMENDED  settlement of"),
        "{}",
        outcome.output
    );
}

fn number(database: &Path, query: &str) -> i64 {
    let connection = rusqlite::Connection::open(database).unwrap();
    connection.query_row(query, [], |row| row.get(0)).unwrap()
}

/// Moves the opening a year into the past.
fn age(database: &Path) {
    let connection = rusqlite::Connection::open(database).unwrap();
    let statement = "UPDATE opening SET unix_s = unix_s - 365 * 24 * 3600, agreed_unix_s = NULL";
    assert_eq!(connection.execute(statement, []), Ok(1));
}
