//! Who may do what with a segment, shown with real users, groups and signals: the kernel's answers are
//! the proof.
//!
//! Each test starts this program again as a child that runs [`child`]. Other users need root; without it
//! those tests say so and do nothing.

use ipc::{
    BoardOptions, BoardReader, BoardWriter, Consumer, Observer, Producer, RingOptions,
    create_board, create_ring, remove_abandoned,
};
use std::{
    fs,
    os::unix::{
        fs::{FileExt, MetadataExt, PermissionsExt, chown, symlink},
        process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Mutex, MutexGuard, PoisonError},
};
use tempfile::TempDir;

/// Tells the child what to do: `<task> <path>`.
const TASK: &str = "IPC_TEST_TASK";
const OWNER: u32 = 64_001;
const MEMBER: u32 = 64_002;
const STRANGER: u32 = 64_003;
const GROUP: u32 = 64_100;
const OTHERS: u32 = 64_200;

ipc::message! {
    /// A number.
    pub struct Number v1 {
        /// It.
        value: u64 = "count",
    }
}

/// A program cannot be started while it is open for writing, as its copy is in every child that another
/// test starts meanwhile.
static ALONE: Mutex<()> = Mutex::new(());

/// A directory that every user may pass through, with this program in it.
struct Stage {
    _alone: MutexGuard<'static, ()>,
    directory: TempDir,
    program: PathBuf,
}

impl Stage {
    fn new() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("program");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        for path in [directory.path(), &program] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self {
            _alone: alone,
            directory,
            program,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn child(&self, task: &str, path: &Path) -> Command {
        let mut child = Command::new(&self.program);
        child
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env(TASK, format!("{task} {}", path.display()))
            .env("RUST_BACKTRACE", "0")
            .current_dir("/");
        child
    }

    /// What becomes of a task that another user tries.
    fn as_user(&self, user: u32, group: u32, task: &str, path: &Path) -> Result<(), String> {
        let mut child = self.child(task, path);
        let output = child.uid(user).gid(group).output().unwrap();
        if output.status.success() {
            Ok(())
        } else {
            Err(text(&output))
        }
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&*output.stdout, &*output.stderr].concat()).into_owned()
}

/// Says so and returns false where other users cannot be played.
fn root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("skipped: only root can play other users");
    }
    root
}

fn group_ring(mode: u32) -> RingOptions {
    RingOptions {
        capacity: 8,
        mode,
        group: (mode != 0o600).then_some(GROUP),
        ..RingOptions::default()
    }
}

/// A ring that belongs to [`OWNER`], and to [`GROUP`] where the mode gives it something.
fn shared(path: &Path, mode: u32) {
    create_ring::<Number>(path, group_ring(mode)).unwrap();
    chown(path, Some(OWNER), None).unwrap();
}

/// Not a test: what the children of the tests do.
#[test]
#[ignore = "the tests start it with a task"]
fn child() {
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    let (task, path) = task.split_once(' ').unwrap();
    let path = Path::new(path);
    // The deaths that are asked for need no dump.
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0).unwrap();
    let result = match task {
        "produce" => Producer::<Number>::attach(path).map(drop),
        "consume" => Consumer::<Number>::attach(path).map(drop),
        "observe" => Observer::open(path).map(drop),
        "create" => {
            // As strict as can be: the mode must not depend on it.
            nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o777));
            create_ring::<Number>(path, group_ring(0o660)).map(drop)
        }
        "remove" => remove_abandoned(path).map(drop),
        _ => {
            let (role, region) = task.split_once('-').unwrap();
            scribble(role, region, path);
            Ok(())
        }
    };
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// Attaches as `role` and writes one byte into `region`, behind the back of every type.
fn scribble(role: &str, region: &str, path: &Path) {
    // Held to the end, so that the mappings are there.
    let _held: Box<dyn std::any::Any> = match role {
        "producer" => Box::new(Producer::<Number>::attach(path).unwrap()),
        "consumer" => Box::new(Consumer::<Number>::attach(path).unwrap()),
        "observer" => Box::new(Observer::open(path).unwrap()),
        "writer" => Box::new(BoardWriter::<Number>::attach(path).unwrap()),
        "reader" => Box::new(BoardReader::<Number>::open(path).unwrap()),
        other => panic!("no role {other}"),
    };
    let offset = offset_of(region);
    let target = address_of(path, offset) as *mut u8;
    // SAFETY: the address lies in a mapping of the segment that this process holds, and nothing else
    // runs here that relies on its content; where the mapping is read-only, the kernel ends this
    // process at this instruction, which is what the test asks for.
    unsafe { target.write_volatile(1) };
}

/// Where a region of a small segment starts in its file.
fn offset_of(region: &str) -> u64 {
    match region {
        "producer" => 4096,
        "consumer" => 2 * 4096,
        "slots" => 6 * 4096,
        other => panic!("no region {other}"),
    }
}

/// Where this process has mapped that offset of the file.
fn address_of(path: &Path, offset: u64) -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let name = path.to_str().unwrap();
    let found = maps
        .lines()
        .filter(|line| line.ends_with(name))
        .find_map(|line| {
            let mut words = line.split_whitespace();
            let (start, end) = words.next()?.split_once('-')?;
            let hex = |text| u64::from_str_radix(text, 16).ok();
            let (start, end, first) = (hex(start)?, hex(end)?, hex(words.nth(1)?)?);
            (first..first + (end - start))
                .contains(&offset)
                .then(|| start + (offset - first))
        });
    usize::try_from(found.expect("the region is mapped")).unwrap()
}

#[test]
fn whoever_writes_where_its_role_may_not_dies_of_sigsegv() {
    let stage = Stage::new();
    let (ring, board) = (stage.path("test.ring"), stage.path("test.board"));
    create_ring::<Number>(
        &ring,
        RingOptions {
            capacity: 8,
            ..RingOptions::default()
        },
    )
    .unwrap();
    create_board::<Number>(
        &board,
        BoardOptions {
            rows: 8,
            ..BoardOptions::default()
        },
    )
    .unwrap();
    for (path, task, allowed) in [
        (&ring, "producer-producer", true),
        (&ring, "producer-consumer", false),
        (&ring, "producer-slots", true),
        (&ring, "consumer-producer", false),
        (&ring, "consumer-consumer", true),
        (&ring, "consumer-slots", false),
        (&ring, "observer-producer", false),
        (&ring, "observer-consumer", false),
        (&ring, "observer-slots", false),
        (&board, "writer-slots", true),
        (&board, "writer-consumer", false),
        (&board, "reader-producer", false),
        (&board, "reader-slots", false),
    ] {
        let output = stage.child(task, path).output().unwrap();
        let signal = if allowed { None } else { Some(libc::SIGSEGV) };
        assert_eq!(output.status.signal(), signal, "{task}: {}", text(&output));
        assert_eq!(
            output.status.success(),
            allowed,
            "{task}: {}",
            text(&output)
        );
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .unwrap();
        let mut byte = [0];
        let offset = offset_of(task.split_once('-').unwrap().1);
        file.read_exact_at(&mut byte, offset).unwrap();
        assert_eq!(byte, [u8::from(allowed)], "{task}");
        file.write_all_at(&[0], offset).unwrap();
    }
}

#[test]
fn a_private_ring_is_its_owners_alone() {
    if !root() {
        return;
    }
    let stage = Stage::new();
    let ring = stage.path("test.ring");
    shared(&ring, 0o600);
    for task in ["produce", "consume", "observe"] {
        assert_eq!(stage.as_user(OWNER, GROUP, task, &ring), Ok(()));
        let error = stage.as_user(MEMBER, GROUP, task, &ring).unwrap_err();
        for part in [
            "we are user 64002, it belongs to user 64001",
            "mode 600",
            "fix: ",
        ] {
            assert!(error.contains(part), "{part} is missing in:\n{error}");
        }
    }
    let error = stage.as_user(MEMBER, GROUP, "remove", &ring).unwrap_err();
    assert!(error.contains("may not remove"), "{error}");
    assert!(ring.exists());
}

#[test]
fn a_group_with_0660_takes_roles_and_strangers_do_not() {
    if !root() {
        return;
    }
    let stage = Stage::new();
    let ring = stage.path("test.ring");
    shared(&ring, 0o660);
    for task in ["produce", "consume", "observe"] {
        assert_eq!(stage.as_user(MEMBER, GROUP, task, &ring), Ok(()));
        let error = stage.as_user(STRANGER, OTHERS, task, &ring).unwrap_err();
        assert!(
            error.contains("may not") && error.contains("group 64100"),
            "{error}"
        );
    }
}

#[test]
fn a_group_with_0640_observes_and_takes_no_role() {
    if !root() {
        return;
    }
    let stage = Stage::new();
    let ring = stage.path("test.ring");
    shared(&ring, 0o640);
    assert_eq!(stage.as_user(MEMBER, GROUP, "observe", &ring), Ok(()));
    for task in ["produce", "consume"] {
        let error = stage.as_user(MEMBER, GROUP, task, &ring).unwrap_err();
        assert!(
            error.contains("may not take a role in") && error.contains("mode 640"),
            "{error}"
        );
    }
    assert!(stage.as_user(STRANGER, OTHERS, "observe", &ring).is_err());
}

#[test]
fn a_file_that_somebody_else_owns_is_refused_although_it_could_be_opened() {
    if !root() {
        return;
    }
    let stage = Stage::new();
    let ring = stage.path("test.ring");
    shared(&ring, 0o600);
    let error = Producer::<Number>::attach(&ring).err().unwrap().to_string();
    assert!(
        error.contains("may not use") && error.contains("belongs to user 64001"),
        "{error}"
    );
    assert!(Observer::open(&ring).is_ok(), "root may look into it");
    // Planted for whoever comes by.
    fs::set_permissions(&ring, fs::Permissions::from_mode(0o666)).unwrap();
    let error = stage
        .as_user(STRANGER, OTHERS, "produce", &ring)
        .unwrap_err();
    assert!(
        error.contains("mode 666 gives rights to everybody"),
        "{error}"
    );
}

#[test]
fn a_link_is_refused_wherever_it_leads_and_removed_without_being_followed() {
    let stage = Stage::new();
    let (ring, link) = (stage.path("test.ring"), stage.path("link.ring"));
    create_ring::<Number>(&ring, RingOptions::default()).unwrap();
    symlink(&ring, &link).unwrap();
    for task in ["produce", "consume", "observe"] {
        let output = stage.child(task, &link).output().unwrap();
        assert!(
            text(&output).contains("a symbolic link, which is never followed"),
            "{task}"
        );
    }
    assert!(remove_abandoned(&link).unwrap());
    assert!(ring.exists() && !link.is_symlink());
}

#[test]
fn the_group_of_a_file_is_the_one_that_was_named_whatever_umask_and_directory_say() {
    if !root() {
        return;
    }
    let stage = Stage::new();
    let directory = stage.path("rings");
    fs::create_dir(&directory).unwrap();
    chown(&directory, None, Some(OTHERS)).unwrap();
    // The set-group-ID bit: new files would be of the directory's group.
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o2755)).unwrap();
    let ring = directory.join("test.ring");
    let output = stage.child("create", &ring).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let found = fs::metadata(&ring).unwrap();
    assert_eq!(
        (found.permissions().mode() & 0o7777, found.gid()),
        (0o660, GROUP)
    );
}

#[test]
fn a_group_that_its_creator_does_not_belong_to_is_refused_and_nothing_is_left() {
    if !root() {
        return;
    }
    let stage = Stage::new();
    let directory = stage.path("rings");
    fs::create_dir(&directory).unwrap();
    chown(&directory, Some(STRANGER), None).unwrap();
    let ring = directory.join("test.ring");
    let error = stage
        .as_user(STRANGER, OTHERS, "create", &ring)
        .unwrap_err();
    assert!(
        error.contains("user 64003, is no member of group 64100"),
        "{error}"
    );
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
}

#[test]
fn an_owner_removes_what_is_its_own_whatever_the_mode_unless_it_is_held() {
    if !root() {
        return;
    }
    let stage = Stage::new();
    let directory = stage.path("rings");
    fs::create_dir(&directory).unwrap();
    chown(&directory, Some(OWNER), None).unwrap();
    let ring = directory.join("test.ring");
    create_ring::<Number>(&ring, group_ring(0o600)).unwrap();
    let held = Producer::<Number>::attach(&ring).unwrap();
    chown(&ring, Some(OWNER), None).unwrap();
    let forbid = || fs::set_permissions(&ring, fs::Permissions::from_mode(0o000)).unwrap();
    forbid();
    let error = stage.as_user(OWNER, GROUP, "remove", &ring).unwrap_err();
    assert!(
        error.contains("another live process is the producer"),
        "{error}"
    );
    drop(held);
    forbid();
    assert_eq!(stage.as_user(OWNER, GROUP, "remove", &ring), Ok(()));
    assert!(!ring.exists());
}
