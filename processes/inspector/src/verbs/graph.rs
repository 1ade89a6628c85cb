//! `graph`: the pipeline as it is attached now.

use crate::{
    Failure,
    arguments::Arguments,
    exit::Exit,
    flow,
    presence::Vitals,
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
    kalshi_monitor  running
      --- prices.0 (PriceUpdate, latest-wins) ---> game_shard.0
      prices (board of PriceUpdate)
    game_shard.0  running
      --- signals.0 (Signal) ---> signal_processor
    signal_processor  running
      --- orders (Order) ---> execution_service
    execution_service  running, 1 restart
      --- acks (OrderAck) ---> signal_processor
      --- fills (Fill) ---> position_tracker
    position_tracker  running
    market_discovery  running

Processes have the names under which they attached; how one is, and on which core if it is pinned, it says itself. Of one that
says nothing is shown when it is (gone). Who reads a board leaves no trace. With --json: `processes`, and `edges` between them.

Exit codes: 0 done; 1 some rings cannot be read; 2 no such directory.";

/// How to show it.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// As a graph for Graphviz: `shm-inspect graph --dot | dot -Tsvg > pipeline.svg`.
    #[arg(long)]
    dot: bool,
}

/// Everything that is shown.
#[derive(Debug, Serialize)]
struct Graph {
    processes: Vec<Node>,
    /// In data-flow order, as the processes.
    edges: Vec<Edge>,
}

/// Who holds a role, or was the last to.
#[derive(Debug, Serialize)]
struct Node {
    pipeline: String,
    name: String,
    /// Whether it holds any.
    attached: bool,
    /// What it says of itself, if it does.
    #[serde(flatten)]
    vitals: Option<Vitals>,
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
    let order = flow::order(&samples).into_iter();
    // What a process says of itself belongs to the process, not to the flow of data.
    let flows = |index: &usize| samples[*index].file.process().is_none();
    let graph = Graph {
        processes: nodes(&samples),
        edges: order
            .filter(flows)
            .map(|index| edge(&samples[index]))
            .collect(),
    };
    if arguments.json {
        say_json(&graph)?;
    } else if options.dot {
        say(&dot(&graph))?;
    } else if samples.is_empty() {
        say("no rings: no pipeline runs\n")?;
    } else {
        say(&text(&graph))?;
    }
    let sound = graph.edges.iter().all(|edge| edge.fault.is_none());
    Ok(if sound { Exit::Fine } else { Exit::Trouble })
}

fn nodes(samples: &[Sample]) -> Vec<Node> {
    let node = |(pipeline, name): flow::Process| {
        let own = samples
            .iter()
            .filter(|sample| sample.file.pipeline == pipeline);
        let holds = |sample: &Sample| {
            let Ok(reading) = &sample.reading else {
                return false;
            };
            let is = |holder: &Option<Holder>| holder.as_ref().is_some_and(|one| one.name == name);
            let counters = &reading.counters;
            counters.producer_attached && is(&reading.producer)
                || counters.consumer_attached && is(&reading.consumer)
        };
        let mut of_process = own
            .clone()
            .filter(|sample| sample.file.process() == Some(name.as_str()));
        Node {
            attached: own.clone().any(holds),
            vitals: of_process.find_map(|sample| Vitals::of(sample, None)),
            pipeline,
            name,
        }
    };
    flow::processes(samples).into_iter().map(node).collect()
}

/// `running, core 3, 1 restart`.
fn condition(vitals: &Vitals) -> String {
    let core = vitals.core.map(|core| format!("core {core}"));
    let restarts = match vitals.restarts {
        0 => None,
        1 => Some("1 restart".into()),
        restarts => Some(format!("{restarts} restarts")),
    };
    let parts = [Some(vitals.state.name().to_owned()), core, restarts];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
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

fn text(graph: &Graph) -> String {
    let mut text = String::new();
    let mut pipeline = None;
    let edges = &graph.edges;
    for node in &graph.processes {
        if pipeline != Some(&node.pipeline) {
            pipeline = Some(&node.pipeline);
            let _ = writeln!(text, "{}", node.pipeline);
        }
        let condition = match &node.vitals {
            Some(vitals) => format!("  {}", condition(vitals)),
            None if node.attached => String::new(),
            None => "  (gone)".into(),
        };
        let _ = writeln!(text, "  {}{condition}", node.name);
        let written = |edge: &&Edge| {
            let from = edge.from.as_ref();
            edge.pipeline == node.pipeline && from.is_some_and(|from| from.name == node.name)
        };
        for edge in edges.iter().filter(written) {
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

fn dot(graph: &Graph) -> String {
    let mut text = String::from("digraph pipeline {\n  rankdir=LR;\n  node [shape=box];\n");
    let id = |pipeline: &str, name: &str| quoted(&format!("{pipeline}/{name}"));
    for node in &graph.processes {
        let style = if node.attached { "solid" } else { "dashed" };
        let label = match &node.vitals {
            Some(vitals) => format!("{}\n{}", node.name, condition(vitals)),
            None => node.name.clone(),
        };
        let (node, label) = (id(&node.pipeline, &node.name), quoted(&label));
        let _ = writeln!(text, "  {node} [label={label}, style={style}];");
    }
    for edge in graph.edges.iter().filter(|edge| edge.fault.is_none()) {
        let mut end = |end: &Option<End>, which: &str| {
            if let Some(end) = end {
                return id(&edge.pipeline, &end.name);
            }
            let nobody = id(&edge.pipeline, &format!("{} {which}", edge.name));
            let _ = writeln!(text, "  {nobody} [label=\"nobody yet\", style=dotted];");
            nobody
        };
        let from = end(&edge.from, "producer");
        let message = edge.message.as_deref().unwrap_or("?");
        let label = quoted(&format!("{}\n{message}", edge.name));
        if is_board(edge) {
            let board = id(&edge.pipeline, &format!("{} board", edge.name));
            let _ = writeln!(
                text,
                "  {board} [label={label}, shape=cylinder];\n  {from} -> {board};"
            );
        } else {
            let to = end(&edge.to, "consumer");
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
