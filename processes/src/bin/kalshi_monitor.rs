//! The process `kalshi_monitor`: see `processes::process::kalshi_monitor`.

use std::process::ExitCode;

fn main() -> ExitCode {
    processes::runtime::main("kalshi_monitor", processes::process::kalshi_monitor::run)
}
