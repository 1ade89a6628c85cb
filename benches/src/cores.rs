//! Which cores the two sides of a measurement run on.

use crate::Failure;
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};
use std::{fs, io, str::FromStr};

/// The near side's core (the bench itself) and the far side's (its partners).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cores {
    /// Where the bench itself runs.
    pub near: usize,
    /// Where its partners run, one at a time.
    pub far: usize,
}

impl Cores {
    /// The first two cores that this process may use, of different hardware cores if there are any.
    ///
    /// # Errors
    ///
    /// When there is only one: two sides on one core measure the scheduler.
    pub fn choose() -> Result<Self, Failure> {
        choose_from(&allowed()?, siblings).ok_or_else(|| {
            "one core only: two sides on one core would measure the scheduler".into()
        })
    }

    /// Where else something can run: on the other cores that the calling thread may use, if possible
    /// not on hyper-threads of these two; where there are no others, on any.
    ///
    /// # Errors
    ///
    /// When the kernel does not tell.
    pub fn beside(self) -> io::Result<Vec<usize>> {
        Ok(self.beside_among(allowed()?, siblings))
    }

    fn beside_among(
        self,
        allowed: Vec<usize>,
        siblings: impl Fn(usize) -> Vec<usize>,
    ) -> Vec<usize> {
        let measured = [self.near, self.far];
        let related = [siblings(self.near), siblings(self.far)].concat();
        let others: Vec<usize> = without(&allowed, &measured);
        let apart = without(&others, &related);
        [apart, others]
            .into_iter()
            .find(|cores| !cores.is_empty())
            .unwrap_or(allowed)
    }

    /// Whether both are hyper-threads of one core.
    #[must_use]
    pub fn are_siblings(self) -> bool {
        siblings(self.near).contains(&self.far)
    }
}

impl FromStr for Cores {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text
            .split_once(',')
            .and_then(|(near, far)| Some((near.trim().parse().ok()?, far.trim().parse().ok()?)));
        match parsed {
            Some((near, far)) if near != far => Ok(Self { near, far }),
            _ => Err(format!("{text}: two different core numbers, such as 2,3")),
        }
    }
}

/// The cores that the calling thread may use.
fn allowed() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CpuSet::count())
        .filter(|core| set.is_set(*core).unwrap_or(false))
        .collect())
}

fn without(cores: &[usize], some: &[usize]) -> Vec<usize> {
    let kept = cores.iter().filter(|core| !some.contains(core));
    kept.copied().collect()
}

fn choose_from(allowed: &[usize], siblings: impl Fn(usize) -> Vec<usize>) -> Option<Cores> {
    let near = *allowed.first()?;
    let others = &allowed[1..];
    let related = siblings(near);
    let far = others
        .iter()
        .find(|core| !related.contains(core))
        .or(others.first())?;
    Some(Cores { near, far: *far })
}

/// The hyper-threads that share a core with this one, itself included; empty where unknown.
fn siblings(core: usize) -> Vec<usize> {
    let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    fs::read_to_string(path).map_or_else(|_| Vec::new(), |text| parse_list(&text))
}

/// `0-2,8` is 0, 1, 2, 8.
fn parse_list(text: &str) -> Vec<usize> {
    text.trim()
        .split(',')
        .filter_map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            Some(first.parse().ok()?..=last.parse().ok()?)
        })
        .flatten()
        .collect()
}

/// Pins the calling thread.
///
/// # Errors
///
/// When the core may not be used.
pub fn pin(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// Does something that starts threads, which inherit where their maker may run: for that time, on
/// every core that there is for this process.
///
/// # Errors
///
/// When the calling thread cannot be moved.
pub fn everywhere<T>(act: impl FnOnce() -> T) -> io::Result<T> {
    let here = Pid::from_raw(0);
    let pinned = sched_getaffinity(here)?;
    let mut all = CpuSet::new();
    for core in 0..CpuSet::count() {
        all.set(core)?;
    }
    sched_setaffinity(here, &all)?;
    let result = act();
    sched_setaffinity(here, &pinned)?;
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hyper_threads_of_one_core_are_the_last_resort() {
        let pairs = |core| vec![core & !1, core | 1];
        assert_eq!(
            choose_from(&[0, 1, 2, 3], pairs),
            Some(Cores { near: 0, far: 2 })
        );
        assert_eq!(choose_from(&[4, 5], pairs), Some(Cores { near: 4, far: 5 }));
        assert_eq!(choose_from(&[4], pairs), None);
    }

    #[test]
    fn others_have_their_own_cores_where_there_are_any() {
        let pairs = |core| vec![core & !1, core | 1];
        let measured = Cores { near: 0, far: 2 };
        let beside = |allowed: &[usize]| measured.beside_among(allowed.to_vec(), pairs);
        assert_eq!(beside(&[0, 1, 2, 3, 4, 5]), [4, 5]);
        assert_eq!(beside(&[0, 1, 2, 3]), [1, 3]);
        assert_eq!(beside(&[0, 2]), [0, 2]);
    }

    #[test]
    fn lists_of_cores() {
        assert_eq!(parse_list("0-2,8\n"), [0, 1, 2, 8]);
        assert_eq!("2,3".parse(), Ok(Cores { near: 2, far: 3 }));
        assert!("2,2".parse::<Cores>().is_err());
        assert!("2".parse::<Cores>().is_err());
    }
}
