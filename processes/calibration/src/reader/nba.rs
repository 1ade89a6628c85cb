//! NBA, October 2024 to December 2025: every score with the seconds left, and a rating difference.

use super::rows::{Rows, Unreadable, game_of};
use crate::game::{DataSet, Game, Pregame, Sample, live};
use crate::margin_rating::{Played, Results};
use crate::train::Knob;
use layouts::Sport;
use std::{collections::HashMap, path::Path};

pub(super) const FILE: &str = "pbp_wp/nba_2024-25_pbp_states_outcomes.csv.gz";
const RESULTS: &str = "pbp_wp/nba_2024-25_games.csv";
const PERIODS: u8 = 4;
const PERIOD_SECONDS: f64 = 720.0;

pub(super) fn read(directory: &Path) -> Result<Option<DataSet>, Unreadable> {
    Rows::open(directory, FILE)?.map(games).transpose()
}

/// The same games, with results from which a rating is made: see [`crate::margin_rating`].
pub(super) fn read_with_margins(directory: &Path) -> Result<Option<DataSet>, Unreadable> {
    let (Some(set), Some(results)) = (read(directory)?, Rows::open(directory, RESULTS)?) else {
        return Ok(None);
    };
    let results = played(results)?;
    Ok(Some(DataSet {
        name: "NBA, rating from margins",
        results: Some(results),
        writes: false,
        notes: vec![
            "the same games; the rating is made here, of the final margins of earlier days only"
                .into(),
        ],
        ..set
    }))
}

fn games(mut rows: Rows) -> Result<DataSet, Unreadable> {
    let (mut games, mut index) = (Vec::new(), HashMap::new());
    while let Some(row) = rows.next()? {
        let period: u8 = row.number("period")?;
        let left: f64 = row.number("seconds_remaining")?;
        // Of the whole of regulation, but of the period in overtime.
        let later = f64::from(PERIODS.saturating_sub(period)) * PERIOD_SECONDS;
        let state = live(
            Sport::Nba,
            period,
            row.deciseconds(left - later)?,
            row.whole("score_home")?,
            row.whole("score_away")?,
        );
        let id = row.text("game_id")?;
        let game = game_of(&mut games, &mut index, id, || {
            Ok(Game {
                id: id.to_owned(),
                date: row.date("game_date")?,
                pregame: Pregame::Rating(row.number("rating_diff")?),
                home_won: row.flag("home_won")?,
                samples: vec![],
            })
        })?;
        game.samples.push(Sample {
            state,
            feed: None,
            mid: None,
        });
    }
    Ok(DataSet {
        sport: Sport::Nba,
        name: "NBA, recorded rating",
        fits: &[Knob::Sigma, Knob::HomeWin, Knob::RatingDeviation],
        writes: true,
        feed_is: "",
        notes: vec![
            "a rating like Elo's came with the games; it leaves out who plays at home".into(),
        ],
        games,
        results: None,
    })
}

fn played(mut rows: Rows) -> Result<Results, Unreadable> {
    let mut results = Vec::new();
    while let Some(row) = rows.next()? {
        results.push(Played {
            game: row.text("game_id")?.to_owned(),
            date: row.date("game_date")?,
            home: row.text("home_abbr")?.to_owned(),
            away: row.text("away_abbr")?.to_owned(),
            margin: f64::from(row.whole("home_pts")?) - f64::from(row.whole("away_pts")?),
        });
    }
    Ok(Results::new(results))
}

#[cfg(test)]
mod tests {
    use super::super::rows::table;
    use super::*;

    #[test]
    fn clocks_count_the_period_and_not_the_game() {
        let set = games(table(
            "game_id,game_date,season,action_number,period,seconds_remaining,score_home,score_away,is_playoff,rating_diff,home_won\n\
             7,2024-11-12,2024-25,4,1,2880,0,0,0,-29.5,1\n\
             7,2024-11-12,2024-25,90,3,1000,60,55,0,-29.5,1\n\
             8,2024-11-11,2024-25,9,5,285,111,113,0,4.25,0\n",
        ))
        .unwrap();
        let [first, second] = set.games.as_slice() else {
            panic!("{set:?}")
        };
        let clock = |game: &Game, at: usize| {
            let state = game.samples[at].state;
            (
                state.period,
                state.clock_deciseconds,
                state.home_score,
                state.away_score,
            )
        };
        assert_eq!(
            (clock(first, 0), clock(first, 1)),
            ((1, 7_200, 0, 0), (3, 2_800, 60, 55))
        );
        assert_eq!(clock(second, 0), (5, 2_850, 111, 113));
        assert_eq!(
            (first.pregame, first.home_won),
            (Pregame::Rating(-29.5), true)
        );
        assert_eq!((second.date.day(), second.home_won), (11, false));
    }

    #[test]
    fn a_clock_beyond_its_period_is_refused() {
        let told = games(table(
            "game_id,game_date,period,seconds_remaining,score_home,score_away,rating_diff,home_won\n7,2024-11-12,1,100,0,0,0,1\n",
        ))
        .unwrap_err();
        assert!(
            told.to_string()
                .contains("line 2: -2060 seconds on the clock"),
            "{told}"
        );
    }

    #[test]
    fn margins_are_the_home_teams() {
        let results = played(table(
            "game_id,game_date,home_abbr,away_abbr,home_pts,away_pts\n7,2024-10-22,LAL,MIN,103,110\n",
        ))
        .unwrap();
        assert_eq!(results.all()[0].margin, -7.0);
    }
}
