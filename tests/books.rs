//! The books against an independent implementation in another language, after every frame: of a recorded session of
//! the venue, and of a million random frames that hold whatever can go wrong.
//!
//! Both are given the same texts. Ours go through the parser and the books of `kalshi_monitor`; compared are what is asked
//! of the venue, every price published, which books are in step, and all levels of the book at hand.
//!
//! `ARBEES_FRAMES` is the number of random frames, 60,000 by default; `scripts/test books` takes a million.
//! `ARBEES_TEST_SEED` repeats them.

use flate2::Crc;
use layouts::PriceUpdate;
use processes::venue::kalshi_frames::{Body, parse};
use random::Venue;
use stages::{
    book::{Level, Outcome},
    books::{Books, Counters, Event, Facts, Trading, Wanted},
};
use std::{
    convert::Infallible,
    fmt::Write as _,
    fs,
    io::{BufWriter, Read as _, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    thread::JoinHandle,
};
use tests::recorded::recorded;

#[path = "books/random.rs"]
mod random;

/// Stands for the end of a connection among frames.
const DISCONNECTED: &str = "disconnected";
/// After each so many frames, all levels of all books are compared.
const ALL: u64 = 1_000;

/// Our side: texts in, and what came of each.
struct Ours {
    books: Books,
    tickers: Vec<String>,
    frames: u64,
    malformed: u64,
    /// What came of the last frame: see `books_after_frames.py`.
    text: String,
}

impl Ours {
    fn new(tickers: &[String]) -> Self {
        let mut books = Books::default();
        for market in 0..u32::try_from(tickers.len()).unwrap() {
            let facts = Facts {
                market,
                game: 7,
                team: 0,
                sport: layouts::Sport::Nfl,
                fee_rate_e4: 700,
                tick_e4: 100,
            };
            let trading = Trading::Open;
            for event in [Event::Market(facts), Event::Trading { market, trading }] {
                let told = books.apply(&event, 1, &mut |_| Ok::<(), Infallible>(()));
                assert_eq!(told, Ok(Wanted::Nothing));
            }
        }
        Self {
            books,
            tickers: tickers.to_owned(),
            frames: 0,
            malformed: 0,
            text: String::new(),
        }
    }

    /// Takes a frame; what it asks for.
    fn take(&mut self, frame: &str) -> Wanted {
        let event = self.event(frame);
        let mut published = String::new();
        let mut publish = |update: &PriceUpdate| {
            write(&mut published, update);
            Ok::<(), Infallible>(())
        };
        let wanted = match &event {
            Some(event) => match self.books.apply(event, 1, &mut publish) {
                Ok(wanted) => wanted,
                Err(never) => match never {},
            },
            None => Wanted::Nothing,
        };
        self.text.clear();
        let text = &mut self.text;
        let asked = match wanted {
            Wanted::Nothing => text.write_char('-'),
            Wanted::All { sid } => write!(text, "all {sid}"),
            Wanted::One { sid, market } => write!(text, "one {sid} {market}"),
        };
        asked.unwrap();
        write!(text, ";{published};").unwrap();
        for (.., in_step) in self.books.iter() {
            text.push(if in_step { '1' } else { '0' });
        }
        text.push(';');
        let one = event.as_ref().and_then(market_of);
        let all = self.frames.is_multiple_of(ALL);
        for (market, book, in_step) in self.books.iter() {
            if !all && Some(market) != one {
                continue;
            }
            write!(text, "#{market}").unwrap();
            if !in_step {
                text.push('?');
                continue;
            }
            for (outcome, name) in [(Outcome::Yes, " y "), (Outcome::No, " n ")] {
                text.push_str(name);
                for (place, Level(price, count)) in book.levels(outcome).iter().enumerate() {
                    let gap = if place == 0 { "" } else { " " };
                    write!(text, "{gap}{price}:{count}").unwrap();
                }
            }
        }
        self.frames += 1;
        wanted
    }

    /// As the monitor's feed makes them of frames, but for those that cannot be read: here the next number shows the gap.
    fn event(&mut self, frame: &str) -> Option<Event> {
        if frame == DISCONNECTED {
            return Some(Event::Disconnected);
        }
        let Ok(frame) = parse(frame) else {
            self.malformed += 1;
            return None;
        };
        let known = |ticker: &str| {
            let place = self.tickers.iter().position(|known| known == ticker)?;
            u32::try_from(place).ok()
        };
        let (sid, seq) = (frame.sid?, frame.seq);
        match (frame.body, seq) {
            (Body::Subscribed(channel), _) if channel == "orderbook_delta" => {
                Some(Event::Subscribed { sid })
            }
            (Body::Snapshot(body), Some(seq)) => Some(match known(&body.ticker) {
                None => Event::Sequenced { sid, seq },
                Some(market) => Event::Snapshot {
                    sid,
                    seq,
                    market,
                    yes: body.yes,
                    no: body.no,
                },
            }),
            (Body::Delta(body), Some(seq)) => Some(match known(&body.ticker) {
                None => Event::Sequenced { sid, seq },
                Some(market) => Event::Delta {
                    sid,
                    seq,
                    market,
                    outcome: body.side,
                    price_e4: body.price_e4,
                    delta_centi: body.delta_centi,
                    venue_unix_us: 0,
                    late: false,
                },
            }),
            (Body::Lifecycle(body), _) => {
                let market = known(&body.ticker)?;
                let trading = match &*body.event_type {
                    "activated" => Trading::Open,
                    "deactivated" | "determined" | "settled" => Trading::Closed,
                    _ => return None,
                };
                Some(Event::Trading { market, trading })
            }
            (_, seq) => seq.map(|seq| Event::Sequenced { sid, seq }),
        }
    }
}

fn market_of(event: &Event) -> Option<u32> {
    match event {
        Event::Snapshot { market, .. }
        | Event::Delta { market, .. }
        | Event::Trading { market, .. } => Some(*market),
        _ => None,
    }
}

fn write(published: &mut String, update: &PriceUpdate) {
    write!(
        published,
        "{}:{}@{}/{}@{},{} ",
        update.market,
        update.bid_count_centi,
        update.bid_price_e4,
        update.ask_count_centi,
        update.ask_price_e4,
        update.status,
    )
    .unwrap();
}

/// The other side, in Python, at work on the frames while they are made.
struct Theirs {
    child: Child,
    frames: BufWriter<std::process::ChildStdin>,
    digests: JoinHandle<Vec<u8>>,
}

fn python(arguments: &[String]) -> Child {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("books_after_frames.py");
    Command::new("python3")
        .arg(script)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is installed by scripts/test")
}

impl Theirs {
    fn start(tickers: &[String], arguments: &[String]) -> Self {
        let mut child = python(arguments);
        let mut output = child.stdout.take().unwrap();
        let digests = std::thread::spawn(move || {
            let mut digests = Vec::new();
            output.read_to_end(&mut digests).unwrap();
            digests
        });
        let mut frames = BufWriter::new(child.stdin.take().unwrap());
        writeln!(frames, "{}", serde_json::json!(tickers)).unwrap();
        Self {
            child,
            frames,
            digests,
        }
    }

    /// What it said, once all frames are there.
    fn finish(mut self) -> Vec<u8> {
        self.frames.flush().unwrap();
        drop(self.frames);
        let digests = self.digests.join().unwrap();
        assert!(self.child.wait().unwrap().success());
        digests
    }
}

/// Plays frames to both sides and compares; what ours counted, and the frames that it could not read. `next` is told what
/// the last frame asked for.
fn compare(
    tickers: &[String],
    mut frames: impl FnMut() -> Box<dyn FnMut(Wanted) -> Option<String>>,
) -> (Counters, u64) {
    let (mut ours, mut theirs) = (Ours::new(tickers), Theirs::start(tickers, &[]));
    let (mut next, mut wanted) = (frames(), Wanted::Nothing);
    let mut digests = Vec::new();
    while let Some(frame) = next(wanted) {
        writeln!(theirs.frames, "{frame}").unwrap();
        wanted = ours.take(&frame);
        let mut digest = Crc::new();
        digest.update(ours.text.as_bytes());
        digests.push(digest.sum());
    }
    let told = theirs.finish();
    let (told, rest) = told.as_chunks::<4>();
    assert!(rest.is_empty() && told.len() == digests.len());
    let mut pairs = digests.iter().zip(told);
    if let Some(first) = pairs.position(|(our, their)| *our != u32::from_le_bytes(*their)) {
        explain(tickers, first, frames());
    }
    (ours.books.counters(), ours.malformed)
}

/// Plays the frames again up to the first difference, and ends with it.
fn explain(
    tickers: &[String],
    first: usize,
    mut next: Box<dyn FnMut(Wanted) -> Option<String>>,
) -> ! {
    let mut ours = Ours::new(tickers);
    let mut theirs = Theirs::start(tickers, &[first.to_string()]);
    let (mut wanted, mut last) = (Wanted::Nothing, String::new());
    for _ in 0..=first {
        last = next(wanted).expect("as many as before");
        writeln!(theirs.frames, "{last}").unwrap();
        wanted = ours.take(&last);
    }
    let theirs = String::from_utf8(theirs.finish()).unwrap();
    panic!(
        "after frame {first}:\n{last}\nours:\n{}\ntheirs:\n{theirs}",
        ours.text
    );
}

#[test]
fn after_every_recorded_frame_the_whole_book_equals_the_independent_one() {
    let Some(file) = recorded("kalshi_ws/jfreun123_demo_session_2026-07-01.raw.jsonl") else {
        return;
    };
    let session = fs::read_to_string(file).unwrap();
    let lines = session.lines().filter(|line| !line.trim().is_empty());
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    let mut tickers: Vec<String> = Vec::new();
    for line in &lines {
        if let Ok(Body::Snapshot(body)) = parse(line).map(|frame| frame.body) {
            tickers.push(body.ticker.into_owned());
        }
    }
    let (counters, malformed) = compare(&tickers, || {
        let mut lines = lines.clone().into_iter();
        Box::new(move |wanted| {
            assert_eq!(wanted, Wanted::Nothing, "the recording is whole");
            lines.next()
        })
    });
    println!("{} recorded frames: {counters:?}", lines.len());
    assert_eq!((counters.deltas, counters.snapshots), (2_885, 5));
    let faults = (counters.gaps, counters.contradictions, malformed);
    assert_eq!(faults, (0, 0, 0));
}

#[test]
fn after_every_random_frame_the_whole_book_equals_the_independent_one() {
    let number_of = |name: &str| -> Option<u64> { std::env::var(name).ok()?.parse().ok() };
    let seed = number_of("ARBEES_TEST_SEED").unwrap_or_else(rand::random);
    let count = number_of("ARBEES_FRAMES").unwrap_or(60_000);
    println!("ARBEES_TEST_SEED={seed} for {count} frames");
    let begin = std::time::Instant::now();
    let (counters, malformed) = compare(&Venue::tickers(), || {
        let (mut venue, mut left) = (Venue::new(seed), count);
        Box::new(move |wanted| {
            left = left.checked_sub(1)?;
            Some(venue.next(wanted))
        })
    });
    println!(
        "{count} frames in {:.1} s, {malformed} of them malformed: {counters:?}",
        begin.elapsed().as_secs_f64()
    );
    // Everything that can go wrong did, and most went well.
    let rare = [counters.gaps, counters.contradictions, malformed];
    assert!(rare.iter().all(|times| *times >= count / 1_000));
    assert!(counters.snapshots >= count / 50 && counters.skipped >= count / 1_000);
    assert!(counters.deltas >= count / 5 * 2, "{counters:?}");
}
