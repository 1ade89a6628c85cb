//! What this process says of itself on a board of its own, a few times a second: for whoever watches. A thread writes
//! it, so that the hot loop does not, and nothing depends on it.

use super::Failure;
use ipc::{BoardReader, BoardWriter, clock};
use layouts::{ProcessPhase, ProcessState};
use nix::{
    sys::resource::{UsageWho, getrusage},
    time::{ClockId, clock_gettime},
};
use pipeline::{Pipeline, Process};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Time between two rows.
const PERIOD: Duration = Duration::from_millis(250);
/// The only row that is used.
const ROW: u32 = 0;

/// Says that this process is there, until it is dropped.
pub(super) struct Presence {
    /// Gone when the process has ended in order.
    phases: Option<Sender<ProcessPhase>>,
    thread: Option<JoinHandle<()>>,
}

impl Presence {
    /// Starts to tell. Where there is no board to tell it on, nobody is told, and nothing else changes.
    pub(super) fn start(pipeline: &Pipeline, process: &Process, stop: Arc<AtomicBool>) -> Self {
        let told = Telling::begin(pipeline, process, stop);
        let started = told.and_then(|telling| {
            let (phases, news) = channel();
            let thread = thread::Builder::new().name("presence".into());
            let thread = thread.spawn(move || telling.run(&news));
            thread
                .map(|thread| (phases, thread))
                .map_err(|error| Failure::io("create thread `presence`", error))
        });
        match started {
            Ok((phases, thread)) => Self {
                phases: Some(phases),
                thread: Some(thread),
            },
            Err(error) => {
                tracing::warn!(%error, "this process is not seen by those who watch");
                Self {
                    phases: None,
                    thread: None,
                }
            }
        }
    }

    /// The process is able to work.
    pub(super) fn running(&self) {
        if let Some(phases) = &self.phases {
            let _ = phases.send(ProcessPhase::Running);
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.phases = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread's side.
struct Telling {
    board: BoardWriter<ProcessState>,
    state: ProcessState,
    stop: Arc<AtomicBool>,
}

impl Telling {
    fn begin(
        pipeline: &Pipeline,
        process: &Process,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, Failure> {
        let path = pipeline.presence_path(&process.name);
        let board = BoardWriter::<ProcessState>::attach(&path)?;
        board.introduce(&process.name);
        // What the one before left there. Whatever cannot be read was the first.
        let before = BoardReader::<ProcessState>::open(&path)?.read(ROW);
        let starts = before.ok().flatten().map_or(0, |row| row.value.starts);
        let core = process.cpu().and_then(|cpu| u32::try_from(cpu).ok());
        Ok(Self {
            board,
            state: ProcessState {
                started_unix_ns: clock::unix_ns(),
                cpu_ns: 0,
                involuntary_switches: 0,
                starts: starts.saturating_add(1),
                pid: std::process::id(),
                core: core.unwrap_or(ProcessState::NOT_PINNED),
                phase: ProcessPhase::Starting as u8,
                hot: u8::from(process.hot),
                padding: [0; 2],
            },
            stop,
        })
    }

    fn run(mut self, news: &std::sync::mpsc::Receiver<ProcessPhase>) {
        let mut phase = ProcessPhase::Starting;
        loop {
            if self.stop.load(Relaxed) {
                phase = ProcessPhase::Stopping;
            }
            self.tell(phase);
            match news.recv_timeout(PERIOD) {
                Ok(next) => phase = next,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.tell(ProcessPhase::Ended),
            }
        }
    }

    fn tell(&mut self, phase: ProcessPhase) {
        let spent = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map(Duration::from);
        let spent = spent.map_or(0, |spent| spent.as_nanos());
        self.state.cpu_ns = u64::try_from(spent).unwrap_or(u64::MAX);
        let switches = getrusage(UsageWho::RUSAGE_SELF)
            .map_or(0, |usage| usage.involuntary_context_switches());
        self.state.involuntary_switches = u64::try_from(switches).unwrap_or(0);
        self.state.phase = phase as u8;
        // The board has that row.
        let _ = self.board.write(ROW, &self.state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipc::{BoardOptions, create_board};
    use std::path::Path;

    #[test]
    fn a_process_tells_of_its_life_and_a_successor_counts_on() {
        let directory = tempfile::tempdir().unwrap();
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/demo.toml");
        let mut pipeline = Pipeline::load(&demo).unwrap();
        pipeline.rings = directory.path().to_owned();
        std::fs::create_dir(pipeline.ring_dir()).unwrap();
        let process = pipeline.processes[0].clone();
        let path = pipeline.presence_path(&process.name);
        create_board::<ProcessState>(&path, BoardOptions::default()).unwrap();
        let board = BoardReader::<ProcessState>::open(&path).unwrap();
        // A row that is being written just now is told by the next look.
        let now = || board.read(ROW).ok().flatten().map(|row| row.value);
        let wait_for = |phase| loop {
            if let Some(state) = now().filter(|state| state.phase() == Some(phase)) {
                break state;
            }
            thread::yield_now();
        };
        for starts in 1..=2 {
            let stop = Arc::new(AtomicBool::new(false));
            let presence = Presence::start(&pipeline, &process, Arc::clone(&stop));
            let state = wait_for(ProcessPhase::Starting);
            assert_eq!((state.starts, state.pid), (starts, std::process::id()));
            presence.running();
            wait_for(ProcessPhase::Running);
            stop.store(true, Relaxed);
            wait_for(ProcessPhase::Stopping);
            drop(presence);
            assert_eq!(now().unwrap().phase(), Some(ProcessPhase::Ended));
        }
    }

    #[test]
    fn without_a_board_a_process_runs_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/demo.toml");
        let mut pipeline = Pipeline::load(&demo).unwrap();
        pipeline.rings = directory.path().to_owned();
        let process = pipeline.processes[0].clone();
        Presence::start(&pipeline, &process, Arc::default()).running();
    }
}
