//! The results as a table, and as JSON.

use crate::{Failure, row::Results};
use std::{fs, path::Path};

/// Writes them as JSON.
///
/// # Errors
///
/// When the file cannot be written.
pub fn save(results: &Results, path: &Path) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(results)? + "\n";
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(())
}

/// Prints them.
pub fn print(results: &Results) {
    for row in &results.rows {
        println!(
            "{:<8} {:<32} {:?}/{:?}/{:?} {:>10.1} p50 {:>10.1} p99.9 {:>10.1} max {:>12.1} floor {:.3?} {:.2?} ours {:.2?} rtrb {:.2?} cpu {:?} ach {:?}",
            row.experiment,
            row.title(),
            row.slots,
            row.gap_us,
            row.offered_per_s,
            row.level_ns,
            row.p50_ns,
            row.p999_ns,
            row.max_ns,
            row.ratio_to_floor,
            row.ratio_to_floor_interval,
            row.ratio_to_ours,
            row.ratio_to_rtrb,
            row.cpu_percent,
            row.achieved_per_s
        );
    }
    println!("{:#?}\n{:?}", results.targets, results.absent);
}
