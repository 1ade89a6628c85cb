//! A recording written and read back, whole, cut anywhere, and damaged; and the tap on real rings.

use super::*;
use crate::place::SegmentFile;
use ipc::{BoardWriter, Message, Producer, RingOptions, bytemuck::Zeroable as _};
use layouts::{Order, PriceUpdate};
use std::{
    fs,
    path::{Path, PathBuf},
};

fn order(number: u64) -> Order {
    Order {
        order: number,
        ..Order::zeroed()
    }
}

fn ring<T: Message>(directory: &Path, name: &str, capacity: u32) -> (SegmentFile, Producer<T>) {
    let path = directory.join(format!("{name}.ring"));
    let options = RingOptions {
        kind: Kind::LatestWins,
        capacity,
        ..RingOptions::default()
    };
    ipc::create_ring::<T>(&path, options).unwrap();
    let producer = Producer::attach(&path).unwrap();
    (file(name, &path, false), producer)
}

fn file(name: &str, path: &Path, board: bool) -> SegmentFile {
    SegmentFile {
        pipeline: "test".into(),
        name: name.into(),
        board,
        path: path.to_owned(),
        asked: false,
    }
}

/// A recording of `tap` as it is now.
fn record(tap: &mut Tap, path: &Path) {
    let header = tap.header("test", None);
    let mut writer = Writer::create(path, &header).unwrap();
    tap.look().unwrap();
    tap.pour(&mut writer, true).unwrap();
    let bytes = writer.finish().unwrap();
    assert!(fs::metadata(path).unwrap().len() >= bytes);
}

fn read(path: &Path) -> (Vec<Entry>, Ending) {
    let mut reader = Reader::open(path).unwrap();
    let mut entries = Vec::new();
    while let Some(entry) = reader.next().unwrap() {
        entries.push(entry);
    }
    (entries, reader.ending().unwrap().clone())
}

/// Ring and number of each message; a gap has its length for a number, and a mark.
fn numbers(entries: &[Entry]) -> Vec<(u16, u64, &'static str)> {
    let number = |entry: &Entry| match entry {
        Entry::Message {
            segment, sequence, ..
        } => (*segment, *sequence, "message"),
        Entry::Gap { segment, lost, .. } => (*segment, *lost, "lost"),
        Entry::Row { segment, row, .. } => (*segment, u64::from(*row), "row"),
    };
    entries.iter().map(number).collect()
}

/// Three messages of a ring, in a file.
fn sample(directory: &Path) -> PathBuf {
    let (orders, mut producer) = ring::<Order>(directory, "orders", 16);
    for number in 0..3 {
        producer.push(&order(number)).unwrap();
    }
    let path = directory.join("sample.rec");
    record(&mut Tap::open(&[orders]).unwrap(), &path);
    path
}

#[test]
fn several_rings_and_a_board_are_one_file_in_order_of_time() {
    let directory = tempfile::tempdir().unwrap();
    let (orders, mut first) = ring::<Order>(directory.path(), "orders", 16);
    let (prices, mut second) = ring::<PriceUpdate>(directory.path(), "prices", 16);
    let path = directory.path().join("prices.board");
    ipc::create_board::<PriceUpdate>(&path, ipc::BoardOptions::default()).unwrap();
    let mut rows = BoardWriter::<PriceUpdate>::attach(&path).unwrap();
    rows.write(7, &PriceUpdate::zeroed()).unwrap();
    let board = file("prices", &path, true);
    first.push_stamped(&order(10), 300).unwrap();
    second.push_stamped(&PriceUpdate::zeroed(), 100).unwrap();
    first.push_stamped(&order(11), 500).unwrap();
    second.push_stamped(&PriceUpdate::zeroed(), 400).unwrap();
    let mut tap = Tap::open(&[board, orders, prices]).unwrap();
    tap.take_rows().unwrap();
    let path = directory.path().join("all.rec");
    record(&mut tap, &path);
    let (entries, ending) = read(&path);
    let expected = [
        (2, 0, "message"),
        (1, 0, "message"),
        (2, 1, "message"),
        (1, 1, "message"),
        (0, 7, "row"),
    ];
    assert_eq!(
        (numbers(&entries), ending),
        (expected.to_vec(), Ending::Complete)
    );
    let of_order = Entry::Message {
        segment: 1,
        sequence: 1,
        sent_ns: 500,
        bytes: ipc::bytemuck::bytes_of(&order(11)).to_vec(),
    };
    assert_eq!(entries[3], of_order);
    let header = Reader::open(&path).unwrap().header().clone();
    let names: Vec<_> = header
        .segments
        .iter()
        .map(|it| (it.name.as_str(), it.message(), it.kind))
        .collect();
    let expected = [
        ("prices", "PriceUpdate", SegmentKind::Board),
        ("orders", "Order", SegmentKind::LatestWins),
        ("prices", "PriceUpdate", SegmentKind::LatestWins),
    ];
    assert_eq!(names, expected);
}

#[test]
fn what_was_overwritten_is_a_gap_of_exact_size() {
    let directory = tempfile::tempdir().unwrap();
    let (orders, mut producer) = ring::<Order>(directory.path(), "orders", 16);
    producer.push(&order(0)).unwrap();
    let mut tap = Tap::open(&[orders]).unwrap();
    tap.look().unwrap();
    for number in 1..101 {
        producer.push(&order(number)).unwrap();
    }
    let path = directory.path().join("gap.rec");
    record(&mut tap, &path);
    let (entries, ending) = read(&path);
    let found = numbers(&entries);
    assert_eq!(
        &found[..3],
        [(0, 0, "message"), (0, 92, "lost"), (0, 93, "message")]
    );
    assert_eq!(
        (found.len(), found.last()),
        (10, Some(&(0, 100, "message")))
    );
    assert_eq!(ending, Ending::Complete);
    let tapped = &tap.tapped()[0];
    assert_eq!((tapped.messages, tapped.lost), (9, 92));
}

/// As a recorder leaves it that was killed.
#[test]
fn a_file_that_is_cut_anywhere_is_read_up_to_its_last_whole_entry() {
    let directory = tempfile::tempdir().unwrap();
    let path = sample(directory.path());
    let whole = fs::read(&path).unwrap();
    let entry = HEAD + size_of::<Order>();
    let body = whole.len() - HEAD - 3 * entry;
    let cut = directory.path().join("cut.rec");
    for length in body..whole.len() {
        fs::write(&cut, &whole[..length]).unwrap();
        let (entries, ending) = read(&cut);
        let expected = ((length - body) / entry).min(3);
        assert_eq!(entries.len(), expected, "{length} bytes");
        let rest = length - body - expected * entry;
        assert_eq!(ending, Ending::Cut { rest }, "{length} bytes");
    }
    for length in 0..body {
        fs::write(&cut, &whole[..length]).unwrap();
        assert!(Reader::open(&cut).is_err(), "{length} bytes");
    }
}

#[test]
fn what_no_recorder_writes_is_damage_from_there_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = sample(directory.path());
    let whole = fs::read(&path).unwrap();
    let entry = HEAD + size_of::<Order>();
    let second = whole.len() - HEAD - 2 * entry;
    let damaged = directory.path().join("damaged.rec");
    for (at, value, reason) in [
        (0, 9, "kind 9"),
        (0, ROW, "kind 3"),
        (0, END, "an end behind 1 entries"),
        (2, 1, "segment 1, there are 1"),
        (4, 47, "47 bytes, 48 are expected"),
        (8, 2, "number 2 of `orders`, 1 is the next"),
    ] {
        let mut bytes = whole.clone();
        bytes[second + at] = value;
        fs::write(&damaged, &bytes).unwrap();
        let (entries, ending) = read(&damaged);
        assert_eq!(entries.len(), 1, "{reason}");
        let text = ending.to_string();
        let place = format!("damaged at byte {second}");
        assert!(text.contains(&place) && text.contains(reason), "{text}");
    }
    for (at, value, reason) in [
        (0, b'B', "does not begin"),
        (8, 2, "format 2"),
        (15, 9, "a header of"),
    ] {
        let mut bytes = whole.clone();
        bytes[at] = value;
        fs::write(&damaged, &bytes).unwrap();
        let error = Reader::open(&damaged).err().unwrap().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_recording_is_for_its_owner_and_replaces_nothing() {
    use std::os::unix::fs::MetadataExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = sample(directory.path());
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let header = Reader::open(&path).unwrap().header().clone();
    let error = Writer::create(&path, &header).err().unwrap().to_string();
    assert!(error.contains("fix: remove it"), "{error}");
}
