//! Where the segments are: directories of rings and boards, one for each pipeline.

use crate::Failure;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where pipelines have their rings unless their files say otherwise.
pub(crate) const DEFAULT: &str = "/dev/shm/arbees";

/// A file that is a segment, or should be one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SegmentFile {
    /// The pipeline: the name of its directory.
    pub(crate) pipeline: String,
    /// As in the pipeline file.
    pub(crate) name: String,
    /// Whether its name is that of a board.
    pub(crate) board: bool,
    /// The file.
    pub(crate) path: PathBuf,
    /// Whether its very directory was asked for: then that it is called like its pipeline is only likely.
    pub(crate) asked: bool,
}

impl SegmentFile {
    /// The process that says how it is on this board; `None` of all other segments.
    pub(crate) fn process(&self) -> Option<&str> {
        pipeline::presence_of(&self.name).filter(|_| self.board)
    }

    /// The segment in that file, if it is called like one.
    fn of(path: PathBuf, asked: bool) -> Option<Self> {
        let board = match path.extension()?.to_str()? {
            "ring" => false,
            "board" => true,
            _ => return None,
        };
        let name = path.file_stem()?.to_str()?.to_owned();
        let pipeline = path.parent()?.file_name()?.to_str()?.to_owned();
        Some(Self {
            pipeline,
            name,
            board,
            path,
            asked,
        })
    }
}

/// All segments below some directories, each of which is that of one pipeline or the one above several. In order of
/// pipeline and name.
///
/// # Errors
///
/// When a directory that was asked for cannot be read. Where none was asked for and nothing is in the default place, there
/// are none.
pub(crate) fn segments(asked: &[PathBuf]) -> Result<Vec<SegmentFile>, Failure> {
    let mut found = Vec::new();
    if asked.is_empty() {
        let default = Path::new(DEFAULT);
        if default.is_dir() {
            gather(default, true, &mut found)?;
        }
    }
    for directory in asked {
        gather(directory, true, &mut found)?;
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn gather(directory: &Path, descend: bool, found: &mut Vec<SegmentFile>) -> Result<(), Failure> {
    let failed = |error| {
        let fix = "name the directory of a pipeline's rings with --rings";
        Failure::io(
            format!("read `{}` (fix: {fix})", directory.display()),
            error,
        )
    };
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if descend && path.is_dir() {
            // A pipeline may stop meanwhile, or be another user's.
            let _ = gather(&path, false, found);
        } else {
            found.extend(SegmentFile::of(path, descend));
        }
    }
    Ok(())
}

/// The one segment that is meant by a path, a name, or `pipeline/name`.
///
/// # Errors
///
/// When there is none, or more than one; the text names those that there are.
pub(crate) fn one(asked: &[PathBuf], what: &str) -> Result<SegmentFile, Failure> {
    if Path::new(what).is_file()
        && let Some(file) = SegmentFile::of(PathBuf::from(what), true)
    {
        return Ok(file);
    }
    let all = segments(asked)?;
    let meant = |file: &&SegmentFile| what == file.name || what == label(file);
    let mut chosen: Vec<&SegmentFile> = all.iter().filter(meant).collect();
    match (chosen.pop(), chosen.is_empty()) {
        (Some(file), true) => Ok(file.clone()),
        (Some(_), false) => Err(Failure::Other(format!(
            "several pipelines have a `{what}` (fix: say which one: {})",
            names(all.iter().filter(meant))
        ))),
        (None, _) if all.is_empty() => Err(Failure::Other(format!(
            "there is no ring `{what}`, and no other: no pipeline runs (fix: name the directory of its rings with --rings)"
        ))),
        (None, _) => Err(Failure::Other(format!(
            "there is no ring `{what}`; there are {}",
            names(all.iter())
        ))),
    }
}

/// `pipeline/name`.
pub(crate) fn label(file: &SegmentFile) -> String {
    format!("{}/{}", file.pipeline, file.name)
}

fn names<'a>(files: impl Iterator<Item = &'a SegmentFile>) -> String {
    files.map(label).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_found_in_a_pipelines_directory_and_in_the_one_above() {
        let above = tempfile::tempdir().unwrap();
        let demo = above.path().join("demo");
        fs::create_dir(&demo).unwrap();
        for name in ["orders.ring", "prices.board", "notes.txt"] {
            fs::write(demo.join(name), "").unwrap();
        }
        for place in [above.path(), &demo] {
            let found = segments(&[place.to_owned()]).unwrap();
            let labels: Vec<String> = found.iter().map(label).collect();
            assert_eq!(labels, ["demo/orders", "demo/prices"]);
            assert_eq!([found[0].board, found[1].board], [false, true]);
        }
        assert_eq!(
            one(std::slice::from_ref(&demo), "demo/orders")
                .unwrap()
                .name,
            "orders"
        );
        let missing = one(&[demo], "fills").unwrap_err().to_string();
        assert!(missing.contains("demo/orders, demo/prices"), "{missing}");
    }
}
