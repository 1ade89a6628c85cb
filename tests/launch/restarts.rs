//! `kill -9` of the processes of a pipeline that trades: who dies is started again and goes on where
//! the dead one stopped, and the run ends reconciled.

use super::{alone, number, signal};
use ipc::Observer;
use nix::sys::signal::Signal;
use pipeline::{Pipeline, Venue};
use processes::venue::{
    kalshi_rest::KalshiRest, kalshi_wire::OrderState, signing::Signer, tls::Trust,
};
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::{collections::HashSet, fs, time::Duration};
use tests::scratch::{Scratch, await_some};

/// A demo that sends many small orders, each on its way to the venue for a while: somebody who is
/// killed at any moment is killed in the middle of something.
pub(super) fn busy() -> Scratch {
    let mut scratch = Scratch::of("demo.toml");
    scratch.pipeline.limits.max_order_contracts = 10;
    scratch.pipeline.limits.repeat_ms = 300;
    if let Some(simulator) = &mut scratch.pipeline.simulator {
        simulator.delay_ms = [20.0, 60.0];
    }
    scratch
}

fn orders_of(scratch: &Scratch) -> Observer {
    Observer::open(&scratch.pipeline.ring_path("orders")).unwrap()
}

/// Kills processes while an order is on its way, and waits until their successors are ready and
/// orders flow again.
fn kill_under_load(scratch: &Scratch, orders: &Observer, victims: &[&str]) {
    let pids: Vec<i32> = victims
        .iter()
        .map(|name| scratch.await_ready(name))
        .collect();
    let everybody = |what| pids.iter().for_each(|pid| signal(*pid, what));
    await_some("an order on its way", || {
        // Held while it is looked, so that the order is still on its way when the end comes.
        everybody(Signal::SIGSTOP);
        let statistics = orders.statistics();
        if statistics.position < statistics.published {
            return Some(());
        }
        everybody(Signal::SIGCONT);
        None
    });
    everybody(Signal::SIGKILL);
    for (victim, pid) in victims.iter().zip(&pids) {
        await_some(&format!("a successor of `{victim}`"), || {
            let others = scratch.processes().into_iter();
            let mut others = others.filter(|(other, name)| name == victim && other != pid);
            let ready = scratch.pipeline.run_dir.join(format!("{victim}.ready"));
            others.next().filter(|_| ready.exists())
        });
    }
    let before = orders.statistics().published;
    await_some(&format!("orders after the death of {victims:?}"), || {
        (orders.statistics().published >= before + 2).then_some(())
    });
}

/// Our account at the venue of a running pipeline.
pub(super) fn venue_of(scratch: &Scratch) -> (Venue, Signer, KalshiRest) {
    let pipeline = Pipeline::load(&scratch.pipeline.run_dir.join("pipeline.toml")).unwrap();
    let trust = Trust::load(&pipeline.ca_file).unwrap();
    let venue = pipeline.venue;
    let signer = Signer::load(&venue.key_id, &venue.key_file).unwrap();
    let rest = KalshiRest::new(&venue.rest, signer.clone(), &trust).unwrap();
    (venue, signer, rest)
}

/// Every order that the venue has of us.
fn at_the_venue(scratch: &Scratch) -> Vec<OrderState> {
    let (.., rest) = venue_of(scratch);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // The venue may refuse for a moment: successors ask it for what was on its way.
    await_some("the venue's word", || {
        runtime.block_on(rest.orders(None)).ok()
    })
}

pub(super) fn left_by(scratch: &Scratch, process: &str) -> Value {
    let path = scratch
        .pipeline
        .run_dir
        .join(format!("{process}.report.json"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn whoever_is_killed_under_load_is_started_again_and_nothing_is_lost_or_sent_twice() {
    let _alone = alone();
    let scratch = busy();
    let launched = scratch.launch(&[]);
    scratch.await_trading();
    let orders = orders_of(&scratch);
    let names = scratch.pipeline.processes.iter();
    let names = names.map(|process| process.name.as_str());
    let victims: Vec<&str> = names.filter(|name| *name != "simulator").collect();
    for victim in victims.repeat(2) {
        kill_under_load(&scratch, &orders, &[victim]);
    }
    kill_under_load(&scratch, &orders, &victims);
    let known = at_the_venue(&scratch);
    let published = orders.statistics().published;
    signal(launched.pid(), Signal::SIGINT);
    let outcome = launched.finish();
    let report = scratch.report();
    outcome.ended_with(0);
    for process in report["processes"].as_array().unwrap() {
        let name = process["name"].as_str().unwrap();
        let times = if victims.contains(&name) { 3 } else { 0 };
        assert_eq!(process["restarts"], times, "{process}");
        assert_eq!(process["exit"], "0", "{process}");
    }
    for ring in report["rings"].as_array().unwrap() {
        let lossless = ring["kind"] == "lossless";
        assert!(!lossless || ring["lost"] == 0, "{ring}");
    }
    assert_eq!(report["reconciled"], true, "{report:#}");
    judge_orders(&scratch, &known, published, &report);
    assert_eq!(
        outcome
            .errors
            .matches("ended with signal 9; started again")
            .count(),
        victims.len() * 3,
        "{}",
        outcome.errors
    );
    scratch.await_nobody();
}

/// As above, but random processes at random moments, some while others are still coming back. The seed
/// is printed, and taken from `ARBEES_TEST_SEED` to repeat the choices.
#[test]
fn ten_random_deaths_at_random_moments_end_reconciled() {
    let _alone = alone();
    let seed = std::env::var("ARBEES_TEST_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| rand::rng().random());
    println!("ARBEES_TEST_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let scratch = busy();
    let launched = scratch.launch(&[]);
    scratch.await_trading();
    let orders = orders_of(&scratch);
    let names = scratch.pipeline.processes.iter();
    let names = names.map(|process| process.name.as_str());
    // Each twice at most: who dies six times in a row would end the run.
    let mut victims: Vec<&str> = names.filter(|name| *name != "simulator").collect();
    victims = victims.repeat(2);
    victims.shuffle(&mut random);
    victims.truncate(10);
    for victim in &victims {
        signal(scratch.await_ready(victim), Signal::SIGKILL);
        // From at once to long enough for its successor to be at work.
        std::thread::sleep(Duration::from_millis(random.random_range(0..600)));
    }
    for victim in &victims {
        scratch.await_ready(victim);
    }
    let before = orders.statistics().published;
    await_some("orders after the last death", || {
        (orders.statistics().published >= before + 2).then_some(())
    });
    let known = at_the_venue(&scratch);
    let published = orders.statistics().published;
    signal(launched.pid(), Signal::SIGINT);
    let outcome = launched.finish();
    let report = scratch.report();
    outcome.ended_with(0);
    let restarts = report["processes"].as_array().unwrap().iter();
    let restarts: u64 = restarts.map(|process| number(process, "restarts")).sum();
    assert_eq!(restarts, 10, "{report:#}");
    assert_eq!(report["reconciled"], true, "{report:#}");
    let ids: HashSet<&str> = known
        .iter()
        .map(|order| order.client_order_id.as_str())
        .collect();
    assert!(ids.len() == known.len() && known.len() as u64 <= published);
    scratch.await_nobody();
}

/// Each order is at the venue once at most, has an end that is known, and kept within the limits.
fn judge_orders(scratch: &Scratch, known: &[OrderState], published: u64, report: &Value) {
    let ids: HashSet<&str> = known
        .iter()
        .map(|order| order.client_order_id.as_str())
        .collect();
    assert!(!ids.is_empty() && ids.len() == known.len(), "{known:#?}");
    assert!(known.len() as u64 <= published);
    // Its last life began with what was on its way.
    let placed = left_by(scratch, "execution_service");
    assert!(number(&placed, "resumed") > 0, "{placed:#}");
    assert_eq!(placed["acked"]["unknown"], 0, "{placed:#}");
    assert_eq!(left_by(scratch, "signal_processor")["unanswered"], 0);
    // Had a successor forgotten what was held, it would have bought the limit once more.
    let limit = f64::from(scratch.pipeline.limits.max_market_contracts);
    let held = report["positions"].as_array().unwrap();
    assert!(!held.is_empty(), "{report:#}");
    for position in held {
        let contracts: f64 = position["contracts"].as_str().unwrap().parse().unwrap();
        assert!(contracts.abs() <= limit, "{position}");
    }
}

#[test]
fn the_death_of_the_simulator_ends_in_a_clear_report() {
    let _alone = alone();
    let scratch = Scratch::of("demo.toml");
    let launched = scratch.launch(&[]);
    scratch.await_trading();
    signal(scratch.await_ready("simulator"), Signal::SIGKILL);
    let outcome = launched.finish();
    outcome.ended_with(1);
    let report = scratch.report();
    let told = report["stopped_because"].as_str().unwrap_or_default();
    assert_eq!(told, "`simulator` ended with signal 9", "{report:#}");
    scratch.await_nobody();
    assert!(!scratch.pipeline.rings.exists(), "the rings are gone");
}
