//! The process `position_tracker`: see `processes::process::position_tracker`.

use std::process::ExitCode;

fn main() -> ExitCode {
    processes::runtime::main(
        "position_tracker",
        processes::process::position_tracker::run,
    )
}
