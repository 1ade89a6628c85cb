//! What the trading day has gained or lost is known to the micro-dollar, whoever died meanwhile; and an account that
//! the day has emptied.

use super::{alone, restarts::left_by, safety::block_on, safety::cold, signal};
use nix::sys::signal::Signal;
use serde_json::Value;
use tests::scratch::{Scratch, await_some};

/// Whether a market that was traded is settled, and booked as such.
fn is_anything_settled(scratch: &Scratch) -> bool {
    let positions = block_on(cold(scratch).hash_get_all("positions")).unwrap_or_default();
    positions.values().any(|position| {
        let position: Value = serde_json::from_str(position).unwrap();
        position["settled_e4"].is_u64() && position["cash_micros"] != 0
    })
}

#[test]
fn a_death_in_the_middle_of_the_day_forgets_nothing_of_its_result() {
    let _alone = alone();
    let mut scratch = Scratch::of("demo.toml");
    if let Some(simulator) = &mut scratch.pipeline.simulator {
        // All games are over within half a minute.
        simulator.speed = 300.0;
    }
    let launched = scratch.launch(&[]);
    await_some("a settlement", || {
        is_anything_settled(&scratch).then_some(())
    });
    let victim = scratch.await_ready("signal_processor");
    signal(victim, Signal::SIGKILL);
    let outcome = launched.finish();
    let report = scratch.report();
    outcome.ended_with(0);
    assert_eq!(report["stopped_because"], "all games are settled");
    let (risk, books) = (
        left_by(&scratch, "signal_processor"),
        left_by(&scratch, "position_tracker"),
    );
    assert_eq!(risk["at_stake_micros"], 0, "{risk:#}");
    assert_eq!(
        risk["result_today_micros"], books["pnl_micros"],
        "{risk:#}\n{books:#}"
    );
}

/// The venue keeps little money of ours: who goes on ordering leaves one leg of a pair after the other.
#[test]
fn an_account_that_is_empty_is_soon_asked_for_nothing_more() {
    let _alone = alone();
    let mut scratch = super::restarts::busy();
    if let Some(simulator) = &mut scratch.pipeline.simulator {
        simulator.balance_dollars = 4;
    }
    let outcome = scratch.launch(&["--for", "20s"]).finish();
    outcome.ended_with(0);
    assert_eq!(scratch.report()["reconciled"], true);
    let (risk, orders) = (
        left_by(&scratch, "signal_processor"),
        left_by(&scratch, "execution_service"),
    );
    let refused = orders["rejected_by"]["insufficient_balance"]
        .as_u64()
        .unwrap();
    println!(
        "{refused} refused, {} dropped, orders {}",
        risk["short_of_cash"], risk["orders"]
    );
    // At most both legs in each sport, and what is on its way by then.
    assert!((1..=24).contains(&refused), "{orders:#}");
    assert!(
        risk["short_of_cash"].as_u64() > Some(10 * refused),
        "{risk:#}"
    );
}
