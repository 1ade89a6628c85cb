//! While nobody keeps the prices true, nothing is traded on them: the monitor is stopped, then killed.

use super::{alone, number, restarts::busy, signal};
use ipc::Observer;
use nix::sys::signal::Signal;
use std::fs;
use tests::scratch::{Scratch, await_some};

const SHARDS: [u8; 2] = [0, 1];

/// Messages that the rings of all shards have seen: published and consumed.
fn flow(scratch: &Scratch, ring: &str) -> (u64, u64) {
    let of = |shard| {
        let path = scratch.pipeline.ring_path(&format!("{ring}.{shard}"));
        Observer::open(&path).unwrap().statistics()
    };
    let all = SHARDS.map(of);
    (
        all.iter().map(|one| one.published).sum(),
        all.iter().map(|one| one.consumed).sum(),
    )
}

/// Waits until every shard has said `count` times that it trades on no price.
fn await_distrust(scratch: &Scratch, count: usize) {
    for shard in SHARDS {
        let log = scratch.pipeline.run_dir.join("logs");
        let log = log.join(format!("game_shard.{shard}.log"));
        await_some(&format!("shard {shard} to distrust its prices"), || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            (text.matches("none is traded on").count() == count).then_some(())
        });
    }
}

fn await_signals(scratch: &Scratch, after: u64) {
    await_some("signals again", || {
        (flow(scratch, "signals").0 > after).then_some(())
    });
}

#[test]
fn nothing_is_traded_on_the_prices_of_a_silent_or_dead_monitor() {
    let _alone = alone();
    let scratch = busy();
    let launched = scratch.launch(&[]);
    scratch.await_trading();
    let monitor = scratch.await_ready("kalshi_monitor");
    signal(monitor, Signal::SIGSTOP);
    await_distrust(&scratch, 1);
    let (signals, states) = (flow(&scratch, "signals").0, flow(&scratch, "games").1);
    // Game states go on, and each is judged against the prices that are known.
    await_some("states of games", || {
        (flow(&scratch, "games").1 >= states + 20).then_some(())
    });
    assert_eq!(flow(&scratch, "signals").0, signals, "on old prices");
    signal(monitor, Signal::SIGCONT);
    await_signals(&scratch, signals);
    signal(monitor, Signal::SIGKILL);
    await_distrust(&scratch, 2);
    await_signals(&scratch, flow(&scratch, "signals").0);
    signal(launched.pid(), Signal::SIGINT);
    let outcome = launched.finish();
    let report = scratch.report();
    outcome.ended_with(0);
    assert_eq!(report["reconciled"], true, "{report:#}");
    for shard in SHARDS {
        let figures = super::restarts::left_by(&scratch, &format!("game_shard.{shard}"));
        assert!(number(&figures, "price_losses") >= 2, "{figures:#}");
    }
    scratch.await_nobody();
}
