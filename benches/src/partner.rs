//! The far side of a measurement: a process or a thread on the other core.
//!
//! Between its windows it sleeps in the kernel (on a pipe or a channel), so that of all the partners
//! only the one whose turn it is competes for the core.

use crate::{Failure, cores, job::Assignment, outcome::Outcome};
use ipc::clock::mono_ns;
use nix::{
    sys::{
        prctl,
        resource::{UsageWho, getrusage},
        signal::Signal,
    },
    time::{ClockId, clock_gettime},
};
use std::{
    io::{Read, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

/// Instead of a count: open the next end. The calls before the first window are all of these.
pub const OPEN: u64 = u64::MAX;

/// A partner that waits for its turn.
pub struct Partner(Link);

enum Link {
    Process {
        child: Child,
        start: ChildStdin,
        outcomes: ChildStdout,
    },
    Thread {
        start: Sender<u64>,
        outcomes: Receiver<Result<Outcome, Failure>>,
    },
}

impl Partner {
    /// Starts this very program again, with the hidden arguments that lead to [`serve`], and waits
    /// until it is ready.
    ///
    /// # Errors
    ///
    /// When it does not start, or ends at once.
    pub fn process(assignment: &Assignment) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("partner")
            .arg(serde_json::to_string(assignment)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (start, outcomes) = child
            .stdin
            .take()
            .zip(child.stdout.take())
            .ok_or("the partner has no pipes")?;
        let mut partner = Self(Link::Process {
            child,
            start,
            outcomes,
        });
        partner.outcome()?;
        Ok(partner)
    }

    /// Starts a thread of this process.
    ///
    /// # Errors
    ///
    /// When it cannot be started or pinned.
    pub fn thread(
        core: usize,
        mut work: impl FnMut(u64) -> Result<Outcome, Failure> + Send + 'static,
    ) -> Result<Self, Failure> {
        let (start, windows) = channel();
        let (report, outcomes) = channel();
        thread::Builder::new()
            .name("partner".into())
            .spawn(move || {
                let ready = cores::pin(core).map(|()| Outcome::default());
                let usable = ready.is_ok();
                let mut listening = report.send(ready.map_err(Into::into)).is_ok() && usable;
                while listening && let Ok(count) = windows.recv() {
                    listening = report.send(watched(&mut work, count)).is_ok();
                }
            })?;
        let mut partner = Self(Link::Thread { start, outcomes });
        partner.outcome()?;
        Ok(partner)
    }

    /// Has it open its next end, and waits until that is done.
    ///
    /// # Errors
    ///
    /// When it cannot, or is gone.
    pub fn open(&mut self) -> Result<(), Failure> {
        self.start(OPEN)?;
        self.outcome()?;
        Ok(())
    }

    /// Starts its window of so many messages.
    ///
    /// # Errors
    ///
    /// When it is gone.
    pub fn start(&mut self, count: u64) -> Result<(), Failure> {
        match &mut self.0 {
            Link::Process { start, .. } => start.write_all(&count.to_ne_bytes())?,
            Link::Thread { start, .. } => start.send(count).map_err(|_| "a partner is gone")?,
        }
        Ok(())
    }

    /// Waits for the outcome of its window.
    ///
    /// # Errors
    ///
    /// When it failed, or is gone.
    pub fn outcome(&mut self) -> Result<Outcome, Failure> {
        match &mut self.0 {
            Link::Process { outcomes, .. } => Outcome::read(outcomes)
                .map_err(|_| "a partner process ended, for the reason above".into()),
            Link::Thread { outcomes, .. } => {
                outcomes.recv().map_err(|_| "a partner thread ended")?
            }
        }
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        if let Link::Process { child, .. } = &mut self.0 {
            // It has nothing to lose; if it is gone already, so much the better.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The life of a partner process: says that it is ready, then does its windows until its standard
/// input ends. It never outlives the bench.
///
/// # Errors
///
/// When a window fails.
pub fn serve(core: usize, mut work: Work) -> Result<(), Failure> {
    // Should the bench have died before this, then the pipe has ended.
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    cores::pin(core)?;
    let mut pipe = std::io::stdout().lock();
    Outcome::default().write(&mut pipe)?;
    let mut count = [0; 8];
    while std::io::stdin().read_exact(&mut count).is_ok() {
        watched(&mut work, u64::from_ne_bytes(count))?.write(&mut pipe)?;
    }
    Ok(())
}

/// What a partner does in a window of so many messages.
pub type Work = Box<dyn FnMut(u64) -> Result<Outcome, Failure>>;

/// Does a window, and says what it cost its thread.
fn watched(
    work: &mut impl FnMut(u64) -> Result<Outcome, Failure>,
    count: u64,
) -> Result<Outcome, Failure> {
    let before = (involuntary_switches(), cpu_ns()?, mono_ns());
    let outcome = work(count)?;
    Ok(Outcome {
        involuntary: involuntary_switches().saturating_sub(before.0),
        cpu_ns: cpu_ns()?.saturating_sub(before.1),
        wall_ns: mono_ns().saturating_sub(before.2),
        ..outcome
    })
}

/// Times that the calling thread was taken off its core against its will.
#[must_use]
pub fn involuntary_switches() -> u64 {
    getrusage(UsageWho::RUSAGE_THREAD).map_or(0, |usage| {
        u64::try_from(usage.involuntary_context_switches()).unwrap_or(0)
    })
}

fn cpu_ns() -> Result<u64, Failure> {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
    Ok(u64::try_from(time.tv_sec())? * 1_000_000_000 + u64::try_from(time.tv_nsec())?)
}
