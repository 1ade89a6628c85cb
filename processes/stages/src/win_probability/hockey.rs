//! Ice hockey: each side scores as a Poisson process; level after regulation, the next goal wins.
//!
//! The difference of two Poisson variables is Skellam's distribution (Skellam 1946; used for hockey
//! by Thomas, "Inter-arrival times of goals in ice hockey", JQAS 2007). Pulled goalies are not modelled: the scoreboard
//! does not show them.

use super::parameters::Parameters;
use super::{Neutral, lead};
use layouts::{GameState, Sport};

const PERIODS: u8 = 3;
const PERIOD_SECONDS: f64 = 1_200.0;
const OVERTIME_SECONDS: f64 = 300.0;
/// More goals than this in the rest of one game have a probability below 1e-10.
const MOST_GOALS: usize = 24;

/// The rate of goals.
#[derive(Debug, Clone)]
pub(super) struct Hockey {
    /// A team, in regulation.
    goals_per_game: f64,
}

impl Hockey {
    pub(super) fn of(parameters: &Parameters) -> Self {
        let goals = parameters.of(Sport::Nhl).goals.as_ref();
        Self {
            goals_per_game: goals.map_or(0.0, |goals| goals.per_game.value),
        }
    }

    pub(super) fn neutral(&self, state: &GameState) -> Option<Neutral> {
        let clock = f64::from(state.clock_deciseconds) / 10.0;
        let total = f64::from(PERIODS) * PERIOD_SECONDS;
        let lead = lead(state);
        let seconds_left = match state.period {
            0 => return None,
            period if period <= PERIODS => {
                f64::from(PERIODS - period) * PERIOD_SECONDS + clock.min(PERIOD_SECONDS)
            }
            // Overtime ends at the first goal, so a lead in it is a result.
            _ => 0.0,
        };
        let left = (seconds_left / total).max(if lead == 0 {
            OVERTIME_SECONDS / total
        } else {
            0.0
        });
        let goals = poisson(self.goals_per_game * seconds_left / total);
        Some(Neutral {
            home_win: more_goals(&goals, lead),
            left,
        })
    }
}

/// P(lead + home goals > away goals) + P(level) / 2, both sides scoring alike.
fn more_goals(goals: &[f64; MOST_GOALS], lead: i32) -> f64 {
    let mut total = 0.0;
    for (home, home_chance) in (0_i32..).zip(goals) {
        for (away, away_chance) in (0_i32..).zip(goals) {
            total += home_chance * away_chance * super::result(lead + home - away);
        }
    }
    total.clamp(0.0, 1.0)
}

fn poisson(mean: f64) -> [f64; MOST_GOALS] {
    let mut chances = [0.0; MOST_GOALS];
    let mut chance = (-mean).exp();
    for (goals, slot) in (1_u32..).zip(chances.iter_mut()) {
        *slot = chance;
        chance *= mean / f64::from(goals);
    }
    chances
}
