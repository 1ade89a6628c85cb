//! Real memory: what attach reports of it, full file systems, and files that are taken away under live
//! rings. Own file systems are mounted where the host lets us; where it does not, a test says so.

use ipc::{
    BoardOptions, BoardReader, BoardWriter, Consumer, Error, Kind, Observer, Peer, Producer,
    Residency, RingOptions, create_board, create_ring, remove_abandoned,
};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::{
    fs::{self, OpenOptions},
    io::{BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// Tells the child what to do: `<role> <path>`.
const TASK: &str = "IPC_TEST_TASK";
/// Bytes of a huge page.
const HUGE: u64 = 2 << 20;

ipc::message! {
    /// A number.
    pub struct Number v1 {
        /// It.
        value: u64 = "count",
    }
}

fn options(capacity: u32) -> RingOptions {
    RingOptions {
        capacity,
        ..RingOptions::default()
    }
}

/// A tmpfs of a test's own, gone with it.
struct Tmpfs {
    directory: TempDir,
}

impl Tmpfs {
    /// Mounts one, or says why not.
    fn mount(with: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        match mount(
            Some("tmpfs"),
            at,
            Some("tmpfs"),
            MsFlags::empty(),
            Some(with),
        ) {
            Ok(()) => Some(Self { directory }),
            Err(error) => {
                eprintln!("skipped: a tmpfs with {with} cannot be mounted here: {error}");
                None
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = umount2(self.directory.path(), MntFlags::MNT_DETACH);
    }
}

/// A child that says once it is attached, waits for a line, and then uses its ring.
struct Attached {
    child: Child,
}

impl Attached {
    fn start(role: &str, path: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env(TASK, format!("{role} {}", path.display()))
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        let attached = lines.any(|line| line.unwrap().ends_with("attached"));
        assert!(attached, "the child ended before it was attached");
        Self { child }
    }

    /// Lets it go on; says which signal ended it.
    fn go_on(mut self) -> Option<i32> {
        self.child
            .stdin
            .take()
            .unwrap()
            .write_all(b"go on\n")
            .unwrap();
        self.child.wait().unwrap().signal()
    }
}

/// Not a test: what the children of the tests do.
#[test]
#[ignore = "the tests start it with a task"]
fn child() {
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    let (role, path) = task.split_once(' ').unwrap();
    let path = Path::new(path);
    // The deaths that are asked for need no dump.
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0).unwrap();
    let go_on = || {
        println!("attached");
        std::io::stdin().read_line(&mut String::new()).unwrap();
    };
    match role {
        "producer" => {
            let mut producer = Producer::<Number>::attach(path).unwrap();
            go_on();
            let _ = producer.push(&Number { value: 7 });
        }
        "consumer" => {
            let mut consumer = Consumer::<Number>::attach(path).unwrap();
            go_on();
            let _ = consumer.pop();
            consumer.commit();
        }
        "observer" => {
            let observer = Observer::open(path).unwrap();
            go_on();
            let _ = observer.statistics();
        }
        "poor" => {
            poor(path);
            go_on();
        }
        "creator" => {
            let resource = nix::sys::resource::Resource::RLIMIT_FSIZE;
            nix::sys::resource::setrlimit(resource, 10_000, 10_000).unwrap();
            let error = create_ring::<Number>(path, options(1024))
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("limited to 10000") && error.contains("fix: "),
                "{error}"
            );
            go_on();
        }
        other => panic!("no role {other}"),
    }
}

fn whole(residency: &Residency, file: &Path) {
    let length = fs::metadata(file).unwrap().len();
    assert_eq!(residency.resident, Some(residency.mapped), "{residency}");
    assert!(
        residency.mapped < length && length <= residency.allocated,
        "{residency}"
    );
}

#[test]
fn every_role_reports_what_it_has_got() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let (ring, board) = (directory.path().join("r"), directory.path().join("b"));
    create_ring::<Number>(&ring, options(1024)).unwrap();
    create_board::<Number>(&board, BoardOptions::default()).unwrap();
    let producer = Producer::<Number>::attach(&ring).unwrap();
    let consumer = Consumer::<Number>::attach(&ring).unwrap();
    let writer = BoardWriter::<Number>::attach(&board).unwrap();
    let reader = BoardReader::<Number>::open(&board).unwrap();
    let observer = Observer::open(&ring).unwrap();
    for (residency, file) in [
        (producer.residency(), &ring),
        (consumer.residency(), &ring),
        (writer.residency(), &board),
        (reader.residency(), &board),
    ] {
        whole(residency, file);
        assert_eq!(
            residency.locked == residency.mapped,
            residency.unlocked_because.is_none()
        );
        assert!(residency.huge == 0 && residency.to_string().contains("do not fill one"));
    }
    whole(observer.residency(), &ring);
    let observed = observer.residency();
    assert_eq!((observed.locked, &observed.unlocked_because), (0, &None));
    assert_eq!(observed.shortfall(), None);
}

/// The lock is best effort: without rights and room for it the ring works, and the report says what is
/// missing.
#[test]
fn a_process_that_may_lock_nothing_works_and_says_so() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let ring = directory.path().join("r");
    create_ring::<Number>(&ring, options(1024)).unwrap();
    assert_eq!(Attached::start("poor", &ring).go_on(), None);
}

fn poor(path: &Path) {
    use nix::sys::resource::{Resource, setrlimit};
    // Room for the two small mappings, not for the slots.
    setrlimit(Resource::RLIMIT_MEMLOCK, 16 * 4096, 16 * 4096).unwrap();
    without_capabilities();
    let producer = Producer::<Number>::attach(path).unwrap();
    let residency = producer.residency();
    assert_eq!(residency.locked, 5 * 4096, "{residency}");
    // The kernel's own count.
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let counted = status.lines().find(|line| line.starts_with("VmLck:"));
    assert!(counted.unwrap().ends_with(" 20 kB"), "{counted:?}");
    assert_eq!(residency.resident, Some(residency.mapped), "{residency}");
    let shortfall = residency.shortfall().unwrap();
    for part in [
        "20480 of 86016 bytes are locked",
        "may lock 65536 bytes in all",
        "fix: raise the limit (`ulimit -l`, LimitMEMLOCK= of its unit), or give it CAP_IPC_LOCK",
    ] {
        assert!(
            shortfall.contains(part),
            "{part} is missing in:\n{shortfall}"
        );
    }
    assert_eq!(
        Consumer::<Number>::attach(path).unwrap().residency().locked,
        5 * 4096
    );
}

/// Gives up what lets root exceed its limits.
fn without_capabilities() {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    let header = Header {
        version: 0x2008_0522,
        pid: 0,
    };
    let none = [0_u32; 6];
    // SAFETY: the third version of the call reads a header and two sets of three words, all alive
    // here; it changes this thread's rights only.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()) };
    assert_eq!(result, 0);
}

#[test]
fn huge_pages_are_used_where_a_mount_offers_them() {
    let mut obtained = Vec::new();
    for how in ["advise", "within_size", "always"] {
        let Some(tmpfs) = Tmpfs::mount(&format!("size=64m,huge={how}")) else {
            return;
        };
        let ring = tmpfs.path("large.ring");
        create_ring::<Number>(&ring, options(1 << 16)).unwrap();
        let producer = Producer::<Number>::attach(&ring).unwrap();
        let consumer = Consumer::<Number>::attach(&ring).unwrap();
        for residency in [producer.residency(), consumer.residency()] {
            println!("huge={how}: {residency}");
            whole(residency, &ring);
            obtained.push(residency.huge);
            if let Some(reason) = &residency.not_huge_because {
                let denied = setting().contains("[deny]");
                let part = if denied {
                    "the host denies"
                } else {
                    "none was free"
                };
                assert!(reason.contains(part), "{reason}");
                eprintln!("skipped in part: {reason}");
            }
        }
    }
    // A host that has some for one mount has them for all.
    let all = obtained.iter().all(|bytes| *bytes == 2 * HUGE);
    assert!(
        all || obtained.iter().all(|bytes| *bytes == 0),
        "{obtained:?}"
    );
}

fn setting() -> String {
    fs::read_to_string("/sys/kernel/mm/transparent_hugepage/shmem_enabled").unwrap_or_default()
}

#[test]
fn huge_pages_that_are_not_offered_are_named_with_the_fix() {
    let Some(tmpfs) = Tmpfs::mount("size=64m,huge=never") else {
        return;
    };
    let ring = tmpfs.path("large.ring");
    create_ring::<Number>(&ring, options(1 << 16)).unwrap();
    let producer = Producer::<Number>::attach(&ring).unwrap();
    let residency = producer.residency();
    if setting().contains("[force]") {
        eprintln!("skipped: this host forces huge pages on every mount");
        return;
    }
    assert_eq!(residency.huge, 0, "{residency}");
    let reason = residency.not_huge_because.as_ref().unwrap();
    let fix = if setting().contains("[deny]") {
        "shmem_enabled".to_owned()
    } else {
        let at = tmpfs.directory.path().display();
        format!("the tmpfs on {at} is mounted without\n  fix: `mount -o remount,huge=advise {at}`")
    };
    assert!(reason.contains(&fix), "{reason}");
}

#[test]
fn in_a_file_system_of_1_mib_what_fits_works_and_what_does_not_is_an_error() {
    let Some(tmpfs) = Tmpfs::mount("size=1m") else {
        return;
    };
    let left = || fs::read_dir(tmpfs.directory.path()).unwrap().count();
    // 1 MiB of slots, and 4 MiB, for which huge pages are asked.
    for (capacity, needed) in [(1 << 14, (1 << 20) + 6 * 4096), (1 << 16, 3 * HUGE)] {
        match create_ring::<Number>(&tmpfs.path("large.ring"), options(capacity)) {
            Err(Error::NoSpace {
                needed: told,
                available,
                ..
            }) => {
                assert_eq!((told, available), (needed, 1 << 20));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(left(), 0, "nothing is left");
    }
    let ring = tmpfs.path("small.ring");
    create_ring::<Number>(&ring, options(1 << 10)).unwrap();
    let error = create_ring::<Number>(&tmpfs.path("second.ring"), options(1 << 14)).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("1073152 bytes needed, ") && text.contains("remount,size="),
        "{text}"
    );
    assert_eq!(left(), 1);
    let mut producer = Producer::<Number>::attach(&ring).unwrap();
    let mut consumer = Consumer::<Number>::attach(&ring).unwrap();
    // Somebody else takes all the rest.
    let mut hog = fs::File::create(tmpfs.path("hog")).unwrap();
    while hog.write_all(&[1; 4096]).is_ok() {}
    for value in 0..5000 {
        producer.push(&Number { value }).unwrap();
        assert_eq!(consumer.pop().unwrap().message.value, value);
        consumer.commit();
    }
    let text = create_ring::<Number>(&tmpfs.path("third.ring"), options(4))
        .unwrap_err()
        .to_string();
    assert!(text.contains("no room for segment"), "{text}");
}

/// Beyond a process's own limit the kernel would send a signal before it says no.
#[test]
fn a_limit_on_the_size_of_files_is_an_error_and_no_signal() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let ring = directory.path().join("r");
    assert_eq!(Attached::start("creator", &ring).go_on(), None);
    assert!(!ring.exists());
}

#[test]
fn an_unlinked_ring_goes_on_and_nobody_new_gets_in() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let ring = directory.path().join("r");
    create_ring::<Number>(&ring, options(16)).unwrap();
    let mut producer = Producer::<Number>::attach(&ring).unwrap();
    let mut consumer = Consumer::<Number>::attach(&ring).unwrap();
    assert!(matches!(
        remove_abandoned(&ring),
        Err(Error::RoleTaken { .. })
    ));
    fs::remove_file(&ring).unwrap();
    for value in 0..100 {
        producer.push(&Number { value }).unwrap();
        assert_eq!(consumer.pop().unwrap().message.value, value);
        consumer.commit();
    }
    assert!(matches!(
        Producer::<Number>::attach(&ring),
        Err(Error::NotFound { .. })
    ));
    assert!(matches!(Observer::open(&ring), Err(Error::NotFound { .. })));
    assert_eq!(
        (producer.consumer(), consumer.producer()),
        (Peer::Attached, Peer::Attached)
    );
    // The next ring of that name is another one.
    create_ring::<Number>(&ring, options(16)).unwrap();
    let successor = Producer::<Number>::attach(&ring).unwrap();
    assert_eq!((successor.published(), producer.published()), (0, 100));
}

#[test]
fn who_touches_a_truncated_ring_dies_of_sigbus_and_the_next_start_is_clean() {
    for kind in [Kind::Lossless, Kind::LatestWins] {
        for (role, length) in [("producer", 0), ("consumer", 10_000), ("observer", 4096)] {
            let directory = tempfile::tempdir_in("/dev/shm").unwrap();
            let ring = directory.path().join("r");
            let options = RingOptions {
                kind,
                ..options(16)
            };
            create_ring::<Number>(&ring, options).unwrap();
            let victim = Attached::start(role, &ring);
            let file = OpenOptions::new().write(true).open(&ring).unwrap();
            let peer = (role == "consumer").then(|| Producer::<Number>::attach(&ring).unwrap());
            file.set_len(length).unwrap();
            if let Some(peer) = &peer {
                assert_eq!(
                    peer.consumer(),
                    Peer::Attached,
                    "it has touched nothing yet"
                );
            }
            assert_eq!(victim.go_on(), Some(libc::SIGBUS), "{role} {length}");
            if let Some(peer) = peer {
                assert_eq!(peer.consumer(), Peer::Absent, "its peer can tell");
                // A goodbye would be a touch.
                std::mem::forget(peer);
                continue;
            }
            for error in [
                Producer::<Number>::attach(&ring).err(),
                Consumer::<Number>::attach(&ring).err(),
                Observer::open(&ring).err(),
            ] {
                let text = error.unwrap().to_string();
                let found = text.contains(&format!("{length} bytes, "));
                assert!(
                    found && text.contains("fix: start its pipeline's launcher again"),
                    "{text}"
                );
            }
            assert!(remove_abandoned(&ring).unwrap());
            create_ring::<Number>(&ring, options).unwrap();
            let mut producer = Producer::<Number>::attach(&ring).unwrap();
            assert_eq!(producer.push(&Number { value: 1 }), Ok(0));
        }
    }
}

/// A length that was cut and restored holds zeros where messages were: attach must not take it for a
/// ring.
#[test]
fn a_file_that_was_truncated_and_grown_again_is_refused() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let ring = directory.path().join("r");
    for cut in [0, 4096, 5 * 4096] {
        create_ring::<Number>(&ring, options(1024)).unwrap();
        let file = OpenOptions::new().write(true).open(&ring).unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len(cut).unwrap();
        file.set_len(length).unwrap();
        let text = Consumer::<Number>::attach(&ring).err().unwrap().to_string();
        assert!(
            text.contains("is not a usable segment") && text.contains("fix: "),
            "{cut}: {text}"
        );
        assert!(remove_abandoned(&ring).unwrap());
    }
}
