//! What the launcher says while it watches: on standard error, and with the time in `launcher.log`.
//!
//! A terminal that is stopped, or a pipe that nobody reads, holds up whoever writes to it. Looking after
//! processes must not wait for that, so a thread writes; what it cannot get rid of is in the log.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    sync::{
        Mutex, OnceLock, PoisonError,
        mpsc::{SyncSender, sync_channel},
    },
    time::Duration,
};

/// Texts that may wait for the terminal.
const WAITING: usize = 256;
/// How long the last words may take.
const PATIENCE: Duration = Duration::from_secs(2);

enum Said {
    Text(String),
    /// Everything before it is out.
    Mark(SyncSender<()>),
}

static TERMINAL: OnceLock<SyncSender<Said>> = OnceLock::new();
static LOG: OnceLock<Mutex<File>> = OnceLock::new();

/// From now on everything said is in `<logs>/launcher.log` as well.
pub(super) fn log_to(logs: &Path) -> std::io::Result<()> {
    let path = logs.join("launcher.log");
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    // A second run in one process keeps the first one's.
    let _ = LOG.set(Mutex::new(file));
    Ok(())
}

/// Says something that people must know: never waits.
pub(super) fn say(text: &str) {
    if let Some(log) = LOG.get() {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        let now = jiff::Timestamp::now();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let _ = writeln!(log, "{now:.6} {line}");
        }
    }
    show(format!("{text}\n"));
}

/// Puts a text on standard error as it is, and nowhere else: never waits.
pub(super) fn show(text: String) {
    // Refused while the terminal holds more back than anybody will read.
    let _ = terminal().try_send(Said::Text(text));
}

/// Waits until everything is out, but not for ever.
pub(super) fn finish() {
    let (done, out) = sync_channel(1);
    if terminal().try_send(Said::Mark(done)).is_ok() {
        let _ = out.recv_timeout(PATIENCE);
    }
}

fn terminal() -> &'static SyncSender<Said> {
    TERMINAL.get_or_init(|| {
        let (sender, texts) = sync_channel(WAITING);
        std::thread::spawn(move || {
            for said in texts {
                match said {
                    // Nobody to tell when standard error is closed.
                    Said::Text(text) => drop(std::io::stderr().write_all(text.as_bytes())),
                    Said::Mark(done) => drop(done.send(())),
                }
            }
        });
        sender
    })
}
