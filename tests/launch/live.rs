//! A pipeline whose venue is somebody else's: here a simulator that runs by itself and lives on. Real money needs a flag
//! and a confirmation; nothing is started on books that do not agree; and no secret is seen anywhere.

use super::{alone, number, signal};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use nix::sys::signal::Signal;
use pipeline::Pipeline;
use processes::venue::{
    kalshi_rest::KalshiRest,
    signing::{Signature, Signer},
    tls::Trust,
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tests::{
    programs::program,
    scratch::{Outcome, Scratch, await_some},
};

/// An exchange, a feed and a Redis that outlive the pipelines which use them.
struct World {
    _directory: Scratch,
    resolved: Pipeline,
    addresses: Value,
    redis_url: String,
    children: Vec<Child>,
    runtime: tokio::runtime::Runtime,
}

impl World {
    fn new() -> Self {
        let mut scratch = Scratch::of("demo.toml");
        let socket = scratch.path().join("redis");
        let redis = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .expect("start redis-server");
        await_some("redis-server", || socket.exists().then_some(()));
        scratch.pipeline.redis.url = format!("redis+unix://{}", socket.display());
        fs::create_dir(&scratch.pipeline.rings).unwrap();
        let file = scratch.path().join("pipeline.toml");
        fs::write(&file, toml::to_string(&scratch.pipeline).unwrap()).unwrap();
        let prepared = scratch.tell(&["prepare"]);
        assert_eq!(prepared.status.code(), Some(0), "{}", prepared.errors);
        let resolved_file = scratch.pipeline.run_dir.join("pipeline.toml");
        let simulator = Command::new(program("simulator"))
            .arg("--pipeline")
            .arg(&resolved_file)
            .args(["--name", "simulator"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start the simulator");
        let ready = scratch.pipeline.run_dir.join("simulator.ready");
        let addresses = await_some("the simulator's addresses", || {
            serde_json::from_str(&fs::read_to_string(&ready).ok()?).ok()
        });
        Self {
            resolved: Pipeline::load(&resolved_file).unwrap(),
            redis_url: scratch.pipeline.redis.url.clone(),
            addresses,
            children: vec![simulator, redis],
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            _directory: scratch,
        }
    }

    fn address(&self, name: &str) -> String {
        self.addresses[name].as_str().unwrap().to_owned()
    }

    /// A pipeline for which all of this is the real thing.
    fn pipeline(&self) -> Scratch {
        let mut scratch = Scratch::of("demo.toml");
        let pipeline = &mut scratch.pipeline;
        pipeline.simulator = None;
        pipeline
            .processes
            .retain(|process| process.name != "simulator");
        pipeline.redis.url.clone_from(&self.redis_url);
        pipeline.feed.url = self.address("feed");
        pipeline.venue = self.resolved.venue.clone();
        pipeline.venue.rest = self.address("rest");
        pipeline.venue.websocket = self.address("websocket");
        scratch
    }

    fn signer(&self) -> Signer {
        let venue = &self.resolved.venue;
        Signer::load(&venue.key_id, &venue.key_file).unwrap()
    }

    fn rest(&self) -> KalshiRest {
        KalshiRest::new(&self.address("rest"), self.signer(), &Trust::none()).unwrap()
    }

    fn orders_at_the_venue(&self) -> usize {
        let rest = self.rest();
        self.runtime.block_on(rest.orders(None)).unwrap().len()
    }

    /// Rests an order, as somebody at the venue's web page would, and returns its id; `None` where the market is closed.
    fn rest_an_order(&self, ticker: &str) -> Option<String> {
        let url = format!("{}/portfolio/events/orders", self.address("rest"));
        let signature = self
            .signer()
            .sign_now("POST", "/trade-api/v2/portfolio/events/orders");
        let signature: Signature = signature.unwrap();
        let body = json!({
            "ticker": ticker, "client_order_id": uuid::Uuid::new_v4().to_string(), "side": "bid", "count": "1.00",
            "price": "0.0100", "time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross",
        });
        let request = Trust::none().http(&url).unwrap().build().unwrap().post(url);
        let request = signature
            .headers()
            .into_iter()
            .fold(request, |request, (name, value)| {
                request.header(name, value)
            });
        let answer: Value = self.runtime.block_on(async {
            let answer = request.json(&body).send().await.unwrap();
            answer.json().await.unwrap()
        });
        let id = answer["order_id"].as_str()?;
        let rest = self.rest();
        // The venue's reads lag behind its writes.
        await_some("the order to be listed", || {
            let resting = self.runtime.block_on(rest.resting_orders()).unwrap();
            resting
                .iter()
                .any(|order| order.order_id == id)
                .then_some(())
        });
        Some(id.to_owned())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// It ends by itself where it is started against all expectation.
const LIVE: [&str; 5] = ["--live", "--confirm", "demo", "--for", "60s"];

fn refused(outcome: &Outcome, parts: &[&str]) {
    assert_eq!(outcome.status.code(), Some(2), "{}", outcome.errors);
    for part in parts {
        let told = &outcome.errors;
        assert!(told.contains(part), "`{part}` is missing in:\n{told}");
    }
}

#[test]
fn real_money_is_traded_only_when_said_and_confirmed_and_only_on_books_that_agree() {
    let _alone = alone();
    let world = World::new();
    let scratch = world.pipeline();
    refused(&scratch.launch(&[]).finish(), &["--live", "--dry-orders"]);
    refused(&scratch.launch(&["--live"]).finish(), &["--confirm demo"]);
    let other = ["--live", "--confirm", "another"];
    refused(&scratch.launch(&other).finish(), &["`another`", "`demo`"]);

    shown_and_not_sent(&world, &scratch);
    traded(&world, &scratch);
    let after_the_first = world.orders_at_the_venue();
    let database = scratch.pipeline.run_dir.join("positions.db");
    // The books go on where they stopped, and what a killed run did not book is booked.
    forget_a_fill(&database);
    let outcome = scratch
        .launch(&["--live", "--confirm", "demo", "--for", "3s"])
        .finish();
    assert_eq!(outcome.status.code(), Some(0), "{}", outcome.errors);
    assert_eq!(scratch.report()["reconciled"], true);
    assert!(world.orders_at_the_venue() >= after_the_first);
    let told = &outcome.errors;
    assert!(told.contains("1 fills of ours booked only now"), "{told}");
    killed_and_launched_again(&scratch);

    let tickers = tickers_with_a_fill(&database);
    let rested = |ticker: String| Some((world.rest_an_order(&ticker)?, ticker));
    let (order, ticker) = tickers
        .into_iter()
        .find_map(rested)
        .expect("an open market");
    refused(
        &scratch.launch(&LIVE).finish(),
        &[&order, &ticker, "rests at the venue"],
    );
    let trade = falsify_a_fill(&database);
    refused(&scratch.launch(&LIVE).finish(), &[&trade, "the venue's ("]);
    // Books that begin anew do not hide what is held.
    fs::rename(&database, database.with_extension("away")).unwrap();
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
    assert_eq!(outcome.status.code(), Some(0), "{}", outcome.errors);
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
    let rings = scratch.pipeline.ring_dir();
    no_secret_in(world, &[&scratch.pipeline.run_dir, &rings]);
    await_some("orders at the venue", || {
        (world.orders_at_the_venue() >= 3).then_some(())
    });
    signal(launched.pid(), Signal::SIGINT);
    let outcome = launched.finish();
    let report = scratch.report();
    assert_eq!(
        outcome.status.code(),
        Some(0),
        "{}\n{report:#}",
        outcome.errors
    );
    assert_eq!(report["reconciled"], true);
    assert!(outcome.errors.contains("real money"), "{}", outcome.errors);
    no_secret_in(world, &[&scratch.pipeline.run_dir]);
    for text in [&outcome.output, &outcome.errors] {
        assert!(
            secrets(world)
                .iter()
                .all(|secret| !holds(text.as_bytes(), secret))
        );
    }
}

/// The private key in each form in which it could get out.
fn secrets(world: &World) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(&world.resolved.venue.key_file).unwrap();
    let base64: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(&base64).unwrap();
    // RFC 8410: the seed of an Ed25519 key follows sixteen bytes of wrapping.
    let seed = der[16..48].to_vec();
    let hex: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
    vec![base64.as_bytes()[..40].to_vec(), seed, hex.into_bytes()]
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Files of these directories, command lines and environments of all processes, and everything in Redis.
fn no_secret_in(world: &World, directories: &[&Path]) {
    let mut files: Vec<PathBuf> = Vec::new();
    for directory in directories {
        files.extend(
            fs::read_dir(directory)
                .unwrap()
                .map(|entry| entry.unwrap().path()),
        );
        files.extend(
            fs::read_dir(directory.join("logs"))
                .into_iter()
                .flatten()
                .map(|entry| entry.unwrap().path()),
        );
    }
    for process in fs::read_dir("/proc").unwrap().flatten() {
        files.extend(["cmdline", "environ"].map(|name| process.path().join(name)));
    }
    let mut looked = 0;
    let secrets = secrets(world);
    for file in files {
        let Ok(content) = fs::read(&file) else {
            continue;
        };
        looked += content.len();
        for secret in &secrets {
            assert!(!holds(&content, secret), "the key is in {}", file.display());
        }
    }
    assert!(looked > 10_000, "{looked} bytes are not what a run leaves");
    let dump = Command::new("redis-cli")
        .args(["-s", world.redis_url.trim_start_matches("redis+unix://")])
        .args(["--rdb", "-"])
        .output()
        .expect("start redis-cli");
    assert!(dump.stdout.len() > 1_000, "{:?}", dump.stderr);
    assert!(secrets.iter().all(|secret| !holds(&dump.stdout, secret)));
}

fn tickers_with_a_fill(database: &Path) -> Vec<String> {
    let connection = rusqlite::Connection::open(database).unwrap();
    let query = "SELECT DISTINCT ticker FROM markets JOIN fills USING (market)";
    let mut select = connection.prepare(query).unwrap();
    let rows = select.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// The launcher and all of its processes die with orders on their way; what they did is booked at the next start.
fn killed_and_launched_again(scratch: &Scratch) {
    let launched = scratch.launch(&LIVE);
    scratch.await_trading();
    signal(launched.pid(), Signal::SIGKILL);
    let _ = launched.finish();
    scratch.await_nobody();
    let again = ["--live", "--confirm", "demo", "--for", "3s"];
    let outcome = scratch.launch(&again).finish();
    let report = scratch.report();
    assert_eq!(
        outcome.status.code(),
        Some(0),
        "{}\n{report:#}",
        outcome.errors
    );
    assert_eq!(report["reconciled"], true);
}

/// Takes a fill out of the books.
fn forget_a_fill(database: &Path) {
    let connection = rusqlite::Connection::open(database).unwrap();
    let statement = "DELETE FROM fills WHERE trade = (SELECT max(trade) FROM fills)";
    assert_eq!(connection.execute(statement, []), Ok(1));
}

/// Changes a fill in the books, and returns its trade id.
fn falsify_a_fill(database: &Path) -> String {
    let connection = rusqlite::Connection::open(database).unwrap();
    let query = "UPDATE fills SET count_centi = count_centi + 100
                 WHERE trade = (SELECT max(trade) FROM fills) RETURNING trade";
    let trade: [u8; 16] = connection.query_row(query, [], |row| row.get(0)).unwrap();
    uuid::Uuid::from_bytes(trade).to_string()
}
