//! `record`: every message of a running pipeline's rings, into a file.

use crate::{
    Failure,
    arguments::Arguments,
    exit::Exit,
    interrupt::Interrupt,
    place::{SegmentFile, one, segments},
    recording::{Tap, Tapped, Writer},
    say,
    table::{Align, Table},
};
use clap::Args;
use pipeline::{Pipeline, Redis, Venue, duration};
use serde::Serialize;
use std::{
    fs,
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Time between two looks. The shortest ring of the demo holds a thousand messages.
const LOOK: Duration = Duration::from_millis(1);
/// Time between two looks whether the pipeline is still there, and between two words on a terminal.
const CHECK: Duration = Duration::from_millis(200);

/// What to record.
#[derive(Debug, Args)]
#[command(after_help = "\
Rings are read from the oldest messages that they still hold, in the order of their time stamps. Producers and
consumers do not notice: nothing is written, no role is taken. What was overwritten before it could be read is a gap
in the file, told at the end. Ends at Ctrl-C, after --for, or with the pipeline.

Example:
  shm-inspect record --out monday.rec --for 30s
  shm-inspect recording monday.rec
  shm-inspect replay monday.rec

Exit codes: 0 all was recorded, 1 something was lost, 2 nothing could be recorded")]
pub(crate) struct RecordArguments {
    /// Rings by name, or `pipeline/name`; by default all of the pipeline. A replay needs all.
    #[arg(value_name = "RING")]
    names: Vec<String>,
    /// The file, which must be new.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// End after this time, such as `30s` or `5m`.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    limit: Option<Duration>,
    /// The resolved pipeline file in the launcher's run directory; by default /tmp/arbees/NAME/pipeline.toml.
    #[arg(long, value_name = "FILE")]
    pipeline: Option<PathBuf>,
}

/// What `record` says at its end.
#[derive(Debug, Serialize)]
struct Recorded {
    pipeline: String,
    file: PathBuf,
    bytes: u64,
    seconds: f64,
    ended: &'static str,
    replayable: bool,
    rings: Vec<Tapped>,
}

/// Records.
///
/// # Errors
///
/// When there is nothing to record, or the file cannot be written.
pub(super) fn run(arguments: &Arguments, what: &RecordArguments) -> Result<Exit, Failure> {
    let interrupt = Interrupt::listen()?;
    let chosen = choose(&arguments.place.rings, &what.names)?;
    let pipeline = &chosen[0].pipeline;
    let pipeline_file = pipeline_file(what.pipeline.as_deref(), &chosen[0])?;
    let mut tap = Tap::open(&chosen)?;
    tap.take_rows()?;
    let header = tap.header(pipeline, pipeline_file);
    let replayable = header.pipeline_file.is_some();
    if !replayable {
        eprintln!(
            "warning: the pipeline file of `{pipeline}` was not found, the recording cannot be replayed (fix: --pipeline RUN_DIR/pipeline.toml)"
        );
    }
    let mut writer = Writer::create(&what.out, &header)?;
    let began = Instant::now();
    let ended = fill(&mut tap, &mut writer, &interrupt, what.limit)?;
    let recorded = Recorded {
        pipeline: pipeline.clone(),
        file: what.out.clone(),
        bytes: writer.finish()?,
        seconds: began.elapsed().as_secs_f64(),
        ended,
        replayable,
        rings: tap.tapped(),
    };
    tell(&recorded, arguments.json)?;
    let lost = recorded.rings.iter().any(|ring| ring.lost > 0);
    Ok(if lost { Exit::Trouble } else { Exit::Fine })
}

/// Fills the file until there is a reason to end, which it returns.
fn fill(
    tap: &mut Tap,
    writer: &mut Writer,
    interrupt: &Interrupt,
    limit: Option<Duration>,
) -> Result<&'static str, Failure> {
    let (began, terminal) = (Instant::now(), std::io::stderr().is_terminal());
    let mut check_due = began + CHECK;
    let ended = loop {
        let over = if interrupt.came() {
            Some("it was asked to")
        } else if limit.is_some_and(|limit| began.elapsed() >= limit) {
            Some("its time was up")
        } else if Instant::now() >= check_due {
            check_due = Instant::now() + CHECK;
            if terminal {
                progress(tap, writer, began);
            }
            tap.is_over().then_some("the pipeline has ended")
        } else {
            None
        };
        // After the reason: what came before it is in the file.
        tap.look()?;
        tap.pour(writer, over.is_some())?;
        match over {
            Some(reason) => break reason,
            None => std::thread::sleep(LOOK),
        }
    };
    if terminal {
        eprintln!();
    }
    Ok(ended)
}

fn progress(tap: &Tap, writer: &Writer, began: Instant) {
    let tapped = tap.tapped();
    let messages: u64 = tapped.iter().map(|ring| ring.messages).sum();
    let lost: u64 = tapped.iter().map(|ring| ring.lost).sum();
    let mut out = std::io::stderr().lock();
    // Nobody misses a word of progress.
    let _ = write!(
        out,
        "\r{:>6.1} s  {messages} messages  {lost} lost  {} KiB ",
        began.elapsed().as_secs_f64(),
        writer.bytes() / 1024
    );
    let _ = out.flush();
}

/// The segments of one pipeline that are to be recorded: the rings that are named, and all boards.
fn choose(places: &[PathBuf], names: &[String]) -> Result<Vec<SegmentFile>, Failure> {
    let all = segments(places)?;
    let rings: Vec<SegmentFile> = if names.is_empty() {
        all.iter().filter(|file| !file.board).cloned().collect()
    } else {
        let named = names.iter().map(|name| one(places, name));
        named.collect::<Result<_, _>>()?
    };
    if let Some(board) = rings.iter().find(|file| file.board) {
        return Err(Failure::Other(format!(
            "`{}` is a board; its rows are recorded with any ring (fix: name rings)",
            board.name
        )));
    }
    let Some(first) = rings.first() else {
        return Err(Failure::Other(
            "there are no rings to record: no pipeline runs (fix: name the directory of its rings with --rings)".into(),
        ));
    };
    let home = first.path.parent();
    if let Some(other) = rings.iter().find(|file| file.path.parent() != home) {
        return Err(Failure::Other(format!(
            "a recording is of one pipeline, these are of `{}` and `{}` (fix: name the directory of one with --rings)",
            first.pipeline, other.pipeline
        )));
    }
    let boards = all.iter().filter(|file| file.board);
    let boards = boards.filter(|file| file.path.parent() == home);
    let mut chosen: Vec<SegmentFile> = boards.cloned().chain(rings.iter().cloned()).collect();
    chosen.dedup();
    Ok(chosen)
}

/// The resolved pipeline file, less what is nobody's business: where Redis and the venue are, and who we are there.
fn pipeline_file(asked: Option<&Path>, ring: &SegmentFile) -> Result<Option<String>, Failure> {
    let by_default = Path::new("/tmp/arbees")
        .join(&ring.pipeline)
        .join("pipeline.toml");
    let path = asked.unwrap_or(&by_default);
    if asked.is_none() && !path.exists() {
        return Ok(None);
    }
    let mut pipeline = Pipeline::load(path).map_err(|error| Failure::Other(error.to_string()))?;
    let real = |path: &Path| fs::canonicalize(path).ok();
    let home = ring.path.parent().unwrap_or(Path::new("."));
    if real(&pipeline.ring_dir()) != real(home) {
        if asked.is_none() {
            return Ok(None);
        }
        return Err(Failure::Other(format!(
            "`{}` has its rings in `{}`, those that are to be recorded are in `{}` (fix: name the file that the launcher of this pipeline wrote)",
            path.display(),
            pipeline.ring_dir().display(),
            home.display()
        )));
    }
    pipeline.redis = Redis::default();
    pipeline.venue = Venue::default();
    let text = toml::to_string(&pipeline);
    Ok(Some(
        text.map_err(|error| Failure::Other(error.to_string()))?,
    ))
}

fn tell(recorded: &Recorded, json: bool) -> Result<(), Failure> {
    if json {
        let text = serde_json::to_string_pretty(recorded);
        return say(&(text.map_err(|error| Failure::Other(error.to_string()))? + "\n"));
    }
    let mut table = Table::new(&[
        ("RING", Align::Left),
        ("FIRST", Align::Right),
        ("MESSAGES", Align::Right),
        ("LOST", Align::Right),
    ]);
    for ring in &recorded.rings {
        table.row(vec![
            ring.name.clone(),
            ring.first.to_string(),
            ring.messages.to_string(),
            match ring.lost {
                0 => "-".into(),
                lost => lost.to_string(),
            },
        ]);
    }
    let replayable = if recorded.replayable {
        ""
    } else {
        "; without a pipeline file, it cannot be replayed"
    };
    say(&format!(
        "{}recorded `{}` into `{}`: {:.1} s, {} bytes; ended because {}{replayable}\n",
        table.text(),
        recorded.pipeline,
        recorded.file.display(),
        recorded.seconds,
        recorded.bytes,
        recorded.ended
    ))
}
