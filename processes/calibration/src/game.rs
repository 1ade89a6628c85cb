//! Recorded games, whatever they were recorded by.

use crate::margin_rating::Results;
use crate::train::Knob;
use jiff::civil::Date;
use layouts::{GameState, Phase, Sport, game::NO_PROBABILITY};

/// What was known of the strength of both teams before a game.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pregame {
    /// Nothing.
    Nothing,
    /// The home team's rating less the away team's.
    Rating(f64),
    /// Points by which the home team is favoured.
    Line(f64),
    /// The probability that the home team wins.
    Probability(f64),
}

/// One moment of a game.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// As the pipeline carries it, without a pregame estimate.
    pub state: GameState,
    /// Probability of a home win that the feed, or another's model, told with it.
    pub feed: Option<f64>,
    /// The market's mid.
    pub mid: Option<f64>,
}

/// A game that ended.
#[derive(Debug, Clone)]
pub struct Game {
    /// As recorded.
    pub id: String,
    /// Its day.
    pub date: Date,
    /// Of its teams.
    pub pregame: Pregame,
    /// How it ended.
    pub home_won: bool,
    /// Its moments in order.
    pub samples: Vec<Sample>,
}

/// What one file holds.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// Sport of all its games.
    pub sport: Sport,
    /// Short name for people.
    pub name: &'static str,
    /// The numbers that its games may decide.
    pub fits: &'static [Knob],
    /// Whether these are written to the parameter files.
    pub writes: bool,
    /// Whose probability `feed` is.
    pub feed_is: &'static str,
    /// What a reader of the report should know of it.
    pub notes: Vec<String>,
    /// Final margins from which a rating is made, where the data set has them.
    pub results: Option<Results>,
    /// By date, then id.
    pub games: Vec<Game>,
}

impl DataSet {
    /// Puts the games in order.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.games
            .sort_by(|one, other| (one.date, &one.id).cmp(&(other.date, &other.id)));
        self
    }

    /// Leaves out moments that lack what others have: what is compared is compared on the same moments.
    /// Says how many were left out.
    #[must_use]
    pub fn complete(mut self) -> Self {
        let count = |games: &[Game]| games.iter().map(|game| game.samples.len()).sum::<usize>();
        let all = (self.games.len(), count(&self.games));
        let told = |has: fn(&Sample) -> bool| {
            let mut samples = self.games.iter().flat_map(|game| &game.samples);
            samples.any(has)
        };
        let (feed, mid) = (told(|it| it.feed.is_some()), told(|it| it.mid.is_some()));
        let known = |game: &Game| game.pregame != Pregame::Nothing;
        let strength = self.games.iter().any(known);
        self.games.retain(|game| known(game) || !strength);
        for game in &mut self.games {
            game.samples.retain(|sample| {
                (sample.feed.is_some() || !feed) && (sample.mid.is_some() || !mid)
            });
        }
        self.games.retain(|game| !game.samples.is_empty());
        let left_out = (all.0 - self.games.len(), all.1 - count(&self.games));
        if left_out != (0, 0) {
            self.notes.push(format!(
                "left out: {} games and {} states in all that lack the line, the feed's or the market's probability",
                left_out.0, left_out.1
            ));
        }
        self
    }
}

/// A running game of which only so much is known.
#[must_use]
pub fn live(
    sport: Sport,
    period: u8,
    clock_deciseconds: u16,
    home_score: u16,
    away_score: u16,
) -> GameState {
    GameState {
        sport: sport as u8,
        phase: Phase::Live as u8,
        period,
        clock_deciseconds,
        home_score,
        away_score,
        pregame_home_win_e4: NO_PROBABILITY,
        feed_home_win_e4: NO_PROBABILITY,
        ..bytemuck::Zeroable::zeroed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn what_is_compared_is_compared_on_the_same_moments() {
        let sample = |feed, mid| Sample {
            state: live(Sport::Nba, 1, 0, 0, 0),
            feed,
            mid,
        };
        let game = |id: &str, day, pregame, samples| Game {
            id: id.into(),
            date: date(2025, 1, day),
            pregame,
            home_won: true,
            samples,
        };
        let line = Pregame::Line(1.0);
        let set = DataSet {
            sport: Sport::Nba,
            name: "",
            fits: &[],
            writes: false,
            feed_is: "",
            notes: vec![],
            results: None,
            games: vec![
                game(
                    "late",
                    9,
                    line,
                    vec![sample(Some(0.5), None), sample(None, None)],
                ),
                game("early", 2, line, vec![sample(Some(0.5), None)]),
                game(
                    "unknown",
                    1,
                    Pregame::Nothing,
                    vec![sample(Some(0.5), None)],
                ),
                game("bare", 1, line, vec![sample(None, None)]),
            ],
        };
        let set = set.sorted().complete();
        let kept: Vec<_> = set
            .games
            .iter()
            .map(|game| (game.id.as_str(), game.samples.len()))
            .collect();
        assert_eq!(kept, [("early", 1), ("late", 1)]);
        assert!(
            set.notes[0].starts_with("left out: 2 games and 3 states"),
            "{:?}",
            set.notes
        );
    }
}
