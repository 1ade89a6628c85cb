//! What an attach has obtained of what it asked for: memory that is there, stays there, and comes in
//! huge pages.
//!
//! All of it is asked for and nothing of it is needed to be correct, so a refusal is no error: it is in
//! the report, with the fix.

use crate::header::{HUGE_PAGE, Info};
use memmap2::MmapRaw;
use nix::{
    errno::Errno,
    libc,
    sys::{
        resource::{Resource, getrlimit},
        stat::fstat,
    },
};
use std::{
    fmt,
    fs::{self, File},
    io,
    ops::Range,
};

/// Where the kernel tells what it has mapped for us.
const SMAPS: &str = "/proc/self/smaps";
/// The host's last word on huge pages in shared memory.
const SHMEM_ENABLED: &str = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";

/// What was obtained when a segment was attached. Measured once, at the end of the attach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Residency {
    /// Bytes that this process has mapped of the segment.
    pub mapped: u64,
    /// Bytes that the file system has allocated for the file.
    pub allocated: u64,
    /// Bytes of the mappings that were in memory and in this process's page tables, so that touching them
    /// costs no fault; `None` where `/proc` does not tell.
    pub resident: Option<u64>,
    /// Bytes of the mappings that cannot be paged out.
    pub locked: u64,
    /// Why not all of them, and the fix. An [`crate::Observer`] locks nothing and gives no reason.
    pub unlocked_because: Option<String>,
    /// Bytes of the mappings that lie in huge pages.
    pub huge: u64,
    /// Why none of them, and the fix where there is one.
    pub not_huge_because: Option<String>,
}

impl Residency {
    /// What a process that may not stall should know: memory not locked or not yet there. Huge pages
    /// are not missed.
    #[must_use]
    pub fn shortfall(&self) -> Option<String> {
        let absent = self
            .resident
            .filter(|resident| *resident < self.mapped)
            .map(|resident| {
                format!(
                    "{resident} of {} bytes were in memory\n  fix: free memory on the host, or raise the memory limit of this process's group",
                    self.mapped
                )
            });
        let unlocked = self.unlocked_because.as_ref().map(|reason| {
            format!(
                "{} of {} bytes are locked: {reason}",
                self.locked, self.mapped
            )
        });
        let both: Vec<String> = absent.into_iter().chain(unlocked).collect();
        (!both.is_empty()).then(|| both.join("\n"))
    }
}

/// One line. The fixes are in the fields and in [`Residency::shortfall`].
impl fmt::Display for Residency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} bytes mapped of {} allocated, ",
            self.mapped, self.allocated
        )?;
        match self.resident {
            Some(resident) => write!(formatter, "{resident} resident, ")?,
            None => formatter.write_str("an unknown part resident, ")?,
        }
        write!(
            formatter,
            "{} locked, {} in huge pages",
            self.locked, self.huge
        )?;
        for (what, reason) in [
            ("not all locked", &self.unlocked_because),
            ("no huge pages", &self.not_huge_because),
        ] {
            if let Some(first) = reason.as_deref().and_then(|reason| reason.lines().next()) {
                write!(formatter, "; {what}: {first}")?;
            }
        }
        Ok(())
    }
}

/// Locks the mappings (producer's page, consumer's region, slots) if `lock`, and measures.
pub(crate) fn obtain(info: &Info, file: &File, maps: &[MmapRaw; 3], lock: bool) -> Residency {
    let mut report = Residency {
        mapped: maps.iter().map(|map| map.len() as u64).sum(),
        allocated: fstat(file).map_or(0, |status| {
            u64::try_from(status.st_blocks).unwrap_or(0) * 512
        }),
        ..Residency::default()
    };
    // The small ones first: where the slots exceed the limit, the counters still fit.
    for map in maps.iter().filter(|_| lock) {
        match map.lock() {
            Ok(()) => report.locked += map.len() as u64,
            Err(error) => report.unlocked_because = Some(why_not_locked(&error)),
        }
    }
    let ranges = maps.each_ref().map(extent);
    match fs::read_to_string(SMAPS) {
        Ok(smaps) => {
            report.resident = Some(sum(&smaps, "Rss:", &ranges));
            report.huge = huge(&smaps, &ranges);
            if report.huge == 0 {
                let offered = offered(&smaps, &ranges[2]);
                report.not_huge_because = Some(why_not_huge(info, file, offered));
            }
        }
        Err(error) => {
            report.not_huge_because = Some(format!("{SMAPS} does not tell: {error}"));
        }
    }
    report
}

/// Whether the kernel would back this mapping with huge pages.
pub(crate) fn offers_huge_pages(map: &MmapRaw) -> bool {
    fs::read_to_string(SMAPS).is_ok_and(|smaps| offered(&smaps, &extent(map)))
}

fn extent(map: &MmapRaw) -> Range<u64> {
    let start = map.as_ptr().addr() as u64;
    start..start + map.len() as u64
}

fn why_not_locked(error: &io::Error) -> String {
    const FIX: &str = "\n  fix: raise the limit (`ulimit -l`, LimitMEMLOCK= of its unit), or give it CAP_IPC_LOCK";
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOMEM | Errno::EPERM) => {
            let limit = getrlimit(Resource::RLIMIT_MEMLOCK).map_or(0, |(limit, _)| limit);
            format!("this process may lock {limit} bytes in all{FIX}")
        }
        _ => error.to_string(),
    }
}

fn why_not_huge(info: &Info, file: &File, offered: bool) -> String {
    let slots = info.slot_region().1;
    if slots < HUGE_PAGE {
        return format!("the slots, {slots} bytes, do not fill one");
    }
    if offered {
        return "offered, but none was free when the segment was created\n  fix: `echo 1 > /proc/sys/vm/compact_memory`, then create it anew".into();
    }
    if fs::read_to_string(SHMEM_ENABLED).is_ok_and(|text| text.contains("[deny]")) {
        return format!(
            "the host denies them\n  fix: `echo never > {SHMEM_ENABLED}`, which leaves it to the mounts"
        );
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let device = fstat(file).map_or(0, |status| status.st_dev);
    match mount_of(&mounts, libc::major(device), libc::minor(device)) {
        Some((at, "tmpfs", options)) if !options.contains("huge=") => format!(
            "the tmpfs on {at} is mounted without\n  fix: `mount -o remount,huge=advise {at}`, then create the segment anew"
        ),
        Some((_, "tmpfs", _)) | None => {
            "not offered to this process\n  fix: see THPeligible in its /proc/PID/smaps, and prctl PR_SET_THP_DISABLE".into()
        }
        Some((at, kind, _)) => format!(
            "{at} is {kind}\n  fix: keep rings in a tmpfs mounted with huge=advise"
        ),
    }
}

/// Mount point, type and options of a device's file system, out of mountinfo.
fn mount_of(mounts: &str, major: u32, minor: u32) -> Option<(&str, &str, &str)> {
    let device = format!("{major}:{minor}");
    mounts.lines().find_map(|line| {
        let mut words = line.split(' ');
        let found = words.nth(2)? == device;
        let at = words.nth(1)?;
        let mut system = words.skip_while(|word| *word != "-").skip(1);
        let kind = system.next()?;
        found.then_some((at, kind, system.nth(1)?))
    })
}

/// The bytes that smaps states under `name` for these ranges. A mapping that the kernel has merged with
/// a neighbour counts at most with its part of the ranges.
fn sum(smaps: &str, name: &str, ranges: &[Range<u64>]) -> u64 {
    let mut within = 0;
    let mut total = 0;
    for line in smaps.lines() {
        if let Some(mapping) = range_of(line) {
            let parts = ranges.iter().map(|range| {
                let end = mapping.end.min(range.end);
                end.saturating_sub(mapping.start.max(range.start))
            });
            within = parts.sum();
        } else if let Some(kib) = field(line, name) {
            total += (kib * 1024).min(within);
        }
    }
    total
}

fn huge(smaps: &str, ranges: &[Range<u64>]) -> u64 {
    ["ShmemPmdMapped:", "FilePmdMapped:"]
        .iter()
        .map(|name| sum(smaps, name, ranges))
        .sum()
}

/// Whether smaps calls the mapping of this range eligible for huge pages.
fn offered(smaps: &str, range: &Range<u64>) -> bool {
    let mut here = false;
    smaps.lines().any(|line| {
        if let Some(mapping) = range_of(line) {
            here = mapping.contains(&range.start);
        }
        here && field(line, "THPeligible:") == Some(1)
    })
}

/// The addresses in a line that opens a mapping in smaps.
fn range_of(line: &str) -> Option<Range<u64>> {
    let (start, rest) = line.split_once('-')?;
    let (end, _) = rest.split_once(' ')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some(number(start)?..number(end)?)
}

fn field(line: &str, name: &str) -> Option<u64> {
    let value = line.strip_prefix(name)?.trim_start();
    value.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::slice::from_ref;

    const SMAPS: &str = "\
7f0000000000-7f0000400000 rw-s 00200000 00:2a 3 /dev/shm/x.ring
Rss:                4096 kB
ShmemPmdMapped:     2048 kB
FilePmdMapped:         0 kB
THPeligible:           1
VmFlags: rd wr sh
7f0000400000-7f0000402000 r--s 00002000 00:2a 3 /dev/shm/x.ring
Rss:                   8 kB
ShmemPmdMapped:        0 kB
THPeligible:           0
7f0000500000-7f0000600000 rw-p 00000000 00:00 0
Rss:                1024 kB
";

    #[test]
    fn smaps_is_summed_over_the_mappings_in_question() {
        let slots = 0x7f00_0000_0000..0x7f00_0040_0000;
        let page = 0x7f00_0040_0000..0x7f00_0040_1000;
        assert_eq!(sum(SMAPS, "Rss:", from_ref(&slots)), 4 << 20);
        assert_eq!(huge(SMAPS, from_ref(&slots)), 2 << 20);
        // Half of a mapping that two segments share.
        assert_eq!(sum(SMAPS, "Rss:", from_ref(&page)), 4096);
        assert_eq!(
            sum(SMAPS, "Rss:", &[page.clone(), slots.clone()]),
            (4 << 20) + 4096
        );
        assert_eq!(sum(SMAPS, "Rss:", from_ref(&(0..4096))), 0);
        assert!(offered(SMAPS, &slots) && !offered(SMAPS, &page));
    }

    #[test]
    fn the_mount_of_a_device_is_found() {
        let mounts = "\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:26 / /dev/shm rw,nosuid shared:4 - tmpfs tmpfs rw,size=64k,huge=advise
";
        assert_eq!(
            mount_of(mounts, 0, 26),
            Some(("/dev/shm", "tmpfs", "rw,size=64k,huge=advise"))
        );
        assert_eq!(mount_of(mounts, 0, 27), None);
    }

    #[test]
    fn one_line_for_the_log_and_the_fix_for_the_warning() {
        let report = Residency {
            mapped: 100,
            allocated: 200,
            resident: Some(90),
            locked: 10,
            unlocked_because: Some("a limit\n  fix: more".into()),
            huge: 0,
            not_huge_because: Some("none offered\n  fix: some".into()),
        };
        assert_eq!(
            report.to_string(),
            "100 bytes mapped of 200 allocated, 90 resident, 10 locked, 0 in huge pages; not all locked: a limit; no huge pages: none offered"
        );
        let shortfall = report.shortfall().unwrap();
        for part in [
            "90 of 100 bytes were in memory",
            "10 of 100 bytes are locked",
            "fix: more",
        ] {
            assert!(shortfall.contains(part), "{shortfall}");
        }
        let whole = Residency {
            mapped: 100,
            resident: Some(100),
            ..Residency::default()
        };
        assert_eq!(whole.shortfall(), None);
    }
}
