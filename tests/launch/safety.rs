//! The safe state: what puts a pipeline that trades into it, what it means at the venue, and the way back.

use super::{
    alone,
    restarts::{left_by, venue_of},
    signal,
};
use ipc::{BoardReader, Observer, Row};
use layouts::{
    Control, Mode, Order,
    control::{ROW, cause},
};
use nix::sys::signal::Signal;
use processes::{cold::redis::Cold, venue::tls::Trust};
use serde_json::{Value, json};
use std::{collections::HashMap, fs, future::Future};
use tests::scratch::{Scratch, await_some};

pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

pub(super) fn published(scratch: &Scratch, ring: &str) -> u64 {
    let ring = Observer::open(&scratch.pipeline.ring_path(ring)).unwrap();
    ring.statistics().published
}

fn signals(scratch: &Scratch) -> u64 {
    published(scratch, "signals.0") + published(scratch, "signals.1")
}

/// Waits until the launcher's word is of this mode and these causes.
pub(super) fn await_word(scratch: &Scratch, mode: Mode, causes: u8) -> Row<Control> {
    let board = BoardReader::<Control>::open(&scratch.pipeline.control_path()).unwrap();
    await_some(&format!("{mode:?} because of {causes}"), || {
        // A word that is being written just now is read at the next look.
        let word = board.read(ROW).ok().flatten()?;
        (word.value.mode() == mode && word.value.causes == causes).then_some(word)
    })
}

/// Signals go on, and no order comes of them.
pub(super) fn nothing_is_ordered(scratch: &Scratch) {
    let heard = signals(scratch);
    // One that was raised after the word: whoever takes it has heard the word.
    await_some("a signal in the safe state", || {
        (signals(scratch) > heard).then_some(())
    });
    let orders = published(scratch, "orders");
    let heard = signals(scratch);
    await_some("signals in the safe state", || {
        (signals(scratch) >= heard + 3).then_some(())
    });
    assert_eq!(published(scratch, "orders"), orders);
}

pub(super) fn orders_flow(scratch: &Scratch) {
    let before = published(scratch, "orders");
    await_some("orders", || {
        (published(scratch, "orders") > before).then_some(())
    });
}

/// Puts an order that rests into some market, past the pipeline; returns its id at the venue.
fn rest_an_order(scratch: &Scratch, name: &str) -> String {
    let (venue, signer, rest) = venue_of(scratch);
    let known = await_some("orders at the venue", || {
        let known = block_on(rest.orders(None)).ok()?;
        (!known.is_empty()).then_some(known)
    });
    let place = async |ticker: &str| {
        let url = format!("{}/portfolio/events/orders", venue.rest);
        let path = url.find("/trade-api").map(|at| &url[at..]).unwrap();
        let signature = signer.sign_now("POST", path).unwrap();
        let order = json!({
            "ticker": ticker, "client_order_id": name, "side": "bid", "count": "1.00", "price": "0.0100",
            "time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross",
        });
        let client = Trust::none().http(&url).unwrap().build().unwrap();
        let request = client.post(&url).json(&order);
        let headers = signature.headers().into_iter();
        let request = headers.fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        request.send().await.ok()?.json::<Value>().await.ok()
    };
    // Some of the markets may be closed by now.
    await_some("an order that rests", || {
        known.iter().rev().find_map(|order| {
            let answer = block_on(place(&order.ticker))?;
            answer["order_id"].as_str().map(str::to_owned)
        })
    })
}

fn status_at_the_venue(scratch: &Scratch, id: &str) -> Option<String> {
    let (.., rest) = venue_of(scratch);
    let orders = block_on(rest.orders(None)).ok()?;
    let order = orders.into_iter().find(|order| order.order_id == id)?;
    Some(order.status)
}

pub(super) fn cold(scratch: &Scratch) -> Cold {
    let socket = scratch.pipeline.run_dir.join("redis.sock");
    Cold::connect(
        &format!("redis+unix://{}", socket.display()),
        &scratch.pipeline.name,
    )
}

fn registry(scratch: &Scratch) -> HashMap<String, String> {
    block_on(cold(scratch).hash_get_all("registry")).unwrap_or_default()
}

pub(super) fn ask(scratch: &Scratch, field: &str, value: &str) {
    await_some("redis to take it", || {
        block_on(cold(scratch).hash_put("config", field, value, None)).ok()
    });
}

#[test]
fn every_switch_halts_trading_clears_the_venue_and_can_be_thrown_back() {
    let _alone = alone();
    let scratch = super::restarts::busy();
    let launched = scratch.launch(&[]);
    scratch.await_trading();
    for switch in ["signal", "file", "redis"] {
        let resting = rest_an_order(&scratch, switch);
        match switch {
            "signal" => signal(launched.pid(), Signal::SIGUSR1),
            "file" => scratch.tell(&["safe"]).ended_with(0),
            _ => ask(&scratch, "mode", "safe"),
        }
        await_word(&scratch, Mode::Safe, cause::OPERATOR);
        await_some("the venue to cancel what rests", || {
            (status_at_the_venue(&scratch, &resting)? == "canceled").then_some(())
        });
        nothing_is_ordered(&scratch);
        await_some("the state in Redis", || {
            let state = registry(&scratch).remove("state")?;
            state.contains(r#""mode":"safe""#).then_some(())
        });
        if switch == "redis" {
            let still = scratch.tell(&["resume"]);
            still.ended_with(1);
            assert!(still.output.contains("config in Redis"), "{}", still.output);
            ask(&scratch, "mode", "trade");
        } else {
            let resumed = scratch.tell(&["resume"]);
            resumed.ended_with(0);
        }
        await_word(&scratch, Mode::Trade, 0);
        orders_flow(&scratch);
    }
    signal(launched.pid(), Signal::SIGINT);
    let outcome = launched.finish();
    let report = scratch.report();
    outcome.ended_with(0);
    let safe = report["safe"].as_array().unwrap();
    assert_eq!(safe.len(), 3, "{report:#}");
    for (time, because) in safe.iter().zip(["SIGUSR1", "file `safe`", "Redis"]) {
        assert!(time["seconds"].as_f64().unwrap() > 0.0, "{time}");
        let told = time["because"][0].as_str().unwrap();
        assert!(told.contains(because), "{told}");
    }
    // A start is safe until Redis has been asked: what a predecessor left resting may be cancelled then.
    let cleared = left_by(&scratch, "execution_service")["cleared"].as_u64();
    assert!(matches!(cleared, Some(3 | 4)), "{cleared:?}");
    assert!(left_by(&scratch, "signal_processor")["halted"].as_u64() > Some(0));
    assert_eq!(outcome.errors.matches("SAFE STATE").count(), 3);
    assert_eq!(outcome.errors.matches("TRADING AGAIN").count(), 3);
}

#[test]
fn a_lost_feed_halts_trading_until_it_is_back() {
    let _alone = alone();
    let mut scratch = Scratch::of("demo.toml");
    scratch.pipeline.safety.max_price_silence_ms = 1_500;
    scratch.pipeline.safety.max_game_silence_ms = 4_000;
    let launched = scratch.launch(&[]);
    scratch.await_trading();
    for (process, lost) in [
        ("kalshi_monitor", cause::PRICES_LOST),
        ("orchestrator", cause::GAMES_LOST),
    ] {
        let pid = scratch.await_ready(process);
        signal(pid, Signal::SIGSTOP);
        await_word(&scratch, Mode::Safe, lost);
        signal(pid, Signal::SIGCONT);
        await_word(&scratch, Mode::Trade, 0);
        orders_flow(&scratch);
    }
    signal(launched.pid(), Signal::SIGINT);
    let outcome = launched.finish();
    let report = scratch.report();
    outcome.ended_with(0);
    assert_eq!(report["safe"].as_array().unwrap().len(), 2, "{report:#}");
}

#[test]
fn a_crash_loop_halts_trading_the_rest_goes_on_and_a_person_resumes() {
    let _alone = alone();
    let scratch = Scratch::of("demo.toml");
    let launched = scratch.launch(&[]);
    scratch.await_trading();
    let key = scratch.pipeline.run_dir.join("venue.key");
    let kept = scratch.path().join("venue.key");
    fs::rename(&key, &kept).unwrap();
    signal(scratch.await_ready("execution_service"), Signal::SIGKILL);
    await_word(&scratch, Mode::Safe, cause::CRASH_LOOP);
    nothing_is_ordered(&scratch);
    let ticks = published(&scratch, "prices.0");
    await_some("prices in the crash loop", || {
        (published(&scratch, "prices.0") > ticks).then_some(())
    });
    fs::rename(&kept, &key).unwrap();
    scratch.await_ready("execution_service");
    // It lives again; why it died nobody has looked at yet.
    await_word(&scratch, Mode::Safe, cause::CRASH_LOOP);
    let resumed = scratch.tell(&["resume"]);
    resumed.ended_with(0);
    orders_flow(&scratch);
    signal(launched.pid(), Signal::SIGINT);
    let outcome = launched.finish();
    let report = scratch.report();
    outcome.ended_with(0);
    assert!(
        outcome
            .errors
            .contains("`execution_service` cannot be kept alive: it ended 6 times in a row"),
        "{}",
        outcome.errors
    );
    assert!(
        outcome.errors.contains("venue.key"),
        "its last words: {}",
        outcome.errors
    );
    let logs = scratch.tell(&["logs", "launcher", "execution_service"]);
    let lines: Vec<&str> = logs.output.lines().collect();
    let at = |name: &str, part: &str| {
        let mut lines = lines.iter();
        lines.position(|line| line.starts_with(name) && line.contains(part))
    };
    let (death, back) = (
        at("execution_service", "venue.key"),
        at("launcher", "TRADING AGAIN"),
    );
    assert!(death.is_some() && death < back, "{}", logs.output);
    assert!(at("kalshi_monitor", "").is_none());
    assert_eq!(report["reconciled"], true, "{report:#}");
}

#[test]
fn limits_change_while_trading_and_wrong_ones_are_refused() {
    let _alone = alone();
    let scratch = Scratch::of("demo.toml");
    let launched = scratch.launch(&[]);
    scratch.await_trading();
    ask(&scratch, "max_order_contracts", "2");
    let board = BoardReader::<Control>::open(&scratch.pipeline.control_path()).unwrap();
    let contracts = || Some(board.read(ROW).ok().flatten()?.value.max_order_contracts);
    await_some("the new limit", || (contracts() == Some(2)).then_some(()));
    orders_flow(&scratch);
    // Who takes over finds the limits that are in force, not those of the file.
    signal(scratch.await_ready("signal_processor"), Signal::SIGKILL);
    let from = published(&scratch, "orders");
    await_some("orders after a death", || {
        (published(&scratch, "orders") >= from + 3).then_some(())
    });
    let ring = Observer::open(&scratch.pipeline.ring_path("orders")).unwrap();
    for sequence in from..published(&scratch, "orders") {
        if let Some(order) = ring.read::<Order>(sequence).unwrap() {
            assert!(order.count_centi <= 200, "{order:?}");
        }
    }
    ask(&scratch, "max_order_contracts", "0");
    ask(&scratch, "max_game_dollars", "100");
    let limits = await_some("the refusal in the registry", || {
        let limits = registry(&scratch).remove("limits")?;
        limits.contains("max_order_contracts = 0").then_some(limits)
    });
    let limits: Value = serde_json::from_str(&limits).unwrap();
    let in_force = &limits["in_force"];
    assert_eq!(in_force["max_order_contracts"], 2, "{limits}");
    // Refused as a whole: half of a change may be worse than none.
    assert_eq!(in_force["max_game_dollars"], 400, "{limits}");
    assert_eq!(await_some("the limit on the board", contracts), 2);
    signal(launched.pid(), Signal::SIGINT);
    let outcome = launched.finish();
    outcome.ended_with(0);
    assert!(
        outcome
            .errors
            .contains("the config in Redis is refused, the limits stay as they were"),
        "{}",
        outcome.errors
    );
}
