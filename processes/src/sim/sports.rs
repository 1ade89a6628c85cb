//! Games as random processes: scores, clocks and situations of six sports, seeded and repeatable.
//! What happens depends on the game's own time only, never on how often one looks.

mod baseball;
mod football;

use super::feed::yards_to_goal;
use super::game::{League, Stage, State};
use layouts::Half;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use stages::win_probability::normal::phi;

/// Seconds of a break between periods, and of the long one at half time. Shortened: nothing trades
/// on a break.
const BREAK: f64 = 20.0;
const HALFTIME: f64 = 45.0;

/// One game in play.
#[derive(Debug)]
pub(crate) struct Play {
    league: League,
    random: ChaCha8Rng,
    /// Points by which the home team is better over a whole game.
    strength: f64,
    state: State,
    /// Seconds since the start at which the current play began and ends, and the clock when it began.
    began: f64,
    ends: f64,
    clock: f64,
}

impl Play {
    /// A game about to start.
    pub(crate) fn new(league: League, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let strength = deviation(league) * 0.45 * normal(&mut random);
        let mut play = Self {
            league,
            random,
            strength,
            state: State::scheduled(0.5),
            began: 0.0,
            ends: 0.0,
            clock: 0.0,
        };
        play.state.home_win = play.win_probability();
        play
    }

    /// How it stands.
    pub(crate) const fn state(&self) -> &State {
        &self.state
    }

    /// Starts the game.
    pub(crate) fn start(&mut self) {
        let (_, length) = self.league.periods();
        self.state.stage = Stage::Playing;
        self.state.period = 1;
        self.clock = length;
        self.state.clock_seconds = length;
        match self.league {
            League::Mlb => self.state.half = Half::Top,
            League::Nfl | League::Ncaaf => self.kick_off(1),
            League::Nba | League::Ncaam | League::Nhl => self.state.possession = None,
        }
        self.next_play();
    }

    /// Plays until no more than this share of the game is left: for games found in the middle.
    pub(crate) fn skip_to(&mut self, share_left: f64) -> f64 {
        while self.share_left() > share_left && self.state.is_live() {
            let end = self.ends;
            self.advance(end);
        }
        self.began
    }

    /// Plays up to a moment, in seconds since the start.
    pub(crate) fn advance(&mut self, to: f64) {
        while self.ends <= to && self.state.is_live() {
            self.resolve();
            if self.state.is_live() {
                self.next_play();
            }
        }
        if self.state.stage == Stage::Playing && self.league != League::Mlb {
            self.state.clock_seconds = (self.clock - (to - self.began).max(0.0)).max(0.0);
        }
        self.state.home_win = self.win_probability();
    }

    /// Share of the regular game that is left, 0 in overtime.
    pub(crate) fn share_left(&self) -> f64 {
        let (periods, length) = self.league.periods();
        let (periods, period) = (f64::from(periods), f64::from(self.state.period));
        if self.league == League::Mlb {
            let bottom = if matches!(self.state.half, Half::Bottom | Half::End) {
                0.5
            } else {
                0.0
            };
            return ((periods - period + 1.0 - bottom - f64::from(self.state.outs) / 6.0)
                / periods)
                .clamp(0.0, 1.0);
        }
        if self.state.period == 0 {
            return 1.0;
        }
        (((periods - period) * length + self.state.clock_seconds) / (periods * length))
            .clamp(0.0, 1.0)
    }

    /// Probability that the home team wins: the margin still to come is normal around the teams'
    /// difference in strength, the more uncertain the more is left to play.
    pub(crate) fn win_probability(&self) -> f64 {
        let margin = f64::from(self.state.score[0]) - f64::from(self.state.score[1]);
        if self.state.stage == Stage::Over {
            return f64::from(self.state.home_value_e4()) / 10_000.0;
        }
        let left = self.share_left().max(0.004);
        let expected = margin + self.strength * left + self.situation_value();
        phi(expected / (deviation(self.league) * left.sqrt())).clamp(0.002, 0.998)
    }

    /// Points that the situation is worth to the home team.
    fn situation_value(&self) -> f64 {
        let sign = |team: usize| if team == 0 { 1.0 } else { -1.0 };
        match self.league {
            League::Nfl | League::Ncaaf => self.state.possession.map_or(0.0, |team| {
                sign(team)
                    * (5.2
                        - 0.055 * f64::from(yards_to_goal(&self.state, team))
                        - 0.4 * f64::from(self.state.down))
            }),
            League::Mlb => {
                let batting = if self.state.half == Half::Top {
                    -1.0
                } else {
                    1.0
                };
                let runners = f64::from(self.state.bases.count_ones());
                batting * (0.45 * runners + 0.3) * (1.0 - f64::from(self.state.outs) / 3.5)
            }
            _ => 0.0,
        }
    }

    /// Sets how long the next play lasts.
    fn next_play(&mut self) {
        self.began = self.ends;
        let seconds = match (self.state.stage, self.league) {
            (Stage::Halftime, _) => HALFTIME,
            (Stage::EndOfPeriod, _) => BREAK,
            (_, League::Nfl | League::Ncaaf) => self.random.random_range(6.0..40.0),
            (_, League::Nba) => self.random.random_range(6.0..23.0),
            (_, League::Ncaam) => self.random.random_range(8.0..28.0),
            (_, League::Nhl) => self.random.random_range(8.0..30.0),
            (_, League::Mlb) => self.random.random_range(14.0..28.0),
        };
        let timed =
            self.state.stage == Stage::Playing && self.league != League::Mlb && !self.untimed();
        self.ends = self.began
            + if timed {
                seconds.min(self.clock)
            } else {
                seconds
            };
    }

    /// College football's overtime has no clock.
    fn untimed(&self) -> bool {
        self.league == League::Ncaaf && self.state.period > 4
    }

    fn resolve(&mut self) {
        let lasted = self.ends - self.began;
        if matches!(self.state.stage, Stage::EndOfPeriod | Stage::Halftime) {
            self.begin_period();
            return;
        }
        self.state.last_value = 0;
        self.state.plays += 1;
        match self.league {
            League::Nfl => self.football_play(),
            League::Ncaaf if self.untimed() => return self.college_overtime(),
            League::Ncaaf => self.football_play(),
            League::Nba | League::Ncaam => self.basketball_play(),
            League::Nhl => self.hockey_play(lasted),
            League::Mlb => return self.pitch(),
        }
        let left = self.clock - lasted;
        // Below the clock's resolution the period is over, whatever the last bits say.
        self.clock = if left < 0.05 { 0.0 } else { left };
        self.state.clock_seconds = self.clock;
        let sudden_death =
            self.league == League::Nhl && self.state.period > 3 && self.leader().is_some();
        if self.clock <= 0.0 || sudden_death {
            self.end_period();
        }
    }

    fn leader(&self) -> Option<usize> {
        match self.state.score[0].cmp(&self.state.score[1]) {
            std::cmp::Ordering::Greater => Some(0),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Less => Some(1),
        }
    }

    fn end_period(&mut self) {
        let (periods, _) = self.league.periods();
        let period = self.state.period;
        if period >= periods && self.leader().is_some() {
            self.state.stage = Stage::Over;
        } else if period > periods && self.league == League::Nfl {
            // A second overtime is not played in the regular season: the game is tied.
            self.state.stage = Stage::Over;
        } else if period > periods && self.league == League::Nhl {
            let winner = usize::from(self.random.random_bool(0.5));
            self.score(winner, 1, "Shootout");
            self.state.stage = Stage::Over;
        } else if period == periods / 2 && self.league != League::Nhl {
            self.state.stage = Stage::Halftime;
        } else {
            self.state.stage = Stage::EndOfPeriod;
        }
        self.state.clock_seconds = 0.0;
        self.clear_situation();
    }

    fn clear_situation(&mut self) {
        self.state.down = 0;
        self.state.distance = 0;
        if self.league.is_football() {
            self.state.possession = None;
        }
    }

    fn begin_period(&mut self) {
        let (periods, length) = self.league.periods();
        self.state.stage = Stage::Playing;
        if self.league == League::Mlb {
            return self.next_half();
        }
        self.state.period += 1;
        self.clock = if self.state.period <= periods {
            length
        } else {
            match self.league {
                League::Nfl => 600.0,
                League::Ncaaf => 0.0,
                League::Nba | League::Ncaam | League::Nhl | League::Mlb => 300.0,
            }
        };
        self.state.clock_seconds = self.clock;
        if self.league.is_football() {
            let receiver = usize::from(self.state.period.is_multiple_of(2));
            self.kick_off(receiver);
            if self.state.period == 3 {
                self.state.timeouts = [3; 2];
            }
        }
    }

    fn score(&mut self, team: usize, points: u16, play: &'static str) {
        self.state.score[team] += points;
        self.say(team, play, points);
    }

    fn say(&mut self, team: usize, play: &'static str, points: u16) {
        self.state.last_play = play;
        self.state.last_team = team;
        self.state.last_value = points;
    }

    /// How much better than even a team is, from -1 to 1.
    fn edge(&self, team: usize) -> f64 {
        let edge = (self.strength / deviation(self.league)).clamp(-1.0, 1.0);
        if team == 0 { edge } else { -edge }
    }

    fn basketball_play(&mut self) {
        let team = self
            .state
            .possession
            .unwrap_or_else(|| usize::from(self.random.random_bool(0.5)));
        let draw = self.random.random::<f64>() - 0.05 * self.edge(team);
        match draw {
            draw if draw < 0.13 => self.score(team, 3, "Three Point Jumper"),
            draw if draw < 0.46 => self.score(team, 2, "Layup"),
            draw if draw < 0.51 => self.score(team, 1, "Free Throw"),
            _ => self.say(1 - team, "Defensive Rebound", 0),
        }
        self.state.possession = Some(1 - team);
    }

    fn hockey_play(&mut self, lasted: f64) {
        let team = usize::from(self.random.random_bool(0.5));
        let rate = 6.1 / 3_600.0 * (1.0 + 0.35 * self.edge(team));
        if self.random.random_bool((rate * lasted).clamp(0.0, 1.0)) {
            self.score(team, 1, "Goal");
        } else {
            self.say(team, "Shot", 0);
        }
    }
}

/// Standard deviation of the final margin, points.
const fn deviation(league: League) -> f64 {
    match league {
        League::Nfl => 13.5,
        League::Ncaaf => 16.0,
        League::Nba => 12.5,
        League::Ncaam => 11.0,
        League::Nhl => 2.4,
        League::Mlb => 4.3,
    }
}

/// A standard normal draw (Box and Muller).
pub(crate) fn normal(random: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * random.random_range(f64::MIN_POSITIVE..1.0).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(league: League, seed: u64, step: f64) -> (State, Vec<[u16; 2]>) {
        let mut play = Play::new(league, seed);
        play.start();
        let mut at = 0.0;
        let mut scores = vec![[0, 0]];
        while play.state().is_live() {
            at += step;
            play.advance(at);
            let state = play.state();
            assert!(
                (0.0..=1.0).contains(&state.home_win)
                    && state.outs <= 3
                    && state.balls <= 4
                    && state.bases <= 7
            );
            assert!(
                state.yard_line <= 100 && state.down <= 4 && state.clock_seconds >= 0.0,
                "{state:?}"
            );
            if scores.last() != Some(&state.score) {
                scores.push(state.score);
            }
            assert!(at < 1e6, "{league:?} never ends");
        }
        (*play.state(), scores)
    }

    #[test]
    fn every_sport_ends_with_a_sane_score() {
        for league in League::ALL {
            for seed in 0..40 {
                let (state, _) = finish(league, seed, 7.0);
                assert_eq!(state.stage, Stage::Over);
                let total = state.score[0] + state.score[1];
                let (least, most) = match league {
                    League::Nfl | League::Ncaaf => (0, 130),
                    League::Nba => (120, 350),
                    League::Ncaam => (70, 250),
                    League::Nhl | League::Mlb => (0, 45),
                };
                assert!(
                    (least..=most).contains(&total),
                    "{league:?} {seed}: {:?}",
                    state.score
                );
                if league != League::Nfl {
                    assert_ne!(state.score[0], state.score[1], "{league:?}");
                }
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_game_however_often_one_looks() {
        for league in League::ALL {
            let (fine, fine_scores) = finish(league, 7, 1.0);
            let (coarse, coarse_scores) = finish(league, 7, 300.0);
            assert_eq!(fine.score, coarse.score);
            assert_eq!(fine.plays, coarse.plays);
            assert!(
                coarse_scores
                    .iter()
                    .all(|score| score == &coarse.score || fine_scores.contains(score))
            );
            assert_ne!(
                finish(league, 8, 50.0).0.plays,
                fine.plays,
                "another seed, another game"
            );
        }
    }
}
