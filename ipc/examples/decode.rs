//! Shows what any ring or board carries, from its own schema: no message is compiled in.
//!
//! ```text
//! cargo run -p ipc --example decode -- /dev/shm/arbees/demo/orders.ring 3
//! ```

use ipc::{Error, Info, Kind, Observer, Schema, SchemaError};
use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

/// Messages shown where the caller does not say how many.
const SHOWN: u64 = 5;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (path, count) = match arguments.as_slice() {
        [path] => (path, Some(SHOWN)),
        [path, count] => (path, count.parse().ok()),
        _ => (&String::new(), None),
    };
    let Some(count) = count else {
        eprintln!("usage: decode SEGMENT [MESSAGES]");
        return ExitCode::from(2);
    };
    match show(Path::new(path), count, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Segment(#[from] Error),
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
}

fn show(path: &Path, count: u64, out: &mut impl Write) -> Result<(), Failure> {
    let observer = Observer::open(path)?;
    let (info, schema) = (observer.info(), observer.schema()?);
    show_header(info, &schema, out)?;
    if info.kind == Kind::Board {
        show_rows(&observer, &schema, count, out)
    } else {
        show_messages(&observer, &schema, count, out)
    }
}

fn show_header(info: &Info, schema: &Schema, out: &mut impl Write) -> Result<(), Failure> {
    let Info {
        path,
        kind,
        capacity,
        fingerprint,
        instance,
        ..
    } = info;
    let path = path.display();
    writeln!(
        out,
        "{path}: {}, {capacity} slots, instance {instance:016x}",
        kind.name()
    )?;
    let Schema { name, version, .. } = schema;
    writeln!(
        out,
        "{name} v{version}, {} bytes, fingerprint {fingerprint:016x}",
        schema.size()
    )?;
    for field in schema.fields() {
        writeln!(
            out,
            "  {:>4}  {}: {}  {}",
            field.offset, field.name, field.kind, field.unit
        )?;
    }
    Ok(())
}

/// The last `count` that are there.
fn show_messages(
    observer: &Observer,
    schema: &Schema,
    count: u64,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let statistics = observer.statistics();
    let published = statistics.published;
    writeln!(
        out,
        "{published} published, {} consumed, {} lost, {} times full, {} wakes; producer {}, consumer {}",
        statistics.consumed,
        statistics.lost,
        statistics.full,
        statistics.wakes,
        attached(statistics.producer_attached),
        attached(statistics.consumer_attached),
    )?;
    let count = count.min(u64::from(observer.info().capacity));
    for sequence in published.saturating_sub(count)..published {
        // None: overwritten meanwhile.
        if let Some(message) = observer.read_bytes(sequence)? {
            let record = schema.decode(&message.bytes)?;
            writeln!(out, "#{sequence} sent {} ns  {record}", message.sent_ns)?;
        }
    }
    Ok(())
}

/// The first `count` that were ever written.
fn show_rows(
    observer: &Observer,
    schema: &Schema,
    count: u64,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut shown = 0;
    for index in 0..observer.info().capacity {
        let row = match observer.read_row(index) {
            Ok(None) => continue,
            Ok(Some(row)) => row,
            Err(error @ Error::Row { .. }) => {
                writeln!(out, "{error}")?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let record = schema.decode(&row.value)?;
        writeln!(
            out,
            "row {index}, write {} at {} ns  {record}",
            row.version, row.written_ns
        )?;
        shown += 1;
        if shown == count {
            break;
        }
    }
    Ok(())
}

fn attached(live: bool) -> &'static str {
    if live { "attached" } else { "absent" }
}
