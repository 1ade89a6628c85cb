//! A storm: rings of both kinds under full load, their processes killed, stopped and started again at
//! random, and each stream judged.
//!
//! `scripts/test storm [--minutes N] [--rings N] [--seed S] [--json FILE]`. Every ring has a producer and a
//! consumer process and a thread that does them harm: kills one or both of them at any moment, in the
//! middle of attaching too, stops them for a while, or stops and then kills them; the dead are replaced at
//! once, and the role of a stopped one is asked for, in vain. What each life must find is said in
//! `auditor`. The seed decides what is done to whom; when it hits is up to the machine.

#[allow(
    dead_code,
    reason = "the walk over the fail points uses the rest of it"
)]
mod auditor;

use auditor::{
    Manner, Part, Result, Shape, Stream, Totals,
    life::{Life, own},
};
use clap::Parser;
use ipc::Kind;
use nix::sys::signal::Signal;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    fs,
    io::IsTerminal,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// Time between two words about how it goes.
const NEWS: Duration = Duration::from_secs(10);

/// Rings under full load, their processes killed and stopped at random, each stream audited.
#[derive(Parser)]
struct Arguments {
    /// How long.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Rings, with two processes each; both kinds and several shapes in turn.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=64))]
    rings: u32,
    /// Repeats the choices of an earlier run.
    #[arg(long)]
    seed: Option<u64>,
    /// Writes the result there as well.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What was done to a ring's processes.
#[derive(Debug, Default, Clone, Copy)]
struct Harm {
    /// Deaths of the producer and of the consumer.
    killed: [u64; 2],
    /// Of those, in the middle of attaching.
    attaching: u64,
    /// Times that one was stopped for a while.
    stopped: u64,
}

/// What came of a ring.
struct Row {
    shape: Shape,
    harm: Harm,
    totals: Result<Totals>,
}

fn main() -> ExitCode {
    let result = auditor::play().unwrap_or_else(|| storm(&Arguments::parse()));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn storm(arguments: &Arguments) -> Result<()> {
    let seed = arguments.seed.unwrap_or_else(|| rand::rng().random());
    let length = Duration::try_from_secs_f64(arguments.minutes * 60.0)?;
    let seconds = length.as_secs_f64();
    println!("{} rings, {seconds} s, --seed {seed}", arguments.rings);
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let streams: Vec<Stream> = (0..arguments.rings)
        .map(|index| Stream::new(shape(index)))
        .collect::<Result<_>>()?;
    let due = Instant::now() + length;
    let rows: Vec<Row> = thread::scope(|scope| {
        // Dropped by each ring's thread at its end.
        let (working, ends) = mpsc::channel::<()>();
        let storms: Vec<_> = (0..)
            .zip(&streams)
            .map(|(index, stream)| {
                let (stop, working) = (&stop, working.clone());
                let random = ChaCha8Rng::seed_from_u64(seed.wrapping_add(index));
                scope.spawn(move || {
                    let _working = working;
                    storm_over(stream, random, due, stop)
                })
            })
            .collect();
        drop(working);
        while ends.recv_timeout(NEWS) == Err(mpsc::RecvTimeoutError::Timeout) {
            tell(&streams, seconds, due);
        }
        storms
            .into_iter()
            .map(|storm| storm.join().expect("a ring's thread does not panic"))
            .collect()
    });
    let violations = rows.iter().filter(|row| row.totals.is_err()).count();
    println!("{}", table(&rows));
    if let Some(path) = &arguments.json {
        fs::write(path, json(seed, seconds, &rows))?;
    }
    if stop.load(Relaxed) {
        return Err("stopped before the end; nothing is left behind".into());
    }
    if violations > 0 {
        return Err(format!("{violations} rings with a violation; --seed {seed}").into());
    }
    println!("no violation");
    Ok(())
}

/// The shapes in turn: both kinds, shallow and deep, stamped always, at times and never, one line and two,
/// committed one by one and in batches.
fn shape(index: u32) -> Shape {
    let shapes = [
        (16, 1, 1, false),
        (4096, 0, 64, false),
        (256, 0, 7, true),
        (65_536, 16, 256, false),
    ];
    let (capacity, stamp_every, commit_every, wide) = shapes[index as usize / 2 % shapes.len()];
    Shape {
        kind: if index.is_multiple_of(2) {
            Kind::Lossless
        } else {
            Kind::LatestWins
        },
        capacity,
        stamp_every,
        commit_every,
        wide,
    }
}

fn tell(streams: &[Stream], seconds: f64, due: Instant) {
    let published: u64 = streams
        .iter()
        .map(|stream| stream.observer.statistics().published)
        .sum();
    let left = due.saturating_duration_since(Instant::now()).as_secs_f64();
    let end = if std::io::stderr().is_terminal() {
        "\r"
    } else {
        "\n"
    };
    eprint!(
        "{:.0} of {seconds} s, {published} messages{end}",
        seconds - left
    );
}

fn storm_over(stream: &Stream, random: ChaCha8Rng, due: Instant, stop: &AtomicBool) -> Row {
    let mut ring = Ring {
        stream,
        random,
        lives: [None, None],
        before: [0; 2],
        harm: Harm::default(),
    };
    let totals = ring.suffer(due, stop);
    Row {
        shape: stream.shape,
        harm: ring.harm,
        totals,
    }
}

/// A ring, the processes at it, and what has been done to them.
struct Ring<'stream> {
    stream: &'stream Stream,
    random: ChaCha8Rng,
    /// The producer and the consumer.
    lives: [Option<Life>; 2],
    /// Attaches begun before theirs.
    before: [u64; 2],
    harm: Harm,
}

impl Ring<'_> {
    fn suffer(&mut self, due: Instant, stop: &AtomicBool) -> Result<Totals> {
        self.start(Part::Producer)?;
        self.start(Part::Consumer)?;
        while Instant::now() < due && !stop.load(Relaxed) {
            // From 30 us to 30 ms: deaths at any distance from the last one.
            let rest = 30.0 * 10_f64.powf(self.random.random_range(0.0..3.0));
            thread::sleep(Duration::from_secs_f64(rest / 1e6));
            self.harm()?;
            self.stream.verdict()?;
        }
        self.kill(Part::Producer)?;
        self.kill(Part::Consumer)?;
        self.stream.finish(own)
    }

    fn harm(&mut self) -> Result<()> {
        let part = Part::BOTH[self.random.random_range(0..2)];
        match self.random.random_range(0..10) {
            0..4 => {
                self.kill(part)?;
                self.start(part)
            }
            4..6 => {
                self.kill(part)?;
                self.kill(part.other())?;
                self.start(part)?;
                self.start(part.other())
            }
            6..8 => {
                self.kill(part)?;
                self.kill_attaching(part)?;
                self.start(part)
            }
            8 => self.stop(part),
            _ => {
                self.stop_and_kill(part)?;
                self.start(part)
            }
        }
    }

    /// Kills a role shortly after it has begun to attach: an attach takes some 100 us.
    fn kill_attaching(&mut self, part: Part) -> Result<()> {
        self.start(part)?;
        while self.stream.attaching(part)?.begun == self.before[part as usize] {
            self.alive(part)?;
            thread::yield_now();
        }
        let later = Instant::now() + Duration::from_micros(self.random.random_range(0..150));
        while Instant::now() < later {
            std::hint::spin_loop();
        }
        self.kill(part)
    }

    /// Stops a role for a while; nobody can take it meanwhile.
    fn stop(&mut self, part: Part) -> Result<()> {
        self.hold(part)?;
        let rest = Duration::from_micros(self.random.random_range(0..100_000));
        thread::sleep(rest);
        match &self.lives[part as usize] {
            Some(life) => life.signal(Signal::SIGCONT),
            None => Ok(()),
        }
    }

    fn stop_and_kill(&mut self, part: Part) -> Result<()> {
        self.hold(part)?;
        self.kill(part)
    }

    /// Stops a role that has attached.
    fn hold(&mut self, part: Part) -> Result<()> {
        loop {
            if self.stream.attaching(part)?.done > self.before[part as usize] {
                break;
            }
            self.alive(part)?;
            thread::yield_now();
        }
        if let Some(life) = &self.lives[part as usize] {
            life.stop()?;
        }
        self.harm.stopped += 1;
        self.stream.push_aside(part)
    }

    fn start(&mut self, part: Part) -> Result<()> {
        self.before[part as usize] = self.stream.attaching(part)?.begun;
        let manner = Manner {
            // Killed long before; if not, the test is gone.
            seconds: 0,
            ..Manner::default()
        };
        self.lives[part as usize] = Some(Life::start(self.stream.cast(own()?, part, manner))?);
        Ok(())
    }

    fn kill(&mut self, part: Part) -> Result<()> {
        let Some(life) = self.lives[part as usize].take() else {
            return Ok(());
        };
        life.kill()
            .map_err(|error| self.stream.verdict().err().unwrap_or(error))?;
        let attaching = self.stream.attaching(part)?;
        self.harm.attaching += u64::from(attaching.begun != attaching.done);
        self.harm.killed[part as usize] += 1;
        Ok(())
    }

    /// An error when the role has ended by itself.
    fn alive(&mut self, part: Part) -> Result<()> {
        let ended = match &mut self.lives[part as usize] {
            Some(life) => life.ended()?,
            None => None,
        };
        match ended {
            None => Ok(()),
            Some(status) => {
                self.stream.verdict()?;
                Err(format!("a {part:?} ended by itself: {status}").into())
            }
        }
    }
}

fn table(rows: &[Row]) -> String {
    let head = format!(
        "{:<11} {:>6} {:>5} {:>6} {:>12} {:>9} {:>9} {:>9} {:>7} {:>9} {:>12}  VIOLATIONS",
        "RING",
        "SLOTS",
        "STAMP",
        "COMMIT",
        "MESSAGES",
        "PRODUCERS",
        "CONSUMERS",
        "ATTACHING",
        "STOPPED",
        "AGAIN",
        "LOST"
    );
    let lines = rows.iter().map(
        |Row {
             shape,
             harm,
             totals,
         }| {
            let counts = totals.as_ref().copied().unwrap_or_default();
            format!(
                "\n{:<11} {:>6} {:>5} {:>6} {:>12} {:>9} {:>9} {:>9} {:>7} {:>9} {:>12}  {}",
                kind_name(shape.kind),
                shape.capacity,
                shape.stamp_every,
                shape.commit_every,
                counts.written,
                harm.killed[0],
                harm.killed[1],
                harm.attaching,
                harm.stopped,
                counts.again,
                counts.lost,
                totals
                    .as_ref()
                    .err()
                    .map_or("-".to_owned(), ToString::to_string)
            )
        },
    );
    head + &lines.collect::<String>()
}

fn json(seed: u64, seconds: f64, rows: &[Row]) -> String {
    let rows = rows.iter().map(|Row { shape, harm, totals }| {
        let counts = totals.as_ref().copied().unwrap_or_default();
        let violation = totals.as_ref().err().map(|error| auditor::json_string(&error.to_string()));
        format!(
            "{{\"kind\": \"{}\", \"slots\": {}, \"stamp_every\": {}, \"commit_every\": {}, \"wide\": {}, \"written\": {}, \"read\": {}, \"lost\": {}, \"again\": {}, \"producers_killed\": {}, \"consumers_killed\": {}, \"killed_attaching\": {}, \"stopped\": {}, \"violation\": {}}}",
            kind_name(shape.kind),
            shape.capacity,
            shape.stamp_every,
            shape.commit_every,
            shape.wide,
            counts.written,
            counts.read,
            counts.lost,
            counts.again,
            harm.killed[0],
            harm.killed[1],
            harm.attaching,
            harm.stopped,
            violation.unwrap_or("null".to_owned())
        )
    });
    let rows = rows.collect::<Vec<_>>().join(",\n  ");
    format!("{{\"seed\": {seed}, \"seconds\": {seconds}, \"rings\": [\n  {rows}\n]}}\n")
}

fn kind_name(kind: Kind) -> &'static str {
    if kind == Kind::Lossless {
        "lossless"
    } else {
        "latest-wins"
    }
}
