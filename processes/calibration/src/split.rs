//! Which days train and which are held out. Never by chance: games of one day, and moments of one game,
//! are not independent, and whoever trades knows only the past.

use crate::game::Game;
use jiff::civil::Date;

/// Blocks into which walking forward cuts the games; the first only trains.
const BLOCKS: usize = 6;

/// Trains on the games before `from`, tests on those from then on that are before `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fold {
    /// First day that is held out.
    pub from: Date,
    /// First day that is not.
    pub until: Date,
}

impl Fold {
    /// The games that train.
    pub fn training<'a>(&self, games: &'a [Game]) -> &'a [Game] {
        &games[..games.partition_point(|game| game.date < self.from)]
    }

    /// The games that are held out.
    pub fn held_out<'a>(&self, games: &'a [Game]) -> &'a [Game] {
        let first = games.partition_point(|game| game.date < self.from);
        let end = games.partition_point(|game| game.date < self.until);
        &games[first..end]
    }
}

/// How days are held out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// The first half of the games trains, once; the days after it are held out.
    Once,
    /// Each of five blocks of days is held out from what all days before it train.
    Walking,
}

impl Split {
    /// Its folds. Games are in order of date; too few days give none.
    #[must_use]
    pub fn folds(self, games: &[Game]) -> Vec<Fold> {
        let parts: Vec<usize> = match self {
            Self::Once => vec![games.len() / 2],
            Self::Walking => (1..BLOCKS)
                .map(|block| games.len() * block / BLOCKS)
                .collect(),
        };
        let mut days: Vec<Date> = parts
            .into_iter()
            .filter_map(|at| games.get(at).map(|game| game.date))
            .filter(|day| games.first().is_some_and(|first| first.date < *day))
            .collect();
        days.dedup();
        let ends = days.iter().copied().skip(1).chain([Date::MAX]);
        days.iter()
            .zip(ends)
            .map(|(from, until)| Fold { from: *from, until })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::game::Pregame;
    use jiff::{ToSpan as _, civil::date};

    fn games(days: &[i32]) -> Vec<Game> {
        let game = |day: &i32| Game {
            id: String::new(),
            date: date(2025, 1, 1) + (*day).days(),
            pregame: Pregame::Nothing,
            home_won: true,
            samples: vec![],
        };
        days.iter().map(game).collect()
    }

    #[test]
    fn a_day_is_never_on_both_sides() {
        let games = games(&[0, 1, 1, 1, 1, 2, 3, 3, 4, 5, 6, 7]);
        for split in [Split::Once, Split::Walking] {
            for fold in split.folds(&games) {
                let (training, held_out) = (fold.training(&games), fold.held_out(&games));
                let last = training.last().expect("something trains").date;
                assert!(held_out.iter().all(|game| game.date > last), "{split:?}");
            }
        }
        let once = Split::Once.folds(&games);
        assert_eq!(
            (
                once[0].training(&games).len(),
                once[0].held_out(&games).len()
            ),
            (6, 6)
        );
        let walked: usize = Split::Walking
            .folds(&games)
            .iter()
            .map(|fold| fold.held_out(&games).len())
            .sum();
        assert_eq!(walked, 11, "all but the first day");
    }

    #[test]
    fn one_day_is_not_split() {
        for split in [Split::Once, Split::Walking] {
            assert!(split.folds(&games(&[3, 3, 3])).is_empty());
            assert!(split.folds(&[]).is_empty());
        }
    }
}
