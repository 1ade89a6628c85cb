//! A pipeline across containers, without an image: each process has its own PID, IPC and mount namespace, made by the test, and
//! shares with the others only what is mounted for it. `scripts/test containers` does the same with a real engine.

use ipc::Observer;
use pipeline::Pipeline;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tests::{
    namespaces::{Contained, Mount, allowed},
    programs::program,
    scratch::{Scratch, await_some},
};

/// A pipeline that is laid out in `volume`, for processes that see it at the place that its file names.
struct Host {
    scratch: Scratch,
    /// The rings, for whom they are mounted.
    volume: PathBuf,
    redis: Child,
    url: String,
}

impl Host {
    fn new() -> Self {
        let scratch = Scratch::of("demo.toml");
        let (volume, socket) = (scratch.path().join("volume"), scratch.path().join("redis"));
        for directory in [&volume, &scratch.pipeline.rings] {
            fs::create_dir(directory).unwrap();
        }
        let redis = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .expect("start redis-server");
        await_some("redis-server", || socket.exists().then_some(()));
        let file = scratch.path().join("pipeline.toml");
        fs::write(&file, toml::to_string(&scratch.pipeline).unwrap()).unwrap();
        Self {
            url: format!("redis+unix://{}", socket.display()),
            scratch,
            volume,
            redis,
        }
    }

    /// The words of a `launch prepare` with this run directory.
    fn prepare_words(&self, run_dir: &Path) -> String {
        let file = self.scratch.path().join("pipeline.toml");
        format!(
            "--pipeline {} --run-dir {} --redis {}",
            file.display(),
            run_dir.display(),
            self.url
        )
    }

    /// Lays the pipeline out, itself in a namespace.
    fn prepare(&self) {
        let words = self.prepare_words(&self.scratch.pipeline.run_dir);
        let words: Vec<&str> = ["prepare"].into_iter().chain(words.split(' ')).collect();
        let mut prepare = self.contain("launcher", &words, "prepare", Mount::Bind(&self.volume));
        assert_eq!(prepare.end(), Some(0), "{}", prepare.said());
    }

    fn contain(&self, program: &str, words: &[&str], name: &str, mount: Mount) -> Contained {
        let log = self.scratch.path().join(format!("{name}.log"));
        let rings = &self.scratch.pipeline.rings;
        Contained::start(program, words, rings, mount, &log)
    }

    /// From outside of all containers, with a look at the rings of one of them: the verdict names both sides, and one cause.
    fn expect_misplaced(&self) {
        let output = Command::new(program("shm-inspect"))
            .args(["verdict", "--json", "--redis", &self.url, "--rings"])
            .arg(&self.volume)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let judged: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let judged = judged.as_array().unwrap().iter();
        let misplaced: Vec<_> = judged.filter(|one| one["verdict"] == "misplaced").collect();
        let of = |name: &str| {
            let found = misplaced.iter().find(|one| one["name"] == name);
            found.unwrap_or_else(|| panic!("`{name}` is not among {misplaced:#?}"))
        };
        // The process runs, though not here: its own board has never been written.
        for name in ["acks", "orders", "execution_service"] {
            let evidence = of(name)["evidence"].as_str().unwrap();
            for part in ["`execution_service` has", "`signal_processor` has", "mnt:["] {
                assert!(evidence.contains(part), "{part} is not in {evidence}");
            }
        }
        assert!(of("acks")["cause"].is_null(), "{misplaced:#?}");
        for name in ["orders", "execution_service"] {
            assert_eq!(of(name)["cause"], "ring acks");
        }
        let next = of("acks")["next"].as_str().unwrap();
        assert!(next.contains("the same mount"), "{next}");
    }

    fn resolved(&self) -> String {
        let file = self.scratch.pipeline.run_dir.join("pipeline.toml");
        file.display().to_string()
    }

    /// Starts a process of the pipeline.
    fn start(&self, name: &str, mount: Mount) -> Contained {
        let program = name.split('.').next().unwrap();
        let words = ["--pipeline", &self.resolved(), "--name", name];
        self.contain(program, &words, name, mount)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Both fail only for one that is gone.
        let _ = self.redis.kill();
        let _ = self.redis.wait();
    }
}

#[test]
fn the_demo_reconciles_with_every_process_in_namespaces_of_its_own() {
    if !allowed() {
        return;
    }
    let host = Host::new();
    let here = Mount::Bind(&host.volume);
    let names: Vec<String> = (host.scratch.pipeline.processes.iter())
        .map(|process| process.name.clone())
        .collect();
    // Before anything is laid out, and in the wrong order: they wait.
    let mut processes: Vec<Contained> = names.iter().map(|name| host.start(name, here)).collect();
    processes[0].await_word("waiting: there is no pipeline file");
    host.prepare();
    let words = [
        "reconcile",
        "--when-stopped",
        "--pipeline",
        &host.resolved(),
    ];
    let mut books = host.contain("launcher", &words, "reconcile", here);
    books.await_word("comparing the books when stopped");
    let orders = host.volume.join("demo/orders.ring");
    let orders = Observer::open(&orders).expect("the ring of orders");
    await_some("the first orders", || {
        (orders.statistics().published >= 3).then_some(())
    });
    let spaces = processes.iter().chain([&books]);
    let spaces: Vec<String> = spaces.flat_map(Contained::namespaces).collect();
    let distinct: BTreeSet<&String> = spaces.iter().collect();
    assert_eq!(distinct.len(), spaces.len(), "shared: {spaces:?}");
    let mounted_here = fs::read_dir(&host.scratch.pipeline.rings).unwrap();
    assert_eq!(
        mounted_here.count(),
        0,
        "the rings are where they are mounted"
    );
    // A second layout of what runs is none.
    let before = fs::read(host.resolved()).unwrap();
    host.prepare();
    assert_eq!(fs::read(host.resolved()).unwrap(), before);

    let (simulator, others) = processes.split_last_mut().unwrap();
    for (process, name) in others.iter_mut().zip(&names) {
        assert_eq!(process.stop(), Some(0), "{name}: {}", process.said());
        assert!(!process.said().contains("misplaced"), "{}", process.said());
    }
    assert_eq!(books.stop(), Some(0), "{}", books.said());
    assert!(books.said().contains("reconciled  yes"), "{}", books.said());
    assert_eq!(simulator.stop(), Some(0), "{}", simulator.said());
}

/// Each finds a sound ring of its own and waits for ever: only together they can know.
#[test]
fn two_ends_with_a_file_each_are_named_within_seconds_and_one_file_is_good_again() {
    if !allowed() {
        return;
    }
    let host = Host::new();
    host.prepare();
    let here = Mount::Bind(&host.volume);
    let _simulator = host.start("simulator", here);
    let other_run = host.scratch.path().join("other");
    let words = host.prepare_words(&other_run);
    let misplaced = host.start("execution_service", Mount::Own(&words));
    // From here on it is attached to rings of its own.
    misplaced.await_word("attached");
    let begun = Instant::now();
    let right = host.start("signal_processor", here);
    for (process, own, peer) in [
        (&right, "signal_processor", "execution_service"),
        (&misplaced, "execution_service", "signal_processor"),
    ] {
        process.await_word("misplaced: `orders` is two files");
        process.await_word("misplaced: `acks` is two files");
        let said = process.said();
        for part in [own, peer] {
            let role = format!("`{part}` has instance ");
            assert!(said.contains(&role), "{part} is missing in:\n{said}");
        }
        let rings = host.scratch.pipeline.ring_dir();
        let place = format!("in `{}`", rings.display());
        assert!(
            said.contains(&place) && said.contains("the same mount"),
            "{said}"
        );
        assert!(!said.contains("`fills` is two files"), "{said}");
    }
    assert!(begun.elapsed() < Duration::from_secs(15), "seconds");
    host.expect_misplaced();
    // Started again with the right mount. What the former one said is no alarm: it is dead.
    drop(misplaced);
    let moved = host.start("execution_service", here);
    right.await_word("no ring is misplaced any more");
    assert!(!moved.said().contains("misplaced"), "{}", moved.said());
}

#[test]
fn a_missing_mount_is_named_with_its_directory() {
    if !allowed() {
        return;
    }
    let host = Host::new();
    host.prepare();
    let mut alone = host.start("game_shard.0", Mount::Missing);
    let rings = host.scratch.pipeline.rings.display().to_string();
    alone.await_word(&format!("the ring directory `{rings}/demo` is not there"));
    alone.await_word(&format!("the mount of `{rings}` is missing"));
    // It still waits; asked to stop, it says what it waited for.
    assert_eq!(alone.stop(), Some(2));
    let said = alone.said();
    assert!(said.contains("asked to stop while it waited"), "{said}");
}

/// By hand, what cannot be laid out is said before anything is.
#[test]
fn prepare_refuses_what_nobody_would_serve() {
    let scratch = Scratch::of("demo.toml");
    let file = scratch.path().join("pipeline.toml");
    fs::write(&file, toml::to_string(&scratch.pipeline).unwrap()).unwrap();
    let tried = Command::new(program("launcher"))
        .args(["prepare", "--pipeline"])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(tried.status.code(), Some(2));
    let said = String::from_utf8_lossy(&tried.stderr).into_owned();
    assert!(said.contains("redis.url is empty"), "{said}");
    assert!(!scratch.pipeline.run_dir.exists() && !scratch.pipeline.rings.exists());
}

/// The command that puts the cores into the demo's file, and the sets of the same compose file.
#[test]
fn the_cores_of_the_demo_are_in_the_sets_of_their_containers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let compose = fs::read_to_string(root.join("compose.cores.yaml")).unwrap();
    let lines = compose.lines().map(str::trim);
    let command = lines.clone().find(|line| line.starts_with("awk "));
    let (command, _) = command.expect("the command").split_once(" > ").unwrap();
    let demo = root.join("processes/pipelines/demo.toml");
    let command = command.replace(
        "/opt/arbees/processes/pipelines/demo.toml",
        demo.to_str().unwrap(),
    );
    let output = Command::new("sh").args(["-c", &command]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let placed: Pipeline = toml::from_str(&String::from_utf8(output.stdout).unwrap()).unwrap();
    let set = |name: &str| -> Vec<usize> {
        let mut sets = lines.clone();
        let set = sets.find_map(|line| line.strip_prefix(&format!("{name}: {{cpuset: \"")));
        let set = set.unwrap_or_else(|| panic!("no set for {name}"));
        let (set, _) = set.split_once('"').unwrap();
        set.split(',').map(|cpu| cpu.parse().unwrap()).collect()
    };
    let mut given = Vec::new();
    for process in &placed.processes {
        let expected: Vec<usize> = [0, 1].into_iter().chain(process.cpu()).collect();
        assert_eq!(set(&process.name), expected, "{}", process.name);
        assert_eq!(process.hot, process.cpu().is_some(), "{}", process.name);
        given.extend(process.cpu());
    }
    assert_eq!(given, [2, 3, 4, 5, 6]);
}
