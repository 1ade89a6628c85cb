//! The programs under test: the real ones, built beside the tests.

use std::path::PathBuf;

/// Path of a program of the workspace.
///
/// # Panics
///
/// When it has not been built: `cargo build --workspace --bins` comes before the scenarios.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let directory = test
        .ancestors()
        .nth(2)
        .expect("tests lie in target/<profile>/deps");
    let path = directory.join(name);
    assert!(
        path.is_file(),
        "{} is not built; run `cargo build --workspace --bins` first",
        path.display()
    );
    path
}
