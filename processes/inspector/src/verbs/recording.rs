//! `recording`: what a recording holds.

use crate::{
    Failure,
    arguments::Arguments,
    exit::Exit,
    recording::{Ending, Entry, Header, Reader, SegmentHead, SegmentKind},
    say,
    table::{Align, Table},
};
use clap::Args;
use ipc::{Schema, Value};
use serde::Serialize;
use std::path::PathBuf;

/// What to show.
#[derive(Debug, Args)]
#[command(after_help = "\
With --messages, each message is one line: its time since the beginning of the recording, its ring, its number,
and its fields by the schema in the recording. With --json too, one JSON object a line.

Exit codes: 0 it is complete, 1 it was cut off or messages are missing, 2 it is no recording")]
pub(crate) struct RecordingArguments {
    /// The recording.
    file: PathBuf,
    /// Its messages, decoded.
    #[arg(long)]
    messages: bool,
    /// Of this ring or board only; may be given more than once.
    #[arg(long = "of", value_name = "RING")]
    only: Vec<String>,
}

/// A recording as it is shown.
#[derive(Debug, Serialize)]
struct Shown {
    pipeline: String,
    began_unix_ns: u64,
    replayable: bool,
    /// `complete`, or how it ends.
    ending: String,
    segments: Vec<Segment>,
}

/// One of its rings and boards.
#[derive(Debug, Serialize)]
struct Segment {
    name: String,
    kind: SegmentKind,
    capacity: u32,
    message: String,
    fingerprint: String,
    first: u64,
    /// Messages of a ring, rows of a board.
    messages: u64,
    lost: u64,
}

/// Shows it.
///
/// # Errors
///
/// When it cannot be read.
pub(super) fn run(arguments: &Arguments, what: &RecordingArguments) -> Result<Exit, Failure> {
    let mut reader = Reader::open(&what.file)?;
    let header = reader.header().clone();
    for name in &what.only {
        if !header.segments.iter().any(|segment| segment.name == *name) {
            let names: Vec<&str> = header.segments.iter().map(|it| it.name.as_str()).collect();
            return Err(Failure::Other(format!(
                "the recording has no `{name}`; it has {}",
                names.join(", ")
            )));
        }
    }
    let layouts = header.segments.iter().map(SegmentHead::layout);
    // Reader::open has read them all.
    let layouts: Vec<Schema> = layouts.filter_map(Result::ok).collect();
    let mut shown = Shown::of(&header);
    while let Some(entry) = reader.next()? {
        shown.count(&entry);
        if what.messages {
            let line = Line::of(&entry, &header);
            if what.only.is_empty() || what.only.contains(&line.of) {
                line.show(&entry, &layouts, arguments.json)?;
            }
        }
    }
    let ending = reader.ending().cloned().unwrap_or(Ending::Complete);
    shown.ending = ending.to_string();
    let sound = ending == Ending::Complete && shown.segments.iter().all(|it| it.lost == 0);
    if !what.messages {
        if arguments.json {
            let text = serde_json::to_string_pretty(&shown);
            say(&(text.map_err(|error| Failure::Other(error.to_string()))? + "\n"))?;
        } else {
            say(&shown.text())?;
        }
    } else if ending != Ending::Complete {
        eprintln!("warning: the recording is {ending}");
    }
    Ok(if sound { Exit::Fine } else { Exit::Trouble })
}

impl Shown {
    fn of(header: &Header) -> Self {
        let segments = header.segments.iter().map(|segment| Segment {
            name: segment.name.clone(),
            kind: segment.kind,
            capacity: segment.capacity,
            message: segment.message().to_owned(),
            fingerprint: segment.fingerprint.clone(),
            first: segment.first,
            messages: 0,
            lost: 0,
        });
        Self {
            pipeline: header.pipeline.clone(),
            began_unix_ns: header.began_unix_ns,
            replayable: header.pipeline_file.is_some(),
            ending: String::new(),
            segments: segments.collect(),
        }
    }

    fn count(&mut self, entry: &Entry) {
        let (segment, messages, missing) = match entry {
            Entry::Message { segment, .. } | Entry::Row { segment, .. } => (*segment, 1, 0),
            Entry::Gap { segment, lost, .. } => (*segment, 0, *lost),
        };
        if let Some(segment) = self.segments.get_mut(usize::from(segment)) {
            segment.messages += messages;
            segment.lost = segment.lost.saturating_add(missing);
        }
    }

    fn text(&self) -> String {
        use Align::{Left, Right};
        let mut table = Table::new(&[
            ("NAME", Left),
            ("MESSAGE", Left),
            ("KIND", Left),
            ("CAPACITY", Right),
            ("FIRST", Right),
            ("MESSAGES", Right),
            ("LOST", Right),
            ("FINGERPRINT", Left),
        ]);
        for segment in &self.segments {
            table.row(vec![
                segment.name.clone(),
                segment.message.clone(),
                match segment.kind {
                    SegmentKind::Lossless => "lossless".into(),
                    SegmentKind::LatestWins => "latest-wins".into(),
                    SegmentKind::Board => "board".into(),
                },
                segment.capacity.to_string(),
                segment.first.to_string(),
                segment.messages.to_string(),
                match segment.lost {
                    0 => "-".into(),
                    lost => lost.to_string(),
                },
                segment.fingerprint.clone(),
            ]);
        }
        let began = i128::from(self.began_unix_ns);
        let began = jiff::Timestamp::from_nanosecond(began)
            .map_or_else(|_| "?".into(), |time| format!("{time:.3}"));
        let replayable = if self.replayable {
            "with its pipeline file"
        } else {
            "without a pipeline file: it cannot be replayed"
        };
        format!(
            "pipeline {}, recorded from {began}, {replayable}; {}\n{}",
            self.pipeline,
            self.ending,
            table.text()
        )
    }
}

/// The head of a line of one message.
#[derive(Debug, Serialize)]
struct Line {
    /// Its ring or board.
    of: String,
    /// `message`, `gap` or `row`.
    what: &'static str,
    /// Sequence, first one lost, or row.
    number: u64,
    /// Since the beginning of the recording; negative before it.
    since_ns: i64,
    /// The place of its ring in the header.
    #[serde(skip)]
    segment: u16,
}

impl Line {
    fn of(entry: &Entry, header: &Header) -> Self {
        let (segment, what, number, time_ns) = match entry {
            Entry::Message {
                segment,
                sequence,
                sent_ns,
                ..
            } => (*segment, "message", *sequence, *sent_ns),
            Entry::Gap {
                segment,
                first,
                time_ns,
                ..
            } => (*segment, "gap", *first, *time_ns),
            Entry::Row {
                segment,
                row,
                written_ns,
                ..
            } => (*segment, "row", u64::from(*row), *written_ns),
        };
        let of = header.segments.get(usize::from(segment));
        Self {
            of: of.map(|segment| segment.name.clone()).unwrap_or_default(),
            what,
            number,
            since_ns: i64::try_from(i128::from(time_ns) - i128::from(header.began_mono_ns))
                .unwrap_or(i64::MAX),
            segment,
        }
    }

    fn show(&self, entry: &Entry, layouts: &[Schema], json: bool) -> Result<(), Failure> {
        let bytes = match entry {
            Entry::Message { bytes, .. } | Entry::Row { bytes, .. } => bytes.as_slice(),
            Entry::Gap { .. } => &[],
        };
        let layout = layouts.get(usize::from(self.segment));
        let record = layout.and_then(|layout| layout.decode(bytes).ok());
        if json {
            let mut line = serde_json::json!(self);
            line["fields"] = record.map_or(serde_json::Value::Null, |record| {
                let fields = record.fields();
                let fields = fields.map(|(field, value)| (field.name.clone(), as_json(&value)));
                serde_json::Value::Object(fields.collect())
            });
            if let Entry::Gap { lost, .. } = entry {
                line["lost"] = (*lost).into();
            }
            return say(&format!("{line}\n"));
        }
        // Microseconds are enough for eyes.
        let micros = self.since_ns / 1_000;
        let (sign, micros) = (if micros < 0 { "-" } else { "" }, micros.unsigned_abs());
        let time = format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        let text = match (entry, record) {
            (Entry::Gap { lost, .. }, _) => format!("{lost} messages were lost"),
            (_, Some(record)) => record.to_string(),
            (_, None) => format!("{} bytes", bytes.len()),
        };
        say(&format!("{time:>14} {} {} {text}\n", self.of, self.number))
    }
}

/// A field as JSON: numbers as numbers where JSON has them, all else as text.
fn as_json(value: &Value<'_>) -> serde_json::Value {
    match value {
        Value::Unsigned(number) => u64::try_from(*number)
            .map_or_else(|_| number.to_string().into(), serde_json::Value::from),
        Value::Signed(number) => i64::try_from(*number)
            .map_or_else(|_| number.to_string().into(), serde_json::Value::from),
        Value::Single(number) => f64::from(*number).into(),
        Value::Double(number) => (*number).into(),
        Value::List(values) => values.iter().map(as_json).collect(),
        Value::Bytes(_) | Value::Raw(_) => match value.text() {
            Some(text) => text.into(),
            None => value.to_string().into(),
        },
    }
}
