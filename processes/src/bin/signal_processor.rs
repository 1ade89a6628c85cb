//! The process `signal_processor`: see `processes::process::signal_processor`.

use std::process::ExitCode;

fn main() -> ExitCode {
    processes::runtime::main(
        "signal_processor",
        processes::process::signal_processor::run,
    )
}
