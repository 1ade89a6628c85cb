//! What do the rings change for an order? The whole pipeline, its launcher, eight processes, simulator and
//! cold path, with a venue 100 ms away: once with the hot path over Redis pub/sub in JSON, once over rings.
//!
//! Both run the same pipeline file, in turns. The floor is the venue alone, in the same runs: from the
//! hand-over of an order to the HTTP client to the arrival of the venue's answer.

mod run;

use super::launched::{HotPath, blank, programs, times};
use crate::{
    Failure,
    row::{Between, Row},
};
use hdrhistogram::Histogram;
use run::{Run, run};
use serde_json::Value;

/// Name of the rows of orders.
pub const NAME: &str = "end-to-end";
/// Name of the rows that end with the hand-over to the HTTP client.
pub const TICK_TO_ORDER: &str = "tick to order";
/// Name of the rows of the way from tick to order, stage by stage.
pub const STAGES: &str = "tick to order by stage";
/// How the stages begin that are rings.
pub const RING: &str = "ring to ";
/// Name of the rows of single hops in the running pipeline.
pub const HOPS: &str = "pipeline hop";
/// The floor.
pub const FLOOR: &str = "venue alone";

/// Runs over each path, and seconds of each run.
const QUICK: (usize, u64) = (2, 8);
const FULL: (usize, u64) = (4, 27);

/// Measures, in about 45 seconds or four and a half minutes. `progress` is told before each run how many are
/// done, and of how many.
///
/// # Errors
///
/// When the programs are not built, or a run fails, loses what it must not, or does not reconcile.
pub fn rows(
    directory: &std::path::Path,
    quick: bool,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Row>, Failure> {
    let programs = programs()?;
    let (rounds, seconds) = if quick { QUICK } else { FULL };
    let (mut rings, mut redis) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        progress(2 * round, 2 * rounds);
        rings.push(run(&programs, directory, HotPath::Rings, seconds)?);
        progress(2 * round + 1, 2 * rounds);
        redis.push(run(&programs, directory, HotPath::Redis, seconds)?);
    }
    let mut rows = Vec::new();
    for (path, runs) in [(HotPath::Rings, &rings), (HotPath::Redis, &redis)] {
        let mut row = orders(path, runs, NAME, |run| &run.tick_to_answer)?;
        compare(&mut row, runs);
        rows.push(row);
    }
    let all: Vec<&Run> = rings.iter().chain(&redis).collect();
    let mut alone = all_times(FLOOR, NAME, &all, |run| &run.order_to_answer)?;
    (alone.floor, alone.floor_ns) = (FLOOR.to_owned(), alone.level_ns);
    rows.push(alone);
    rows.extend(stages(&rings));
    for (path, runs) in [(HotPath::Rings, &rings), (HotPath::Redis, &redis)] {
        rows.push(orders(path, runs, TICK_TO_ORDER, |run| &run.tick_to_order)?);
        rows.extend(hops(path, runs));
    }
    Ok(rows)
}

/// A row of a path's orders.
fn orders(
    path: HotPath,
    runs: &[Run],
    experiment: &str,
    of: impl Fn(&Run) -> &Histogram<u64>,
) -> Result<Row, Failure> {
    let mut row = all_times(
        path.name(),
        experiment,
        &runs.iter().collect::<Vec<_>>(),
        of,
    )?;
    mark(&mut row, path);
    let number = |value: &Value| value.as_f64().unwrap_or_default();
    let seconds: f64 = runs.iter().map(|run| number(&run.report["seconds"])).sum();
    row.achieved_per_s = Some(row.samples as f64 / seconds);
    Ok(row)
}

fn mark(row: &mut Row, path: HotPath) {
    (row.encoding, row.between) = match path {
        HotPath::Rings => (Some("fixed".to_owned()), Between::Processes),
        HotPath::Redis => (Some("json".to_owned()), Between::Server),
    };
}

/// Compares a path with the venue alone, run by run.
fn compare(row: &mut Row, runs: &[Run]) {
    let median = |histogram: &Histogram<u64>| histogram.value_at_quantile(0.5) as f64;
    let pairs = || {
        runs.iter()
            .map(|run| (median(&run.tick_to_answer), median(&run.order_to_answer)))
    };
    row.floor = FLOOR.to_owned();
    row.floor_ns = middle(pairs().map(|(_, floor)| floor).collect());
    row.ratio_to_floor = Some(middle(
        pairs().map(|(whole, floor)| whole / floor).collect(),
    ));
    row.over_floor_ns = Some(middle(
        pairs().map(|(whole, floor)| whole - floor).collect(),
    ));
    row.rounds_compared = runs.len();
}

/// A row of all single times of some runs together.
fn all_times(
    name: &str,
    experiment: &str,
    runs: &[&Run],
    of: impl Fn(&Run) -> &Histogram<u64>,
) -> Result<Row, Failure> {
    let mut all = of(runs.first().ok_or("no run")?).clone();
    for run in &runs[1..] {
        all.add(of(run))?;
    }
    let medians = runs.iter().map(|run| of(run).value_at_quantile(0.5) as f64);
    Ok(Row {
        windows: runs.len(),
        level_ns: middle(medians.collect()),
        ..times(name, experiment, runs.iter().all(|run| run.spun), &all)
    })
}

/// Rows of the stages from tick to order over rings, as the launcher's reports tell them. Their level is the mean of all
/// orders, so that they sum to the whole; the percentiles are medians over the runs.
fn stages(runs: &[Run]) -> Vec<Row> {
    let told = |run: &Run| run.report["tick_to_order_stages"].clone();
    let all: Vec<Value> = runs.iter().map(told).filter(Value::is_object).collect();
    let orders: u64 = all.iter().filter_map(|told| told["orders"].as_u64()).sum();
    let names = all.first().and_then(|told| told["stages"].as_array());
    let row = |(place, stage): (usize, &Value)| {
        let each = |field: &str| -> Vec<f64> {
            let stages = all.iter().map(|told| &told["stages"][place][field]);
            stages.filter_map(Value::as_f64).collect()
        };
        let greatest = each("max_ns").into_iter().fold(0.0, f64::max);
        let mut row = Row {
            windows: all.len(),
            samples: orders,
            level_ns: each("total_ns").iter().sum::<f64>() / orders as f64,
            p50_ns: middle(each("p50_ns")),
            p99_ns: middle(each("p99_ns")),
            p999_ns: greatest,
            p9999_ns: greatest,
            max_ns: greatest,
            ..blank(
                stage["name"].as_str()?,
                STAGES,
                runs.iter().all(|run| run.spun),
            )
        };
        mark(&mut row, HotPath::Rings);
        Some(row)
    };
    names
        .into_iter()
        .flatten()
        .enumerate()
        .filter_map(row)
        .collect()
}

/// Rows of the hops: medians over the runs of what each run's link tells; the greatest of all is the greatest.
fn hops(path: HotPath, runs: &[Run]) -> Vec<Row> {
    let links = runs.first().and_then(|run| run.report["rings"].as_array());
    let row = |(place, link): (usize, &Value)| {
        let each = |field: &str| -> Vec<f64> {
            let links = runs.iter().map(|run| &run.report["rings"][place][field]);
            links.filter_map(Value::as_f64).collect()
        };
        let sum = |field| each(field).iter().sum::<f64>();
        let name = format!("{}, {}", path.name(), link["name"].as_str()?);
        let mut row = Row {
            windows: runs.len(),
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count"
            )]
            samples: sum("consumed") as u64,
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count"
            )]
            lost: Some(sum("lost") as u64),
            level_ns: middle(each("p50_ns")),
            p50_ns: middle(each("p50_ns")),
            p99_ns: middle(each("p99_ns")),
            p999_ns: middle(each("p999_ns")),
            p9999_ns: each("max_ns").into_iter().fold(0.0, f64::max),
            max_ns: each("max_ns").into_iter().fold(0.0, f64::max),
            ..blank(&name, HOPS, runs.iter().all(|run| run.spun))
        };
        mark(&mut row, path);
        Some(row)
    };
    links
        .into_iter()
        .flatten()
        .enumerate()
        .filter_map(row)
        .collect()
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => 0.0,
        (count, half) if count % 2 == 1 => values[half],
        (_, half) => f64::midpoint(values[half - 1], values[half]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A run whose venue takes 100 ms and whose pipeline takes so many more, with a link's latencies.
    fn took(over_ms: u64, p50_ns: u64) -> Run {
        let of = |ms: u64| {
            let mut histogram = Histogram::new(3).unwrap();
            histogram.record_n(ms * 1_000_000, 10).unwrap();
            histogram
        };
        let link = json!({
            "name": "orders", "consumed": 10, "lost": 1, "p50_ns": p50_ns, "p99_ns": 2 * p50_ns,
            "p999_ns": 3 * p50_ns, "max_ns": 4 * p50_ns,
        });
        Run {
            report: json!({ "seconds": 5.0, "rings": [link] }),
            spun: false,
            tick_to_answer: of(100 + over_ms),
            tick_to_order: of(over_ms),
            order_to_answer: of(100),
        }
    }

    #[test]
    fn orders_are_compared_with_the_venue_of_the_same_runs() {
        let runs = [took(10, 1), took(20, 1), took(30, 1)];
        let mut row = orders(HotPath::Redis, &runs, NAME, |run| &run.tick_to_answer).unwrap();
        compare(&mut row, &runs);
        assert_eq!((row.samples, row.windows, row.rounds_compared), (30, 3, 3));
        assert_eq!(row.achieved_per_s, Some(2.0));
        let near = |value: f64, wanted: f64| (value / wanted - 1.0).abs() < 0.01;
        assert!(near(row.ratio_to_floor.unwrap(), 1.2), "{row:?}");
        assert!(near(row.over_floor_ns.unwrap(), 20e6), "{row:?}");
        assert!(
            near(row.p50_ns, 120e6) && near(row.max_ns, 130e6),
            "{row:?}"
        );
    }

    #[test]
    fn the_stages_of_all_orders_sum_to_the_whole() {
        let run = |orders: u64, ring: u64, rest: u64| {
            let stage = |name: &str, total: u64| json!({"name": name, "total_ns": total, "p50_ns": 1, "p99_ns": 2, "max_ns": 3});
            let stages = [stage("ring to game_shard", ring), stage("request", rest)];
            let mut run = took(1, 1);
            run.report["tick_to_order_stages"] = json!({"orders": orders, "stages": stages});
            run
        };
        let rows = stages(&[run(1, 100, 900), run(3, 100, 2_900)]);
        let levels: Vec<f64> = rows.iter().map(|row| row.level_ns).collect();
        assert_eq!(levels, [50.0, 950.0]);
        assert!(rows[0].name.starts_with(RING) && rows[0].samples == 4);
        assert!(stages(&[took(1, 1)]).is_empty(), "no order, no way");
    }

    #[test]
    fn a_hop_is_the_middle_of_its_runs_and_its_greatest_the_greatest() {
        let rows = hops(HotPath::Rings, &[took(1, 100), took(1, 300), took(1, 200)]);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].name, "rings, orders");
        assert_eq!((rows[0].samples, rows[0].lost), (30, Some(3)));
        assert!((rows[0].p50_ns - 200.0).abs() < 1e-9);
        assert!((rows[0].max_ns - 1_200.0).abs() < 1e-9);
    }
}
