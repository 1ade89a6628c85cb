//! The birth and the removal of a segment's file.
//!
//! A segment appears under its name only when it is complete: it is built as a file without a name
//! and then linked, so a crash during creation leaves nothing at all.

use crate::{
    clock,
    error::Error,
    fail::fail_point,
    header::{HUGE_PAGE, Info, Kind, MAGIC},
    message::{self, Message},
    residency,
    role::{self, Role},
    segment::{denied, is_at},
};
use memmap2::{Advice, MmapOptions};
use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, AtFlags, OFlag, open, posix_fallocate},
    sys::{
        resource::{Resource, getrlimit},
        stat::{Mode, fchmod},
        statvfs::fstatvfs,
    },
    unistd::{Gid, SysconfVar, fchown, ftruncate, geteuid, linkat, sysconf, unlink},
};
use std::{
    fs::{self, File, Permissions},
    io::Read,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::{FileExt, PermissionsExt},
    },
    path::Path,
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
    /// Mode of the file, whatever the umask: 0600, or with a group 0640 (it may observe) or 0660 (it
    /// may take roles).
    pub mode: u32,
    /// The group that the mode gives rights to, by number. It is never left to the directory or to
    /// the creator's own group.
    pub group: Option<u32>,
}

impl Default for RingOptions {
    fn default() -> Self {
        Self {
            kind: Kind::Lossless,
            capacity: 4096,
            stamp_every: 1,
            mode: 0o600,
            group: None,
        }
    }
}

/// The choices of a board.
#[derive(Debug, Clone, Copy)]
pub struct BoardOptions {
    /// Rows, a power of two.
    pub rows: u32,
    /// As [`RingOptions::mode`].
    pub mode: u32,
    /// As [`RingOptions::group`].
    pub group: Option<u32>,
}

impl Default for BoardOptions {
    fn default() -> Self {
        Self {
            rows: 1024,
            mode: 0o600,
            group: None,
        }
    }
}

const ROLES: [Role; 2] = [Role::Producer, Role::Consumer];

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

/// Creates the file of a board that shows `T`.
///
/// # Errors
///
/// As [`create_ring`].
pub fn create_board<T: Message>(path: &Path, options: BoardOptions) -> Result<Info, Error> {
    create::<T>(
        path,
        RingOptions {
            kind: Kind::Board,
            capacity: options.rows,
            stamp_every: 1,
            mode: options.mode,
            group: options.group,
        },
    )
}

/// Removes a segment, or whatever else has its name, unless a live process holds one of its roles.
///
/// What it is does not matter: a ring of another format, a file half-written or truncated, a link (never
/// followed), a socket, an empty directory. Returns whether there was something to remove.
///
/// # Errors
///
/// [`Error::RoleTaken`] when it is in use, [`Error::Denied`] when it is somebody else's.
pub fn remove_abandoned(path: &Path) -> Result<bool, Error> {
    let removed = match open_for_locks(path) {
        Ok(file) => {
            let removed = remove_unless_held(&file, path);
            role::release(&file);
            match removed? {
                Some(removed) => removed,
                None => return Ok(false),
            }
        }
        Err(Errno::ENOENT) => return Ok(false),
        Err(Errno::EACCES | Errno::EPERM) => return Err(denied(path, "remove")),
        // No role in them can be held.
        Err(Errno::EISDIR) => return remove_directory(path),
        Err(Errno::ELOOP | Errno::ENXIO) => unlink(path),
        Err(error) => return Err(Error::io("open", path, error)),
    };
    match removed {
        Ok(()) => {
            fail_point!("remove: unlinked");
            Ok(true)
        }
        Err(Errno::EACCES | Errno::EPERM) => Err(denied(path, "remove")),
        Err(error) => Err(Error::io("remove", path, error)),
    }
}

/// Whether a live process holds a role in a file, and which: whatever the file is, and without any effect on it.
///
/// # Errors
///
/// [`Error::NotFound`], [`Error::Denied`] when it is somebody else's.
pub fn held_role(path: &Path) -> Result<Option<Role>, Error> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_RDONLY;
    let file = match open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::ENOENT) => {
            return Err(Error::NotFound {
                path: path.to_owned(),
            });
        }
        Err(Errno::EACCES | Errno::EPERM) => return Err(denied(path, "look into")),
        // No role in them can be held.
        Err(Errno::ELOOP | Errno::ENXIO) => return Ok(None),
        Err(error) => return Err(Error::io("open", path, error)),
    };
    Ok(ROLES.into_iter().find(|role| role::is_held(&file, *role)))
}

/// Removes the name of a file none of whose roles is held; `None` when it is not that of the file any
/// more. Its roles may be ours afterwards.
fn remove_unless_held(file: &File, path: &Path) -> Result<Option<Result<(), Errno>>, Error> {
    // Asked for first: one of them would be refused to whoever is about to take it, while we find that
    // the other is held.
    if let Some(role) = ROLES.into_iter().find(|role| role::is_held(file, *role)) {
        let path = path.to_owned();
        return Err(Error::RoleTaken { path, role });
    }
    // And taken: whoever attaches meanwhile finds its role taken, or the name gone.
    for role in ROLES {
        role::take(file, role, path)?;
    }
    fail_point!("remove: roles taken");
    // Somebody else may have removed it, and perhaps created the next one.
    Ok(is_at(file, path).then(|| unlink(path)))
}

/// Opens a file so that its locks can be taken, also one of ours whose mode forbids it.
fn open_for_locks(path: &Path) -> Result<File, Errno> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let opened = match open(path, flags | OFlag::O_RDWR, Mode::empty()) {
        Err(Errno::EACCES) => {
            let found = open(
                path,
                OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC,
                Mode::empty(),
            )?;
            let itself = format!("/proc/self/fd/{}", found.as_raw_fd());
            // Through the descriptor: what has been looked at is what gets the mode.
            fs::set_permissions(&itself, Permissions::from_mode(0o600))
                .map_err(|_| Errno::EACCES)?;
            open(
                itself.as_str(),
                flags & !OFlag::O_NOFOLLOW | OFlag::O_RDWR,
                Mode::empty(),
            )
        }
        opened => opened,
    };
    opened.map(File::from)
}

fn remove_directory(path: &Path) -> Result<bool, Error> {
    fs::remove_dir(path).map_err(|error| Error::io("remove the directory", path, error))?;
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
    check_rights(options.mode, options.group).map_err(refuse)?;
    let file = build(&info, options)?;
    fail_point!("create: header written");
    publish(&file, path)?;
    fail_point!("create: published");
    Ok(info)
}

/// Refuses rights for nobody in particular: a group that is not named would be the directory's or that
/// of whoever happens to create the file.
fn check_rights(mode: u32, group: Option<u32>) -> Result<(), String> {
    match (mode, group) {
        (_, Some(u32::MAX)) => Err(format!(
            "the group {}, which the kernel takes for none\n  fix: name the group",
            u32::MAX
        )),
        (0o600, None) | (0o640 | 0o660, Some(_)) => Ok(()),
        (0o640 | 0o660, None) => Err(format!(
            "a mode of {mode:o} without the group that it is for\n  fix: name the group, or use 600"
        )),
        (0o600, Some(group)) => Err(format!(
            "a mode of 600 gives the group {group} nothing\n  fix: use 640 to let it observe, 660 to let it take roles"
        )),
        _ => Err(format!(
            "a mode of {mode:o}; 600, or 640 and 660 with a group, are possible"
        )),
    }
}

/// Creates, allocates and fills a file that has no name yet: a crash leaves nothing behind.
fn build(info: &Info, options: RingOptions) -> Result<File, Error> {
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
    if let Some(group) = options.group {
        give_to_group(&file, group, path)?;
    }
    fchmod(&file, Mode::from_bits_truncate(options.mode))
        .map_err(|error| Error::io("set the mode of", path, error))?;
    allocate(&file, info)?;
    fail_point!("create: allocated");
    let file = File::from(file);
    let mut bytes = info.encode()?;
    let write = |bytes: &[u8], offset| {
        file.write_all_at(bytes, offset)
            .map_err(|error| Error::io("write the header of", path, error))
    };
    write(&bytes[8..], 8)?;
    fail_point!("create: header half written");
    // Last, for whoever should come upon a half-written copy: without it, it is no segment.
    bytes[..8].copy_from_slice(&MAGIC.to_le_bytes());
    write(&bytes[..8], 0)?;
    Ok(file)
}

fn give_to_group(file: &OwnedFd, group: u32, path: &Path) -> Result<(), Error> {
    fchown(file, None, Some(Gid::from_raw(group))).map_err(|error| match error {
        Errno::EPERM => Error::Options {
            path: path.to_owned(),
            reason: format!(
                "its creator, user {}, is no member of group {group}\n  fix: add it to the group, or name one of its own",
                geteuid()
            ),
        },
        error => Error::io("set the group of", path, error),
    })
}

/// Really allocates, so that a full file system is an error here and never a signal later.
fn allocate(file: &OwnedFd, info: &Info) -> Result<(), Error> {
    let needed = info.file_length();
    // Beyond this limit the kernel sends SIGXFSZ before it says no.
    if let Ok((limit, _)) = getrlimit(Resource::RLIMIT_FSIZE)
        && limit < needed
    {
        return Err(Error::Options {
            path: info.path.clone(),
            reason: format!(
                "it has {needed} bytes, and files of this process are limited to {limit}\n  fix: raise the limit (`ulimit -f`, LimitFSIZE= of its unit) or lower the depth of the ring"
            ),
        });
    }
    let length =
        i64::try_from(needed).map_err(|_| Error::io("allocate", &info.path, Errno::EFBIG))?;
    ask_for_huge_pages(file, info, length);
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
            let _ = ftruncate(file, 0);
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

/// Where a mount offers huge pages on advice only (`huge=advise`), allocation alone gets none: they come
/// to whoever touches the file through a mapping that asks for them. The touching is the kernel's, which
/// answers a full file system with an error. A refusal costs nothing but the huge pages.
fn ask_for_huge_pages(file: &OwnedFd, info: &Info, length: i64) {
    let (offset, slots) = info.slot_region();
    if slots < HUGE_PAGE || ftruncate(file, length).is_err() {
        return;
    }
    let whole_pages = slots / HUGE_PAGE * HUGE_PAGE;
    let map = MmapOptions::new()
        .offset(offset as u64)
        .len(whole_pages)
        .map_raw(file);
    if let Ok(map) = map
        && map.advise(Advice::HugePage).is_ok()
        && residency::offers_huge_pages(&map)
    {
        let _ = map.advise(Advice::PopulateWrite);
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
