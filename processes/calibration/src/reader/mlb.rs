//! MLB, eight days of June and July 2026: minutes of games with the exchange's bid and ask.

use super::rows::{Rows, Unreadable, game_of};
use crate::game::{DataSet, Game, Pregame, Sample, live};
use layouts::{GameState, Half, Sport};
use std::{collections::HashMap, path::Path};

pub(super) const FILE: &str = "pbp_wp/mlb_2026-06_kalshi_minute_prices_vs_game_state.csv.gz";

pub(super) fn read(directory: &Path) -> Result<Option<DataSet>, Unreadable> {
    Rows::open(directory, FILE)?.map(games).transpose()
}

fn games(mut rows: Rows) -> Result<DataSet, Unreadable> {
    let (mut games, mut index) = (Vec::new(), HashMap::new());
    while let Some(row) = rows.next()? {
        let lead: i32 = row.number("score_diff")?;
        let score = |lead: i32| u16::try_from(lead.max(0)).map_err(|_| row.unfit("score_diff", ""));
        let mut bases = 0;
        for (bit, base) in ["runner_on_first", "runner_on_second", "runner_on_third"]
            .into_iter()
            .enumerate()
        {
            bases |= u8::from(row.flag(base)?) << bit;
        }
        let bottom = row.flag("inning_topbot")?;
        let state = GameState {
            half: if bottom { Half::Bottom } else { Half::Top } as u8,
            outs: row.number("outs_when_up")?,
            balls: row.number("balls")?,
            strikes: row.number("strikes")?,
            bases,
            ..live(
                Sport::Mlb,
                row.number("inning")?,
                0,
                score(lead)?,
                score(-lead)?,
            )
        };
        let (bid, ask) = (
            row.probability("yes_bid_close")?,
            row.probability("yes_ask_close")?,
        );
        let sample = Sample {
            state,
            feed: row.probability("home_win_exp")?,
            mid: bid.zip(ask).map(|(bid, ask)| f64::midpoint(bid, ask)),
        };
        let id = row.text("game_pk")?;
        let game = game_of(&mut games, &mut index, id, || {
            let known = row.probability("pregame_prob")?;
            Ok(Game {
                id: id.to_owned(),
                date: row.date("first_pitch_time")?,
                pregame: known.map_or(Pregame::Nothing, Pregame::Probability),
                home_won: row.flag("home_win")?,
                samples: vec![],
            })
        })?;
        game.samples.push(sample);
    }
    Ok(DataSet {
        sport: Sport::Mlb,
        name: "MLB, eight days",
        fits: &[],
        writes: false,
        feed_is: "Statcast",
        notes: vec![
            "the pregame probability is the exchange's own price before the first pitch".into(),
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
    fn a_minute_becomes_a_state() {
        let set = games(table(
            "market_ticker,first_pitch_time,yes_bid_close,yes_ask_close,pregame_prob,game_pk,inning,inning_topbot,outs_when_up,runner_on_first,runner_on_second,runner_on_third,balls,strikes,score_diff,home_win_exp,home_win\n\
             T,2026-06-28 17:38:07.078+00:00,0.56,0.57,0.6,823362,7,1,2,1,0,1,3,2,-4,0.1,1\n",
        ))
        .unwrap();
        let game = &set.games[0];
        let state = game.samples[0].state;
        assert_eq!(
            (state.half(), state.outs, state.bases),
            (Some(Half::Bottom), 2, 0b101)
        );
        assert_eq!(
            (state.home_score, state.away_score, state.period),
            (0, 4, 7)
        );
        assert!((game.samples[0].mid.unwrap() - 0.565).abs() < 1e-9);
        assert_eq!(
            (game.pregame, game.home_won),
            (Pregame::Probability(0.6), true)
        );
    }
}
