//! Football and basketball: the lead as a Brownian motion (Stern 1994), in whole points.
//!
//! With a share `f` of regulation left, the points still to come are `N(0, sigma^2 f)`. Scores are
//! whole, so the final lead is above zero when the normal is above one half (continuity
//! correction), and within half a point of zero the game goes to overtime, which two equal teams
//! win equally often.
//!
//! `sigma` is the standard deviation of the final margin about its expectation: NFL 13.86 (Stern,
//! "On the probability of winning a football game", The American Statistician 1991); college
//! football 16.5, NBA 13.2 and college basketball 11 are the spread of results about the closing
//! line in those leagues, less than the 15.8 that Stern's 1994 NBA fit has without team strength.

use super::normal::phi;
use super::{Neutral, lead, result};
use layouts::{GameState, Sport};

/// How a game is divided and how much it varies.
struct Shape {
    periods: u8,
    period_seconds: f64,
    overtime_seconds: f64,
    sigma_points: f64,
}

fn shape(sport: Sport) -> Option<Shape> {
    let (periods, period_seconds, overtime_seconds, sigma_points) = match sport {
        Sport::Nfl => (4, 900.0, 600.0, 13.86),
        // College overtime has no clock: pairs of possessions, about as much as five minutes.
        Sport::Ncaaf => (4, 900.0, 300.0, 16.5),
        Sport::Nba => (4, 720.0, 300.0, 13.2),
        Sport::Ncaam => (2, 1_200.0, 300.0, 11.0),
        Sport::Nhl | Sport::Mlb => return None,
    };
    Some(Shape {
        periods,
        period_seconds,
        overtime_seconds,
        sigma_points,
    })
}

pub(super) fn neutral(state: &GameState, sport: Sport) -> Option<Neutral> {
    let shape = shape(sport)?;
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
    let (ball, ball_variance) = ball_value(state, sport);
    if seconds_left <= 0.0 {
        return Some(Neutral {
            home_win: result(lead),
            left: strength_left,
        });
    }
    let sigma = (shape.sigma_points * shape.sigma_points * left + ball_variance).sqrt();
    let expected = f64::from(lead) + ball;
    let wins = 1.0 - phi((0.5 - expected) / sigma);
    let loses = phi((-0.5 - expected) / sigma);
    Some(Neutral {
        home_win: wins + 0.5 * (1.0 - wins - loses),
        left: strength_left,
    })
}

/// What the ball is worth to the home team, in points, and the variance of what the drive brings.
///
/// A line through the value of first-and-ten by field position in Romer, "Do firms maximize?
/// Evidence from professional football", JPE 2006, figure 1: nothing at the own 15 yards, 4.4
/// points at the opponent's 5. Each down used costs about a third of that of a new set. A drive brings 0, 3 or 7
/// points: its standard deviation is near 2.8.
fn ball_value(state: &GameState, sport: Sport) -> (f64, f64) {
    const DRIVE_VARIANCE: f64 = 2.8 * 2.8;
    let football = matches!(sport, Sport::Nfl | Sport::Ncaaf);
    if !football || !(1..=2).contains(&state.possession) || !(1..=4).contains(&state.down) {
        return (0.0, 0.0);
    }
    let from_home_goal = f64::from(state.yard_line.min(100));
    let home_has_it = state.possession == 1;
    let from_own_goal = if home_has_it {
        from_home_goal
    } else {
        100.0 - from_home_goal
    };
    let first_and_ten = 0.055 * (from_own_goal - 15.0);
    let value = first_and_ten - 0.45 * f64::from(state.down - 1);
    (if home_has_it { value } else { -value }, DRIVE_VARIANCE)
}
