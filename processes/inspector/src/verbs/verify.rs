//! `verify`: whether all that a segment holds fits together.

use crate::{
    Failure,
    arguments::Arguments,
    exit::Exit,
    place::{SegmentFile, label, one, segments},
    say, say_json,
    table::{Align, Table},
};
use ipc::{Error, Finding, Observer, Verification};
use serde::Serialize;
use std::{thread, time::Duration};

pub(crate) const HELP: &str = "\
Example:

  $ shm-inspect verify
  RING          SLOTS  RESULT
  demo/orders    1024  consistent
  demo/prices      64  slot 39 holds the word 7, but message 39 is counted and belongs there

Safe beside roles at work: what is found is looked at three times.

Exit codes: 0 consistent; 1 not; 2 no such ring, or it cannot be looked at.";

/// Looks at a segment in which something was found: what a role at work leaves for a moment is not there each time.
const LOOKS: usize = 3;
const BETWEEN: Duration = Duration::from_millis(20);

/// What to verify.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Names, `pipeline/name` or files; by default all.
    #[arg(value_name = "RING")]
    names: Vec<String>,
}

/// The result for one segment.
#[derive(Debug, Serialize)]
struct Verified {
    pipeline: String,
    name: String,
    consistent: bool,
    /// Slots or rows that were looked at.
    slots: u32,
    findings: Vec<String>,
    /// Whether it could not be looked at at all.
    refused: bool,
}

/// Looks at them.
///
/// # Errors
///
/// When a directory cannot be read, or there is no such ring.
pub(super) fn run(arguments: &Arguments, options: &Options) -> Result<Exit, Failure> {
    let asked = &arguments.place.rings;
    let files = if options.names.is_empty() {
        segments(asked)?
    } else {
        let named = options.names.iter().map(|name| one(asked, name));
        named.collect::<Result<_, _>>()?
    };
    let verified: Vec<Verified> = files.iter().filter_map(verify).collect();
    if arguments.json {
        say_json(&verified)?;
    } else if verified.is_empty() {
        say("no rings: no pipeline runs\n")?;
    } else {
        say(&table(&verified, &files).text())?;
    }
    Ok(if verified.iter().any(|one| one.refused) {
        Exit::Impossible
    } else if verified.iter().any(|one| !one.consistent) {
        Exit::Trouble
    } else {
        Exit::Fine
    })
}

/// `None` where it is gone meanwhile.
fn verify(file: &SegmentFile) -> Option<Verified> {
    let mut verified = Verified {
        pipeline: file.pipeline.clone(),
        name: file.name.clone(),
        consistent: false,
        slots: 0,
        findings: Vec::new(),
        refused: false,
    };
    let observer = match Observer::open(&file.path) {
        Ok(observer) => observer,
        Err(Error::NotFound { .. }) => return None,
        Err(error) => {
            verified.refused = matches!(error, Error::Io { .. } | Error::Denied { .. });
            verified.findings.push(error.to_string());
            return Some(verified);
        }
    };
    let Verification {
        findings,
        left_out,
        slots,
    } = observer.verify();
    let findings = lasting(&observer, findings);
    verified.slots = slots;
    verified.findings = findings.iter().map(Finding::to_string).collect();
    if left_out > 0 && !findings.is_empty() {
        let more = format!("and {left_out} more like these");
        verified.findings.push(more);
    }
    verified.consistent = verified.findings.is_empty();
    Some(verified)
}

/// What is found at every look.
fn lasting(observer: &Observer, mut findings: Vec<Finding>) -> Vec<Finding> {
    for _ in 1..LOOKS {
        if findings.is_empty() {
            break;
        }
        thread::sleep(BETWEEN);
        let again = observer.verify().findings;
        let same = |finding: &Finding| {
            let sort = std::mem::discriminant(finding);
            again
                .iter()
                .any(|other| std::mem::discriminant(other) == sort)
        };
        findings.retain(same);
    }
    findings
}

fn table(verified: &[Verified], files: &[SegmentFile]) -> Table {
    let mut table = Table::new(&[
        ("RING", Align::Left),
        ("SLOTS", Align::Right),
        ("RESULT", Align::Left),
    ]);
    for one in verified {
        let file = files
            .iter()
            .find(|file| (&file.pipeline, &file.name) == (&one.pipeline, &one.name));
        let slots = one.slots.to_string();
        let results = if one.consistent {
            vec!["consistent".to_owned()]
        } else {
            one.findings
                .iter()
                .flat_map(|text| text.lines())
                .map(str::to_owned)
                .collect()
        };
        for (index, result) in results.into_iter().enumerate() {
            let first = index == 0;
            let name = file.filter(|_| first).map(label).unwrap_or_default();
            let slots = if first { slots.clone() } else { String::new() };
            table.row(vec![name, slots, result]);
        }
    }
    table
}
