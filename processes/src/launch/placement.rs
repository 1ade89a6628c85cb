//! Which core each hot process gets: a pure function of the pipeline's order and the host's topology.
//!
//! - No two hot processes share a core, by its siblings either: a sibling takes half of everything.
//! - Neighbours in the pipeline share a cache, as far as it has cores: a message is a line that moves between
//!   two cores, and through memory it moves three times as long.
//! - Isolated cores come first, where there are enough; without them one core is left to everybody else.

use super::topology::Topology;
use std::collections::{BTreeMap, BTreeSet};

/// Where hot processes run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placement {
    /// The CPU of each, in the order in which they were given.
    pub(super) cpus: Vec<usize>,
    /// The CPUs for everybody else: on no hot core, by a sibling either.
    pub(super) others: BTreeSet<usize>,
    /// Why so, a line each.
    pub(super) reasons: Vec<String>,
}

/// Places processes in data-flow order; `taken` are CPUs that the pipeline file gives to others.
///
/// # Errors
///
/// Why not, where there are too few cores.
pub(super) fn place(
    hot: &[&str],
    taken: &BTreeSet<usize>,
    topology: &Topology,
) -> Result<Placement, String> {
    let cores = topology.cores();
    let is_taken = |cpus: &[usize]| cpus.iter().any(|cpu| taken.contains(cpu));
    let free: Vec<usize> = cores
        .iter()
        .filter(|(_, cpus)| !is_taken(cpus))
        .map(|(core, _)| *core)
        .collect();
    let isolated: Vec<usize> = free
        .iter()
        .copied()
        .filter(|core| {
            cores[core]
                .iter()
                .all(|cpu| topology.isolated.contains(cpu))
        })
        .collect();
    let mut reasons = Vec::new();
    let candidates = if isolated.len() >= hot.len() {
        reasons.push(format!(
            "{} isolated cores, which nobody else is put on",
            isolated.len()
        ));
        isolated
    } else {
        if !topology.isolated.is_empty() {
            reasons.push(format!(
                "isolated cores are passed over: {} for {} hot processes",
                isolated.len(),
                hot.len()
            ));
        }
        // The first does the kernel's work on most hosts.
        free.iter().copied().skip(1).collect()
    };
    if candidates.len() < hot.len() {
        return Err(format!(
            "{} cores are free for {} hot processes, and one for all others is needed",
            free.len(),
            hot.len()
        ));
    }
    let chosen = by_cache(&candidates, hot.len(), topology);
    let hot_cores: BTreeSet<usize> = chosen.iter().copied().collect();
    let cpus: Vec<usize> = chosen.iter().map(|core| cores[core][0]).collect();
    explain(hot, &chosen, &cores, topology, &mut reasons);
    let others = topology
        .cpus
        .iter()
        .filter(|(number, cpu)| {
            !hot_cores.contains(&cpu.core)
                && !is_taken(&cores[&cpu.core])
                && !topology.isolated.contains(number)
        })
        .map(|(number, _)| *number)
        .collect();
    Ok(Placement {
        cpus,
        others,
        reasons,
    })
}

/// So many cores in an order in which neighbours share a cache: from the smallest cache that has enough, or
/// else from the greatest ones first.
fn by_cache(candidates: &[usize], wanted: usize, topology: &Topology) -> Vec<usize> {
    let mut caches = BTreeMap::<usize, Vec<usize>>::new();
    for core in candidates {
        caches
            .entry(cache_of(*core, topology))
            .or_default()
            .push(*core);
    }
    let mut groups: Vec<Vec<usize>> = caches.into_values().collect();
    let enough = groups.iter().filter(|group| group.len() >= wanted);
    if let Some(group) = enough.min_by_key(|group| group.len()) {
        return group[..wanted].to_vec();
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    groups.into_iter().flatten().take(wanted).collect()
}

fn cache_of(core: usize, topology: &Topology) -> usize {
    let mut cpus = topology.cpus.values();
    cpus.find(|cpu| cpu.core == core)
        .map_or(core, |cpu| cpu.cache)
}

fn explain(
    hot: &[&str],
    chosen: &[usize],
    cores: &BTreeMap<usize, Vec<usize>>,
    topology: &Topology,
    reasons: &mut Vec<String>,
) {
    for (name, core) in hot.iter().zip(chosen) {
        let (first, siblings) = cores[core].split_first().unwrap_or((core, &[]));
        let idle = if siblings.is_empty() {
            String::new()
        } else {
            format!(", sibling {siblings:?} left idle")
        };
        reasons.push(format!(
            "{name} on CPU {first}, in the cache of CPU {}{idle}",
            cache_of(*core, topology)
        ));
    }
    for (names, cores) in hot.windows(2).zip(chosen.windows(2)) {
        if cache_of(cores[0], topology) != cache_of(cores[1], topology) {
            reasons.push(format!(
                "{} and {} share no cache: no cache has cores for all",
                names[0], names[1]
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::topology::tests::host, *};
    use std::fs;

    const HOT: [&str; 5] = ["monitor", "shard.0", "shard.1", "signals", "execution"];

    fn topology(caches: usize, cores: usize, threads: usize) -> Topology {
        let host = host(caches, cores, threads);
        Topology::read(host.path(), &(0..caches * cores * threads).collect(), None)
    }

    #[test]
    fn on_sixteen_cores_with_siblings_all_share_a_cache_and_none_a_core() {
        let placement = place(&HOT, &BTreeSet::new(), &topology(2, 8, 2)).unwrap();
        assert_eq!(placement.cpus, [1, 2, 3, 4, 5]);
        // Nobody on the siblings 17 to 21.
        let others = [0, 6, 7].into_iter().chain(8..17).chain(22..32);
        assert_eq!(placement.others, others.collect());
        let told = placement.reasons.join("\n");
        assert!(
            told.contains("monitor on CPU 1, in the cache of CPU 0, sibling [17] left idle"),
            "{told}"
        );
        assert!(!told.contains("share no cache"), "{told}");
    }

    #[test]
    fn isolated_cores_come_first_and_are_left_to_the_hot_ones() {
        let host = host(2, 8, 2);
        fs::write(host.path().join("isolated"), "10-14,26-30").unwrap();
        let topology = Topology::read(host.path(), &(0..32).collect(), None);
        let placement = place(&HOT, &BTreeSet::new(), &topology).unwrap();
        assert_eq!(placement.cpus, [10, 11, 12, 13, 14]);
        assert!(placement.others.is_disjoint(&topology.isolated));
        let few = place(&["a"; 6], &BTreeSet::new(), &topology).unwrap();
        assert!(few.reasons[0].contains("passed over"), "{:?}", few.reasons);
    }

    #[test]
    fn cores_that_the_file_gives_away_are_passed_over_with_their_siblings() {
        let placement = place(&HOT, &[2, 19].into(), &topology(2, 8, 2)).unwrap();
        assert_eq!(placement.cpus, [1, 4, 5, 6, 7]);
        assert!(placement.others.is_disjoint(&[2, 18, 3, 19].into()));
    }

    #[test]
    fn what_one_cache_cannot_hold_is_cut_once_and_told() {
        let placement = place(&HOT, &BTreeSet::new(), &topology(2, 4, 1)).unwrap();
        assert_eq!(placement.cpus, [4, 5, 6, 7, 1]);
        let cuts = placement.reasons.iter();
        let cuts: Vec<_> = cuts
            .filter(|line| line.contains("share no cache"))
            .collect();
        assert_eq!(
            cuts,
            ["signals and execution share no cache: no cache has cores for all"]
        );
    }

    #[test]
    fn small_hosts_place_whom_they_can_or_nobody() {
        let four = topology(1, 4, 1);
        let placement = place(&HOT[..3], &BTreeSet::new(), &four).unwrap();
        assert_eq!(placement.cpus, [1, 2, 3]);
        for (hot, host) in [(&HOT[..], &four), (&HOT[..2], &topology(1, 2, 1))] {
            let why = place(hot, &BTreeSet::new(), host).unwrap_err();
            assert!(why.contains("one for all others"), "{why}");
        }
        // Two threads are no two cores.
        assert!(place(&HOT[..2], &BTreeSet::new(), &topology(1, 2, 2)).is_err());
    }
}
