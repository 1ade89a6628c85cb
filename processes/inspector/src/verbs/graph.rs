//! `graph`: the pipeline as it is attached now.

use crate::{
    Failure,
    arguments::Arguments,
    exit::Exit,
    flow,
    sample::{Reading, Sample, Sources},
    say, say_json,
};
use ipc::{Holder, Kind};
use serde::Serialize;
use std::fmt::Write as _;

pub(crate) const HELP: &str = "\
Example:

  $ shm-inspect graph
  demo
    kalshi_monitor
      --- prices.0 (PriceUpdate, latest-wins) ---> game_shard.0
      prices (board of PriceUpdate)
    game_shard.0
      --- signals.0 (Signal) ---> signal_processor
    signal_processor
      --- orders (Order) ---> execution_service
    execution_service
      --- acks (OrderAck) ---> signal_processor
      - - fills (Fill) - -> position_tracker (gone)

Processes have the names under which they attached. Who reads a board leaves no trace.

Exit codes: 0 done; 1 some rings cannot be read; 2 no such directory.";

/// How to show it.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// As a graph for Graphviz: `shm-inspect graph --dot | dot -Tsvg > pipeline.svg`.
    #[arg(long)]
    dot: bool,
}

/// A ring with its ends, or a board with its writer.
#[derive(Debug, Serialize)]
struct Edge {
    pipeline: String,
    name: String,
    kind: Option<&'static str>,
    message: Option<String>,
    from: Option<End>,
    /// `None` of a board, too: who reads it leaves no trace.
    to: Option<End>,
    /// Why it cannot be read.
    fault: Option<String>,
}

/// Who holds a role, or was the last to.
#[derive(Debug, Clone, Serialize)]
struct End {
    name: String,
    pid: u32,
    attached: bool,
}

/// Shows it.
///
/// # Errors
///
/// When a directory cannot be read.
pub(super) fn run(arguments: &Arguments, options: &Options) -> Result<Exit, Failure> {
    let samples = Sources::open(&arguments.place.rings)?.read();
    let order = flow::order(&samples);
    let edges: Vec<Edge> = order
        .into_iter()
        .map(|index| edge(&samples[index]))
        .collect();
    let processes = flow::processes(&samples);
    if arguments.json {
        say_json(&edges)?;
    } else if options.dot {
        say(&dot(&edges))?;
    } else if edges.is_empty() {
        say("no rings: no pipeline runs\n")?;
    } else {
        say(&text(&edges, &processes))?;
    }
    let sound = edges.iter().all(|edge| edge.fault.is_none());
    Ok(if sound { Exit::Fine } else { Exit::Trouble })
}

fn edge(sample: &Sample) -> Edge {
    let reading = sample.reading.as_ref().ok();
    let end = |holder: &Option<Holder>, attached: bool| {
        holder.as_ref().map(|holder| End {
            name: holder.name.clone(),
            pid: holder.pid,
            attached,
        })
    };
    let from = |reading: &Reading| end(&reading.producer, reading.counters.producer_attached);
    let to = |reading: &Reading| end(&reading.consumer, reading.counters.consumer_attached);
    Edge {
        pipeline: sample.file.pipeline.clone(),
        name: sample.file.name.clone(),
        kind: reading.map(|reading| reading.kind.name()),
        message: reading.and_then(|reading| reading.message.clone()),
        from: reading.and_then(from),
        to: reading.and_then(to),
        fault: sample
            .reading
            .as_ref()
            .err()
            .map(|fault| fault.reason.clone()),
    }
}

fn text(edges: &[Edge], processes: &[(String, String)]) -> String {
    let mut text = String::new();
    let mut pipeline = None;
    let written = |edge: &&Edge, process: &(String, String)| {
        edge.pipeline == process.0
            && edge
                .from
                .as_ref()
                .is_some_and(|from| from.name == process.1)
    };
    for process in processes {
        if pipeline != Some(&process.0) {
            pipeline = Some(&process.0);
            let _ = writeln!(text, "{}", process.0);
        }
        let attached = |end: &Option<End>| {
            let end = end.as_ref().filter(|end| end.name == process.1);
            end.is_some_and(|end| end.attached)
        };
        let lives = edges
            .iter()
            .any(|edge| edge.pipeline == process.0 && (attached(&edge.from) || attached(&edge.to)));
        let gone = if lives { "" } else { "  (gone)" };
        let _ = writeln!(text, "  {}{gone}", process.1);
        for edge in edges.iter().filter(|edge| written(edge, process)) {
            let _ = writeln!(text, "    {}", arrow(edge));
        }
    }
    let orphans: Vec<&Edge> = edges.iter().filter(|edge| edge.from.is_none()).collect();
    for edge in orphans {
        let what = match &edge.fault {
            Some(fault) => format!("unreadable: {}", fault.lines().next().unwrap_or_default()),
            None => arrow(edge),
        };
        let _ = writeln!(text, "{}: from nobody yet\n    {what}", edge.pipeline);
    }
    text
}

/// `── orders (Order) ──> execution_service`.
fn arrow(edge: &Edge) -> String {
    let message = edge.message.as_deref().unwrap_or("?");
    let broken = |end: &Option<End>| !end.as_ref().is_some_and(|end| end.attached);
    let to = match &edge.to {
        _ if is_board(edge) => return format!("{} (board of {message})", edge.name),
        None => "nobody yet".to_owned(),
        Some(end) if end.attached => end.name.clone(),
        Some(end) => format!("{} (gone)", end.name),
    };
    let line = if broken(&edge.from) || broken(&edge.to) {
        "- -"
    } else {
        "---"
    };
    let kind = edge.kind.filter(|kind| *kind != Kind::Lossless.name());
    let kind = kind.map_or(String::new(), |kind| {
        format!(", {}", kind.trim_end_matches(" ring"))
    });
    format!("{line} {} ({message}{kind}) {line}> {to}", edge.name)
}

fn is_board(edge: &Edge) -> bool {
    edge.kind == Some(Kind::Board.name())
}

fn dot(edges: &[Edge]) -> String {
    let mut text = String::from("digraph pipeline {\n  rankdir=LR;\n  node [shape=box];\n");
    for edge in edges.iter().filter(|edge| edge.fault.is_none()) {
        let id = |name: &str| quoted(&format!("{}/{name}", edge.pipeline));
        let mut node = |end: &Option<End>, which: &str| {
            let Some(end) = end else {
                let nobody = id(&format!("{} {which}", edge.name));
                let _ = writeln!(text, "  {nobody} [label=\"nobody yet\", style=dotted];");
                return nobody;
            };
            let style = if end.attached { "solid" } else { "dashed" };
            let (node, label) = (id(&end.name), quoted(&end.name));
            let _ = writeln!(text, "  {node} [label={label}, style={style}];");
            node
        };
        let from = node(&edge.from, "producer");
        let message = edge.message.as_deref().unwrap_or("?");
        let label = quoted(&format!("{}\n{message}", edge.name));
        if is_board(edge) {
            let board = id(&format!("{} board", edge.name));
            let _ = writeln!(
                text,
                "  {board} [label={label}, shape=cylinder];\n  {from} -> {board};"
            );
        } else {
            let to = node(&edge.to, "consumer");
            let _ = writeln!(text, "  {from} -> {to} [label={label}];");
        }
    }
    text.push_str("}\n");
    text
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", escaped.replace('\n', "\\n"))
}
