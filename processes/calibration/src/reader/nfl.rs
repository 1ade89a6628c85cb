//! NFL playoffs of the seasons 2009 to 2016, every play, with nflscrapR's probability before it.

use super::rows::{Row, Rows, Unreadable, game_of};
use crate::game::{DataSet, Game, Pregame, Sample, live};
use layouts::{GameState, Sport};
use std::{collections::HashMap, path::Path};

pub(super) const FILE: &str = "pbp_wp/nfl_post_2009-2016_nflscrapR_pbp_wp.csv.gz";

/// Teams of the all-star games that were recorded among them.
const ALL_STARS: [&str; 6] = ["AFC", "CRT", "IRV", "NFC", "RIC", "SAN"];

pub(super) fn read(directory: &Path) -> Result<Option<DataSet>, Unreadable> {
    Rows::open(directory, FILE)?.map(games).transpose()
}

fn games(mut rows: Rows) -> Result<DataSet, Unreadable> {
    let (mut games, mut index) = (Vec::new(), HashMap::new());
    while let Some(row) = rows.next()? {
        if ALL_STARS.contains(&row.text("home_team")?) {
            continue;
        }
        let id = row.text("game_id")?;
        let Some(state) = state(&row)? else {
            continue;
        };
        let sample = Sample {
            state,
            feed: row.probability("home_wp")?,
            mid: None,
        };
        let game = game_of(&mut games, &mut index, id, || {
            Ok(Game {
                id: id.to_owned(),
                date: row.date("game_date")?,
                pregame: Pregame::Nothing,
                home_won: row.flag("home_won")?,
                samples: vec![],
            })
        })?;
        game.samples.push(sample);
    }
    Ok(DataSet {
        sport: Sport::Nfl,
        name: "NFL playoffs",
        fits: &[],
        writes: false,
        feed_is: "nflscrapR",
        notes: vec![
            "no line and no rating is recorded; the better team is at home in the playoffs".into(),
            "nflscrapR was fitted to seasons of which these games are part".into(),
        ],
        games,
        results: None,
    })
}

fn state(row: &Row<'_>) -> Result<Option<GameState>, Unreadable> {
    let clock = row.text("time")?;
    let seconds = clock.split_once(':').and_then(|(minutes, seconds)| {
        Some(60.0 * minutes.parse::<f64>().ok()? + seconds.parse::<f64>().ok()?)
    });
    // What has no clock is no play: a time-out, the end of a quarter.
    let Some(seconds) = seconds else {
        return Ok(None);
    };
    let mut state = live(
        Sport::Nfl,
        row.number("qtr")?,
        row.deciseconds(seconds)?,
        row.whole("total_home_score")?,
        row.whole("total_away_score")?,
    );
    let (holder, home) = (row.text("posteam")?, row.text("home_team")?);
    // Yards to the goal of the team without the ball; our line counts from the home goal.
    let to_goal: Option<f64> = row.maybe("yardline_100")?;
    if let Some(to_goal) = to_goal.filter(|_| !holder.is_empty()) {
        let home_ball = holder == home;
        state.possession = if home_ball { 1 } else { 2 };
        let line = if home_ball { 100.0 - to_goal } else { to_goal };
        if !(0.0..=100.0).contains(&line) {
            return Err(row.unfit("yardline_100", &to_goal.to_string()));
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        {
            state.yard_line = line as u8;
        }
        let down: Option<f64> = row.maybe("down")?;
        let down = down.map_or(0.0, |down| down.clamp(0.0, 4.0));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        {
            state.down = down as u8;
        }
    }
    Ok(Some(state))
}

#[cfg(test)]
mod tests {
    use super::super::rows::table;
    use super::*;

    #[test]
    fn the_line_counts_from_the_home_goal() {
        let set = games(table(
            "game_id,game_date,home_team,away_team,qtr,time,game_seconds_remaining,posteam,down,yardline_100,total_home_score,total_away_score,home_wp,home_won\n\
             1,2010-01-09,CIN,NYJ,4,04:03,243.0,CIN,2.0,11.0,14,24,0.17362,0\n\
             1,2010-01-09,CIN,NYJ,4,03:44,224.0,NYJ,1.0,80.0,14,24,,0\n\
             1,2010-01-09,CIN,NYJ,1,15:00,3600.0,,,,0,0,0.5,0\n",
        ))
        .unwrap();
        let ball: Vec<_> = set.games[0]
            .samples
            .iter()
            .map(|it| (it.state.possession, it.state.down, it.state.yard_line))
            .collect();
        assert_eq!(ball, [(1, 2, 89), (2, 1, 80), (0, 0, 0)]);
        let first = set.games[0].samples[0];
        assert_eq!(
            (first.state.clock_deciseconds, first.feed),
            (2_430, Some(0.17362))
        );
        assert_eq!(set.games[0].samples[1].feed, None);
    }
}
