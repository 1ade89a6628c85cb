//! NHL, three days of February 2026: events of live games with the market's prices for both teams.

use super::rows::{Row, Rows, Unreadable, game_of};
use crate::game::{DataSet, Game, Pregame, Sample, live};
use layouts::Sport;
use std::{collections::HashMap, path::Path};

pub(super) const FILE: &str = "pbp_wp/nhl_2026-02-26_hftkalshigo_live_states_vs_kalshi.csv";

pub(super) fn read(directory: &Path) -> Result<Option<DataSet>, Unreadable> {
    Rows::open(directory, FILE)?.map(games).transpose()
}

fn games(mut rows: Rows) -> Result<DataSet, Unreadable> {
    let (mut games, mut index): (Vec<Game>, _) = (Vec::new(), HashMap::new());
    let mut winners = HashMap::new();
    while let Some(row) = rows.next()? {
        let id = row.text("game_id")?;
        // Level after overtime, the recorder says `shootout` and not who won; the market's last price does.
        match row.text("actual_outcome")? {
            "home_win" => drop(winners.insert(id.to_owned(), true)),
            "away_win" => drop(winners.insert(id.to_owned(), false)),
            "shootout" => {
                let home: f64 = row.number("kalshi_home_pct_l")?;
                winners.insert(id.to_owned(), home > 0.5);
            }
            _ => {}
        }
        let game = game_of(&mut games, &mut index, id, || {
            let known = row.probability("pregame_home_pct")?;
            Ok(Game {
                id: id.to_owned(),
                date: row.date("ts")?,
                pregame: known.map_or(Pregame::Nothing, Pregame::Probability),
                home_won: false,
                samples: vec![],
            })
        })?;
        game.samples.extend(sample(&row)?);
    }
    let recorded = games.len();
    games.retain_mut(|game| {
        let winner = winners.get(&game.id);
        game.home_won = winner.copied().unwrap_or(false);
        winner.is_some()
    });
    Ok(DataSet {
        sport: Sport::Nhl,
        name: "NHL, three days",
        fits: &[],
        writes: false,
        feed_is: "",
        notes: vec![format!(
            "{} of {recorded} games were recorded to their end; so few show the order of size and nothing more",
            games.len()
        )],
        games,
        results: None,
    })
}

fn sample(row: &Row<'_>) -> Result<Option<Sample>, Unreadable> {
    let period = match row.text("period")? {
        "1st Period" => 1,
        "2nd Period" => 2,
        "3rd Period" => 3,
        "OVERTIME" => 4,
        // The result itself.
        _ => return Ok(None),
    };
    // Minutes of regulation that are left, whatever the period.
    let left: f64 = row.number("time_remain")?;
    let later = 20.0 * f64::from(3_u8.saturating_sub(period));
    let clock = row.deciseconds(((left - later) * 60.0).clamp(0.0, 1_200.0))?;
    let (home, away) = (
        row.probability("kalshi_home_pct_l")?,
        row.probability("kalshi_away_pct_l")?,
    );
    // The last prices of both teams' markets, one turned round.
    let mid = home
        .zip(away)
        .map(|(home, away)| f64::midpoint(home, 1.0 - away));
    let state = live(
        Sport::Nhl,
        period,
        clock,
        row.whole("home_score")?,
        row.whole("away_score")?,
    );
    if row.text("event_type")? == "GAME FINISH" {
        return Ok(None);
    }
    Ok(Some(Sample {
        state,
        feed: None,
        mid,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::rows::table;
    use super::*;

    #[test]
    fn time_left_becomes_the_clock_and_the_end_the_result() {
        let set = games(table(
            "id,ts,game_id,event_type,home_score,away_score,period,time_remain,pregame_home_pct,kalshi_home_pct_l,kalshi_away_pct_l,actual_outcome\n\
             1,2026-02-27T02:57:13.17Z,9,GAME START,0,0,1st Period,60.0,0.6,0.54,0.48,\n\
             2,2026-02-27T03:57:13.17Z,9,LIVE,1,1,2nd Period,25.5,0.6,0.54,0.48,\n\
             3,2026-02-27T04:57:13.17Z,9,GAME FINISH,2,1,3rd Period,0.0,0.6,1.0,0.01,home_win\n\
             4,2026-02-27T03:57:13.17Z,8,LIVE,1,1,2nd Period,25.5,0.6,0.54,0.48,\n\
             5,2026-02-27T04:57:13.17Z,7,LIVE,2,2,3rd Period,0.5,0.6,0.54,0.48,\n\
             6,2026-02-27T04:57:13.17Z,7,GAME FINISH,2,2,Finished,0.0,0.6,0.01,1.0,shootout\n",
        ))
        .unwrap();
        let [nine, seven] = set.games.as_slice() else {
            panic!("{set:?}")
        };
        let clocks: Vec<_> = nine
            .samples
            .iter()
            .map(|it| (it.state.period, it.state.clock_deciseconds))
            .collect();
        assert_eq!(clocks, [(1, 12_000), (2, 3_300)]);
        assert!((nine.samples[0].mid.unwrap() - 0.53).abs() < 1e-9);
        assert_eq!(
            (nine.home_won, seven.home_won, seven.samples.len()),
            (true, false, 1)
        );
        assert!(set.notes[0].starts_with("2 of 3 games"), "{:?}", set.notes);
    }
}
