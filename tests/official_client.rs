//! The venue's official client, which nobody here wrote, trades at the simulator: what passes there would pass at the
//! venue. It is installed once for each target directory. The test is skipped where no index of packages can be
//! reached, and only there.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tests::{
    programs::program,
    scratch::{Scratch, await_some},
};

/// The client. The number is that of the interface that the simulator was last compared with.
const CLIENT: &str = "kalshi-python-sync==3.34.0";
const KEY_ID: &str = "00000000-0000-0000-0000-000000000001";

/// A child that does not outlive its test.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a command to its end: its output, or why it failed.
fn run(command: &mut Command) -> Result<String, String> {
    let shown = format!("{command:?}");
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{shown}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("{shown}: {}\n{errors}", output.status))
}

/// What the installer says of an index that it cannot reach.
const OUT_OF_REACH: [&str; 5] = [
    "connection broken by",
    "Connection refused",
    "Network is unreachable",
    "Name or service not known",
    "Temporary failure in name resolution",
];

fn is_out_of_reach(reason: &str) -> bool {
    OUT_OF_REACH.iter().any(|words| reason.contains(words))
}

/// A Python that has the client, or why there is none.
fn python() -> Result<PathBuf, String> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(CLIENT);
    let python = home.join("bin/python");
    let has_client = || run(Command::new(&python).args(["-c", "import kalshi_python_sync"]));
    if has_client().is_ok() {
        return Ok(python);
    }
    // What an interrupted run left.
    let _ = fs::remove_dir_all(&home);
    run(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
    // The client's metadata asks for a newer Python than it needs.
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--retries", "1"])
        .args([
            "--ignore-requires-python",
            "--disable-pip-version-check",
            CLIENT,
        ]))?;
    has_client()?;
    Ok(python)
}

/// The simulator alone, of a pipeline with a key of its own; nobody else of it runs.
fn simulator(scratch: &mut Scratch, key: PathBuf) -> Guard {
    let pipeline = &mut scratch.pipeline;
    pipeline.venue.key_file = key;
    pipeline.venue.key_id = KEY_ID.into();
    let settings = pipeline.simulator.as_mut().expect("the demo simulates");
    settings.delay_ms = [0.0, 0.0];
    // Games that are needed open are so for a while on a slow machine too.
    settings.speed = 15.0;
    // Enough to place an order without waiting, little enough to be used up.
    settings.tier = pipeline::Tier::Advanced;
    fs::create_dir_all(&pipeline.run_dir).expect("a run directory");
    let file = scratch.path().join("pipeline.toml");
    let text = toml::to_string(&scratch.pipeline).expect("a pipeline is TOML");
    fs::write(&file, text).expect("write the pipeline file");
    let mut command = Command::new(program("simulator"));
    command.arg("--pipeline").arg(&file);
    command.args(["--name", "simulator"]);
    Guard(command.spawn().expect("start the simulator"))
}

#[test]
fn only_an_index_out_of_reach_is_an_excuse() {
    for reason in [
        "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...)'",
        "Failed to establish a new connection: [Errno 101] Network is unreachable",
    ] {
        assert!(is_out_of_reach(reason), "{reason}");
    }
    for reason in [
        "ERROR: No matching distribution found for kalshi-python-sync==9.9.9",
        "ModuleNotFoundError: No module named 'kalshi_python_sync'",
        "Error: Command returned non-zero exit status 1",
        "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
    ] {
        assert!(!is_out_of_reach(reason), "{reason}");
    }
}

#[test]
fn the_official_client_trades_at_the_simulator() {
    let python = match python() {
        Ok(python) => python,
        Err(reason) if is_out_of_reach(&reason) => {
            eprintln!("skipped: no index of packages in reach to install {CLIENT} from: {reason}");
            return;
        }
        Err(reason) => panic!("{CLIENT} cannot be had: {reason}"),
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("official_client.py");
    let mut scratch = Scratch::of("demo.toml");
    let key = scratch.path().join("key.pem");
    run(Command::new(&python).arg(&script).arg("key").arg(&key)).expect("a key");
    let mut simulator = simulator(&mut scratch, key.clone());
    let ready = scratch.pipeline.run_dir.join("simulator.ready");
    let address = await_some("the simulator's address", || {
        let ready: Value = serde_json::from_str(&fs::read_to_string(&ready).ok()?).ok()?;
        Some(ready["rest"].as_str()?.to_owned())
    });
    let mut trade = Command::new(&python);
    trade.arg(&script).args(["trade", &address, KEY_ID]);
    let told = run(trade.arg(&key)).unwrap_or_else(|failure| panic!("{failure}"));
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["steps"].as_array().map(Vec::len), Some(10), "{told}");

    let pid = Pid::from_raw(i32::try_from(simulator.0.id()).expect("a PID"));
    kill(pid, Signal::SIGTERM).expect("a live simulator");
    assert!(simulator.0.wait().expect("its end").success());
    let report = scratch.pipeline.run_dir.join("simulator.report.json");
    let report: Value =
        serde_json::from_str(&fs::read_to_string(report).expect("a report")).expect("JSON");
    assert!(report["fills"].as_u64() > Some(2), "{report:#}");
}
