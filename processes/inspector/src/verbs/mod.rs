//! The verbs: each reads, and says what it read as a table or as JSON.

mod doctor;
mod list;
mod watch;

pub(crate) use doctor::Doctor;
pub(crate) use watch::Watch;

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
        Verb::Doctor(doctor) => doctor::run(arguments, doctor),
        Verb::List => list::run(arguments),
        Verb::Watch(watch) => watch::run(arguments, watch),
    }
}
