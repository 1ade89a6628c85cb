//! The numbers that the training days decide, by the least log loss of the shipped code's predictions.

use crate::game::{DataSet, Game, Pregame, Sample};
use crate::margin_rating::Filter;
use crate::minimum::{golden, nelder_mead};
use crate::score::log_loss;
use crate::split::Fold;
use layouts::GameState;
use serde::Serialize;
use stages::win_probability::normal::{phi, phi_inverse};
use stages::win_probability::parameters::{Parameters, SportParameters};
use stages::win_probability::{WinProbability, to_e4};
use std::collections::HashMap;

/// Fewer games than this decide nothing: the published values stand.
pub const LEAST_GAMES: usize = 100;
/// Fewer games than this do not say whom to trust; then model and market weigh the same.
pub const LEAST_GAMES_TO_WEIGH: usize = 15;
/// About so many states are looked at in a fit; neighbouring ones say the same.
const STATES: usize = 40_000;

/// A number that can be fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knob {
    /// `diffusion.sigma`.
    Sigma,
    /// `strength.home_win`.
    HomeWin,
    /// `strength.rating_deviation`.
    RatingDeviation,
    /// `strength.line_deviation`.
    LineDeviation,
}

impl Knob {
    /// As the parameter files call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sigma => "diffusion.sigma",
            Self::HomeWin => "strength.home_win",
            Self::RatingDeviation => "strength.rating_deviation",
            Self::LineDeviation => "strength.line_deviation",
        }
    }

    /// Where the number is kept; `None` where the sport has none.
    #[must_use]
    pub fn get(self, parameters: &SportParameters) -> Option<f64> {
        match self {
            Self::Sigma => Some(parameters.diffusion.as_ref()?.sigma.value),
            Self::HomeWin => Some(parameters.strength.home_win.value),
            Self::RatingDeviation => Some(parameters.strength.rating_deviation.value),
            Self::LineDeviation => Some(parameters.strength.line_deviation.as_ref()?.value),
        }
    }

    fn set(self, parameters: &mut SportParameters, value: f64) {
        match self {
            Self::Sigma => {
                if let Some(diffusion) = &mut parameters.diffusion {
                    diffusion.sigma.value = value;
                }
            }
            Self::HomeWin => parameters.strength.home_win.value = value,
            Self::RatingDeviation => parameters.strength.rating_deviation.value = value,
            Self::LineDeviation => {
                if let Some(line) = &mut parameters.strength.line_deviation {
                    line.value = value;
                }
            }
        }
    }

    /// On a scale without ends, where steps of the same length mean about the same.
    fn stretched(self, value: f64) -> f64 {
        match self {
            Self::HomeWin => phi_inverse(value),
            _ => value.ln(),
        }
    }

    fn unstretched(self, value: f64) -> f64 {
        match self {
            Self::HomeWin => phi(value),
            _ => value.exp(),
        }
    }
}

/// A number as it was fitted.
#[derive(Debug, Clone, Serialize)]
pub struct FittedNumber {
    /// As the parameter files call it.
    pub name: &'static str,
    /// Its value.
    pub value: f64,
}

/// What training gave.
pub struct Trained<'a> {
    /// The numbers of all sports, those of this one fitted where there were games enough.
    pub parameters: Parameters,
    /// What was fitted; empty where the published values stand.
    pub fitted: Vec<FittedNumber>,
    /// Weight of the model beside the market's mid.
    pub weight: f64,
    /// Share of the games that the home team won.
    pub base_rate: f64,
    strengths: Strengths<'a>,
}

/// What is known before each game: as recorded, or made of earlier results.
struct Strengths<'a> {
    made: Option<HashMap<&'a str, f64>>,
}

impl Strengths<'_> {
    fn of(&self, game: &Game) -> Pregame {
        match &self.made {
            None => game.pregame,
            Some(made) => {
                let difference = made.get(game.id.as_str());
                difference.map_or(Pregame::Nothing, |points| Pregame::Rating(*points))
            }
        }
    }
}

impl Trained<'_> {
    /// Published values, for data that cannot be split.
    #[must_use]
    pub fn nothing(set: &DataSet) -> Self {
        let parameters = Parameters::shipped().clone();
        Self {
            base_rate: parameters.of(set.sport).strength.home_win.value,
            parameters,
            fitted: vec![],
            weight: 0.5,
            strengths: Strengths { made: None },
        }
    }

    /// The pregame probability of a game, `None` where nothing is known of it.
    #[must_use]
    pub fn pregame(&self, set: &DataSet, game: &Game) -> Option<f64> {
        pregame(self.parameters.of(set.sport), self.strengths.of(game))
    }

    /// The models as trained.
    #[must_use]
    pub fn models(&self) -> WinProbability {
        WinProbability::of(&self.parameters)
    }
}

fn pregame(parameters: &SportParameters, known: Pregame) -> Option<f64> {
    match known {
        Pregame::Nothing => None,
        Pregame::Rating(difference) => parameters.from_rating(difference),
        Pregame::Line(points) => parameters.from_line(points),
        Pregame::Probability(probability) => Some(probability),
    }
}

/// What the shipped code says of a moment, with that pregame probability.
#[must_use]
pub fn predict(models: &WinProbability, sample: &Sample, pregame: Option<f64>) -> Option<f64> {
    models.home_win(&with_pregame(sample, pregame))
}

fn with_pregame(sample: &Sample, pregame: Option<f64>) -> GameState {
    let mut state = sample.state;
    if let Some(probability) = pregame {
        state.pregame_home_win_e4 = to_e4(probability);
    }
    state
}

/// Trains on the days before the fold. `set` is sorted.
#[must_use]
pub fn train<'a>(set: &'a DataSet, fold: &Fold) -> Trained<'a> {
    let games = fold.training(&set.games);
    let mut start = Parameters::shipped().of(set.sport).clone();
    let made = set.results.as_ref().map(|results| {
        let filter: Filter = results.fit(fold.from);
        // Points of a margin, and no rating points: about as many as results scatter about a line.
        let points = Knob::LineDeviation.get(&start);
        Knob::RatingDeviation.set(&mut start, points.unwrap_or(1.0));
        results.differences(filter)
    });
    let strengths = Strengths { made };
    let knobs = if games.len() < LEAST_GAMES {
        &[]
    } else {
        set.fits
    };
    let fitted = fit(set, games, &strengths, knobs, &start);
    let numbers = knobs.iter().filter_map(|knob| {
        Some(FittedNumber {
            name: knob.name(),
            value: knob.get(&fitted)?,
        })
    });
    let won = games.iter().filter(|game| game.home_won).count();
    let mut trained = Trained {
        fitted: numbers.collect(),
        parameters: Parameters::shipped().with(set.sport, fitted),
        weight: 0.5,
        base_rate: won as f64 / games.len().max(1) as f64,
        strengths,
    };
    if games.len() >= LEAST_GAMES_TO_WEIGH {
        trained.weight = weigh(set, games, &trained);
    }
    trained
}

fn fit(
    set: &DataSet,
    games: &[Game],
    strengths: &Strengths<'_>,
    knobs: &[Knob],
    start: &SportParameters,
) -> SportParameters {
    let turned = |x: &[f64]| {
        let mut parameters = start.clone();
        for (knob, value) in knobs.iter().zip(x) {
            knob.set(&mut parameters, knob.unstretched(*value));
        }
        parameters
    };
    let from: Option<Vec<f64>> = knobs
        .iter()
        .map(|knob| Some(knob.stretched(knob.get(start)?)))
        .collect();
    let (Some(from), false) = (from, knobs.is_empty()) else {
        return start.clone();
    };
    let states: usize = games.iter().map(|game| game.samples.len()).sum();
    let stride = states.div_ceil(STATES).max(1);
    let loss = |x: &[f64]| {
        let parameters = turned(x);
        let models = WinProbability::of(&Parameters::shipped().with(set.sport, parameters.clone()));
        let mut sum = 0.0;
        for game in games {
            let known = pregame(&parameters, strengths.of(game));
            for sample in game.samples.iter().step_by(stride) {
                let chance = predict(&models, sample, known);
                sum += log_loss(chance.unwrap_or(0.5), game.home_won);
            }
        }
        sum * stride as f64 / states.max(1) as f64
    };
    turned(&nelder_mead(&from, 0.2, 1e-3, 300, loss))
}

/// The weight of the model beside the market's mid that had the least log loss.
fn weigh(set: &DataSet, games: &[Game], trained: &Trained<'_>) -> f64 {
    let models = trained.models();
    let mut told = Vec::new();
    for game in games {
        let known = trained.pregame(set, game);
        for sample in &game.samples {
            if let (Some(model), Some(mid)) = (predict(&models, sample, known), sample.mid) {
                told.push((model, mid, game.home_won));
            }
        }
    }
    if told.is_empty() {
        return 0.5;
    }
    let loss = |weight: f64| {
        let blend = |(model, mid, won): &(f64, f64, bool)| {
            log_loss(weight * model + (1.0 - weight) * mid, *won)
        };
        told.iter().map(blend).sum::<f64>()
    };
    golden(0.0, 1.0, loss)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::game::live;
    use jiff::{ToSpan as _, civil::date};
    use layouts::Sport;
    use rand::{Rng as _, SeedableRng as _};

    const SIGMA: f64 = 14.0;
    const DEVIATION: f64 = 150.0;

    /// Games of teams whose ratings mean so much, with leads that walk as the model has it.
    fn invented(games: i32) -> DataSet {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(11);
        let mut normal = move || (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
        let games = (0..games).map(|number| {
            let rating = 100.0 * normal();
            let drift = SIGMA * (phi_inverse(0.6) + rating / DEVIATION);
            let (mut lead, mut samples) = (0.0, vec![]);
            for quarter in 1..=8_u8 {
                lead += drift / 8.0 + SIGMA * normal() / 8.0_f64.sqrt();
                let clock = if quarter % 2 == 1 { 3_600 } else { 0 };
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let score = (lead.round() + 100.0) as u16;
                samples.push(Sample {
                    state: live(Sport::Nba, quarter.div_ceil(2), clock, score, 100),
                    feed: None,
                    mid: Some(0.5),
                });
            }
            samples.pop();
            Game {
                id: number.to_string(),
                date: date(2020, 1, 1) + number.days(),
                pregame: Pregame::Rating(rating),
                home_won: lead > 0.0,
                samples,
            }
        });
        DataSet {
            sport: Sport::Nba,
            name: "invented",
            fits: &[Knob::Sigma, Knob::HomeWin, Knob::RatingDeviation],
            writes: false,
            feed_is: "",
            notes: vec![],
            games: games.collect(),
            results: None,
        }
    }

    fn all_but_the_last(set: &DataSet) -> Fold {
        Fold {
            from: set.games.last().expect("games").date,
            until: jiff::civil::Date::MAX,
        }
    }

    #[test]
    fn numbers_that_games_were_made_of_are_found_again() {
        let set = invented(4_000);
        let trained = train(&set, &all_but_the_last(&set));
        let parameters = trained.parameters.of(Sport::Nba);
        let found = |knob: Knob| knob.get(parameters).expect("a number");
        assert!(
            (found(Knob::Sigma) - SIGMA).abs() < 1.0,
            "{:?}",
            trained.fitted
        );
        assert!(
            (found(Knob::HomeWin) - 0.6).abs() < 0.02,
            "{:?}",
            trained.fitted
        );
        assert!(
            (found(Knob::RatingDeviation) - DEVIATION).abs() < 15.0,
            "{:?}",
            trained.fitted
        );
        // A market that says one half to all games deserves no trust.
        assert!(trained.weight > 0.9, "{}", trained.weight);
    }

    #[test]
    fn few_games_decide_nothing() {
        let set = invented(100);
        let trained = train(&set, &all_but_the_last(&set));
        assert!(trained.fitted.is_empty());
        assert_eq!(&trained.parameters, Parameters::shipped());
        let one = invented(2);
        assert_eq!(train(&one, &all_but_the_last(&one)).weight, 0.5);
    }
}
