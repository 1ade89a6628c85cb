//! What `/proc` says of a process: for display only. A PID is one of its own namespace, so it counts only where
//! the process that has it here maps the segment in question.

use nix::unistd::{SysconfVar, sysconf};
use std::{collections::HashMap, fs, path::Path, time::Instant};

/// Kept between two looks: shorter ones say little at a hundred ticks a second.
const LEAST_S: f64 = 0.9;

/// The processes looked at.
#[derive(Debug, Default)]
pub(super) struct Cpu {
    known: HashMap<u32, Known>,
}

#[derive(Debug)]
struct Known {
    /// Which process of that PID, in ticks since boot.
    started: u64,
    /// Whether it maps the segment.
    ours: bool,
    /// Ticks of CPU at that time.
    ticks: u64,
    at: Instant,
    percent: Option<f64>,
    /// Whether it was asked for since the last clearing up.
    asked: bool,
}

/// A process's use of cores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Usage {
    /// Of one core; `None` before the second look.
    pub(super) percent: Option<f64>,
    /// The core that it ran on last.
    pub(super) core: u32,
}

impl Cpu {
    /// The use of the process with that PID that maps `segment`.
    pub(super) fn of(&mut self, pid: u32, segment: &Path) -> Option<Usage> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (started, ticks, core) = parse(&stat)?;
        let now = Instant::now();
        let known = self.known.entry(pid).or_insert(Known {
            started: u64::MAX,
            ours: false,
            ticks,
            at: now,
            percent: None,
            asked: true,
        });
        if known.started != started {
            *known = Known {
                started,
                ours: maps(pid, segment),
                ticks,
                at: now,
                percent: None,
                asked: true,
            };
        }
        known.asked = true;
        let passed = now.duration_since(known.at).as_secs_f64();
        if passed >= LEAST_S {
            let used = crate::sample::float(ticks.saturating_sub(known.ticks));
            known.percent = Some(100.0 * used / ticks_per_second() / passed);
            (known.ticks, known.at) = (ticks, now);
        }
        known.ours.then_some(Usage {
            percent: known.percent,
            core,
        })
    }

    /// Forgets those that nobody has asked for since the last time.
    pub(super) fn forget_others(&mut self) {
        self.known
            .retain(|_, known| std::mem::take(&mut known.asked));
    }
}

fn ticks_per_second() -> f64 {
    let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten();
    ticks
        .and_then(|ticks| u32::try_from(ticks).ok())
        .map_or(100.0, f64::from)
}

/// Start, CPU ticks and last core. The name, in brackets, may contain anything.
fn parse(stat: &str) -> Option<(u64, u64, u32)> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let words: Vec<&str> = rest.split(' ').collect();
    let number = |field: usize| words.get(field - 3)?.trim().parse::<u64>().ok();
    let core = u32::try_from(number(39)?).ok()?;
    Some((number(22)?, number(14)? + number(15)?, core))
}

fn maps(pid: u32, segment: &Path) -> bool {
    let Some(file) = segment.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    // By another path in another mount namespace; the file's name stays.
    let end = format!("/{file}");
    fs::read_to_string(format!("/proc/{pid}/maps"))
        .is_ok_and(|maps| maps.lines().any(|line| line.ends_with(&end)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipc::{Producer, RingOptions, create_ring};
    use layouts::Order;

    #[test]
    fn the_name_of_a_process_may_contain_anything() {
        let stat = "17 (a) R (b) S 1 17 17 0 -1 4194304 1 0 0 0 250 50 0 0 20 0 1 0 777 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 17 3 0 0 0 0 0";
        assert_eq!(parse(stat), Some((777, 300, 3)));
        assert_eq!(parse("17 (x"), None);
    }

    /// This process holds a ring: it is found by its PID; where it holds none, its PID is somebody else's.
    #[test]
    fn a_pid_counts_where_its_process_maps_the_segment() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cpu-test-orders.ring");
        create_ring::<Order>(&path, RingOptions::default()).unwrap();
        let pid = std::process::id();
        let mut cpu = Cpu::default();
        assert_eq!(cpu.of(pid, &path), None);
        let _producer = Producer::<Order>::attach(&path).unwrap();
        let mut cpu = Cpu::default();
        assert_eq!(cpu.of(pid, &path).unwrap().percent, None);
        assert_eq!(cpu.of(u32::MAX, &path), None);
    }
}
