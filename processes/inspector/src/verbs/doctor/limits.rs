//! What the kernel offers, and how much of it we may use.

use super::{finding::Finding, host::Host, needs::Needs};

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

/// Whether hot processes may have real-time priority.
pub(super) fn priority(host: &Host, needs: &Needs) -> Finding {
    const CHECK: &str = "rt-priority";
    let wanted = "1 or more, for hot processes on cores that others use too";
    if host.capable(CAP_SYS_NICE) {
        return Finding::ok(CHECK, "no limit (CAP_SYS_NICE)", wanted);
    }
    let Some(limit) = host.limit("Max realtime priority") else {
        return Finding::untold(CHECK, wanted);
    };
    let finding = Finding::ok(CHECK, format!("limit {}", limit.soft), wanted);
    if limit.soft > 0 || needs.hot.is_empty() {
        return finding;
    }
    finding.advise(
        "a hot process waits for its turn behind whatever else runs on its core: up to some ms under load",
        "echo '* - rtprio 80' > /etc/security/limits.d/80-rtprio.conf  # of a unit: LimitRTPRIO=80; of a container: --ulimit rtprio=80",
    )
}
