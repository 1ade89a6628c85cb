//! A directory of rings of a test's own, and the inspector run on it.

use crate::actor::Tick;
use ipc::{BoardOptions, Kind, Observer, RingOptions, create_board, create_ring};
use layouts::ProcessState;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Far beyond anything that a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a run of the inspector ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
}

/// The rings of the pipeline `demo`.
pub(crate) struct Scene {
    pub(crate) above: TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let above = tempfile::Builder::new()
            .prefix("inspector-test-")
            .tempdir()
            .unwrap();
        fs::create_dir(above.path().join("demo")).unwrap();
        Self { above }
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.above.path().join("demo").join(file)
    }

    /// Lays out a ring, and says where.
    pub(crate) fn ring(&self, name: &str, kind: Kind, capacity: u32) -> String {
        let path = self.path(&format!("{name}.ring"));
        let options = RingOptions {
            kind,
            capacity,
            ..RingOptions::default()
        };
        create_ring::<Tick>(&path, options).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn lossless(&self, name: &str, capacity: u32) -> String {
        self.ring(name, Kind::Lossless, capacity)
    }

    pub(crate) fn board(&self, name: &str) -> String {
        let path = self.path(&format!("{name}.board"));
        let options = BoardOptions {
            rows: 16,
            ..BoardOptions::default()
        };
        create_board::<Tick>(&path, options).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Lays out the board of a process.
    pub(crate) fn process(&self, name: &str) -> String {
        let path = self.path(&format!("{name}.process.board"));
        create_board::<ProcessState>(&path, BoardOptions::default()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Writes into a segment's file, as no role does.
    pub(crate) fn damage(&self, file: &str, offset: u64, bytes: &[u8]) {
        let file = OpenOptions::new()
            .write(true)
            .open(self.path(file))
            .unwrap();
        file.write_all_at(bytes, offset).unwrap();
    }

    /// The inspector with these arguments, to be started.
    pub(crate) fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shm-inspect"));
        command
            .args(arguments)
            .arg("--rings")
            .arg(self.above.path());
        command
    }

    /// Runs the inspector to its end.
    pub(crate) fn inspect(&self, arguments: &[&str]) -> Ended {
        let Output {
            status,
            stdout,
            stderr,
        } = self.program(arguments).output().unwrap();
        Ended {
            code: status.code(),
            output: String::from_utf8(stdout).unwrap(),
            errors: String::from_utf8(stderr).unwrap(),
        }
    }

    /// What a verb says as JSON, a value a line.
    pub(crate) fn json(&self, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
        let ended = self.inspect(&[arguments, &["--json"]].concat());
        let lines = ended.output.lines();
        let values = lines.map(|line| serde_json::from_str(line).expect(line));
        (ended.code, values.collect())
    }

    /// All verdicts as `ring orders: stuck`, those in trouble first, and whether the exit code says so.
    pub(crate) fn verdicts(&self, arguments: &[&str]) -> Verdicts {
        let began = Instant::now();
        let (code, values) = self.json(&[&["verdict"], arguments].concat());
        println!("verdict took {:?}", began.elapsed());
        let (mut trouble, mut fine) = (BTreeSet::new(), BTreeSet::new());
        for one in values[0].as_array().unwrap() {
            let word = |field: &str| one[field].as_str().unwrap().to_owned();
            let line = format!("{} {}: {}", word("subject"), word("name"), word("verdict"));
            println!("{line}  {}", word("evidence"));
            if one["trouble"] == true {
                assert!(!word("next").is_empty(), "{one}");
                trouble.insert(line);
            } else {
                fine.insert(line);
            }
        }
        assert_eq!(code, Some(i32::from(!trouble.is_empty())));
        Verdicts {
            trouble,
            fine,
            all: values[0].clone(),
        }
    }

    /// Judges until these are in trouble and nobody else is: whoever takes a while off the core meanwhile is judged for that.
    #[track_caller]
    pub(crate) fn comes_to(&self, expected: &[&str]) -> Verdicts {
        let due = Instant::now() + PATIENCE;
        loop {
            let found = self.verdicts(&[]);
            let as_expected = found.trouble.iter().map(String::as_str);
            if as_expected.collect::<BTreeSet<_>>() == expected.iter().copied().collect()
                || Instant::now() >= due
            {
                found.only(expected);
                return found;
            }
        }
    }
}

pub(crate) struct Verdicts {
    pub(crate) trouble: BTreeSet<String>,
    pub(crate) fine: BTreeSet<String>,
    pub(crate) all: Value,
}

impl Verdicts {
    /// These are in trouble, and nobody else is.
    #[track_caller]
    pub(crate) fn only(&self, expected: &[&str]) -> &Self {
        let expected: BTreeSet<String> = expected.iter().map(|line| (*line).to_owned()).collect();
        assert_eq!(self.trouble, expected);
        self
    }

    /// The faults that follow from no other, as `process risk: dead`; all others name one of them, or one that does.
    #[track_caller]
    pub(crate) fn causes(&self, expected: &[&str]) -> &Self {
        let all = self.all.as_array().unwrap().iter();
        let (follow, begin): (Vec<&Value>, Vec<&Value>) = all
            .filter(|one| one["trouble"] == true)
            .partition(|one| one["cause"].is_string());
        let label = |one: &Value| format!("{} {}", one["subject"], one["name"]).replace('"', "");
        let found: BTreeSet<String> = begin
            .iter()
            .map(|one| format!("{}: {}", label(one), one["verdict"]).replace('"', ""))
            .collect();
        let expected: BTreeSet<String> = expected.iter().map(|line| (*line).to_owned()).collect();
        assert_eq!(found, expected);
        for one in &follow {
            let cause = one["cause"].as_str().unwrap();
            let mut known = begin.iter().chain(&follow).map(|one| label(one));
            assert!(known.any(|known| known == cause), "{one}");
        }
        self
    }

    /// These are fine, among others.
    #[track_caller]
    pub(crate) fn fine(&self, expected: &[&str]) -> &Self {
        for line in expected {
            assert!(
                self.fine.contains(*line),
                "{line} is not among {:?}",
                self.fine
            );
        }
        self
    }

    /// The evidence of the verdict on a ring or process.
    pub(crate) fn evidence(&self, name: &str) -> String {
        let all = self.all.as_array().unwrap().iter();
        let mut about = all.filter(|one| one["name"] == name);
        about.next().unwrap()["evidence"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

/// Waits until so many messages wait in a ring.
pub(crate) fn await_depth(ring: &str, depth: u64) {
    let observer = Observer::open(Path::new(ring)).unwrap();
    await_that(&format!("{depth} messages in {ring}"), || {
        let now = observer.statistics();
        now.published - now.position >= depth
    });
}

/// Waits until something holds.
pub(crate) fn await_that(what: &str, mut holds: impl FnMut() -> bool) {
    let due = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < due, "waited half a minute for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
