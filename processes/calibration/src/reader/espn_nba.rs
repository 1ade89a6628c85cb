//! One NBA game of December 2025 with ESPN's own probability after each play.

use super::rows::{Rows, Unreadable};
use crate::game::{DataSet, Game, Pregame, Sample, live};
use layouts::Sport;
use std::path::Path;

pub(super) const FILE: &str = "pbp_wp/espn_nba_401810206_plays_wp.csv";

pub(super) fn read(directory: &Path) -> Result<Option<DataSet>, Unreadable> {
    Rows::open(directory, FILE)?.map(games).transpose()
}

fn games(mut rows: Rows) -> Result<DataSet, Unreadable> {
    let mut samples: Vec<Sample> = Vec::new();
    let mut date = None;
    while let Some(row) = rows.next()? {
        date.get_or_insert(row.date("wallclock")?);
        let clock = row.text("clock")?;
        let (minutes, seconds) = clock.split_once(':').unwrap_or(("0", clock));
        let parse = |text: &str| text.parse::<f64>().map_err(|_| row.unfit("clock", clock));
        let seconds = parse(minutes)? * 60.0 + parse(seconds)?;
        samples.push(Sample {
            state: live(
                Sport::Nba,
                row.number("period")?,
                row.deciseconds(seconds)?,
                row.whole("home_score")?,
                row.whole("away_score")?,
            ),
            feed: row.probability("espn_home_wp")?,
            mid: None,
        });
    }
    let last = samples.last().map(|sample| sample.state);
    let (Some(date), Some(last)) = (date, last) else {
        return Err(Unreadable::new(FILE, "no play"));
    };
    Ok(DataSet {
        sport: Sport::Nba,
        name: "NBA, one game of ESPN",
        fits: &[],
        writes: false,
        feed_is: "ESPN",
        notes: vec!["one game shows nothing but the shape; ESPN's number knows the teams".into()],
        games: vec![Game {
            id: "401810206".into(),
            date,
            // The line of the same recording: Atlanta, away, gives 9.5 points.
            pregame: Pregame::Line(-9.5),
            home_won: last.home_score > last.away_score,
            samples,
        }],
        results: None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::rows::table;
    use super::*;

    #[test]
    fn clocks_read_in_both_forms() {
        let set = games(table(
            "play_id,wallclock,period,clock,seconds_remaining_regulation,home_score,away_score,scoring_play,type,espn_home_wp\n\
             1,2025-12-07T00:11:10Z,1,11:41,2861.0,3,0,1,Jump Shot,0.158\n\
             2,2025-12-07T02:21:42Z,4,54.9,54.9,116,131,0,Foul,0\n",
        ))
        .unwrap();
        let game = &set.games[0];
        let states: Vec<_> = game
            .samples
            .iter()
            .map(|it| (it.state.clock_deciseconds, it.feed))
            .collect();
        assert_eq!(states, [(7_010, Some(0.158)), (549, Some(0.0))]);
        assert!(!game.home_won);
    }
}
