//! One run of the whole pipeline, and what it left behind.

use crate::{
    Failure,
    experiment::launched::{HotPath, launch, spun, write},
};
use hdrhistogram::Histogram;
use serde_json::Value;
use std::path::Path;

/// Latencies are told up to this.
const SLOWEST_NS: u64 = 60_000_000_000;

/// What a run left behind.
pub(super) struct Run {
    /// The launcher's report.
    pub(super) report: Value,
    /// Whether the hot loops had cores of their own and kept them.
    pub(super) spun: bool,
    /// From the arrival of the tick's frame to that of the venue's answer to the order.
    pub(super) tick_to_answer: Histogram<u64>,
    /// From the arrival of the tick's frame to the hand-over of the order to the HTTP client.
    pub(super) tick_to_order: Histogram<u64>,
    /// From that to the answer.
    pub(super) order_to_answer: Histogram<u64>,
}

/// Lets the pipeline trade for some seconds, and waits until it has stopped in order.
///
/// # Errors
///
/// When it cannot be started, a process fails, or the books do not agree with the venue's.
pub(super) fn run(
    programs: &Path,
    directory: &Path,
    path: HotPath,
    seconds: u64,
) -> Result<Run, Failure> {
    let files = directory.join("end-to-end");
    write(&files, path)?;
    let [report, figures] = launch(programs, &files, &["--for", &format!("{seconds}s")])?;
    Ok(Run {
        report,
        spun: spun(&files)?,
        tick_to_answer: histogram(&figures["tick_to_answer_ns"])?,
        tick_to_order: histogram(&figures["tick_to_order_ns"])?,
        order_to_answer: histogram(&figures["order_to_answer_ns"])?,
    })
}

fn histogram(figures: &Value) -> Result<Histogram<u64>, Failure> {
    let mut histogram = Histogram::new_with_max(SLOWEST_NS, 3)?;
    let distribution: Vec<[u64; 2]> = serde_json::from_value(figures["distribution"].clone())?;
    for [ns, count] in distribution {
        histogram.saturating_record_n(ns, count);
    }
    Ok(histogram)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_is_put_together_again() {
        let figures = serde_json::json!({ "distribution": [[1_000, 3], [100_000_000, 2]] });
        let histogram = histogram(&figures).unwrap();
        assert_eq!(
            (histogram.len(), histogram.value_at_quantile(0.5)),
            (5, 1_000)
        );
        assert!(histogram.max() >= 100_000_000);
    }
}
