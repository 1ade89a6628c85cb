//! `show`: everything about one ring or board.

use crate::{
    Failure,
    arguments::Arguments,
    exit::Exit,
    place::{label, one},
    sample::{Percentiles, Reading, Sources, seconds},
    say, say_json,
    table::{Align, Table, nanoseconds, span},
};
use ipc::{Holder, Kind, Observer, Schema, clock};
use serde::Serialize;
use std::path::PathBuf;

pub(crate) const HELP: &str = "\
Example:

  $ shm-inspect show orders
  demo/orders
  file       /dev/shm/arbees/demo/orders.ring
  kind       lossless ring, 1024 slots of 48 bytes, each stamped
  created    9.69 s ago by pid 4874, instance d893f2174e376256
  producer   signal_processor, pid 4884, attached
  consumer   execution_service, pid 4883, attached
  heard      3.69 ms ago of its producer
  last       504 ms ago
  published  57
  position   57, 0 wait
  ...
           P50      P90      P99    P99.9      MAX  COUNT
  hop  90.1 us   229 us  12.2 ms  12.2 ms  12.2 ms     57
  age   721 us  12.1 ms  31.4 ms  31.4 ms  31.4 ms     57

  Order v1, schema eec40a3a1c3ed00a
  OFFSET  BYTES  FIELD            TYPE    UNIT
       0      8  ingress_mono_ns  u64     ns, CLOCK_MONOTONIC
      36      2  price_e4         u16     1/10000 dollar
      38      1  side             u8      0 bid, 1 ask
  ...

Hop is from push to pop, age from the origin of what caused the message to its pop; both since the ring was created.

Exit codes: 0 done; 1 its counters or schema are wrong; 2 no such ring, or it cannot be read.";

/// What to show.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Name, `pipeline/name` or file.
    ring: String,
}

/// All of it.
#[derive(Debug, Serialize)]
struct Shown {
    pipeline: String,
    name: String,
    path: PathBuf,
    kind: &'static str,
    /// Slots of a ring, rows of a board.
    capacity: u32,
    message_bytes: u32,
    /// Every how many messages one carries a time stamp; 0 for never.
    stamp_every: u32,
    fingerprint: String,
    instance: String,
    created_s_ago: f64,
    creator_pid: u32,
    message: Option<String>,
    version: Option<u16>,
    fields: Vec<Field>,
    published: u64,
    position: Option<u64>,
    depth: Option<u64>,
    lost: Option<u64>,
    full: Option<u64>,
    wakes: Option<u64>,
    producer: Role,
    consumer: Option<Role>,
    incarnation: u64,
    first_sequence: u64,
    /// Since the producer last sent or beat.
    heard_s_ago: Option<f64>,
    last_s_ago: Option<f64>,
    hop: Option<Percentiles>,
    age: Option<Percentiles>,
    findings: Vec<String>,
}

/// A field of the message.
#[derive(Debug, Serialize)]
struct Field {
    offset: usize,
    bytes: usize,
    name: String,
    kind: String,
    unit: String,
}

/// A role.
#[derive(Debug, Serialize)]
struct Role {
    attached: bool,
    name: Option<String>,
    pid: Option<u32>,
    left: bool,
}

impl Role {
    fn of(attached: bool, holder: Option<&Holder>) -> Self {
        Self {
            attached,
            name: holder.map(|holder| holder.name.clone()),
            pid: holder.map(|holder| holder.pid),
            left: !attached && holder.is_some_and(|holder| holder.left),
        }
    }

    fn text(&self) -> String {
        let who = match (&self.name, self.pid) {
            (Some(name), Some(pid)) => format!("{name}, pid {pid}"),
            _ if self.attached => return "attached, and has not said who it is".into(),
            _ => return "nobody has come yet".into(),
        };
        match (self.attached, self.left) {
            (true, _) => format!("{who}, attached"),
            (false, true) => format!("{who}, has said goodbye"),
            (false, false) => format!("{who}, gone without a goodbye"),
        }
    }
}

/// Shows it.
///
/// # Errors
///
/// When there is no such ring, or it cannot be read.
pub(super) fn run(arguments: &Arguments, options: &Options) -> Result<Exit, Failure> {
    let asked = &arguments.place.rings;
    let file = one(asked, &options.ring)?;
    let observer = Observer::open(&file.path)?;
    let sample = Sources::named(asked, std::slice::from_ref(&options.ring))?
        .read()
        .pop();
    let Some(Ok(reading)) = sample.map(|sample| sample.reading) else {
        return Err(Failure::Other(format!(
            "`{}` has been removed just now",
            label(&file)
        )));
    };
    let schema = observer.schema();
    let mut shown = shown(&observer, &reading, schema.as_ref().ok());
    (shown.pipeline, shown.name) = (file.pipeline.clone(), file.name.clone());
    if let Err(error) = &schema {
        shown.findings.push(error.to_string());
    }
    if arguments.json {
        say_json(&shown)?;
    } else {
        say(&text(&shown))?;
    }
    Ok(if shown.findings.is_empty() {
        Exit::Fine
    } else {
        Exit::Trouble
    })
}

fn shown(observer: &Observer, reading: &Reading, schema: Option<&Schema>) -> Shown {
    let (info, counters) = (observer.info(), &reading.counters);
    let ring = info.kind != Kind::Board;
    let now = clock::mono_ns();
    let ago = |ns: u64| (ns != 0).then(|| seconds(now.saturating_sub(ns)));
    let field = |field: &ipc::SchemaField| Field {
        offset: field.offset,
        bytes: field.size,
        name: field.name.clone(),
        kind: field.kind.clone(),
        unit: field.unit.clone(),
    };
    Shown {
        pipeline: String::new(),
        name: String::new(),
        path: info.path.clone(),
        kind: info.kind.name(),
        capacity: info.capacity,
        message_bytes: info.message_size,
        stamp_every: info.stamp_every,
        fingerprint: format!("{:016x}", info.fingerprint),
        instance: format!("{:016x}", info.instance),
        created_s_ago: seconds(clock::unix_ns().saturating_sub(info.created_unix_ns)),
        creator_pid: info.creator_pid,
        message: schema.map(|schema| schema.name.clone()),
        version: schema.map(|schema| schema.version),
        fields: schema.map_or_else(Vec::new, |schema| {
            schema.fields().iter().map(field).collect()
        }),
        published: counters.published,
        position: ring.then_some(counters.position),
        depth: reading.depth(),
        lost: ring.then_some(counters.lost),
        full: ring.then_some(counters.full),
        wakes: ring.then_some(counters.wakes),
        producer: Role::of(counters.producer_attached, reading.producer.as_ref()),
        consumer: ring.then(|| Role::of(counters.consumer_attached, reading.consumer.as_ref())),
        incarnation: reading.life.incarnation,
        first_sequence: reading.life.first_sequence,
        heard_s_ago: ago(reading.heard_ns()),
        last_s_ago: reading.last_ns.and_then(ago),
        hop: Percentiles::of(&reading.latency),
        age: Percentiles::of(&reading.age),
        findings: reading.findings.iter().map(ToString::to_string).collect(),
    }
}

fn text(shown: &Shown) -> String {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    for (name, value) in identity(shown).into_iter().chain(counters(shown)) {
        table.row(vec![name.into(), value]);
    }
    for finding in &shown.findings {
        table.row(vec!["WRONG".into(), finding.replace('\n', " ")]);
    }
    let facts = table.text();
    [
        format!("{}/{}\n", shown.pipeline, shown.name),
        facts.trim_start_matches('\n').to_owned(),
        times(shown),
        fields(shown),
    ]
    .concat()
}

type Fact = (&'static str, String);

fn ago(seconds: f64) -> String {
    format!("{} ago", span(seconds))
}

/// What it is, and whose.
fn identity(shown: &Shown) -> Vec<Fact> {
    let stamps = match shown.stamp_every {
        0 => "no time stamps".to_owned(),
        1 => "each stamped".into(),
        every => format!("every {every}th stamped"),
    };
    let (unit, producer) = match shown.consumer {
        Some(_) => ("slots", "producer"),
        None => ("rows", "writer"),
    };
    let kind = format!(
        "{}, {} {unit} of {} bytes, {stamps}",
        shown.kind, shown.capacity, shown.message_bytes
    );
    let created = format!(
        "{} by pid {}, instance {}",
        ago(shown.created_s_ago),
        shown.creator_pid,
        shown.instance
    );
    let mut facts = vec![
        ("file", shown.path.display().to_string()),
        ("kind", kind),
        ("created", created),
        (producer, shown.producer.text()),
    ];
    let consumer = shown.consumer.as_ref();
    facts.extend(consumer.map(|consumer| ("consumer", consumer.text())));
    facts
}

/// What it says of its life.
fn counters(shown: &Shown) -> Vec<Fact> {
    let heard = shown.heard_s_ago.map_or("never".into(), |heard| {
        format!("{} of its producer", ago(heard))
    });
    let mut facts = vec![
        ("heard", heard),
        ("last", shown.last_s_ago.map_or("-".into(), ago)),
        ("published", shown.published.to_string()),
    ];
    if let (Some(position), Some(depth)) = (shown.position, shown.depth) {
        let producers = format!(
            "{}, the latest began with message {}",
            shown.incarnation, shown.first_sequence
        );
        facts.push(("position", format!("{position}, {depth} wait")));
        facts.push(("producers", producers));
    }
    let counts = [
        ("lost", shown.lost),
        ("full", shown.full),
        ("wakes", shown.wakes),
    ];
    let counts = counts
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?.to_string())));
    facts.extend(counts);
    facts
}

fn times(shown: &Shown) -> String {
    use Align::{Left, Right};
    let heads = ["P50", "P90", "P99", "P99.9", "MAX", "COUNT"];
    let mut columns = vec![("", Left)];
    columns.extend(heads.map(|head| (head, Right)));
    let mut table = Table::new(&columns);
    for (name, times) in [("hop", &shown.hop), ("age", &shown.age)] {
        let Some(times) = times else { continue };
        let ns = [
            times.p50_ns,
            times.p90_ns,
            times.p99_ns,
            times.p999_ns,
            times.max_ns,
        ];
        let cells = ns.map(|ns| nanoseconds(Some(ns))).into_iter();
        let row = [name.to_owned()]
            .into_iter()
            .chain(cells)
            .chain([times.count.to_string()]);
        table.row(row.collect());
    }
    if shown.hop.is_none() && shown.age.is_none() {
        return String::new();
    }
    format!("\n{}", table.text())
}

fn fields(shown: &Shown) -> String {
    use Align::{Left, Right};
    let (Some(message), Some(version)) = (&shown.message, shown.version) else {
        return String::new();
    };
    let mut table = Table::new(&[
        ("OFFSET", Right),
        ("BYTES", Right),
        ("FIELD", Left),
        ("TYPE", Left),
        ("UNIT", Left),
    ]);
    for field in &shown.fields {
        table.row(vec![
            field.offset.to_string(),
            field.bytes.to_string(),
            field.name.clone(),
            field.kind.clone(),
            field.unit.clone(),
        ]);
    }
    let fingerprint = &shown.fingerprint;
    format!(
        "\n{message} v{version}, schema {fingerprint}\n{}",
        table.text()
    )
}
