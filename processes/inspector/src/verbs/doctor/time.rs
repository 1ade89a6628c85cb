//! Time: the clock, the timer, and what the machine below takes.

use super::{cores::pinned, finding::Finding, host::Host, needs::Needs};
use std::{thread::sleep, time::Duration};

/// Between the two looks at the cores' counters: some ten ticks in which they are kept.
const BETWEEN_LOOKS: Duration = Duration::from_millis(300);

/// Stamps cost no system call.
pub(super) fn clock(host: &Host, _: &Needs) -> Finding {
    const CHECK: &str = "clock-source";
    const DIRECTORY: &str = "/sys/devices/system/clocksource/clocksource0";
    let wanted = "one that is read without a system call (tsc)";
    let Some(current) = host.text(&format!("{DIRECTORY}/current_clocksource")) else {
        return Finding::untold(CHECK, wanted);
    };
    let quick = [
        "tsc",
        "kvm-clock",
        "hyperv_clocksource_tsc_page",
        "arch_sys_counter",
    ];
    let finding = Finding::ok(CHECK, current.clone(), wanted);
    if quick.contains(&current.as_str()) {
        return finding;
    }
    let available = host
        .text(&format!("{DIRECTORY}/available_clocksource"))
        .unwrap_or_default();
    let better = quick
        .iter()
        .find(|name| available.split(' ').any(|other| other == **name));
    finding.advise(
        "each time stamp is a system call, some 0.3-2 us, twice a hop",
        match better {
            Some(name) => format!("echo {name} > {DIRECTORY}/current_clocksource"),
            None => "boot with `clocksource=tsc tsc=reliable` if the machine's clock is sound (`dmesg | grep -i tsc` says why not)".to_owned(),
        },
    )
}

/// How often the timer interrupts a busy core.
pub(super) fn tick(host: &Host, needs: &Needs) -> Finding {
    const CHECK: &str = "timer-tick";
    let wanted = "none on the cores of hot processes (nohz_full)";
    let Some(hertz) = host.tick_hertz() else {
        return Finding::untold(CHECK, wanted);
    };
    let pinned = pinned(host, needs);
    let quiet = host
        .cores("/sys/devices/system/cpu/nohz_full")
        .unwrap_or_default();
    let finding = Finding::ok(
        CHECK,
        format!(
            "{hertz} a second, every {} ms",
            thousandths(1_000_000 / hertz)
        ),
        wanted,
    );
    if pinned.iter().all(|core| quiet.contains(core)) {
        return finding;
    }
    finding.advise(
        format!("each hot loop is interrupted {hertz} times a second for 1-5 us; p99.9 and above show it"),
        "see `isolation`: nohz_full takes the tick off these cores",
    )
}

fn thousandths(micros: u64) -> String {
    if micros.is_multiple_of(1000) {
        (micros / 1000).to_string()
    } else {
        format!("{}.{:03}", micros / 1000, micros % 1000)
            .trim_end_matches('0')
            .to_owned()
    }
}

/// How late a sleep may end.
pub(super) fn slack(host: &Host, _: &Needs) -> Finding {
    const CHECK: &str = "timer-slack";
    let wanted = "50 us or less";
    let Some(slack_ns) = host.number("/proc/self/timerslack_ns") else {
        return Finding::untold(CHECK, wanted);
    };
    let finding = Finding::ok(CHECK, format!("{} us", thousandths(slack_ns)), wanted);
    if slack_ns <= 50_000 {
        return finding;
    }
    finding.advise(
        "timed waits end that much late: heartbeats, polls and bounds on silence",
        "start the launcher from a shell or unit that sets TimerSlackNSec=50us",
    )
}

/// What the machine below gives to others.
pub(super) fn steal(host: &Host, _: &Needs) -> Finding {
    const CHECK: &str = "steal";
    let wanted = "0.0 %";
    let Some(before) = looked(host) else {
        return Finding::untold(CHECK, wanted);
    };
    let ((stolen, all), since) = if host.is_live() {
        sleep(BETWEEN_LOOKS);
        let after = looked(host).unwrap_or(before);
        let part = (
            after.0.saturating_sub(before.0),
            after.1.saturating_sub(before.1),
        );
        (part, "in two looks, 300 ms apart")
    } else {
        (before, "since boot")
    };
    let tenths = stolen * 1000 / all.max(1);
    let finding = Finding::ok(
        CHECK,
        format!("{}.{} % {since}", tenths / 10, tenths % 10),
        wanted,
    );
    if tenths < 10 {
        return finding;
    }
    finding.advise(
        "the machine below runs others on our cores: hot loops stand still for milliseconds, and no setting of this host prevents it",
        "move to dedicated cores (dedicated host, or vCPUs pinned one to one)",
    )
}

/// Stolen and all time of all cores, in ticks.
fn looked(host: &Host) -> Option<(u64, u64)> {
    let line = host.field("/proc/stat", "cpu")?;
    let times: Vec<u64> = line
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    // Guests' time is in the user's already.
    Some((*times.get(7)?, times.iter().take(8).sum()))
}
