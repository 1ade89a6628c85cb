//! The laws of a board: the latest value, whole, by index.

use ipc::{BoardError, BoardOptions, BoardReader, BoardWriter, create_board};
use std::os::unix::fs::FileExt;

ipc::message! {
    /// A value whose words all tell the same number, so that a torn one shows.
    pub struct Value v1 {
        /// The number.
        words: [u64; 6] = "count",
    }
}

fn value(number: u64) -> Value {
    Value { words: [number; 6] }
}

#[test]
fn readers_see_the_latest_value_whole_while_it_is_written() {
    const COUNT: u64 = 200_000;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.board");
    create_board::<Value>(
        &path,
        BoardOptions {
            rows: 4,
            ..BoardOptions::default()
        },
    )
    .unwrap();
    let mut writer = BoardWriter::<Value>::attach(&path).unwrap();
    let reader = BoardReader::<Value>::open(&path).unwrap();
    assert_eq!(reader.read(2), Ok(None), "never written");
    let writing = std::thread::spawn(move || {
        for number in 1..=COUNT {
            writer.write(2, &value(number)).unwrap();
        }
        assert_eq!(
            writer.write(4, &value(1)),
            Err(BoardError::Outside { index: 4, rows: 4 })
        );
    });
    let mut last = 0;
    while last < COUNT {
        if let Ok(Some(row)) = reader.read(2) {
            assert_eq!(row.value, value(row.version), "torn");
            assert!(row.version >= last, "went back");
            last = row.version;
        }
    }
    writing.join().unwrap();
    assert_eq!(reader.read(2).unwrap().unwrap().version, COUNT);
    assert!(reader.read(4).is_err());
}

#[test]
fn a_row_left_half_written_is_not_shown_and_is_written_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.board");
    create_board::<Value>(
        &path,
        BoardOptions {
            rows: 4,
            ..BoardOptions::default()
        },
    )
    .unwrap();
    let mut writer = BoardWriter::<Value>::attach(&path).unwrap();
    writer.write(1, &value(1)).unwrap();
    drop(writer);
    // Marked "being written" for the second time: 2n + 1 with n = 1.
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&3_u64.to_ne_bytes(), 6 * 4096 + 64)
        .unwrap();
    let reader = BoardReader::<Value>::open(&path).unwrap();
    assert_eq!(reader.read(1), Err(BoardError::BeingWritten { index: 1 }));
    let mut successor = BoardWriter::<Value>::attach(&path).unwrap();
    successor.write(1, &value(2)).unwrap();
    let row = reader.read(1).unwrap().unwrap();
    assert_eq!((row.value, row.version), (value(2), 2));
}
