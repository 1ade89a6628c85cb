//! Named points at which a test can kill this process. Nothing is left of them without the feature
//! `fail-points`.

/// A point of a protocol step, such as `fail_point!("push: marked")`.
#[cfg(not(feature = "fail-points"))]
macro_rules! fail_point {
    ($name:literal) => {};
}

/// A point of a protocol step: the process dies there when `IPC_FAIL_POINT` is `name=n` and this is
/// the n-th time that it comes by.
#[cfg(feature = "fail-points")]
macro_rules! fail_point {
    ($name:literal) => {
        $crate::fail::pass($name)
    };
}

pub(crate) use fail_point;

/// Every point, in the order in which a ring lives; the crash test walks them.
#[cfg(feature = "fail-points")]
pub const FAIL_POINTS: [&str; 30] = [
    "create: unnamed",
    "create: allocated",
    "create: header half written",
    "create: header written",
    "create: published",
    "attach: opened",
    "attach: role taken",
    "attach: mapped",
    "attach: producer recovered",
    "attach: incarnation stored",
    "attach: awake",
    "attach: consumer resumed",
    "push: marked",
    "push: half copied",
    "push: copied",
    "push: published",
    "push: counted",
    "board: written",
    "pop: skipped",
    "pop: read",
    "commit: begun",
    "commit: loss stored",
    "commit: committed",
    "sleep: announced",
    "sleep: over",
    "wake: needed",
    "wake: word changed",
    "close: said",
    "remove: roles taken",
    "remove: unlinked",
];

#[cfg(feature = "fail-points")]
pub(crate) fn pass(name: &str) {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    };
    static ARMED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let armed = ARMED.get_or_init(|| {
        let text = std::env::var("IPC_FAIL_POINT").ok()?;
        let (name, count) = text.split_once('=')?;
        Some((name.to_owned(), count.parse().ok()?))
    });
    assert!(FAIL_POINTS.contains(&name), "`{name}` is not listed");
    if let Some((point, count)) = armed
        && point == name
        && PASSED.fetch_add(1, Relaxed) + 1 == *count
    {
        // Nothing of this process runs after it, as in a real death.
        let _ = nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::Signal::SIGKILL);
    }
}
