//! What the host lacks, all at once, each with its consequence and its fix; before anything starts.

use pipeline::{PROGRAMS, Pipeline, Wait};
use std::{
    env,
    path::{Path, PathBuf},
};

/// Everything that would keep the pipeline from starting, in words.
pub(super) fn obstacles(pipeline: &Pipeline, programs: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let missing: Vec<&str> = PROGRAMS
        .into_iter()
        .filter(|program| !programs.join(program).is_file())
        .collect();
    if !missing.is_empty() {
        found.push(format!(
            "{} not in `{}`; run `cargo build --release --workspace`",
            missing.join(", "),
            programs.display()
        ));
    }
    if pipeline.redis.url.is_empty() && in_path("redis-server").is_none() {
        found.push("redis-server is not installed; run `apt-get install redis-server`, or give redis.url in the pipeline file".into());
    }
    if let Some(from) = pipeline
        .simulator
        .as_ref()
        .and_then(|simulator| simulator.from.as_ref())
        && !from.is_file()
    {
        found.push(format!(
            "recorded games `{}` are not there; check `--from`",
            from.display()
        ));
    }
    if pipeline.simulator.is_none() && !pipeline.venue.key_file.is_file() {
        found.push(format!(
            "key file `{}` is not there; check venue.key_file",
            pipeline.venue.key_file.display()
        ));
    }
    if let Some(parent) = pipeline.rings.parent()
        && !parent.is_dir()
    {
        found.push(format!("ring directory: `{}` is not there; mount a tmpfs on it, or set `rings` in the pipeline file", parent.display()));
    }
    found
}

/// How long the kernel stops a spinning loop of real-time priority in each period, where it does: so that a host
/// can be saved from one that went wild.
pub(super) fn real_time_pause(pipeline: &Pipeline) -> Option<String> {
    let spinning = matches!(pipeline.wait, Wait::Spin | Wait::Yield)
        && pipeline
            .processes
            .iter()
            .any(|process| process.priority.is_some());
    let number = |name: &str| -> Option<i64> {
        let text = std::fs::read_to_string(format!("/proc/sys/kernel/sched_rt_{name}_us")).ok()?;
        text.trim().parse().ok()
    };
    let (period, runtime) = (number("period")?, number("runtime")?);
    (spinning && runtime >= 0 && runtime < period).then(|| {
        format!(
            "the kernel stops a spinning real-time loop for {} ms in every {} ms where others want its core; `sysctl -w kernel.sched_rt_runtime_us=-1` ends that",
            (period - runtime) / 1000,
            period / 1000
        )
    })
}

fn in_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|directory| directory.join(program))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_obstacle_is_told_with_its_fix() {
        let mut pipeline =
            Pipeline::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/replay.toml"))
                .unwrap();
        pipeline.rings = "/nowhere/at/all".into();
        if let Some(simulator) = &mut pipeline.simulator {
            simulator.from = Some("/nowhere/games.csv".into());
        }
        let found = obstacles(&pipeline, Path::new("/nowhere/bin")).join("\n");
        for part in [
            "kalshi_monitor, orchestrator",
            "cargo build",
            "`--from`",
            "mount a tmpfs",
        ] {
            assert!(found.contains(part), "{part} is missing in:\n{found}");
        }
    }
}
