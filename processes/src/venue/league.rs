//! The leagues: how the feed and the exchange name each.

use layouts::Sport;

/// One league.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct League {
    /// Path at the feed.
    pub path: &'static str,
    /// Which model prices it.
    pub sport: Sport,
    /// The exchange's series of game winners.
    pub series: &'static str,
    /// What the feed must be asked for, so that it tells all games and not a selection.
    pub query: &'static str,
}

/// Every league that the pipeline can watch.
pub const LEAGUES: [League; 6] = [
    League {
        path: "football/nfl",
        sport: Sport::Nfl,
        series: "KXNFLGAME",
        query: "",
    },
    League {
        path: "football/college-football",
        sport: Sport::Ncaaf,
        series: "KXNCAAFGAME",
        query: "groups=80",
    },
    League {
        path: "basketball/nba",
        sport: Sport::Nba,
        series: "KXNBAGAME",
        query: "",
    },
    League {
        path: "basketball/mens-college-basketball",
        sport: Sport::Ncaam,
        series: "KXNCAAMBGAME",
        query: "groups=50&limit=400",
    },
    League {
        path: "hockey/nhl",
        sport: Sport::Nhl,
        series: "KXNHLGAME",
        query: "",
    },
    League {
        path: "baseball/mlb",
        sport: Sport::Mlb,
        series: "KXMLBGAME",
        query: "",
    },
];

impl League {
    /// The league at a path of the feed.
    #[must_use]
    pub fn at(path: &str) -> Option<Self> {
        LEAGUES.into_iter().find(|league| league.path == path)
    }
}
