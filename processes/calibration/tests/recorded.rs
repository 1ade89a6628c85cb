//! The whole run on the recorded games, where those are at hand: never part of this repository.

#![forbid(unsafe_code)]

use calibration::evaluate::Way;
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
    // Fits are slow without optimisation: there only that everything is read.
    assert!(
        sets.len() + missing.len() >= 6 && !sets.is_empty(),
        "{missing:?}"
    );
    if cfg!(debug_assertions) {
        eprintln!("skipped: the fits take minutes without --release");
        return;
    }
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
    let rated = |target: &&calibration::run::Target| {
        target.what.contains("rating from margins, walking forward")
    };
    let target = results.targets.iter().find(rated).expect("a verdict");
    assert!(target.met, "{target:?}");
}
