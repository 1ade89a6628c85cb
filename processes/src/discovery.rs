//! What the discovery stream says: a game appeared or changed phase, a market was found for it.

use layouts::Sport;
use serde::{Deserialize, Serialize};

/// One entry of the discovery stream, as JSON in its field `event`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Discovery {
    /// The feed shows a game, or shows it in a new phase. Announced by `orchestrator`.
    Game(Game),
    /// The venue's market for one team of a game. Announced by `market_discovery`.
    Market(Market),
}

impl Discovery {
    /// The hash that holds the last word on each of its kind.
    #[must_use]
    pub fn hash(&self) -> &'static str {
        match self {
            Self::Game(_) => "games",
            Self::Market(_) => "markets",
        }
    }
}

/// A game as announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Game {
    /// The feed's event id.
    pub game: u32,
    /// `sport/league` path of the feed, such as `football/nfl`.
    pub league: String,
    /// Shard that prices it.
    pub shard: u8,
    /// Scheduled start, RFC 3339, UTC.
    pub start: String,
    /// Home team.
    pub home: Team,
    /// Away team.
    pub away: Team,
    /// Phase in words: `scheduled`, `live`, `final`, `off`.
    pub phase: String,
    /// Points of home and away team once the game is over.
    #[serde(default)]
    pub final_score: Option<[u16; 2]>,
}

/// A team as the feed names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// The feed's code, such as `WSH`.
    pub code: String,
    /// Place, such as `Washington`.
    pub location: String,
    /// Whole name, such as `Washington Commanders`.
    pub name: String,
}

/// A market as assigned to a game.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Market {
    /// Number that messages carry, stable for the life of the registry.
    pub market: u32,
    /// The venue's ticker.
    pub ticker: String,
    /// The venue's event.
    pub event_ticker: String,
    /// The feed's event id.
    pub game: u32,
    /// Shard that prices it.
    pub shard: u8,
    /// Whose win it pays for: 0 home, 1 away.
    pub team: u8,
    /// Sport of the game, as the messages number it.
    pub sport: u8,
    /// Taker fee rate including multiplier, 1/10,000; 700 is 0.07.
    pub fee_rate_e4: u16,
    /// Price step, 1/10,000 dollar.
    pub tick_e4: u16,
    /// The venue's shard, to be sent with every order; `None` where the venue has not told it.
    #[serde(default)]
    pub exchange_index: Option<u32>,
}

impl Market {
    /// The sport, or `None` for a number that means nothing.
    #[must_use]
    pub fn sport(&self) -> Option<Sport> {
        Sport::from_byte(self.sport)
    }
}
