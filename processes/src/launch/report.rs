//! How a run went: for people, and as JSON.

use super::{
    audit::Audits, breakdown::Breakdown, profit::Profit, rings::RingReport, safety::SafeTime,
};
use crate::venue::SignedAhead;
use layouts::units::format_decimal;
use pipeline::LinkKind;
use serde::Serialize;
use std::{fmt::Write as _, time::Duration};

/// The report of a run. Money is in dollars with six decimals, as text: it is exact.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Name of the pipeline.
    pub pipeline: String,
    /// Seconds from all processes ready to the first one stopped.
    pub seconds: f64,
    /// Why it was stopped.
    pub stopped_because: String,
    /// How loops waited, and why.
    pub placement: String,
    /// When no orders were made, and why.
    pub safe: Vec<SafeTime>,
    /// How often the account was compared with our books meanwhile; `None` where no orders are sent.
    pub audits: Option<Audits>,
    /// Every process, in data-flow order.
    pub processes: Vec<ProcessReport>,
    /// Every ring, in the order of the pipeline file.
    pub rings: Vec<RingReport>,
    /// Games that the feed has shown, as far as the last incarnation of the orchestrator knows; `None` when it left no
    /// figures.
    pub games: Option<u64>,
    /// Price updates published.
    pub ticks: u64,
    /// Signals raised.
    pub signals: u64,
    /// Orders made of them.
    pub orders: u64,
    /// Orders that were shown and not sent; `None` where orders are sent.
    pub dry_orders: Option<u64>,
    /// Trades at the venue.
    pub fills: u64,
    /// Orders refused, by the venue or by us, as far as the last incarnation of the execution service knows;
    /// `None` when it left no figures.
    pub rejected: Option<u64>,
    /// From the arrival of the frame to the moment when the order, signed and with its connection, is written;
    /// of the last incarnation of the execution service, `None` without an order.
    pub tick_to_order_ns: Option<Percentiles>,
    /// From the arrival of the frame to that of the venue's answer to the order, likewise.
    pub tick_to_answer_ns: Option<Percentiles>,
    /// From that moment to that answer: network and venue.
    pub order_to_answer_ns: Option<Percentiles>,
    /// The first of these by stage, over the orders whose way through all processes is known.
    pub tick_to_order_stages: Option<Breakdown>,
    /// How many orders found their signature made, and how many had to wait for it; of the last incarnation too.
    pub signed_ahead: Option<SignedAhead>,
    /// Money at the venue, by our books.
    pub cash: Option<String>,
    /// What is held, by our books.
    pub positions: Vec<Position>,
    /// Realised profit and loss after fees.
    pub pnl: Option<String>,
    /// What it came of, as far as our books tell.
    pub profit: Option<Profit>,
    /// Whether positions, fills, fees and cash of our books equal the venue's exactly.
    pub reconciled: bool,
    /// What does not agree, or why it could not be compared.
    pub differences: Vec<String>,
    /// Settlements that the venue has amended since our books began, in words.
    pub amended: Vec<String>,
}

/// One process in the report.
#[derive(Debug, Clone, Serialize)]
pub struct ProcessReport {
    /// Its name.
    pub name: String,
    /// The core that its loop was told to run on.
    pub core: Option<usize>,
    /// Times that it was started again.
    pub restarts: u32,
    /// From the news of its end to its successor's being ready, over all restarts; `None` without one.
    pub recovery: Option<Recovery>,
    /// Exit code, or `signal N`, of its last incarnation.
    pub exit: String,
    /// The end of its log, when it failed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_words: String,
}

/// How long a process was away, microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// Times that it came back.
    pub count: usize,
    /// Median.
    pub p50_us: u64,
    /// 99th percentile: the greatest, of less than a hundred.
    pub p99_us: u64,
    /// Greatest.
    pub max_us: u64,
}

impl Recovery {
    /// Of these times; `None` of none.
    #[must_use]
    pub(super) fn of(times: &[Duration]) -> Option<Self> {
        let mut sorted: Vec<u64> = times
            .iter()
            .map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
            .collect();
        sorted.sort_unstable();
        let max_us = *sorted.last()?;
        // The least value that at least this share of all does not exceed.
        let quantile = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100) - 1];
        Some(Self {
            count: sorted.len(),
            p50_us: quantile(50),
            p99_us: quantile(99),
            max_us,
        })
    }
}

/// Percentiles of a latency, ns.
#[derive(Debug, Clone, Copy, Serialize, serde::Deserialize)]
pub struct Percentiles {
    /// Median.
    pub p50: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p999: u64,
    /// Greatest.
    pub max: u64,
    /// How many there are.
    pub count: u64,
}

/// One holding.
#[derive(Debug, Clone, Serialize)]
pub struct Position {
    /// The venue's ticker.
    pub ticker: String,
    /// YES contracts; negative for NO.
    pub contracts: String,
}

impl ProcessReport {
    /// Whether it is the private redis-server, whose death the hot path survives.
    fn is_cold_server(&self) -> bool {
        self.name == super::private_redis::NAME
    }
}

impl Report {
    /// Messages lost in rings that may lose none.
    #[must_use]
    pub fn lost_in_lossless(&self) -> u64 {
        self.rings
            .iter()
            .filter(|ring| ring.kind == LinkKind::Lossless)
            .map(|ring| ring.lost)
            .sum()
    }

    /// Whether everything went as it must.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.reconciled
            && self.lost_in_lossless() == 0
            && self
                .processes
                .iter()
                .all(|process| process.exit == "0" || process.is_cold_server())
    }

    /// The report for people.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "\n{}  {:.1} s, stopped because {}\n{}\n\n",
            self.pipeline, self.seconds, self.stopped_because, self.placement
        );
        self.write_safe_times(&mut text);
        self.write_processes(&mut text);
        self.write_rings(&mut text);
        self.write_money(&mut text);
        text
    }

    fn write_safe_times(&self, text: &mut String) {
        for time in &self.safe {
            let _ = writeln!(
                text,
                "SAFE  from {:.1} s for {:.1} s: {}",
                time.from_s,
                time.seconds,
                time.because.join("; ")
            );
        }
        if !self.safe.is_empty() {
            text.push('\n');
        }
    }

    fn write_processes(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "{:<20} {:>4}  {:>8}  {:>9} {:>9} {:>9}  EXIT",
            "PROCESS", "CORE", "RESTARTS", "BACK P50", "P99", "MAX"
        );
        for process in &self.processes {
            let core = process.core.map_or("-".into(), |core| core.to_string());
            let away = |time: fn(&Recovery) -> u64| {
                latency(process.recovery.as_ref().map(|times| time(times) * 1_000))
            };
            let _ = writeln!(
                text,
                "{:<20} {core:>4}  {:>8}  {:>9} {:>9} {:>9}  {}",
                process.name,
                process.restarts,
                away(|times| times.p50_us),
                away(|times| times.p99_us),
                away(|times| times.max_us),
                process.exit
            );
            text.push_str(&process.last_words);
        }
    }

    fn write_rings(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "\n{:<12} {:<12} {:<12} {:>10} {:>10} {:>6} {:>9} {:>9} {:>9} {:>9}",
            "RING",
            "MESSAGE",
            "KIND",
            "PUBLISHED",
            "CONSUMED",
            "LOST",
            "P50",
            "P99",
            "MAX",
            "AGE P99"
        );
        for ring in &self.rings {
            let kind = if ring.kind == LinkKind::Lossless {
                "lossless"
            } else {
                "latest-wins"
            };
            let lost = if ring.lost == 0 {
                "-".into()
            } else {
                ring.lost.to_string()
            };
            let _ = writeln!(
                text,
                "{:<12} {:<12} {kind:<12} {:>10} {:>10} {lost:>6} {:>9} {:>9} {:>9} {:>9}",
                ring.name,
                ring.message,
                ring.published,
                ring.consumed,
                latency(ring.p50_ns),
                latency(ring.p99_ns),
                latency(ring.max_ns),
                latency(ring.age_p99_ns)
            );
        }
    }

    fn write_latencies(&self, text: &mut String) {
        let latencies = [
            ("tick to order", &self.tick_to_order_ns),
            ("tick to answer", &self.tick_to_answer_ns),
            ("order to answer", &self.order_to_answer_ns),
        ];
        for (name, figures) in latencies {
            let Some(figures) = figures else { continue };
            let [p50, p99, p999, max] = [figures.p50, figures.p99, figures.p999, figures.max]
                .map(|value| latency(Some(value)));
            let _ = writeln!(
                text,
                "{name}  p50 {p50}  p99 {p99}  p99.9 {p999}  max {max}"
            );
        }
        if let Some(breakdown) = &self.tick_to_order_stages {
            let _ = write!(text, "\n{breakdown}");
        }
        if let Some(SignedAhead { ready, late }) = self.signed_ahead {
            let _ = writeln!(text, "signed ahead {ready}, on the spot {late}");
        }
    }

    fn write_money(&self, text: &mut String) {
        let rejected = self.rejected.map_or("?".into(), |count| count.to_string());
        let games = self.games.map_or("?".into(), |count| count.to_string());
        let _ = writeln!(
            text,
            "\ngames {games}  ticks {}  signals {}  orders {}  fills {}  rejected {rejected}",
            self.ticks, self.signals, self.orders, self.fills
        );
        if let Some(count) = self.dry_orders {
            let _ = writeln!(
                text,
                "DRY  no order was sent; {count} are in dry_orders.jsonl of the run directory"
            );
        }
        self.write_latencies(text);
        if let Some(profit) = &self.profit {
            let _ = write!(text, "\n{profit}");
        }
        let unknown = || "unknown".to_owned();
        let _ = writeln!(
            text,
            "cash ${}  realised P&L ${}  open positions {}",
            self.cash.clone().unwrap_or_else(unknown),
            self.pnl.clone().unwrap_or_else(unknown),
            self.positions.len()
        );
        if let Some(audits) = self.audits {
            let Audits {
                looks,
                in_doubt,
                failed,
            } = audits;
            let _ = writeln!(
                text,
                "audits while trading  {looks}, {in_doubt} with something on its way, {failed} not possible"
            );
        }
        self.write_verdict(text);
    }

    fn write_verdict(&self, text: &mut String) {
        let verdict = if self.reconciled {
            "yes: positions, fills, fees and cash equal the venue's"
        } else {
            "NO"
        };
        let _ = writeln!(text, "reconciled  {verdict}");
        for difference in &self.differences {
            let _ = writeln!(text, "  {difference}");
        }
        for amended in &self.amended {
            let _ = writeln!(text, "AMENDED  {amended}");
        }
        if self.lost_in_lossless() > 0 {
            let _ = writeln!(
                text,
                "LOST  {} messages in lossless rings",
                self.lost_in_lossless()
            );
        }
    }
}

/// Micro-dollars as dollars.
pub(super) fn dollars(micros: i64) -> String {
    format_decimal(micros, 6)
}

/// A latency in the unit that shows three digits of it.
#[must_use]
pub(super) fn latency(ns: Option<u64>) -> String {
    match ns {
        None => "-".into(),
        Some(ns @ ..10_000) => format!("{ns}ns"),
        Some(ns @ ..10_000_000) => format!("{}us", ns / 1_000),
        Some(ns) => format!("{}ms", ns / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_keep_their_leading_digits() {
        assert_eq!(latency(Some(119)), "119ns");
        assert_eq!(latency(Some(52_300)), "52us");
        assert_eq!(latency(Some(101_000_000)), "101ms");
        assert_eq!(latency(None), "-");
    }

    #[test]
    fn a_recovery_is_one_of_those_that_were() {
        let times = |count: u64| -> Vec<Duration> {
            (1..=count).rev().map(Duration::from_micros).collect()
        };
        assert_eq!(Recovery::of(&[]), None);
        let of = |count| Recovery::of(&times(count)).unwrap();
        assert_eq!((of(1).p50_us, of(1).p99_us, of(1).max_us), (1, 1, 1));
        assert_eq!(
            (of(200).p50_us, of(200).p99_us, of(200).max_us),
            (100, 198, 200)
        );
    }

    #[test]
    fn dollars_keep_their_sign() {
        assert_eq!(dollars(-17_500), "-0.017500");
    }
}
