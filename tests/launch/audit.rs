//! The account is compared with our books while they are traded with: who else trades with it halts us.

use super::{
    alone,
    restarts::venue_of,
    safety::{await_word, block_on, nothing_is_ordered},
    signal,
};
use layouts::{Mode, Side, control::cause};
use nix::sys::signal::Signal;
use processes::venue::{kalshi_rest::NewOrder, last_look::LastLook};
use tests::scratch::{Scratch, await_some};

/// Buys one contract in some market, past the pipeline; returns the market.
fn buy_by_hand(scratch: &Scratch) -> String {
    let (.., rest) = venue_of(scratch);
    let known = await_some("orders at the venue", || {
        let known = block_on(rest.orders(None)).ok()?;
        (!known.is_empty()).then_some(known)
    });
    let mut attempt = 0;
    // Some of the markets may be closed by now, or offer nothing.
    await_some("a trade by hand", || {
        known.iter().rev().find_map(|order| {
            attempt += 1;
            let by_hand = NewOrder {
                ticker: &order.ticker,
                client_order_id: &format!("by-hand-{attempt}"),
                side: Side::Bid,
                count_centi: 100,
                price_e4: 9_900,
                exchange_index: Some(0),
                order_group_id: None,
            };
            let placed = block_on(rest.create_order(&by_hand, &LastLook::new(|_| true))).ok()?;
            (placed.filled_centi == 100).then(|| order.ticker.clone())
        })
    })
}

#[test]
fn a_trade_that_is_not_ours_halts_trading_and_is_named() {
    let _alone = alone();
    let mut scratch = Scratch::of("demo.toml");
    scratch.pipeline.safety.audit_every_s = 1;
    let launched = scratch.launch(&[]);
    scratch.await_trading();
    let market = buy_by_hand(&scratch);
    await_word(&scratch, Mode::Safe, cause::BOOKS_DIFFER);
    nothing_is_ordered(&scratch);
    signal(launched.pid(), Signal::SIGINT);
    let outcome = launched.finish();
    let report = scratch.report();
    // Nobody has explained the trade: the books are as wrong at the end.
    outcome.ended_with(1);
    assert_eq!(report["reconciled"], false, "{report:#}");
    let times = report["safe"].as_array().unwrap().iter();
    let reasons = times.flat_map(|time| time["because"].as_array().unwrap());
    let reasons: Vec<&str> = reasons.filter_map(|reason| reason.as_str()).collect();
    let told = |what: &str| reasons.iter().any(|reason| reason.contains(what));
    // Its game may have been over by then.
    assert!(
        told(&format!("position of {market}: ours"))
            || told(&format!("settlement of {market}: we held")),
        "{market} in {report:#}"
    );
    assert!(report["audits"]["looks"].as_u64() >= Some(10), "{report:#}");
    assert!(
        report["audits"]["in_doubt"].as_u64() >= Some(10),
        "{report:#}"
    );
    assert!(
        outcome.errors.contains("SAFE STATE")
            && outcome
                .errors
                .contains("the account is not as our books say"),
        "{}",
        outcome.errors
    );
}
