//! Deaths of a board's writer: nobody sees half of a value, and the successor repairs the row.

use super::{
    MOST_PASSES, Result, Row, arm,
    auditor::{Totals, life::stay_with, scratch},
    distance, own,
};
use ipc::{BoardError, BoardReader, BoardWriter, Observer, create_board};
use nix::sys::signal::Signal;
use std::{
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Stdio},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

const TASK: &str = "IPC_TEST_BOARD";
const ROWS: u32 = 8;

ipc::message! {
    /// A value of two cache lines whose words all tell the same number.
    pub struct Value v1 {
        /// The number.
        words: [u64; 14] = "count",
    }
}

/// Whether a board's writer passes a point.
pub(crate) fn passed(point: &str) -> bool {
    [
        "attach: opened",
        "attach: role taken",
        "attach: mapped",
        "push: marked",
        "push: half copied",
        "push: copied",
        "board: written",
    ]
    .contains(&point)
}

/// Plays the writer or the reader that this process was started for.
pub(crate) fn play() -> Option<Result<()>> {
    let task = std::env::var(TASK).ok()?;
    let words: Vec<&str> = task.lines().collect();
    let [parent, part, life, path] = words[..] else {
        return Some(Err(format!("{TASK} has {} words", words.len()).into()));
    };
    nix::unistd::alarm::set(30);
    Some(stay_with(parent).and_then(|()| match part {
        "writer" => write(Path::new(path), life.parse()?),
        _ => read(Path::new(path)),
    }))
}

/// Writes the rows in turn, until it is killed. Every number is above those of all earlier lives.
fn write(path: &Path, life: u64) -> Result<()> {
    let mut writer = BoardWriter::<Value>::attach(path)?;
    for step in 0.. {
        let row = u32::try_from(step % u64::from(ROWS))?;
        let words = [(life << 32) + step; 14];
        writer.write(row, &Value { words })?;
    }
    Ok(())
}

/// Looks at all rows, until its standard input ends: values are whole, and never go back.
fn read(path: &Path) -> Result<()> {
    let reader = BoardReader::<Value>::open(path)?;
    let over = std::thread::spawn(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    let mut seen = [(0, 0); ROWS as usize];
    while !over.is_finished() {
        for (index, last) in (0..).zip(&mut seen) {
            *last = look(&reader, index, *last)?;
        }
    }
    Ok(())
}

/// Version and number of a row, which are above the last ones, or are the same.
fn look(reader: &BoardReader<Value>, index: u32, last: (u64, u64)) -> Result<(u64, u64)> {
    let row = match reader.read(index) {
        Ok(Some(row)) => row,
        Ok(None) | Err(BoardError::BeingWritten { .. }) => return Ok(last),
        Err(error) => return Err(error.into()),
    };
    let number = row.value.words[0];
    let (version, value) = last;
    if row.value.words != [number; 14] {
        return Err(format!("row {index} is torn: {:?}", row.value.words).into());
    }
    if (row.version == version) != (number == value) || row.version < version || number < value {
        return Err(format!(
            "row {index} has number {number} as version {}, after number {value} as {version}",
            row.version
        )
        .into());
    }
    Ok((row.version, number))
}

pub(crate) fn fight(point: &str, rounds: u64, stop: &AtomicBool) -> Result<Row> {
    let directory = scratch()?;
    let path = directory.path().join("board");
    create_board::<Value>(
        &path,
        ipc::BoardOptions {
            rows: ROWS,
            ..ipc::BoardOptions::default()
        },
    )?;
    let (reader, observer) = (BoardReader::open(&path)?, Observer::open(&path)?);
    let (mut row, mut seen) = (Row::default(), [(0, 0); ROWS as usize]);
    let mut peer = start(&path, "reader", 0, None)?;
    let mut uncounted = 0;
    for round in (0..rounds).take_while(|_| !stop.load(Relaxed)) {
        // Enough to come by every row after a predecessor's death.
        let before = u64::from(ROWS) + distance(round, MOST_PASSES);
        die(&path, "board: written", before, 3 * round + 1)?;
        let passes = if point.starts_with("attach:") {
            1
        } else {
            distance(round, MOST_PASSES)
        };
        die(&path, point, passes, 3 * round + 2)?;
        row.killed[0] += 1;
        uncounted += 1 + u64::from(point == "board: written");
        judge(&reader, point, passes, &mut seen)?;
        if round % 2 == 1 {
            end(peer)?;
            peer = start(&path, "reader", 0, None)?;
        }
        // The successor repairs what was left, and dies behind a full turn.
        die(&path, "board: written", u64::from(ROWS), 3 * round + 3)?;
        uncounted += 1;
        judge(&reader, "board: written", 1, &mut seen)?;
        let versions: u64 = seen.iter().map(|(version, _)| version).sum();
        let counted = observer.statistics().published;
        if counted + uncounted != versions {
            return Err(format!(
                "{versions} rows written, {counted} counted, {uncounted} deaths between the two"
            )
            .into());
        }
    }
    end(peer)?;
    row.totals = Totals {
        written: seen.iter().map(|(version, _)| version).sum(),
        ..Totals::default()
    };
    Ok(row)
}

/// After a death: the row in which the writer died says so, every other one has its value.
fn judge(
    reader: &BoardReader<Value>,
    point: &str,
    passes: u64,
    seen: &mut [(u64, u64)],
) -> Result<()> {
    let half = point
        .starts_with("push:")
        .then(|| (passes - 1) % u64::from(ROWS));
    for (index, last) in (0..).zip(seen) {
        let being_written = reader.read(index) == Err(BoardError::BeingWritten { index });
        if being_written != (half == Some(u64::from(index))) {
            return Err(format!("row {index} is being written: {being_written}").into());
        }
        *last = look(reader, index, *last)?;
    }
    Ok(())
}

fn die(path: &Path, point: &str, passes: u64, life: u64) -> Result<()> {
    let status = start(path, "writer", life, Some((point, passes)))?.wait()?;
    if status.signal() == Some(Signal::SIGKILL as i32) {
        Ok(())
    } else {
        Err(format!("a writer was to be killed at `{point}`, pass {passes}, but: {status}").into())
    }
}

/// Ends a reader: it must not have found anything.
fn end(mut reader: Child) -> Result<()> {
    drop(reader.stdin.take());
    let status = reader.wait()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("a reader ended with {status}; its reason is above").into())
    }
}

fn start(path: &Path, part: &str, life: u64, death: Option<(&str, u64)>) -> Result<Child> {
    let mut program = own()?;
    let words = [
        std::process::id().to_string(),
        part.to_owned(),
        life.to_string(),
        path.display().to_string(),
    ];
    program.env(TASK, words.join("\n")).stdin(Stdio::piped());
    if let Some((point, passes)) = death {
        arm(&mut program, point, passes);
    }
    Ok(program.spawn()?)
}
