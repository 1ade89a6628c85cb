//! `tail`: the messages of a ring, or the rows of a board, by field name and unit.

mod filter;
mod json;

use crate::{
    Failure, arguments::Arguments, exit::Exit, place::one, sample::seconds, say, table::span,
};
use filter::Filter;
use ipc::{Kind, Observer, RawMessage, Schema, clock};
use std::{fmt::Write as _, str::FromStr, thread, time::Duration};

pub(crate) const HELP: &str = "\
Example:

  $ shm-inspect tail orders --filter side=bid --count 1
  0  9.48 s ago  Order v1 { ingress_mono_ns: 39531477799742, market: 3, price_e4: 4000, side: 0 bid, ... }
  $ shm-inspect tail signals.0 --count 1 --long
  0  9.56 s ago  Signal v1
    ingress_mono_ns  39531477799742  ns, CLOCK_MONOTONIC
    market           3  id
    price_e4         4000  1/10000 dollar
    side             0  bid
    ...
  $ shm-inspect tail prices.0 --from 5
  -- 19 messages lost, 5 to 23: overwritten before they were read
  24  ...

The number is that of the message in its ring, or the row of a board. Whatever is still in the ring is shown, also what has
been consumed, and also when everybody is dead. With --json each message is one line, with the unit of each field.

Exit codes: 0 done; 2 no such ring or field, or it cannot be read.";

/// Between two looks at a ring with nothing new.
const LOOK: Duration = Duration::from_millis(5);
/// Messages that are copied before any is shown: a fast producer overwrites what is not.
const BATCH: usize = 1024;

/// What to show.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Name, `pipeline/name` or file.
    ring: String,
    /// Where to begin: `oldest` (still in the ring, read or not), `now`, or the number of a message. By default the oldest,
    /// with --follow now.
    #[arg(long, value_name = "WHERE")]
    from: Option<From>,
    /// Only those with that content: a number, a text, or what a code stands for. May be given more than once: all must hold.
    #[arg(long, value_name = "FIELD=VALUE")]
    filter: Vec<String>,
    /// Ends after so many messages.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Waits for more, until Ctrl-C.
    #[arg(long, short)]
    follow: bool,
    /// One field a line, with its unit.
    #[arg(long)]
    long: bool,
}

/// Where to begin.
#[derive(Debug, Clone, Copy)]
enum From {
    Oldest,
    Now,
    Sequence(u64),
}

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "oldest" => Ok(Self::Oldest),
            "now" => Ok(Self::Now),
            number => number
                .parse()
                .map(Self::Sequence)
                .map_err(|_| "`oldest`, `now` or the number of a message is needed".into()),
        }
    }
}

/// Shows them.
///
/// # Errors
///
/// When there is no such ring or field, or the ring cannot be read.
pub(super) fn run(arguments: &Arguments, options: &Options) -> Result<Exit, Failure> {
    let file = one(&arguments.place.rings, &options.ring)?;
    let observer = Observer::open(&file.path)?;
    let schema = observer.schema()?;
    let filters = options
        .filter
        .iter()
        .map(|text| Filter::parse(text, &schema));
    let filters: Vec<Filter> = filters.collect::<Result<_, _>>()?;
    let tail = Tail {
        observer: &observer,
        schema: &schema,
        filters: &filters,
        options,
        json: arguments.json,
    };
    if observer.info().kind == Kind::Board {
        tail.rows()?;
    } else {
        tail.messages()?;
    }
    Ok(Exit::Fine)
}

/// What is shown, and how.
struct Tail<'a> {
    observer: &'a Observer,
    schema: &'a Schema,
    filters: &'a [Filter],
    options: &'a Options,
    json: bool,
}

/// What happened in a ring, in order.
enum Event {
    Message(RawMessage),
    /// Overwritten before they were read: the first, and the one behind the last.
    Lost(u64, u64),
}

impl Tail<'_> {
    fn messages(&self) -> Result<(), Failure> {
        let published = self.published();
        let oldest = published.saturating_sub(u64::from(self.observer.info().capacity));
        let from = self.options.from.unwrap_or(if self.options.follow {
            From::Now
        } else {
            From::Oldest
        });
        let mut next = match from {
            From::Sequence(sequence) => sequence,
            From::Now => published,
            // The slot of the very oldest may be half-overwritten by a producer that died, or that works.
            From::Oldest => (oldest..published)
                .find(|sequence| matches!(self.observer.read_bytes(*sequence), Ok(Some(_))))
                .unwrap_or(published),
        };
        if let From::Sequence(sequence) = from
            && sequence > published
            && !self.options.follow
        {
            return Err(Failure::Other(format!(
                "message {sequence} has not been published: {published} have (fix: add --follow to wait for it)"
            )));
        }
        let (mut shown, mut ended) = (0, false);
        loop {
            let events = self.events(&mut next)?;
            let quiet = events.is_empty();
            let mut text = String::new();
            for event in events {
                if self.is_enough(shown) {
                    break;
                }
                shown += u64::from(self.show(&event, &mut text)?);
            }
            if !text.is_empty() {
                say(&text)?;
            }
            if self.is_enough(shown) || (quiet && !self.options.follow) {
                return Ok(());
            }
            if quiet {
                if !self.observer.is_in_place() {
                    eprintln!("the ring has been removed or replaced: nothing more will come");
                    return Ok(());
                }
                self.tell_end(&mut ended);
                thread::sleep(LOOK);
            }
        }
    }

    fn is_enough(&self, shown: u64) -> bool {
        self.options.count.is_some_and(|count| shown >= count)
    }

    fn published(&self) -> u64 {
        self.observer.statistics().published
    }

    /// The next messages that are there, and what was lost before them.
    fn events(&self, next: &mut u64) -> Result<Vec<Event>, Failure> {
        let capacity = u64::from(self.observer.info().capacity);
        let mut events = Vec::new();
        let mut published = self.published();
        while *next < published && events.len() < BATCH {
            if let Some(message) = self.observer.read_bytes(*next)? {
                events.push(Event::Message(message));
                *next += 1;
                continue;
            }
            // It was published, so it has been overwritten, and with it what is a lap behind the newest.
            published = self.published();
            let first = published.saturating_sub(capacity).max(*next + 1);
            match events.last_mut() {
                Some(Event::Lost(_, end)) => *end = first,
                _ => events.push(Event::Lost(*next, first)),
            }
            *next = first;
        }
        Ok(events)
    }

    /// Adds an event to the text, and says whether it was a message.
    fn show(&self, event: &Event, text: &mut String) -> Result<bool, Failure> {
        match event {
            Event::Lost(first, end) => {
                let (count, last) = (end - first, end - 1);
                if self.json {
                    let lost = serde_json::json!({ "lost": count, "first": first, "last": last });
                    let _ = writeln!(text, "{lost}");
                } else {
                    let _ = writeln!(
                        text,
                        "-- {count} messages lost, {first} to {last}: overwritten before they were read"
                    );
                }
                Ok(false)
            }
            Event::Message(message) => {
                let head = [
                    ("sequence", message.sequence),
                    ("sent_mono_ns", message.sent_ns),
                ];
                self.record(&head, &message.bytes, message.sent_ns, text)
            }
        }
    }

    /// Adds a message or row, if it passes the filters.
    fn record(
        &self,
        head: &[(&str, u64); 2],
        bytes: &[u8],
        written_ns: u64,
        text: &mut String,
    ) -> Result<bool, Failure> {
        let record = self
            .schema
            .decode(bytes)
            .map_err(|error| Failure::Other(error.to_string()))?;
        if !self.filters.iter().all(|filter| filter.holds(&record)) {
            return Ok(false);
        }
        if self.json {
            let line = json::record(head, &record);
            let _ = writeln!(text, "{line}");
            return Ok(true);
        }
        let ago = match written_ns {
            0 => "-".to_owned(),
            written => format!(
                "{} ago",
                span(seconds(clock::mono_ns().saturating_sub(written)))
            ),
        };
        let number = head[0].1;
        let _ = if self.options.long {
            writeln!(text, "{number}  {ago}  {record:#}")
        } else {
            writeln!(text, "{number}  {ago}  {record}")
        };
        Ok(true)
    }

    /// Tells once that nobody writes any more; a successor may come.
    fn tell_end(&self, told: &mut bool) {
        let absent = !self.observer.statistics().producer_attached;
        let life = self.observer.life();
        if absent && !*told && life.incarnation > 0 {
            if life.closed {
                eprintln!("-- the producer has said goodbye");
            } else {
                eprintln!("-- the producer is dead");
            }
        }
        *told = absent;
    }

    /// The rows of a board, and with `--follow` each that is written again.
    fn rows(&self) -> Result<(), Failure> {
        if matches!(self.options.from, Some(From::Sequence(_))) {
            return Err(Failure::Other(
                "a board keeps the latest of each row only (fix: leave --from away)".into(),
            ));
        }
        let capacity = self.observer.info().capacity;
        let mut versions = vec![0_u64; capacity as usize];
        let mut skip = matches!(self.options.from, Some(From::Now));
        let mut shown = 0;
        loop {
            let mut text = String::new();
            for (index, version) in (0..capacity).zip(&mut versions) {
                // A row that is being written is seen at the next look.
                let Ok(Some(row)) = self.observer.read_row(index) else {
                    continue;
                };
                let is_new = row.version != *version && !skip && !self.is_enough(shown);
                *version = row.version;
                if is_new {
                    let head = [("row", u64::from(index)), ("version", row.version)];
                    shown +=
                        u64::from(self.record(&head, &row.value, row.written_ns, &mut text)?);
                }
            }
            skip = false;
            if !text.is_empty() {
                say(&text)?;
            }
            if self.is_enough(shown) || !self.options.follow || !self.observer.is_in_place() {
                return Ok(());
            }
            thread::sleep(LOOK);
        }
    }
}
