//! What the rings themselves say, while they run and at the end. Read-only; no process notices.

use crate::runtime::Failure;
use ipc::{Message, Observer};
use layouts::{Fill, Order, PriceUpdate, Signal};
use pipeline::{LinkKind, Pipeline};
use serde::Serialize;

/// Observers of every ring of a pipeline.
pub(super) struct Rings {
    rings: Vec<(String, String, LinkKind, Observer)>,
}

/// One ring in the report.
#[derive(Debug, Clone, Serialize)]
pub struct RingReport {
    /// Name of the link.
    pub name: String,
    /// Message that it carries.
    pub message: String,
    /// `lossless` or `latest_wins`.
    pub kind: LinkKind,
    /// Messages published.
    pub published: u64,
    /// Messages consumed and committed.
    pub consumed: u64,
    /// Messages that nobody will ever read: overwritten, or left behind at the end.
    pub lost: u64,
    /// Median latency from push to pop; `None` before the first message.
    pub p50_ns: Option<u64>,
    /// 99th percentile of it.
    pub p99_ns: Option<u64>,
    /// 99.9th percentile.
    pub p999_ns: Option<u64>,
    /// Greatest.
    pub max_ns: Option<u64>,
    /// Median age, at the pop, of the frame that caused the message; `None` where it does not say.
    pub age_p50_ns: Option<u64>,
    /// 99th percentile of it.
    pub age_p99_ns: Option<u64>,
    /// Greatest.
    pub age_max_ns: Option<u64>,
}

/// Totals over the pipeline's rings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) ticks: u64,
    pub(super) signals: u64,
    pub(super) orders: u64,
    pub(super) fills: u64,
}

#[cfg(feature = "redis-hot-path")]
impl RingReport {
    /// Takes over the latencies and losses on the way through Redis, of which the ring sees the end only.
    pub(super) fn add_redis(&mut self, pipeline: &Pipeline) {
        if let Some(hops) = crate::runtime::redis_path::Hops::read(pipeline, &self.name) {
            self.p50_ns = Some(hops.p50_ns);
            self.p99_ns = Some(hops.p99_ns);
            self.p999_ns = Some(hops.p999_ns);
            self.max_ns = Some(hops.max_ns);
            self.published += hops.lost;
            self.lost += hops.lost;
        }
    }
}

impl Rings {
    /// Opens every ring of the pipeline for looking.
    pub(super) fn open(pipeline: &Pipeline) -> Result<Self, Failure> {
        let open = |link: &pipeline::Link| {
            let observer = Observer::open(&pipeline.ring_path(&link.name))?;
            Ok((link.name.clone(), link.message.clone(), link.kind, observer))
        };
        Ok(Self {
            rings: pipeline
                .links
                .iter()
                .map(open)
                .collect::<Result<_, Failure>>()?,
        })
    }

    /// Messages published so far, by what they are.
    pub(super) fn totals(&self) -> Totals {
        let of = |name: &str| {
            self.rings
                .iter()
                .filter(|ring| ring.1 == name)
                .map(|ring| ring.3.statistics().published)
                .sum()
        };
        Totals {
            ticks: of(PriceUpdate::NAME),
            signals: of(Signal::NAME),
            orders: of(Order::NAME),
            fills: of(Fill::NAME),
        }
    }

    /// Every ring as it stands.
    pub(super) fn report(&self) -> Vec<RingReport> {
        let one = |(name, message, kind, observer): &(String, String, LinkKind, Observer)| {
            let statistics = observer.statistics();
            let (latency, age) = (observer.latency(), observer.age());
            RingReport {
                name: name.clone(),
                message: message.clone(),
                kind: *kind,
                published: statistics.published,
                consumed: statistics.consumed,
                lost: statistics.published.saturating_sub(statistics.consumed),
                p50_ns: latency.quantile(0.5),
                p99_ns: latency.quantile(0.99),
                p999_ns: latency.quantile(0.999),
                max_ns: latency.quantile(1.0),
                age_p50_ns: age.quantile(0.5),
                age_p99_ns: age.quantile(0.99),
                age_max_ns: age.quantile(1.0),
            }
        };
        self.rings.iter().map(one).collect()
    }
}
