//! `shm-inspect`: looks at the rings and boards of a pipeline, alive or dead, without any effect on it.
//!
//! Everything is mapped read-only; no role is taken, nothing is written, nobody is woken. Messages are decoded by the
//! schema in their segment: none that flows is compiled in but for `replay`, which takes roles too, in a pipeline of its own.
//!
//! | module | what |
//! |---|---|
//! | `arguments`, `exit` | the command line and the exit codes |
//! | `place` | where the segments are |
//! | `sample` | what there is to know of them at one moment |
//! | `presence` | what processes say of themselves, and the figures that follow |
//! | `words` | what processes say in Redis of the files that they have |
//! | `flow` | the order in which data flow through them |
//! | `judge` | what two samples say of rings and processes |
//! | `verbs` | one file a verb |
//! | `exposition` | samples in the format of Prometheus |
//! | `recording` | the file of a recording, and the tap that fills it |
//! | `replay` | a recording played to the stages of a fresh pipeline |
//! | `interrupt` | Ctrl-C as a flag |
//! | `table` | columns for a terminal; every verb has the same fields as JSON |

mod arguments;
mod exit;
mod exposition;
mod flow;
mod interrupt;
mod judge;
mod place;
mod presence;
mod recording;
mod replay;
mod sample;
mod table;
mod verbs;
mod words;

use arguments::Arguments;
use clap::Parser as _;
use exit::Exit;
use std::{
    io::{self, ErrorKind, Write as _},
    process::ExitCode,
};

/// What cannot be done, and why: one line for its user, with the fix.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A segment.
    #[error(transparent)]
    Segment(#[from] ipc::Error),
    /// A file, a directory or a socket.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried, with its object.
        action: String,
        /// The system's answer.
        source: io::Error,
    },
    /// Anything else, already in words.
    #[error("{0}")]
    Other(String),
    /// Whoever reads our output has gone.
    #[error("nobody reads the output")]
    NoReader,
}

impl Failure {
    fn io(action: impl Into<String>, source: io::Error) -> Self {
        Self::Io {
            action: action.into(),
            source,
        }
    }
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let exit = match verbs::run(&arguments) {
        Ok(exit) => exit,
        // As when a pager is left: no error, and no noise.
        Err(Failure::NoReader) => Exit::Fine,
        Err(failure) => {
            eprintln!("error: {failure}");
            Exit::Impossible
        }
    };
    ExitCode::from(exit as u8)
}

/// Writes a value as JSON on one line to standard output.
fn say_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value);
    say(&(text.map_err(|error| Failure::Other(error.to_string()))? + "\n"))
}

/// Writes to standard output.
fn say(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::NoReader),
        Err(error) => Err(Failure::io("write to standard output", error)),
    }
}
