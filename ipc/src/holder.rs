//! Who holds a role, in its own words. For people: who holds it, a lock decides.

use crate::sync::{AtomicU32, AtomicU64};
use std::sync::atomic::Ordering::Relaxed;

/// Bytes of a name that are kept.
const NAME_BYTES: usize = 56;

/// What the last holder of a role said of itself. Written by it, whole or not: nobody depends on it.
#[repr(C, align(64))]
#[derive(Default)]
pub(crate) struct HolderLine {
    /// 0 before the first.
    pid: AtomicU32,
    /// `pid` once it has left in good order: whoever dies leaves it as it was.
    left: AtomicU32,
    name: [AtomicU64; NAME_BYTES / 8],
}

/// Who holds a role, or was the last to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its process id, in its own PID namespace.
    pub pid: u32,
    /// Its name: what it was introduced as, or else its program's.
    pub name: String,
    /// Whether it has given the role back in good order. Who holds no role and has not left is dead.
    pub left: bool,
}

impl HolderLine {
    /// This process, under the name of its program.
    pub(crate) fn sign(&self) {
        let program = std::env::args_os().next().unwrap_or_default();
        let name = std::path::Path::new(&program).file_name();
        self.rename(&name.unwrap_or_default().to_string_lossy());
        self.left.store(0, Relaxed);
        self.pid.store(std::process::id(), Relaxed);
    }

    /// Under another name, cut where it is too long.
    pub(crate) fn rename(&self, name: &str) {
        let mut bytes = [0; NAME_BYTES];
        let mut end = name.len().min(NAME_BYTES);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        bytes[..end].copy_from_slice(&name.as_bytes()[..end]);
        for (word, part) in self.name.iter().zip(bytes.chunks_exact(8)) {
            let value = part
                .iter()
                .rev()
                .fold(0, |value, byte| value << 8 | u64::from(*byte));
            // Relaxed, here and below: a torn name is a wrong name on a screen, for a moment.
            word.store(value, Relaxed);
        }
    }

    /// It is about to give the role back.
    pub(crate) fn leave(&self) {
        self.left.store(self.pid.load(Relaxed), Relaxed);
    }

    /// What is said there; whatever is no text is shown as such.
    pub(crate) fn read(&self) -> Option<Holder> {
        let pid = self.pid.load(Relaxed);
        let left = self.left.load(Relaxed) == pid;
        let words = self
            .name
            .iter()
            .map(|word| word.load(Relaxed).to_le_bytes());
        let bytes: Vec<u8> = words.flatten().take_while(|byte| *byte != 0).collect();
        let name: String = String::from_utf8_lossy(&bytes)
            .chars()
            .map(|letter| {
                if letter.is_control() {
                    char::REPLACEMENT_CHARACTER
                } else {
                    letter
                }
            })
            .collect();
        (pid != 0).then_some(Holder { pid, name, left })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_as_far_as_it_fits() {
        let line = HolderLine::default();
        assert_eq!(line.read(), None);
        line.sign();
        let signed = line.read().unwrap();
        assert_eq!((signed.pid, signed.left), (std::process::id(), false));
        line.leave();
        assert!(line.read().unwrap().left);
        line.sign();
        assert!(
            !line.read().unwrap().left,
            "a successor of the same process"
        );
        let long = "\u{e9}".repeat(60);
        for (name, kept) in [
            ("game_shard.0", "game_shard.0"),
            (long.as_str(), &long[..56]),
        ] {
            line.rename(name);
            assert_eq!(line.read().unwrap().name, kept);
        }
    }

    #[test]
    fn what_a_hostile_holder_writes_moves_no_cursor() {
        let line = HolderLine::default();
        line.sign();
        line.rename("\u{1b}[2Jgone");
        assert_eq!(line.read().unwrap().name, "\u{fffd}[2Jgone");
    }
}
