//! Football: downs, kicks and turnovers, and the overtime of college football.

use super::{Play, normal};
use crate::sim::feed::yards_to_goal;
use rand::Rng as _;

impl Play {
    pub(super) fn kick_off(&mut self, receiver: usize) {
        self.give_ball(receiver, 75);
    }

    /// A first down for a team with so many yards to the goal.
    fn give_ball(&mut self, team: usize, to_goal: u8) {
        let to_goal = to_goal.clamp(1, 99);
        self.state.possession = Some(team);
        self.state.yard_line = if team == 0 { 100 - to_goal } else { to_goal };
        self.state.down = 1;
        self.state.distance = to_goal.min(10);
    }

    pub(super) fn football_play(&mut self) {
        let Some(team) = self.state.possession else {
            return self.kick_off(0);
        };
        let to_goal = yards_to_goal(&self.state, team);
        if self.state.down == 4 && self.kick(team, to_goal) {
            return;
        }
        if self.random.random_bool(0.022) {
            self.say(1 - team, "Interception Return", 0);
            return self.give_ball(1 - team, 100 - to_goal);
        }
        let complete = self.random.random_bool(0.66);
        let gain = if complete {
            6.0 + 1.2 * self.edge(team) + 6.5 * normal(&mut self.random)
        } else {
            0.0
        };
        let gain = gain.clamp(-8.0, 60.0).round();
        self.say(
            team,
            if complete {
                "Pass Reception"
            } else {
                "Pass Incompletion"
            },
            0,
        );
        let left = f64::from(to_goal) - gain;
        if left <= 0.0 {
            let points = if self.random.random_bool(0.94) { 7 } else { 6 };
            self.score(team, points, "Touchdown");
            return self.kick_off(1 - team);
        }
        let left = whole(left).min(99);
        let needed = f64::from(self.state.distance) - gain;
        if needed <= 0.0 {
            return self.give_ball(team, left);
        }
        if self.state.down == 4 {
            self.say(1 - team, "Turnover on Downs", 0);
            return self.give_ball(1 - team, 100 - left);
        }
        self.state.yard_line = if team == 0 { 100 - left } else { left };
        self.state.down += 1;
        self.state.distance = whole(needed).clamp(1, 99);
        let rival = self.random.random_range(0..2_usize);
        if self.clock < 120.0 && self.state.timeouts[rival] > 0 && self.random.random_bool(0.1) {
            self.state.timeouts[rival] -= 1;
            self.say(rival, "Timeout", 0);
        }
    }

    /// Fourth down: a kick, but for a short try now and then. True when the ball was kicked.
    fn kick(&mut self, team: usize, to_goal: u8) -> bool {
        if self.state.distance <= 2 && self.random.random_bool(0.35) {
            return false;
        }
        if to_goal > 38 {
            let punt = self.random.random_range(35..50_u8);
            self.say(team, "Punt", 0);
            self.give_ball(
                1 - team,
                100_u8.saturating_sub(to_goal.saturating_sub(punt)).min(80),
            );
        } else if self.random.random_bool(0.97 - 0.009 * f64::from(to_goal)) {
            self.score(team, 3, "Field Goal Good");
            self.kick_off(1 - team);
        } else {
            self.say(team, "Field Goal Missed", 0);
            self.give_ball(1 - team, 100 - to_goal);
        }
        true
    }

    /// One round of college overtime: each team has the ball once.
    pub(super) fn college_overtime(&mut self) {
        for team in [0, 1] {
            let draw: f64 = self.random.random();
            let bonus = 0.05 * self.edge(team);
            if draw < 0.5 + bonus {
                self.score(team, 7, "Touchdown");
            } else if draw < 0.75 {
                self.score(team, 3, "Field Goal Good");
            }
        }
        self.end_period();
    }
}

/// A small non-negative whole number of yards.
fn whole(yards: f64) -> u8 {
    (0..=100_u8)
        .rev()
        .find(|whole| f64::from(*whole) <= yards.ceil())
        .unwrap_or(0)
}
