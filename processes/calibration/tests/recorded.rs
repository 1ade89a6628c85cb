//! The whole run on the recorded games, where those are at hand: never part of this repository.

use calibration::evaluate::{Evaluation, Way};
use calibration::run::{read, run};
use std::path::{Path, PathBuf};

fn recorded() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let directory = std::env::var_os("ARBEES_DATA").map_or(beside, PathBuf::from);
    if directory.join("pbp_wp").is_dir() {
        return Some(directory);
    }
    eprintln!(
        "skipped: no recorded games in {}; set ARBEES_DATA to where they are",
        directory.display()
    );
    None
}

/// The NBA's bar is met by the rating made of margins, walking forward; the page says where it is not.
#[test]
fn the_models_hold_on_days_they_have_not_seen() {
    let Some(data) = recorded() else {
        return;
    };
    let (sets, missing) = read(&data).expect("readable data");
    assert!(
        sets.len() + missing.len() >= 6 && !sets.is_empty(),
        "{missing:?}"
    );
    let results = run(&sets, &missing);
    for held in &results.held {
        for set in held.sets.iter().filter(|set| set.games > 50) {
            let loss = |way| {
                let row = set.rows.iter().find(|row| row.way == way);
                row.map(|row| row.score.log_loss.value)
            };
            let (base, model) = (loss(Way::BaseRate), loss(Way::Model));
            assert!(model < base, "{}: {model:?} {base:?}", set.name);
            let known = loss(Way::ModelWithPregame);
            assert!(known.is_none() || known < model, "{}: {known:?}", set.name);
        }
    }
    let walking = &results.held[0].sets;
    let rated = |set: &&Evaluation| set.name == "NBA, rating from margins";
    let rated = walking.iter().find(rated).expect("the games of the bar");
    let with = rated
        .rows
        .iter()
        .find(|row| row.way == Way::ModelWithPregame);
    let loss = with.expect("a score").score.log_loss.value;
    println!(
        "{}, walking forward: log loss {loss:.4}, n = {} games, {} states",
        rated.name, rated.games, rated.states
    );
    assert_eq!((rated.games, rated.states), (1_510, 324_953));
    assert!(loss <= 0.465, "{loss}");
}
