//! Predictions for held-out days, side by side on the same moments.

use crate::game::{DataSet, Game};
use crate::score::{Figure, Predicted, Score, difference, score};
use crate::split::Split;
use crate::train::{FittedNumber, Trained, predict, train};
use serde::Serialize;

/// A way to predict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The share of home wins on the training days, to every moment.
    BaseRate,
    /// The model that knows nothing of the teams.
    Model,
    /// The model with what was known before the game.
    ModelWithPregame,
    /// The feed's own, or another's.
    Feed,
    /// The market's mid.
    Market,
    /// Model and market by weight.
    Blend,
}

/// All ways, in the order of the report.
const WAYS: [Way; 6] = [
    Way::BaseRate,
    Way::Model,
    Way::ModelWithPregame,
    Way::Feed,
    Way::Market,
    Way::Blend,
];

/// How one way did.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Which.
    pub way: Way,
    /// How well.
    pub score: Score,
    /// Its log loss less the market's, where there is one.
    pub over_market: Option<Figure>,
}

/// What one training gave.
#[derive(Debug, Clone, Serialize)]
pub struct Training {
    /// First day that trained.
    pub first: String,
    /// Last day that trained.
    pub last: String,
    /// Games that trained.
    pub games: usize,
    /// Their states.
    pub states: usize,
    /// What was fitted; empty where published values stand.
    pub fitted: Vec<FittedNumber>,
    /// Weight of the model beside the market's mid.
    pub weight: f64,
}

/// A data set on its held-out days.
#[derive(Debug, Clone, Serialize)]
pub struct Evaluation {
    /// Short name of the data set.
    pub name: &'static str,
    /// Whose the feed's column is.
    pub feed_is: &'static str,
    /// First and last held-out day.
    pub held_out: (String, String),
    /// Games that were held out.
    pub games: usize,
    /// Their states.
    pub states: usize,
    /// One a fold; empty where the data cannot be split.
    pub trainings: Vec<Training>,
    /// By way.
    pub rows: Vec<Row>,
    /// What else to know.
    pub notes: Vec<String>,
}

/// Scores a data set by a split. `None` where it holds no game.
#[must_use]
pub fn evaluate(set: &DataSet, split: Split) -> Option<Evaluation> {
    let folds = split.folds(&set.games);
    let mut notes = set.notes.clone();
    let (mut trainings, mut ways) = (vec![], WAYS.map(|_| Vec::new()));
    let mut held_out: Vec<&Game> = vec![];
    for fold in &folds {
        let trained = train(set, fold);
        let games = fold.held_out(&set.games);
        predict_all(set, &trained, games, &mut ways);
        held_out.extend(games);
        trainings.extend(training(fold.training(&set.games), trained));
    }
    if folds.is_empty() {
        predict_all(set, &Trained::nothing(set), &set.games, &mut ways);
        held_out.extend(&set.games);
        notes.push("one day is not split: published values on all of it".into());
    }
    let market = &ways[WAYS.iter().position(|way| *way == Way::Market)?];
    let rows = WAYS.iter().zip(&ways).filter_map(|(way, predicted)| {
        let told = !market.is_empty() && *way != Way::Market;
        Some(Row {
            way: *way,
            score: score(predicted)?,
            over_market: if told {
                difference(predicted, market)
            } else {
                None
            },
        })
    });
    Some(Evaluation {
        name: set.name,
        feed_is: set.feed_is,
        held_out: (
            held_out.first()?.date.to_string(),
            held_out.last()?.date.to_string(),
        ),
        games: held_out.len(),
        states: states(held_out.iter().copied()),
        rows: rows.collect(),
        trainings,
        notes,
    })
}

fn training(games: &[Game], trained: Trained<'_>) -> Option<Training> {
    Some(Training {
        first: games.first()?.date.to_string(),
        last: games.last()?.date.to_string(),
        games: games.len(),
        states: states(games.iter()),
        fitted: trained.fitted,
        weight: trained.weight,
    })
}

fn states<'a>(games: impl Iterator<Item = &'a Game>) -> usize {
    games.map(|game| game.samples.len()).sum()
}

/// Adds the predictions of every way that has one for all moments of a game.
fn predict_all(
    set: &DataSet,
    trained: &Trained<'_>,
    games: &[Game],
    ways: &mut [Vec<Predicted>; 6],
) {
    let models = trained.models();
    for game in games {
        let known = trained.pregame(set, game);
        for (way, told) in WAYS.iter().zip(ways.iter_mut()) {
            let chances: Option<Vec<f64>> = game
                .samples
                .iter()
                .map(|sample| match way {
                    Way::BaseRate => Some(trained.base_rate),
                    Way::Model => predict(&models, sample, None),
                    Way::ModelWithPregame => predict(&models, sample, Some(known?)),
                    Way::Feed => sample.feed,
                    Way::Market => sample.mid,
                    Way::Blend => {
                        let model = predict(&models, sample, known)?;
                        Some(trained.weight * model + (1.0 - trained.weight) * sample.mid?)
                    }
                })
                .collect();
            told.extend(chances.map(|chances| Predicted {
                chances,
                home_won: game.home_won,
            }));
        }
    }
}
