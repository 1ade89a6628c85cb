//! The birth and the removal of a segment's file.
//!
//! A segment appears under its name only when it is complete: it is built as a file without a name
//! and then linked, so a crash during creation leaves nothing at all.

use crate::{
    clock,
    error::Error,
    fail::fail_point,
    header::{HEADER_BYTES, Info, Kind, MAGIC},
    message::{self, Message},
    role::{self, Role},
    segment::is_at,
};
use memmap2::MmapOptions;
use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, AtFlags, OFlag, open, posix_fallocate},
    sys::stat::{Mode, fchmod},
    sys::statvfs::fstatvfs,
    unistd::{SysconfVar, linkat, sysconf, unlink},
};
use std::{
    fs::File,
    io::Read,
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
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
    let flags = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    match open(path, flags | OFlag::O_RDWR, Mode::empty()) {
        Ok(file) => {
            let file = File::from(file);
            // Taken, not asked for: whoever attaches meanwhile finds its role taken, or the name gone.
            for role in [Role::Producer, Role::Consumer] {
                role::take(&file, role, path)?;
            }
            fail_point!("remove: roles taken");
            if !is_at(&file, path) {
                // Somebody else has removed it, and perhaps created the next one.
                return Ok(false);
            }
        }
        Err(Errno::ENOENT) => return Ok(false),
        // A symbolic link, a directory, a socket: no role in it can be held.
        Err(Errno::ELOOP | Errno::EISDIR | Errno::ENXIO) => {}
        Err(error) => return Err(Error::io("open", path, error)),
    }
    unlink(path).map_err(|error| Error::io("remove", path, error))?;
    fail_point!("remove: unlinked");
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
    let file = build(&info, options.mode)?;
    fail_point!("create: header written");
    publish(&file, path)?;
    fail_point!("create: published");
    Ok(info)
}

/// Creates, allocates and fills a file that has no name yet: a crash leaves nothing behind.
fn build(info: &Info, mode: u32) -> Result<File, Error> {
    let path = &info.path;
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
    let file = open(directory, flags, Mode::S_IRUSR | Mode::S_IWUSR).map_err(|error| match error {
        Errno::EOPNOTSUPP => Error::Options {
            path: path.clone(),
            reason: format!("the file system of {} has no files without a name; use a tmpfs such as /dev/shm", directory.display()),
        },
        error => Error::io("create", path, error),
    })?;
    fail_point!("create: unnamed");
    fchmod(&file, Mode::from_bits_truncate(mode))
        .map_err(|error| Error::io("set the mode of", path, error))?;
    allocate(&file, info)?;
    fail_point!("create: allocated");
    let file = File::from(file);
    let map = MmapOptions::new()
        .len(HEADER_BYTES)
        .map_raw(&file)
        .map_err(|error| Error::io("map the header of", path, error))?;
    let words: &[AtomicU64] =
        // SAFETY: the mapping is page-aligned, HEADER_BYTES long and lives to the end of this function; the
        // file has no name, and atomics could be shared anyway.
        unsafe { std::slice::from_raw_parts(map.as_ptr().cast(), HEADER_BYTES / 8) };
    let bytes = info.encode()?;
    for (word, value) in words.iter().zip(bytes.chunks_exact(8)).skip(1) {
        word.store(
            u64::from_ne_bytes(std::array::from_fn(|index| value[index])),
            Relaxed,
        );
    }
    fail_point!("create: header half written");
    // Pairs with the Acquire load in read_header: a visible magic means a complete header.
    words[0].store(MAGIC.to_le(), Release);
    drop(map);
    Ok(file)
}

/// Really allocates, so that a full file system is an error here and never a signal later.
fn allocate(file: &OwnedFd, info: &Info) -> Result<(), Error> {
    let needed = info.file_length();
    let length =
        i64::try_from(needed).map_err(|_| Error::io("allocate", &info.path, Errno::EFBIG))?;
    let allocated = loop {
        match posix_fallocate(file, 0, length) {
            // A signal made the kernel give up half-way.
            Err(Errno::EINTR) => {}
            result => break result,
        }
    };
    match allocated {
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
fn publish(file: &File, path: &Path) -> Result<(), Error> {
    let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
    match linkat(
        AT_FDCWD,
        unnamed.as_str(),
        AT_FDCWD,
        path,
        AtFlags::AT_SYMLINK_FOLLOW,
    ) {
        Ok(()) => Ok(()),
        Err(Errno::EEXIST) => Err(Error::Exists {
            path: path.to_owned(),
        }),
        Err(error) => Err(Error::io("publish", path, error)),
    }
}

fn random_u64(path: &Path) -> Result<u64, Error> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|error| Error::io("draw an identity for", path, error))?;
    Ok(u64::from_ne_bytes(bytes))
}
