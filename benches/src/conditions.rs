//! Under what circumstances it was measured: without them a latency means nothing.

use crate::{Failure, cores::Cores, partner::involuntary_switches};
use ipc::clock::mono_ns;
use nix::{
    sys::utsname::uname,
    unistd::{SysconfVar, sysconf},
};
use serde::{Deserialize, Serialize};
use std::{fs, time::Instant};

/// Reads of the clock in one sample of its cost.
const CLOCK_READS: u64 = 1000;
/// A clock read that takes longer is a system call.
const SLOW_CLOCK_NS: f64 = 150.0;
/// The kernel's unit in `/proc/stat`, the same on every Linux since 2.6.
const TICKS_PER_SECOND: f64 = 100.0;

/// The circumstances of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Conditions {
    /// The processor's name for itself.
    pub cpu: String,
    /// Kernel and machine.
    pub kernel: String,
    /// Cores used.
    pub cores: Cores,
    /// Cores of the machine.
    pub online: i64,
    /// The frequency governor of the near core; `None` where the host decides, as in most virtual
    /// machines.
    pub governor: Option<String>,
    /// The kernel's clock, such as `tsc`.
    pub clock_source: String,
    /// What a clock read costs; it is in every single time, and subtracted from none.
    pub clock_read_ns: f64,
    /// How long the run took.
    pub seconds: f64,
    /// Time that the host took away from the two cores, percent of the run.
    pub steal_percent: f64,
    /// Load average of the last minute; the bench itself is 2 of it.
    pub load: String,
    /// Involuntary context switches of the near side, in all.
    pub near_involuntary: u64,
    /// Involuntary context switches of the partners, in their windows.
    pub far_involuntary: u64,
    /// What makes the figures worse than the machine is, by cause.
    pub warnings: Vec<String>,
}

/// The counters at the start of a run.
pub struct Before {
    cores: Cores,
    start: Instant,
    steal: f64,
    involuntary: u64,
}

impl Before {
    /// Now.
    #[must_use]
    pub fn now(cores: Cores) -> Self {
        Self {
            cores,
            start: Instant::now(),
            steal: steal_seconds(cores),
            involuntary: involuntary_switches(),
        }
    }

    /// The circumstances from then until now.
    ///
    /// # Errors
    ///
    /// When the kernel does not name itself.
    pub fn until_now(self, far_involuntary: u64) -> Result<Conditions, Failure> {
        let name = uname()?;
        let seconds = self.start.elapsed().as_secs_f64();
        let mut conditions = Conditions {
            cpu: cpu_model(&read("/proc/cpuinfo")),
            kernel: format!(
                "{} {} {}",
                name.sysname().to_string_lossy(),
                name.release().to_string_lossy(),
                name.machine().to_string_lossy()
            ),
            cores: self.cores,
            online: sysconf(SysconfVar::_NPROCESSORS_ONLN)?.unwrap_or(0),
            governor: governor(self.cores.near),
            clock_source: read("/sys/devices/system/clocksource/clocksource0/current_clocksource")
                .trim()
                .to_owned(),
            clock_read_ns: clock_read_ns(),
            seconds,
            steal_percent: 100.0 * (steal_seconds(self.cores) - self.steal) / (2.0 * seconds),
            load: read("/proc/loadavg")
                .split_whitespace()
                .next()
                .unwrap_or("unknown")
                .to_owned(),
            near_involuntary: involuntary_switches().saturating_sub(self.involuntary),
            far_involuntary,
            warnings: Vec::new(),
        };
        conditions.warnings = warnings(&conditions, &read("/proc/cpuinfo"));
        Ok(conditions)
    }
}

fn warnings(conditions: &Conditions, cpuinfo: &str) -> Vec<String> {
    let Cores { near, far } = conditions.cores;
    let mut warnings = Vec::new();
    let switches = conditions.near_involuntary + conditions.far_involuntary;
    if switches > 0 {
        warnings.push(format!(
            "tails: cores {near} and {far} were taken from the measurement {switches} times; isolate them, or end what else runs"
        ));
    }
    if conditions.steal_percent > 0.5 {
        warnings.push(format!(
            "tails: the host took {:.1} % of cores {near} and {far} away",
            conditions.steal_percent
        ));
    }
    if cpuinfo.contains(" hypervisor") {
        warnings.push(
            "absolute times: a virtual machine's cores move about; compare ratios only".into(),
        );
    }
    if let Some(governor) = &conditions.governor
        && governor != "performance"
    {
        warnings.push(format!(
            "everything: the frequency governor is {governor}; `cpupower frequency-set -g performance`"
        ));
    }
    if conditions.cores.are_siblings() {
        warnings.push(format!(
            "everything: cores {near} and {far} are hyper-threads of one core; they share their caches"
        ));
    }
    if conditions.clock_read_ns > SLOW_CLOCK_NS {
        warnings.push(format!(
            "time stamps: a clock read takes {:.0} ns: not the vDSO, but a system call",
            conditions.clock_read_ns
        ));
    }
    warnings
}

fn governor(core: usize) -> Option<String> {
    let text = read(&format!(
        "/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor"
    ));
    (!text.trim().is_empty()).then(|| text.trim().to_owned())
}

fn clock_read_ns() -> f64 {
    let sample = || {
        let start = mono_ns();
        let mut last = start;
        for _ in 0..CLOCK_READS {
            last = mono_ns();
        }
        (last - start) as f64 / CLOCK_READS as f64
    };
    (0..20).map(|_| sample()).fold(f64::INFINITY, f64::min)
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn cpu_model(cpuinfo: &str) -> String {
    cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(':'))
        .map_or("unknown processor", |(_, name)| name.trim())
        .to_owned()
}

fn steal_seconds(cores: Cores) -> f64 {
    let text = read("/proc/stat");
    steal_ticks(&text, cores.near) + steal_ticks(&text, cores.far)
}

/// The eighth counter of a core's line, seconds; 0 where the kernel does not tell.
fn steal_ticks(stat: &str, core: usize) -> f64 {
    let name = format!("cpu{core}");
    stat.lines()
        .find(|line| line.split_whitespace().next() == Some(name.as_str()))
        .and_then(|line| line.split_whitespace().nth(8)?.parse::<f64>().ok())
        .map_or(0.0, |ticks| ticks / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str =
        "cpu  9 9 9 9 9 9 9 900 0 0\ncpu1 1 2 3 4 5 6 7 250 0 0\ncpu11 1 2 3 4 5 6 7 999 0 0\n";

    #[test]
    fn steal_is_that_of_the_core_asked_for() {
        assert!((steal_ticks(STAT, 1) - 2.5).abs() < f64::EPSILON);
        assert!(steal_ticks(STAT, 0).abs() < f64::EPSILON);
    }

    #[test]
    fn the_model_is_read_or_unknown() {
        assert_eq!(
            cpu_model("processor\t: 0\nmodel name\t: Xeon(R)\n"),
            "Xeon(R)"
        );
        assert_eq!(cpu_model(""), "unknown processor");
    }

    #[test]
    fn warnings_name_their_cause() {
        let mut conditions = Before::now(Cores { near: 0, far: 9999 })
            .until_now(0)
            .unwrap();
        conditions.near_involuntary = 40;
        conditions.far_involuntary = 1;
        conditions.governor = Some("powersave".into());
        let text = warnings(&conditions, "").join("\n");
        assert!(text.contains("41 times"), "{text}");
        assert!(text.contains("governor is powersave"), "{text}");
        assert!(!text.contains("virtual machine"), "{text}");
        assert!(
            warnings(&conditions, "flags: fpu hypervisor")
                .join("\n")
                .contains("virtual machine")
        );
    }
}
