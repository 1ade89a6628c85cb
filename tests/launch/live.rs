//! A pipeline whose venue is somebody else's: here a simulator that runs by itself and lives on. Real money needs a flag
//! and a confirmation; nothing is started on books that do not agree; and no secret is seen anywhere.

use super::{alone, number, signal};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};
use tests::scratch::{Launched, Outcome, Scratch, await_some};
use world::{KeyKind, World};

#[path = "live/blind.rs"]
mod blind;
#[path = "live/history.rs"]
mod history;
#[path = "live/killed.rs"]
mod killed;
#[path = "live/world.rs"]
mod world;

/// It ends by itself where it is started against all expectation.
const LIVE: [&str; 5] = ["--live", "--confirm", "demo", "--for", "60s"];
/// Long enough to start everything, and to compare the books.
const BRIEFLY: [&str; 5] = ["--live", "--confirm", "demo", "--for", "3s"];

fn refused(outcome: &Outcome, parts: &[&str]) {
    outcome.ended_with(2);
    for part in parts {
        let told = &outcome.errors;
        assert!(told.contains(part), "`{part}` is missing in:\n{told}");
    }
}

/// Runs for a while, and ends with books that agree.
fn agrees(scratch: &Scratch, arguments: &[&str]) -> Outcome {
    ended_well(scratch, scratch.launch(arguments))
}

/// Waits for a launch to end, with books that agree.
fn ended_well(scratch: &Scratch, launched: Launched) -> Outcome {
    let outcome = launched.finish();
    let report = scratch.report();
    assert_eq!(
        outcome.status.code(),
        Some(0),
        "{}\n{report:#}",
        outcome.errors
    );
    assert_eq!(report["reconciled"], true);
    outcome
}

#[test]
fn real_money_is_traded_only_when_said_and_confirmed_and_only_on_books_that_agree() {
    let _alone = alone();
    let world = World::new(KeyKind::Rsa, |simulator| {
        // The games outlast all launches.
        simulator.speed = 10.0;
    });
    let scratch = world.pipeline();
    refused(&scratch.launch(&[]).finish(), &["--live", "--dry-orders"]);
    refused(&scratch.launch(&["--live"]).finish(), &["--confirm demo"]);
    let other = ["--live", "--confirm", "another"];
    refused(&scratch.launch(&other).finish(), &["`another`", "`demo`"]);
    refused(
        &scratch.tell(&["prepare", "--live"]),
        &["--live", "without a launcher"],
    );
    let in_argv = ["prepare", "--dry-orders", "--redis", "redis://:hidden@host"];
    let told = scratch.tell(&in_argv);
    refused(&told, &["redis://***@host", "mode 600"]);
    assert!(!told.errors.contains("hidden"), "{}", told.errors);

    shown_and_not_sent(&world, &scratch);
    let open_to_others = Permissions::from_mode(0o755);
    fs::set_permissions(&scratch.pipeline.run_dir, open_to_others).unwrap();
    traded(&world, &scratch);
    let after_the_first = world.orders_at_the_venue();
    let database = scratch.pipeline.run_dir.join("positions.db");
    // The books go on where they stopped, and what a killed run did not book is booked.
    forget_a_fill(&database);
    let outcome = agrees(&scratch, &BRIEFLY);
    assert!(world.orders_at_the_venue() >= after_the_first);
    let told = &outcome.errors;
    assert!(told.contains("1 fills of ours booked only now"), "{told}");
    differing_lines_are_named(&world, &scratch, &database);
}

/// Each kind of line in which books and venue may differ, one after the other; what can be put right again is.
fn differing_lines_are_named(world: &World, scratch: &Scratch, database: &Path) {
    let edit = |statement: &str| {
        let connection = rusqlite::Connection::open(database).unwrap();
        connection.execute_batch(statement).unwrap();
    };
    edit("UPDATE opening SET cash_micros = cash_micros + 1250000");
    let told = [
        "balance: ours $",
        "nothing else differs",
        "--accept-balance",
    ];
    refused(&scratch.launch(&LIVE).finish(), &told);
    let accepted = [&BRIEFLY[..], &["--accept-balance"]].concat();
    agrees(scratch, &accepted);
    agrees(scratch, &BRIEFLY);
    // Decided by our books alone: of no matter where nothing was held.
    edit(
        "INSERT INTO markets VALUES (9999, 'KXNONE-26NOV29AB-A'); INSERT INTO settlements (market, value_e4) VALUES (9999, 10000)",
    );
    agrees(scratch, &BRIEFLY);
    edit(
        "INSERT INTO settlements (market, value_e4) SELECT market, 10000 FROM fills
         WHERE market NOT IN (SELECT market FROM settlements)
         GROUP BY market HAVING sum(iif(side = 0, count_centi, -count_centi)) != 0 LIMIT 1",
    );
    let told = [": booked by us, the venue has none", "position of "];
    refused(&scratch.launch(&LIVE).finish(), &told);
    edit("DELETE FROM settlements WHERE settled_unix_s IS NULL");

    let tickers = tickers_with_a_fill(database);
    let rested = |ticker: String| Some((world.rest_an_order(&ticker)?, ticker));
    let (order, ticker) = tickers
        .into_iter()
        .find_map(rested)
        .expect("an open market");
    refused(
        &scratch.launch(&LIVE).finish(),
        &[&order, &ticker, "rests at the venue"],
    );
    // More is held of it by our books than there, or was when it was settled.
    let (trade, ticker) = falsify_a_fill(database);
    let outcome = scratch.launch(&LIVE).finish();
    refused(&outcome, &[&trade, "the venue's (", "balance: ours $"]);
    let lines = [
        format!("position of {ticker}: ours"),
        format!("settlement of {ticker}: we held"),
    ];
    assert!(
        lines.iter().any(|line| outcome.errors.contains(line)),
        "{lines:?} in {}",
        outcome.errors
    );
    // Books that begin anew do not hide what is held.
    fs::rename(database, database.with_extension("away")).unwrap();
    refused(&scratch.launch(&LIVE).finish(), &["we have no books of it"]);
}

fn shown_and_not_sent(world: &World, scratch: &Scratch) {
    let shown = || {
        let text = fs::read_to_string(scratch.pipeline.dry_orders_file()).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect::<Vec<Value>>()
    };
    let launched = scratch.launch(&["--dry-orders"]);
    await_some("orders that are shown", || {
        (shown().len() >= 3).then_some(())
    });
    signal(launched.pid(), Signal::SIGINT);
    let outcome = launched.finish();
    outcome.ended_with(0);
    let report = scratch.report();
    assert_eq!(number(&report, "dry_orders"), shown().len() as u64);
    assert_eq!(world.orders_at_the_venue(), 0);
    for order in shown() {
        assert_eq!(order["body"]["time_in_force"], "immediate_or_cancel");
        assert!(order["body"]["price"].is_string(), "{order}");
    }
}

fn traded(world: &World, scratch: &Scratch) {
    let launched = scratch.launch(&LIVE);
    scratch.await_trading();
    let closed = fs::metadata(&scratch.pipeline.run_dir).unwrap();
    assert_eq!(closed.permissions().mode() & 0o777, 0o700);
    let rings = scratch.pipeline.ring_dir();
    world.no_secret_in(&[&scratch.pipeline.run_dir, &rings]);
    await_some("orders at the venue", || {
        (world.orders_at_the_venue() >= 3).then_some(())
    });
    open_positions_are_marked(scratch);
    a_second_launch_touches_nothing(scratch);
    signal(launched.pid(), Signal::SIGINT);
    let outcome = ended_well(scratch, launched);
    assert!(outcome.errors.contains("real money"), "{}", outcome.errors);
    world.no_secret_in(&[&scratch.pipeline.run_dir]);
    world.no_secret_in_text(&outcome.output);
    world.no_secret_in_text(&outcome.errors);
    // Nobody keeps prices up to date any more.
    let statement = statement(scratch);
    assert_eq!(statement["total"]["pnl"], scratch.report()["pnl"]);
    for row in statement["markets"].as_array().unwrap() {
        assert!(row["mark"].is_null(), "{row}");
    }
}

fn statement(scratch: &Scratch) -> Value {
    let told = scratch.tell(&["positions", "--json"]);
    told.ended_with(0);
    serde_json::from_str(&told.output).unwrap()
}

/// Dollars as text, in micro-dollars.
fn micros(value: &Value) -> i64 {
    let text = value.as_str().unwrap();
    let (whole, part) = text.split_once('.').unwrap();
    format!("{whole}{part:0<6}").parse().unwrap()
}

/// While it runs, each open position is shown with what closing it would bring.
fn open_positions_are_marked(scratch: &Scratch) {
    let marked = await_some("a position with a price", || {
        let told = statement(scratch);
        let rows = told["markets"].as_array().unwrap();
        rows.iter()
            .any(|row| !row["mark"].is_null())
            .then_some(told)
    });
    let rows = marked["markets"].as_array().unwrap();
    for row in rows {
        let held = micros(&row["contracts"]) / 10_000;
        match (&row["mark"], &row["unrealised"]) {
            (Value::Null, Value::Null) => assert_ne!(held, 0, "{row}"),
            (Value::Null, nothing) => assert_eq!((held, micros(nothing)), (0, 0), "{row}"),
            (mark, gain) => assert_eq!(
                micros(gain),
                micros(mark) / 100 * held - micros(&row["cost"]),
                "{row}"
            ),
        }
    }
    let parts = rows.iter().map(|row| &row["unrealised"]);
    let total = &marked["total"]["unrealised"];
    if parts.clone().any(Value::is_null) {
        assert!(total.is_null(), "{marked:#}");
    } else {
        assert_eq!(micros(total), parts.map(micros).sum::<i64>(), "{marked:#}");
    }
    // The table has the same columns, a row each.
    let table = scratch.tell(&["positions"]).output;
    let mut lines = table.lines();
    let header = lines.next().unwrap();
    assert!(
        header.contains("MARK $") && header.contains("UNREALISED $"),
        "{table}"
    );
    let words = |line: &str| line.split_whitespace().count();
    let by_name: BTreeMap<&str, usize> = lines
        .take_while(|line| !line.is_empty())
        .map(|line| (line.split_whitespace().next().unwrap(), words(line)))
        .collect();
    for name in rows
        .iter()
        .map(|row| row["ticker"].as_str().unwrap())
        .chain(["all"])
    {
        assert_eq!(by_name.get(name), Some(&9), "{name} in {table}");
    }
}

/// With fills on their way that the books lack: whoever looked at the account before he had the lock booked them.
fn a_second_launch_touches_nothing(scratch: &Scratch) {
    let fills = ipc::Observer::open(&scratch.pipeline.ring_path("fills")).unwrap();
    let tracker = scratch.await_ready("position_tracker");
    signal(tracker, Signal::SIGSTOP);
    await_some("a fill that is not booked", || {
        let statistics = fills.statistics();
        (statistics.position < statistics.published).then_some(())
    });
    let books = || {
        ["positions.db", "positions.db-wal"]
            .map(|name| fs::read(scratch.pipeline.run_dir.join(name)).unwrap())
    };
    let before = books();
    refused(&scratch.launch(&LIVE).finish(), &["is running already"]);
    assert!(books() == before, "a launch that is refused has written");
    signal(tracker, Signal::SIGCONT);
}

fn tickers_with_a_fill(database: &Path) -> Vec<String> {
    let connection = rusqlite::Connection::open(database).unwrap();
    let query = "SELECT DISTINCT ticker FROM markets JOIN fills USING (market)";
    let mut select = connection.prepare(query).unwrap();
    let rows = select.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// Takes a fill out of the books.
fn forget_a_fill(database: &Path) {
    let connection = rusqlite::Connection::open(database).unwrap();
    let statement = "DELETE FROM fills WHERE trade = (SELECT max(trade) FROM fills)";
    assert_eq!(connection.execute(statement, []), Ok(1));
}

/// Changes a fill in the books, and returns its trade id and its market.
fn falsify_a_fill(database: &Path) -> (String, String) {
    let connection = rusqlite::Connection::open(database).unwrap();
    let query = "UPDATE fills SET count_centi = count_centi + 100
                 WHERE trade = (SELECT max(trade) FROM fills)
                 RETURNING trade, (SELECT ticker FROM markets WHERE markets.market = fills.market)";
    let (trade, ticker): ([u8; 16], String) = connection
        .query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    (uuid::Uuid::from_bytes(trade).to_string(), ticker)
}
