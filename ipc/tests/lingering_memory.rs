//! A process that is dead holds no role, though its memory is still there.
//!
//! Whoever reads the command line of a process that is just dying, as `ps` does, keeps its memory and its
//! mappings until he is done. Here a child does it, for as long as the test wants: it was spawned, shares
//! its parent's memory until it runs its program, and waits for a pipe before that.

use ipc::{Consumer, Error, Producer, RingOptions, create_ring};
use nix::{
    fcntl::OFlag,
    spawn::{PosixSpawnAttr, PosixSpawnFileActions, posix_spawn},
    sys::stat::Mode,
    unistd::mkfifo,
};
use std::{
    ffi::CStr,
    fs::OpenOptions,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

ipc::message! {
    /// A number.
    pub struct Count v1 {
        /// It.
        number: u64 = "count",
    }
}

/// Where the second process finds the ring and the pipes.
const DIRECTORY: &str = "LINGERING_MEMORY";
const RING: &str = "count.ring";
/// Opens when the child has closed what it had of its parent's descriptors.
const CLOSED: &str = "closed";
/// Opens when the child may go on to its program.
const ENOUGH: &str = "enough";
/// More descriptors than the second process has.
const DESCRIPTORS: i32 = 256;

/// Kills the second process, should a test end early.
struct Second(Child);

impl Drop for Second {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Takes both roles of the ring, and spawns the child that keeps this process's memory.
#[test]
#[ignore = "played for the other test, when it starts this program again"]
fn second_process() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else {
        return println!("nobody has started this program again");
    };
    let ring = directory.join(RING);
    let producer = Producer::<Count>::attach(&ring).unwrap();
    let consumer = Consumer::<Count>::attach(&ring).unwrap();
    let mut actions = PosixSpawnFileActions::init().unwrap();
    for descriptor in 3..DESCRIPTORS {
        actions.add_close(descriptor).unwrap();
    }
    for pipe in [CLOSED, ENOUGH] {
        let pipe = directory.join(pipe);
        actions
            .add_open(3, &pipe, OFlag::O_RDONLY, Mode::empty())
            .unwrap();
    }
    let attributes = PosixSpawnAttr::init().unwrap();
    let none: [&CStr; 0] = [];
    // Comes back when the child runs its program; this process is killed before.
    let child = posix_spawn(c"/bin/true", &actions, &attributes, &none, &none);
    drop((producer, consumer));
    panic!("nobody has killed this process: {child:?}");
}

fn open_for_writing(pipe: &Path) -> std::fs::File {
    OpenOptions::new().write(true).open(pipe).unwrap()
}

#[test]
fn the_roles_of_a_dead_process_are_free_while_its_memory_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let ring = directory.path().join(RING);
    create_ring::<Count>(&ring, RingOptions::default()).unwrap();
    let [closed, enough] = [CLOSED, ENOUGH].map(|name| directory.path().join(name));
    for pipe in [&closed, &enough] {
        mkfifo(pipe, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    }
    let mut second = Second(
        Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "second_process"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    );
    drop(open_for_writing(&closed));
    let refused = Producer::<Count>::attach(&ring).err();
    assert!(
        matches!(refused, Some(Error::RoleTaken { .. })),
        "{refused:?}"
    );
    second.0.kill().unwrap();
    second.0.wait().unwrap();
    let roles = (
        Producer::<Count>::attach(&ring).map(drop),
        Consumer::<Count>::attach(&ring).map(drop),
    );
    // The memory was there all the time: the child is still before its second pipe.
    drop(open_for_writing(&enough));
    assert!(matches!(roles, (Ok(()), Ok(()))), "{roles:?}");
}
