//! The exit codes, of all verbs.

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done, and what was looked at is sound.
    Fine = 0,
    /// Done, and something is wrong with what was looked at.
    Trouble = 1,
    /// Not done: bad arguments, no such ring, no rights.
    Impossible = 2,
}
