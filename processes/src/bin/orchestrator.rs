//! The process `orchestrator`: see `processes::process::orchestrator`.

use std::process::ExitCode;

fn main() -> ExitCode {
    processes::runtime::main("orchestrator", processes::process::orchestrator::run)
}
