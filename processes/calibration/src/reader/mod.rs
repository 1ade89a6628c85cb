//! The recorded data sets: one file each, read by name of column. They are no part of the repository.
//!
//! What a row does not say is never guessed: a row whose numbers cannot be read is an error that names
//! file, row and column.

mod espn_nba;
mod mlb;
mod nba;
mod ncaab;
mod nfl;
mod nhl;
mod rows;

pub use rows::Unreadable;

use crate::game::DataSet;
use std::path::Path;

/// Reads one data set from the directory, or `None` where its file is not there.
type Read = fn(&Path) -> Result<Option<DataSet>, Unreadable>;

/// Every data set: its file below the directory, and who reads it.
pub const DATA_SETS: [(&str, Read); 7] = [
    (nba::FILE, nba::read),
    (nba::FILE, nba::read_with_margins),
    (espn_nba::FILE, espn_nba::read),
    (nfl::FILE, nfl::read),
    (ncaab::FILE, ncaab::read),
    (nhl::FILE, nhl::read),
    (mlb::FILE, mlb::read),
];
