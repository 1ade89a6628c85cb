//! The numbers of markets, in a file of the run directory: Redis may forget them, and a number that is given
//! to another market is money booked to the wrong one. Written by `market_discovery` alone.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

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

    /// What a predecessor has kept; nothing where there is no file that can be read.
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

    /// Keeps the numbers, before any of them is announced.
    pub(crate) fn keep(&mut self, numbers: &HashMap<String, u32>) {
        if self.kept == *numbers {
            return;
        }
        let partial = self.path.with_extension("partial");
        let written = serde_json::to_vec(numbers)
            .map_err(std::io::Error::other)
            .and_then(|text| fs::write(&partial, text))
            .and_then(|()| fs::rename(&partial, &self.path));
        match written {
            Ok(()) => self.kept.clone_from(numbers),
            // Redis keeps them as well.
            Err(error) => tracing::error!(%error, "the numbers of markets cannot be kept"),
        }
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
        first.keep(&numbers);
        assert_eq!(at().load(), numbers);
        fs::write(&first.path, "{").expect("writes");
        assert_eq!(at().load(), HashMap::new());
    }
}
