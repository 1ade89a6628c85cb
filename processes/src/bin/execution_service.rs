//! The process `execution_service`: see `processes::process::execution_service`.

use std::process::ExitCode;

fn main() -> ExitCode {
    processes::runtime::main(
        "execution_service",
        processes::process::execution_service::run,
    )
}
