//! Generated and recorded games, and what the feed shows of them.

use super::outside::{Outside, assert_shape, recorded, recorded_json};
use crate::sim::Exchange;
use crate::sim::feed::document;
use crate::sim::game::League;
use crate::sim::generated::Generated;
use crate::sim::recorded::Recorded;
use crate::sim::records::Happening;
use crate::sim::times::now_us;
use crate::sim::world::World as _;
use serde_json::{Value, json};

#[tokio::test]
async fn scoreboards_are_conditional_and_live_ones_have_the_recorded_types() {
    let outside = Outside::open(12, true).await;
    let url = |path: &str| {
        format!(
            "http://{}/apis/site/v2/sports/{path}/scoreboard",
            outside.feed
        )
    };
    let first = outside
        .http
        .get(url("football/college-football"))
        .send()
        .await
        .expect("answer");
    let tag = first
        .headers()
        .get("etag")
        .and_then(|tag| tag.to_str().ok())
        .expect("tag")
        .to_string();
    assert!(first.headers().contains_key("cache-control"));
    let again = outside
        .http
        .get(url("football/college-football"))
        .header("If-None-Match", tag)
        .send()
        .await
        .expect("answer");
    assert_eq!(again.status().as_u16(), 304);
    assert_eq!(
        outside
            .http
            .get(url("curling/world"))
            .send()
            .await
            .expect("answer")
            .status()
            .as_u16(),
        400
    );
    for league in League::ALL {
        let body: Value = outside
            .http
            .get(url(league.path()))
            .send()
            .await
            .expect("answer")
            .json()
            .await
            .expect("JSON");
        assert_eq!(
            body["events"].as_array().map(Vec::len),
            Some(2),
            "{league:?}"
        );
    }
    let none: Value = outside
        .http
        .get(format!("{}?dates=19990101", url("football/nfl")))
        .send()
        .await
        .expect("answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(none["events"], json!([]));
}

/// The recorded live games against ours of the same sport, field by field.
#[test]
fn feed_documents_have_the_types_of_the_recorded_ones() {
    let mut exchange = Exchange::new("run");
    let mut world = Generated::new(3, 12, 1.0, &mut exchange, now_us());
    world.advance(0.05, &mut exchange, now_us());
    let cases = [
        (
            League::Nfl,
            "nfl_2025-12-07T185945Z_8live",
            vec![
                "isRedZone",
                "downDistanceText",
                "shortDownDistanceText",
                "possessionText",
                "possession",
            ],
        ),
        (League::Nhl, "ha_teamtracker_nhl_2022-09_live", vec![]),
        (
            League::Mlb,
            "ha_teamtracker_mlb_2022-09_live",
            vec!["pitcher", "batter", "dueUp"],
        ),
    ];
    for (league, file, optional) in cases {
        let live = |document: &Value| {
            document["events"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|event| event["status"]["type"]["state"] == "in")
                .cloned()
        };
        let ours = live(&document(league, &world.games(), None)).expect("a live game");
        let Some(theirs) = recorded_json(&format!("espn_scoreboard/{file}.json")) else {
            return;
        };
        let theirs = live(&theirs).expect("a live game");
        compare_games(league, &theirs, &ours, optional);
    }
}

/// One recorded live game against one of ours; `optional` may be absent from a situation.
fn compare_games(league: League, theirs: &Value, ours: &Value, optional: Vec<&str>) {
    assert_shape("event", theirs, ours, &["week", "links", "weather"]);
    assert_shape(
        "status",
        &theirs["status"],
        &ours["status"],
        &["isTBDFlex", "featuredAthletes"],
    );
    assert_shape(
        "status type",
        &theirs["status"]["type"],
        &ours["status"]["type"],
        &[],
    );
    let (theirs, ours) = (&theirs["competitions"][0], &ours["competitions"][0]);
    let (competitor, own) = (&theirs["competitors"][0], &ours["competitors"][0]);
    assert_shape(
        "competitor",
        competitor,
        own,
        &[
            "linescores",
            "leaders",
            "hits",
            "errors",
            "probables",
            "curatedRank",
        ],
    );
    assert_shape(
        "team",
        &competitor["team"],
        &own["team"],
        &["links", "logo", "color", "alternateColor", "venue"],
    );
    let mut left_out = optional;
    left_out.extend(["lastPlay", "$ref"]);
    assert_shape(
        "situation",
        &theirs["situation"],
        &ours["situation"],
        &left_out,
    );
    if league == League::Nfl {
        let (play, own) = (
            &theirs["situation"]["lastPlay"],
            &ours["situation"]["lastPlay"],
        );
        assert_shape(
            "last play",
            play,
            own,
            &["drive", "start", "end", "statYardage", "athletesInvolved"],
        );
        assert_shape(
            "probability",
            &play["probability"],
            &own["probability"],
            &[],
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_games_and_the_same_tape() {
    let run = |seed: u64, looks: u32| {
        let mut exchange = Exchange::new("run");
        let now = 1_781_159_348_000_000;
        let mut world = Generated::new(seed, 6, 30.0, &mut exchange, now);
        for look in 1..=looks {
            world.advance(5.0 * f64::from(look) / f64::from(looks), &mut exchange, now);
        }
        let trades: Vec<_> = exchange
            .tape()
            .iter()
            .map(|trade| (trade.market, trade.price_e4, trade.count_centi))
            .collect();
        let states: Vec<_> = world
            .games()
            .iter()
            .map(|game| (game.fixture.id, game.state.score, game.state.plays))
            .collect();
        (trades, states)
    };
    assert_eq!(run(5, 1), run(5, 250));
    assert!(!run(5, 1).0.is_empty());
    assert_ne!(run(5, 1), run(6, 1));
}

#[test]
fn a_demo_has_tens_of_thousands_of_changes_bursts_arbitrage_and_settlements() {
    let mut exchange = Exchange::new("run");
    let mut world = Generated::new(2_026, 6, 30.0, &mut exchange, now_us());
    exchange.happenings();
    let (mut deltas, mut worst, mut arbitrages) = (0, 0, 0);
    for second in 0..30 {
        let mut in_second = 0;
        for step in 0..100 {
            world.advance(
                f64::from(second) + f64::from(step + 1) / 100.0,
                &mut exchange,
                now_us(),
            );
            in_second += exchange
                .happenings()
                .iter()
                .filter(|one| matches!(one, Happening::Delta { .. }))
                .count();
            arbitrages += usize::from(
                exchange
                    .events()
                    .iter()
                    .any(|event| is_arbitrage(&exchange, event.markets)),
            );
        }
        deltas += in_second;
        worst = worst.max(in_second);
    }
    println!(
        "{deltas} changes, {worst} in the worst second, arbitrage in {arbitrages} of 3000 steps, {} settled",
        world.settled()
    );
    assert!(deltas > 18_000 && worst > deltas / 30 + 350 && arbitrages > 20);
    assert!(world.settled() >= 1);
}

/// Whether both YES together cost less than the dollar that one of them pays, after fees.
fn is_arbitrage(exchange: &Exchange, markets: [usize; 2]) -> bool {
    let offers = markets.map(|market| {
        exchange.markets()[market]
            .book
            .best(layouts::Side::Ask)
            .map(|(price, _)| price)
    });
    let rates = exchange.markets()[markets[0]].fees;
    match offers {
        [Some(one), Some(two)] => {
            let fees: i64 = [one, two]
                .map(|price| rates.taker_micros(price, 100))
                .iter()
                .sum();
            (i64::from(one) + i64::from(two)) * 100 + fees < 1_000_000
        }
        _ => false,
    }
}

#[test]
fn recorded_games_play_to_their_real_results() {
    let Some(file) = recorded("pbp_wp/mlb_2026-06_kalshi_minute_prices_vs_game_state.csv.gz")
    else {
        return;
    };
    let mut exchange = Exchange::new("run");
    let mut world = Recorded::open(&file, 5, 600.0, &mut exchange, now_us()).expect("record");
    let first = world.games().remove(0);
    assert_eq!(exchange.events()[0].ticker, "KXMLBGAME-26JUN281335CINPIT");
    assert_eq!(
        (
            first.fixture.id,
            first.fixture.home.code,
            first.fixture.away.code
        ),
        (823_362, "PIT", "CIN")
    );
    let book = |exchange: &Exchange| {
        exchange.markets()[0]
            .book
            .best(layouts::Side::Bid)
            .zip(exchange.markets()[0].book.best(layouts::Side::Ask))
    };
    // 17:39:00, the first minute of the record, is 113 s after the start of the stretch.
    world.advance(0.19, &mut exchange, now_us());
    let touch = book(&exchange).map(|((bid, size), (ask, _))| (bid, ask, size));
    assert_eq!(touch, Some((5_600, 5_700, 16_700)));
    let away = exchange.markets()[1]
        .book
        .best(layouts::Side::Bid)
        .map(|(price, _)| price);
    assert_eq!(away, Some(4_300));
    let mut at = 0.0;
    while world.settled() < 5 && at < 200.0 {
        at += 0.05;
        world.advance(at, &mut exchange, now_us());
    }
    assert_eq!(world.settled(), 5);
    let results: Vec<_> = exchange
        .markets()
        .iter()
        .map(|market| market.life.result())
        .collect();
    assert_eq!(
        results,
        [
            "yes", "no", "no", "yes", "no", "yes", "yes", "no", "no", "yes"
        ]
    );
    for game in world.games() {
        let winner = usize::from(game.state.home_win < 0.5);
        assert!(
            game.state.score[winner] > game.state.score[1 - winner],
            "{:?}",
            game.state.score
        );
    }
}
