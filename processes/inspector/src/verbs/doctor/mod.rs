//! `doctor`: the host against the pipeline file, without any privilege.
//!
//! | module | what |
//! |---|---|
//! | `finding` | what one check found, what is wanted, what follows, and the command that changes it |
//! | `host` | a host as `/proc` and `/sys` tell it, this one or a copy |
//! | `needs` | what the pipeline file asks of it |
//! | `cores`, `memory`, `time`, `limits` | the checks |

mod cores;
mod finding;
mod host;
mod limits;
mod memory;
mod needs;
mod time;

use crate::{Failure, arguments::Arguments, exit::Exit, say, say_json};
use finding::{Finding, Severity};
use host::Host;
use needs::Needs;
use pipeline::Pipeline;
use serde::Serialize;
use std::{fmt::Write as _, path::PathBuf};

pub(crate) const HELP: &str = include_str!("help.txt");

/// Against what.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The pipeline that is to run here; without it, the host alone.
    #[arg(long, value_name = "FILE")]
    pipeline: Option<PathBuf>,
    /// A copy of a host's /proc, /sys and /boot to look at instead of this host.
    #[arg(long, value_name = "DIR", hide = true)]
    root: Option<PathBuf>,
}

/// All checks, what matters most first.
const CHECKS: [fn(&Host, &Needs) -> Finding; 20] = [
    memory::room,
    cores::number,
    cores::named,
    cores::cpuset,
    cores::quota,
    memory::group,
    limits::descriptors,
    cores::siblings,
    cores::isolation,
    time::tick,
    cores::governor,
    limits::priority,
    limits::throttling,
    memory::lock,
    memory::swap,
    memory::huge_pages,
    time::clock,
    time::slack,
    time::steal,
    limits::kernel,
];

/// What was found, as JSON.
#[derive(Debug, Serialize)]
struct Report {
    /// The pipeline; null for the host alone.
    pipeline: Option<String>,
    trouble: usize,
    advice: usize,
    ok: usize,
    findings: Vec<Finding>,
}

/// Examines the host.
///
/// # Errors
///
/// When the pipeline file cannot be used, or the copy of a host is none.
pub(super) fn run(arguments: &Arguments, options: &Options) -> Result<Exit, Failure> {
    let needs = match &options.pipeline {
        None => Needs::none(arguments.place.rings.first().map(PathBuf::as_path)),
        Some(file) => {
            let pipeline =
                Pipeline::load(file).map_err(|error| Failure::Other(error.to_string()))?;
            Needs::of(&pipeline)
        }
    };
    let host = Host::at(options.root.as_deref());
    if host.text("/proc/self/status").is_none() {
        return Err(Failure::Other(format!(
            "`{}` is not there (fix: mount /proc; with --root, copy a host's /proc and /sys below it)",
            host.path("/proc/self/status".as_ref()).display()
        )));
    }
    let mut findings: Vec<Finding> = CHECKS.iter().map(|check| check(&host, &needs)).collect();
    findings.sort_by_key(|finding| finding.severity);
    let number = |severity| {
        let of = findings
            .iter()
            .filter(|finding| finding.severity == severity);
        of.count()
    };
    let report = Report {
        pipeline: needs.name,
        trouble: number(Severity::Trouble),
        advice: number(Severity::Advice),
        ok: number(Severity::Ok),
        findings,
    };
    if arguments.json {
        say_json(&report)?;
    } else {
        say(&text(&report))?;
    }
    Ok(if report.trouble == 0 {
        Exit::Fine
    } else {
        Exit::Trouble
    })
}

/// Trouble and advice with what follows and what helps, the rest a line each.
fn text(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let severity = finding.severity.name();
        let _ = writeln!(
            text,
            "{severity:<8} {:<14} {}",
            finding.check, finding.found
        );
        let more = [
            ("wanted", Some(&finding.wanted)),
            ("means", finding.consequence.as_ref()),
            ("fix", finding.command.as_ref()),
        ];
        for (label, value) in more {
            if let Some(value) = value.filter(|_| finding.severity != Severity::Ok) {
                let _ = writeln!(text, "{:24}{label}: {value}", "");
            }
        }
    }
    let against = report.pipeline.as_ref().map_or_else(
        || "this host alone, without a pipeline file".to_owned(),
        |name| format!("this host for pipeline `{name}`"),
    );
    let Report {
        trouble,
        advice,
        ok,
        ..
    } = report;
    let _ = writeln!(
        text,
        "\n{against}: {trouble} trouble, {advice} advice, {ok} ok"
    );
    text
}
