//! What processes say of themselves, each on a board of its own: read here, and put into figures.
//!
//! A row outlives who wrote it. Whether the process lives is told by the lock on the board.

use crate::sample::{Sample, float, seconds};
use ipc::{Observer, bytemuck, clock};
use layouts::{ProcessPhase, ProcessState};
use serde::Serialize;

/// The only row.
const ROW: u32 = 0;

/// What a process said last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Presence {
    state: ProcessState,
    /// When, ns of `CLOCK_MONOTONIC`.
    said_ns: u64,
    /// How long it ran, as far as the clock of the day tells, when this was read.
    up_ns: u64,
}

/// How far a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Starting,
    Running,
    Stopping,
    /// Gone, in order.
    Ended,
    /// Gone before it had ended.
    Dead,
    /// It is there, and says what means nothing to us.
    Unknown,
}

/// A process in figures: the same ones wherever processes are shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Vitals {
    pub(crate) state: State,
    /// The core of its hot loop; `None` where it is not pinned.
    pub(crate) core: Option<u32>,
    pub(crate) restarts: u32,
    /// Seconds since it last said something.
    pub(crate) beat_s: f64,
    /// Percent of one core, all threads together; `None` unless it has said something between two looks.
    pub(crate) cpu: Option<f64>,
    /// Seconds since it was started; `None` of one that is gone.
    pub(crate) up_s: Option<f64>,
}

impl Presence {
    /// Reads the row of a board; `None` where there is none, or where it is not what we know as one.
    pub(crate) fn read(observer: &Observer) -> Option<Self> {
        if observer.info().schema != ipc::schema::<ProcessState>() {
            return None;
        }
        let row = observer.read_row(ROW).ok().flatten()?;
        let state: ProcessState = bytemuck::try_pod_read_unaligned(&row.value).ok()?;
        Some(Self {
            state,
            said_ns: row.written_ns,
            up_ns: clock::unix_ns().saturating_sub(state.started_unix_ns),
        })
    }
}

impl State {
    /// Its name in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Ended => "ended",
            Self::Dead => "dead",
            Self::Unknown => "unknown",
        }
    }
}

impl Vitals {
    /// Of the board of a process; `None` of any other segment, and where nothing was ever said.
    pub(crate) fn of(sample: &Sample, earlier: Option<&Sample>) -> Option<Self> {
        sample.file.process()?;
        let reading = sample.reading.as_ref().ok()?;
        let Presence {
            state,
            said_ns,
            up_ns,
        } = reading.presence?;
        let attached = reading.counters.producer_attached;
        // Who has just come has not said anything yet: the row is its predecessor's.
        let own = reading
            .producer
            .as_ref()
            .is_none_or(|holder| holder.pid == state.pid);
        let how = match state.phase() {
            Some(ProcessPhase::Ended) if !attached => State::Ended,
            _ if !attached => State::Dead,
            _ if !own => State::Starting,
            Some(ProcessPhase::Starting) => State::Starting,
            Some(ProcessPhase::Running) => State::Running,
            // Before its last row and its goodbye.
            Some(ProcessPhase::Stopping | ProcessPhase::Ended) => State::Stopping,
            None => State::Unknown,
        };
        Some(Self {
            state: how,
            core: Some(state.core).filter(|core| *core != ProcessState::NOT_PINNED),
            restarts: state.starts.saturating_sub(1),
            beat_s: seconds(sample.at_ns.saturating_sub(said_ns)),
            cpu: earlier.and_then(|earlier| usage(sample, earlier)),
            up_s: (attached && own).then(|| seconds(up_ns)),
        })
    }
}

/// Processor time between two rows of one incarnation, in percent of the time between them.
fn usage(now: &Sample, earlier: &Sample) -> Option<f64> {
    let presence = |sample: &Sample| sample.reading.as_ref().ok()?.presence;
    let (now, then) = (presence(now)?, presence(earlier)?);
    let same = now.state.started_unix_ns == then.state.started_unix_ns;
    let passed = now.said_ns.saturating_sub(then.said_ns);
    let used = now.state.cpu_ns.saturating_sub(then.state.cpu_ns);
    (same && passed > 0).then(|| 100.0 * float(used) / float(passed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sources;
    use ipc::{BoardOptions, BoardWriter, bytemuck::Zeroable as _, create_board};
    use std::path::Path;

    fn lay_out(directory: &Path) -> std::path::PathBuf {
        let path = directory.join("risk.process.board");
        create_board::<ProcessState>(&path, BoardOptions::default()).unwrap();
        path
    }

    #[test]
    fn a_process_is_read_from_its_board_while_it_lives_and_after() {
        let directory = tempfile::tempdir().unwrap();
        let path = lay_out(directory.path());
        let mut sources = Sources::open(&[directory.path().to_owned()]).unwrap();
        let mut look = || sources.read().remove(0);
        assert_eq!(Vitals::of(&look(), None), None, "nothing was ever said");
        let mut board = BoardWriter::<ProcessState>::attach(&path).unwrap();
        let mut state = ProcessState {
            started_unix_ns: clock::unix_ns() - 5_000_000_000,
            starts: 3,
            pid: std::process::id(),
            core: 2,
            phase: ProcessPhase::Running as u8,
            ..ProcessState::zeroed()
        };
        board.write(ROW, &state).unwrap();
        let first = look();
        let vitals = Vitals::of(&first, None).unwrap();
        let found = (vitals.state, vitals.core, vitals.restarts, vitals.cpu);
        assert_eq!(found, (State::Running, Some(2), 2, None));
        assert!(vitals.up_s.unwrap() >= 5.0 && vitals.beat_s < 5.0);
        state.cpu_ns += 1_000;
        state.core = ProcessState::NOT_PINNED;
        board.write(ROW, &state).unwrap();
        let vitals = Vitals::of(&look(), Some(&first)).unwrap();
        assert!(vitals.cpu.unwrap() > 0.0 && vitals.core.is_none());
        // The next one has the board, and has said nothing.
        state.pid += 1;
        board.write(ROW, &state).unwrap();
        assert_eq!(Vitals::of(&look(), None).unwrap().state, State::Starting);
        drop(board);
        for (phase, expected) in [
            (ProcessPhase::Ended, State::Ended),
            (ProcessPhase::Running, State::Dead),
        ] {
            let mut board = BoardWriter::<ProcessState>::attach(&path).unwrap();
            state.phase = phase as u8;
            board.write(ROW, &state).unwrap();
            drop(board);
            let vitals = Vitals::of(&look(), None).unwrap();
            assert_eq!((vitals.state, vitals.up_s), (expected, None));
        }
    }
}
