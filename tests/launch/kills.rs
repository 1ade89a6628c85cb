//! The kill matrix: every process of a pipeline that trades, and its Redis, killed at random moments for a
//! given time. The run ends reconciled, and tells how long each process was away.
//!
//! `ARBEES_KILLS_S` is the time in seconds, 20 by default; `scripts/test kills --minutes 10` sets it.
//! `ARBEES_TEST_SEED` repeats the choices of a run.

use super::{alone, restarts::busy, signal};
use ipc::Observer;
use nix::sys::signal::Signal;
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use tests::scratch::{Scratch, await_some};

/// Who dies more often without having run for this long is in a crash loop, which is another test.
const STEADY: Duration = Duration::from_secs(12);
const MOST_IN_A_ROW: u32 = 4;
/// Game seconds after which the last of the generated games may be settled.
const GAME_S: f64 = 4_500.0;

/// When each victim died last, and how often without a pause.
#[derive(Default)]
struct Deaths(HashMap<String, (Option<Instant>, u32, u32)>);

impl Deaths {
    fn may_die(&self, name: &str) -> bool {
        self.0.get(name).is_none_or(|(last, in_a_row, _)| {
            *in_a_row < MOST_IN_A_ROW || last.is_none_or(|last| last.elapsed() >= STEADY)
        })
    }

    fn count(&mut self, name: &str) {
        let (last, in_a_row, all) = self.0.entry(name.to_owned()).or_default();
        let steady = last.is_some_and(|last| last.elapsed() >= STEADY);
        *in_a_row = if steady { 1 } else { *in_a_row + 1 };
        (*last, *all) = (Some(Instant::now()), *all + 1);
    }
}

fn seconds(name: &str, default: u64) -> Duration {
    let asked = std::env::var(name).ok();
    Duration::from_secs(asked.and_then(|text| text.parse().ok()).unwrap_or(default))
}

#[test]
fn everybody_is_killed_at_random_and_the_run_ends_reconciled() {
    let _alone = alone();
    let seed = std::env::var("ARBEES_TEST_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| rand::rng().random());
    let time = seconds("ARBEES_KILLS_S", 20);
    println!("ARBEES_TEST_SEED={seed} for {} s", time.as_secs());
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut scratch = busy();
    if let Some(simulator) = &mut scratch.pipeline.simulator {
        // The games outlast the kills, and what goes before and after.
        let room = time.as_secs_f64() * 1.05 + 60.0;
        simulator.speed = simulator.speed.min(GAME_S / room);
    }
    let launched = scratch.launch(&[]);
    scratch.await_trading();
    let deaths = kill_for(time, &scratch, &mut random);
    for process in &scratch.pipeline.processes {
        scratch.await_ready(&process.name);
    }
    orders_flow_again(&scratch);
    signal(launched.pid(), Signal::SIGINT);
    let outcome = launched.finish();
    let report = scratch.report();
    println!("{}", outcome.output);
    assert_eq!(
        outcome.status.code(),
        Some(0),
        "{}\n{}",
        outcome.errors,
        outcome.output
    );
    assert_eq!(report["reconciled"], true, "{report:#}");
    for process in report["processes"].as_array().unwrap() {
        let name = process["name"].as_str().unwrap();
        let died = deaths.0.get(name).map_or(0, |(.., all)| *all);
        assert_eq!(process["restarts"], died, "{process}");
        // Who dies on its way back comes back once for several deaths.
        let back = process["recovery"]["count"].as_u64().unwrap_or(0);
        let least = u64::from(died > 0);
        assert!((least..=u64::from(died)).contains(&back), "{process}");
    }
    for ring in report["rings"].as_array().unwrap() {
        let lossless = ring["kind"] == "lossless";
        assert!(!lossless || ring["lost"] == 0, "{ring}");
    }
    scratch.await_nobody();
}

/// Kills until the time is up.
fn kill_for(time: Duration, scratch: &Scratch, random: &mut ChaCha8Rng) -> Deaths {
    let names = scratch.pipeline.processes.iter();
    let names = names.map(|process| process.name.as_str());
    let mut victims: Vec<&str> = names.filter(|name| *name != "simulator").collect();
    victims.push("redis-server");
    let mut deaths = Deaths::default();
    let end = Instant::now() + time;
    while Instant::now() < end {
        let mortal: Vec<&str> = victims
            .iter()
            .copied()
            .filter(|name| deaths.may_die(name))
            .collect();
        // From at once to long enough for a successor to be at work.
        std::thread::sleep(Duration::from_millis(random.random_range(0..1_500)));
        let Some(victim) = mortal.choose(random) else {
            continue;
        };
        // Ready or not: some die on their way back.
        let there = || {
            scratch
                .processes()
                .into_iter()
                .find(|(_, name)| name == victim)
        };
        let (pid, _) = await_some(&format!("`{victim}` to live"), there);
        signal(pid, Signal::SIGKILL);
        deaths.count(victim);
        // The next look must not find the same one again.
        await_some("its end", || {
            let alive = scratch.processes();
            (!alive.iter().any(|(other, _)| *other == pid)).then_some(())
        });
    }
    deaths
}

fn orders_flow_again(scratch: &Scratch) {
    let orders = Observer::open(&scratch.pipeline.ring_path("orders")).unwrap();
    let before = orders.statistics().published;
    await_some("orders after the last death", || {
        (orders.statistics().published >= before + 2).then_some(())
    });
}
