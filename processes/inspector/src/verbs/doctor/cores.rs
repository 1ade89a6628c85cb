//! The cores: how many, which, and who else is on them.

use super::{
    finding::{Finding, count},
    host::{self, Host},
    needs::Needs,
};
use pipeline::Wait;
use std::path::Path;

/// The cores that this process may use.
pub(super) fn usable(host: &Host) -> Vec<usize> {
    let list = host.field("/proc/self/status", "Cpus_allowed_list");
    list.and_then(|list| host::cores(&list)).unwrap_or_default()
}

/// The cores that the launcher will pin hot processes to: none where they must share.
pub(super) fn pinned(host: &Host, needs: &Needs) -> Vec<usize> {
    let usable = usable(host);
    let mut cores = needs.cores();
    cores.retain(|core| usable.contains(core) && usable.len() > needs.hot.len());
    cores
}

/// A core for every hot process, and one for the rest.
pub(super) fn number(host: &Host, needs: &Needs) -> Finding {
    const CHECK: &str = "cores";
    let usable = usable(host);
    let found = format!(
        "{} usable ({})",
        count(usable.len(), "core"),
        host::list(&usable)
    );
    let hot = needs.hot.len();
    if hot == 0 {
        return Finding::ok(CHECK, found, "one for each hot process, and one more");
    }
    let wanted = format!(
        "{}: one for each of {hot} hot processes, and one more",
        hot + 1
    );
    let finding = Finding::ok(CHECK, found, wanted);
    match (usable.len() > hot, needs.wait) {
        (true, _) | (_, Wait::Sleep | Wait::Yield) => finding,
        (false, Wait::Spin) => finding.trouble(
            "processes that spin take the cores from those they wait for: messages wait for whole time slices, some 4 ms each",
            "set `wait = \"auto\"` in the pipeline file, or give the host more cores",
        ),
        (false, Wait::Auto) => finding.advise(
            "hot processes share cores and sleep, unpinned: each hop costs a wake-up, some 5-50 us instead of 0.2 us",
            "give the host more cores, or run fewer shards",
        ),
    }
}

/// The cores that the pipeline file names are there for us.
pub(super) fn named(host: &Host, needs: &Needs) -> Finding {
    const CHECK: &str = "named-cores";
    let usable = usable(host);
    let named = needs.cores();
    let finding = Finding::ok(
        CHECK,
        format!("usable {}", host::list(&usable)),
        match named.len() {
            0 => "what the pipeline file names".to_owned(),
            _ => format!("{} for hot processes", host::list(&named)),
        },
    );
    let missing: Vec<usize> = named
        .into_iter()
        .filter(|core| !usable.contains(core))
        .collect();
    if missing.is_empty() {
        return finding;
    }
    if usable.len() <= needs.hot.len() {
        let wanted = "nothing: too few for pinning, see `cores`";
        return Finding::ok(CHECK, finding.found, wanted);
    }
    let free: Vec<usize> = usable
        .iter()
        .copied()
        .filter(|core| *core != 0 && !needs.cores().contains(core))
        .collect();
    finding.advise(
        format!(
            "the processes of core {} are not pinned: the scheduler moves them, with cold caches after each move",
            host::list(&missing)
        ),
        match free.len() < missing.len() {
            true => "leave out `core` of these processes in the pipeline file, or allow more cores (cpuset)".to_owned(),
            false => format!("set `core` of these processes in the pipeline file to some of {}", host::list(&free)),
        },
    )
}

/// No two hot processes on the two halves of one core.
pub(super) fn siblings(host: &Host, needs: &Needs) -> Finding {
    const CHECK: &str = "siblings";
    let wanted = "one hot process on a physical core, its other half idle";
    let pinned = pinned(host, needs);
    let halves = |core: &usize| {
        host.cores(&format!(
            "/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"
        ))
    };
    let usable = usable(host);
    let of = if pinned.is_empty() { &usable } else { &pinned };
    let groups: Vec<Vec<usize>> = of.iter().filter_map(halves).collect();
    if groups.is_empty() {
        return Finding::untold(CHECK, wanted);
    }
    if groups.iter().all(|group| group.len() == 1) {
        return Finding::ok(CHECK, "one thread a core", wanted);
    }
    if pinned.is_empty() {
        return Finding::ok(CHECK, "two threads a core, nobody pinned", wanted);
    }
    let both: Vec<usize> = pinned
        .iter()
        .copied()
        .filter(|core| {
            let group = halves(core).unwrap_or_default();
            group
                .iter()
                .any(|half| half != core && pinned.contains(half))
        })
        .collect();
    if !both.is_empty() {
        return Finding::ok(CHECK, format!("hot on both halves of cores: {}", host::list(&both)), wanted).advise(
            "two hot loops share one core's units and first-level cache: each runs at about 60 % of its speed",
            "set `core` of these processes to threads of different cores (see `lscpu -e=CPU,CORE`)",
        );
    }
    let mut others: Vec<usize> = groups.into_iter().flatten().collect();
    others.retain(|half| !pinned.contains(half));
    others.sort_unstable();
    others.dedup();
    let online: Vec<usize> = host
        .cores("/sys/devices/system/cpu/online")
        .unwrap_or_default();
    others.retain(|half| online.contains(half));
    let found = format!("other halves of hot cores: {}", host::list(&others));
    if others.is_empty() {
        return Finding::ok(CHECK, found, wanted);
    }
    Finding::ok(CHECK, found, wanted).advise(
        "whatever the scheduler puts there slows the hot loop beside it, by up to a half",
        format!(
            "for core in {}; do echo 0 > /sys/devices/system/cpu/cpu$core/online; done",
            others
                .iter()
                .map(usize::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        ),
    )
}

/// Hot cores are kept free of others: by the scheduler, the tick, and RCU.
pub(super) fn isolation(host: &Host, needs: &Needs) -> Finding {
    const CHECK: &str = "isolation";
    const FILES: [(&str, &str); 2] = [
        ("isolcpus", "/sys/devices/system/cpu/isolated"),
        ("nohz_full", "/sys/devices/system/cpu/nohz_full"),
    ];
    let pinned = pinned(host, needs);
    let mut said: Vec<(&str, Vec<usize>)> = FILES
        .iter()
        // `(null)` is how some kernels write none.
        .map(|(name, file)| (*name, host.cores(file).unwrap_or_default()))
        .collect();
    let line = host.text("/proc/cmdline").unwrap_or_default();
    let callbacks = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("rcu_nocbs="));
    let callbacks = match callbacks {
        Some("all") => usable(host),
        Some(list) => host::cores(list).unwrap_or_default(),
        // The cores of nohz_full are taken off without being named.
        None => said[1].1.clone(),
    };
    said.push(("rcu_nocbs", callbacks));
    let found = said
        .iter()
        .map(|(name, cores)| format!("{name} {}", host::list(cores)));
    let found = found.collect::<Vec<_>>().join(", ");
    if pinned.is_empty() {
        return Finding::ok(
            CHECK,
            found,
            "the cores of hot processes; nobody is pinned here",
        );
    }
    let wanted = format!("{} in each", host::list(&pinned));
    let missing: Vec<&str> = said
        .iter()
        .filter(|(_, cores)| !pinned.iter().all(|core| cores.contains(core)))
        .map(|(name, _)| *name)
        .collect();
    if missing.is_empty() {
        return Finding::ok(CHECK, found, wanted);
    }
    let words = missing
        .iter()
        .map(|name| format!("{name}={}", host::list(&pinned)));
    let words = words.collect::<Vec<_>>().join(" ");
    Finding::ok(CHECK, found, wanted).advise(
        "other tasks, the timer and the kernel's own work interrupt hot loops: pauses of 5 us to some ms",
        format!("sed -i 's/^GRUB_CMDLINE_LINUX=\"/&{words} /' /etc/default/grub && update-grub && reboot"),
    )
}

/// Cores run at their full clock.
pub(super) fn governor(host: &Host, needs: &Needs) -> Finding {
    const CHECK: &str = "governor";
    let pinned = pinned(host, needs);
    let of = if pinned.is_empty() {
        usable(host)
    } else {
        pinned
    };
    let governor = |core: &usize| {
        host.text(&format!(
            "/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor"
        ))
    };
    let mut slow: Vec<(usize, String)> = Vec::new();
    let mut told = false;
    for core in &of {
        if let Some(name) = governor(core) {
            told = true;
            if name != "performance" {
                slow.push((*core, name));
            }
        }
    }
    if !told {
        return Finding::ok(CHECK, "none: the machine below decides", "performance");
    }
    let Some((_, name)) = slow.first() else {
        return Finding::ok(CHECK, "performance", "performance");
    };
    let cores: Vec<usize> = slow.iter().map(|(core, _)| *core).collect();
    let finding = Finding::ok(
        CHECK,
        format!("{name} on {}", host::list(&cores)),
        "performance",
    );
    if needs.hot.is_empty() {
        return finding;
    }
    let files = cores
        .iter()
        .map(|core| format!("/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor"));
    finding.advise(
        "a core that was idle starts slowly: the first messages after a pause take up to several times as long",
        format!("echo performance | tee {}", files.collect::<Vec<_>>().join(" ")),
    )
}

/// The control group lets us have the cores all the time.
pub(super) fn quota(host: &Host, needs: &Needs) -> Finding {
    const CHECK: &str = "cpu-quota";
    let wanted = "none";
    let Some((file, quota, period)) = least_quota(host) else {
        return Finding::ok(CHECK, "none", wanted);
    };
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let share = quota as f64 / period as f64;
    let finding = Finding::ok(
        CHECK,
        format!("{share:.2} cores in each {} ms ({file})", period / 1000),
        wanted,
    );
    let fix = if file.ends_with("cpu.max") {
        format!("echo max > {file}")
    } else {
        format!("echo -1 > {file}")
    };
    let hot = u64::try_from(needs.hot.len()).unwrap_or(u64::MAX);
    let spins = matches!(needs.wait, Wait::Spin | Wait::Yield)
        || needs.wait == Wait::Auto && usable(host).len() > needs.hot.len();
    if hot > 0 && spins && quota < hot.saturating_mul(period) {
        return finding.trouble(
            format!("{hot} processes that spin use it up and are all stopped for the rest of each {} ms", period / 1000),
            format!("{fix}   (of a container: start it without --cpus; to keep it, set `wait = \"sleep\"`)"),
        );
    }
    finding.advise(
        "a burst that uses it up stops every process of the group for tens of milliseconds",
        format!("{fix}  # of a container: start it without --cpus, with --cpuset-cpus instead"),
    )
}

/// The tightest quota of our group and those above it: its file, and microseconds in each period.
fn least_quota(host: &Host) -> Option<(String, u64, u64)> {
    let groups = host.text("/proc/self/cgroup").unwrap_or_default();
    let mut found: Vec<(String, u64, u64)> = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        for above in Path::new(path).ancestors() {
            let group = above.display().to_string();
            let group = group.trim_end_matches('/');
            if controllers.is_empty() {
                let file = format!("/sys/fs/cgroup{group}/cpu.max");
                let text = host.text(&file).unwrap_or_default();
                if let Some((quota, period)) = text.split_once(' ')
                    && let (Ok(quota), Ok(period)) = (quota.parse(), period.parse())
                {
                    found.push((file, quota, period));
                }
            } else if controllers.split(',').any(|name| name == "cpu") {
                let file = format!("/sys/fs/cgroup/{controllers}{group}/cpu.cfs_quota_us");
                let period = format!("/sys/fs/cgroup/{controllers}{group}/cpu.cfs_period_us");
                // -1 is none, and no number here.
                if let (Some(quota), Some(period)) = (host.number(&file), host.number(&period)) {
                    found.push((file, quota, period));
                }
            }
        }
    }
    found.retain(|(_, _, period)| *period > 0);
    found
        .into_iter()
        .min_by_key(|(_, quota, period)| u128::from(*quota) * 1_000_000 / u128::from(*period))
}

/// The group's cpuset against the machine's cores.
pub(super) fn cpuset(host: &Host, _: &Needs) -> Finding {
    const CHECK: &str = "cpuset";
    let wanted = "known to whoever chooses cores";
    let Some(online) = host.cores("/sys/devices/system/cpu/online") else {
        return Finding::untold(CHECK, wanted);
    };
    let usable = usable(host);
    let outside = online.iter().filter(|core| !usable.contains(core)).count();
    if outside == 0 {
        return Finding::ok(CHECK, "all cores of the machine", wanted);
    }
    Finding::ok(
        CHECK,
        format!(
            "{} of {} cores of the machine: {}",
            usable.len(),
            online.len(),
            host::list(&usable)
        ),
        wanted,
    )
}
