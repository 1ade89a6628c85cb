//! `calibrate`: fits the win-probability models to recorded games and reports how well they do.

use calibration::{models, report, run};
use clap::Parser;
use std::{error::Error, fs, path::Path, path::PathBuf, process::ExitCode};

/// Fits the win-probability models to recorded games, and scores them on days that they have not seen:
/// log loss, Brier score and reliability, beside the feed's own probability and the market's mid.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  scripts/calibrate --data ~/recorded\n  scripts/calibrate --html report.html --json report.json\n  scripts/calibrate --write     # then look at `git diff processes/stages/models`, and build\n\nExit codes: 0 reported (whether or not targets are met: the report says), 1 failed, 2 asked wrongly or no\nrecorded games there."
)]
struct Arguments {
    /// Directory of the recorded data.
    #[arg(long, value_name = "DIR", env = "ARBEES_DATA")]
    data: PathBuf,
    /// Write everything to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page with tables and reliability plots to this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write what the training days decide to the parameter files.
    #[arg(long)]
    write: bool,
    /// Directory of the parameter files.
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../stages/models"))]
    models: PathBuf,
}

fn main() -> ExitCode {
    match calibrate(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn calibrate(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let (sets, missing) = run::read(&arguments.data)?;
    if sets.is_empty() {
        eprintln!(
            "error: no recorded games in {}: found none of {}\n  fix: name the directory that holds them with --data or ARBEES_DATA",
            arguments.data.display(),
            missing.join(", ")
        );
        return Ok(ExitCode::from(2));
    }
    let results = run::run(&sets, &missing);
    print!("{}", report::table::text(&results));
    if let Some(path) = &arguments.json {
        save(path, &(serde_json::to_string_pretty(&results)? + "\n"))?;
    }
    if let Some(path) = &arguments.html {
        save(path, &report::page::page(&results))?;
    }
    if arguments.write {
        let today = jiff::Zoned::now().date();
        for set in &sets {
            if let Some(path) = models::write(set, &arguments.models, today)? {
                println!(
                    "wrote {}; it counts once the programs are built anew",
                    path.display()
                );
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn save(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| {
        format!(
            "{}: cannot be written: {error}\n  fix: name a file in a directory that exists and is yours",
            path.display()
        )
    })
}
