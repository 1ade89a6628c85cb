//! What is known of markets, step by step.

use super::*;
use serde_json::json;

const NOW_MS: u64 = 1_800_000_000_000;

fn listing(market: u32) -> Listing {
    let facts = Facts {
        market,
        game: 5,
        team: 0,
        sport: layouts::Sport::Nfl,
        fee_rate_e4: 700,
        tick_e4: 100,
    };
    Listing {
        facts,
        shard: 0,
        ticker: format!("T-{market}"),
        exchange_index: Some(market),
    }
}

fn record(market: u32, status: &str, close_time: &str) -> MarketRecord {
    let object = json!({"ticker": format!("T-{market}"), "event_ticker": "E", "status": status, "close_time": close_time});
    serde_json::from_value(object).expect("a market")
}

fn exchange(active: bool, trading: bool, shard_one: bool) -> ExchangeStatus {
    let shard = json!({"exchange_index": 1, "exchange_active": true, "trading_active": shard_one});
    let object = json!({"exchange_active": active, "trading_active": trading, "exchange_index_statuses": [shard]});
    serde_json::from_value(object).expect("a status")
}

/// Markets 0 and 1, listed with a status at a venue that trades.
fn listed(status: &str, now: Instant) -> Standings {
    let mut standings = Standings::default();
    for market in [0, 1] {
        standings.add(listing(market), now);
    }
    assert_eq!(standings.news(NOW_MS), [], "nothing is known, and said so");
    standings.on_exchange(exchange(true, true, true));
    let question = standings.question(now, 100).expect("both are due");
    let records = [0, 1].map(|market| record(market, status, ""));
    standings.on_listed(&question, &records, now);
    standings
}

fn news(standings: &mut Standings) -> Vec<(u32, Trading)> {
    let mut news = standings.news(NOW_MS);
    news.sort_unstable_by_key(|(market, _)| *market);
    news
}

#[test]
fn only_a_market_that_is_listed_as_active_trades() {
    let now = Instant::now();
    let both = |trading| [(0, trading), (1, trading)];
    assert_eq!(news(&mut listed("active", now)), both(Trading::Open));
    for status in [
        "initialized",
        "inactive",
        "closed",
        "determined",
        "disputed",
        "amended",
        "finalized",
        "",
    ] {
        let news = news(&mut listed(status, now));
        assert_eq!(news, both(Trading::Closed), "{status}");
    }
}

/// A `deactivated` among lost frames must not leave the market tradable, nor a list from before them open it.
#[test]
fn a_doubt_holds_until_a_list_that_was_asked_for_after_it() {
    let now = Instant::now();
    let mut standings = listed("active", now);
    news(&mut standings);
    let later = now + COPY;
    let before = standings.question(later, 100).expect("looked at again");
    standings.doubt(later);
    assert_eq!(
        news(&mut standings),
        [(0, Trading::Unknown), (1, Trading::Unknown)]
    );
    let active = [0, 1].map(|market| record(market, "active", ""));
    standings.on_listed(&before, &active, later);
    assert_eq!(news(&mut standings), [], "it may be older than the doubt");
    assert_eq!(standings.question(later, 100), None, "not at once");
    let after = standings.question(later + PAUSE, 100).expect("asked anew");
    let one_paused = [record(0, "active", ""), record(1, "inactive", "")];
    standings.on_listed(&after, &one_paused, later + PAUSE);
    assert_eq!(
        news(&mut standings),
        [(0, Trading::Open), (1, Trading::Closed)]
    );
}

/// Lists are copies, seconds old; what the channel tells is newer.
#[test]
fn what_the_channel_tells_outweighs_a_list_and_a_list_is_looked_at_twice() {
    let now = Instant::now();
    let mut standings = listed("active", now);
    standings.tell(0, false);
    assert_eq!(
        news(&mut standings),
        [(0, Trading::Closed), (1, Trading::Open)]
    );
    assert_eq!(standings.question(now + PAUSE, 100), None);
    let again = standings
        .question(now + COPY, 100)
        .expect("looked at again");
    let records = [record(0, "active", ""), record(1, "inactive", "")];
    standings.on_listed(&again, &records, now + COPY);
    assert_eq!(
        news(&mut standings),
        [(1, Trading::Closed)],
        "the copy was old"
    );
    standings.tell(0, true);
    assert_eq!(news(&mut standings), [(0, Trading::Open)]);
    // Its opening has no event, so who does not trade is asked for on and on.
    let opening = standings.question(now + COPY + AGAIN, 100).expect("asked");
    assert_eq!(opening.tickers, ["T-1"]);
    standings.on_listed(&opening, &[], now + COPY + AGAIN);
    assert_eq!(news(&mut standings), [], "no answer says nothing");
    assert!(standings.question(now + 2 * COPY + AGAIN, 100).is_some());
}

#[test]
fn a_market_closes_when_its_time_has_come_and_that_time_moves() {
    let now = Instant::now();
    let mut standings = listed("active", now);
    let again = standings
        .question(now + COPY, 100)
        .expect("looked at again");
    let close = |ms: i64| {
        jiff::Timestamp::from_millisecond(ms)
            .expect("a time")
            .to_string()
    };
    let at = i64::try_from(NOW_MS).expect("small");
    let records = [
        record(0, "active", &close(at)),
        record(1, "active", &close(at + 1)),
    ];
    standings.on_listed(&again, &records, now);
    assert_eq!(
        news(&mut standings),
        [(0, Trading::Closed), (1, Trading::Open)]
    );
    assert_eq!(standings.news(NOW_MS + 1), [(1, Trading::Closed)]);
    standings.tell_close(0, at / 1_000 + 60);
    standings.tell_close(1, at / 1_000);
    assert_eq!(
        news(&mut standings),
        [(0, Trading::Open)],
        "moved, both ways"
    );
}

#[test]
fn nothing_trades_while_the_venue_or_the_market_s_shard_does_not() {
    let mut standings = listed("active", Instant::now());
    assert_eq!(news(&mut standings).len(), 2);
    standings.on_exchange(exchange(true, true, false));
    assert_eq!(news(&mut standings), [(1, Trading::Closed)]);
    for (active, trading) in [(true, false), (false, true)] {
        standings.on_exchange(exchange(active, trading, true));
        assert_eq!(news(&mut standings), [(0, Trading::Closed)]);
        standings.on_exchange(exchange(true, true, true));
        assert_eq!(
            news(&mut standings),
            [(0, Trading::Open), (1, Trading::Open)]
        );
        standings.on_exchange(exchange(true, true, false));
        news(&mut standings);
    }
    // Of a shard of which nothing is said.
    let moved = Listing {
        exchange_index: Some(2),
        ..listing(1)
    };
    standings.add(moved, Instant::now());
    assert_eq!(news(&mut standings), [(1, Trading::Open)]);
    let mut unasked = Standings::default();
    unasked.add(listing(0), Instant::now());
    unasked.tell(0, true);
    assert_eq!(
        unasked.news(NOW_MS),
        [],
        "nobody has told whether the venue trades"
    );
}

#[test]
fn a_decided_market_stays_closed_through_doubts() {
    let mut standings = listed("active", Instant::now());
    news(&mut standings);
    standings.set_over(0, true);
    assert_eq!(news(&mut standings), [(0, Trading::Closed)]);
    standings.doubt(Instant::now());
    assert_eq!(news(&mut standings), [(1, Trading::Unknown)]);
}

#[test]
fn new_price_steps_are_told_once() {
    let mut standings = listed("active", Instant::now());
    let ranges: Vec<PriceRange> = serde_json::from_value(json!([
        {"start": "0.0000", "end": "0.1000", "step": "0.0010"},
        {"start": "0.1000", "end": "1.0000", "step": "0.0050"},
    ]))
    .expect("ranges");
    assert_eq!(standings.on_steps(0, &[]), None);
    let told = standings.on_steps(0, &ranges).expect("news");
    assert_eq!((told.facts.tick_e4, told.ticker.as_str()), (50, "T-0"));
    assert_eq!(standings.on_steps(0, &ranges), None);
}
