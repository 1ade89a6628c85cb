//! Men's college basketball, season 2017-18: the games of six teams, with the line.

use super::rows::{Rows, Unreadable, game_of};
use crate::game::{DataSet, Game, Pregame, Sample, live};
use crate::train::Knob;
use jiff::civil::Date;
use layouts::Sport;
use std::{collections::HashMap, path::Path};

pub(super) const FILE: &str = "pbp_wp/ncaab_2017-18_espn_pbp_slim.csv.gz";

pub(super) fn read(directory: &Path) -> Result<Option<DataSet>, Unreadable> {
    Rows::open(directory, FILE)?.map(games).transpose()
}

fn games(mut rows: Rows) -> Result<DataSet, Unreadable> {
    let (mut games, mut index) = (Vec::new(), HashMap::new());
    while let Some(row) = rows.next()? {
        let half: u8 = row.number("half")?;
        let clock = row.text("time_remaining_half")?;
        let seconds = clock.split_once(':').and_then(|(minutes, seconds)| {
            Some(60.0 * minutes.parse::<f64>().ok()? + seconds.parse::<f64>().ok()?)
        });
        let seconds = seconds.ok_or_else(|| row.unfit("time_remaining_half", clock))?;
        let state = live(
            Sport::Ncaam,
            half,
            row.deciseconds(seconds)?,
            row.whole("home_score")?,
            row.whole("away_score")?,
        );
        let id = row.text("game_id")?;
        let game = game_of(&mut games, &mut index, id, || {
            let day = row.text("date")?;
            let line: Option<f64> = row.maybe("home_favored_by")?;
            Ok(Game {
                id: id.to_owned(),
                date: Date::strptime("%B %d, %Y", day).map_err(|_| row.unfit("date", day))?,
                pregame: line.map_or(Pregame::Nothing, Pregame::Line),
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
        sport: Sport::Ncaam,
        name: "NCAAB, six teams",
        fits: &[Knob::Sigma, Knob::LineDeviation],
        writes: true,
        feed_is: "",
        notes: vec![
            "the games of six strong teams: more home wins than the league has, so the share of home wins is not fitted".into(),
        ],
        games,
        results: None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::rows::table;
    use super::*;

    #[test]
    fn dates_in_words_and_missing_lines_are_read() {
        let set = games(table(
            "play_id,half,time_remaining_half,secs_remaining,home_score,away_score,away,home,home_favored_by,game_id,date,home_won\n\
             1,1,20:00,2400,0,0,Elon,Duke,19.5,4,\"November 10, 2017\",1\n\
             2,3,4:37,277,73,75,Elon,Duke,19.5,4,\"November 10, 2017\",1\n\
             1,2,0:01,1,60,61,Utah,Duke,,5,\"March 3, 2018\",0\n",
        ))
        .unwrap();
        let [first, second] = set.games.as_slice() else {
            panic!("{set:?}")
        };
        assert_eq!(
            (first.date, first.pregame),
            (jiff::civil::date(2017, 11, 10), Pregame::Line(19.5))
        );
        assert_eq!(
            (
                first.samples[1].state.period,
                first.samples[1].state.clock_deciseconds
            ),
            (3, 2_770)
        );
        assert_eq!((second.pregame, second.date.month()), (Pregame::Nothing, 3));
    }
}
