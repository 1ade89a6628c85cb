//! What is refused at creation and attach, and that the text names the fix.

use ipc::{
    BoardOptions, BoardReader, Consumer, Kind, Producer, RingOptions, create_board, create_ring,
    remove_abandoned,
};
use std::{
    fs,
    os::unix::fs::{FileExt, PermissionsExt, symlink},
    path::PathBuf,
};
use tempfile::TempDir;

ipc::message! {
    /// A price.
    pub struct Price v1 {
        /// Bid.
        bid: u64 = "ticks",
        /// Ask.
        ask: u64 = "ticks",
    }
}

/// The same struct as another build would have it.
mod other {
    ipc::message! {
        /// A price.
        pub struct Price v1 {
            /// Ask.
            ask: u64 = "ticks",
            /// Bid.
            bid: u64 = "ticks",
        }
    }
}

fn ring() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("prices.ring");
    create_ring::<Price>(
        &path,
        RingOptions {
            capacity: 8,
            ..RingOptions::default()
        },
    )
    .unwrap();
    (directory, path)
}

#[test]
fn lesson_2_two_swapped_fields_of_one_size_are_refused_and_named() {
    let (_directory, path) = ring();
    let error = Producer::<other::Price>::attach(&path)
        .err()
        .unwrap()
        .to_string();
    for part in [
        "prices.ring carries another layout",
        "\n  bid: at 0 in the segment, at 8 in this program\n",
        "\n  ask: at 8 in the segment, at 0 in this program\n",
        "fix: build all",
    ] {
        assert!(error.contains(part), "{part} is missing in:\n{error}");
    }
}

#[test]
fn a_ring_is_no_board_and_a_board_no_ring() {
    let (directory, path) = ring();
    let error = BoardReader::<Price>::open(&path).err().unwrap().to_string();
    assert!(
        error.contains("is a lossless ring, opened as a board"),
        "{error}"
    );
    let board = directory.path().join("prices.board");
    create_board::<Price>(
        &board,
        BoardOptions {
            rows: 8,
            ..BoardOptions::default()
        },
    )
    .unwrap();
    let error = Consumer::<Price>::attach(&board).err().unwrap().to_string();
    assert!(error.contains("is a board, opened as a ring"), "{error}");
}

#[test]
fn a_missing_segment_says_what_to_start() {
    let directory = tempfile::tempdir().unwrap();
    let error = Consumer::<Price>::attach(&directory.path().join("no.ring"))
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("does not exist") && error.contains("start the pipeline's launcher first"),
        "{error}"
    );
}

#[test]
fn links_directories_and_fragments_are_no_segments() {
    let (directory, path) = ring();
    let link = directory.path().join("link.ring");
    symlink(&path, &link).unwrap();
    let error = Producer::<Price>::attach(&link).err().unwrap().to_string();
    assert!(error.contains("symbolic link"), "{error}");

    let fragment = directory.path().join("fragment.ring");
    for content in [&b""[..], b"ARBEESq1", &[0; 5000]] {
        fs::write(&fragment, content).unwrap();
        let error = Producer::<Price>::attach(&fragment)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("is not a usable segment"), "{error}");
    }
    assert!(Producer::<Price>::attach(directory.path()).is_err());
}

#[test]
fn a_truncated_segment_and_one_of_another_format_are_told_apart() {
    let (_directory, path) = ring();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&7_u32.to_ne_bytes(), 8).unwrap();
    let error = Producer::<Price>::attach(&path).err().unwrap().to_string();
    assert!(
        error.contains("has format 7, this program reads format 3"),
        "{error}"
    );
    file.write_all_at(&3_u32.to_ne_bytes(), 8).unwrap();
    file.set_len(10_000).unwrap();
    let error = Producer::<Price>::attach(&path).err().unwrap().to_string();
    assert!(error.contains("10000 bytes, its geometry needs"), "{error}");
}

#[test]
fn impossible_options_are_refused_before_anything_is_created() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.ring");
    for (options, part) in [
        (
            RingOptions {
                capacity: 1000,
                ..RingOptions::default()
            },
            "capacity of 1000",
        ),
        (
            RingOptions {
                stamp_every: 3,
                ..RingOptions::default()
            },
            "every 3 messages",
        ),
        (
            RingOptions {
                mode: 0o666,
                ..RingOptions::default()
            },
            "mode of 666",
        ),
        (
            RingOptions {
                mode: 0o660,
                ..RingOptions::default()
            },
            "without the group that it is for",
        ),
        (
            RingOptions {
                group: Some(0),
                ..RingOptions::default()
            },
            "gives the group 0 nothing",
        ),
        (
            RingOptions {
                mode: 0o660,
                group: Some(u32::MAX),
                ..RingOptions::default()
            },
            "which the kernel takes for none",
        ),
        (
            RingOptions {
                kind: Kind::Board,
                ..RingOptions::default()
            },
            "create_board",
        ),
    ] {
        let error = create_ring::<Price>(&path, options)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(part), "{part} is missing in:\n{error}");
    }
    assert_eq!(
        fs::read_dir(directory.path()).unwrap().count(),
        0,
        "nothing is left behind"
    );
}

#[test]
fn a_name_that_is_taken_is_not_overwritten() {
    let (directory, path) = ring();
    let before = fs::read(&path).unwrap();
    let error = create_ring::<Price>(&path, RingOptions::default())
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("exists already"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(
        fs::read_dir(directory.path()).unwrap().count(),
        1,
        "no temporary file is left"
    );
}

#[test]
fn only_the_abandoned_is_removed() {
    let (directory, path) = ring();
    let consumer = Consumer::<Price>::attach(&path).unwrap();
    let error = remove_abandoned(&path).unwrap_err().to_string();
    assert!(
        error.contains("another live process is the consumer"),
        "{error}"
    );
    drop(consumer);
    assert!(remove_abandoned(&path).unwrap());
    assert!(!remove_abandoned(&path).unwrap());
    let fragment = directory.path().join("fragment.ring");
    fs::write(&fragment, b"half").unwrap();
    assert!(remove_abandoned(&fragment).unwrap());
}

#[test]
fn the_file_is_private_unless_asked_otherwise() {
    let (directory, path) = ring();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let shared = directory.path().join("shared.ring");
    create_ring::<Price>(
        &shared,
        RingOptions {
            mode: 0o660,
            group: Some(nix::unistd::getegid().as_raw()),
            ..RingOptions::default()
        },
    )
    .unwrap();
    assert_eq!(
        fs::metadata(&shared).unwrap().permissions().mode() & 0o777,
        0o660
    );
}
