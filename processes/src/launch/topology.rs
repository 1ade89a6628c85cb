//! The cores of this host as Linux shows them: who shares a core, who shares a cache, who is isolated.

use nix::{sched::sched_getaffinity, unistd::Pid};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// Where Linux shows them.
const SYSTEM: &str = "/sys/devices/system/cpu";
/// Where a container's or service's own cpuset is shown (cgroup v2), in the root of its view.
const CPUSET: &str = "/sys/fs/cgroup/cpuset.cpus.effective";

/// One CPU: a hardware thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cpu {
    /// The least of the CPUs that share its core.
    pub(super) core: usize,
    /// The least of the CPUs that share its greatest cache.
    pub(super) cache: usize,
}

/// The CPUs that may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Topology {
    pub(super) cpus: BTreeMap<usize, Cpu>,
    /// Of these, the ones that the kernel schedules nobody on by itself.
    pub(super) isolated: BTreeSet<usize>,
}

impl Topology {
    /// Those of this host that this process may use.
    pub(super) fn of_host() -> Self {
        let affinity = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
        let allowed = (0..nix::sched::CpuSet::count())
            .filter(|cpu| affinity.is_set(*cpu).unwrap_or(false))
            .collect();
        let cpuset = fs::read_to_string(CPUSET).ok();
        Self::read(Path::new(SYSTEM), &allowed, cpuset.as_deref())
    }

    /// Reads a tree like `/sys/devices/system/cpu`. `allowed` is the affinity of this process; `cpuset` what
    /// its cgroup may use, if that is known. What the tree does not tell of a CPU counts as its own.
    pub(super) fn read(root: &Path, allowed: &BTreeSet<usize>, cpuset: Option<&str>) -> Self {
        let list = |path: &str| {
            fs::read_to_string(root.join(path))
                .ok()
                .map(|text| cpus(&text))
        };
        let isolated = list("isolated").unwrap_or_default();
        let online = list("online").unwrap_or_else(|| allowed.clone());
        let mut usable: BTreeSet<usize> = allowed & &online;
        // Isolated CPUs are in nobody's affinity; one that was narrowed by hand is somebody's will.
        if usable.union(&isolated).count() >= online.len() {
            usable.extend(isolated.intersection(&online));
        }
        if let Some(cpuset) = cpuset.map(cpus).filter(|cpuset| !cpuset.is_empty()) {
            usable = &usable & &cpuset;
        }
        let least = |path: String| list(&path).and_then(|sharing| sharing.first().copied());
        let cpu = |number: usize| Cpu {
            core: least(format!("cpu{number}/topology/thread_siblings_list")).unwrap_or(number),
            cache: greatest_cache(root, number).unwrap_or(number),
        };
        Self {
            isolated: &isolated & &usable,
            cpus: usable
                .into_iter()
                .map(|number| (number, cpu(number)))
                .collect(),
        }
    }

    /// The cores, each with its CPUs.
    pub(super) fn cores(&self) -> BTreeMap<usize, Vec<usize>> {
        let mut cores = BTreeMap::<usize, Vec<usize>>::new();
        for (number, cpu) in &self.cpus {
            cores.entry(cpu.core).or_default().push(*number);
        }
        cores
    }
}

/// The least of the CPUs that share the greatest cache of a CPU.
fn greatest_cache(root: &Path, number: usize) -> Option<usize> {
    let caches = fs::read_dir(root.join(format!("cpu{number}/cache"))).ok()?;
    let shared = caches.flatten().filter_map(|entry| {
        let file = |name: &str| fs::read_to_string(entry.path().join(name)).ok();
        let level: u32 = file("level")?.trim().parse().ok()?;
        Some((level, *cpus(&file("shared_cpu_list")?).first()?))
    });
    shared
        .max_by_key(|(level, _)| *level)
        .map(|(_, least)| least)
}

/// Parses a list of CPUs such as `0-3,8,10-11`. What is no number is passed over.
fn cpus(text: &str) -> BTreeSet<usize> {
    let ranges = text.trim().split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    });
    // No host has more: a wrong file must not fill memory.
    ranges
        .flat_map(|range: std::ops::RangeInclusive<usize>| range.take(nix::sched::CpuSet::count()))
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A tree like that of a host with so many cores to a greatest cache, and so many threads to a core. The
    /// second threads are numbered after all the first ones, as on most hosts.
    pub(in super::super) fn host(caches: usize, cores: usize, threads: usize) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let all = caches * cores;
        fs::write(root.join("online"), format!("0-{}\n", all * threads - 1)).unwrap();
        fs::write(root.join("isolated"), "\n").unwrap();
        for number in 0..all * threads {
            let core = number % all;
            let list = |cores: std::ops::Range<usize>| {
                let ranges = (0..threads).map(|thread| {
                    format!(
                        "{}-{}",
                        thread * all + cores.start,
                        thread * all + cores.end - 1
                    )
                });
                ranges.collect::<Vec<_>>().join(",")
            };
            let file = |path: &str, text: String| {
                let path = root.join(format!("cpu{number}")).join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text + "\n").unwrap();
            };
            file("topology/thread_siblings_list", list(core..core + 1));
            file("cache/index0/level", "1".into());
            file("cache/index0/shared_cpu_list", list(core..core + 1));
            let first = core / cores * cores;
            file("cache/index3/level", "3".into());
            file("cache/index3/shared_cpu_list", list(first..first + cores));
        }
        directory
    }

    #[test]
    fn siblings_and_caches_are_told_by_their_least_cpu() {
        let host = host(2, 8, 2);
        let allowed = (0..32).collect();
        let topology = Topology::read(host.path(), &allowed, None);
        assert_eq!(topology.cpus.len(), 32);
        assert_eq!(topology.cpus[&27], Cpu { core: 11, cache: 8 });
        assert_eq!(topology.cores()[&3], [3, 19]);
    }

    #[test]
    fn a_cpuset_and_a_narrowed_affinity_hold_and_isolated_cpus_count() {
        let host = host(1, 4, 1);
        fs::write(host.path().join("isolated"), "2-3").unwrap();
        let usable = |allowed: &[usize], cpuset| {
            let allowed = allowed.iter().copied().collect();
            let topology = Topology::read(host.path(), &allowed, cpuset);
            topology.cpus.into_keys().collect::<Vec<_>>()
        };
        assert_eq!(
            usable(&[0, 1], None),
            [0, 1, 2, 3],
            "as a fresh process sees it"
        );
        assert_eq!(usable(&[1], None), [1], "by taskset");
        assert_eq!(usable(&[0, 1], Some("0,2\n")), [0, 2]);
        assert_eq!(usable(&[0, 1], Some("")), [0, 1, 2, 3]);
    }

    #[test]
    fn a_tree_that_tells_nothing_is_a_host_of_separate_cores() {
        let empty = tempfile::tempdir().unwrap();
        let topology = Topology::read(empty.path(), &[0, 1].into(), None);
        assert_eq!(topology.cpus[&1], Cpu { core: 1, cache: 1 });
        assert_eq!(cpus("0-2,x,7-"), [0, 1, 2].into());
    }
}
