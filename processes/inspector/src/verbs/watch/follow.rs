//! The messages of one ring, or the rows of one board, decoded as they come.

use super::figures::span_ns;
use ipc::{Kind, Observer, Schema, SchemaField, Value, clock};
use std::{collections::VecDeque, path::Path};

/// Messages that are kept to scroll back to.
const KEPT: usize = 1000;
/// Messages read at a look: of a faster ring the latest.
const AT_ONCE: u64 = 200;

/// What was read of a ring that is open.
#[derive(Debug, Clone, Default)]
pub(super) struct Messages {
    /// Names of the fields.
    pub(super) fields: Vec<String>,
    /// The latest last.
    pub(super) lines: VecDeque<Line>,
    /// The latest in full: one field a line, with its unit.
    pub(super) latest: String,
    /// Messages that came and went between two looks.
    pub(super) skipped: u64,
    /// Why there are none.
    pub(super) fault: Option<String>,
}

/// A message, or a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Its number in the ring, or that of the row.
    pub(super) number: u64,
    /// When it was written, ns of `CLOCK_MONOTONIC`; 0 where it does not say.
    pub(super) at_ns: u64,
    /// One for each field.
    pub(super) values: Vec<String>,
}

/// A segment whose messages are followed.
pub(super) struct Follower {
    source: Option<(Observer, Schema)>,
    /// The first message not yet read; of a board its count of writes.
    next: Option<u64>,
    pub(super) messages: Messages,
}

impl Follower {
    /// Begins with what is there.
    pub(super) fn open(path: &Path) -> Self {
        let opened = Observer::open(path).and_then(|observer| {
            let schema = observer.schema()?;
            Ok((observer, schema))
        });
        let (source, fields, fault) = match opened {
            Ok((observer, schema)) => {
                let names = shown(&schema).map(|(_, field)| field.name.clone());
                let fields = names.collect();
                (Some((observer, schema)), fields, None)
            }
            Err(error) => (None, Vec::new(), Some(error.to_string())),
        };
        Self {
            source,
            next: None,
            messages: Messages {
                fields,
                fault,
                ..Messages::default()
            },
        }
    }

    /// Whether its file is still the one of that name: a pipeline that is started again has others.
    pub(super) fn is_current(&self) -> bool {
        self.source
            .as_ref()
            .is_some_and(|(observer, _)| observer.is_in_place())
    }

    /// Reads what has come since.
    pub(super) fn look(&mut self) {
        let Some((observer, schema)) = &self.source else {
            return;
        };
        let published = observer.statistics().published;
        if self.next == Some(published) {
            return;
        }
        if observer.info().kind == Kind::Board {
            self.messages.read_rows(observer, schema);
        } else {
            let first = self.next.unwrap_or(0);
            let from = first.max(published.saturating_sub(AT_ONCE));
            if self.next.is_some() {
                self.messages.skipped += from - first.min(from);
            }
            for sequence in from..published {
                self.messages.read(observer, schema, sequence);
            }
        }
        self.next = Some(published);
    }
}

impl Messages {
    fn read(&mut self, observer: &Observer, schema: &Schema, sequence: u64) {
        // Whatever has been overwritten meanwhile is gone.
        let Ok(Some(message)) = observer.read_bytes(sequence) else {
            self.skipped += 1;
            return;
        };
        self.push(schema, sequence, message.sent_ns, &message.bytes);
    }

    fn read_rows(&mut self, observer: &Observer, schema: &Schema) {
        self.lines.clear();
        let rows = 0..observer.info().capacity;
        let mut written: Vec<_> = rows
            .filter_map(|index| Some((index, observer.read_row(index).ok().flatten()?)))
            .collect();
        written.sort_by_key(|(_, row)| row.written_ns);
        for (index, row) in written {
            self.push(schema, index.into(), row.written_ns, &row.value);
        }
    }

    fn push(&mut self, schema: &Schema, number: u64, at_ns: u64, bytes: &[u8]) {
        let Ok(record) = schema.decode(bytes) else {
            return;
        };
        self.latest = format!("{record:#}");
        let now = clock::mono_ns();
        let values: Vec<String> = record
            .fields()
            .map(|(field, value)| said(field, &value, now))
            .collect();
        let values = shown(schema).map(|(index, _)| values[index].clone());
        self.lines.push_back(Line {
            number,
            at_ns,
            values: values.collect(),
        });
        if self.lines.len() > KEPT {
            self.lines.pop_front();
        }
    }
}

/// The fields that say something, with their places.
fn shown(schema: &Schema) -> impl Iterator<Item = (usize, &SchemaField)> {
    let fields = schema.fields().iter().enumerate();
    let filling = |name: &str| {
        ["_", "pad", "reserved"]
            .iter()
            .any(|start| name.starts_with(start))
    };
    fields.filter(move |(_, field)| !filling(&field.name))
}

/// A value in few characters: codes by their meaning, times as how long ago they were.
fn said(field: &SchemaField, value: &Value<'_>, now: u64) -> String {
    let Value::Unsigned(number) = *value else {
        return value.to_string();
    };
    if let Some(meaning) = field.meaning(number) {
        return meaning.to_owned();
    }
    match u64::try_from(number) {
        Ok(at) if field.unit.contains("CLOCK_MONOTONIC") && (1..=now).contains(&at) => {
            format!("{} ago", span_ns(now - at))
        }
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipc::{
        BoardOptions, BoardWriter, Producer, RingOptions, bytemuck::Zeroable as _, create_board,
        create_ring,
    };
    use layouts::{Order, PriceUpdate};

    #[test]
    fn messages_are_decoded_as_they_come_and_those_missed_are_counted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("orders.ring");
        let options = RingOptions {
            capacity: 4,
            kind: Kind::LatestWins,
            ..RingOptions::default()
        };
        create_ring::<Order>(&path, options).unwrap();
        let mut producer = Producer::<Order>::attach(&path).unwrap();
        let mut follower = Follower::open(&path);
        follower.look();
        assert!(follower.messages.lines.is_empty());
        let order = Order {
            market: 77,
            ..Order::zeroed()
        };
        producer.push(&order).unwrap();
        follower.look();
        let messages = &follower.messages;
        let market = messages.fields.iter().position(|name| name == "market");
        assert_eq!(messages.lines[0].values[market.unwrap()], "77");
        assert!(
            messages.latest.starts_with("Order v"),
            "{}",
            messages.latest
        );
        for _ in 0..10 {
            producer.push(&order).unwrap();
        }
        follower.look();
        let numbers: Vec<u64> = follower
            .messages
            .lines
            .iter()
            .map(|line| line.number)
            .collect();
        assert_eq!(numbers, [0, 7, 8, 9, 10]);
        assert_eq!(follower.messages.skipped, 6);
    }

    #[test]
    fn rows_of_a_board_are_shown_in_the_order_of_their_writing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("prices.board");
        create_board::<PriceUpdate>(&path, BoardOptions::default()).unwrap();
        let mut writer = BoardWriter::<PriceUpdate>::attach(&path).unwrap();
        let mut follower = Follower::open(&path);
        for row in [5, 3, 5] {
            writer.write(row, &PriceUpdate::zeroed()).unwrap();
        }
        follower.look();
        let numbers: Vec<u64> = follower
            .messages
            .lines
            .iter()
            .map(|line| line.number)
            .collect();
        assert_eq!(numbers, [3, 5]);
    }

    #[test]
    fn a_ring_that_cannot_be_read_says_why() {
        let follower = Follower::open(Path::new("/nowhere/orders.ring"));
        assert!(
            follower
                .messages
                .fault
                .unwrap()
                .contains("/nowhere/orders.ring")
        );
    }
}
