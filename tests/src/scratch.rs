//! A pipeline of a test's own: its own name, rings and run directory, so that tests do not meet.

use ipc::Observer;
use nix::sys::statfs::{Statfs, TMPFS_MAGIC, statfs};
use pipeline::Pipeline;
use serde_json::Value;
use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Time between two looks at something that gives no sign of its change.
const LOOK: Duration = Duration::from_millis(20);

/// The demo's pipeline file, moved to a directory of its own.
pub struct Scratch {
    directory: TempDir,
    /// The pipeline; write it with [`Scratch::launch`].
    pub pipeline: Pipeline,
}

/// A launcher that runs in the background. What it says is read as it comes: a full pipe would hold it up.
pub struct Launched {
    child: Child,
    output: JoinHandle<String>,
    errors: JoinHandle<String>,
}

/// What a launcher left behind.
pub struct Outcome {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub output: String,
    /// Its standard error.
    pub errors: String,
}

impl Outcome {
    /// Asserts the exit code, with what was said.
    ///
    /// # Panics
    ///
    /// When it is another one.
    #[track_caller]
    pub fn ended_with(&self, code: i32) {
        let Self {
            status,
            output,
            errors,
        } = self;
        assert_eq!(status.code(), Some(code), "{errors}\n{output}");
    }
}

impl Scratch {
    /// A copy of a shipped pipeline file.
    ///
    /// # Panics
    ///
    /// When the file system refuses.
    #[must_use]
    pub fn of(shipped: &str) -> Self {
        Self::within(&std::env::temp_dir(), shipped)
    }

    /// The same in a directory that outlasts a reboot, as books of real money must: beside the programs, or where those
    /// were built in a place that does not last, in our home or where services keep their state.
    ///
    /// # Panics
    ///
    /// When none of them lasts, or the file system refuses.
    #[must_use]
    pub fn lasting(shipped: &str) -> Self {
        let launcher = crate::programs::program("launcher");
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let places = [
            launcher.parent().map(Path::to_owned),
            home,
            Some("/var/lib".into()),
        ];
        let mut places = places.into_iter().flatten();
        let place = places.find(|place| lasts(place));
        Self::within(&place.expect("a directory on a disk"), shipped)
    }

    fn within(parent: &Path, shipped: &str) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("arbees-test-")
            .tempdir_in(parent)
            .expect("a temporary directory");
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../processes/pipelines")
            .join(shipped);
        let mut pipeline = Pipeline::load(&file).expect("a shipped pipeline file");
        pipeline.rings = directory.path().join("rings");
        pipeline.run_dir = directory.path().join("run");
        Self {
            directory,
            pipeline,
        }
    }

    /// The test's own directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where the report goes.
    #[must_use]
    pub fn report_path(&self) -> PathBuf {
        self.path().join("report.json")
    }

    /// The report of the last launch; null when there is none.
    #[must_use]
    pub fn report(&self) -> Value {
        fs::read_to_string(self.report_path())
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default()
    }

    /// Writes the pipeline file and starts the launcher on it.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn launch(&self, arguments: &[&str]) -> Launched {
        self.launch_by(
            Command::new(crate::programs::program("launcher")),
            arguments,
        )
    }

    /// As [`Scratch::launch`], as root without some of its powers: `capabilities` as `setpriv` takes them, such as
    /// `-sys_nice`.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn launch_without(&self, capabilities: &str, arguments: &[&str]) -> Launched {
        let mut command = Command::new("setpriv");
        command
            .arg(format!("--bounding-set={capabilities}"))
            .arg(format!("--inh-caps={capabilities}"))
            .arg(crate::programs::program("launcher"));
        self.launch_by(command, arguments)
    }

    fn launch_by(&self, mut launcher: Command, arguments: &[&str]) -> Launched {
        let file = self.path().join("pipeline.toml");
        fs::write(
            &file,
            toml::to_string(&self.pipeline).expect("a pipeline is TOML"),
        )
        .expect("write the pipeline file");
        let mut child = launcher
            .args(arguments)
            .arg("--pipeline")
            .arg(&file)
            .arg("--json")
            .arg(self.report_path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start the launcher");
        Launched {
            output: read_all(child.stdout.take().expect("piped")),
            errors: read_all(child.stderr.take().expect("piped")),
            child,
        }
    }

    /// Runs another verb of the launcher on the pipeline file of [`Scratch::launch`], to its end.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn tell(&self, arguments: &[&str]) -> Outcome {
        let output = Command::new(crate::programs::program("launcher"))
            .args(arguments)
            .arg("--pipeline")
            .arg(self.path().join("pipeline.toml"))
            .output()
            .expect("start the launcher");
        Outcome {
            status: output.status,
            output: String::from_utf8_lossy(&output.stdout).into_owned(),
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Waits until `process` has said that it is ready, and returns its PID.
    ///
    /// # Panics
    ///
    /// After two minutes.
    pub fn await_ready(&self, process: &str) -> i32 {
        let path = self.pipeline.run_dir.join(format!("{process}.ready"));
        let ready = || {
            self.processes()
                .into_iter()
                .find(|(_, name)| path.exists() && name == process)
        };
        await_some(&format!("`{process}` to be ready"), ready).0
    }

    /// Waits until every process is ready and the first orders are on their way.
    ///
    /// # Panics
    ///
    /// After two minutes.
    pub fn await_trading(&self) {
        for process in &self.pipeline.processes {
            self.await_ready(&process.name);
        }
        let orders =
            Observer::open(&self.pipeline.ring_path("orders")).expect("the ring of orders");
        await_some("the first orders", || {
            (orders.statistics().published >= 3).then_some(())
        });
    }

    /// Every live process of this pipeline: PID and name.
    #[must_use]
    pub fn processes(&self) -> Vec<(i32, String)> {
        let ours = self.path().to_string_lossy().into_owned();
        let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
        pids.filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read_to_string(entry.path().join("cmdline")).ok()?;
            if !line.contains(&ours) {
                return None;
            }
            // The kernel's name of a program whose command line is its own to rewrite.
            let program = fs::read_to_string(entry.path().join("comm")).ok()?;
            let named = line.split('\0').skip_while(|word| *word != "--name").nth(1);
            let name = named.unwrap_or_else(|| program.trim()).to_owned();
            Some((pid, name))
        })
        .collect()
    }

    /// Waits until no process of this pipeline lives.
    ///
    /// # Panics
    ///
    /// After two minutes, naming who still lives.
    pub fn await_nobody(&self) {
        await_some("everybody to be gone", || {
            self.processes().is_empty().then_some(())
        });
    }

    /// What is left in the ring directory.
    #[must_use]
    pub fn rings_left(&self) -> usize {
        fs::read_dir(self.pipeline.ring_dir()).map_or(0, Iterator::count)
    }
}

impl Launched {
    /// The launcher's PID.
    #[must_use]
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a PID")
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// When it cannot be waited for.
    #[must_use]
    pub fn finish(mut self) -> Outcome {
        let status = self.child.wait().expect("wait for the launcher");
        Outcome {
            status,
            output: self.output.join().expect("the reading thread"),
            errors: self.errors.join().expect("the reading thread"),
        }
    }
}

/// Whether nobody empties that directory at a reboot.
fn lasts(directory: &Path) -> bool {
    const FLEETING: [&str; 4] = ["/tmp", "/var/tmp", "/dev/shm", "/run"];
    let in_memory = |found: Statfs| found.filesystem_type() == TMPFS_MAGIC;
    !FLEETING.iter().any(|place| directory.starts_with(place))
        && statfs(directory).is_ok_and(|found| !in_memory(found))
}

fn read_all(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        // What is not UTF-8 is a failure of the test that looks at it.
        let _ = from.read_to_string(&mut text);
        text
    })
}

/// Looks until there is something.
///
/// # Panics
///
/// After two minutes.
pub fn await_some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let due = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < due, "waited two minutes for {what}");
        std::thread::sleep(LOOK);
    }
}
