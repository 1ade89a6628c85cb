//! The verbs: each reads, and says what it read as a table or as JSON.

mod list;

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
    }
}
