//! The program `shm-inspect`: see the library `inspector`.

use std::process::ExitCode;

fn main() -> ExitCode {
    inspector::main()
}
