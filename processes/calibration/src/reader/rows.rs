//! Rows of a table with a header, packed or not, each cell told by file, row and column.

use crate::game::Game;
use csv::StringRecord;
use flate2::read::GzDecoder;
use jiff::civil::Date;
use std::{collections::HashMap, fs::File, io::Read, path::Path, str::FromStr};

/// Why recorded data cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {what}\n  fix: record it anew, or name the directory that holds it with --data")]
pub struct Unreadable {
    place: String,
    what: String,
}

impl Unreadable {
    pub(super) fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            what: what.into(),
        }
    }
}

/// The rows of a table.
pub(super) struct Rows {
    name: String,
    columns: HashMap<String, usize>,
    records: csv::StringRecordsIntoIter<Box<dyn Read>>,
    row: usize,
}

/// One row.
pub(super) struct Row<'a> {
    rows: &'a Rows,
    record: StringRecord,
}

impl Rows {
    /// Opens a file; `None` where there is none.
    pub(super) fn open(directory: &Path, file: &str) -> Result<Option<Self>, Unreadable> {
        let path = directory.join(file);
        if !path.is_file() {
            return Ok(None);
        }
        let name = path.display().to_string();
        let opened =
            File::open(&path).map_err(|error| Unreadable::new(name.as_str(), error.to_string()))?;
        let packed = path.extension().is_some_and(|extension| extension == "gz");
        let source: Box<dyn Read> = if packed {
            Box::new(GzDecoder::new(opened))
        } else {
            Box::new(opened)
        };
        Self::of(&name, source).map(Some)
    }

    pub(super) fn of(name: &str, source: Box<dyn Read>) -> Result<Self, Unreadable> {
        let mut reader = csv::Reader::from_reader(source);
        let header = reader
            .headers()
            .map_err(|error| Unreadable::new(name, error.to_string()))?;
        let columns = (0..)
            .zip(header)
            .map(|(at, column)| (column.trim().to_owned(), at));
        Ok(Self {
            name: name.to_owned(),
            columns: columns.collect(),
            records: reader.into_records(),
            row: 1,
        })
    }

    pub(super) fn next(&mut self) -> Result<Option<Row<'_>>, Unreadable> {
        self.row += 1;
        match self.records.next() {
            None => Ok(None),
            Some(Ok(record)) => Ok(Some(Row { rows: self, record })),
            Some(Err(error)) => Err(Unreadable::new(self.name.as_str(), error.to_string())),
        }
    }
}

impl Row<'_> {
    pub(super) fn refuse(&self, what: impl Into<String>) -> Unreadable {
        Unreadable::new(format!("{}, line {}", self.rows.name, self.rows.row), what)
    }

    pub(super) fn text(&self, column: &str) -> Result<&str, Unreadable> {
        let at = self.rows.columns.get(column);
        at.and_then(|at| self.record.get(*at))
            .ok_or_else(|| self.refuse(format!("no column `{column}`")))
    }

    /// A cell as a number; empty is none.
    pub(super) fn maybe<T: FromStr>(&self, column: &str) -> Result<Option<T>, Unreadable> {
        let text = self.text(column)?.trim();
        if text.is_empty() || text == "NA" {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| self.unfit(column, text))
    }

    pub(super) fn number<T: FromStr>(&self, column: &str) -> Result<T, Unreadable> {
        self.maybe(column)?.ok_or_else(|| self.unfit(column, ""))
    }

    /// A whole number, which some recorders write with a fraction of zero.
    pub(super) fn whole(&self, column: &str) -> Result<u16, Unreadable> {
        let value: f64 = self.number(column)?;
        whole(value).ok_or_else(|| self.unfit(column, &value.to_string()))
    }

    pub(super) fn flag(&self, column: &str) -> Result<bool, Unreadable> {
        match self.text(column)? {
            "1" => Ok(true),
            "0" => Ok(false),
            other => Err(self.unfit(column, other)),
        }
    }

    /// A probability; empty is none.
    pub(super) fn probability(&self, column: &str) -> Result<Option<f64>, Unreadable> {
        let told: Option<f64> = self.maybe(column)?;
        match told {
            Some(value) if !(0.0..=1.0).contains(&value) => {
                Err(self.unfit(column, &value.to_string()))
            }
            told => Ok(told),
        }
    }

    /// A day, the first part of a time or all of it.
    pub(super) fn date(&self, column: &str) -> Result<Date, Unreadable> {
        let text = self.text(column)?;
        let day = text.get(..10).unwrap_or(text);
        day.parse().map_err(|_| self.unfit(column, text))
    }

    /// Seconds on the clock as the pipeline's tenths.
    pub(super) fn deciseconds(&self, seconds: f64) -> Result<u16, Unreadable> {
        whole((seconds * 10.0).round())
            .ok_or_else(|| self.refuse(format!("{seconds} seconds on the clock")))
    }

    pub(super) fn unfit(&self, column: &str, found: &str) -> Unreadable {
        self.refuse(format!("column `{column}` holds `{found}`"))
    }
}

fn whole(value: f64) -> Option<u16> {
    let fits = (0.0..=f64::from(u16::MAX)).contains(&value) && value.fract() == 0.0;
    // In range and whole, so the cast is exact.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fits.then_some(value as u16)
}

/// The game that a row belongs to: a known one, or a new one.
pub(super) fn game_of<'a>(
    games: &'a mut Vec<Game>,
    index: &mut HashMap<String, usize>,
    id: &str,
    new: impl FnOnce() -> Result<Game, Unreadable>,
) -> Result<&'a mut Game, Unreadable> {
    let at = match index.get(id) {
        Some(at) => *at,
        None => {
            games.push(new()?);
            index.insert(id.to_owned(), games.len() - 1);
            games.len() - 1
        }
    };
    Ok(&mut games[at])
}

#[cfg(test)]
pub(super) fn table(text: &'static str) -> Rows {
    Rows::of("a table", Box::new(text.as_bytes())).expect("a header")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_is_none_is_told_by_place() {
        let mut rows = table("a,b,when\n1,x,2025-02-30\n2.0,,2025-02-28 11:00\n");
        let row = rows.next().unwrap().unwrap();
        assert_eq!(row.whole("a").unwrap(), 1);
        let told = row.number::<f64>("b").unwrap_err().to_string();
        assert!(
            told.contains("a table, line 2") && told.contains("`b` holds `x`"),
            "{told}"
        );
        assert!(row.date("when").is_err());
        let told = row.text("c").unwrap_err().to_string();
        assert!(
            told.contains("no column `c`") && told.contains("fix:"),
            "{told}"
        );
        let row = rows.next().unwrap().unwrap();
        assert_eq!(
            (row.whole("a").unwrap(), row.maybe::<f64>("b").unwrap()),
            (2, None)
        );
        assert_eq!(row.date("when").unwrap(), jiff::civil::date(2025, 2, 28));
        assert!(row.probability("a").is_err());
        assert!(rows.next().unwrap().is_none());
    }
}
