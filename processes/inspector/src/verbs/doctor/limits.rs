//! What the kernel offers, and how much of it we may use.

use super::{finding::Finding, host::Host, needs::Needs};
use pipeline::Wait;

/// The bit of the capability to take real-time priority without a limit.
const CAP_SYS_NICE: u32 = 23;
/// Descriptors of a process besides those of its segments: sockets, logs, the runtime's own.
const OTHER_DESCRIPTORS: u64 = 64;

/// The kernel knows the system calls of sleeping and waking.
pub(super) fn kernel(host: &Host, _: &Needs) -> Finding {
    const CHECK: &str = "kernel";
    let wanted = "5.16 or later: futex_waitv (5.16), membarrier (4.16)";
    let Some(release) = host.text("/proc/sys/kernel/osrelease") else {
        return Finding::untold(CHECK, wanted);
    };
    let mut numbers = release
        .split(|letter: char| !letter.is_ascii_digit())
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let finding = Finding::ok(CHECK, release, wanted);
    if version >= (5, 16) {
        return finding;
    }
    let consequence = if version >= (4, 16) {
        "without futex_waitv a process with several inputs that sleeps looks again by the clock instead of being woken: up to a millisecond late"
    } else {
        "without membarrier and futex_waitv every push costs a full fence, and a process that sleeps looks again by the clock: up to a millisecond late"
    };
    finding.advise(
        consequence,
        "install a kernel of your distribution from 5.16 on (Debian 12, Ubuntu 22.04 HWE or later)",
    )
}

/// Enough descriptors for the process with the most segments.
pub(super) fn descriptors(host: &Host, needs: &Needs) -> Finding {
    const CHECK: &str = "descriptors";
    let segments = u64::try_from(needs.segments()).unwrap_or(u64::MAX);
    let least = OTHER_DESCRIPTORS + 2 * segments;
    let wanted = format!("{least} or more: 2 for each segment, {OTHER_DESCRIPTORS} for the rest");
    let Some(limit) = host.limit("Max open files") else {
        return Finding::untold(CHECK, wanted);
    };
    let found = match limit.soft {
        u64::MAX => "no limit".to_owned(),
        soft => format!("limit {soft}"),
    };
    let finding = Finding::ok(CHECK, found, wanted);
    if limit.soft >= least {
        return finding;
    }
    finding.trouble(
        "a process cannot open its rings or sockets, and ends at its start",
        "ulimit -n 4096  # of a unit: LimitNOFILE=4096; of a container: --ulimit nofile=4096",
    )
}

/// Whether hot processes may have the real-time priority that the file gives them, or any.
pub(super) fn priority(host: &Host, needs: &Needs) -> Finding {
    const CHECK: &str = "rt-priority";
    let wanted = match &needs.priority {
        Some((name, level)) => format!("{level} or more, for `{name}`"),
        None => "1 or more, for hot processes on cores that others use too".to_owned(),
    };
    if host.capable(CAP_SYS_NICE) {
        return Finding::ok(CHECK, "no limit (CAP_SYS_NICE)", wanted);
    }
    let Some(limit) = host.limit("Max realtime priority") else {
        return Finding::untold(CHECK, wanted);
    };
    let finding = Finding::ok(CHECK, format!("limit {}", limit.soft), wanted);
    match &needs.priority {
        Some((name, level)) if limit.soft < u64::from(*level) => finding.trouble(
            format!("`{name}` ends at its start: priority \"fifo:{level}\" is refused"),
            format!("echo '* - rtprio {level}' > /etc/security/limits.d/80-rtprio.conf  # of a unit: LimitRTPRIO={level}; of a container: --ulimit rtprio={level}"),
        ),
        None if limit.soft == 0 && !needs.hot.is_empty() => finding.advise(
            "a hot process waits for its turn behind whatever else runs on its core: up to some ms under load",
            "echo '* - rtprio 80' > /etc/security/limits.d/80-rtprio.conf  # of a unit: LimitRTPRIO=80; of a container: --ulimit rtprio=80; then `priority` in the pipeline file",
        ),
        _ => finding,
    }
}

/// Whether the kernel stops real-time loops that never sleep, so that others get on.
pub(super) fn throttling(host: &Host, needs: &Needs) -> Finding {
    const CHECK: &str = "rt-throttling";
    const DIRECTORY: &str = "/proc/sys/kernel";
    let wanted = "none for loops of real-time priority that spin";
    let number = |name: &str| -> Option<i64> {
        let text = host.text(&format!("{DIRECTORY}/sched_rt_{name}_us"))?;
        text.parse().ok()
    };
    let (Some(runtime), Some(period)) = (number("runtime"), number("period")) else {
        return Finding::untold(CHECK, wanted);
    };
    if runtime < 0 || runtime >= period {
        return Finding::ok(CHECK, "none", wanted);
    }
    let pause = (period - runtime) / 1000;
    let finding = Finding::ok(
        CHECK,
        format!("{pause} ms in every {} ms", period / 1000),
        wanted,
    );
    if needs.priority.is_none() || needs.wait == Wait::Sleep {
        return finding;
    }
    finding.advise(
        format!("a loop that spins at real-time priority stands still for {pause} ms at a time whenever others want its core"),
        "sysctl -w kernel.sched_rt_runtime_us=-1  # for good: a file in /etc/sysctl.d",
    )
}
