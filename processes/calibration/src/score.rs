//! How good probabilities are: log loss, Brier score, and whether what is told to be 70 % happens in 70 %.
//!
//! Moments of one game share its outcome, so intervals come of drawing whole games anew (Efron 1979,
//! the bootstrap, by cluster).

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// Nothing is certain: probabilities count as at least this and at most its complement. A tenth of a
/// cent, the finest tick of the exchange.
const LEAST: f64 = 1e-3;
/// Times that the games are drawn anew.
const DRAWS: usize = 1_000;
/// Steps of the reliability curve.
pub const BINS: usize = 10;

/// One game: its predictions and how it ended.
#[derive(Debug, Clone)]
pub struct Predicted {
    /// Probabilities of a home win.
    pub chances: Vec<f64>,
    /// Whether it was one.
    pub home_won: bool,
}

/// A figure with the interval that holds it with 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// On the recorded games.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Predictions from `BINS` equal parts of the scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// Moments.
    pub states: usize,
    /// Their mean prediction.
    pub predicted: f64,
    /// Share of them whose game the home team won.
    pub happened: Figure,
}

/// What is to be said of one way to predict.
#[derive(Debug, Clone, Serialize)]
pub struct Score {
    /// Mean of -ln of the probability given to what happened.
    pub log_loss: Figure,
    /// Mean square of the error.
    pub brier: Figure,
    /// The reliability curve; parts without a prediction are left out.
    pub bins: Vec<Bin>,
}

/// -ln of the probability given to what happened.
#[must_use]
pub fn log_loss(chance: f64, home_won: bool) -> f64 {
    let chance = chance.clamp(LEAST, 1.0 - LEAST);
    -(if home_won { chance } else { 1.0 - chance }).ln()
}

fn brier(chance: f64, home_won: bool) -> f64 {
    let error = chance - f64::from(u8::from(home_won));
    error * error
}

/// Sums of one game.
#[derive(Clone, Copy, Default)]
struct Sums {
    states: f64,
    log_loss: f64,
    brier: f64,
    /// Moments, predictions and home wins of each part of the scale.
    bins: [(f64, f64, f64); BINS],
}

impl Sums {
    fn of(game: &Predicted) -> Self {
        let mut sums = Self::default();
        for chance in &game.chances {
            sums.states += 1.0;
            sums.log_loss += log_loss(*chance, game.home_won);
            sums.brier += brier(*chance, game.home_won);
            // Within 0 to 1, so within the array.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let bin = (chance * BINS as f64) as usize;
            let bin = &mut sums.bins[bin.min(BINS - 1)];
            *bin = (
                bin.0 + 1.0,
                bin.1 + chance,
                bin.2 + f64::from(u8::from(game.home_won)),
            );
        }
        sums
    }

    fn add(&mut self, other: &Self) {
        self.states += other.states;
        self.log_loss += other.log_loss;
        self.brier += other.brier;
        for (bin, other) in self.bins.iter_mut().zip(&other.bins) {
            *bin = (bin.0 + other.0, bin.1 + other.1, bin.2 + other.2);
        }
    }

    fn total<'a>(games: impl Iterator<Item = &'a Self>) -> Self {
        let mut total = Self::default();
        games.for_each(|game| total.add(game));
        total
    }
}

/// Scores predictions; `None` where there are none.
#[must_use]
pub fn score(games: &[Predicted]) -> Option<Score> {
    let sums: Vec<Sums> = games.iter().map(Sums::of).collect();
    let all = Sums::total(sums.iter());
    if all.states == 0.0 {
        return None;
    }
    let drawn: Vec<Sums> = draws(games.len())
        .map(|draw| Sums::total(draw.iter().map(|at| &sums[*at])))
        .collect();
    let figure = |of: &dyn Fn(&Sums) -> f64| Figure {
        value: of(&all),
        ..interval(drawn.iter().map(of).collect())
    };
    let bins = (0..BINS).filter(|bin| all.bins[*bin].0 > 0.0).map(|bin| {
        let (states, predicted, _) = all.bins[bin];
        // Counts, far below 2^52.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Bin {
            states: states as usize,
            predicted: predicted / states,
            happened: figure(&|sums| sums.bins[bin].2 / sums.bins[bin].0),
        }
    });
    Some(Score {
        log_loss: figure(&|sums| sums.log_loss / sums.states),
        brier: figure(&|sums| sums.brier / sums.states),
        bins: bins.collect(),
    })
}

/// Log loss of one way to predict less that of another for the same moments.
#[must_use]
pub fn difference(games: &[Predicted], others: &[Predicted]) -> Option<Figure> {
    let sums: Vec<(f64, f64)> = games
        .iter()
        .zip(others)
        .map(|(game, other)| {
            let (one, two) = (Sums::of(game), Sums::of(other));
            (one.log_loss - two.log_loss, one.states)
        })
        .collect();
    let mean = |at: &mut dyn Iterator<Item = &(f64, f64)>| {
        let (loss, states) = at.fold((0.0, 0.0), |sum, game| (sum.0 + game.0, sum.1 + game.1));
        loss / states
    };
    let value = mean(&mut sums.iter());
    value.is_finite().then(|| Figure {
        value,
        ..interval(
            draws(sums.len())
                .map(|draw| mean(&mut draw.iter().map(|at| &sums[*at])))
                .collect(),
        )
    })
}

/// Games drawn anew, always the same: a report is the same each time.
fn draws(games: usize) -> impl Iterator<Item = Vec<usize>> {
    let mut random = ChaCha8Rng::seed_from_u64(0xB007);
    (0..DRAWS).map(move |_| (0..games).map(|_| random.random_range(0..games)).collect())
}

/// The middle 95 % of values; what is no number was drawn without a moment and is left out.
fn interval(mut values: Vec<f64>) -> Figure {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    let at = |share: usize| {
        let at = values.len().saturating_sub(1) * share / 1_000;
        values.get(at).copied().unwrap_or(f64::NAN)
    };
    Figure {
        value: f64::NAN,
        low: at(25),
        high: at(975),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn game(chances: &[f64], home_won: bool) -> Predicted {
        Predicted {
            chances: chances.to_vec(),
            home_won,
        }
    }

    /// By hand: -ln 0.8 = 0.22314, -ln 0.7 = 0.35667, -ln 0.4 = 0.91629; squares 0.04, 0.09, 0.36.
    #[test]
    fn scores_are_those_worked_out_by_hand() {
        let games = [game(&[0.8], true), game(&[0.3], false), game(&[0.4], true)];
        let score = score(&games).unwrap();
        assert!(
            (score.log_loss.value - 0.498_7).abs() < 1e-4,
            "{:?}",
            score.log_loss
        );
        assert!(
            (score.brier.value - 0.163_33).abs() < 1e-4,
            "{:?}",
            score.brier
        );
        let bins: Vec<_> = score
            .bins
            .iter()
            .map(|bin| (bin.states, bin.predicted, bin.happened.value))
            .collect();
        assert_eq!(bins, [(1, 0.3, 0.0), (1, 0.4, 1.0), (1, 0.8, 1.0)]);
        assert!(
            (log_loss(0.0, true) - 6.907_8).abs() < 1e-3,
            "{}",
            log_loss(0.0, true)
        );
        assert!(super::score(&[]).is_none());
        assert!(super::score(&[game(&[], true)]).is_none());
    }

    /// A hundred moments of one game are one game: the interval is that of games.
    #[test]
    fn moments_of_a_game_do_not_narrow_the_interval() {
        let games = |moments: usize| -> Vec<Predicted> {
            (0..40)
                .map(|n| game(&vec![0.7; moments], n % 10 < 6))
                .collect()
        };
        let (few, many) = (score(&games(1)).unwrap(), score(&games(100)).unwrap());
        let width = |score: &Score| score.log_loss.high - score.log_loss.low;
        assert!((width(&few) - width(&many)).abs() < 1e-9);
        assert!(width(&few) > 0.1, "{:?}", few.log_loss);
        assert!(few.log_loss.low < few.log_loss.value && few.log_loss.value < few.log_loss.high);
    }

    #[test]
    fn the_better_of_two_has_the_lesser_loss() {
        let truth = |n: usize| !n.is_multiple_of(4);
        let good: Vec<_> = (0..60).map(|n| game(&[0.75, 0.75], truth(n))).collect();
        let bad: Vec<_> = (0..60).map(|n| game(&[0.25, 0.25], truth(n))).collect();
        let told = difference(&good, &bad).unwrap();
        assert!(told.high < 0.0, "{told:?}");
        // By hand: 0.75 (ln 0.25 - ln 0.75) + 0.25 (ln 0.75 - ln 0.25) = -0.5 ln 3.
        assert!((told.value + 0.5 * 3.0_f64.ln()).abs() < 1e-9, "{told:?}");
    }
}
