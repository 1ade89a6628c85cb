//! `verdict`: what is wrong, by whom, and what to do about it.

use crate::{
    Failure,
    arguments::{Arguments, seconds},
    exit::Exit,
    judge::{Bounds, Judgement, Subject, Verdict, judge},
    sample::Sources,
    say, say_json,
    table::{Align, Table, span},
};
use std::{thread, time::Duration};

pub(crate) const HELP: &str = "HELP-VERDICT";

/// How to judge.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Seconds between the two looks that are compared.
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    interval: Duration,
    /// A producer of which nothing was heard for so many seconds is stale.
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    stale: Duration,
    /// A ring that will be full within so many seconds is slow.
    #[arg(long, value_name = "S", default_value = "60", value_parser = seconds)]
    soon: Duration,
}

/// Looks twice, and judges.
///
/// # Errors
///
/// When a directory cannot be read, or there is nothing to judge.
pub(super) fn run(arguments: &Arguments, options: &Options) -> Result<Exit, Failure> {
    let mut sources = Sources::open(&arguments.place.rings)?;
    let before = sources.read();
    thread::sleep(options.interval);
    sources.refresh()?;
    let after = sources.read();
    if after.is_empty() {
        return Err(Failure::Other(
            "there are no rings: no pipeline runs (fix: name the directory of its rings with --rings)".into(),
        ));
    }
    let bounds = Bounds {
        stale: options.stale,
        soon: options.soon,
    };
    let judged = judge(&before, &after, &bounds);
    if arguments.json {
        say_json(&judged)?;
    } else {
        say(&table(&judged).text())?;
    }
    Ok(exit(&judged))
}

fn exit(judged: &[Judgement]) -> Exit {
    if judged.iter().any(|one| one.verdict == Verdict::Unreadable) {
        Exit::Impossible
    } else if judged.iter().any(|one| one.trouble) {
        Exit::Trouble
    } else {
        Exit::Fine
    }
}

fn table(judged: &[Judgement]) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("VERDICT", Left),
        ("WHAT", Left),
        ("NAME", Left),
        ("SINCE", Right),
        ("EVIDENCE", Left),
    ]);
    let several = judged.iter().any(|one| one.pipeline != judged[0].pipeline);
    let mut told = String::new();
    for one in judged {
        let what = match one.subject {
            Subject::Ring => "ring",
            Subject::Board => "board",
            Subject::Process => "process",
        };
        let name = if several {
            format!("{}/{}", one.pipeline, one.name)
        } else {
            one.name.clone()
        };
        let since = one.since_s.filter(|_| one.trouble);
        table.row(vec![
            one.verdict.name().into(),
            what.into(),
            name,
            since.map_or("-".into(), span),
            one.evidence.clone(),
        ]);
        // Once for a ring and the process whose doing it is.
        if one.trouble && one.next != told {
            told.clone_from(&one.next);
            let next = format!("  next: {}", one.next);
            table.row(vec![
                String::new(),
                String::new(),
                String::new(),
                String::new(),
                next,
            ]);
        }
    }
    table
}
