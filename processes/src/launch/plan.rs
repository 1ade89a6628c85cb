//! What will be started, where, and why: the pipeline file fitted to this host.

use super::{
    placement::{Placement, place},
    topology::Topology,
};
use pipeline::{Core, HotPath, Pipeline, Wait, redis_address::shown};
use std::{collections::BTreeSet, fmt::Write as _};

/// How a pipeline fits this host.
#[derive(Debug)]
pub(super) struct Fit {
    /// The reasoning, in a line.
    pub(super) summary: String,
    /// Why each hot process runs where it does.
    pub(super) reasons: Vec<String>,
    /// CPUs for everybody who is not hot; empty where they may run anywhere.
    pub(super) others: BTreeSet<usize>,
}

/// Decides how loops wait and where they run, puts that into the pipeline, and returns the reasoning.
///
/// A hot loop that spins needs a core for itself: with fewer cores than hot processes, spinning
/// would starve the very process that is waited for.
pub(super) fn fit(pipeline: &mut Pipeline, topology: &Topology) -> Fit {
    let hot = pipeline
        .processes
        .iter()
        .filter(|process| process.hot)
        .count();
    let cores = topology.cores().len();
    let enough = cores > hot;
    if pipeline.wait == Wait::Auto {
        pipeline.wait = if enough { Wait::Spin } else { Wait::Sleep };
    }
    let mut summary = format!("{cores} cores for {hot} hot processes: ");
    summary.push_str(match (pipeline.wait, enough) {
        (Wait::Spin, true) => "each spins on a core of its own",
        (Wait::Spin, false) => {
            "spinning all the same, as the pipeline file says; expect starvation"
        }
        (Wait::Yield, _) => "they spin in turns; latencies include the turns of the others",
        (_, true) => "sleeping, as the pipeline file says",
        (_, false) => "they share cores and sleep; latencies include wake-ups",
    });
    let mut reasons = Vec::new();
    let mut unpinned = Vec::new();
    for process in &mut pipeline.processes {
        // Pinning to shared cores would only keep the scheduler from using the one that is idle.
        let possible = |cpu: &usize| enough && topology.cpus.contains_key(cpu);
        if process.cpu().is_some_and(|cpu| !possible(&cpu)) {
            process.core = None;
            unpinned.push(process.name.clone());
        }
    }
    let others = place_automatic(pipeline, topology, enough, &mut reasons, &mut unpinned);
    if !enough {
        summary.push_str("; not pinned: all");
    } else if !unpinned.is_empty() {
        let _ = write!(summary, "; not pinned: {}", unpinned.join(", "));
    }
    reasons.extend(favours(pipeline));
    if pipeline.hot_path == HotPath::Redis {
        summary.push_str("; hot path over Redis pub/sub in JSON, a baseline");
    }
    Fit {
        summary,
        reasons,
        others,
    }
}

/// Gives a CPU to everyone with `core = "auto"`, or takes the word back from all of them.
fn place_automatic(
    pipeline: &mut Pipeline,
    topology: &Topology,
    enough: bool,
    reasons: &mut Vec<String>,
    unpinned: &mut Vec<String>,
) -> BTreeSet<usize> {
    let taken: BTreeSet<usize> = pipeline
        .processes
        .iter()
        .filter_map(pipeline::Process::cpu)
        .collect();
    let automatic = pipeline.processes.iter();
    let automatic = automatic.filter(|process| matches!(process.core, Some(Core::Auto(_))));
    let names: Vec<String> = automatic.map(|process| process.name.clone()).collect();
    if names.is_empty() {
        return BTreeSet::new();
    }
    let hot: Vec<&str> = names.iter().map(String::as_str).collect();
    let placed = if enough {
        place(&hot, &taken, topology)
    } else {
        Err("there are too few cores".to_owned())
    };
    let (cpus, others) = match placed {
        Ok(Placement {
            cpus,
            others,
            reasons: why,
        }) => {
            reasons.extend(why);
            (cpus, others)
        }
        Err(why) => {
            reasons.push(format!("core = \"auto\": nobody is pinned, {why}"));
            unpinned.extend(names.iter().cloned());
            (Vec::new(), BTreeSet::new())
        }
    };
    let mut cpus = cpus.into_iter();
    for process in &mut pipeline.processes {
        if matches!(process.core, Some(Core::Auto(_))) {
            process.core = cpus.next().map(Core::Number);
        }
    }
    others
}

/// What hot processes get that others do not, a line each.
fn favours(pipeline: &Pipeline) -> Vec<String> {
    let mut lines = Vec::new();
    let processes = pipeline.processes.iter();
    let named: Vec<String> = processes
        .filter_map(|process| Some((&process.name, process.priority?)))
        .map(|(name, priority)| format!("{name} {priority}"))
        .collect();
    if !named.is_empty() {
        lines.push(format!("real-time priority: {}", named.join(", ")));
    }
    if pipeline.lock_memory {
        lines.push("hot processes lock all of their memory".to_owned());
    }
    lines
}

/// The plan as text.
pub(super) fn describe(pipeline: &Pipeline, fit: &Fit) -> String {
    let mut text = format!(
        "pipeline {}\n  {}\n{}  rings in {}\n  run directory {}\n",
        pipeline.name,
        fit.summary,
        fit.reasons
            .iter()
            .fold(String::new(), |text, reason| text + "    " + reason + "\n"),
        pipeline.ring_dir().display(),
        pipeline.run_dir.display()
    );
    let outside = match &pipeline.simulator {
        Some(simulator) => format!(
            "simulator, {} {:?} games at {}x",
            simulator.games, simulator.source, simulator.speed
        )
        .to_lowercase(),
        None => format!("{} (real orders)", pipeline.venue.rest),
    };
    let redis = if pipeline.redis.url.is_empty() {
        "a private redis-server on a Unix socket".to_owned()
    } else {
        shown(&pipeline.redis.url)
    };
    let _ = writeln!(
        text,
        "  venue: {outside}\n  cold path: {redis}\n\n  {:<20} {:>5}  {:>4}  {:>8}",
        "PROCESS", "HOT", "CORE", "PRIORITY"
    );
    for process in &pipeline.processes {
        let core = process.cpu().map_or("-".into(), |core| core.to_string());
        let priority = process.priority;
        let priority = priority.map_or("-".into(), |priority| priority.to_string());
        let _ = writeln!(
            text,
            "  {:<20} {:>5}  {core:>4}  {priority:>8}",
            process.name,
            if process.hot { "hot" } else { "-" }
        );
    }
    let _ = writeln!(
        text,
        "\n  {:<12} {:<12} {:<12} {:>6}  FROM > TO",
        "RING", "MESSAGE", "KIND", "DEPTH"
    );
    for link in &pipeline.links {
        let kind = format!("{:?}", link.kind).to_lowercase();
        let _ = writeln!(
            text,
            "  {:<12} {:<12} {kind:<12} {:>6}  {} > {}",
            link.name, link.message, link.depth, link.from, link.to
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{super::topology, *};
    use std::path::Path;

    fn demo() -> Pipeline {
        Pipeline::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/demo.toml")).unwrap()
    }

    fn host(caches: usize, cores: usize) -> Topology {
        let host = topology::tests::host(caches, cores, 1);
        Topology::read(host.path(), &(0..caches * cores).collect(), None)
    }

    fn cpus(pipeline: &Pipeline) -> Vec<Option<usize>> {
        let hot = pipeline.processes.iter().filter(|process| process.hot);
        hot.map(pipeline::Process::cpu).collect()
    }

    #[test]
    fn too_few_cores_are_shared_sleeping_and_unpinned() {
        let mut pipeline = demo();
        let fit = fit(&mut pipeline, &host(1, 2));
        assert_eq!(pipeline.wait, Wait::Sleep);
        let mut processes = pipeline.processes.iter();
        assert!(processes.all(|process| process.core.is_none()));
        assert!(
            fit.summary
                .contains("share cores and sleep; latencies include wake-ups; not pinned: all")
        );
        assert!(
            fit.reasons[0].contains("nobody is pinned"),
            "{:?}",
            fit.reasons
        );
    }

    #[test]
    fn loops_spin_in_turns_only_where_the_file_says_so() {
        let mut pipeline = demo();
        pipeline.wait = Wait::Yield;
        let fit = fit(&mut pipeline, &host(1, 2));
        assert_eq!(pipeline.wait, Wait::Yield);
        assert!(fit.summary.contains("in turns"), "{}", fit.summary);
        assert!(cpus(&pipeline).iter().all(Option::is_none));
    }

    #[test]
    fn enough_cores_are_pinned_and_spun_on() {
        let mut pipeline = demo();
        let fit = fit(&mut pipeline, &host(2, 8));
        assert_eq!(pipeline.wait, Wait::Spin);
        assert_eq!(cpus(&pipeline), [1, 2, 3, 4, 5].map(Some));
        assert!(fit.summary.contains("a core of its own"), "{}", fit.summary);
        assert!(describe(&pipeline, &fit).contains("execution_service on CPU 5"));
    }

    #[test]
    fn a_spinning_real_time_loop_that_gets_no_core_is_a_fault() {
        let mut pipeline = demo();
        pipeline.processes[0].priority = Some("fifo:50".parse().unwrap());
        let told = fit(&mut pipeline, &host(2, 8)).reasons.join("\n");
        assert!(told.contains("priority: kalshi_monitor fifo:50"), "{told}");
        assert_eq!(pipeline.real_time_faults(), [""; 0]);
        // Asleep on shared cores nobody is starved.
        pipeline.wait = Wait::Auto;
        pipeline.processes[0].core = Some(Core::Number(99));
        fit(&mut pipeline, &host(1, 2));
        assert_eq!(pipeline.real_time_faults(), [""; 0]);
        pipeline.wait = Wait::Auto;
        pipeline.processes[0].core = Some(Core::Number(99));
        fit(&mut pipeline, &host(2, 8));
        assert_eq!(pipeline.real_time_faults().len(), 1);
    }

    #[test]
    fn a_core_that_is_not_there_is_named_and_numbers_stay() {
        let mut pipeline = demo();
        pipeline.processes[0].core = Some(Core::Number(2));
        pipeline.processes[3].core = Some(Core::Number(99));
        let fit = fit(&mut pipeline, &host(2, 8));
        assert!(
            fit.summary.contains("not pinned: game_shard.0"),
            "{}",
            fit.summary
        );
        assert_eq!(cpus(&pipeline), [Some(2), None, Some(1), Some(3), Some(4)]);
    }
}
