//! The state of one game. `orchestrator` -> `game_shard`.

use crate::units::checked;
use bytemuck::CheckedBitPattern;

ipc::message! {
    /// One game as the feed last told it.
    #[derive(Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct GameState v1 {
        /// Arrival of the feed document that told this state.
        ingress_mono_ns: u64 = "ns, CLOCK_MONOTONIC",
        /// Arrival of the feed document by the wall clock.
        ingress_unix_us: u64 = "us, Unix epoch",
        /// Game number, the feed's own event id.
        game: u32 = "id",
        /// Time left in the period; counts down; 0 in baseball.
        clock_deciseconds: u16 = "1/10 s",
        /// Points of the home team.
        home_score: u16 = "points",
        /// Points of the away team.
        away_score: u16 = "points",
        /// The feed's own probability that the home team wins; [`NO_PROBABILITY`] where it gives none.
        feed_home_win_e4: u16 = "1/10000",
        /// Probability that the home team wins, before the game; [`NO_PROBABILITY`] where unknown.
        pregame_home_win_e4: u16 = "1/10000",
        /// A [`Sport`].
        sport: u8 = "0 NFL, 1 NCAAF, 2 NBA, 3 NCAAM, 4 NHL, 5 MLB",
        /// A [`Phase`].
        phase: u8 = "0 scheduled, 1 live, 2 final, 3 off",
        /// Period, quarter or inning, from 1; 0 before the game.
        period: u8 = "count",
        /// A [`Half`]: baseball's half inning.
        half: u8 = "0 none, 1 top, 2 middle, 3 bottom, 4 end",
        /// Who has the ball: 0 nobody known, 1 home, 2 away.
        possession: u8 = "0 unknown, 1 home, 2 away",
        /// Football's down 1 to 4; 0 when none.
        down: u8 = "count",
        /// Yards to a first down.
        distance_yards: u8 = "yard",
        /// Ball position from the home team's goal line, 0 to 100.
        yard_line: u8 = "yard, from the home goal line",
        /// Time-outs left to the home team.
        home_timeouts: u8 = "count",
        /// Time-outs left to the away team.
        away_timeouts: u8 = "count",
        /// Balls of the count at bat.
        balls: u8 = "count",
        /// Strikes of the count at bat.
        strikes: u8 = "count",
        /// Outs in the half inning.
        outs: u8 = "count",
        /// Runners: bit 0 first base, bit 1 second, bit 2 third.
        bases: u8 = "bit set",
        /// Always zero.
        #[cfg_attr(feature = "serde", serde(skip))]
        padding: [u8; 4] = "zero",
    }
}
const _: () =
    assert!(size_of::<GameState>() == 48 && core::mem::offset_of!(GameState, sport) == 30);

/// Stands in a probability field where the feed gives none.
pub const NO_PROBABILITY: u16 = u16::MAX;

/// The sport, which decides the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, CheckedBitPattern, bytemuck::NoUninit)]
#[repr(u8)]
pub enum Sport {
    /// Professional football.
    Nfl = 0,
    /// College football.
    Ncaaf = 1,
    /// Professional basketball.
    Nba = 2,
    /// Men's college basketball.
    Ncaam = 3,
    /// Professional ice hockey.
    Nhl = 4,
    /// Professional baseball.
    Mlb = 5,
}

impl Sport {
    /// How many there are.
    pub const COUNT: usize = 6;

    /// The sport of this number, or `None` for one that means nothing.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        checked(byte)
    }
}

/// Where a game is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, CheckedBitPattern, bytemuck::NoUninit)]
#[repr(u8)]
pub enum Phase {
    /// Not started.
    Scheduled = 0,
    /// Being played, breaks included.
    Live = 1,
    /// Over.
    Final = 2,
    /// Postponed, delayed or cancelled: do not trade.
    Off = 3,
}

/// Baseball's half inning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, CheckedBitPattern, bytemuck::NoUninit)]
#[repr(u8)]
pub enum Half {
    /// Not baseball, or not known.
    None = 0,
    /// The away team bats.
    Top = 1,
    /// Between the halves.
    Middle = 2,
    /// The home team bats.
    Bottom = 3,
    /// After the inning.
    End = 4,
}

impl GameState {
    /// The sport, or `None` for a byte that means nothing.
    #[must_use]
    pub fn sport(&self) -> Option<Sport> {
        checked(self.sport)
    }

    /// The phase, or `None` for a byte that means nothing.
    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        checked(self.phase)
    }

    /// Baseball's half inning, or `None` for a byte that means nothing.
    #[must_use]
    pub fn half(&self) -> Option<Half> {
        checked(self.half)
    }
}
