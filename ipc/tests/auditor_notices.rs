//! The auditor of the crash walk and of the storm can fail: it notices each kind of damage to a stream.

#[allow(dead_code, reason = "the walk and the storm use the rest of it")]
mod auditor;

use auditor::{
    Shape, Stream,
    message::{Line, Numbered},
};
use ipc::{Consumer, Kind, Producer};

fn stream(kind: Kind) -> Stream {
    Stream::new(Shape {
        kind,
        capacity: 16,
        stamp_every: 1,
        commit_every: 4,
        wide: false,
    })
    .unwrap()
}

fn push(stream: &Stream, messages: &[Line]) {
    let mut producer = Producer::<Line>::attach(&stream.ring()).unwrap();
    for message in messages {
        producer.push(message).unwrap();
    }
}

/// What the auditor finds in a lossless ring with these messages.
fn found_in(messages: &[Line]) -> String {
    let stream = stream(Kind::Lossless);
    push(&stream, messages);
    let result = stream.read_until(messages.len() as u64);
    result
        .err()
        .map_or(String::new(), |error| error.to_string())
}

#[test]
fn a_message_that_is_torn_displaced_or_of_a_dead_writer() {
    let whole = [Line::new(0, 1), Line::new(1, 1), Line::new(2, 2)];
    assert_eq!(found_in(&whole), "");
    let mut torn = whole;
    torn[1].rest[2] = whole[2].rest[2];
    assert_eq!(found_in(&torn), "message 1 is torn");
    let displaced = [whole[0], whole[2], whole[1]];
    assert_eq!(found_in(&displaced), "message 2 came as 1");
    let of_the_dead = [whole[0], Line::new(1, 2), Line::new(2, 1)];
    let found = found_in(&of_the_dead);
    assert_eq!(
        found,
        "message 2 was written by life 1, after one by life 2"
    );
}

#[test]
fn a_commit_that_no_reader_had_made() {
    let stream = stream(Kind::Lossless);
    push(&stream, &[Line::new(0, 1), Line::new(1, 1)]);
    stream.read_until(1).unwrap();
    let mut thief = Consumer::<Line>::attach(&stream.ring()).unwrap();
    thief.pop().unwrap();
    thief.commit();
    drop(thief);
    let found = stream.read_until(2).unwrap_err().to_string();
    assert!(
        found.starts_with("attached at 2 with 0 lost; the last commits were"),
        "{found}"
    );
}

#[test]
fn a_stream_that_is_not_what_was_written() {
    for kind in [Kind::Lossless, Kind::LatestWins] {
        let stream = stream(kind);
        push(
            &stream,
            &(0..10)
                .map(|number| Line::new(number, 1))
                .collect::<Vec<_>>(),
        );
        stream.read_until(10).unwrap();
        // These pushes are in no producer's ledger.
        let found = stream.settle(10).unwrap_err().to_string();
        assert!(found.contains("the producers say 0 pushed"), "{found}");
    }
}
