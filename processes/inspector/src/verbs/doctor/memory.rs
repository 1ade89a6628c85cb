//! Memory: room for the rings, and that it stays there.

use super::{
    finding::{Finding, bytes, count},
    host::Host,
    needs::Needs,
};
use std::path::Path;

/// The bit of the capability to lock memory without a limit.
const CAP_IPC_LOCK: u32 = 14;

/// The file system of the rings has room for them.
pub(super) fn room(host: &Host, needs: &Needs) -> Finding {
    const CHECK: &str = "ring-space";
    let directory = needs.ring_dir.display();
    let missing = needs.missing_bytes(host);
    let wanted = match needs.segments() {
        0 => "a tmpfs with room for the rings".to_owned(),
        segments => format!(
            "{} for {} on a tmpfs, {} of it not yet laid out",
            bytes(needs.bytes()),
            count(segments, "segment"),
            bytes(missing)
        ),
    };
    let Some(system) = host.file_system(&needs.ring_dir) else {
        return Finding::untold(CHECK, wanted);
    };
    let finding = Finding::ok(
        CHECK,
        format!(
            "{} free of {} in {} ({})",
            bytes(system.free),
            bytes(system.bytes),
            system.mount,
            system.kind
        ),
        wanted,
    );
    if system.free < missing {
        // What is used already, what is needed, and a quarter in reserve, in whole MiB.
        let used = system.bytes.saturating_sub(system.free);
        let size = ((used + missing) * 5 / 4).div_ceil(1 << 20);
        let fix = if system.kind == "tmpfs" {
            format!(
                "mount -o remount,size={size}m {}  # of a container: --shm-size={size}m",
                system.mount
            )
        } else {
            format!("mkdir -p {directory} && mount -t tmpfs -o size={size}m tmpfs {directory}")
        };
        return finding.trouble(
            format!(
                "the launcher refuses to start: {} are missing",
                bytes(missing - system.free)
            ),
            fix,
        );
    }
    if !["tmpfs", "ramfs", "hugetlbfs"].contains(&system.kind.as_str()) {
        let size = (needs.bytes() * 5 / 4).div_ceil(1 << 20).max(64);
        return finding.advise(
            "the kernel writes rings to a disk all the time, and a hot process may wait for it",
            format!("mkdir -p {directory} && mount -t tmpfs -o size={size}m tmpfs {directory}"),
        );
    }
    finding
}

/// Rings cannot be paged out.
pub(super) fn lock(host: &Host, needs: &Needs) -> Finding {
    const CHECK: &str = "locked-memory";
    let greatest = needs.greatest();
    let wanted = match &greatest {
        _ if needs.lock_memory => "no limit, for lock_memory = true".to_owned(),
        None => "as much as the segments of one process".to_owned(),
        Some((name, segments, total)) => format!(
            "{}: {} of `{name}`, the most of any process",
            bytes(*total),
            count(*segments, "segment")
        ),
    };
    let Some(limit) = host.limit("Max locked memory") else {
        return Finding::untold(CHECK, wanted);
    };
    if host.capable(CAP_IPC_LOCK) {
        return Finding::ok(CHECK, "no limit (CAP_IPC_LOCK)", wanted);
    }
    let found = match limit.soft {
        u64::MAX => "no limit".to_owned(),
        soft => format!("limit {}", bytes(soft)),
    };
    let finding = Finding::ok(CHECK, found, wanted);
    match greatest {
        _ if needs.lock_memory && limit.soft < u64::MAX => finding.trouble(
            "hot processes end at their start: whoever reaches the limit would get no memory at all",
            "ulimit -l unlimited  # of a unit: LimitMEMLOCK=infinity; of a container: --ulimit memlock=-1",
        ),
        Some((_, _, total)) if limit.soft < total => finding.advise(
            "part of the rings can be paged out, and a hot process then waits for a disk: milliseconds",
            format!("ulimit -l {}  # of a unit: LimitMEMLOCK={}K; of a container: --ulimit memlock=-1", total.div_ceil(1024), total.div_ceil(1024)),
        ),
        _ => finding,
    }
}

/// Nothing of a process is paged out.
pub(super) fn swap(host: &Host, needs: &Needs) -> Finding {
    const CHECK: &str = "swap";
    let wanted = "none";
    let Some(text) = host.text("/proc/swaps") else {
        return Finding::untold(CHECK, wanted);
    };
    let sizes = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
    let kib: u64 = sizes.sum();
    if kib == 0 {
        return Finding::ok(CHECK, "none", wanted);
    }
    let finding = Finding::ok(CHECK, bytes(kib * 1024), wanted);
    if needs.hot.is_empty() {
        return finding;
    }
    finding.advise(
        "under pressure the heaps of processes, and rings that are not locked, go to a disk: a touch then takes milliseconds",
        "swapoff -a  # for good: take the swap lines out of /etc/fstab",
    )
}

/// Huge pages for large rings, and no background work for the rest.
pub(super) fn huge_pages(host: &Host, needs: &Needs) -> Finding {
    const CHECK: &str = "huge-pages";
    const DIRECTORY: &str = "/sys/kernel/mm/transparent_hugepage";
    let wanted = if needs.fill_huge_pages() {
        "enabled=madvise; huge=advise on the mount of the rings, some of which fill huge pages"
    } else {
        "enabled=madvise or never; no ring fills a huge page"
    };
    let Some(enabled) = host.switch(&format!("{DIRECTORY}/enabled")) else {
        return Finding::untold(CHECK, wanted);
    };
    let shared = host
        .switch(&format!("{DIRECTORY}/shmem_enabled"))
        .unwrap_or_else(|| "unknown".into());
    let mount = host.file_system(&needs.ring_dir);
    let options = mount
        .as_ref()
        .map(|mount| mount.options.clone())
        .unwrap_or_default();
    let offered = options
        .split(',')
        .find(|option| option.starts_with("huge="))
        .unwrap_or("huge not given");
    let finding = Finding::ok(
        CHECK,
        format!("enabled={enabled}, shmem_enabled={shared}, mount: {offered}"),
        wanted,
    );
    if enabled == "always" {
        return finding.advise(
            "the kernel joins and splits pages of every process in the background, and page faults wait for it: pauses up to some ms",
            format!("echo madvise > {DIRECTORY}/enabled"),
        );
    }
    if needs.fill_huge_pages() && shared == "deny" {
        return finding.advise(
            "large rings lie in small pages: more misses of the address cache",
            format!("echo never > {DIRECTORY}/shmem_enabled  # which leaves it to the mounts"),
        );
    }
    let given = ["huge=advise", "huge=always", "huge=within_size"].contains(&offered)
        || ["force", "always", "advise", "within_size"].contains(&shared.as_str());
    if needs.fill_huge_pages() && !given {
        let at = mount.map_or_else(|| "/dev/shm".to_owned(), |mount| mount.mount);
        return finding.advise(
            "large rings lie in small pages: more misses of the address cache",
            format!("mount -o remount,huge=advise {at}"),
        );
    }
    finding
}

/// The control group's memory holds the rings: a tmpfs counts against it.
pub(super) fn group(host: &Host, needs: &Needs) -> Finding {
    const CHECK: &str = "memory-limit";
    // The processes themselves, each some 30 MiB.
    let room = needs.bytes() + if needs.bytes() > 0 { 256 << 20 } else { 0 };
    let wanted = match needs.segments() {
        0 => "none, or room for rings and processes".to_owned(),
        _ => format!(
            "none, or {} for rings, which count, and processes",
            bytes(room)
        ),
    };
    let groups = host.text("/proc/self/cgroup").unwrap_or_default();
    let mut least: Option<(u64, String)> = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (directory, file) = match parts.next() {
            Some("") => ("/sys/fs/cgroup".to_owned(), "memory.max"),
            Some("memory") => ("/sys/fs/cgroup/memory".to_owned(), "memory.limit_in_bytes"),
            _ => continue,
        };
        for above in Path::new(parts.next().unwrap_or("/")).ancestors() {
            let above = above.display().to_string();
            let path = format!("{directory}{}/{file}", above.trim_end_matches('/'));
            if let Some(limit) = host.number(&path)
                && least.as_ref().is_none_or(|(other, _)| limit < *other)
            {
                least = Some((limit, path));
            }
        }
    }
    // The first version writes none as the greatest number of whole pages.
    match least.filter(|(limit, _)| *limit < 1 << 62) {
        None => Finding::ok(CHECK, "none", wanted),
        Some((limit, path)) => {
            let finding = Finding::ok(CHECK, format!("{} ({path})", bytes(limit)), wanted);
            if limit >= room {
                return finding;
            }
            finding.trouble(
                "the kernel kills processes of the pipeline when rings and heaps have filled it",
                format!(
                    "echo {room} > {path}  # of a container: --memory={}m",
                    room.div_ceil(1 << 20)
                ),
            )
        }
    }
}
