//! What will be started, where, and why: the pipeline file fitted to this host.

use nix::{sched::sched_getaffinity, unistd::Pid};
use pipeline::{HotPath, Pipeline, Wait};
use std::fmt::Write as _;

/// The cores that this process may use.
pub(super) fn usable_cores() -> Vec<usize> {
    let set = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
    (0..nix::sched::CpuSet::count())
        .filter(|core| set.is_set(*core).unwrap_or(false))
        .collect()
}

/// Decides how loops wait and where they run, and returns the reasoning.
///
/// A hot loop that spins needs a core for itself: with fewer cores than hot processes, spinning
/// would starve the very process that is waited for.
pub(super) fn fit(pipeline: &mut Pipeline, cores: &[usize]) -> String {
    let hot = pipeline
        .processes
        .iter()
        .filter(|process| process.hot)
        .count();
    let enough = cores.len() > hot;
    let spin = match pipeline.wait {
        Wait::Auto => enough,
        Wait::Spin => true,
        Wait::Sleep => false,
    };
    let missing: Vec<String> = pipeline
        .processes
        .iter()
        .filter(|process| process.core.is_some_and(|core| !cores.contains(&core)))
        .map(|process| process.name.clone())
        .collect();
    pipeline.wait = if spin { Wait::Spin } else { Wait::Sleep };
    let mut reason = format!("{} cores for {hot} hot processes: ", cores.len());
    match (spin, enough) {
        (true, true) => reason.push_str("each spins on a core of its own"),
        (true, false) => {
            reason.push_str("spinning all the same, as the pipeline file says; expect starvation")
        }
        (false, true) => reason.push_str("sleeping, as the pipeline file says"),
        (false, false) => reason.push_str("they share cores and sleep; latencies include wake-ups"),
    }
    if !enough || !missing.is_empty() {
        // Pinning to shared cores would only keep the scheduler from using the one that is idle.
        for process in &mut pipeline.processes {
            process.core = process.core.filter(|core| enough && cores.contains(core));
        }
        let _ = write!(
            reason,
            "; not pinned: {}",
            if enough {
                missing.join(", ")
            } else {
                "all".into()
            }
        );
    }
    if pipeline.hot_path == HotPath::Redis {
        reason.push_str("; hot path over Redis pub/sub in JSON, a baseline");
    }
    reason
}

/// The plan as text.
pub(super) fn describe(pipeline: &Pipeline, reason: &str) -> String {
    let mut text = format!(
        "pipeline {}\n  {reason}\n  rings in {}\n  run directory {}\n",
        pipeline.name,
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
        "a private redis-server on a Unix socket"
    } else {
        &pipeline.redis.url
    };
    let _ = writeln!(
        text,
        "  venue: {outside}\n  cold path: {redis}\n\n  {:<20} {:>5}  {:>4}",
        "PROCESS", "HOT", "CORE"
    );
    for process in &pipeline.processes {
        let core = process.core.map_or("-".into(), |core| core.to_string());
        let _ = writeln!(
            text,
            "  {:<20} {:>5}  {core:>4}",
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
    use super::*;
    use std::path::Path;

    fn demo() -> Pipeline {
        Pipeline::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/demo.toml")).unwrap()
    }

    #[test]
    fn too_few_cores_are_shared_sleeping_and_unpinned() {
        let mut pipeline = demo();
        let reason = fit(&mut pipeline, &[0, 1]);
        assert_eq!(pipeline.wait, Wait::Sleep);
        assert!(
            pipeline
                .processes
                .iter()
                .all(|process| process.core.is_none())
        );
        assert!(reason.contains("share cores and sleep"), "{reason}");
    }

    #[test]
    fn enough_cores_are_pinned_and_spun_on() {
        let mut pipeline = demo();
        let reason = fit(&mut pipeline, &(0..16).collect::<Vec<_>>());
        assert_eq!(pipeline.wait, Wait::Spin);
        assert_eq!(
            pipeline
                .processes
                .iter()
                .filter(|process| process.core.is_some())
                .count(),
            5
        );
        assert!(reason.contains("a core of its own"), "{reason}");
    }

    #[test]
    fn a_core_that_is_not_there_is_named() {
        let mut pipeline = demo();
        let cores: Vec<usize> = (0..3).chain(4..16).collect();
        let reason = fit(&mut pipeline, &cores);
        assert!(reason.contains("not pinned: game_shard.0"), "{reason}");
    }
}
