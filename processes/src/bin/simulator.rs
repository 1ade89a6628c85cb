//! The simulator of the exchange and of the scoreboard feed.

use clap::Parser as _;
use processes::{runtime, sim};
use std::process::ExitCode;

fn main() -> ExitCode {
    if !std::env::args().any(|argument| argument.starts_with("--frames")) {
        return runtime::main("simulator", sim::run);
    }
    match sim::frames::run(&sim::frames::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
