//! The live status line on standard error.

use super::{
    report::latency,
    rings::{Rings, Totals},
    voice::show,
};
use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

/// Time between two lines on a terminal, and into a file.
const PERIODS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];

/// Prints how the pipeline is doing, in place on a terminal, now and then elsewhere.
pub(super) struct Status {
    started: Instant,
    due: Instant,
    terminal: bool,
    last: (Instant, Totals),
}

impl Status {
    /// A line that starts counting now.
    pub(super) fn start() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            due: now + PERIODS[0],
            terminal: std::io::stderr().is_terminal(),
            last: (now, Totals::default()),
        }
    }

    /// When the next line is due.
    pub(super) const fn due(&self) -> Instant {
        self.due
    }

    /// Prints a line if one is due, with the banner first.
    pub(super) fn update(&mut self, rings: &Rings, banner: Option<&str>) {
        let now = Instant::now();
        if now < self.due {
            return;
        }
        let totals = rings.totals();
        let elapsed = now.duration_since(self.started).as_secs();
        let since = now.duration_since(self.last.0).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for the eye")]
        let rate = (totals.ticks - self.last.1.ticks) as f64 / since;
        let report = rings.report();
        let slowest = report
            .iter()
            .filter(|ring| ring.p99_ns.is_some())
            .max_by_key(|ring| ring.p99_ns);
        let slowest = slowest.map_or(String::new(), |ring| {
            format!("  slowest hop {} p99 {}", ring.name, latency(ring.p99_ns))
        });
        let banner = banner.map_or(String::new(), |banner| format!("{banner}  "));
        let line = format!(
            "{banner}{:02}:{:02}  ticks {} ({rate:.0}/s)  signals {}  orders {}  fills {}{slowest}",
            elapsed / 60,
            elapsed % 60,
            totals.ticks,
            totals.signals,
            totals.orders,
            totals.fills
        );
        show(if self.terminal {
            format!("\r\x1b[K{line}")
        } else {
            format!("{line}\n")
        });
        self.last = (now, totals);
        self.due = now + PERIODS[usize::from(!self.terminal)];
    }

    /// Leaves the line, and returns the seconds since the start.
    pub(super) fn finish(&self) -> f64 {
        if self.terminal {
            show("\n".to_owned());
        }
        self.started.elapsed().as_secs_f64()
    }
}
