//! `list`: all rings and boards.

use crate::{
    Failure,
    arguments::Arguments,
    exit::Exit,
    flow,
    sample::{Sample, Sources},
    say, say_json,
    table::{Align, Table, count},
};
use ipc::Holder;
use serde::Serialize;

pub(crate) const HELP: &str = "\
Example:

  $ shm-inspect list
  PIPELINE  NAME       MESSAGE      KIND         PUBLISHED   DEPTH  LOST  PRODUCER           CONSUMER
  demo      prices.0   PriceUpdate  latest-wins       2611  0/4096     -  kalshi_monitor     game_shard.0
  demo      prices     PriceUpdate  board             4951       -     -  kalshi_monitor     -
  demo      orders     Order        lossless            41  0/1024     -  signal_processor   execution_service

Exit codes: 0 done; 1 some of them cannot be read; 2 no such directory.";

/// A segment as `list` shows it.
#[derive(Debug, Serialize)]
struct Listed {
    pipeline: String,
    name: String,
    /// `lossless ring`, `latest-wins ring` or `board`.
    kind: Option<&'static str>,
    message: Option<String>,
    /// Slots of a ring, rows of a board.
    capacity: Option<u32>,
    published: Option<u64>,
    /// Published and not yet consumed; `None` for a board.
    depth: Option<u64>,
    lost: Option<u64>,
    /// Who holds the role, or was the last to.
    producer: Option<String>,
    producer_attached: Option<bool>,
    consumer: Option<String>,
    consumer_attached: Option<bool>,
    /// Why it cannot be read.
    fault: Option<String>,
}

/// Lists them.
///
/// # Errors
///
/// When a directory cannot be read.
pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let samples = Sources::open(&arguments.place.rings)?.read();
    let order = flow::order(&samples).into_iter();
    let listed: Vec<Listed> = order.map(|index| look(&samples[index])).collect();
    let sound = listed.iter().all(|segment| segment.fault.is_none());
    if arguments.json {
        say_json(&listed)?;
    } else if listed.is_empty() {
        say("no rings: no pipeline runs\n")?;
    } else {
        say(&table(&listed).text())?;
    }
    Ok(if sound { Exit::Fine } else { Exit::Trouble })
}

fn look(sample: &Sample) -> Listed {
    let reading = sample.reading.as_ref().ok();
    let counters = reading.map(|reading| reading.counters);
    let ring = reading.is_some_and(|reading| reading.depth().is_some());
    let name = |holder: &Option<Holder>| holder.as_ref().map(|holder| holder.name.clone());
    Listed {
        pipeline: sample.file.pipeline.clone(),
        name: sample.file.name.clone(),
        kind: reading.map(|reading| reading.kind.name()),
        message: reading.and_then(|reading| reading.message.clone()),
        capacity: reading.map(|reading| reading.capacity),
        published: counters.map(|counters| counters.published),
        depth: reading.and_then(|reading| reading.depth()),
        lost: counters.filter(|_| ring).map(|counters| counters.lost),
        producer: reading.and_then(|reading| name(&reading.producer)),
        producer_attached: counters.map(|counters| counters.producer_attached),
        consumer: reading.and_then(|reading| name(&reading.consumer)),
        consumer_attached: counters
            .filter(|_| ring)
            .map(|counters| counters.consumer_attached),
        fault: sample
            .reading
            .as_ref()
            .err()
            .map(|fault| fault.reason.clone()),
    }
}

fn table(listed: &[Listed]) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("PIPELINE", Left),
        ("NAME", Left),
        ("MESSAGE", Left),
        ("KIND", Left),
        ("PUBLISHED", Right),
        ("DEPTH", Right),
        ("LOST", Right),
        ("PRODUCER", Left),
        ("CONSUMER", Left),
    ]);
    let number = |value: Option<u64>| value.map_or("-".into(), count);
    let role = |name: &Option<String>, held: Option<bool>| match (held, name) {
        (None, _) => "-".to_owned(),
        (Some(true), name) => name.clone().unwrap_or_else(|| "attached".into()),
        (Some(false), Some(name)) => format!("({name} is gone)"),
        (Some(false), None) => "(nobody yet)".into(),
    };
    for segment in listed {
        let depth = match (segment.depth, segment.capacity) {
            (Some(depth), Some(capacity)) => format!("{depth}/{capacity}"),
            _ => "-".into(),
        };
        let kind = segment.kind.unwrap_or("unreadable");
        let fault = segment.fault.iter().flat_map(|fault| fault.lines());
        table.row(vec![
            segment.pipeline.clone(),
            segment.name.clone(),
            segment.message.clone().unwrap_or_else(|| "?".into()),
            kind.trim_end_matches(" ring").into(),
            number(segment.published),
            depth,
            number(segment.lost.filter(|lost| *lost > 0)),
            role(&segment.producer, segment.producer_attached),
            role(&segment.consumer, segment.consumer_attached),
        ]);
        fault.for_each(|line| table.note(line.trim()));
    }
    table
}
