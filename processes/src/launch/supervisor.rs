//! The processes of a pipeline under watch: started, and started again when they end unexpectedly.
//!
//! ```text
//! Starting --ready file--> Running --ended--> Down --back-off over--> Starting
//!     '-------- ended -------------------------^
//! ```
//!
//! The first death in a row is answered at once, each further one after twice the wait. A process
//! that keeps dying before it has run steadily is in a crash loop: it is told of, tried again now and then,
//! and no longer waited for; the others go on.

use super::{
    children::{Child, End},
    events::Events,
    report::ProcessReport,
    run_directory::RunDirectory,
    voice::say,
};
use crate::runtime::Failure;
use pipeline::{Pipeline, Process, Supervision};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How long a process may take to be ready.
pub(super) const START_PATIENCE: Duration = Duration::from_secs(30);
/// Whom nobody starts again: all that the venue knew dies with it.
const IRREPLACEABLE: &str = "simulator";

/// All processes of a pipeline. Dropping it kills them.
pub(super) struct Supervisor {
    /// Where the programs are.
    programs: PathBuf,
    /// In the order of the file; stopped first to last.
    wards: Vec<Ward>,
    /// Who was found in a crash loop since it was last asked.
    crash_loops: Vec<String>,
}

/// One process, through all its incarnations.
struct Ward {
    /// Its place in the pipeline file.
    place: usize,
    program: PathBuf,
    /// The resolved pipeline file.
    file: PathBuf,
    supervision: Supervision,
    child: Child,
    phase: Phase,
    restarts: u32,
    deaths_in_a_row: u32,
    /// How long it was away, each time that it came back.
    away: Vec<Duration>,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Its ready file is awaited.
    Starting {
        due: Instant,
        /// When its predecessor ended.
        died: Option<Instant>,
    },
    Running {
        since: Instant,
    },
    /// It ended, and is to be started again.
    Down {
        died: Instant,
        until: Instant,
        end: End,
    },
}

impl Supervisor {
    /// A supervisor of nobody yet.
    pub(super) fn new(programs: &Path) -> Self {
        Self {
            programs: programs.to_owned(),
            wards: Vec::new(),
            crash_loops: Vec::new(),
        }
    }

    /// Starts a process of the pipeline on the resolved file.
    pub(super) fn start(
        &mut self,
        pipeline: &Pipeline,
        process: &Process,
        file: &Path,
        directory: &RunDirectory,
    ) -> Result<(), Failure> {
        let program = self.programs.join(process.program());
        let name = &process.name;
        let child = Child::start(
            name,
            process.cpu(),
            &program,
            arguments(file, name),
            &directory.logs(),
        )?;
        let in_file = pipeline.processes.iter();
        let place = in_file.take_while(|other| other.name != *name).count();
        let at = self.wards.partition_point(|ward| ward.place < place);
        let ward = Ward {
            place,
            program,
            file: file.to_owned(),
            supervision: pipeline.supervision,
            child,
            phase: Phase::Starting {
                due: Instant::now() + START_PATIENCE,
                died: None,
            },
            restarts: 0,
            deaths_in_a_row: 0,
            away: Vec::new(),
        };
        self.wards.insert(at, ward);
        Ok(())
    }

    /// Waits until all are ready for the first time. Whoever ends before that ends the start.
    pub(super) fn await_ready(
        &mut self,
        directory: &RunDirectory,
        events: &mut Events,
        due: Instant,
    ) -> Result<(), Failure> {
        loop {
            for ward in &mut self.wards {
                if let Some(end) = ward.child.end() {
                    return Err(Failure::other(format!(
                        "`{}` ended with {end} before it was ready:\n{}",
                        ward.child.name,
                        ward.child.last_words()
                    )));
                }
                ward.look_for_ready(directory);
            }
            let waiting = self.wards.iter().filter(|ward| !ward.is_running());
            let waiting: Vec<&str> = waiting.map(|ward| ward.child.name.as_str()).collect();
            if waiting.is_empty() {
                return Ok(());
            }
            if Instant::now() >= due {
                return Err(Failure::other(format!(
                    "not ready after {} s: {}",
                    START_PATIENCE.as_secs(),
                    waiting.join(", ")
                )));
            }
            if events.stop_requested() {
                return Err(Failure::other("interrupted"));
            }
            events.wait_until(due);
        }
    }

    /// Looks after everybody once, without waiting for anybody.
    ///
    /// # Errors
    ///
    /// Why the pipeline must be stopped, in words.
    pub(super) fn tend(&mut self, directory: &RunDirectory) -> Result<(), String> {
        for ward in &mut self.wards {
            let deaths = ward.deaths_in_a_row;
            ward.tend(directory)?;
            if ward.deaths_in_a_row > deaths && ward.is_hopeless() {
                self.crash_loops.push(ward.child.name.clone());
            }
        }
        Ok(())
    }

    /// Who has died too often in a row, since the last question.
    pub(super) fn crash_loops(&mut self) -> Vec<String> {
        std::mem::take(&mut self.crash_loops)
    }

    /// Whether everybody is there and ready, but for those who cannot be kept alive.
    pub(super) fn is_complete(&self) -> bool {
        self.wards
            .iter()
            .all(|ward| ward.is_running() || ward.is_hopeless())
    }

    /// When somebody must be looked after at the latest, even if nothing happens.
    pub(super) fn due(&self) -> Option<Instant> {
        let due = |ward: &Ward| match ward.phase {
            Phase::Running { .. } => None,
            Phase::Starting { due, .. } => Some(due),
            Phase::Down { until, .. } => Some(until),
        };
        self.wards.iter().filter_map(due).min()
    }

    /// Stops those whom `chosen` names, in the order of the file. From now on nobody is restarted.
    pub(super) fn stop(
        &mut self,
        chosen: impl Fn(&str) -> bool,
        patience: Duration,
        events: &mut Events,
    ) {
        for ward in &mut self.wards {
            if chosen(&ward.child.name) {
                ward.child.stop(patience, events);
            }
        }
    }

    /// How often anybody was started again.
    pub(super) fn restarts(&self) -> u32 {
        self.wards.iter().map(|ward| ward.restarts).sum()
    }

    /// How everybody ended.
    pub(super) fn report(&mut self) -> Vec<ProcessReport> {
        self.wards
            .iter_mut()
            .map(|ward| ward.child.report(ward.restarts, &ward.away))
            .collect()
    }
}

impl Ward {
    fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running { .. })
    }

    /// In a crash loop: dead, or not known to live yet, after too many deaths in a row.
    fn is_hopeless(&self) -> bool {
        self.deaths_in_a_row > self.supervision.max_deaths_in_a_row && !self.is_running()
    }

    fn tend(&mut self, directory: &RunDirectory) -> Result<(), String> {
        if let Phase::Down { died, until, end } = self.phase {
            if Instant::now() >= until {
                self.start_again(died, end, directory);
            }
            return Ok(());
        }
        if let Some(end) = self.child.end() {
            let now = Instant::now();
            let wait = self.wait_after(end, now)?;
            // Who dies before it is ready has been away since the first death.
            let died = match self.phase {
                Phase::Starting {
                    died: Some(died), ..
                } => died,
                _ => now,
            };
            let until = now + wait;
            self.phase = Phase::Down { died, until, end };
            if wait.is_zero() {
                self.start_again(died, end, directory);
            }
            return Ok(());
        }
        self.look_for_ready(directory);
        if let Phase::Starting { due, .. } = self.phase
            && Instant::now() >= due
        {
            say(&format!(
                "\n`{}` was started again and is not ready after {} s: killed",
                self.child.name,
                START_PATIENCE.as_secs()
            ));
            // Its end is looked at the next time, as any other.
            self.child.kill();
        }
        Ok(())
    }

    /// How long to wait before the restart, if there is to be one.
    fn wait_after(&mut self, end: End, now: Instant) -> Result<Duration, String> {
        let name = &self.child.name;
        if name == IRREPLACEABLE {
            return Err(format!("`{name}` ended with {end}"));
        }
        let supervision = &self.supervision;
        let was_steady = matches!(
            self.phase,
            Phase::Running { since } if now.duration_since(since) >= supervision.steady()
        );
        self.deaths_in_a_row = if was_steady {
            1
        } else {
            self.deaths_in_a_row + 1
        };
        let deaths = self.deaths_in_a_row;
        Ok(supervision.wait_after(deaths).unwrap_or_else(|| {
            let wait = supervision.crash_loop_wait();
            say(&format!(
                "\n`{name}` cannot be kept alive: it ended {deaths} times in a row, at last with {end}; tried again every {} s:\n{}",
                wait.as_secs_f64(),
                self.child.last_words()
            ));
            wait
        }))
    }

    /// Starts a successor; one that cannot even be started is as one that has died.
    fn start_again(&mut self, died: Instant, end: End, directory: &RunDirectory) {
        let name = self.child.name.clone();
        let started = directory.forget_ready(&name).and_then(|()| {
            Child::start(
                &name,
                self.child.core,
                &self.program,
                arguments(&self.file, &name),
                &directory.logs(),
            )
        });
        let now = Instant::now();
        match started {
            Ok(child) => {
                self.child = child;
                self.restarts += 1;
                self.phase = Phase::Starting {
                    due: now + START_PATIENCE,
                    died: Some(died),
                };
                say(&format!(
                    "\n`{name}` ended with {end}; started again (restart {})",
                    self.restarts
                ));
            }
            Err(failure) => {
                self.deaths_in_a_row += 1;
                let until = now + self.supervision.crash_loop_wait();
                self.phase = Phase::Down { died, until, end };
                say(&format!(
                    "\n`{name}` ended with {end} and stays down for now: {failure}"
                ));
            }
        }
    }

    fn look_for_ready(&mut self, directory: &RunDirectory) {
        let Phase::Starting { died, .. } = self.phase else {
            return;
        };
        if directory.read(&self.child.name, "ready").is_none() {
            return;
        }
        let since = Instant::now();
        self.phase = Phase::Running { since };
        if let Some(died) = died {
            let away = since.duration_since(died);
            self.away.push(away);
            say(&format!(
                "`{}` is ready again, {} ms after its end",
                self.child.name,
                away.as_millis()
            ));
        }
    }
}

fn arguments<'a>(file: &'a Path, name: &'a str) -> [&'a Path; 4] {
    [
        Path::new("--pipeline"),
        file,
        Path::new("--name"),
        Path::new(name),
    ]
}
