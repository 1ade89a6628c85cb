//! The verbs: each reads, and says what it read as a table or as JSON.

mod list;
mod record;
mod recording;
mod replay;

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
        Verb::List => list::run(arguments),
        Verb::Record(what) => record::run(arguments, what),
        Verb::Recording(what) => recording::run(arguments, what),
        Verb::Replay(what) => replay::run(arguments, what),
        Verb::Sweep(what) => crate::replay::sweep(what),
    }
}
