//! Does somebody who watches make a ring slower? Round trips with and without `shm-inspect watch --hz 10` looking at the
//! very rings, window by window in turns; between its windows the watcher is stopped.
//!
//! A window is long enough for some of the watcher's frames. Its level is the median of its pieces: where the watcher must
//! share the two cores, a piece in which it draws waits for the core, not for the ring; the percentiles show those too.

use super::Place;
use crate::{
    Failure, entry,
    job::Job,
    outcome::Outcome,
    payload::Size,
    rounds::{Cell, Contender, OURS},
    row::Waiting,
    servers,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    cell::RefCell,
    process::{Child, Stdio},
    rc::Rc,
    time::{Duration, Instant},
};

/// As in the reports.
pub const NAME: &str = "watched";
/// The contender that is watched.
pub const WATCHED: &str = "ours, watched at 10 Hz";
/// Messages that must fit.
const SLOTS: u32 = 4096;
/// Frames a second.
const HERTZ: &str = "10";
/// Three frames.
const WINDOW: Duration = Duration::from_millis(300);

/// The cell: one pair of rings, alone and watched.
///
/// # Errors
///
/// When the rings or the watcher cannot be had.
pub fn cells(place: &Place<'_>) -> Result<Vec<Cell>, Failure> {
    let ours = entry::by_id(OURS).ok_or("there is no ring of ours")?;
    let mut cell = Cell::new(NAME);
    cell.message_bytes = Some(Size::Price.bytes());
    cell.slots = Some(SLOTS);
    let ways = [place.link(SLOTS), place.link(SLOTS)];
    let job = Job::RoundTrips {
        who: ours.id(),
        ways: ways.clone(),
    };
    let far = place.far(ours, job);
    let rings = Rc::new(RefCell::new(ours.carrier.round_trips(&ways, far)?));
    let watcher = Watcher::start(place)?;
    let alone = Box::new(Pieces {
        rings: Rc::clone(&rings),
        watcher: None,
    });
    let floor = cell.enter_own(OURS, ours.between, Waiting::Spins, None, alone)?;
    let watched = Box::new(Pieces {
        rings,
        watcher: Some(watcher),
    });
    cell.enter_own(WATCHED, ours.between, Waiting::Spins, Some(floor), watched)?;
    Ok(vec![cell])
}

/// Windows of many pieces.
struct Pieces {
    rings: Rc<RefCell<Box<dyn Contender>>>,
    watcher: Option<Watcher>,
}

impl Contender for Pieces {
    fn window(&mut self) -> Result<Outcome, Failure> {
        if let Some(watcher) = &mut self.watcher {
            watcher.go_on()?;
        }
        let (start, mut levels) = (Instant::now(), Vec::new());
        let mut window = Outcome::default();
        while start.elapsed() < WINDOW {
            let piece = self.rings.borrow_mut().window()?;
            levels.push(piece.level_ps);
            window.samples_ps.extend(piece.samples_ps);
            window.involuntary += piece.involuntary;
        }
        if let Some(watcher) = &mut self.watcher {
            watcher.stop()?;
        }
        levels.sort_unstable();
        window.level_ps = levels[levels.len() / 2];
        Ok(window)
    }
}

/// The process that watches.
struct Watcher(Child);

impl Watcher {
    /// Starts it, stopped.
    fn start(place: &Place<'_>) -> Result<Self, Failure> {
        let program = std::env::current_exe()?.with_file_name("shm-inspect");
        if !program.is_file() {
            let missing = program.display();
            return Err(format!("no `{missing}`; `scripts/bench watched` builds it").into());
        }
        let mut command = servers::ending_with_us(place.servers.borrow().cores())?;
        let child = command
            .arg(program)
            .args(["watch", "--hz", HERTZ, "--frames", "1000000000"])
            .args(["--size", "80x24", "--rings"])
            .arg(place.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let watcher = Self(child);
        watcher.stop()?;
        Ok(watcher)
    }

    fn go_on(&mut self) -> Result<(), Failure> {
        if let Some(status) = self.0.try_wait()? {
            return Err(format!("the watcher ended: {status}").into());
        }
        Ok(kill(self.pid()?, Signal::SIGCONT)?)
    }

    fn stop(&self) -> Result<(), Failure> {
        Ok(kill(self.pid()?, Signal::SIGSTOP)?)
    }

    fn pid(&self) -> Result<Pid, Failure> {
        Ok(Pid::from_raw(i32::try_from(self.0.id())?))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // If it is gone already, so much the better.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
