//! Who is producer and who is consumer: open-file-description locks on one byte each.
//!
//! The kernel drops such a lock when its holder dies, whatever the PID namespace. A stopped process
//! keeps it, so nobody takes over from one that may wake up. PIDs decide nothing.

use crate::error::Error;
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, fcntl},
    libc,
};
use std::{fmt, fs::File, path::Path};

/// A role in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Writes the slots.
    Producer,
    /// Reads them and says how far it is.
    Consumer,
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        })
    }
}

/// What is known of the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A live process holds the role.
    Attached,
    /// It said goodbye: nothing more will come until a successor attaches.
    Closed,
    /// Nobody holds the role, and nobody said goodbye: it died, or has not come yet.
    Absent,
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "constants below 4; the C type is short"
)]
const F_RDLCK: i16 = libc::F_RDLCK as i16;
#[expect(
    clippy::cast_possible_truncation,
    reason = "constants below 4; the C type is short"
)]
const F_WRLCK: i16 = libc::F_WRLCK as i16;
#[expect(
    clippy::cast_possible_truncation,
    reason = "constants below 4; the C type is short"
)]
const F_UNLCK: i16 = libc::F_UNLCK as i16;

/// Takes a role until it is given back, or `file`'s open file description goes.
pub(crate) fn take(file: &File, role: Role, path: &Path) -> Result<(), Error> {
    match fcntl(file, FcntlArg::F_OFD_SETLK(&region(role))) {
        Ok(_) => Ok(()),
        Err(Errno::EAGAIN | Errno::EACCES) => Err(Error::RoleTaken {
            path: path.to_owned(),
            role,
        }),
        Err(error) => Err(Error::io("lock a role of", path, error)),
    }
}

/// Gives back whatever `file` holds. Closing it would not do: a child that this process is starting has a
/// copy of every descriptor until it runs its program, and with it the lock.
pub(crate) fn release(file: &File) {
    for role in [Role::Producer, Role::Consumer] {
        let mut region = region(role);
        region.l_type = F_UNLCK;
        // Whatever the answer: the kernel does it at the last close.
        let _ = fcntl(file, FcntlArg::F_OFD_SETLK(&region));
    }
}

/// Whether another open file description holds the role. A read-only `file` suffices to ask. Where
/// the kernel does not answer, yes: nothing may be taken from somebody who may be there.
pub(crate) fn is_held(file: &File, role: Role) -> bool {
    let mut question = region(role);
    // A role is a write lock. Who may only observe can take a read lock, which is none.
    question.l_type = F_RDLCK;
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut question)).is_err() || question.l_type != F_UNLCK
}

fn region(role: Role) -> libc::flock {
    let start = match role {
        Role::Producer => 0,
        Role::Consumer => 1,
    };
    libc::flock {
        l_type: F_WRLCK,
        // SEEK_SET.
        l_whence: 0,
        l_start: start,
        l_len: 1,
        l_pid: 0,
    }
}
