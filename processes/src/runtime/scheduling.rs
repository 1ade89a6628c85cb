//! What a process asks of the kernel for its hot loop: a core, a priority, and memory that is never taken away.
//!
//! What the pipeline file asks for and the host does not give is a failure: a loop that only seems to have real-time
//! priority shows it in the worst moment.

use super::Failure;
use caps::{CapSet, Capability};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    sys::{
        mman::{MlockAllFlags, mlockall},
        resource::{RLIM_INFINITY, Resource, getrlimit},
    },
    unistd::Pid,
};
use pipeline::{Process, RealTime};
use std::io;
use thread_priority::{
    Error, RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// Gives the calling thread the core and the priority of its process, as far as the pipeline file has them. Threads that
/// it makes from then on have them too: so I/O threads come first.
pub(super) fn settle(process: &Process) -> Result<(), Failure> {
    if let Some(core) = process.cpu() {
        pin(&process.name, core)?;
    }
    process
        .priority
        .map_or(Ok(()), |priority| take(&process.name, priority))
}

fn pin(name: &str, core: usize) -> Result<(), Failure> {
    let mut set = CpuSet::new();
    set.set(core)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &set))
        .map_err(|error| {
            let fix = "the host has no such core, or its cpuset forbids it: change `core` in the pipeline file";
            Failure::io(format!("pin `{name}` to core {core} ({fix})"), error)
        })
}

fn take(name: &str, priority: RealTime) -> Result<(), Failure> {
    let level = priority.level();
    let fifo = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let taken = ThreadPriority::try_from(level)
        .map_err(Error::Priority)
        .and_then(|value| set_thread_priority_and_policy(thread_native_id(), value, fifo));
    taken.map_err(|error| {
        let cause = match error {
            Error::OS(code) => io::Error::from_raw_os_error(code).to_string(),
            other => other.to_string(),
        };
        Failure::other(format!(
            "give `{name}` priority \"{priority}\": {cause}\n  fix: LimitRTPRIO={level} in its unit, `--ulimit rtprio={level}` of its container, or `ulimit -r {level}` (CAP_SYS_NICE needs none); or leave `priority` out of the pipeline file"
        ))
    })
}

/// Keeps all memory of this process in RAM, now and later, until it ends. Later means that whatever cannot be
/// locked cannot be had either: so only where there is no limit.
pub(super) fn lock_memory(name: &str) -> Result<(), Failure> {
    let fix = "LimitMEMLOCK=infinity in its unit, `--ulimit memlock=-1` of its container, or `ulimit -l unlimited` (CAP_IPC_LOCK needs none); or leave `lock_memory` out of the pipeline file";
    let may = caps::has_cap(None, CapSet::Effective, Capability::CAP_IPC_LOCK).unwrap_or(false);
    let limit = getrlimit(Resource::RLIMIT_MEMLOCK).map_or(0, |(soft, _)| soft);
    if !may && limit != RLIM_INFINITY {
        return Err(Failure::other(format!(
            "lock the memory of `{name}`: the limit is {} KiB, and who reaches it gets no memory at all\n  fix: {fix}",
            limit / 1024
        )));
    }
    mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE)
        .map_err(|error| Failure::io(format!("lock the memory of `{name}`\n  fix: {fix}"), error))
}
