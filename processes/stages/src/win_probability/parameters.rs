//! The numbers of the models, each with where it is from: `models/SPORT.toml`, one file a sport.
//!
//! The shipped files are part of the program. `scripts/calibrate --write` replaces what the recorded
//! games can tell, and writes into the file which games, until when, and by which method.

use super::normal::{phi, phi_inverse};
use layouts::Sport;
use serde::{Deserialize, Serialize};
use std::{fmt, sync::LazyLock};

/// A number, what it counts and where it is from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sourced<T> {
    /// The number.
    pub value: T,
    /// What it counts.
    pub unit: String,
    /// Literature, or what else it rests on; of a fitted number, where the value before it was from.
    pub source: String,
    /// The games that it was fitted to, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fitted: Option<Fitted>,
}

/// What a number was fitted to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fitted {
    /// The recorded data set.
    pub data: String,
    /// First and last date of the training split.
    pub training: String,
    /// Games of the training split.
    pub games: u64,
    /// States of these games.
    pub states: u64,
    /// What was made least, and how.
    pub method: String,
    /// Date of the fit.
    pub on: String,
}

/// How strong a team is before the game.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Strength {
    /// Share of games that the home team wins among equals.
    pub home_win: Sourced<f64>,
    /// Rating difference that shifts the outcome by one standard deviation.
    pub rating_deviation: Sourced<f64>,
    /// Standard deviation of the final margin about the line. Absent where the line is always the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_deviation: Option<Sourced<f64>>,
}

/// Football and basketball.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diffusion {
    /// Standard deviation of the final margin about its expectation.
    pub sigma: Sourced<f64>,
}

/// What the ball is worth in football.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ball {
    /// Points a yard upfield.
    pub yard: Sourced<f64>,
    /// Yards from the own goal where first-and-ten is worth nothing.
    pub worthless_at: Sourced<f64>,
    /// Points that a used down costs.
    pub down: Sourced<f64>,
    /// Standard deviation of what the drive brings.
    pub drive_deviation: Sourced<f64>,
}

/// Ice hockey.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goals {
    /// Goals a team in regulation.
    pub per_game: Sourced<f64>,
}

/// By runners (bits 1, 2, 3) and outs.
pub type BaseOut = [[f64; 3]; 8];

/// Baseball.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runs {
    /// Expected runs in the rest of the half inning.
    pub expected: Sourced<BaseOut>,
    /// Probability of at least one run in it.
    pub any: Sourced<BaseOut>,
}

/// All numbers of one sport; which sections there are depends on its model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SportParameters {
    /// Every sport has it.
    pub strength: Strength,
    /// Football and basketball.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diffusion: Option<Diffusion>,
    /// Football.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ball: Option<Ball>,
    /// Ice hockey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goals: Option<Goals>,
    /// Baseball.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<Runs>,
}

/// Why a parameter file is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The file.
    pub file: String,
    /// What and where in it.
    pub what: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}\n  fix: take the file of the repository, or have `scripts/calibrate --write` fit it anew",
            self.file, self.what
        )
    }
}

impl std::error::Error for Refused {}

/// All sports in the order of their numbers, each with the name of its file and the shipped text.
pub const FILES: [(Sport, &str, &str); 6] = [
    (Sport::Nfl, "nfl", include_str!("../../models/nfl.toml")),
    (
        Sport::Ncaaf,
        "ncaaf",
        include_str!("../../models/ncaaf.toml"),
    ),
    (Sport::Nba, "nba", include_str!("../../models/nba.toml")),
    (
        Sport::Ncaam,
        "ncaab",
        include_str!("../../models/ncaab.toml"),
    ),
    (Sport::Nhl, "nhl", include_str!("../../models/nhl.toml")),
    (Sport::Mlb, "mlb", include_str!("../../models/mlb.toml")),
];

/// The numbers of all sports.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    /// By [`Sport`] as a number.
    sports: [SportParameters; 6],
}

static SHIPPED: LazyLock<Parameters> = LazyLock::new(|| Parameters {
    // A test reads them too: a program with a bad file is never built.
    sports: FILES.map(|(sport, name, text)| {
        SportParameters::parse(sport, name, text).expect("the shipped parameters are valid")
    }),
});

impl Parameters {
    /// Those that the program was built with; read once in its life.
    #[must_use]
    pub fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// Those of one sport.
    #[must_use]
    pub fn of(&self, sport: Sport) -> &SportParameters {
        &self.sports[sport as usize]
    }

    /// The same with other numbers for one sport.
    #[must_use]
    pub fn with(&self, sport: Sport, parameters: SportParameters) -> Self {
        let mut changed = self.clone();
        changed.sports[sport as usize] = parameters;
        changed
    }
}

impl SportParameters {
    /// Reads and checks a file.
    ///
    /// # Errors
    ///
    /// When it is not of this shape, lacks what the sport's model needs, or a number is out of range.
    pub fn parse(sport: Sport, name: &str, text: &str) -> Result<Self, Refused> {
        let refused = |what: String| Refused {
            file: format!("models/{name}.toml"),
            what,
        };
        let read: Self = toml::from_str(text).map_err(|error| refused(error.to_string()))?;
        read.check(sport).map_err(refused)?;
        Ok(read)
    }

    fn check(&self, sport: Sport) -> Result<(), String> {
        let football = matches!(sport, Sport::Nfl | Sport::Ncaaf);
        let diffuses = football || matches!(sport, Sport::Nba | Sport::Ncaam);
        for (section, wanted, there) in [
            (
                "strength.line_deviation",
                diffuses,
                self.strength.line_deviation.is_some(),
            ),
            ("diffusion", diffuses, self.diffusion.is_some()),
            ("ball", football, self.ball.is_some()),
            ("goals", sport == Sport::Nhl, self.goals.is_some()),
            ("runs", sport == Sport::Mlb, self.runs.is_some()),
        ] {
            if wanted != there {
                let found = if there { "there" } else { "missing" };
                return Err(format!(
                    "section `{section}` is {found}; the model of {sport:?} says otherwise"
                ));
            }
        }
        let home_win = self.strength.home_win.value;
        if !(0.05..=0.95).contains(&home_win) {
            return Err(format!(
                "`strength.home_win` is {home_win}, not from 0.05 to 0.95"
            ));
        }
        for (name, value) in self.scales() {
            if !(value.is_finite() && value > 0.0) {
                return Err(format!("`{name}` is {value}, not above zero"));
            }
        }
        self.runs.as_ref().map_or(Ok(()), check_runs)
    }

    /// Every number that stretches something.
    fn scales(&self) -> Vec<(&'static str, f64)> {
        let mut scales = vec![(
            "strength.rating_deviation",
            self.strength.rating_deviation.value,
        )];
        let line = self.strength.line_deviation.as_ref();
        scales.extend(line.map(|line| ("strength.line_deviation", line.value)));
        let diffusion = self.diffusion.as_ref();
        scales.extend(diffusion.map(|diffusion| ("diffusion.sigma", diffusion.sigma.value)));
        if let Some(ball) = &self.ball {
            scales.extend([
                ("ball.yard", ball.yard.value),
                ("ball.worthless_at", ball.worthless_at.value),
                ("ball.down", ball.down.value),
                ("ball.drive_deviation", ball.drive_deviation.value),
            ]);
        }
        let goals = self.goals.as_ref();
        scales.extend(goals.map(|goals| ("goals.per_game", goals.per_game.value)));
        scales
    }

    /// P(home wins) before the game, by a line: points by which the home team is favoured. `None` where
    /// the sport's line is always the same (ice hockey's and baseball's 1.5).
    #[must_use]
    pub fn from_line(&self, home_favoured_by: f64) -> Option<f64> {
        let deviation = self.strength.line_deviation.as_ref()?.value;
        home_favoured_by
            .is_finite()
            .then(|| phi(home_favoured_by / deviation))
    }

    /// P(home wins) before the game, by the home team's rating less the away team's.
    #[must_use]
    pub fn from_rating(&self, difference: f64) -> Option<f64> {
        let home = phi_inverse(self.strength.home_win.value);
        let deviation = self.strength.rating_deviation.value;
        difference
            .is_finite()
            .then(|| phi(home + difference / deviation))
    }
}

/// Given a run, at least one is expected; and what is likely is less than certain.
fn check_runs(runs: &Runs) -> Result<(), String> {
    for (bases, (expected, any)) in runs.expected.value.iter().zip(&runs.any.value).enumerate() {
        for (outs, (expected, any)) in expected.iter().zip(any).enumerate() {
            if !(*any > 0.0 && *any < 1.0 && expected >= any && expected.is_finite()) {
                return Err(format!(
                    "`runs`, row {bases}, column {outs}: a run has probability {any} and {expected} are expected; \
                     wanted: a probability between 0 and 1, and no fewer runs than that"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ships_is_valid_and_in_the_order_of_the_sports() {
        for (index, (sport, name, text)) in FILES.into_iter().enumerate() {
            assert_eq!(sport as usize, index);
            let read = SportParameters::parse(sport, name, text).expect("a valid file");
            assert_eq!(&read, Parameters::shipped().of(sport));
        }
    }

    #[test]
    fn a_bad_file_says_what_where_and_how_to_mend_it() {
        let nba = FILES[2].2;
        let spoilt = |from: &str, to: &str| {
            assert!(nba.contains(from), "{from}");
            let text = nba.replacen(from, to, 1);
            SportParameters::parse(Sport::Nba, "nba", &text)
                .expect_err("a bad file")
                .to_string()
        };
        for (said, from, to) in [
            (
                "unknown field `lines`",
                "[strength.line_deviation]",
                "[strength.lines]",
            ),
            (
                "section `goals` is there",
                "[diffusion.sigma]",
                "[goals.per_game]\nvalue = 1.0\nunit = \"\"\nsource = \"\"\n\n[diffusion.sigma]",
            ),
            (
                "`diffusion.sigma` is -1, not above zero",
                "[diffusion.sigma]\nvalue = ",
                "[diffusion.sigma]\nvalue = -1.0 # ",
            ),
            (
                "`strength.home_win` is 3",
                "[strength.home_win]\nvalue = ",
                "[strength.home_win]\nvalue = 3.0 # ",
            ),
        ] {
            let told = spoilt(from, to);
            assert!(
                told.contains(said) && told.contains("models/nba.toml") && told.contains("fix:"),
                "{told}"
            );
        }
        let mlb = FILES[5].2.replace("0.268", "0.9");
        let told = SportParameters::parse(Sport::Mlb, "mlb", &mlb).expect_err("a bad table");
        assert!(told.what.contains("row 0, column 0"), "{told}");
    }

    /// Stern 1991: a favourite by 3 points wins with probability phi(3 / 13.86) = 0.5857.
    #[test]
    fn lines_and_ratings_become_probabilities() {
        let of = |sport| Parameters::shipped().of(sport);
        let line = of(Sport::Nfl).from_line(3.0).expect("football has a line");
        assert!((line - 0.585_7).abs() < 1e-3, "{line}");
        assert_eq!(of(Sport::Mlb).from_line(1.5), None);
        assert_eq!(of(Sport::Nfl).from_line(f64::NAN), None);
        // Elo: 400 points are ten to one, 10/11 = 0.909, among teams without home advantage.
        let mut hockey = of(Sport::Nhl).clone();
        hockey.strength.home_win.value = 0.5;
        let rating = hockey.from_rating(400.0).expect("a finite difference");
        assert!((rating - 0.909).abs() < 0.005, "{rating}");
        for (sport, ..) in FILES {
            let home = of(sport).from_rating(0.0).expect("equal teams");
            assert!((home - of(sport).strength.home_win.value).abs() < 1e-6);
        }
    }
}
