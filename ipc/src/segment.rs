//! The file of a ring or board: opened, checked, and mapped by role.
//!
//! | region | written by | producer maps | consumer maps | observer maps |
//! |---|---|---|---|---|
//! | header | creator, once | read | read | read |
//! | producer page | producer | write | read | read |
//! | consumer region | consumer | read | write | read |
//! | slots | producer | write | read | read |
//!
//! Who owns the file may still truncate it under live mappings: whoever then touches a page that is
//! gone dies of SIGBUS, a death like any other. Its role is free, its peer learns of it, and attach
//! refuses what is left.

use crate::{
    difference::difference,
    error::Error,
    header::{FORMAT, HEADER_BYTES, Info, Kind},
    message::{self, Message},
    residency::{self, Residency},
    role::{self, Role},
};
use memmap2::{Advice, MmapOptions, MmapRaw};
use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    sys::stat::{FileStat, Mode, SFlag, fstat, lstat},
    unistd::{Gid, getegid, geteuid, getgroups},
};
use std::{fs::File, os::unix::fs::FileExt, path::Path};

/// An opened segment whose header has been checked.
pub(crate) struct Segment {
    pub(crate) info: Info,
    pub(crate) file: File,
    /// What the mapping obtained; nothing before [`Segment::map`].
    pub(crate) residency: Residency,
    /// The role that is held by this value.
    holding: Option<Holding>,
}

/// A role's lock, and the process that took it.
///
/// A lock stays as long as its open file description, and a mapping keeps its description open. The
/// mappings of a process that dies stay while anybody reads its command line, as `ps` does. So nothing is
/// mapped by the lock's description: it goes with the descriptors, which nobody else can keep.
struct Holding {
    lock: File,
    process: u32,
}

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// For looking.
    Read,
    /// For taking a role.
    Write,
}

/// Who maps a segment, which decides what it may write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// The producer of a ring, the writer of a board.
    Producer,
    /// The consumer of a ring.
    Consumer,
    /// The reader of a board: writes nothing, but may not stall.
    Reader,
    /// Writes nothing and has time.
    Observer,
}

impl Segment {
    /// Opens and checks a segment; with `Access::Write` its file may be mapped for writing and its
    /// roles may be taken.
    pub(crate) fn open(path: &Path, access: Access) -> Result<Self, Error> {
        let file = open_file(path, access)?;
        let status = fstat(&file).map_err(|error| Error::io("examine", path, error))?;
        check_file(&status).map_err(|reason| Error::Invalid {
            path: path.to_owned(),
            reason,
        })?;
        if !is_trusted(&status, access) {
            let reason = format!(
                "{}, and only its own, root's and those shared with a group of ours are trusted",
                whose(&status)
            );
            return Err(Error::Denied {
                action: "use",
                path: path.to_owned(),
                reason,
            });
        }
        let length = u64::try_from(status.st_size).unwrap_or(0);
        let info = Info::parse(path, &read_header(path, &file, length)?, length)?;
        // st_blocks counts 512 bytes. A sparse copy would end in SIGBUS when its file system is full.
        if u64::try_from(status.st_blocks).unwrap_or(0) * 512 < length {
            let reason = "not really allocated, a sparse copy".into();
            return Err(Error::Invalid {
                path: path.to_owned(),
                reason,
            });
        }
        Ok(Self {
            info,
            file,
            residency: Residency::default(),
            holding: None,
        })
    }

    /// Refuses a segment that carries anything but `T` in the way that `expected` says.
    pub(crate) fn expect<T: Message>(&self, board: bool) -> Result<(), Error> {
        if (self.info.kind == Kind::Board) != board {
            let expected = if board { "board" } else { "ring" };
            return Err(Error::Kind {
                path: self.info.path.clone(),
                found: self.info.kind.name(),
                expected,
            });
        }
        let ours = message::schema::<T>();
        // Equal text is what counts; the fingerprint is its short name.
        if self.info.schema != ours || self.info.message_size as usize != size_of::<T>() {
            let mut difference = difference(&self.info.schema, &ours);
            if difference.is_empty() {
                let stated = self.info.message_size;
                difference = format!(
                    "  size: {stated} bytes by the segment's header, {} bytes in its schema and this program\n",
                    size_of::<T>()
                );
            }
            return Err(Error::Layout {
                path: self.info.path.clone(),
                difference,
            });
        }
        Ok(())
    }

    /// Takes a role for the life of this value.
    pub(crate) fn take(&mut self, role: Role) -> Result<(), Error> {
        let path = &self.info.path;
        let lock = open_file(path, Access::Write)?;
        role::take(&lock, role, path)?;
        // The file may have been removed, and another created in its place, since it was opened: a
        // role in a ring that nobody else can find would swallow every message.
        let is_ours = is_at(&self.file, path) && is_same(&self.file, &lock);
        self.holding = Some(Holding {
            lock,
            process: std::process::id(),
        });
        if is_ours {
            Ok(())
        } else {
            Err(Error::NotFound {
                path: self.info.path.clone(),
            })
        }
    }

    /// Whether this process has taken a role by this value. A child that was forked has a copy of it, and
    /// may not give back what its parent holds.
    pub(crate) fn is_held_here(&self) -> bool {
        self.held_lock().is_some()
    }

    fn held_lock(&self) -> Option<&File> {
        let holding = self.holding.as_ref()?;
        (holding.process == std::process::id()).then_some(&holding.lock)
    }

    /// Maps the producer's page, the consumer's region and the slots, each writable by its writer only,
    /// and obtains the memory behind them before anything is touched on the hot path.
    pub(crate) fn map(&mut self, view: View) -> Result<[MmapRaw; 3], Error> {
        let info = &self.info;
        let maps = [
            self.map_region(info.producer_region(), view == View::Producer)?,
            self.map_region(info.consumer_region(), view == View::Consumer)?,
            self.map_region(info.slot_region(), view == View::Producer)?,
        ];
        // Refused where huge pages are unknown; the report tells.
        let _ = maps[2].advise(Advice::HugePage);
        self.residency = residency::obtain(info, &self.file, &maps, view != View::Observer);
        Ok(maps)
    }

    /// Maps the producer's page once more, to read it from another thread.
    pub(crate) fn map_producer_page(&self) -> Result<MmapRaw, Error> {
        self.map_region(self.info.producer_region(), false)
    }

    fn map_region(&self, region: (usize, usize), writes: bool) -> Result<MmapRaw, Error> {
        let mut options = MmapOptions::new();
        options.offset(region.0 as u64).len(region.1).populate();
        let map = if writes {
            options.map_raw(&self.file)
        } else {
            options.map_raw_read_only(&self.file)
        };
        let map = map.map_err(|error| Error::io("map", &self.info.path, error))?;
        // A child that inherited the mapping would be a second writer.
        map.advise(Advice::DontFork)
            .map_err(|error| Error::io("keep from children", &self.info.path, error))?;
        Ok(map)
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if let Some(lock) = self.held_lock() {
            role::release(lock);
        }
    }
}

/// Opens the file of a segment, and nothing that a link leads to.
fn open_file(path: &Path, access: Access) -> Result<File, Error> {
    let (mode, action) = match access {
        Access::Read => (OFlag::O_RDONLY, "look into"),
        Access::Write => (OFlag::O_RDWR, "take a role in"),
    };
    let flags = mode | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    open(path, flags, Mode::empty())
        .map(File::from)
        .map_err(|error| match error {
            Errno::ENOENT => Error::NotFound {
                path: path.to_owned(),
            },
            Errno::EACCES | Errno::EPERM => denied(path, action),
            Errno::ELOOP => Error::Invalid {
                path: path.to_owned(),
                reason: "a symbolic link, which is never followed".into(),
            },
            error => Error::io("open", path, error),
        })
}

/// Says who we are and whose the file is.
fn whose(status: &FileStat) -> String {
    format!(
        "we are user {}, it belongs to user {} and group {}, mode {:o}",
        geteuid(),
        status.st_uid,
        status.st_gid,
        status.st_mode & 0o777
    )
}

/// The error for a file that the system does not let us use.
pub(crate) fn denied(path: &Path, action: &'static str) -> Error {
    let reason = match lstat(path) {
        Ok(status) => whose(&status),
        Err(error) => format!("we are user {}, its directory: {error}", geteuid()),
    };
    Error::Denied {
        action,
        path: path.to_owned(),
        reason,
    }
}

/// A copy of the header page. Read, not mapped: a file that is truncated meanwhile is an error.
fn read_header(path: &Path, file: &File, length: u64) -> Result<Vec<u8>, Error> {
    if length < HEADER_BYTES as u64 {
        let reason = format!(
            "{length} bytes, a header has {HEADER_BYTES}; format {FORMAT} is never shorter"
        );
        return Err(Error::Invalid {
            path: path.to_owned(),
            reason,
        });
    }
    let mut bytes = vec![0; HEADER_BYTES];
    file.read_exact_at(&mut bytes, 0)
        .map_err(|error| Error::io("read the header of", path, error))?;
    Ok(bytes)
}

/// Whether the name still leads to this very file.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    is_one(fstat(file), lstat(path))
}

/// Whether two descriptors are of one file.
fn is_same(one: &File, other: &File) -> bool {
    is_one(fstat(one), fstat(other))
}

fn is_one(one: Result<FileStat, Errno>, other: Result<FileStat, Errno>) -> bool {
    let identity = |status: FileStat| (status.st_dev, status.st_ino);
    one.map(identity)
        .is_ok_and(|one| other.map(identity).is_ok_and(|other| one == other))
}

/// Refuses what no segment of ours can be, before anything in it is looked at.
fn check_file(status: &FileStat) -> Result<(), String> {
    if SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
        return Err("not a regular file".into());
    }
    if status.st_mode & 0o007 != 0 {
        return Err(format!(
            "its mode {:o} gives rights to everybody",
            status.st_mode & 0o777
        ));
    }
    Ok(())
}

/// Whether the file's owner may be trusted not to truncate it under us: us, root, or a member of a group
/// of ours that the file is shared with. Root may look into everybody's.
fn is_trusted(status: &FileStat, access: Access) -> bool {
    let us = geteuid();
    let of_our_group = || {
        let group = Gid::from_raw(status.st_gid);
        group == getegid() || getgroups().is_ok_and(|groups| groups.contains(&group))
    };
    status.st_uid == us.as_raw()
        || status.st_uid == 0
        || (us.is_root() && access == Access::Read)
        || (status.st_mode & 0o060 != 0 && of_our_group())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RingOptions, create_ring, remove_abandoned};

    #[expect(unreachable_pub, reason = "the macro makes messages for others to see")]
    mod number {
        crate::message! {
            /// A number.
            pub struct Number v1 {
                /// It.
                value: u64 = "count",
            }
        }
    }
    use number::Number;

    /// Opened, then removed and created anew by somebody else before the role is taken: the role in
    /// the old file would be one that nobody can find.
    #[test]
    fn a_role_in_a_file_that_has_been_replaced_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.ring");
        create_ring::<Number>(&path, RingOptions::default()).unwrap();
        let mut segment = Segment::open(&path, Access::Write).unwrap();
        assert!(remove_abandoned(&path).unwrap());
        assert!(matches!(
            segment.take(Role::Producer),
            Err(Error::NotFound { .. })
        ));
        create_ring::<Number>(&path, RingOptions::default()).unwrap();
        assert!(matches!(
            segment.take(Role::Consumer),
            Err(Error::NotFound { .. })
        ));
    }
}
