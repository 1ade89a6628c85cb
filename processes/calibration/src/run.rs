//! One run: every data set that is there, by both splits.

use crate::evaluate::{Evaluation, Way, evaluate};
use crate::game::DataSet;
use crate::reader::{DATA_SETS, Unreadable};
use crate::split::Split;
use serde::Serialize;
use std::path::Path;

/// What the NBA model with a rating may lose at most on held-out days.
const NBA_BAR: f64 = 0.465;

/// One way to hold days out.
#[derive(Debug, Clone, Serialize)]
pub struct Held {
    /// For people.
    pub title: &'static str,
    /// What it is.
    pub what: &'static str,
    /// By data set.
    pub sets: Vec<Evaluation>,
}

/// What was aimed at.
#[derive(Debug, Clone, Serialize)]
pub struct Target {
    /// Of which figure.
    pub what: String,
    /// It.
    pub value: f64,
    /// What it may be at most.
    pub at_most: f64,
    /// Whether it is.
    pub met: bool,
}

/// All that a run found out.
#[derive(Debug, Clone, Serialize)]
pub struct Results {
    /// By way to hold days out.
    pub held: Vec<Held>,
    /// Verdicts.
    pub targets: Vec<Target>,
    /// Sports and files without figures, and why.
    pub absent: Vec<String>,
}

/// The data sets in a directory, each on moments that can be compared; and the files that are not there.
///
/// # Errors
///
/// When a file is there and cannot be read.
pub fn read(data: &Path) -> Result<(Vec<DataSet>, Vec<&'static str>), Unreadable> {
    let (mut sets, mut missing) = (vec![], vec![]);
    for (file, read) in DATA_SETS {
        match read(data)? {
            Some(set) => sets.push(set.sorted().complete()),
            None => missing.push(file),
        }
    }
    missing.dedup();
    Ok((sets, missing))
}

/// Fits and scores them.
#[must_use]
pub fn run(sets: &[DataSet], missing: &[&str]) -> Results {
    let split = |title, what, split| Held {
        title,
        what,
        sets: sets.iter().filter_map(|set| evaluate(set, split)).collect(),
    };
    let held = vec![
        split(
            "walking forward",
            "each of five blocks of days is predicted by what all days before it train; the first sixth of the games only trains",
            Split::Walking,
        ),
        split(
            "trained once",
            "the first half of the games trains, the days after it are held out; the shipped parameters are of this training",
            Split::Once,
        ),
    ];
    let mut absent = vec![
        "NCAAF: no game in progress with its end is recorded; published values, neither fitted nor scored".to_owned(),
    ];
    absent.extend(missing.iter().map(|file| format!("{file}: not there")));
    Results {
        targets: held.iter().flat_map(targets).collect(),
        held,
        absent,
    }
}

fn targets(held: &Held) -> Vec<Target> {
    let rated = held.sets.iter().filter(|set| set.name.contains("rating"));
    rated
        .filter_map(|set| {
            let with = |row: &&crate::evaluate::Row| row.way == Way::ModelWithPregame;
            let value = set.rows.iter().find(with)?.score.log_loss.value;
            Some(Target {
                what: format!("log loss, {}, {}", set.name, held.title),
                value,
                at_most: NBA_BAR,
                met: value <= NBA_BAR,
            })
        })
        .collect()
}
