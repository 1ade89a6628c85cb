//! The kernel's half of sleeping and waking, by `futex` and `futex_waitv`.
//!
//! In a model there is no kernel: whoever waits looks at the word itself, which is all that a futex
//! promises to notice.

use crate::sync::AtomicU32;
use std::time::Duration;

/// Most words that one call can wait on.
pub(crate) const MOST_WORDS: usize = 128;

/// Who may wait on a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Processes that map the same file.
    Shared,
    /// Threads of this process.
    Private,
}

/// A word with the value that its waiter has seen.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'word> {
    pub(crate) word: &'word AtomicU32,
    pub(crate) value: u32,
    pub(crate) scope: Scope,
}

#[cfg(not(loom))]
pub(crate) use kernel::{Waits, wake};
#[cfg(loom)]
pub(crate) use model::{Waits, wake};

#[cfg(not(loom))]
mod kernel {
    use super::{AtomicU32, Duration, MOST_WORDS, Scope, Seen};
    use crate::clock;
    use nix::{errno::Errno, libc};

    const SIZE_U32: u32 = 2;
    const PRIVATE: u32 = 128;

    /// `struct futex_waitv` of the kernel.
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct Entry {
        value: u64,
        address: u64,
        flags: u32,
        reserved: u32,
    }

    /// Words to wait on. What is no longer there when the wait begins ends it at once.
    pub(crate) struct Waits {
        entries: [Entry; MOST_WORDS],
        count: usize,
    }

    impl Waits {
        /// No word yet.
        pub(crate) fn none() -> Self {
            Self {
                entries: [Entry::default(); MOST_WORDS],
                count: 0,
            }
        }

        /// Adds a word; ignored beyond [`MOST_WORDS`].
        pub(crate) fn add(&mut self, seen: Seen<'_>) {
            let Some(entry) = self.entries.get_mut(self.count) else {
                return;
            };
            *entry = Entry {
                value: u64::from(seen.value),
                address: seen.word.as_ptr() as u64,
                flags: SIZE_U32
                    | if seen.scope == Scope::Private {
                        PRIVATE
                    } else {
                        0
                    },
                reserved: 0,
            };
            self.count += 1;
        }

        /// Sleeps until a word is not as seen, is woken, or the time is up. Where the kernel refuses
        /// (`futex_waitv` came with 5.16), sleeps for `blind` instead.
        pub(crate) fn sleep(&self, limit: Duration, blind: Duration) {
            let due = u128::from(clock::mono_ns()) + limit.as_nanos();
            let timeout = libc::timespec {
                tv_sec: i64::try_from(due / 1_000_000_000).unwrap_or(i64::MAX),
                tv_nsec: i64::try_from(due % 1_000_000_000).unwrap_or(0),
            };
            // SAFETY: `count` initialised entries, which the kernel only reads; an address that is no
            // longer mapped would be an error to it, not a fault to us.
            let result = unsafe {
                libc::syscall(
                    libc::SYS_futex_waitv,
                    self.entries.as_ptr(),
                    self.count,
                    0,
                    &raw const timeout,
                    libc::CLOCK_MONOTONIC,
                )
            };
            // EFAULT: a word has gone with its owner, which is a reason to look again, as a change is.
            let expected = [Errno::EAGAIN, Errno::EINTR, Errno::ETIMEDOUT, Errno::EFAULT];
            if result < 0 && !expected.contains(&Errno::last()) {
                std::thread::sleep(blind);
            }
        }
    }

    /// Wakes everybody who waits on the word.
    pub(crate) fn wake(word: &AtomicU32, scope: Scope) {
        let private = if scope == Scope::Private {
            libc::FUTEX_PRIVATE_FLAG
        } else {
            0
        };
        // SAFETY: FUTEX_WAKE only uses the address, which is valid for as long as the reference.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                word.as_ptr(),
                libc::FUTEX_WAKE | private,
                i32::MAX,
            )
        };
    }
}

#[cfg(loom)]
mod model {
    use super::{AtomicU32, Duration, Scope, Seen};

    /// As the kernel's, without sleeping: a model waits on the word itself.
    pub(crate) struct Waits;

    impl Waits {
        pub(crate) fn none() -> Self {
            Self
        }

        pub(crate) fn add(&mut self, _seen: Seen<'_>) {}

        pub(crate) fn sleep(&self, _limit: Duration, _blind: Duration) {
            loom::thread::yield_now();
        }
    }

    pub(crate) fn wake(_word: &AtomicU32, _scope: Scope) {}
}
