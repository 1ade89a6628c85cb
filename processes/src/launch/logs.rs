//! `launch logs`: what the launcher and the processes have written, merged in order of time.

use super::arguments::{Exit, LogsArguments};
use crate::runtime::Failure;
use pipeline::Pipeline;
use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, ErrorKind, Write},
    path::Path,
    time::Duration,
};

/// Between two looks for something new.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// One log, read line by line as it grows.
struct Log {
    name: String,
    lines: BufReader<File>,
    /// A line whose end is not written yet.
    unfinished: Vec<u8>,
    /// Time of the last line that had one: those after it belong to it.
    last_time: String,
}

/// A line with what it is sorted by.
struct Line {
    time: String,
    name: String,
    text: String,
}

/// Prints the logs of a pipeline, of all processes or some.
///
/// # Errors
///
/// When there are none.
pub(super) fn show(pipeline: &Pipeline, arguments: &LogsArguments) -> Result<Exit, Failure> {
    let directory = pipeline.run_dir.join("logs");
    let mut logs = open(&directory, &arguments.names)?;
    let width = logs.iter().map(|log| log.name.len()).max().unwrap_or(0);
    let out = io::stdout();
    loop {
        let mut lines = Vec::new();
        for log in &mut logs {
            log.read(&mut lines)
                .map_err(|error| Failure::io(format!("read the log of `{}`", log.name), error))?;
        }
        // Stable: lines of one log keep their order.
        lines.sort_by(|one, other| one.time.cmp(&other.time));
        for line in &lines {
            let written = writeln!(out.lock(), "{:<width$}  {}", line.name, line.text);
            match written {
                // Whoever reads has seen enough, as in `launch logs | head`.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(Exit::Clean),
                other => other.map_err(|error| Failure::io("write", error))?,
            }
        }
        if !arguments.follow {
            return Ok(Exit::Clean);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn open(directory: &Path, names: &[String]) -> Result<Vec<Log>, Failure> {
    let failed = |error| {
        let what = format!(
            "read the logs in `{}` (fix: start the pipeline once, or name its file with --pipeline)",
            directory.display()
        );
        Failure::io(what, error)
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            found.push((name.into_owned(), path));
        }
    }
    found.sort();
    let there: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    if let Some(missing) = names.iter().find(|name| !there.contains(&name.as_str())) {
        return Err(Failure::Configuration(format!(
            "no log of `{missing}` in `{}`; there are {}",
            directory.display(),
            there.join(", ")
        )));
    }
    found.retain(|(name, _)| names.is_empty() || names.contains(name));
    let log = |(name, path)| -> Result<Log, Failure> {
        Ok(Log {
            name,
            lines: BufReader::new(File::open(path).map_err(failed)?),
            unfinished: Vec::new(),
            last_time: String::new(),
        })
    };
    found.into_iter().map(log).collect()
}

impl Log {
    /// Adds every line that is whole by now.
    fn read(&mut self, lines: &mut Vec<Line>) -> io::Result<()> {
        loop {
            self.lines.read_until(b'\n', &mut self.unfinished)?;
            if self.unfinished.pop_if(|last| *last == b'\n').is_none() {
                return Ok(());
            }
            let text = String::from_utf8_lossy(&self.unfinished).into_owned();
            self.unfinished.clear();
            if let Some(time) = time_of(&text) {
                self.last_time = time;
            }
            lines.push(Line {
                time: self.last_time.clone(),
                name: self.name.clone(),
                text,
            });
        }
    }
}

/// The time at the head of a line, as text that sorts: to microseconds, by UTC.
fn time_of(line: &str) -> Option<String> {
    let word = line.split_whitespace().next()?;
    let time: jiff::Timestamp = word.parse().ok()?;
    Some(format!("{time:.6}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_without_a_time_stay_behind_the_one_before_them() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
        write(
            "a.log",
            "2026-01-01T00:00:02.5Z two\n  more\n2026-01-01T00:00:04Z four\nhal",
        );
        write(
            "b.log",
            "2026-01-01T00:00:01.000001Z one\n2026-01-01T00:00:03Z three\n",
        );
        let mut lines = Vec::new();
        for log in &mut open(directory.path(), &[]).unwrap() {
            log.read(&mut lines).unwrap();
        }
        lines.sort_by(|one, other| one.time.cmp(&other.time));
        let ends: Vec<&str> = lines
            .iter()
            .filter_map(|line| line.text.split_whitespace().last())
            .collect();
        assert_eq!(ends, ["one", "two", "more", "three", "four"]);
        let unknown = open(directory.path(), &["c".to_owned()]).err().unwrap();
        assert!(unknown.to_string().contains("there are a, b"), "{unknown}");
    }
}
