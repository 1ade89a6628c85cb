//! The birth and the removal of a segment's file.
//!
//! A segment appears under its name only when it is complete: it is built under a temporary name
//! and renamed, so a crash during creation never leaves something that a later start trips over.

use crate::{
    clock,
    error::Error,
    header::{HEADER_BYTES, Info, Kind, MAGIC},
    message::{self, Message},
    role::{self, Role},
};
use memmap2::MmapOptions;
use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, OFlag, RenameFlags, open, posix_fallocate, renameat2},
    sys::stat::{Mode, fchmod},
    sys::statvfs::fstatvfs,
    unistd::{SysconfVar, sysconf, unlink},
};
use std::{
    fs::File,
    io::Read,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::atomic::{
        AtomicU64,
        Ordering::{Relaxed, Release},
    },
};

/// The choices of a ring.
#[derive(Debug, Clone, Copy)]
pub struct RingOptions {
    /// Whether the producer waits for the consumer.
    pub kind: Kind,
    /// Slots, a power of two.
    pub capacity: u32,
    /// Every how many messages one carries the time of its push: 0 for never (eight bytes less a
    /// slot), 1 for every message, else a power of two.
    pub stamp_every: u32,
    /// Mode of the file. Only the owner's and the group's bits may be set.
    pub mode: u32,
}

impl Default for RingOptions {
    fn default() -> Self {
        Self {
            kind: Kind::Lossless,
            capacity: 4096,
            stamp_every: 1,
            mode: 0o600,
        }
    }
}

/// Creates the file of a ring that carries `T`.
///
/// # Errors
///
/// [`Error::Exists`] when the name is taken, [`Error::NoSpace`] when its file system has no room
/// (nothing is left behind), [`Error::Options`] for an impossible choice.
pub fn create_ring<T: Message>(path: &Path, options: RingOptions) -> Result<Info, Error> {
    if options.kind == Kind::Board {
        return Err(Error::Options {
            path: path.to_owned(),
            reason: "a board is created with create_board".into(),
        });
    }
    create::<T>(path, options)
}

/// Creates the file of a board of `rows` rows (a power of two) that shows `T`.
///
/// # Errors
///
/// As [`create_ring`].
pub fn create_board<T: Message>(path: &Path, rows: u32, mode: u32) -> Result<Info, Error> {
    create::<T>(
        path,
        RingOptions {
            kind: Kind::Board,
            capacity: rows,
            stamp_every: 1,
            mode,
        },
    )
}

/// Removes a segment, or whatever else has its name, unless a live process holds one of its roles.
///
/// Returns whether there was something to remove.
///
/// # Errors
///
/// [`Error::RoleTaken`] when it is in use.
pub fn remove_abandoned(path: &Path) -> Result<bool, Error> {
    let file = match open(
        path,
        OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK,
        Mode::empty(),
    ) {
        Ok(file) => Some(File::from(file)),
        Err(Errno::ENOENT) => return Ok(false),
        Err(Errno::ELOOP) => None,
        Err(error) => return Err(Error::io("open", path, error)),
    };
    if let Some(file) = &file {
        for role in [Role::Producer, Role::Consumer] {
            if role::is_held(file, role) {
                return Err(Error::RoleTaken {
                    path: path.to_owned(),
                    role,
                });
            }
        }
    }
    unlink(path).map_err(|error| Error::io("remove", path, error))?;
    Ok(true)
}

fn create<T: Message>(path: &Path, options: RingOptions) -> Result<Info, Error> {
    let schema = message::schema::<T>();
    let refuse = |reason: String| Error::Options {
        path: path.to_owned(),
        reason,
    };
    let created_unix_ns = clock::unix_ns();
    let page = sysconf(SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .unwrap_or(4096);
    let info = Info {
        path: path.to_owned(),
        kind: options.kind,
        capacity: options.capacity,
        message_size: u32::try_from(size_of::<T>())
            .map_err(|_| refuse("the message is too large".into()))?,
        stamp_every: options.stamp_every,
        granule: u32::try_from(page.max(4096))
            .map_err(|_| refuse(format!("a page of {page} bytes")))?,
        fingerprint: message::fingerprint(&schema),
        schema,
        instance: random_u64(path)?,
        created_unix_ns,
        creator_pid: std::process::id(),
    };
    info.check_geometry().map_err(refuse)?;
    if options.mode & !0o660 != 0 {
        return Err(refuse(format!(
            "a mode of {:o}; only owner and group may be given rights",
            options.mode
        )));
    }
    let temporary = temporary_name(path, info.instance);
    let result = build(&temporary, &info, options.mode).and_then(|()| publish(&temporary, path));
    if result.is_err() {
        // The cause is more telling than a failure to clean up after it.
        let _ = unlink(&temporary);
    }
    result.map(|()| info)
}

/// Creates, allocates and fills the file under its temporary name.
fn build(temporary: &Path, info: &Info, mode: u32) -> Result<(), Error> {
    let flags =
        OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_RDWR | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file: OwnedFd = open(temporary, flags, Mode::S_IRUSR | Mode::S_IWUSR)
        .map_err(|error| Error::io("create", temporary, error))?;
    fchmod(&file, Mode::from_bits_truncate(mode))
        .map_err(|error| Error::io("set the mode of", temporary, error))?;
    allocate(&file, info)?;
    let map = MmapOptions::new()
        .len(HEADER_BYTES)
        .map_raw(&File::from(file))
        .map_err(|error| Error::io("map the header of", temporary, error))?;
    let words: &[AtomicU64] =
        // SAFETY: the mapping is page-aligned, HEADER_BYTES long and lives to the end of this function; nobody
        // else knows the temporary name, and atomics could be shared anyway.
        unsafe { std::slice::from_raw_parts(map.as_ptr().cast(), HEADER_BYTES / 8) };
    let bytes = info.encode()?;
    for (word, value) in words.iter().zip(bytes.chunks_exact(8)).skip(1) {
        word.store(
            u64::from_ne_bytes(std::array::from_fn(|index| value[index])),
            Relaxed,
        );
    }
    // Pairs with the Acquire load in read_header: a visible magic means a complete header.
    words[0].store(MAGIC.to_le(), Release);
    Ok(())
}

/// Really allocates, so that a full file system is an error here and never a signal later.
fn allocate(file: &OwnedFd, info: &Info) -> Result<(), Error> {
    let needed = info.file_length();
    let length =
        i64::try_from(needed).map_err(|_| Error::io("allocate", &info.path, Errno::EFBIG))?;
    match posix_fallocate(file, 0, length) {
        Ok(()) => Ok(()),
        Err(Errno::ENOSPC) => {
            // posix_fallocate may have filled the rest: give it back before asking how much there was.
            let _ = nix::unistd::ftruncate(file, 0);
            let available = fstatvfs(file).map_or(0, |system| {
                system.blocks_available() * system.fragment_size()
            });
            Err(Error::NoSpace {
                path: info.path.clone(),
                needed,
                available,
            })
        }
        Err(error) => Err(Error::io("allocate", &info.path, error)),
    }
}

/// Gives the finished file its name, unless that name is taken.
fn publish(temporary: &Path, path: &Path) -> Result<(), Error> {
    match renameat2(
        AT_FDCWD,
        temporary,
        AT_FDCWD,
        path,
        RenameFlags::RENAME_NOREPLACE,
    ) {
        Ok(()) => Ok(()),
        Err(Errno::EEXIST) => Err(Error::Exists {
            path: path.to_owned(),
        }),
        Err(error) => Err(Error::io("publish", path, error)),
    }
}

fn temporary_name(path: &Path, instance: u64) -> PathBuf {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    path.with_file_name(format!(".{name}.{instance:016x}.tmp"))
}

fn random_u64(path: &Path) -> Result<u64, Error> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|error| Error::io("draw an identity for", path, error))?;
    Ok(u64::from_ne_bytes(bytes))
}
