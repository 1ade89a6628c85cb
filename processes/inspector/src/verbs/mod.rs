//! The verbs: each reads, and says what it read as a table or as JSON.

pub(crate) mod clean;
pub(crate) mod doctor;
pub(crate) mod graph;
pub(crate) mod list;
pub(crate) mod metrics;
pub(crate) mod ready;
mod record;
mod recording;
mod replay;
pub(crate) mod show;
pub(crate) mod stats;
pub(crate) mod tail;
pub(crate) mod verdict;
pub(crate) mod verify;
pub(crate) mod watch;

pub(crate) use record::RecordArguments;
pub(crate) use recording::RecordingArguments;
pub(crate) use replay::ReplayArguments;

use crate::{
    Failure,
    arguments::{Arguments, Verb},
    exit::Exit,
};

/// Does what the command line says.
///
/// # Errors
///
/// When it cannot be done.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.verb {
        Verb::Verdict(options) => verdict::run(arguments, options),
        Verb::List => list::run(arguments),
        Verb::Show(options) => show::run(arguments, options),
        Verb::Graph(options) => graph::run(arguments, options),
        Verb::Stats(options) => stats::run(arguments, options),
        Verb::Metrics(options) => metrics::run(arguments, options),
        Verb::Tail(options) => tail::run(arguments, options),
        Verb::Verify(options) => verify::run(arguments, options),
        Verb::Ready(options) => ready::run(arguments, options),
        Verb::Clean(options) => clean::run(arguments, options),
        Verb::Record(what) => record::run(arguments, what),
        Verb::Recording(what) => recording::run(arguments, what),
        Verb::Replay(what) => replay::run(arguments, what),
        Verb::Sweep(what) => crate::replay::sweep(what),
        Verb::Watch(options) => watch::run(arguments, options),
        Verb::Doctor(options) => doctor::run(arguments, options),
    }
}
