//! Baseball: the runs of the half innings that are left, each from its own distribution.
//!
//! Runs from a base-out situation: with probability `q` at least one scores, and given that, the
//! number is geometric with the mean that makes the expectation right: run expectancy and the
//! probability of at least one run, by runners and outs. Full half innings convolve; since 2020 a
//! half inning after the ninth starts with a runner on second. A tie after what is left is even.

use super::parameters::{BaseOut, Parameters};
use super::{Neutral, lead};
use layouts::{GameState, Half, Sport};

/// Runs of one side that are told apart; the last slot holds all above.
const RUNS: usize = 32;
type Distribution = [f64; RUNS];

const REGULATION: u8 = 9;
/// Outs of both teams in nine innings.
const REGULATION_OUTS: f64 = 54.0;

const RUNNER_ON_SECOND: usize = 0b010;

/// The distributions that do not depend on the state.
#[derive(Debug, Clone)]
pub(super) struct Baseball {
    situations: Situations,
    /// Runs in `n` full half innings of regulation.
    innings: [Distribution; REGULATION as usize + 1],
    /// Runs in one half inning after regulation.
    extra: Distribution,
}

/// What the rest of a half inning brings.
#[derive(Debug, Clone)]
struct Situations {
    expected: BaseOut,
    any: BaseOut,
}

/// Half innings that a side still has from their start.
enum Innings {
    Regulation(u8),
    Extra,
}

impl Baseball {
    pub(super) fn of(parameters: &Parameters) -> Self {
        let runs = parameters.of(Sport::Mlb).runs.as_ref();
        let situations = Situations {
            expected: runs.map_or([[0.0; 3]; 8], |runs| runs.expected.value),
            any: runs.map_or([[0.0; 3]; 8], |runs| runs.any.value),
        };
        let one = situations.half_inning(0, 0);
        let mut innings = [[0.0; RUNS]; REGULATION as usize + 1];
        let mut runs = certain_zero();
        for slot in &mut innings {
            *slot = runs;
            runs = convolve(&runs, &one);
        }
        Self {
            innings,
            extra: situations.half_inning(RUNNER_ON_SECOND, 0),
            situations,
        }
    }

    pub(super) fn neutral(&self, state: &GameState) -> Option<Neutral> {
        let inning = state.period;
        if inning == 0 {
            return None;
        }
        let half = match (state.half()?, state.outs >= 3) {
            (Half::None, _) => return None,
            (Half::Top, true) => Half::Middle,
            (Half::Bottom, true) => Half::End,
            (half, _) => half,
        };
        let batting = self
            .situations
            .half_inning(usize::from(state.bases & 0b111), state.outs);
        let later = REGULATION.saturating_sub(inning);
        let later_runs = self.full(&Innings::Regulation(later));
        let this_inning = if inning > REGULATION {
            Innings::Extra
        } else {
            Innings::Regulation(1)
        };
        let home_next = match this_inning {
            Innings::Extra => self.full(&Innings::Extra),
            Innings::Regulation(_) => self.full(&Innings::Regulation(later + 1)),
        };
        let (home, away, outs_left) = match half {
            Half::Top => (
                *home_next,
                convolve(&batting, later_runs),
                6 * later + 6 - state.outs,
            ),
            Half::Middle => (*home_next, *later_runs, 6 * later + 3),
            Half::Bottom => (
                convolve(&batting, later_runs),
                *later_runs,
                6 * later + 3 - state.outs,
            ),
            Half::End | Half::None => (*later_runs, *later_runs, 6 * later),
        };
        let lead = lead(state);
        // Level after regulation, at least an inning follows.
        let outs_left = if lead == 0 {
            outs_left.max(6)
        } else {
            outs_left
        };
        let left = f64::from(outs_left) / REGULATION_OUTS;
        Some(Neutral {
            home_win: more_runs(&home, &away, lead),
            left,
        })
    }

    fn full(&self, innings: &Innings) -> &Distribution {
        match innings {
            Innings::Extra => &self.extra,
            Innings::Regulation(count) => {
                &self.innings[usize::from(*count).min(REGULATION as usize)]
            }
        }
    }
}

/// P(lead + home runs > away runs) + P(level) / 2.
fn more_runs(home: &Distribution, away: &Distribution, lead: i32) -> f64 {
    let mut total = 0.0;
    for (home_runs, home_chance) in (0_i32..).zip(home) {
        for (away_runs, away_chance) in (0_i32..).zip(away) {
            total += home_chance * away_chance * super::result(lead + home_runs - away_runs);
        }
    }
    total.clamp(0.0, 1.0)
}

impl Situations {
    /// Runs in the rest of a half inning. Out-of-range outs give no runs.
    fn half_inning(&self, bases: usize, outs: u8) -> Distribution {
        let outs = usize::from(outs);
        let (Some(expected), Some(any)) = (
            self.expected.get(bases).and_then(|row| row.get(outs)),
            self.any.get(bases).and_then(|row| row.get(outs)),
        ) else {
            return certain_zero();
        };
        // Geometric from one on with mean m: P(k) = (1 - r) r^(k - 1) with r = 1 - 1/m.
        let ratio = 1.0 - any / expected;
        let mut runs = [0.0; RUNS];
        let mut chance = any * (1.0 - ratio);
        let mut rest = *any;
        runs[0] = 1.0 - any;
        for slot in &mut runs[1..RUNS - 1] {
            *slot = chance;
            rest -= chance;
            chance *= ratio;
        }
        runs[RUNS - 1] = rest.max(0.0);
        runs
    }
}

fn certain_zero() -> Distribution {
    let mut runs = [0.0; RUNS];
    runs[0] = 1.0;
    runs
}

/// Distribution of the sum; what exceeds the last slot stays in it.
fn convolve(one: &Distribution, other: &Distribution) -> Distribution {
    let mut sum = [0.0; RUNS];
    for (first, first_chance) in one.iter().enumerate() {
        for (second, second_chance) in other.iter().enumerate() {
            sum[(first + second).min(RUNS - 1)] += first_chance * second_chance;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_distribution_sums_to_one_and_keeps_its_expectation() {
        let game = Baseball::of(Parameters::shipped());
        for (bases, row) in game.situations.expected.iter().enumerate() {
            for (outs, expected) in (0_u8..).zip(row) {
                let runs = game.situations.half_inning(bases, outs);
                let sum: f64 = runs.iter().sum();
                let mean: f64 = (0_i32..)
                    .zip(&runs)
                    .map(|(count, p)| f64::from(count) * p)
                    .sum();
                assert!((sum - 1.0).abs() < 1e-9, "{bases} {outs}: {sum}");
                assert!(
                    (mean - expected).abs() < 1e-3,
                    "{bases} {outs}: {mean} not {expected}"
                );
            }
        }
        let mean: f64 = (0_i32..)
            .zip(&game.innings[9])
            .map(|(n, p)| f64::from(n) * p)
            .sum();
        assert!((mean - 9.0 * 0.481).abs() < 1e-3, "{mean}");
    }
}
