//! The launcher: starts, watches and stops a pipeline, and reports.

fn main() -> std::process::ExitCode {
    processes::launch::main()
}
