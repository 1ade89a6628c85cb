//! The launcher and all of its processes die at random moments, with orders on their way to a slow venue, and the rings are
//! gone as after a reboot: what they did is booked at the next start, and the books agree in every line.

use super::{
    super::{alone, signal},
    BRIEFLY, LIVE, agrees,
    world::{KeyKind, World},
};
use ipc::Observer;
use nix::sys::signal::Signal;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{collections::HashSet, fs};
use tests::scratch::{Launched, Scratch, await_some};

/// Deaths, each with a launch before it and one after it.
const DEATHS: u32 = 3;

#[test]
fn whatever_a_killed_live_run_did_is_booked_at_the_next_start_and_nothing_is_sent_twice() {
    let _alone = alone();
    let seed = std::env::var("ARBEES_TEST_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| rand::rng().random());
    println!("ARBEES_TEST_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let world = World::new(KeyKind::Ed25519, |simulator| {
        simulator.delay_ms = [40.0, 120.0];
        // The games outlast all launches.
        simulator.speed = 10.0;
    });
    let mut scratch = world.pipeline();
    // Many small orders: at any moment some are on their way.
    scratch.pipeline.limits.max_order_contracts = 10;
    scratch.pipeline.limits.repeat_ms = 300;
    let mut adopted = 0;
    for death in 0..DEATHS {
        let launched = scratch.launch(&LIVE);
        scratch.await_trading();
        world.no_secret_in(&[&scratch.pipeline.run_dir, &scratch.pipeline.ring_dir()]);
        kill_with_orders_in_flight(&scratch, launched, &mut random, death == 0);
        scratch.await_nobody();
        fs::remove_dir_all(scratch.pipeline.ring_dir()).unwrap();
        let outcome = agrees(&scratch, &BRIEFLY);
        adopted += fills_adopted(&outcome.errors);
        // It ended by itself, so its own books need nothing more.
        assert_eq!(fills_adopted(&agrees(&scratch, &BRIEFLY).errors), 0);
    }
    assert!(adopted > 0, "nothing was lost in {DEATHS} deaths");
    let orders = world.orders();
    let ids: HashSet<&str> = orders
        .iter()
        .map(|order| order.client_order_id.as_str())
        .collect();
    assert_eq!(ids.len(), orders.len(), "an order was sent twice");
}

/// At some moment of its choice with an order on its way. `unbooked`: and with a fill that was not booked, so that there is
/// something to adopt for certain.
fn kill_with_orders_in_flight(
    scratch: &Scratch,
    launched: Launched,
    random: &mut ChaCha8Rng,
    unbooked: bool,
) {
    let ring = |name: &str| Observer::open(&scratch.pipeline.ring_path(name)).unwrap();
    let (orders, fills) = (ring("orders"), ring("fills"));
    if unbooked {
        signal(scratch.await_ready("position_tracker"), Signal::SIGSTOP);
        await_some("a fill that is not booked", || {
            let statistics = fills.statistics();
            (statistics.position < statistics.published).then_some(())
        });
    }
    let some = orders.statistics().published + random.random_range(1..10);
    await_some("more orders", || {
        (orders.statistics().published >= some).then_some(())
    });
    let execution = scratch.await_ready("execution_service");
    await_some("an order on its way", || {
        // Held while it is looked, so that the order is still on its way when the end comes.
        signal(execution, Signal::SIGSTOP);
        let statistics = orders.statistics();
        if statistics.position < statistics.published {
            return Some(());
        }
        signal(execution, Signal::SIGCONT);
        None
    });
    signal(launched.pid(), Signal::SIGKILL);
    let _ = launched.finish();
}

fn fills_adopted(told: &str) -> u32 {
    let Some((before, _)) = told.split_once(" fills of ours booked only now") else {
        return 0;
    };
    before.rsplit(' ').next().unwrap().parse().unwrap()
}
