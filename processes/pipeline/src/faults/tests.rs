//! Pipeline files with one fault, and those that come with the program.

use super::*;
use crate::Process;
use std::path::Path;

fn shipped(name: &str) -> Pipeline {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../pipelines")
        .join(name);
    Pipeline::load(&path).unwrap()
}

#[test]
fn the_shipped_demo_and_the_live_example_have_no_fault() {
    assert_eq!(shipped("demo.toml").faults(), Vec::<String>::new());
    assert_eq!(shipped("live.toml").faults(), Vec::<String>::new());
}

#[test]
fn the_shipped_replay_lacks_its_file_only() {
    let mut replay = shipped("replay.toml");
    assert_eq!(replay.faults().len(), 1, "{:?}", replay.faults());
    replay.simulator.as_mut().unwrap().from = Some("games.csv.gz".into());
    assert_eq!(replay.faults(), Vec::<String>::new());
}

#[test]
fn all_faults_are_told_at_once() {
    let mut pipeline = shipped("demo.toml");
    pipeline.links[0].depth = 1000;
    pipeline.links[0].to = "game_shard.7".into();
    pipeline.links[6].kind = LinkKind::LatestWins;
    pipeline.processes[1].name = "orchestra".into();
    pipeline.model.weight_percent = 101;
    let faults = pipeline.faults().join("\n");
    for part in [
        "depth 1000",
        "`to = \"game_shard.7\"`".trim_matches('`'),
        "a lost Order is lost money",
        "no known program",
        "weight_percent = 101",
    ] {
        assert!(faults.contains(part), "{part} is missing in:\n{faults}");
    }
}

pub(super) fn faults_after(change: impl FnOnce(&mut Pipeline)) -> String {
    let mut pipeline = shipped("demo.toml");
    change(&mut pipeline);
    pipeline.faults().join("\n")
}

#[test]
fn a_pipeline_that_trades_is_no_replay() {
    let faults = faults_after(|pipeline| pipeline.replay = true);
    assert!(faults.contains("replay = true"), "{faults}");
}

#[test]
fn more_open_orders_than_the_rings_hold_are_a_fault() {
    let faults = faults_after(|pipeline| pipeline.limits.max_open_orders = 1_025);
    for link in ["`orders`", "`acks`"] {
        assert!(
            faults.contains(&format!("link {link}: depth 1024")),
            "{faults}"
        );
    }
    let faults = faults_after(|pipeline| {
        pipeline.limits.max_open_orders = MOST_OPEN_ORDERS + 1;
        for link in &mut pipeline.links {
            link.depth = 1 << 20;
        }
    });
    assert_eq!(faults, "limits.max_open_orders = 65537, at most 65536");
    let fits = |pipeline: &mut Pipeline| pipeline.limits.max_open_orders = 1_024;
    assert_eq!(faults_after(fits), "");
}

#[test]
fn more_shards_than_the_signal_processor_waits_for_are_a_fault() {
    let with = |shards: usize| {
        faults_after(|pipeline| {
            let shard = pipeline
                .processes
                .iter()
                .find(|one| one.name == "game_shard.0");
            let shard = shard.unwrap().clone();
            pipeline.processes.extend((2..shards).map(|index| Process {
                name: format!("game_shard.{index}"),
                ..shard.clone()
            }));
        })
    };
    assert!(with(9).contains("there are 9 shards"), "{}", with(9));
    assert!(!with(8).contains("there are"), "{}", with(8));
}

#[test]
fn processes_out_of_the_datas_order_are_a_fault() {
    let faults = faults_after(|pipeline| pipeline.processes.swap(5, 6));
    assert!(
        faults.contains("`signal_processor` stands after `execution_service`"),
        "{faults}"
    );
    let faults = faults_after(|pipeline| pipeline.processes.rotate_right(1));
    assert!(faults.contains("`simulator` must stand last"), "{faults}");
}

/// Market numbers from a server that forgets would be other markets' in the database.
#[test]
fn a_real_venue_needs_a_redis_that_remembers() {
    let faults = faults_after(|pipeline| pipeline.simulator = None);
    for name in ["venue.rest", "feed.url", "redis.url"] {
        let needed = format!("without a [simulator], {name} must be given");
        assert!(faults.contains(&needed), "{faults}");
    }
    assert_eq!(faults_after(|pipeline| pipeline.redis.url.clear()), "");
}

#[test]
fn names_cannot_escape_their_directory() {
    let mut pipeline = shipped("demo.toml");
    pipeline.name = "../demo".into();
    assert!(
        pipeline
            .faults()
            .iter()
            .any(|fault| fault.contains("`../demo`"))
    );
}

#[test]
fn rings_are_shared_with_a_group_that_is_named_or_with_nobody() {
    let shared = |mode: u32, group: Option<&str>| {
        faults_after(|pipeline| {
            pipeline.ring_mode = mode;
            pipeline.ring_group = group.map(str::to_owned);
        })
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    let demo = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines/demo.toml"),
    );
    // As the shipped file offers it.
    let text = demo.unwrap().replace("# ring_", "ring_");
    std::fs::write(file.path(), text.replace("\"traders\"", "\"root\"")).unwrap();
    let loaded = Pipeline::load(file.path()).unwrap();
    assert_eq!(
        (loaded.ring_mode, loaded.ring_gid().unwrap()),
        (0o640, Some(0))
    );
    assert_eq!(loaded.faults(), Vec::<String>::new());
    assert_eq!(shared(0o640, Some("0")), "");
    assert_eq!(shared(0o660, Some("root")), "");
    for (mode, group, part) in [
        (0o660, None, "name it with ring_group"),
        (0o600, Some("root"), "gets nothing from ring_mode"),
        (0o666, Some("root"), "ring_mode = 0o666"),
        (0o640, Some("no such group"), "is no group of this host"),
        (0o640, Some("4294967295"), "is no group; give its name"),
    ] {
        let faults = shared(mode, group);
        assert!(faults.contains(part), "{part} is missing in:\n{faults}");
    }
}

/// Programs that trade do not contain the baseline; the line must not be passed over.
#[test]
fn the_hot_path_over_redis_is_refused_where_it_is_not_built() {
    let faults = faults_after(|pipeline| pipeline.hot_path = HotPath::Redis);
    if cfg!(feature = "redis-hot-path") {
        assert_eq!(faults, "");
    } else {
        assert!(
            faults.contains("baseline to measure the rings against"),
            "{faults}"
        );
    }
}

#[test]
fn what_is_the_launchers_is_not_the_files() {
    let faults = faults_after(|pipeline| {
        pipeline.boards[0].name = CONTROL.into();
        pipeline.processes[1].core = Some(Core::Auto(crate::Auto::Auto));
        pipeline.safety.max_price_silence_ms = 0;
        pipeline.limits.repeat_ms = u64::from(u32::MAX) + 1;
        pipeline.limits.kelly_percent = 0;
        pipeline.limits.max_burst_contracts = pipeline.limits.max_order_contracts - 1;
    });
    for part in [
        "board `control`: every pipeline has one",
        "core = \"auto\" is for hot processes",
        "safety.max_price_silence_ms = 0",
        "limits.repeat_ms = 4294967296, at most",
        "limits.kelly_percent = 0, 1 to 100",
        "limits.max_burst_contracts = 49, less than limits.max_order_contracts = 50",
    ] {
        assert!(faults.contains(part), "{part} is missing in:\n{faults}");
    }
}
