//! A rating made of final margins: the strength of each team as a random walk, known by its games.
//!
//! Margin = strength of the home team - strength of the away team + home advantage + noise, and a side that
//! has played the day before is weaker by `tired`. A Kalman filter (Glickman and Stern, "A state-space model for National Football League scores", JASA 1998)
//! tells before each game what the days before it say, and how surely. Between seasons strengths move a
//! quarter of the way back to the mean (as in FiveThirtyEight's NBA ratings) and are as unsure as at first.

use crate::minimum::nelder_mead;
use jiff::civil::Date;
use std::collections::HashMap;

/// A longer pause than this is one between seasons, days.
const PAUSE_DAYS: i32 = 60;
/// What a team keeps of its strength over the pause.
const KEPT: f64 = 0.75;
/// A margin further than this from what was expected says no more than this, points.
const SURPRISE: f64 = 30.0;

/// One result.
#[derive(Debug, Clone)]
pub struct Played {
    /// Id of the game.
    pub game: String,
    /// Its day.
    pub date: Date,
    /// Home team.
    pub home: String,
    /// Away team.
    pub away: String,
    /// Points of the home team less those of the away team.
    pub margin: f64,
}

/// Results in order.
#[derive(Debug, Clone)]
pub struct Results(Vec<Played>);

/// The numbers of the filter: variances in points squared, the others in points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Filter {
    /// Of a team's strength before its first game of a season.
    pub first: f64,
    /// Of the step that strength takes from game to game.
    pub step: f64,
    /// Of a margin about its expectation.
    pub noise: f64,
    /// Home advantage.
    pub home: f64,
    /// What a side lacks that has played the day before.
    pub tired: f64,
}

const START: Filter = Filter {
    first: 25.0,
    step: 0.3,
    noise: 170.0,
    home: 2.5,
    tired: 2.0,
};

/// What is known of a team.
#[derive(Clone, Copy)]
struct Team {
    strength: f64,
    variance: f64,
    last: Option<Date>,
}

impl Team {
    fn new(filter: Filter) -> Self {
        Self {
            strength: 0.0,
            variance: filter.first,
            last: None,
        }
    }

    fn is_tired(&self, today: Date) -> bool {
        self.last.is_some_and(|last| days(last, today) == 1)
    }
}

impl Results {
    /// Puts them in order.
    #[must_use]
    pub fn new(mut results: Vec<Played>) -> Self {
        results.sort_by(|one, other| (one.date, &one.game).cmp(&(other.date, &other.game)));
        Self(results)
    }

    /// In order.
    #[must_use]
    pub fn all(&self) -> &[Played] {
        &self.0
    }

    /// The filter that makes the margins of the days before `until` likeliest.
    #[must_use]
    pub fn fit(&self, until: Date) -> Filter {
        let start = [
            START.first.ln(),
            START.step.ln(),
            START.noise.ln(),
            START.home,
            START.tired,
        ];
        let filter = |x: &[f64]| Filter {
            first: x[0].exp(),
            step: x[1].exp(),
            noise: x[2].exp(),
            home: x[3],
            tired: x[4],
        };
        let surprise = |x: &[f64]| {
            let filter = filter(x);
            let told = self.expectations(filter);
            let before = self
                .0
                .iter()
                .zip(told)
                .take_while(|(played, _)| played.date < until);
            before
                .map(|(played, (difference, variance))| {
                    let error = played.margin - filter.home - difference;
                    variance.ln() + error * error / variance
                })
                .sum::<f64>()
        };
        filter(&nelder_mead(&start, 0.3, 1e-2, 400, surprise))
    }

    /// By id of the game: strength of the home team less that of the away team before it, as rested as they
    /// are, points.
    #[must_use]
    pub fn differences(&self, filter: Filter) -> HashMap<&str, f64> {
        let told = self.expectations(filter);
        let ids = self.0.iter().map(|played| played.game.as_str());
        ids.zip(told.into_iter().map(|(difference, _)| difference))
            .collect()
    }

    /// For each game what its teams' earlier games say: difference of strengths, variance of the margin.
    fn expectations(&self, filter: Filter) -> Vec<(f64, f64)> {
        let mut teams: HashMap<&str, Team> = HashMap::new();
        let mut last: Option<Date> = None;
        let mut told = Vec::with_capacity(self.0.len());
        for played in &self.0 {
            let pause = last.is_some_and(|last| days(last, played.date) > PAUSE_DAYS);
            last = Some(played.date);
            if pause {
                for team in teams.values_mut() {
                    team.strength *= KEPT;
                    team.variance = filter.first;
                }
            }
            let of = |team: &str| {
                let known = teams.get(team).copied();
                let mut team = known.unwrap_or_else(|| Team::new(filter));
                team.variance += filter.step;
                team
            };
            let (mut home, mut away) = (of(&played.home), of(&played.away));
            let variance = home.variance + away.variance + filter.noise;
            let tired = |team: &Team| f64::from(u8::from(team.is_tired(played.date)));
            let tired = tired(&away) - tired(&home);
            let difference = home.strength - away.strength + filter.tired * tired;
            told.push((difference, variance));
            let error = (played.margin - filter.home - difference).clamp(-SURPRISE, SURPRISE);
            for (team, name, error) in [
                (&mut home, &played.home, error),
                (&mut away, &played.away, -error),
            ] {
                let gain = team.variance / variance;
                team.strength += gain * error;
                team.variance *= 1.0 - gain;
                team.last = Some(played.date);
                teams.insert(name, *team);
            }
        }
        told
    }
}

fn days(from: Date, to: Date) -> i32 {
    from.until(to).map_or(0, |span| span.get_days())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::{ToSpan as _, civil::date};
    use rand::{Rng as _, SeedableRng as _};

    fn played(day: i32, home: usize, away: usize, margin: f64) -> Played {
        Played {
            game: format!("{day}-{home}-{away}"),
            date: date(2025, 1, 1) + day.days(),
            home: home.to_string(),
            away: away.to_string(),
            margin,
        }
    }

    /// By hand: variance 25.3 + 25.3 + 170 = 220.6; an error of 7.5 moves each team by 25.3/220.6 of it.
    #[test]
    fn a_game_says_something_of_the_next_and_nothing_of_itself() {
        let results = Results::new(vec![played(1, 1, 2, 10.0), played(2, 1, 2, -20.0)]);
        let told = results.differences(START);
        assert_eq!(told["1-1-2"], 0.0);
        assert!(
            (told["2-1-2"] - 2.0 * 7.5 * 25.3 / 220.6).abs() < 1e-9,
            "{told:?}"
        );
        // After the pause three quarters are left.
        let results = Results::new(vec![played(1, 1, 2, 10.0), played(101, 1, 2, 0.0)]);
        let told = results.differences(START)["101-1-2"];
        assert!(
            (told - 0.75 * 2.0 * 7.5 * 25.3 / 220.6).abs() < 1e-9,
            "{told}"
        );
    }

    /// Teams 2 and 3 have played yesterday, as was expected of them; team 1 has not.
    #[test]
    fn a_side_that_has_played_yesterday_is_weaker() {
        let told = |home, away, day| {
            let first = played(1, 2, 3, START.home);
            let results = Results::new(vec![first, played(day, home, away, 0.0)]);
            results.differences(START)[format!("{day}-{home}-{away}").as_str()]
        };
        assert_eq!(told(1, 2, 2), START.tired);
        assert_eq!(told(2, 1, 2), -START.tired);
        assert_eq!(told(2, 3, 2), 0.0, "both are");
        assert_eq!(told(1, 2, 3), 0.0, "a day of rest");
    }

    #[test]
    fn invented_strengths_are_found_again() {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        let mut noise = |deviation: f64| {
            // The sum of twelve uniform numbers less six is normal enough.
            (0..12).map(|_| random.random::<f64>()).sum::<f64>() * deviation - 6.0 * deviation
        };
        let strength: Vec<f64> = (0..20).map(|_| noise(5.0)).collect();
        let mut all = Vec::new();
        for day in 0..50 {
            for home in 0..10 {
                let away = 10 + (home + usize::try_from(day).unwrap()) % 10;
                // At home in turn, lest the home teams' strength pass for home advantage.
                let (home, away) = if day % 2 == 0 {
                    (home, away)
                } else {
                    (away, home)
                };
                let margin = strength[home] - strength[away] + 3.0 + noise(12.0);
                all.push(played(day, home, away, margin));
            }
        }
        let results = Results::new(all);
        let filter = results.fit(date(2025, 2, 19));
        assert!((filter.home - 3.0).abs() < 1.5, "{filter:?}");
        assert!((filter.noise.sqrt() - 12.0).abs() < 1.5, "{filter:?}");
        let told = results.differences(filter);
        let errors = results.all()[400..].iter().map(|played| {
            let home: usize = played.home.parse().unwrap();
            let away: usize = played.away.parse().unwrap();
            (told[played.game.as_str()] - strength[home] + strength[away]).abs()
        });
        let mean = errors.sum::<f64>() / 100.0;
        assert!(mean < 4.0, "{mean}");
    }
}
