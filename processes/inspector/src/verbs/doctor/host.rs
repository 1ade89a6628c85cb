//! A host as `/proc` and `/sys` tell it: this one, or one whose trees were copied below some directory.

use nix::{
    sys::statvfs::statvfs,
    time::{ClockId, clock_getres},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A host.
#[derive(Debug)]
pub(super) struct Host {
    root: PathBuf,
    /// Whether it is this one, which can also be asked by system calls.
    live: bool,
}

/// A file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileSystem {
    pub(super) mount: String,
    pub(super) kind: String,
    pub(super) options: String,
    pub(super) bytes: u64,
    pub(super) free: u64,
}

/// A limit of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    /// `u64::MAX` for none.
    pub(super) soft: u64,
}

impl Host {
    /// This host, or the one copied below `root`.
    pub(super) fn at(root: Option<&Path>) -> Self {
        Self {
            root: root.unwrap_or(Path::new("/")).to_owned(),
            live: root.is_none(),
        }
    }

    /// Whether it is this one, alive.
    pub(super) const fn is_live(&self) -> bool {
        self.live
    }

    /// Where a path of the host is for us.
    pub(super) fn path(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// A file's text, without the line break at its end.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let text = fs::read_to_string(self.path(Path::new(path))).ok()?;
        Some(text.trim_end().to_owned())
    }

    /// A file that holds one number.
    pub(super) fn number(&self, path: &str) -> Option<u64> {
        self.text(path)?.trim().parse().ok()
    }

    /// A file that holds a list of cores, such as `0-3,8`.
    pub(super) fn cores(&self, path: &str) -> Option<Vec<usize>> {
        cores(&self.text(path)?)
    }

    /// A line `name: value` of a file; or `name value`, as in smaller ones.
    pub(super) fn field(&self, path: &str, name: &str) -> Option<String> {
        let text = self.text(path)?;
        let found = text.lines().find_map(|line| {
            let rest = line.strip_prefix(name)?;
            rest.starts_with([':', ' ', '\t', '='])
                .then(|| rest.trim_start_matches([':', ' ', '\t', '=']).trim())
        });
        found.map(str::to_owned)
    }

    /// The value of the switch in brackets: `always [madvise] never`.
    pub(super) fn switch(&self, path: &str) -> Option<String> {
        let text = self.text(path)?;
        let (_, rest) = text.split_once('[')?;
        Some(rest.split_once(']')?.0.to_owned())
    }

    /// A limit by its name in `/proc/self/limits`.
    pub(super) fn limit(&self, name: &str) -> Option<Limit> {
        let line = self.field("/proc/self/limits", name)?;
        let soft = match line.split_whitespace().next()? {
            "unlimited" => u64::MAX,
            number => number.parse().ok()?,
        };
        Some(Limit { soft })
    }

    /// Whether this process has a capability, by its bit.
    pub(super) fn capable(&self, bit: u32) -> bool {
        self.field("/proc/self/status", "CapEff")
            .and_then(|mask| u64::from_str_radix(&mask, 16).ok())
            .is_some_and(|mask| mask >> bit & 1 == 1)
    }

    /// Ticks of the kernel's timer in a second.
    pub(super) fn tick_hertz(&self) -> Option<u64> {
        if self.live {
            // The coarse clock advances by the tick.
            let tick = clock_getres(ClockId::CLOCK_MONOTONIC_COARSE).ok()?;
            let tick_ns = u64::try_from(tick.tv_nsec()).ok().filter(|ns| *ns > 0)?;
            return Some((1_000_000_000 + tick_ns / 2) / tick_ns);
        }
        let release = self.text("/proc/sys/kernel/osrelease")?;
        let config = format!("/boot/config-{release}");
        self.field(&config, "CONFIG_HZ")?.parse().ok()
    }

    /// The file system that a path is on, or would be.
    pub(super) fn file_system(&self, path: &Path) -> Option<FileSystem> {
        let mounts = self.text("/proc/self/mountinfo")?;
        let mut found: Option<FileSystem> = None;
        for line in mounts.lines() {
            let Some(mount) = parse_mount(line) else {
                continue;
            };
            // The longest; of equal ones the last, which hides those before it.
            let longer = |other: &FileSystem| other.mount.len() <= mount.mount.len();
            if path.starts_with(&mount.mount) && found.as_ref().is_none_or(longer) {
                found = Some(mount);
            }
        }
        let mut found = found?;
        (found.bytes, found.free) = if self.live {
            room(path)?
        } else {
            let stated = self.stated_size(&found.options)?;
            (stated, stated)
        };
        Some(found)
    }

    /// The size that a tmpfs was mounted with: half of the memory by default.
    fn stated_size(&self, options: &str) -> Option<u64> {
        let memory = || {
            let text = self.field("/proc/meminfo", "MemTotal")?;
            let kib: u64 = text.split(' ').next()?.parse().ok()?;
            Some(kib * 1024)
        };
        let Some(size) = options
            .split(',')
            .find_map(|option| option.strip_prefix("size="))
        else {
            return Some(memory()? / 2);
        };
        let digits = size.trim_end_matches(|letter: char| !letter.is_ascii_digit());
        let number: u64 = digits.parse().ok()?;
        match &size[digits.len()..] {
            "" => Some(number),
            "k" => Some(number << 10),
            "m" => Some(number << 20),
            "g" => Some(number << 30),
            "%" => Some(memory()? / 100 * number),
            _ => None,
        }
    }
}

/// Size and free bytes of the file system of a path or of the nearest directory above it that exists.
fn room(path: &Path) -> Option<(u64, u64)> {
    let directory = path.ancestors().find(|directory| directory.exists())?;
    let system = statvfs(directory).ok()?;
    let unit = system.fragment_size();
    Some((system.blocks() * unit, system.blocks_available() * unit))
}

fn parse_mount(line: &str) -> Option<FileSystem> {
    let (before, after) = line.split_once(" - ")?;
    let mut after = after.split(' ');
    Some(FileSystem {
        mount: before.split(' ').nth(4)?.replace("\\040", " "),
        kind: after.next()?.to_owned(),
        options: after.nth(1)?.to_owned(),
        bytes: 0,
        free: 0,
    })
}

/// The cores of a list such as `0-3,8`. Empty for none.
pub(super) fn cores(list: &str) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    for part in list.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        if last > 1 << 16 {
            return None;
        }
        found.extend(first..=last);
    }
    Some(found)
}

/// A list of cores as the kernel writes it; `none` for none.
pub(super) fn list(cores: &[usize]) -> String {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for core in cores {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == *core => *last = *core,
            _ => parts.push((*core, *core)),
        }
    }
    let text = parts.iter().map(|(first, last)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    });
    let text = text.collect::<Vec<_>>().join(",");
    if text.is_empty() { "none".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_are_read_and_written_as_the_kernel_does() {
        for text in ["0", "0-3", "0-3,8", "1,3,5-7"] {
            assert_eq!(list(&cores(text).unwrap()), text);
        }
        assert_eq!(cores("").unwrap(), Vec::<usize>::new());
        assert_eq!(list(&[]), "none");
        for wrong in ["x", "1-", "0-99999999999"] {
            assert_eq!(cores(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn this_host_tells_its_tick_and_the_room_of_a_directory() {
        let host = Host::at(None);
        assert!((24..=10_000).contains(&host.tick_hertz().unwrap()));
        let system = host.file_system(Path::new("/dev/shm/not/there")).unwrap();
        assert!(system.bytes >= system.free && system.bytes > 0);
    }
}
