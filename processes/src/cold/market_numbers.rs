//! The numbers of markets, in a file of the run directory: Redis may forget them, and a number that is given
//! to another market is money booked to the wrong one. Written by `market_discovery` alone, whole and durable before any of
//! them is announced. The position database knows by them what it holds, so what it knows counts, whatever the file says.

use super::database::{Database, DatabaseError};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The markets that the books at `database` may hold, by number: those whose name is booked, and those that were given a
/// number before anybody could book its name.
///
/// # Errors
///
/// When there is a database that cannot be read.
pub(crate) fn markets(database: &Path) -> Result<BTreeMap<u32, String>, DatabaseError> {
    let run_dir = database.parent().unwrap_or(Path::new("."));
    let numbers = Numbers::within(run_dir).load_with(database)?.into_iter();
    Ok(numbers.map(|(ticker, number)| (number, ticker)).collect())
}

/// Its file, and what it holds.
pub(crate) struct Numbers {
    path: PathBuf,
    kept: HashMap<String, u32>,
}

impl Numbers {
    pub(crate) fn within(run_dir: &Path) -> Self {
        Self {
            path: run_dir.join("market_numbers.json"),
            kept: HashMap::new(),
        }
    }

    /// What a predecessor has kept in the file; nothing where there is none that can be read.
    pub(crate) fn load(&mut self) -> HashMap<String, u32> {
        if let Ok(text) = fs::read_to_string(&self.path) {
            match serde_json::from_str(&text) {
                Ok(kept) => self.kept = kept,
                Err(error) => {
                    let path = self.path.display();
                    tracing::error!(%path, %error, "the numbers of markets cannot be read");
                }
            }
        }
        self.kept.clone()
    }

    /// What a predecessor has kept and what the position database knows, which has the last word. Of a database that is not
    /// there or not laid out yet nothing is known.
    ///
    /// # Errors
    ///
    /// When there is one that cannot be read.
    pub(crate) fn load_with(
        &mut self,
        database: &Path,
    ) -> Result<HashMap<String, u32>, DatabaseError> {
        let mut numbers = self.load();
        if !database.exists() {
            return Ok(numbers);
        }
        let database = Database::open_read_only(database)?;
        if database.is_laid_out()? {
            for (number, ticker) in database.markets()? {
                numbers.retain(|_, other| *other != number);
                numbers.insert(ticker, number);
            }
        }
        Ok(numbers)
    }

    /// Keeps the numbers, before any of them is announced.
    ///
    /// # Errors
    ///
    /// When they are not surely on the disk: then none that is new may be announced.
    pub(crate) fn keep(&mut self, numbers: &HashMap<String, u32>) -> std::io::Result<()> {
        if self.kept == *numbers {
            return Ok(());
        }
        let partial = self.path.with_extension("partial");
        let mut file = File::create(&partial)?;
        file.write_all(&serde_json::to_vec(numbers)?)?;
        // On the disk before it takes the place of what was there, and then its name too: a power cut must leave one
        // or the other.
        file.sync_all()?;
        fs::rename(&partial, &self.path)?;
        File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
        self.kept.clone_from(numbers);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_found_by_a_successor() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = || Numbers::within(directory.path());
        assert_eq!(at().load(), HashMap::new());
        let numbers = HashMap::from([("A".to_owned(), 3), ("B".to_owned(), 4)]);
        let mut first = at();
        first.keep(&numbers).expect("writes");
        assert_eq!(at().load(), numbers);
        fs::write(&first.path, "{").expect("writes");
        assert_eq!(at().load(), HashMap::new());
    }

    /// A torn or lost file gave the number of a market that the books hold to another one.
    #[test]
    fn what_the_books_know_survives_a_torn_file_and_has_the_last_word() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("positions.db");
        let at = || Numbers::within(directory.path());
        assert_eq!(at().load_with(&path).expect("none"), HashMap::new());
        let mut database = Database::open(&path).expect("opens");
        database.name_market(3, "A").expect("named");
        fs::write(&at().path, "{").expect("writes");
        let of = |pairs: &[(&str, u32)]| -> HashMap<String, u32> {
            pairs
                .iter()
                .map(|(ticker, number)| ((*ticker).to_owned(), *number))
                .collect()
        };
        assert_eq!(at().load_with(&path).expect("read"), of(&[("A", 3)]));
        let wrong = of(&[("A", 5), ("B", 3), ("C", 7)]);
        at().keep(&wrong).expect("writes");
        assert_eq!(
            at().load_with(&path).expect("read"),
            of(&[("A", 3), ("C", 7)])
        );
        let named = [(3, "A"), (7, "C")].map(|(number, ticker)| (number, ticker.to_owned()));
        assert_eq!(markets(&path).expect("read"), BTreeMap::from(named));
    }
}
