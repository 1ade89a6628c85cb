//! Where the time from tick to order goes: the way of each order through all processes, stage by stage.
//!
//! Each process keeps, by the id that signal and order share, when a message was sent and popped. Joined, the times of
//! one order lie one behind the other, so the stages of all orders sum to the whole exactly. Orders that were taken
//! up after a death are missing: what was kept died with the process.

use super::report::latency;
use serde::Serialize;
use serde_json::Value;
use std::{collections::HashMap, fmt};

/// Every stage, in the order of the way, and whether it is a ring.
const STAGES: [(&str, bool); 8] = [
    ("frame to message", false),
    ("ring to game_shard", true),
    ("game_shard", false),
    ("ring to signal_processor", true),
    ("signal_processor", false),
    ("ring to execution_service", true),
    ("hand-over to its I/O thread", false),
    ("request made and written", false),
];

/// Times of an order's way: one more than there are stages.
type Times = [u64; STAGES.len() + 1];

/// The way from the arrival of the frame to the order's first byte on the wire.
#[derive(Debug, Clone, Serialize)]
pub struct Breakdown {
    /// Orders whose whole way is known.
    pub orders: u64,
    /// The whole of it.
    pub whole: Stage,
    /// Its parts, which sum to the whole.
    pub stages: Vec<Stage>,
    /// What all rings together are of the whole, 1/100 percent.
    pub rings_share_e4: u64,
}

/// One stage, over all orders. Nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// Where it passes.
    pub name: &'static str,
    /// Sum over all orders.
    pub total_ns: u64,
    /// Median.
    pub p50_ns: u64,
    /// 99th percentile: the greatest, of less than a hundred.
    pub p99_ns: u64,
    /// Greatest.
    pub max_ns: u64,
}

impl Breakdown {
    /// Joins what the processes have kept; `None` when no order's way is known as a whole.
    pub(super) fn of(shards: &[Value], processor: &Value, execution: &Value) -> Option<Self> {
        let mut inputs = HashMap::new();
        for shard in shards {
            inputs.extend(passages::<2>(shard));
        }
        let signals: HashMap<u64, [u64; 2]> = passages(processor).collect();
        let ways: Vec<Times> = passages::<5>(execution)
            .filter_map(|(id, [ingress, sent, popped, taken_up, written])| {
                let ([input_sent, input_popped], [signal_sent, signal_popped]) =
                    (*inputs.get(&id)?, *signals.get(&id)?);
                let way = [
                    ingress,
                    input_sent,
                    input_popped,
                    signal_sent,
                    signal_popped,
                    sent,
                    popped,
                    taken_up,
                    written,
                ];
                way.is_sorted().then_some(way)
            })
            .collect();
        if ways.is_empty() {
            return None;
        }
        let stage = |name, from: usize, to: usize| {
            let times = ways.iter().map(|way| way[to] - way[from]);
            Stage::of(name, times.collect())
        };
        let whole = stage("tick to order", 0, STAGES.len());
        let stages: Vec<Stage> = (0..STAGES.len())
            .map(|at| stage(STAGES[at].0, at, at + 1))
            .collect();
        let in_rings = stages.iter().zip(STAGES).filter(|(_, (_, ring))| *ring);
        let in_rings: u64 = in_rings.map(|(stage, _)| stage.total_ns).sum();
        Some(Self {
            orders: ways.len() as u64,
            rings_share_e4: share_e4(in_rings, whole.total_ns),
            whole,
            stages,
        })
    }
}

/// The rows that a process has kept, as it has written them.
fn passages<const N: usize>(report: &Value) -> impl Iterator<Item = (u64, [u64; N])> {
    let rows = report.get("passages").and_then(Value::as_array);
    rows.into_iter().flatten().filter_map(|row| {
        let times = row.get(1)?.as_array()?.iter().map(Value::as_u64);
        let times: Option<Vec<u64>> = times.collect();
        Some((row.get(0)?.as_u64()?, times?.try_into().ok()?))
    })
}

impl Stage {
    fn of(name: &'static str, mut times: Vec<u64>) -> Self {
        times.sort_unstable();
        // The least value that at least this share of all does not exceed.
        let quantile = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100).saturating_sub(1);
            times.get(rank).copied().unwrap_or(0)
        };
        Self {
            name,
            total_ns: times.iter().sum(),
            p50_ns: quantile(50),
            p99_ns: quantile(99),
            max_ns: quantile(100),
        }
    }
}

fn share_e4(part: u64, whole: u64) -> u64 {
    part.saturating_mul(10_000) / whole.max(1)
}

impl fmt::Display for Breakdown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = format!("TICK TO ORDER, {} ORDERS", self.orders);
        writeln!(
            formatter,
            "{title:<32} {:>9} {:>7} {:>9} {:>9} {:>9}",
            "MEAN", "SHARE", "P50", "P99", "MAX"
        )?;
        for stage in self.stages.iter().chain([&self.whole]) {
            let share = share_e4(stage.total_ns, self.whole.total_ns);
            writeln!(
                formatter,
                "{:<32} {:>9} {:>7} {:>9} {:>9} {:>9}",
                stage.name,
                latency(Some(stage.total_ns / self.orders)),
                percent(share),
                latency(Some(stage.p50_ns)),
                latency(Some(stage.p99_ns)),
                latency(Some(stage.max_ns))
            )?;
        }
        let largest = self.stages.iter().max_by_key(|stage| stage.total_ns);
        let largest = largest.map_or("none", |stage| stage.name);
        writeln!(
            formatter,
            "largest: {largest}; all rings: {}",
            percent(self.rings_share_e4)
        )
    }
}

fn percent(share_e4: u64) -> String {
    format!("{}.{:02}%", share_e4 / 100, share_e4 % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_stages_of_every_order_sum_to_the_whole() {
        let shards = [
            json!({"passages": [[1, [110, 120]], [7, [9, 9]]]}),
            json!({"passages": [[2, [1_010, 1_030]]]}),
        ];
        let processor = json!({"passages": [[1, [150, 160]], [2, [1_100, 1_200]]]});
        let execution = json!({"passages": [
            [1, [100, 200, 230, 240, 400]],
            [2, [1_000, 1_300, 1_400, 1_500, 2_000]],
            // Taken up by a successor: nobody knows of its signal.
            [3, [1, 2, 3, 4, 5]],
        ]});
        let breakdown = Breakdown::of(&shards, &processor, &execution).unwrap();
        assert_eq!((breakdown.orders, breakdown.whole.total_ns), (2, 1_300));
        let totals: Vec<u64> = breakdown
            .stages
            .iter()
            .map(|stage| stage.total_ns)
            .collect();
        assert_eq!(totals, [20, 30, 100, 110, 140, 130, 110, 660]);
        assert_eq!(totals.iter().sum::<u64>(), 1_300);
        assert_eq!(breakdown.rings_share_e4, 270 * 10_000 / 1_300);
        let text = breakdown.to_string();
        assert!(text.contains("largest: request made and written"), "{text}");
    }

    #[test]
    fn without_a_whole_way_there_is_no_table() {
        let nothing = json!({});
        assert!(Breakdown::of(&[], &nothing, &nothing).is_none());
        // An input that seems to come after what it caused is of another order.
        let shard = json!({"passages": [[1, [900, 901]]]});
        let processor = json!({"passages": [[1, [150, 160]]]});
        let execution = json!({"passages": [[1, [100, 200, 230, 240, 400]]]});
        assert!(Breakdown::of(&[shard], &processor, &execution).is_none());
    }
}
