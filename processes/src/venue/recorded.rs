//! Recorded samples for tests, from outside the repository: the folder in `ARBEES_DATA`, or else
//! `../shared/data` beside the workspace.

use std::path::{Path, PathBuf};

/// Where a recorded file lies.
fn path(name: &str) -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    std::env::var_os("ARBEES_DATA")
        .map_or(beside, PathBuf::from)
        .join(name)
}

/// A recorded file's bytes, or `None` after saying that the test is skipped.
pub(crate) fn bytes(name: &str) -> Option<Vec<u8>> {
    let path = path(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            eprintln!("skipped: {}: {error}", path.display());
            None
        }
    }
}

/// A recorded file as text.
pub(crate) fn text(name: &str) -> Option<String> {
    bytes(name).map(|bytes| String::from_utf8(bytes).expect("recorded text is UTF-8"))
}
