//! The parameter files: `processes/stages/models/SPORT.toml`.

use crate::game::DataSet;
use crate::split::Split;
use crate::train::{Knob, train};
use jiff::civil::Date;
use stages::win_probability::parameters::{
    FILES, Fitted, Parameters, Refused, Sourced, SportParameters,
};
use std::path::{Path, PathBuf};

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// What was fitted is no valid file.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It cannot be put into words.
    #[error("models: {0}\n  fix: this is a fault of calibrate")]
    Unspeakable(#[from] toml::ser::Error),
    /// The file cannot be written.
    #[error("{path}: {error}\n  fix: name the directory of the parameter files with --models")]
    Io {
        /// The file.
        path: String,
        /// The system's word.
        error: std::io::Error,
    },
}

/// The text of a file: the first lines of the shipped one, which say what it is, then the numbers.
fn text(shipped: &str, parameters: &SportParameters) -> Result<String, NotWritten> {
    let head = shipped.lines().take_while(|line| line.starts_with('#'));
    let head: String = head.map(|line| format!("{line}\n")).collect();
    Ok(format!("{head}\n{}", toml::to_string(parameters)?))
}

/// Fits what a data set decides to the first half of its games and writes it; the second half stays
/// held out. Says which file was written, or nothing where the data set decides nothing.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write(set: &DataSet, models: &Path, today: Date) -> Result<Option<PathBuf>, NotWritten> {
    let folds = Split::Once.folds(&set.games);
    let (Some(fold), true) = (folds.first(), set.writes) else {
        return Ok(None);
    };
    let trained = train(set, fold);
    if trained.fitted.is_empty() {
        return Ok(None);
    }
    let games = fold.training(&set.games);
    let first = games.first().map_or(fold.from, |game| game.date);
    let last = games.last().map_or(fold.from, |game| game.date);
    let states: usize = games.iter().map(|game| game.samples.len()).sum();
    let provenance = Fitted {
        data: set.name.to_owned(),
        training: format!("{first} to {last}"),
        games: games.len() as u64,
        states: states as u64,
        method: "least mean log loss over the states of these games, Nelder-Mead".into(),
        on: today.to_string(),
    };
    let mut parameters = trained.parameters.of(set.sport).clone();
    for knob in set.fits {
        if let Some(number) = number(*knob, &mut parameters) {
            // Four digits say all that the games do.
            number.value = rounded(number.value);
            number.fitted = Some(provenance.clone());
        }
    }
    let shipped = FILES.into_iter().find(|(sport, ..)| *sport == set.sport);
    let Some((sport, name, shipped)) = shipped else {
        return Ok(None);
    };
    let text = text(shipped, &parameters)?;
    SportParameters::parse(sport, name, &text)?;
    let path = models.join(format!("{name}.toml"));
    std::fs::write(&path, text).map_err(|error| NotWritten::Io {
        path: path.display().to_string(),
        error,
    })?;
    Ok(Some(path))
}

fn number(knob: Knob, parameters: &mut SportParameters) -> Option<&mut Sourced<f64>> {
    match knob {
        Knob::Sigma => Some(&mut parameters.diffusion.as_mut()?.sigma),
        Knob::HomeWin => Some(&mut parameters.strength.home_win),
        Knob::RatingDeviation => Some(&mut parameters.strength.rating_deviation),
        Knob::LineDeviation => parameters.strength.line_deviation.as_mut(),
    }
}

/// To four significant digits.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

/// What was fitted of the shipped numbers: file, name, value, and to what.
#[must_use]
pub fn provenance() -> Vec<(&'static str, &'static str, f64, Option<&'static Fitted>)> {
    let all = [
        Knob::Sigma,
        Knob::HomeWin,
        Knob::RatingDeviation,
        Knob::LineDeviation,
    ];
    let mut told = vec![];
    for (sport, file, _) in FILES {
        let parameters = Parameters::shipped().of(sport);
        let strength = &parameters.strength;
        for knob in all {
            let number = match knob {
                Knob::Sigma => parameters.diffusion.as_ref().map(|it| &it.sigma),
                Knob::HomeWin => Some(&strength.home_win),
                Knob::RatingDeviation => Some(&strength.rating_deviation),
                Knob::LineDeviation => strength.line_deviation.as_ref(),
            };
            told.extend(number.map(|it| (file, knob.name(), it.value, it.fitted.as_ref())));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So that a fit changes the lines of its numbers and no others.
    #[test]
    fn shipped_files_are_written_as_this_program_writes_them() {
        for (sport, name, shipped) in FILES {
            let written = text(shipped, Parameters::shipped().of(sport)).expect("a text");
            assert_eq!(written, shipped, "{name}");
        }
    }

    #[test]
    fn four_digits_are_kept() {
        assert_eq!((rounded(19.923_456), rounded(0.559_249)), (19.92, 0.559_2));
    }
}
