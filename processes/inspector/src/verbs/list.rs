//! `list`: all rings and boards.

use crate::{
    Failure,
    arguments::Arguments,
    exit::Exit,
    place::{SegmentFile, segments},
    say,
    table::{Align, Table},
};
use ipc::{Kind, Observer};
use serde::Serialize;

pub(crate) const HELP: &str = "HELP-LIST";

/// A segment as `list` shows it.
#[derive(Debug, Serialize)]
struct Listed {
    pipeline: String,
    name: String,
    /// `lossless`, `latest-wins` or `board`.
    kind: Option<&'static str>,
    message: Option<String>,
    /// Slots of a ring, rows of a board.
    capacity: Option<u32>,
    published: Option<u64>,
    /// Published and not yet consumed; `None` for a board.
    depth: Option<u64>,
    lost: Option<u64>,
    producer_attached: Option<bool>,
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
    let listed: Vec<Listed> = segments(&arguments.place.rings)?.iter().map(look).collect();
    let sound = listed.iter().all(|segment| segment.fault.is_none());
    if arguments.json {
        let text = serde_json::to_string_pretty(&listed);
        say(&(text.map_err(|error| Failure::Other(error.to_string()))? + "\n"))?;
    } else if listed.is_empty() {
        say("no rings: no pipeline runs\n")?;
    } else {
        say(&table(&listed).text())?;
    }
    Ok(if sound { Exit::Fine } else { Exit::Trouble })
}

fn look(file: &SegmentFile) -> Listed {
    let mut listed = Listed {
        pipeline: file.pipeline.clone(),
        name: file.name.clone(),
        kind: None,
        message: None,
        capacity: None,
        published: None,
        depth: None,
        lost: None,
        producer_attached: None,
        consumer_attached: None,
        fault: None,
    };
    match Observer::open(&file.path) {
        Err(error) => listed.fault = Some(error.to_string()),
        Ok(observer) => {
            let (info, now) = (observer.info(), observer.statistics());
            let ring = info.kind != Kind::Board;
            listed.kind = Some(info.kind.name());
            listed.message = observer.schema().ok().map(|schema| schema.name);
            listed.capacity = Some(info.capacity);
            listed.published = Some(now.published);
            listed.depth = ring.then(|| now.published.saturating_sub(now.position));
            listed.lost = ring.then_some(now.lost);
            listed.producer_attached = Some(now.producer_attached);
            listed.consumer_attached = ring.then_some(now.consumer_attached);
        }
    }
    listed
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
    let number = |value: Option<u64>| value.map_or("-".into(), |value| value.to_string());
    let role = |held: Option<bool>| match held {
        Some(true) => "attached".to_owned(),
        Some(false) => "absent".to_owned(),
        None => "-".to_owned(),
    };
    for segment in listed {
        let depth = match (segment.depth, segment.capacity) {
            (Some(depth), Some(capacity)) => format!("{depth}/{capacity}"),
            _ => "-".into(),
        };
        table.row(vec![
            segment.pipeline.clone(),
            segment.name.clone(),
            segment.message.clone().unwrap_or_else(|| "?".into()),
            segment.kind.unwrap_or("unreadable").into(),
            number(segment.published),
            depth,
            number(segment.lost.filter(|lost| *lost > 0)),
            role(segment.producer_attached),
            role(segment.consumer_attached),
        ]);
        if let Some(fault) = &segment.fault {
            table.row(vec![String::new(), String::new(), fault.clone()]);
        }
    }
    table
}
