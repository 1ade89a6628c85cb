//! The results of a run as a file.

use crate::{Failure, row::Results};
use std::{fs, path::Path};

/// Writes them as JSON.
///
/// # Errors
///
/// When the file cannot be written.
pub fn save(results: &Results, path: &Path) -> Result<(), Failure> {
    write(path, &(serde_json::to_string_pretty(results)? + "\n"))
}

/// Reads what [`save`] wrote.
///
/// # Errors
///
/// When there is no such file, or it holds something else; the error says where in it.
pub fn read(path: &Path) -> Result<Results, Failure> {
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|error| {
        format!(
            "{name}: {error}\n  expected: the results of an earlier run\n  fix: name a file that `scripts/bench NAME --json FILE` wrote"
        )
    })?;
    serde_json::from_str(&text).map_err(|error| {
        format!(
            "{name}: not the results of a run\n  found: {error}\n  expected: the JSON of `scripts/bench NAME --json FILE`, of this version\n  fix: measure anew with the version that you compare with, and name that file"
        )
        .into()
    })
}

/// Writes text.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| {
        format!(
            "{}: cannot be written: {error}\n  fix: name a file in a directory that exists and is yours",
            path.display()
        )
        .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::invented;

    #[test]
    fn what_was_saved_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.json");
        let mut results = invented::results();
        results.rows[0].level_ns = f64::NAN;
        save(&results, &path).unwrap();
        let read = read(&path).unwrap();
        assert_eq!(read.rows.len(), results.rows.len());
        assert!(read.rows[0].level_ns.is_nan());
        assert_eq!(read.rows[1].title(), results.rows[1].title());
        assert_eq!(read.targets.len(), results.targets.len());
    }

    #[test]
    fn a_bad_file_is_told_by_place_and_remedy() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bad.json");
        fs::write(&path, "{\n \"conditions\": 7 }").unwrap();
        let text = read(&path).unwrap_err().to_string();
        assert!(text.contains("bad.json"), "{text}");
        assert!(text.contains("line 2"), "{text}");
        assert!(text.contains("fix:"), "{text}");
        let text = read(&directory.path().join("none.json"))
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("none.json") && text.contains("fix:"),
            "{text}"
        );
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let text = save(&invented::results(), Path::new("/nowhere/at/all.json"))
            .unwrap_err()
            .to_string();
        assert!(text.contains("/nowhere/at/all.json"), "{text}");
    }
}
