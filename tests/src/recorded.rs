//! Recorded traffic, where it is at hand: never part of this repository.

use std::path::{Path, PathBuf};

/// A recorded file, or `None` after saying why the test is skipped.
///
/// Looked for in `$ARBEES_DATA`, else beside the repository in `shared/data`.
#[must_use]
pub fn recorded(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let directory = std::env::var_os("ARBEES_DATA").map_or(beside, PathBuf::from);
    let path = directory.join(name);
    if path.is_file() {
        return Some(path);
    }
    eprintln!(
        "skipped: no recorded `{name}` in {}; set ARBEES_DATA to where it is",
        directory.display()
    );
    None
}
