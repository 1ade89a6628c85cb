//! The skill of the models on recorded games, where those are at hand.

use bytemuck::Zeroable;
use layouts::{GameState, Half, Phase, PriceUpdate, Sport, game::NO_PROBABILITY};
use pipeline::Pipeline;
use stages::{
    opportunity::blend,
    win_probability::{WinProbability, to_e4},
};
use std::{fs::File, path::Path};
use tests::recorded::recorded;

/// A running game, of which only so much is known.
fn live(
    sport: Sport,
    period: u8,
    clock_deciseconds: u16,
    home_score: u16,
    away_score: u16,
) -> GameState {
    GameState {
        sport: sport as u8,
        phase: Phase::Live as u8,
        period,
        clock_deciseconds,
        home_score,
        away_score,
        pregame_home_win_e4: NO_PROBABILITY,
        feed_home_win_e4: NO_PROBABILITY,
        ..GameState::zeroed()
    }
}

/// Header and rows of a recorded table.
fn rows(name: &str) -> Option<(Vec<String>, Vec<csv::StringRecord>)> {
    let packed = File::open(recorded(name)?).expect("it was there");
    let mut reader = csv::Reader::from_reader(flate2::read::GzDecoder::new(packed));
    let header = reader
        .headers()
        .expect("a header")
        .iter()
        .map(str::to_owned)
        .collect();
    Some((header, reader.records().filter_map(Result::ok).collect()))
}

/// Mean log loss of predictions, and of the constant base rate.
fn log_losses(pairs: &[(f64, bool)]) -> (f64, f64) {
    let loss = |p: f64, won: bool| {
        let p = p.clamp(1e-3, 1.0 - 1e-3);
        if won { -p.ln() } else { -(1.0 - p).ln() }
    };
    let count = pairs.len() as f64;
    let base = pairs.iter().filter(|(_, won)| *won).count() as f64 / count;
    let model = pairs.iter().map(|(p, won)| loss(*p, *won)).sum::<f64>() / count;
    (
        model,
        pairs.iter().map(|(_, won)| loss(base, *won)).sum::<f64>() / count,
    )
}

fn column<'a>(header: &[String], row: &'a csv::StringRecord, name: &str) -> &'a str {
    let at = header
        .iter()
        .position(|column| column == name)
        .expect("a known column");
    row.get(at).unwrap_or_default()
}

#[test]
fn the_basketball_model_beats_the_base_rate_on_recorded_games() {
    let Some((header, rows)) = rows("pbp_wp/nba_2024-25_pbp_states_outcomes.csv.gz") else {
        return;
    };
    let models = WinProbability::new();
    let mut pairs = Vec::new();
    for row in rows.iter().step_by(7) {
        let number = |name| {
            column(&header, row, name)
                .parse::<f64>()
                .unwrap_or(f64::NAN)
        };
        let period = column(&header, row, "period").parse::<u8>().unwrap_or(0);
        let left = number("seconds_remaining");
        let clock = if period <= 4 {
            left - 720.0 * f64::from(4_u8.saturating_sub(period))
        } else {
            left
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let state = live(
            Sport::Nba,
            period,
            (clock * 10.0) as u16,
            number("score_home") as u16,
            number("score_away") as u16,
        );
        if let Some(probability) = models.home_win(&state) {
            pairs.push((probability, column(&header, row, "home_won") == "1"));
        }
    }
    let (model, base) = log_losses(&pairs);
    println!("NBA: log loss {model:.4} of the model without strength, {base:.4} of the base rate");
    assert!(
        pairs.len() > 1_000 && model < base - 0.1,
        "{model} against {base}"
    );
}

#[test]
fn the_football_model_beats_the_base_rate_on_recorded_games() {
    let Some((header, rows)) = rows("pbp_wp/nfl_post_2009-2016_nflscrapR_pbp_wp.csv.gz") else {
        return;
    };
    let models = WinProbability::new();
    let mut pairs = Vec::new();
    for row in &rows {
        let number = |name| column(&header, row, name).parse::<f64>().unwrap_or(0.0);
        let home_ball = column(&header, row, "posteam") == column(&header, row, "home_team");
        let to_goal = number("yardline_100");
        let (minutes, seconds) = column(&header, row, "time")
            .split_once(':')
            .unwrap_or_default();
        let clock: u16 =
            minutes.parse::<u16>().unwrap_or(0) * 600 + seconds.parse::<u16>().unwrap_or(0) * 10;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let state = GameState {
            possession: if home_ball { 1 } else { 2 },
            down: number("down") as u8,
            yard_line: if home_ball { 100.0 - to_goal } else { to_goal } as u8,
            ..live(
                Sport::Nfl,
                number("qtr") as u8,
                clock,
                number("total_home_score") as u16,
                number("total_away_score") as u16,
            )
        };
        if let Some(probability) = models.home_win(&state) {
            pairs.push((probability, column(&header, row, "home_won") == "1"));
        }
    }
    let (model, base) = log_losses(&pairs);
    println!("NFL: log loss {model:.4} of the model, {base:.4} of the base rate");
    assert!(
        pairs.len() > 1_000 && model < base - 0.1,
        "{model} against {base}"
    );
}

/// What the live pipeline holds a contract to be worth by the market's mid and its model.
fn traded(mid: f64, model: f64) -> u16 {
    let weight = Path::new(env!("CARGO_MANIFEST_DIR")).join("../processes/pipelines/live.toml");
    let weight = Pipeline::load(&weight).unwrap().model.weight_percent;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let mid_e4 = (mid * 10_000.0).round() as u16;
    let price = PriceUpdate {
        bid_price_e4: mid_e4,
        ask_price_e4: mid_e4,
        ..PriceUpdate::zeroed()
    };
    blend(&price, to_e4(model), weight)
}

/// VENUE 8.14: the market's own mid beats a model that does not know what the market knows. The
/// pregame price as strength closes the gap; what the pipeline trades on, the blend, is no worse
/// than the market it trades against.
#[test]
fn lesson_14_strength_and_the_blend_hold_their_own_against_the_market() {
    let Some((header, rows)) = rows("pbp_wp/mlb_2026-06_kalshi_minute_prices_vs_game_state.csv.gz")
    else {
        return;
    };
    let models = WinProbability::new();
    let (mut alone, mut strong, mut market, mut blended) = (vec![], vec![], vec![], vec![]);
    for row in &rows {
        let number = |name| {
            column(&header, row, name)
                .parse::<f64>()
                .unwrap_or(f64::NAN)
        };
        let (pregame, mid) = (number("pregame_prob"), number("kalshi_price"));
        let lead = number("score_diff");
        if !pregame.is_finite() || !mid.is_finite() || !lead.is_finite() {
            continue;
        }
        let bit = |name, bit: u8| {
            if column(&header, row, name) == "1" {
                bit
            } else {
                0
            }
        };
        let bottom = column(&header, row, "inning_topbot") == "1";
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let state = GameState {
            half: if bottom { Half::Bottom } else { Half::Top } as u8,
            outs: number("outs_when_up") as u8,
            bases: bit("runner_on_first", 1)
                | bit("runner_on_second", 2)
                | bit("runner_on_third", 4),
            pregame_home_win_e4: (pregame * 10_000.0) as u16,
            ..live(
                Sport::Mlb,
                number("inning") as u8,
                0,
                lead.max(0.0) as u16,
                (-lead).max(0.0) as u16,
            )
        };
        let stateless = GameState {
            pregame_home_win_e4: NO_PROBABILITY,
            ..state
        };
        let (Some(weak), Some(model)) = (models.home_win(&stateless), models.home_win(&state))
        else {
            continue;
        };
        let won = column(&header, row, "home_win") == "1";
        alone.push((weak, won));
        strong.push((model, won));
        market.push((mid, won));
        blended.push((f64::from(traded(mid, model)) / 10_000.0, won));
    }
    let ((alone, base), (strong, _)) = (log_losses(&alone), log_losses(&strong));
    let ((market, _), (blended, _)) = (log_losses(&market), log_losses(&blended));
    println!(
        "MLB: log loss without strength {alone:.4}, with {strong:.4}, market {market:.4}, \
         blend {blended:.4}, base rate {base:.4}"
    );
    assert!(
        alone < base - 0.1 && strong < alone && market < alone,
        "{strong} {alone} {market}"
    );
    assert!(blended < market + 0.005, "{blended} against {market}");
}
