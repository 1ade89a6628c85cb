//! Samples in the text format of Prometheus, version 0.0.4.

use crate::sample::{Reading, Sample, float, seconds};
use ipc::{Histogram, Kind};
use serde::Serialize;
use std::{fmt::Write as _, path::Path};

pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Bounds of the histograms' buckets: powers of two from 128 ns to 17 s, at which the segment's own buckets end.
const FIRST_POWER: u32 = 7;
const LAST_POWER: u32 = 34;

/// A metric with all its series.
#[derive(Debug, Serialize)]
pub(crate) struct Family {
    name: &'static str,
    help: &'static str,
    #[serde(rename = "type")]
    sort: Sort,
    series: Vec<Series>,
}

/// One number of it.
#[derive(Debug, Serialize)]
struct Series {
    /// `_bucket`, `_sum`, `_count`, or nothing.
    suffix: &'static str,
    labels: Vec<(&'static str, String)>,
    value: f64,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Sort {
    Counter,
    Gauge,
    Histogram,
}

type Labels = Vec<(&'static str, String)>;

/// All metrics of some samples.
pub(crate) fn families(samples: &[Sample]) -> Vec<Family> {
    let samples = &told_apart(samples);
    let mut families = readable(samples);
    families.extend(counters(samples));
    families.extend(gauges(samples));
    families.extend(roles(samples));
    families.extend(histograms(samples));
    families.retain(|family| !family.series.is_empty());
    families
}

/// Pipelines of one name in several directories are called by their directories: no series may come twice.
fn told_apart(samples: &[Sample]) -> Vec<Sample> {
    let directory = |sample: &Sample| sample.file.path.parent().map(Path::to_owned);
    let mut apart = samples.to_vec();
    for sample in &mut apart {
        let mut others = samples
            .iter()
            .filter(|other| other.file.pipeline == sample.file.pipeline);
        if others.any(|other| directory(other) != directory(sample)) {
            sample.file.pipeline = directory(sample).unwrap_or_default().display().to_string();
        }
    }
    apart
}

/// The same as text.
pub(crate) fn text(samples: &[Sample]) -> String {
    let mut text = String::new();
    for family in families(samples) {
        let sort = match family.sort {
            Sort::Counter => "counter",
            Sort::Gauge => "gauge",
            Sort::Histogram => "histogram",
        };
        let (name, help) = (family.name, family.help);
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {sort}");
        for series in family.series {
            let labels = series.labels.iter();
            let labels: Vec<String> = labels
                .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
                .collect();
            let (suffix, value) = (series.suffix, series.value);
            let _ = writeln!(text, "{name}{suffix}{{{}}} {value}", labels.join(","));
        }
    }
    text
}

/// A label's value: names of files may hold anything.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn readable(samples: &[Sample]) -> Vec<Family> {
    let series = samples.iter().map(|sample| Series {
        suffix: "",
        labels: place(sample),
        value: f64::from(u8::from(sample.reading.is_ok())),
    });
    vec![Family {
        name: "arbees_segment_readable",
        help: "Whether the file is a sound ring or board (1) or not (0).",
        sort: Sort::Gauge,
        series: series.collect(),
    }]
}

fn place(sample: &Sample) -> Labels {
    vec![
        ("pipeline", sample.file.pipeline.clone()),
        ("ring", sample.file.name.clone()),
        (
            "kind",
            if sample.file.board { "board" } else { "ring" }.to_owned(),
        ),
    ]
}

/// A metric with one number for each segment that has it.
fn family(
    name: &'static str,
    help: &'static str,
    sort: Sort,
    samples: &[Sample],
    value: impl Fn(&Sample, &Reading) -> Option<f64>,
) -> Family {
    let series = samples.iter().filter_map(|sample| {
        let value = value(sample, sample.reading.as_ref().ok()?)?;
        Some(Series {
            suffix: "",
            labels: place(sample),
            value,
        })
    });
    Family {
        name,
        help,
        sort,
        series: series.collect(),
    }
}

fn counters(samples: &[Sample]) -> Vec<Family> {
    let of_ring =
        |reading: &Reading, value: u64| (reading.kind != Kind::Board).then(|| float(value));
    let counter = |name, help, value: fn(&Reading) -> u64| {
        family(name, help, Sort::Counter, samples, |_, reading| {
            of_ring(reading, value(reading))
        })
    };
    vec![
        family(
            "arbees_published_total",
            "Messages published, or writes of a board's rows, since the segment was created.",
            Sort::Counter,
            samples,
            |_, reading| Some(float(reading.counters.published)),
        ),
        counter(
            "arbees_consumed_total",
            "Messages consumed and committed.",
            |reading| reading.counters.consumed,
        ),
        counter(
            "arbees_lost_total",
            "Messages that a latest-wins ring overwrote before they were read.",
            |reading| reading.counters.lost,
        ),
        counter(
            "arbees_full_total",
            "Times that the producer found no room.",
            |reading| reading.counters.full,
        ),
        counter(
            "arbees_wakes_total",
            "Times that the producer woke a sleeping consumer.",
            |reading| reading.counters.wakes,
        ),
        counter(
            "arbees_producers_total",
            "Producers that the ring has had, one after the other.",
            |reading| reading.life.incarnation,
        ),
    ]
}

fn gauges(samples: &[Sample]) -> Vec<Family> {
    vec![
        family(
            "arbees_depth",
            "Messages that wait for the consumer.",
            Sort::Gauge,
            samples,
            |_, reading| reading.depth().map(float),
        ),
        family(
            "arbees_capacity",
            "Slots of a ring, rows of a board.",
            Sort::Gauge,
            samples,
            |_, reading| Some(f64::from(reading.capacity)),
        ),
        family(
            "arbees_last_message_age_seconds",
            "Time since the latest message or row was written, where it carries a time stamp.",
            Sort::Gauge,
            samples,
            |sample, reading| Some(seconds(sample.at_ns.saturating_sub(reading.last_ns?))),
        ),
        family(
            "arbees_producer_silence_seconds",
            "Time since the producer or writer last sent or beat.",
            Sort::Gauge,
            samples,
            |sample, reading| {
                let heard = Some(reading.heard_ns()).filter(|heard| *heard != 0)?;
                Some(seconds(sample.at_ns.saturating_sub(heard)))
            },
        ),
    ]
}

fn roles(samples: &[Sample]) -> Vec<Family> {
    let mut series = Vec::new();
    for sample in samples {
        let Ok(reading) = &sample.reading else {
            continue;
        };
        let (ring, counters) = (reading.kind != Kind::Board, &reading.counters);
        let producer = ("producer", counters.producer_attached, &reading.producer);
        let consumer = ("consumer", counters.consumer_attached, &reading.consumer);
        for (role, attached, holder) in [Some(producer), ring.then_some(consumer)]
            .into_iter()
            .flatten()
        {
            let mut labels = place(sample);
            let holder = holder.as_ref().map(|holder| holder.name.clone());
            labels.extend([
                ("role", role.to_owned()),
                ("holder", holder.unwrap_or_default()),
            ]);
            series.push(Series {
                suffix: "",
                labels,
                value: f64::from(u8::from(attached)),
            });
        }
    }
    vec![Family {
        name: "arbees_attached",
        help: "Whether a live process holds the role (1) or not (0); its holder, or the last one, by the name it gave.",
        sort: Sort::Gauge,
        series,
    }]
}

fn histograms(samples: &[Sample]) -> Vec<Family> {
    let of = |name, help, histogram: fn(&Reading) -> &Histogram| {
        let mut series = Vec::new();
        for sample in samples {
            if let Ok(reading) = &sample.reading
                && reading.kind != Kind::Board
            {
                series.extend(buckets(&place(sample), histogram(reading)));
            }
        }
        Family {
            name,
            help,
            sort: Sort::Histogram,
            series,
        }
    };
    vec![
        of(
            "arbees_hop_seconds",
            "Time from push to pop of stamped messages; the sum is at most 6.25 % too high.",
            |reading| &reading.latency,
        ),
        of(
            "arbees_age_seconds",
            "Time from the origin of what caused a stamped message to its pop; the sum is at most 6.25 % too high.",
            |reading| &reading.age,
        ),
    ]
}

fn buckets(place: &Labels, histogram: &Histogram) -> Vec<Series> {
    let values: Vec<(u64, u64)> = histogram.buckets().collect();
    let (mut count, mut sum, mut next) = (0, 0.0, 0);
    let mut series = Vec::new();
    let mut push = |suffix, bound: Option<String>, value: f64| {
        let mut labels = place.clone();
        labels.extend(bound.map(|bound| ("le", bound)));
        series.push(Series {
            suffix,
            labels,
            value,
        });
    };
    for power in FIRST_POWER..=LAST_POWER {
        // The greatest value below the power, at which a bucket of the segment ends.
        let bound = (1_u64 << power) - 1;
        while let Some((last, inside)) = values.get(next).filter(|(last, _)| *last <= bound) {
            count += inside;
            sum += seconds(*last) * float(*inside);
            next += 1;
        }
        push("_bucket", Some(seconds(bound).to_string()), float(count));
    }
    for (last, inside) in &values[next..] {
        count += inside;
        sum += seconds(*last) * float(*inside);
    }
    push("_bucket", Some("+Inf".into()), float(count));
    push("_sum", None, sum);
    push("_count", None, float(count));
    series
}
