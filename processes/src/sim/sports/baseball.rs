//! Baseball: pitches, hits, walks and outs, half innings.

use super::Play;
use crate::sim::game::Stage;
use layouts::Half;
use rand::Rng as _;

impl Play {
    pub(super) fn pitch(&mut self) {
        let batting = usize::from(self.state.half == Half::Top);
        let draw: f64 = self.random.random();
        if draw < 0.37 {
            self.state.balls += 1;
            self.say(batting, "Ball", 0);
            if self.state.balls == 4 {
                self.say(batting, "Walk", 0);
                let (bases, runs) = walked(self.state.bases);
                self.state.bases = bases;
                self.batter_done(batting, runs);
            }
        } else if draw < 0.82 {
            let foul = self.random.random_bool(0.4);
            self.say(batting, if foul { "Foul Ball" } else { "Strike" }, 0);
            if self.state.strikes < 2 || !foul {
                self.state.strikes += 1;
            }
            if self.state.strikes == 3 {
                self.out(batting, "Strikeout");
            }
        } else {
            self.ball_in_play(batting);
        }
    }

    fn ball_in_play(&mut self, batting: usize) {
        let draw = self.random.random::<f64>() - 0.03 * self.edge(batting);
        let (bases, play) = match draw {
            draw if draw < 0.205 => (1_u8, "Single"),
            draw if draw < 0.265 => (2, "Double"),
            draw if draw < 0.272 => (3, "Triple"),
            draw if draw < 0.315 => (4, "Home Run"),
            _ => return self.out(batting, "Fly Out"),
        };
        self.say(batting, play, 0);
        let (after, runs) = advanced(self.state.bases, bases);
        self.state.bases = after;
        self.batter_done(batting, runs);
    }

    fn batter_done(&mut self, batting: usize, runs: u16) {
        self.state.balls = 0;
        self.state.strikes = 0;
        if runs > 0 {
            let play = self.state.last_play;
            self.score(batting, runs, play);
        }
        let walk_off =
            self.state.half == Half::Bottom && self.state.period >= 9 && self.leader() == Some(0);
        if walk_off {
            self.state.stage = Stage::Over;
        }
    }

    fn out(&mut self, batting: usize, play: &'static str) {
        self.say(batting, play, 0);
        self.state.outs += 1;
        self.batter_done(batting, 0);
        if self.state.outs < 3 {
            return;
        }
        let late = self.state.period >= 9;
        let decided = match self.state.half {
            Half::Top => late && self.leader() == Some(0),
            _ => late && self.leader().is_some(),
        };
        if decided {
            self.state.stage = Stage::Over;
            return;
        }
        self.state.half = if self.state.half == Half::Top {
            Half::Middle
        } else {
            Half::End
        };
        self.state.stage = Stage::EndOfPeriod;
        self.state.bases = 0;
    }

    pub(super) fn next_half(&mut self) {
        self.state.outs = 0;
        self.state.bases = 0;
        if self.state.half == Half::Middle {
            self.state.half = Half::Bottom;
        } else {
            self.state.half = Half::Top;
            self.state.period += 1;
        }
        if self.state.period > 9 {
            // Extra innings start with a runner on second base.
            self.state.bases = 2;
        }
    }
}

/// Bases and runs after a walk: the lowest empty base is filled, runners move only when pushed.
fn walked(bases: u8) -> (u8, u16) {
    ((bases | (bases + 1)) & 7, u16::from(bases == 7))
}

/// Bases and runs after a hit: runners and batter advance by as many bases; who passes third scores.
fn advanced(bases: u8, by: u8) -> (u8, u16) {
    // Bit 0 is the batter at the plate, bits 1 to 3 the bases, what lies above has scored.
    let moved = ((u16::from(bases) << 1) | 1) << by;
    let runs = u16::try_from((moved >> 4).count_ones()).unwrap_or(0);
    (u8::try_from((moved >> 1) & 7).unwrap_or(0), runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runners_move_as_the_rules_say() {
        let walks = [
            (0b000, 0b001),
            (0b001, 0b011),
            (0b010, 0b011),
            (0b100, 0b101),
            (0b110, 0b111),
        ];
        for (before, after) in walks {
            assert_eq!(walked(before), (after, 0), "{before:03b}");
        }
        assert_eq!(walked(0b111), (0b111, 1));
        assert_eq!(advanced(0b101, 1), (0b011, 1));
        assert_eq!(advanced(0b001, 2), (0b110, 0));
        assert_eq!(advanced(0b111, 4), (0, 4));
    }
}
