//! The baseline is no straw man: over Redis pub/sub the whole pipeline trades, loses nothing and reconciles.

use pipeline::{HotPath, Pipeline};
use serde_json::Value;
use std::{fs, path::Path, process::Command};

#[test]
fn a_run_over_redis_trades_loses_nothing_and_reconciles() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/demo.toml");
    let mut pipeline = Pipeline::load(&demo).expect("the demo");
    pipeline.hot_path = HotPath::Redis;
    pipeline.rings = path("rings");
    pipeline.run_dir = path("run");
    let file = path("pipeline.toml");
    fs::write(&file, toml::to_string(&pipeline).expect("TOML")).expect("written");
    // The processes lie beside the launcher.
    let launcher = Command::new(env!("CARGO_BIN_EXE_launcher"))
        .args(["--for", "8s", "--pipeline"])
        .arg(&file)
        .arg("--json")
        .arg(path("report.json"))
        .output()
        .expect("started");
    let told = String::from_utf8_lossy(&launcher.stderr);
    assert_eq!(launcher.status.code(), Some(0), "{told}");
    let text = fs::read_to_string(path("report.json")).expect("a report");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(report["reconciled"], true, "{report:#}");
    for field in ["ticks", "signals", "orders", "fills"] {
        assert!(report[field].as_u64() > Some(0), "{field} in {report:#}");
    }
    let answered = &report["tick_to_answer_ns"]["count"];
    assert!(answered.as_u64() > Some(0), "{report:#}");
    for ring in report["rings"].as_array().expect("rings") {
        assert_eq!(ring["lost"], 0, "{ring}");
        assert_eq!(ring["published"], ring["consumed"], "{ring}");
        // Left by who has subscribed; there is none where messages went straight through the ring.
        let name = ring["name"].as_str().expect("a name");
        let left = pipeline.run_dir.join(format!("{name}.hops.report.json"));
        let hops = fs::read_to_string(&left).expect("the link's latencies");
        let hops: Value = serde_json::from_str(&hops).expect("JSON");
        assert_eq!(hops["p50_ns"], ring["p50_ns"], "{ring}");
        assert!(hops["p50_ns"].as_u64() > Some(0), "{ring}");
    }
}
