//! Deaths while a segment is created or removed: its name is free, or leads to a whole segment.

use super::{
    Result, Row, Subject, arm,
    auditor::{life::stay_with, scratch},
    own,
};
use ipc::{BoardWriter, Error, Producer, RingOptions};
use nix::sys::signal::Signal;
use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

const TASK: &str = "IPC_TEST_NAME";

ipc::message! {
    /// A number.
    pub struct Number v1 {
        /// It.
        value: u64 = "count",
    }
}

/// Whether a point lies on the way of a name.
pub(crate) fn passed(point: &str) -> bool {
    point.starts_with("create:") || point.starts_with("remove:")
}

/// Creates, and removes again, what this process was started for.
pub(crate) fn play() -> Option<Result<()>> {
    let task = std::env::var(TASK).ok()?;
    let words: Vec<&str> = task.lines().collect();
    let [parent, subject, path] = words[..] else {
        return Some(Err(format!("{TASK} has {} words", words.len()).into()));
    };
    Some(stay_with(parent).and_then(|()| {
        let subject = Subject::ALL.into_iter().find(|one| one.name() == subject);
        let subject = subject.ok_or("no such segment")?;
        create(subject, Path::new(path))?;
        ipc::remove_abandoned(Path::new(path))?;
        Ok(())
    }))
}

pub(crate) fn fight(point: &str, subject: Subject, rounds: u64, stop: &AtomicBool) -> Result<Row> {
    let directory = scratch()?;
    let path = directory.path().join("segment");
    let mut row = Row::default();
    for round in (0..rounds).take_while(|_| !stop.load(Relaxed)) {
        let mut program = own()?;
        let words = [
            std::process::id().to_string(),
            subject.name().to_owned(),
            path.display().to_string(),
        ];
        program.env(TASK, words.join("\n"));
        arm(&mut program, point, 1);
        let status = program.status()?;
        if status.signal() != Some(Signal::SIGKILL as i32) {
            return Err(format!("round {round}: it was to be killed, but: {status}").into());
        }
        row.killed[0] += 1;
        judge(point, subject, &path).map_err(|error| format!("round {round}: {error}"))?;
    }
    Ok(row)
}

/// What the dead one left is nothing or a whole segment, and neither is in the way of the next one.
fn judge(point: &str, subject: Subject, path: &Path) -> Result<()> {
    let directory = path.parent().ok_or("no directory")?;
    let left = fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    let stays = ["create: published", "remove: roles taken"].contains(&point);
    if left != if stays { vec![path.to_owned()] } else { vec![] } {
        return Err(format!("left behind: {left:?}").into());
    }
    match create(subject, path) {
        Ok(()) if !stays => {}
        Err(Error::Exists { .. }) if stays => {}
        other => return Err(format!("the next creation: {other:?}").into()),
    }
    let number = Number { value: 1 };
    if subject == Subject::Board {
        BoardWriter::<Number>::attach(path)?.write(0, &number)?;
    } else {
        Producer::<Number>::attach(path)?.push(&number)?;
    }
    if ipc::remove_abandoned(path)? {
        Ok(())
    } else {
        Err("it could not be removed".into())
    }
}

fn create(subject: Subject, path: &Path) -> std::result::Result<(), Error> {
    let kind = match subject {
        Subject::Ring(kind) => kind,
        Subject::Board => {
            return ipc::create_board::<Number>(
                path,
                ipc::BoardOptions {
                    rows: 16,
                    ..ipc::BoardOptions::default()
                },
            )
            .map(drop);
        }
    };
    let options = RingOptions {
        kind,
        capacity: 16,
        ..RingOptions::default()
    };
    ipc::create_ring::<Number>(path, options).map(drop)
}
