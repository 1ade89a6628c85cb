//! The process `market_discovery`: see `processes::process::market_discovery`.

use std::process::ExitCode;

fn main() -> ExitCode {
    processes::runtime::main(
        "market_discovery",
        processes::process::market_discovery::run,
    )
}
