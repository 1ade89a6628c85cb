//! The teams: the feed's id and code, the venue's code where it differs, place and name.

use super::game::League;

/// One team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Team {
    /// The feed's id.
    pub(crate) id: u32,
    /// The feed's code.
    pub(crate) code: &'static str,
    /// The venue's code.
    pub(crate) venue_code: &'static str,
    pub(crate) location: &'static str,
    pub(crate) name: &'static str,
}

/// A row: id, the feed's code, the venue's code, place, name.
type Row = (u32, &'static str, &'static str, &'static str, &'static str);

/// The teams of a league.
pub(crate) fn teams(league: League) -> Vec<Team> {
    let rows: &[Row] = match league {
        League::Nfl => NFL,
        League::Ncaaf => NCAAF,
        League::Nba => NBA,
        League::Ncaam => NCAAM,
        League::Nhl => NHL,
        League::Mlb => MLB,
    };
    rows.iter()
        .map(|(id, code, venue_code, location, name)| Team {
            id: *id,
            code,
            venue_code,
            location,
            name,
        })
        .collect()
}

/// The team that the venue knows under a code.
pub(crate) fn by_venue_code(league: League, code: &str) -> Option<Team> {
    teams(league)
        .into_iter()
        .find(|team| team.venue_code == code)
}

/// How the venue names a team: the place, and the first letter of the name where two share it.
pub(crate) fn venue_name(league: League, team: &Team) -> String {
    let shared = teams(league)
        .iter()
        .any(|other| other.location == team.location && other.id != team.id);
    match team.name.chars().next().filter(|_| shared) {
        Some(letter) => format!("{} {letter}", team.location),
        None => team.location.to_string(),
    }
}

const NFL: &[Row] = &[
    (1, "ATL", "ATL", "Atlanta", "Falcons"),
    (2, "BUF", "BUF", "Buffalo", "Bills"),
    (3, "CHI", "CHI", "Chicago", "Bears"),
    (4, "CIN", "CIN", "Cincinnati", "Bengals"),
    (5, "CLE", "CLE", "Cleveland", "Browns"),
    (6, "DAL", "DAL", "Dallas", "Cowboys"),
    (7, "DEN", "DEN", "Denver", "Broncos"),
    (8, "DET", "DET", "Detroit", "Lions"),
    (9, "GB", "GB", "Green Bay", "Packers"),
    (10, "TEN", "TEN", "Tennessee", "Titans"),
    (11, "IND", "IND", "Indianapolis", "Colts"),
    (12, "KC", "KC", "Kansas City", "Chiefs"),
    (13, "LV", "LV", "Las Vegas", "Raiders"),
    (14, "LAR", "LAR", "Los Angeles", "Rams"),
    (15, "MIA", "MIA", "Miami", "Dolphins"),
    (16, "MIN", "MIN", "Minnesota", "Vikings"),
    (17, "NE", "NE", "New England", "Patriots"),
    (18, "NO", "NO", "New Orleans", "Saints"),
    (19, "NYG", "NYG", "New York", "Giants"),
    (20, "NYJ", "NYJ", "New York", "Jets"),
    (21, "PHI", "PHI", "Philadelphia", "Eagles"),
    (22, "ARI", "ARI", "Arizona", "Cardinals"),
    (23, "PIT", "PIT", "Pittsburgh", "Steelers"),
    (24, "LAC", "LAC", "Los Angeles", "Chargers"),
    (25, "SF", "SF", "San Francisco", "49ers"),
    (26, "SEA", "SEA", "Seattle", "Seahawks"),
    (27, "TB", "TB", "Tampa Bay", "Buccaneers"),
    (28, "WSH", "WAS", "Washington", "Commanders"),
    (29, "CAR", "CAR", "Carolina", "Panthers"),
    (30, "JAX", "JAC", "Jacksonville", "Jaguars"),
    (33, "BAL", "BAL", "Baltimore", "Ravens"),
    (34, "HOU", "HOU", "Houston", "Texans"),
];

const NCAAF: &[Row] = &[
    (333, "ALA", "ALA", "Alabama", "Crimson Tide"),
    (61, "UGA", "UGA", "Georgia", "Bulldogs"),
    (194, "OSU", "OSU", "Ohio State", "Buckeyes"),
    (130, "MICH", "MICH", "Michigan", "Wolverines"),
    (251, "TEX", "TEX", "Texas", "Longhorns"),
    (201, "OU", "OU", "Oklahoma", "Sooners"),
    (87, "ND", "ND", "Notre Dame", "Fighting Irish"),
    (30, "USC", "USC", "USC", "Trojans"),
    (99, "LSU", "LSU", "LSU", "Tigers"),
    (2633, "TENN", "TENN", "Tennessee", "Volunteers"),
    (213, "PSU", "PSU", "Penn State", "Nittany Lions"),
    (245, "TA&M", "TXAM", "Texas A&M", "Aggies"),
    (142, "MIZ", "MIZZ", "Missouri", "Tigers"),
    (228, "CLEM", "CLEM", "Clemson", "Tigers"),
];

const NBA: &[Row] = &[
    (1, "ATL", "ATL", "Atlanta", "Hawks"),
    (2, "BOS", "BOS", "Boston", "Celtics"),
    (3, "NO", "NOP", "New Orleans", "Pelicans"),
    (4, "CHI", "CHI", "Chicago", "Bulls"),
    (5, "CLE", "CLE", "Cleveland", "Cavaliers"),
    (6, "DAL", "DAL", "Dallas", "Mavericks"),
    (7, "DEN", "DEN", "Denver", "Nuggets"),
    (8, "DET", "DET", "Detroit", "Pistons"),
    (9, "GS", "GSW", "Golden State", "Warriors"),
    (10, "HOU", "HOU", "Houston", "Rockets"),
    (11, "IND", "IND", "Indiana", "Pacers"),
    (12, "LAC", "LAC", "LA", "Clippers"),
    (13, "LAL", "LAL", "Los Angeles", "Lakers"),
    (14, "MIA", "MIA", "Miami", "Heat"),
    (15, "MIL", "MIL", "Milwaukee", "Bucks"),
    (16, "MIN", "MIN", "Minnesota", "Timberwolves"),
    (17, "BKN", "BKN", "Brooklyn", "Nets"),
    (18, "NY", "NYK", "New York", "Knicks"),
    (19, "ORL", "ORL", "Orlando", "Magic"),
    (20, "PHI", "PHI", "Philadelphia", "76ers"),
    (21, "PHX", "PHX", "Phoenix", "Suns"),
    (22, "POR", "POR", "Portland", "Trail Blazers"),
    (23, "SAC", "SAC", "Sacramento", "Kings"),
    (24, "SA", "SAS", "San Antonio", "Spurs"),
    (25, "OKC", "OKC", "Oklahoma City", "Thunder"),
    (26, "UTAH", "UTA", "Utah", "Jazz"),
    (27, "WSH", "WAS", "Washington", "Wizards"),
    (28, "TOR", "TOR", "Toronto", "Raptors"),
    (29, "MEM", "MEM", "Memphis", "Grizzlies"),
    (30, "CHA", "CHA", "Charlotte", "Hornets"),
];

const NCAAM: &[Row] = &[
    (150, "DUKE", "DUKE", "Duke", "Blue Devils"),
    (153, "UNC", "UNC", "North Carolina", "Tar Heels"),
    (2305, "KU", "KU", "Kansas", "Jayhawks"),
    (96, "UK", "UK", "Kentucky", "Wildcats"),
    (41, "CONN", "CONN", "UConn", "Huskies"),
    (2250, "GONZ", "GONZ", "Gonzaga", "Bulldogs"),
    (12, "ARIZ", "ARIZ", "Arizona", "Wildcats"),
    (248, "HOU", "HOU", "Houston", "Cougars"),
    (2509, "PUR", "PUR", "Purdue", "Boilermakers"),
    (26, "UCLA", "UCLA", "UCLA", "Bruins"),
    (127, "MSU", "MSU", "Michigan State", "Spartans"),
    (2670, "VCU", "VCU", "VCU", "Rams"),
];

const NHL: &[Row] = &[
    (1, "BOS", "BOS", "Boston", "Bruins"),
    (2, "BUF", "BUF", "Buffalo", "Sabres"),
    (3, "CGY", "CGY", "Calgary", "Flames"),
    (4, "CHI", "CHI", "Chicago", "Blackhawks"),
    (5, "DET", "DET", "Detroit", "Red Wings"),
    (6, "EDM", "EDM", "Edmonton", "Oilers"),
    (7, "CAR", "CAR", "Carolina", "Hurricanes"),
    (8, "LA", "LA", "Los Angeles", "Kings"),
    (9, "DAL", "DAL", "Dallas", "Stars"),
    (10, "MTL", "MTL", "Montreal", "Canadiens"),
    (11, "NJ", "NJ", "New Jersey", "Devils"),
    (12, "NYI", "NYI", "New York", "Islanders"),
    (13, "NYR", "NYR", "New York", "Rangers"),
    (14, "OTT", "OTT", "Ottawa", "Senators"),
    (15, "PHI", "PHI", "Philadelphia", "Flyers"),
    (16, "PIT", "PIT", "Pittsburgh", "Penguins"),
    (17, "COL", "COL", "Colorado", "Avalanche"),
    (18, "SJ", "SJ", "San Jose", "Sharks"),
    (19, "STL", "STL", "St. Louis", "Blues"),
    (20, "TB", "TB", "Tampa Bay", "Lightning"),
    (21, "TOR", "TOR", "Toronto", "Maple Leafs"),
    (22, "VAN", "VAN", "Vancouver", "Canucks"),
    (23, "WSH", "WSH", "Washington", "Capitals"),
    (25, "ANA", "ANA", "Anaheim", "Ducks"),
    (26, "FLA", "FLA", "Florida", "Panthers"),
    (27, "NSH", "NSH", "Nashville", "Predators"),
    (28, "WPG", "WPG", "Winnipeg", "Jets"),
    (29, "CBJ", "CBJ", "Columbus", "Blue Jackets"),
    (30, "MIN", "MIN", "Minnesota", "Wild"),
    (37, "VGK", "VGK", "Vegas", "Golden Knights"),
    (124_292, "SEA", "SEA", "Seattle", "Kraken"),
    (129_764, "UTAH", "UTA", "Utah", "Mammoth"),
];

const MLB: &[Row] = &[
    (1, "BAL", "BAL", "Baltimore", "Orioles"),
    (2, "BOS", "BOS", "Boston", "Red Sox"),
    (3, "LAA", "LAA", "Los Angeles", "Angels"),
    (4, "CHW", "CWS", "Chicago", "White Sox"),
    (5, "CLE", "CLE", "Cleveland", "Guardians"),
    (6, "DET", "DET", "Detroit", "Tigers"),
    (7, "KC", "KC", "Kansas City", "Royals"),
    (8, "MIL", "MIL", "Milwaukee", "Brewers"),
    (9, "MIN", "MIN", "Minnesota", "Twins"),
    (10, "NYY", "NYY", "New York", "Yankees"),
    (11, "ATH", "ATH", "Athletics", "Athletics"),
    (12, "SEA", "SEA", "Seattle", "Mariners"),
    (13, "TEX", "TEX", "Texas", "Rangers"),
    (14, "TOR", "TOR", "Toronto", "Blue Jays"),
    (15, "ATL", "ATL", "Atlanta", "Braves"),
    (16, "CHC", "CHC", "Chicago", "Cubs"),
    (17, "CIN", "CIN", "Cincinnati", "Reds"),
    (18, "HOU", "HOU", "Houston", "Astros"),
    (19, "LAD", "LAD", "Los Angeles", "Dodgers"),
    (20, "WSH", "WSH", "Washington", "Nationals"),
    (21, "NYM", "NYM", "New York", "Mets"),
    (22, "PHI", "PHI", "Philadelphia", "Phillies"),
    (23, "PIT", "PIT", "Pittsburgh", "Pirates"),
    (24, "STL", "STL", "St. Louis", "Cardinals"),
    (25, "SD", "SD", "San Diego", "Padres"),
    (26, "SF", "SF", "San Francisco", "Giants"),
    (27, "COL", "COL", "Colorado", "Rockies"),
    (28, "MIA", "MIA", "Miami", "Marlins"),
    (29, "ARI", "AZ", "Arizona", "Diamondbacks"),
    (30, "TB", "TB", "Tampa Bay", "Rays"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_and_ids_are_unique_within_a_league() {
        for league in League::ALL {
            let all = teams(league);
            for key in [
                |team: &Team| team.id.to_string(),
                |team: &Team| team.code.to_string(),
                |team: &Team| team.venue_code.to_string(),
            ] {
                assert_eq!(
                    all.iter().map(key).collect::<BTreeSet<_>>().len(),
                    all.len(),
                    "{league:?}"
                );
            }
        }
        assert_eq!(
            (teams(League::Nfl).len(), teams(League::Mlb).len()),
            (32, 30)
        );
    }

    #[test]
    fn teams_of_one_place_are_told_apart() {
        let jets = by_venue_code(League::Nfl, "NYJ").expect("team");
        assert_eq!(venue_name(League::Nfl, &jets), "New York J");
        assert_eq!(
            by_venue_code(League::Mlb, "AZ").map(|team| team.code),
            Some("ARI")
        );
    }
}
