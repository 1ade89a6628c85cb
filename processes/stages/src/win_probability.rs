//! The probability that the home team wins, from the state of the game and the pregame estimate.
//!
//! Every sport has a *neutral* model: what two equal teams would do from here. Team strength enters
//! the same way in all of them, as the drift of Stern's Brownian motion ("A Brownian motion model
//! for the progress of sports scores", JASA 1994): with a pregame probability p0 and a share f of
//! the game left, a neutral probability p becomes `phi(phi_inverse(p) + phi_inverse(p0) sqrt(f))`.
//! For football and basketball that is Stern's formula `phi((lead + drift f) / (sigma sqrt(f)))`
//! itself, with `drift = sigma phi_inverse(p0)`; it gives p0 at the start and fades out at the end.
//!
//! | sport | neutral model | file |
//! |---|---|---|
//! | football, basketball | normal diffusion of the lead, overtime on a tie | `diffusion` |
//! | ice hockey | Poisson goals of each side, next goal wins on a tie | `hockey` |
//! | baseball | distribution of runs of each half inning left | `baseball` |
//!
//! Where the numbers are from says each file of `models/`: see [`parameters`]. How well they do on
//! recorded games says `scripts/calibrate`.
//!
//! Probabilities are the only floating point of the stages; money never is: see [`to_e4`].

mod baseball;
mod diffusion;
mod hockey;
pub mod normal;
pub mod parameters;

use layouts::game::NO_PROBABILITY;
use layouts::{E4_PER_DOLLAR, GameState, Phase, Sport};
use normal::{phi, phi_inverse};
use parameters::{FILES, Parameters};

/// What a neutral model says of a running game.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Neutral {
    /// Probability that the home team wins if the teams are equal; a tie counts half.
    home_win: f64,
    /// Share of the game that is left, 0 to 1.
    left: f64,
}

/// The models of all sports with their precomputed tables.
#[derive(Debug, Clone)]
pub struct WinProbability {
    home_win: [f64; 6],
    diffusion: diffusion::Diffusion,
    hockey: hockey::Hockey,
    baseball: baseball::Baseball,
}

impl Default for WinProbability {
    fn default() -> Self {
        Self::of(Parameters::shipped())
    }
}

impl WinProbability {
    /// The models with the shipped parameters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The models with these parameters.
    #[must_use]
    pub fn of(parameters: &Parameters) -> Self {
        Self {
            home_win: FILES.map(|(sport, ..)| parameters.of(sport).strength.home_win.value),
            diffusion: diffusion::Diffusion::of(parameters),
            hockey: hockey::Hockey::of(parameters),
            baseball: baseball::Baseball::of(parameters),
        }
    }

    /// P(home wins), a tie counting half; `None` where the state does not allow a judgement.
    #[must_use]
    pub fn home_win(&self, state: &GameState) -> Option<f64> {
        let sport = state.sport()?;
        let pregame = pregame(state, self.home_win[sport as usize]);
        match state.phase()? {
            Phase::Off => None,
            Phase::Scheduled => Some(pregame),
            Phase::Final => Some(result(lead(state))),
            Phase::Live => {
                let neutral = match sport {
                    Sport::Nfl | Sport::Ncaaf | Sport::Nba | Sport::Ncaam => {
                        self.diffusion.neutral(state, sport)?
                    }
                    Sport::Nhl => self.hockey.neutral(state)?,
                    Sport::Mlb => self.baseball.neutral(state)?,
                };
                Some(with_strength(neutral, pregame))
            }
        }
    }
}

/// A probability as the price in 1/10,000 dollar of a contract that pays one dollar.
#[must_use]
pub fn to_e4(probability: f64) -> u16 {
    let scaled = (probability.clamp(0.0, 1.0) * f64::from(E4_PER_DOLLAR)).round();
    // Clamped to 0..=10_000 above, so the cast is exact; NaN becomes 0.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let price = scaled as u16;
    price
}

/// The home team's usual share stands in for want of a pregame estimate.
fn pregame(state: &GameState, home_win: f64) -> f64 {
    let told = state.pregame_home_win_e4;
    if told == NO_PROBABILITY || told > E4_PER_DOLLAR {
        return home_win;
    }
    // Nobody is certain of a game that has not begun.
    (f64::from(told) / f64::from(E4_PER_DOLLAR)).clamp(0.01, 0.99)
}

fn with_strength(neutral: Neutral, pregame: f64) -> f64 {
    if neutral.home_win <= 0.0 || neutral.home_win >= 1.0 {
        return neutral.home_win.clamp(0.0, 1.0);
    }
    phi(phi_inverse(neutral.home_win) + phi_inverse(pregame) * neutral.left.max(0.0).sqrt())
}

/// The home team's lead.
fn lead(state: &GameState) -> i32 {
    i32::from(state.home_score) - i32::from(state.away_score)
}

/// Value of a home win contract at a final lead; a tie settles at half.
fn result(lead: i32) -> f64 {
    match lead.signum() {
        1 => 1.0,
        -1 => 0.0,
        _ => 0.5,
    }
}

#[cfg(test)]
mod tests;
