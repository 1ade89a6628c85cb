//! The process `game_shard`: see `processes::process::game_shard`.

use std::process::ExitCode;

fn main() -> ExitCode {
    processes::runtime::main("game_shard", processes::process::game_shard::run)
}
