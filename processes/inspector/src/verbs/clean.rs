//! `clean`: removes the rings of pipelines that nobody runs any more.

use crate::{
    Failure,
    arguments::{Arguments, seconds},
    exit::Exit,
    place::{SegmentFile, one, segments},
    say, say_json,
    table::{Align, Table},
};
use ipc::{Error, held_role, remove_abandoned};
use serde::Serialize;
use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

pub(crate) const HELP: &str = "\
Example:

  $ shm-inspect clean
  RING         WHAT     WHY
  demo/orders  left     a live process is its consumer
  demo/prices  left     its pipeline runs: others of its rings are held, and who held it may come again
  old/orders   removed  nobody held it

Nobody is asked. What is held is never removed, not even by name; the kernel's locks say what is held, in whatever container its
holder lives. Files that are no sound segments are removed too.

Exit codes: 0 done; 2 something could not be removed, or there is no such ring or directory.";

/// What to remove.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Names, `pipeline/name` or files; by default every ring and board of a pipeline of which no ring is held.
    #[arg(value_name = "RING")]
    names: Vec<String>,
    /// Say what would be removed, and remove nothing.
    #[arg(long)]
    dry_run: bool,
    /// Leave what was created in the last so many seconds, unless it is named: its pipeline may be starting.
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    min_age: Duration,
}

/// What became of one.
#[derive(Debug, Serialize)]
struct Cleaned {
    pipeline: String,
    name: String,
    path: PathBuf,
    /// `removed`, `would be removed`, `left`, `failed` or `gone`.
    what: &'static str,
    why: String,
}

/// Removes them.
///
/// # Errors
///
/// When a directory cannot be read, or there is no such ring.
pub(super) fn run(arguments: &Arguments, options: &Options) -> Result<Exit, Failure> {
    let asked = &arguments.place.rings;
    let all = segments(asked)?;
    let named = options.names.iter().map(|name| one(asked, name));
    let named: Vec<SegmentFile> = named.collect::<Result<_, _>>()?;
    let is_alive = |file: &&SegmentFile| matches!(held_role(&file.path), Ok(Some(_)));
    let alive: HashSet<&Path> = all
        .iter()
        .filter(is_alive)
        .filter_map(|file| file.path.parent())
        .collect();
    let cleaned: Vec<Cleaned> = if named.is_empty() {
        let of = |file| clean(file, options, why_left(file, &alive, options.min_age));
        all.iter().map(of).collect()
    } else {
        named
            .iter()
            .map(|file| clean(file, options, None))
            .collect()
    };
    if arguments.json {
        say_json(&cleaned)?;
    } else if cleaned.is_empty() {
        say("nothing to remove\n")?;
    } else {
        say(&table(&cleaned).text())?;
    }
    let failed = cleaned.iter().any(|one| one.what == "failed");
    Ok(if failed { Exit::Impossible } else { Exit::Fine })
}

/// Why a ring stays that nobody holds, if it does.
fn why_left(file: &SegmentFile, alive: &HashSet<&Path>, min_age: Duration) -> Option<String> {
    if file
        .path
        .parent()
        .is_some_and(|directory| alive.contains(directory))
    {
        return Some(
            "its pipeline runs: others of its rings are held, and who held it may come again"
                .into(),
        );
    }
    let age = fs::symlink_metadata(&file.path)
        .and_then(|status| status.created().or_else(|_| status.modified()))
        .ok()
        .and_then(|created| created.elapsed().ok())?;
    (age < min_age).then(|| {
        format!(
            "created {:.1} s ago: its pipeline may be starting (--min-age 0 removes it)",
            age.as_secs_f64()
        )
    })
}

fn clean(file: &SegmentFile, options: &Options, why_left: Option<String>) -> Cleaned {
    let cleaned = |what, why: &str| Cleaned {
        pipeline: file.pipeline.clone(),
        name: file.name.clone(),
        path: file.path.clone(),
        what,
        why: why.into(),
    };
    let held = |role| format!("a live process is its {role}");
    match (held_role(&file.path), why_left) {
        (Ok(Some(role)), _) => return cleaned("left", &held(role)),
        (Err(Error::NotFound { .. }), _) => return cleaned("gone", "removed meanwhile"),
        (Err(error), _) => return cleaned("failed", &error.to_string()),
        (Ok(None), Some(why)) => return cleaned("left", &why),
        (Ok(None), None) if options.dry_run => {
            return cleaned("would be removed", "nobody holds it");
        }
        (Ok(None), None) => {}
    }
    match remove_abandoned(&file.path) {
        Ok(true) => cleaned("removed", "nobody held it"),
        Ok(false) => cleaned("gone", "removed meanwhile"),
        // Somebody has come since.
        Err(Error::RoleTaken { role, .. }) => cleaned("left", &held(role)),
        Err(error) => cleaned("failed", &error.to_string()),
    }
}

fn table(cleaned: &[Cleaned]) -> Table {
    let mut table = Table::new(&[
        ("RING", Align::Left),
        ("WHAT", Align::Left),
        ("WHY", Align::Left),
    ]);
    for one in cleaned {
        let file = format!("{}/{}", one.pipeline, one.name);
        table.row(vec![file, one.what.into(), one.why.replace('\n', " ")]);
    }
    table
}
