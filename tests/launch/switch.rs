//! How long a pipeline trades on after its kill switch was thrown, each way; and a clock that is wrong.

use super::{
    alone,
    restarts::venue_of,
    safety::{ask, await_word, block_on, cold, nothing_is_ordered, orders_flow, published},
    signal,
};
use ipc::{Observer, clock};
use layouts::{Mode, control::cause};
use nix::sys::signal::Signal;
use pipeline::Tier;
use processes::venue::tls::Trust;
use serde_json::Value;
use std::{
    fs,
    time::{Duration, Instant},
};
use tests::scratch::{Scratch, await_some};

/// Throws of each switch.
const THROWS: usize = 8;
/// How late an order may be at the venue by the test: other tests and builds share the machine. What is
/// promised is 10 ms, and printed is what was.
const LATEST: Duration = Duration::from_secs(2);
/// Longest wait for an order.
const PATIENCE: Duration = Duration::from_secs(60);

/// When the venue got its last order, us of Unix time.
fn last_order_unix_us(scratch: &Scratch) -> Option<u64> {
    let (venue, signer, _) = venue_of(scratch);
    let url = format!("{}/portfolio/orders", venue.rest);
    let path = url.find("/trade-api").map(|at| &url[at..]).unwrap();
    let client = Trust::none().http(&url).unwrap().build().unwrap();
    let page = async |cursor: &str| {
        let signature = signer.sign_now("GET", path).unwrap();
        let request = client.get(format!("{url}?limit=1000&cursor={cursor}"));
        let headers = signature.headers().into_iter();
        let request = headers.fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        request.send().await.ok()?.json::<Value>().await.ok()
    };
    let (mut last, mut cursor) = (None, String::new());
    loop {
        let read = await_some("a page of orders", || {
            block_on(page(&cursor)).filter(|page| page["orders"].is_array())
        });
        for order in read["orders"].as_array().unwrap() {
            let created = order["created_time"].as_str().unwrap();
            let created: jiff::Timestamp = created.parse().unwrap();
            last = last.max(u64::try_from(created.as_microsecond()).ok());
        }
        cursor = read["cursor"].as_str().unwrap_or_default().to_owned();
        if cursor.is_empty() {
            return last;
        }
    }
}

/// Waits until an order is made, and not a moment longer: it is on its way then, and more may follow.
fn await_an_order(orders: &Observer) {
    let (before, due) = (orders.statistics().published, Instant::now() + PATIENCE);
    while orders.statistics().published == before {
        assert!(Instant::now() < due, "no order within {PATIENCE:?}");
        std::thread::yield_now();
    }
}

/// Microseconds, signed: the order that was on its way may have been held back, and the last be one before it.
fn shown(mut us: Vec<i64>) -> String {
    us.sort_unstable();
    let at = |part: usize| us[(us.len() - 1) * part / 100];
    format!("median {} us, worst {} us of {us:?}", at(50), at(100))
}

/// Orders as fast as a demo makes them, none of which the venue or the way to it holds up: what they need there
/// is no part of what a switch takes.
fn ordering() -> Scratch {
    let mut scratch = super::restarts::busy();
    if let Some(simulator) = &mut scratch.pipeline.simulator {
        simulator.delay_ms = [0.0, 0.0];
        simulator.tier = Tier::Prime;
    }
    scratch.pipeline.limits.repeat_ms = 50;
    scratch.pipeline.model.min_edge_e4 = 50;
    scratch
}

/// Throws a switch and takes it back. Microseconds from the throw to the word, and to the last order at the
/// venue; none where the first was on its way when the switch was thrown.
fn throw(scratch: &Scratch, switch: &str, by: impl FnOnce()) -> (i64, Option<i64>) {
    let ring = Observer::open(&scratch.pipeline.ring_path("orders")).unwrap();
    await_an_order(&ring);
    let (thrown, thrown_unix_us) = (clock::mono_ns(), clock::unix_ns() / 1_000);
    by();
    let word = await_word(scratch, Mode::Safe, cause::OPERATOR).written_ns;
    nothing_is_ordered(scratch);
    let last = last_order_unix_us(scratch);
    if switch == "redis" {
        ask(scratch, "mode", "trade");
    } else {
        let resumed = scratch.tell(&["resume"]);
        resumed.ended_with(0);
    }
    await_word(scratch, Mode::Trade, 0);
    (
        (word.cast_signed() - thrown.cast_signed()) / 1_000,
        last.map(|last| last.cast_signed() - thrown_unix_us.cast_signed()),
    )
}

#[test]
fn the_last_order_goes_within_moments_of_the_switch() {
    let _alone = alone();
    let scratch = ordering();
    let launched = scratch.launch(&[]);
    scratch.await_trading();
    let file = scratch.pipeline.safe_file();
    // Connected, so that what is timed is the write.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let cold = cold(&scratch);
    let mode = |mode| {
        let written = cold.hash_put("config", "mode", mode, None);
        runtime.block_on(written).unwrap();
    };
    mode("trade");
    for switch in ["signal", "file", "redis"] {
        let throws = (0..THROWS).map(|_| {
            throw(&scratch, switch, || match switch {
                "signal" => signal(launched.pid(), Signal::SIGUSR1),
                "file" => fs::write(&file, "a test\n").unwrap(),
                _ => mode("safe"),
            })
        });
        let (words, orders): (Vec<i64>, Vec<Option<i64>>) = throws.unzip();
        let orders: Vec<i64> = orders.into_iter().flatten().collect();
        let latest = orders
            .iter()
            .max()
            .map_or(0, |us| us.max(&0).unsigned_abs());
        let latest = Duration::from_micros(latest);
        assert!(latest < LATEST, "{switch}: {latest:?}");
        println!("{switch}, to the word: {}", shown(words));
        println!(
            "{switch}, to the last order at the venue: {}",
            shown(orders)
        );
    }
    signal(launched.pid(), Signal::SIGINT);
    let outcome = launched.finish();
    outcome.ended_with(0);
    let report = scratch.report();
    assert_eq!(report["reconciled"], true);
    let latency = &report["tick_to_order_ns"];
    println!(
        "tick to order, ns: p50 {}, p99 {}",
        latency["p50"], latency["p99"]
    );
}

/// A pipeline whose venue goes by a clock that is this far ahead.
fn with_clock_ahead(ms: i64) -> Scratch {
    let mut scratch = Scratch::of("demo.toml");
    if let Some(simulator) = &mut scratch.pipeline.simulator {
        simulator.clock_ahead_ms = ms;
    }
    scratch
}

#[test]
fn limit_clock_skew_trips_in_a_pipeline() {
    let _alone = alone();
    // Near enough for the venue to take our signatures: nobody else would notice.
    let scratch = with_clock_ahead(4_000);
    let launched = scratch.launch(&[]);
    scratch.await_ready("kalshi_monitor");
    await_word(&scratch, Mode::Safe, cause::CLOCK_SKEW);
    nothing_is_ordered(&scratch);
    assert_eq!(
        scratch.tell(&["resume"]).status.code(),
        Some(1),
        "a person cannot wave it through"
    );
    signal(launched.pid(), Signal::SIGINT);
    let outcome = launched.finish();
    let report = scratch.report();
    let because = report["safe"][0]["because"][0].as_str().unwrap();
    assert!(
        because.contains("the venue's clock is") && because.contains("ahead of ours"),
        "{report:#}"
    );
    assert!(outcome.errors.contains(because), "{}", outcome.errors);
}

#[test]
fn limit_clock_skew_lets_pass_in_a_pipeline() {
    let _alone = alone();
    let scratch = with_clock_ahead(1_000);
    let launched = scratch.launch(&[]);
    scratch.await_trading();
    orders_flow(&scratch);
    assert!(published(&scratch, "orders") > 0);
    signal(launched.pid(), Signal::SIGINT);
    let outcome = launched.finish();
    outcome.ended_with(0);
    // Signals of before the start was over are dropped as halted, and tell nothing.
    assert_eq!(scratch.report()["safe"].as_array().map(Vec::len), Some(0));
}
