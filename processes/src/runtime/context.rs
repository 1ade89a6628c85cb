//! A process's place in its pipeline: its name, its rings, its core, and whether it is to stop.

use super::{
    Failure, Idle,
    arrival::await_pipeline,
    io::io_thread,
    presence::Presence,
    rings::{Carried, Input, Output, report_memory},
    scheduling,
};
use crate::cold::{
    attendance::{self, Attachment},
    redis::Cold,
};
use clap::Parser;
use nix::{
    sys::{prctl, signal::Signal},
    unistd::getppid,
};
use pipeline::{HotPath, Link, Pipeline, Process, Wait};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use tokio::sync::watch;
use tracing::Level;
use tracing_subscriber::{
    Layer as _, filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

/// Environment variable with the launcher's PID: who has it set dies with the launcher.
pub(crate) const LAUNCHER_VARIABLE: &str = "ARBEES_LAUNCHER";

#[derive(Parser)]
#[command(
    about = "One process of a pipeline. The launcher starts it; started otherwise, it joins a pipeline that `launch prepare` lays out, and waits for it."
)]
#[command(
    after_help = "Example:\n  game_shard --pipeline /tmp/arbees/demo/pipeline.toml --name game_shard.0"
)]
struct Arguments {
    /// The resolved pipeline file, as the launcher wrote it.
    #[arg(long)]
    pipeline: PathBuf,
    /// Name of this process in the pipeline file.
    #[arg(long)]
    name: String,
}

/// A process's place in its pipeline.
pub struct Context {
    /// The resolved pipeline file.
    pub pipeline: Pipeline,
    /// Name of this process.
    pub name: String,
    process: Process,
    stop: Arc<AtomicBool>,
    presence: Presence,
    attached: watch::Sender<Vec<Attachment>>,
}

/// The whole life of a process: parse, join the pipeline, run, report, exit code.
///
/// What `run` returns is written to `<run_dir>/<name>.report.json`. Exit code 0 after an orderly
/// stop, 1 after a failure, 2 for bad arguments or a bad pipeline file.
pub fn main(program: &str, run: fn(&Context) -> Result<serde_json::Value, Failure>) -> ExitCode {
    let arguments = Arguments::parse();
    start_logging();
    let context = match enter(&arguments, program) {
        Ok(context) => context,
        Err(failure) => {
            eprintln!("error: {failure}");
            return ExitCode::from(2);
        }
    };
    let result = run(&context).and_then(|figures| context.write_beside("report.json", &figures));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {}: {failure}", context.name);
            ExitCode::FAILURE
        }
    }
}

/// Joins the pipeline once it is there, and begins to say which rings this process has.
fn enter(arguments: &Arguments, program: &str) -> Result<Context, Failure> {
    let stop = heed_signals()?;
    let pipeline = await_pipeline(&arguments.pipeline, &arguments.name, &stop)?;
    let context = Context::take_place(pipeline, &arguments.name, program, stop)?;
    if std::env::var_os(LAUNCHER_VARIABLE).is_none() {
        // That of a predecessor: nobody else removes it.
        let _ = fs::remove_file(context.beside("ready"));
    }
    let redis = &context.pipeline.redis.url;
    if !redis.is_empty() {
        let cold = Cold::connect(redis, &context.pipeline.name);
        let (name, attached) = (context.name.clone(), context.attached.subscribe());
        io_thread("attendance", move || attendance::keep(cold, name, attached))?;
    }
    Ok(context)
}

/// The flag that SIGTERM and SIGINT set from now on.
pub(crate) fn heed_signals() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        signal_hook::flag::register(signal as i32, Arc::clone(&stop))
            .map_err(|error| Failure::io(format!("handle {signal}"), error))?;
    }
    Ok(stop)
}

impl Context {
    /// Joins the pipeline whose resolved file is `file` as the process `name` of `program`.
    ///
    /// # Errors
    ///
    /// When the file is unusable or names no such process.
    pub fn join(file: &Path, name: &str, program: &str) -> Result<Self, Failure> {
        Self::take_place(Pipeline::load(file)?, name, program, heed_signals()?)
    }

    fn take_place(
        pipeline: Pipeline,
        name: &str,
        program: &str,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, Failure> {
        let process = pipeline
            .processes
            .iter()
            .find(|process| process.name == name)
            .cloned();
        let process = process.ok_or_else(|| {
            let names: Vec<&str> = pipeline
                .processes
                .iter()
                .map(|process| process.name.as_str())
                .collect();
            Failure::Configuration(format!(
                "pipeline `{}` has no process `{name}`; it has {}",
                pipeline.name,
                names.join(", ")
            ))
        })?;
        if process.program() != program {
            return Err(Failure::Configuration(format!(
                "process `{name}` is a `{}`, this program is `{program}`",
                process.program()
            )));
        }
        if !pipeline.hot_path.is_built() {
            return Err(Failure::Configuration(HotPath::NOT_BUILT.to_owned()));
        }
        die_with_launcher()?;
        if pipeline.lock_memory && process.hot {
            scheduling::lock_memory(name)?;
        }
        Ok(Self {
            presence: Presence::start(&pipeline, &process, Arc::clone(&stop)),
            pipeline,
            name: name.to_owned(),
            process,
            stop,
            attached: watch::Sender::default(),
        })
    }

    /// Whether this process has been asked to stop. A relaxed load.
    #[inline]
    #[must_use]
    pub fn stopping(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// The flag behind [`Context::stopping`], for I/O threads.
    #[must_use]
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// The number after the dot of this process's name; 0 where there is none.
    #[must_use]
    pub fn index(&self) -> u8 {
        self.process.index()
    }

    /// Attaches to every ring that carries `T` to this process, in the order of the file.
    ///
    /// # Errors
    ///
    /// When a ring is missing, taken, or carries another layout.
    pub fn inputs<T: Carried>(&self) -> Result<Vec<Input<T>>, Failure> {
        self.links::<T>(|link| &link.to)
            .map(|link| {
                let input = Input::attach(link, &self.pipeline)?;
                self.note(&link.name, "consumer", input.info());
                Ok(input)
            })
            .collect()
    }

    /// Attaches to every ring that carries `T` from this process, in the order of the file.
    ///
    /// # Errors
    ///
    /// As [`Context::inputs`].
    pub fn outputs<T: Carried>(&self) -> Result<Vec<Output<T>>, Failure> {
        let ladder = self.ladder();
        self.links::<T>(|link| &link.from)
            .map(|link| {
                let output = Output::attach(link, &self.pipeline, ladder)?;
                if let Some(info) = output.info() {
                    self.note(&link.name, "producer", info);
                }
                Ok(output)
            })
            .collect()
    }

    /// The only ring that carries `T` from this process.
    ///
    /// # Errors
    ///
    /// When there is not exactly one, and as [`Context::inputs`].
    pub fn output<T: Carried>(&self) -> Result<Output<T>, Failure> {
        let mut outputs = self.outputs::<T>()?;
        match (outputs.pop(), outputs.len()) {
            (Some(output), 0) => Ok(output),
            (_, others) => Err(self.not_one::<T>("output", others)),
        }
    }

    /// The only ring that carries `T` to this process.
    ///
    /// # Errors
    ///
    /// When there is not exactly one, and as [`Context::inputs`].
    pub fn input<T: Carried>(&self) -> Result<Input<T>, Failure> {
        let mut inputs = self.inputs::<T>()?;
        match (inputs.pop(), inputs.len()) {
            (Some(input), 0) => Ok(input),
            (_, others) => Err(self.not_one::<T>("input", others)),
        }
    }

    /// Attaches to the board of `T` whose writer is this process.
    ///
    /// # Errors
    ///
    /// When the pipeline file names none, or it cannot be attached.
    pub fn board<T: ipc::Message>(&self) -> Result<ipc::BoardWriter<T>, Failure> {
        let board = self
            .pipeline
            .boards
            .iter()
            .find(|board| board.writer == self.name && board.message == T::NAME);
        let board = board.ok_or_else(|| self.not_one::<T>("board", 0))?;
        let attached = ipc::BoardWriter::attach(&self.pipeline.board_path(&board.name))?;
        attached.introduce(&self.name);
        self.note(&format!("{}.board", board.name), "writer", attached.info());
        report_memory(&board.name, attached.residency());
        Ok(attached)
    }

    /// Opens the board of `T`, whoever writes it, for reading.
    ///
    /// # Errors
    ///
    /// When the pipeline file names none, or it cannot be opened.
    pub fn board_reader<T: ipc::Message>(&self) -> Result<ipc::BoardReader<T>, Failure> {
        let board = self
            .pipeline
            .boards
            .iter()
            .find(|board| board.message == T::NAME);
        let board = board.ok_or_else(|| self.not_one::<T>("board", 0))?;
        let attached = ipc::BoardReader::open(&self.pipeline.board_path(&board.name))?;
        let role = format!("reader.{}", self.name);
        self.note(&format!("{}.board", board.name), &role, attached.info());
        report_memory(&board.name, attached.residency());
        Ok(attached)
    }

    /// The wait ladder of this pipeline.
    #[must_use]
    pub fn idle(&self) -> Idle {
        Idle::new(self.ladder())
    }

    /// Gives the calling thread the core and the real-time priority that the pipeline file has for this process's
    /// loop. Threads made afterwards share both.
    ///
    /// # Errors
    ///
    /// When the core does not exist or may not be used, or the priority may not be taken.
    pub fn settle(&self) -> Result<(), Failure> {
        scheduling::settle(&self.process)
    }

    /// Says that this process is attached and able to work.
    ///
    /// # Errors
    ///
    /// When the ready file cannot be written.
    pub fn ready(&self) -> Result<(), Failure> {
        self.ready_with(&serde_json::json!({ "pid": std::process::id() }))
    }

    /// As [`Context::ready`], with something that the launcher passes on.
    ///
    /// # Errors
    ///
    /// When the ready file cannot be written.
    pub fn ready_with(&self, body: &serde_json::Value) -> Result<(), Failure> {
        self.presence.running();
        self.write_beside("ready", body)
    }

    /// Writes `<run_dir>/<name>.<suffix>` whole or not at all.
    fn write_beside(&self, suffix: &str, body: &serde_json::Value) -> Result<(), Failure> {
        let path = self.beside(suffix);
        let partial = path.with_extension("partial");
        fs::write(&partial, body.to_string())
            .and_then(|()| fs::rename(&partial, &path))
            .map_err(|error| Failure::io(format!("write `{}`", path.display()), error))
    }

    /// `<run_dir>/<name>.<suffix>`.
    fn beside(&self, suffix: &str) -> PathBuf {
        let name = format!("{}.{suffix}", self.name);
        self.pipeline.run_dir.join(name)
    }

    /// Notes which file of a ring this process has, for the thread that says so.
    fn note(&self, ring: &str, role: &str, info: &ipc::Info) {
        let attachment = Attachment {
            ring: ring.to_owned(),
            role: role.to_owned(),
            instance: info.instance,
            directory: self.pipeline.ring_dir(),
        };
        self.attached.send_modify(|all| all.push(attachment));
    }

    fn ladder(&self) -> ipc::Ladder {
        match self.pipeline.wait {
            Wait::Spin => ipc::Ladder::Spin,
            Wait::Yield => ipc::Ladder::Yield,
            // The launcher resolves Auto; a process started by hand shares its cores.
            Wait::Sleep | Wait::Auto => ipc::Ladder::Sleep,
        }
    }

    fn links<T: ipc::Message>(&self, end: fn(&Link) -> &String) -> impl Iterator<Item = &Link> {
        self.pipeline
            .links
            .iter()
            .filter(move |link| *end(link) == self.name && link.message == T::NAME)
    }

    fn not_one<T: ipc::Message>(&self, what: &str, others: usize) -> Failure {
        let found = if others == 0 {
            "none".to_owned()
        } else {
            format!("{}", others + 1)
        };
        Failure::Configuration(format!(
            "`{}` needs exactly one {what} of {}, the pipeline file gives it {found}",
            self.name,
            T::NAME
        ))
    }
}

/// Arranges that the kernel kills this process when the launcher dies, however it dies.
pub(crate) fn die_with_launcher() -> Result<(), Failure> {
    let Ok(launcher) = std::env::var(LAUNCHER_VARIABLE) else {
        return Ok(());
    };
    prctl::set_pdeathsig(Signal::SIGKILL)
        .map_err(|error| Failure::io("ask to die with the launcher", error))?;
    if getppid().to_string() == launcher {
        Ok(())
    } else {
        Err(Failure::other("the launcher is gone already"))
    }
}

/// One line a record on standard error. `ARBEES_LOG` filters by level and module:
/// `warn,processes::venue=debug`.
pub(crate) fn start_logging() {
    let asked = std::env::var("ARBEES_LOG").ok();
    let filter: Option<Targets> = asked.and_then(|text| text.parse().ok());
    let filter = filter.unwrap_or_else(|| Targets::new().with_default(Level::INFO));
    let records = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false);
    // A second subscriber can only come from a test that has set its own.
    let _ = tracing_subscriber::registry()
        .with(records.with_filter(filter))
        .try_init();
}
