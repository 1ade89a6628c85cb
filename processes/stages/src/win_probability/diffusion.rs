//! Football and basketball: the lead as a Brownian motion (Stern 1994), in whole points.
//!
//! With a share `f` of regulation left, the points still to come are `N(0, sigma^2 f)`. Scores are
//! whole, so the final lead is above zero when the normal is above one half (continuity
//! correction), and within half a point of zero the game goes to overtime, which two equal teams
//! win equally often.
//!
//! `sigma` is the standard deviation of the final margin about its expectation, as the game in its
//! course shows it: what fits the states of NBA games is wider than results about the closing line, which
//! `strength.line_deviation` is.

use super::normal::phi;
use super::parameters::{FILES, Parameters};
use super::{Neutral, lead, result};
use layouts::{GameState, Sport};

/// How a game is divided.
struct Shape {
    periods: u8,
    period_seconds: f64,
    overtime_seconds: f64,
}

fn shape(sport: Sport) -> Option<Shape> {
    let (periods, period_seconds, overtime_seconds) = match sport {
        Sport::Nfl => (4, 900.0, 600.0),
        // College overtime has no clock: pairs of possessions, about as much as five minutes.
        Sport::Ncaaf => (4, 900.0, 300.0),
        Sport::Nba => (4, 720.0, 300.0),
        Sport::Ncaam => (2, 1_200.0, 300.0),
        Sport::Nhl | Sport::Mlb => return None,
    };
    Some(Shape {
        periods,
        period_seconds,
        overtime_seconds,
    })
}

/// What the ball is worth: a line through the value of first-and-ten by field position, less for
/// each down used.
#[derive(Debug, Clone, Copy)]
struct Ball {
    yard: f64,
    worthless_at: f64,
    down: f64,
    drive_variance: f64,
}

/// The numbers of one sport.
#[derive(Debug, Clone, Copy, Default)]
struct Numbers {
    sigma_squared: f64,
    ball: Option<Ball>,
}

/// How much a game varies, by [`Sport`] as a number.
#[derive(Debug, Clone)]
pub(super) struct Diffusion {
    sports: [Numbers; 6],
}

impl Diffusion {
    pub(super) fn of(parameters: &Parameters) -> Self {
        let numbers = |sport| {
            let sport = parameters.of(sport);
            let sigma = sport.diffusion.as_ref().map_or(0.0, |it| it.sigma.value);
            Numbers {
                sigma_squared: sigma * sigma,
                ball: sport.ball.as_ref().map(|ball| Ball {
                    yard: ball.yard.value,
                    worthless_at: ball.worthless_at.value,
                    down: ball.down.value,
                    drive_variance: ball.drive_deviation.value * ball.drive_deviation.value,
                }),
            }
        };
        Self {
            sports: FILES.map(|(sport, ..)| numbers(sport)),
        }
    }

    pub(super) fn neutral(&self, state: &GameState, sport: Sport) -> Option<Neutral> {
        let shape = shape(sport)?;
        let numbers = &self.sports[sport as usize];
        let total = f64::from(shape.periods) * shape.period_seconds;
        let clock = f64::from(state.clock_deciseconds) / 10.0;
        let overtime = state.period > shape.periods;
        let seconds_left = match state.period {
            0 => return None,
            _ if overtime && sport == Sport::Ncaaf => shape.overtime_seconds,
            _ if overtime => clock.min(shape.overtime_seconds),
            period => {
                f64::from(shape.periods - period) * shape.period_seconds
                    + clock.min(shape.period_seconds)
            }
        };
        let lead = lead(state);
        let left = seconds_left / total;
        // An overtime that may still follow keeps the stronger team's advantage alive on a tie.
        let strength_left = if lead == 0 {
            left.max(shape.overtime_seconds / total)
        } else {
            left
        };
        if seconds_left <= 0.0 {
            return Some(Neutral {
                home_win: result(lead),
                left: strength_left,
            });
        }
        let (ball, ball_variance) = ball_value(numbers.ball.as_ref(), state);
        let sigma = (numbers.sigma_squared * left + ball_variance).sqrt();
        let expected = f64::from(lead) + ball;
        let wins = 1.0 - phi((0.5 - expected) / sigma);
        let loses = phi((-0.5 - expected) / sigma);
        Some(Neutral {
            home_win: wins + 0.5 * (1.0 - wins - loses),
            left: strength_left,
        })
    }
}

/// What the ball is worth to the home team, in points, and the variance of what the drive brings.
fn ball_value(ball: Option<&Ball>, state: &GameState) -> (f64, f64) {
    let in_play = (1..=2).contains(&state.possession) && (1..=4).contains(&state.down);
    let Some(ball) = ball.filter(|_| in_play) else {
        return (0.0, 0.0);
    };
    let from_home_goal = f64::from(state.yard_line.min(100));
    let home_has_it = state.possession == 1;
    let from_own_goal = if home_has_it {
        from_home_goal
    } else {
        100.0 - from_home_goal
    };
    let first_and_ten = ball.yard * (from_own_goal - ball.worthless_at);
    let value = first_and_ten - ball.down * f64::from(state.down - 1);
    (
        if home_has_it { value } else { -value },
        ball.drive_variance,
    )
}
