//! How long does a pipeline trade on after its kill switch was thrown? The whole pipeline at many orders a second, halted
//! each way again and again, in turns: until the launcher's word is on the board, and until the first byte of the last order
//! was written.
//!
//! A switch is thrown when an order has just been made, which is then on its way to the wire: the worst of moments. A throw
//! after which nothing was written took no time to the last order.

use super::launched::{HotPath, launch, programs, spun, times, write};
use crate::{Failure, row::Row};
use hdrhistogram::Histogram;
use ipc::{BoardReader, Observer, clock::mono_ns};
use layouts::{Control, Mode, control::ROW};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use pipeline::Pipeline;
use redis::{Client, Commands as _};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// Name of the rows.
pub const NAME: &str = "switch";
/// How the rows end that tell what is promised.
pub const TO_THE_LAST_ORDER: &str = "to the last order";
/// Throws of each switch.
const QUICK: usize = 10;
const FULL: usize = 60;
/// Longer than any order takes from its signal to the wire: one that is late shows.
const HALTED: Duration = Duration::from_millis(200);
/// Longest wait for the pipeline to start, to make an order, to hear of a switch.
const PATIENCE: Duration = Duration::from_secs(60);

/// A way to throw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Signal,
    File,
    Redis,
}

const WAYS: [Way; 3] = [Way::Signal, Way::File, Way::Redis];

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::File => "file",
            Self::Redis => "Redis",
        }
    }
}

/// One throw; ns of `CLOCK_MONOTONIC`.
#[derive(Debug, Clone, Copy)]
struct Throw {
    way: Way,
    thrown_ns: u64,
    /// When the launcher's word was written.
    word_ns: u64,
    /// From when on orders may go out again.
    taken_back_ns: u64,
}

/// Measures, in about half a minute or two. `progress` is told before each throw how many are done, and of how many.
///
/// # Errors
///
/// When the programs are not built, or the pipeline cannot be started, does not heed a switch, or does not reconcile.
pub fn rows(
    directory: &Path,
    quick: bool,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Row>, Failure> {
    let programs = programs()?;
    let files = directory.join(NAME);
    let pipeline = write(&files, HotPath::Rings)?;
    let helm = Helm {
        file: &pipeline,
        launcher: &programs.join("launcher"),
        pipeline: Pipeline::load(&pipeline)?,
    };
    let throws = if quick { QUICK } else { FULL };
    let (thrown, [_, figures]) = thread::scope(|scope| -> Result<_, Failure> {
        let running = scope.spawn(|| launch(&programs, &files, &[]));
        let thrown = helm.throw_all(throws, || running.is_finished(), progress);
        // One that has not come so far ends by itself.
        let stopped = helm.pid().and_then(|pid| Ok(kill(pid, Signal::SIGINT)?));
        let told = running
            .join()
            .map_err(|_| "the launcher's thread has panicked")??;
        stopped?;
        Ok((thrown?, told))
    })?;
    judged(&thrown, &written(&figures), spun(&files)?)
}

/// When the first byte of each order was written.
fn written(figures: &Value) -> Vec<u64> {
    let passages = figures["passages"].as_array().into_iter().flatten();
    passages
        .filter_map(|kept| kept[1].as_array()?.last()?.as_u64())
        .collect()
}

fn judged(thrown: &[Throw], written: &[u64], spun: bool) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for way in WAYS {
        let (mut words, mut last_orders) = (Histogram::new(3)?, Histogram::new(3)?);
        for throw in thrown.iter().filter(|throw| throw.way == way) {
            let halted = throw.thrown_ns..throw.taken_back_ns;
            let late = written.iter().filter(|ns| halted.contains(ns));
            words.record(throw.word_ns.saturating_sub(throw.thrown_ns))?;
            last_orders.record(late.max().map_or(0, |last| last - throw.thrown_ns))?;
        }
        for (end, took) in [("to the word", words), (TO_THE_LAST_ORDER, last_orders)] {
            rows.push(times(&format!("{}, {end}", way.name()), NAME, spun, &took));
        }
    }
    Ok(rows)
}

/// Where a running pipeline is halted.
struct Helm<'a> {
    /// Its file, as the launcher got it.
    file: &'a Path,
    launcher: &'a Path,
    pipeline: Pipeline,
}

impl Helm<'_> {
    fn pid(&self) -> Result<Pid, Failure> {
        let text = fs::read_to_string(self.pipeline.run_dir.join("launcher.lock"))?;
        Ok(Pid::from_raw(text.trim().parse()?))
    }

    /// Throws each switch so many times; `over` says whether the pipeline has ended.
    fn throw_all(
        &self,
        throws: usize,
        over: impl Fn() -> bool,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<Throw>, Failure> {
        let control = self.pipeline.control_path();
        let board = until("the launcher's board", &over, || {
            BoardReader::open(&control).ok()
        })?;
        let word = |mode| {
            until(&format!("the word {mode:?}"), &over, || {
                // One that is being written just now is read at the next look.
                let word = board.read(ROW).ok().flatten()?;
                let word: ipc::Row<Control> = word;
                (word.value.mode() == mode).then_some(word.written_ns)
            })
        };
        word(Mode::Trade)?;
        let orders = Observer::open(&self.pipeline.ring_path("orders"))?;
        let socket = self.pipeline.run_dir.join("redis.sock");
        let mut redis = Client::open(format!("unix://{}", socket.display()))?.get_connection()?;
        let config = format!("arbees:{}:config", self.pipeline.name);
        let mut thrown = Vec::new();
        for round in 0..throws {
            for way in WAYS {
                progress(thrown.len(), throws * WAYS.len());
                let made = orders.statistics().published;
                until("an order", &over, || {
                    (orders.statistics().published > made).then_some(())
                })?;
                let thrown_ns = mono_ns();
                match way {
                    Way::Signal => kill(self.pid()?, Signal::SIGUSR1)?,
                    Way::File => fs::write(self.pipeline.safe_file(), format!("round {round}\n"))?,
                    Way::Redis => redis.hset(&config, "mode", "safe")?,
                }
                let word_ns = word(Mode::Safe)?;
                thread::sleep(HALTED);
                let taken_back_ns = mono_ns();
                match way {
                    Way::Redis => redis.hset(&config, "mode", "trade")?,
                    Way::Signal | Way::File => self.resume()?,
                }
                word(Mode::Trade)?;
                thrown.push(Throw {
                    way,
                    thrown_ns,
                    word_ns,
                    taken_back_ns,
                });
            }
        }
        Ok(thrown)
    }

    fn resume(&self) -> Result<(), Failure> {
        let mut command = Command::new(self.launcher);
        let told = command
            .args(["resume", "--pipeline"])
            .arg(self.file)
            .output()?;
        if told.status.success() {
            return Ok(());
        }
        Err(format!("cannot resume: {}", String::from_utf8_lossy(&told.stderr)).into())
    }
}

/// Waits for something, without a moment's sleep.
fn until<T>(
    what: &str,
    over: impl Fn() -> bool,
    mut look: impl FnMut() -> Option<T>,
) -> Result<T, Failure> {
    let due = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if over() {
            return Err(format!("the pipeline has ended before {what} was there").into());
        }
        if Instant::now() > due {
            return Err(format!("{what} did not come within {} s", PATIENCE.as_secs()).into());
        }
        thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_last_order_is_the_last_before_the_switch_was_taken_back_and_none_takes_no_time() {
        let throw = |way, thrown_ns| Throw {
            way,
            thrown_ns,
            word_ns: thrown_ns + 30,
            taken_back_ns: thrown_ns + 500,
        };
        let thrown = [
            throw(Way::Signal, 1_000),
            throw(Way::Signal, 3_000),
            throw(Way::File, 2_000),
        ];
        let times = |ns: u64| json!([ns, [1, 2, 3, 4, ns]]);
        let figures =
            json!({ "passages": [times(1_010), times(1_040), times(1_501), times(1_999)] });
        let rows = judged(&thrown, &written(&figures), false).unwrap();
        let told = |name: &str| {
            let row = rows.iter().find(|row| row.name == name).unwrap();
            (row.samples, row.max_ns)
        };
        assert_eq!(told("signal, to the word"), (2, 30.0));
        assert_eq!(told("signal, to the last order"), (2, 40.0));
        assert_eq!(told("file, to the last order"), (1, 0.0));
        assert_eq!(told("Redis, to the word"), (0, 0.0));
    }
}
