//! Both roles of a ring as processes to be killed, and the judge of what became of their stream.
//!
//! Each message tells its sequence number and the life (the incarnation) of the producer that pushed
//! it. Each role keeps a [`Ledger`]. The judgement is made on the way, by each life when it attaches
//! and at each message, and by [`Stream::settle`] at the end:
//!
//! - a producer finds published what its predecessors pushed, and at most one message more;
//! - a consumer begins at its predecessor's last commit, or at the one that it died in;
//! - messages are whole, in order, and never of an earlier life than the one before: who has been
//!   replaced does not write;
//! - lossless: nothing is lost, and what comes again was not committed;
//! - latest-wins: every gap is told exactly: the read, counted here, and the lost, told by the ring,
//!   add up to the written.

mod ledger;
pub(crate) mod life;
pub(crate) mod message;

use ipc::{
    Consumer, Kind, Ladder, Observer, PopError, Producer, PushError, Received, RingOptions, Waiter,
};
use ledger::Ledger;
use life::{Life, stay_with};
use message::{Line, Lines, Numbered};
use nix::unistd::alarm;
use std::{
    error::Error,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    str::FromStr,
    sync::atomic::{
        AtomicU64,
        Ordering::{Relaxed, SeqCst},
        compiler_fence,
    },
    time::Duration,
};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Where a process finds which role it is to play.
const TASK: &str = "IPC_TEST_ROLE";

/// Messages that the last lives add to a stream, undisturbed.
const LAST_WORDS: u64 = 1000;

/// Messages that a producer pushes at once, at most.
const MOST_AT_ONCE: u64 = 40;

/// What a stream runs through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) kind: Kind,
    pub(crate) capacity: u32,
    pub(crate) stamp_every: u32,
    /// Messages between two commits, at most.
    pub(crate) commit_every: u64,
    /// Whether a message takes two cache lines instead of one.
    pub(crate) wide: bool,
}

/// Who is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Producer,
    Consumer,
}

impl Part {
    pub(crate) const BOTH: [Self; 2] = [Self::Producer, Self::Consumer];

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Producer => Self::Consumer,
            Self::Consumer => Self::Producer,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

/// How a role is to be played.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// Ends in good order when the stream has got this far.
    pub(crate) until: u64,
    /// Rests before each message, so that the peer falls asleep.
    pub(crate) rest: Duration,
    /// Dies by SIGALRM after so many seconds, if it was not killed earlier; 0 for never.
    pub(crate) seconds: u32,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            until: u64::MAX,
            rest: Duration::ZERO,
            seconds: 30,
        }
    }
}

/// What became of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) written: u64,
    /// Read and committed, counted by the readers.
    pub(crate) read: u64,
    /// Lost, as the ring tells it.
    pub(crate) lost: u64,
    /// Read again by a successor.
    pub(crate) again: u64,
}

/// A ring with the ledgers of its roles, in a directory of its own.
pub(crate) struct Stream {
    directory: tempfile::TempDir,
    pub(crate) shape: Shape,
    pub(crate) observer: Observer,
    lives: AtomicU64,
}

impl Stream {
    pub(crate) fn new(shape: Shape) -> Result<Self> {
        let directory = scratch()?;
        let ring = directory.path().join("ring");
        let options = RingOptions {
            kind: shape.kind,
            capacity: shape.capacity,
            stamp_every: shape.stamp_every,
            ..RingOptions::default()
        };
        if shape.wide {
            ipc::create_ring::<Lines>(&ring, options)?;
        } else {
            ipc::create_ring::<Line>(&ring, options)?;
        }
        for part in Part::BOTH {
            Ledger::create(&directory.path().join(part.name()))?;
        }
        Ok(Self {
            observer: Observer::open(&ring)?,
            directory,
            shape,
            lives: AtomicU64::new(0),
        })
    }

    pub(crate) fn ring(&self) -> PathBuf {
        self.directory.path().join("ring")
    }

    /// Tells `program`, which runs [`play`], to play a role of this stream.
    pub(crate) fn cast(&self, mut program: Command, part: Part, manner: Manner) -> Command {
        let words = [
            part.name().to_owned(),
            self.directory.path().display().to_string(),
            self.shape.wide.to_string(),
            self.shape.commit_every.to_string(),
            (self.lives.fetch_add(1, Relaxed) + 1).to_string(),
            manner.until.to_string(),
            manner.rest.as_micros().to_string(),
            manner.seconds.to_string(),
            std::process::id().to_string(),
        ];
        program.env(TASK, words.join("\n")).stdin(Stdio::null());
        program
    }

    /// The first violation that a role has found, if any.
    pub(crate) fn verdict(&self) -> Result<()> {
        match fs::read_to_string(self.directory.path().join("violations")) {
            Ok(text) => Err(text.trim_end().replace('\n', "; ").into()),
            Err(_) => Ok(()),
        }
    }

    /// Whether the role's last life had begun to attach, and whether it had got through.
    pub(crate) fn attaching(&self, part: Part) -> Result<Attaching> {
        let ledger = Ledger::open(&self.directory.path().join(part.name()))?;
        Ok(Attaching {
            begun: ledger.attach_begun(),
            done: ledger.attach_done(),
        })
    }

    /// Tries to take a role which somebody holds: that must be refused.
    pub(crate) fn push_aside(&self, part: Part) -> Result<()> {
        match self.take(part) {
            Ok(()) => Err(format!("a living {} was pushed aside", part.name()).into()),
            Err(error) => match error.downcast_ref() {
                Some(ipc::Error::RoleTaken { .. }) => Ok(()),
                _ => Err(format!("a held role was refused with: {error}").into()),
            },
        }
    }

    /// Plays the consumer in this process.
    pub(crate) fn read_until(&self, until: u64) -> Result<()> {
        let role = Role {
            ring: self.ring(),
            ledger: Ledger::open(&self.directory.path().join(Part::Consumer.name()))?,
            commit_every: self.shape.commit_every,
            life: 0,
            until,
            rest: Duration::ZERO,
        };
        match self.shape.wide {
            true => role.pop::<Lines>(),
            false => role.pop::<Line>(),
        }
    }

    /// Takes a free role, and gives it back.
    pub(crate) fn take(&self, part: Part) -> Result<()> {
        match (part, self.shape.wide) {
            (Part::Producer, true) => drop(Producer::<Lines>::attach(&self.ring())?),
            (Part::Producer, false) => drop(Producer::<Line>::attach(&self.ring())?),
            (Part::Consumer, true) => drop(Consumer::<Lines>::attach(&self.ring())?),
            (Part::Consumer, false) => drop(Consumer::<Line>::attach(&self.ring())?),
        }
        Ok(())
    }

    /// Lets both roles finish the stream undisturbed, and judges it. `program` runs [`play`].
    pub(crate) fn finish(&self, program: impl Fn() -> Result<Command>) -> Result<Totals> {
        let manner = Manner {
            until: self.observer.statistics().published + LAST_WORDS,
            ..Manner::default()
        };
        let start = |part| Life::start(self.cast(program()?, part, manner));
        for life in Part::BOTH.map(start) {
            let status = life?.end()?;
            self.verdict()?;
            if !status.success() {
                return Err(format!("the last life ended with {status}").into());
            }
        }
        self.settle(manner.until)
    }

    /// Judges a stream of `written` messages that both roles have finished.
    pub(crate) fn settle(&self, written: u64) -> Result<Totals> {
        self.verdict()?;
        let ledger = |part: Part| Ledger::open(&self.directory.path().join(part.name()));
        let pushed = ledger(Part::Producer)?.pushed();
        let consumer = ledger(Part::Consumer)?;
        let (place, ring) = (consumer.place(), self.observer.statistics());
        let whole = place.position == written
            && place.read + place.lost == written
            && pushed == written
            && ring.published == written
            && ring.position == written
            && (ring.consumed, ring.lost) == (place.read, place.lost)
            && (self.shape.kind == Kind::LatestWins || place.lost == 0);
        if !whole {
            return Err(format!(
                "{written} written; the producers say {pushed} pushed, the consumers {place:?}, the ring {ring:?}"
            )
            .into());
        }
        Ok(Totals {
            written,
            read: place.read,
            lost: place.lost,
            again: consumer.again(),
        })
    }
}

/// A text as JSON writes it.
pub(crate) fn json_string(text: &str) -> String {
    let escaped = text.chars().map(|letter| match letter {
        '"' | '\\' => format!("\\{letter}"),
        letter if letter < ' ' => format!("\\u{:04x}", u32::from(letter)),
        letter => letter.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// Attaches of a role, begun and done, since the stream was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attaching {
    pub(crate) begun: u64,
    pub(crate) done: u64,
}

/// A directory in memory, where there is some: a disk is slow to allocate on.
pub(crate) fn scratch() -> Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("ipc-test-");
    Ok(builder
        .tempdir_in("/dev/shm")
        .or_else(|_| builder.tempdir())?)
}

/// Plays the role that this process was started for; `None` if for none.
pub(crate) fn play() -> Option<Result<()>> {
    let task = std::env::var(TASK).ok()?;
    let words: Vec<&str> = task.lines().collect();
    let directory = words.get(1).map(PathBuf::from)?;
    let result = perform(&words);
    if let Err(error) = &result {
        // Kept where the judge looks: this process may be killed before anybody asks for its status.
        let file = directory.join("violations");
        let kept = OpenOptions::new().append(true).create(true).open(file);
        let _ = kept.and_then(|mut file| writeln!(file, "{}: {error}", words[0]));
    }
    Some(result)
}

fn perform(words: &[&str]) -> Result<()> {
    let [
        part,
        directory,
        wide,
        commit_every,
        life,
        until,
        rest,
        seconds,
        parent,
    ] = words
    else {
        return Err(format!("{TASK} has {} words", words.len()).into());
    };
    stay_with(parent)?;
    let number = |word: &str| u64::from_str(word);
    match u32::from_str(seconds)? {
        0 => {}
        seconds => drop(alarm::set(seconds)),
    }
    let role = Role {
        ring: Path::new(directory).join("ring"),
        ledger: Ledger::open(&Path::new(directory).join(part))?,
        commit_every: number(commit_every)?,
        life: number(life)?,
        until: number(until)?,
        rest: Duration::from_micros(number(rest)?),
    };
    match (*part, *wide) {
        ("producer", "true") => role.push::<Lines>(),
        ("producer", _) => role.push::<Line>(),
        (_, "true") => role.pop::<Lines>(),
        _ => role.pop::<Line>(),
    }
}

/// A role being played.
struct Role {
    ring: PathBuf,
    ledger: Ledger,
    commit_every: u64,
    life: u64,
    until: u64,
    rest: Duration,
}

impl Role {
    fn push<M: Numbered>(self) -> Result<()> {
        self.ledger.begin_attach();
        let mut producer = Producer::<M>::attach(&self.ring)?;
        let (found, pushed) = (producer.published(), self.ledger.pushed());
        // More: the last life died between its publications and its ledger.
        if found < pushed || found - pushed > MOST_AT_ONCE {
            return Err(format!("attached at {found}, but {pushed} had been pushed").into());
        }
        self.ledger.set_pushed(found);
        self.ledger.end_attach();
        let mut waiter = Waiter::new(Ladder::Sleep);
        let mut batch = Vec::new();
        while producer.published() < self.until {
            self.rest();
            let due = producer.published();
            // One by one and by batches, in turns.
            let several = if due.is_multiple_of(3) {
                due % MOST_AT_ONCE
            } else {
                0
            };
            batch.clear();
            let end = self.until.min(due + 1 + several);
            batch.extend((due..end).map(|number| M::new(number, self.life)));
            let pushed = match batch.as_slice() {
                [one] => producer.push(one).map(|sequence| (sequence, 1)),
                several => producer
                    .push_batch(several)
                    .map(|count| (due, count as u64)),
            };
            match pushed {
                Ok((sequence, count)) if sequence == due => {
                    compiler_fence(SeqCst);
                    self.ledger.set_pushed(due + count);
                    waiter.progress();
                }
                Ok((sequence, _)) => return Err(format!("pushed {sequence}, not {due}").into()),
                Err(PushError::Full) => waiter.wait_for_room(&mut producer),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn pop<M: Numbered>(self) -> Result<()> {
        self.ledger.begin_attach();
        let mut consumer = Consumer::<M>::attach(&self.ring)?;
        let begun = (consumer.next_sequence(), consumer.lost());
        let mut place = self.ledger.resume(begun.0, begun.1, self.commit_every)?;
        self.ledger.end_attach();
        let mut waiter = Waiter::new(Ladder::Sleep);
        let mut open = 0;
        while place.position < self.until {
            self.rest();
            let received = next(&mut consumer)?;
            if let Some(received) = &received {
                place.take(received, consumer.info())?;
                if (consumer.next_sequence(), consumer.lost()) != (place.position, place.lost) {
                    let is = (consumer.next_sequence(), consumer.lost());
                    return Err(format!("the ring is at {is:?}, its messages at {place:?}").into());
                }
                open += 1;
                self.ledger.set_read(place.read);
                waiter.progress();
            }
            // Not across a gap whose end has not been read.
            let idle = received.is_none() && consumer.next_sequence() == place.position;
            if open == self.commit_every || (idle && open > 0) || place.position == self.until {
                self.ledger.intend(place);
                compiler_fence(SeqCst);
                consumer.commit();
                open = 0;
            }
            if received.is_none() {
                waiter.wait(&mut [&mut consumer]);
            }
        }
        Ok(())
    }

    fn rest(&self) {
        if !self.rest.is_zero() {
            std::thread::sleep(self.rest);
        }
    }
}

/// The next message, if there is one.
fn next<M: Numbered>(consumer: &mut Consumer<M>) -> Result<Option<Received<M>>> {
    match consumer.pop() {
        Ok(received) => Ok(Some(received)),
        Err(PopError::Damaged) => Err(format!("damaged at {}", consumer.next_sequence()).into()),
        // Dead producers come again.
        Err(_) => Ok(None),
    }
}
