//! The private `redis-server` of a pipeline that names none: on a Unix socket, nothing on disk.

use super::{children::Child, events::Events, report::ProcessReport, voice::say};
use crate::runtime::Failure;
use pipeline::{Pipeline, Supervision};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Its name in the report.
pub(super) const NAME: &str = "redis-server";
/// Longest path of a Unix socket, with its final zero.
const SOCKET_PATH_LIMIT: usize = 108;
/// How long the server may take to answer its first question.
const PATIENCE: Duration = Duration::from_secs(10);
/// Waits before a restart, at most: one for each death in a row but the first.
const MOST_WAITS: u32 = 10;

/// The server under watch: started again when it ends, for as long as the pipeline runs.
pub(super) struct PrivateRedis {
    socket: PathBuf,
    launcher: PathBuf,
    logs: PathBuf,
    supervision: Supervision,
    server: Child,
    restarts: u32,
    /// When it ended, and when it is due again.
    down: Option<(Instant, Instant)>,
    deaths_in_a_row: u32,
    started: Instant,
    away: Vec<Duration>,
}

impl PrivateRedis {
    /// Starts the server and waits until it answers.
    ///
    /// # Errors
    ///
    /// When it cannot be started, ends at once, or does not answer.
    pub(super) fn start(
        pipeline: &mut Pipeline,
        launcher: &Path,
        logs: &Path,
        events: &mut Events,
    ) -> Result<Self, Failure> {
        let socket = pipeline.run_dir.join("redis.sock");
        if socket.as_os_str().len() >= SOCKET_PATH_LIMIT {
            return Err(Failure::Configuration(format!(
                "run_dir `{}` is too long for a Unix socket in it ({SOCKET_PATH_LIMIT} bytes at most)",
                pipeline.run_dir.display()
            )));
        }
        let mut server = spawn(&socket, launcher, logs)?;
        pipeline.redis.url = format!("redis+unix://{}", socket.display());
        await_answer(&mut server, &pipeline.redis.url, &socket, events)?;
        Ok(Self {
            socket,
            launcher: launcher.to_owned(),
            logs: logs.to_owned(),
            supervision: pipeline.supervision,
            server,
            restarts: 0,
            down: None,
            deaths_in_a_row: 0,
            started: Instant::now(),
            away: Vec::new(),
        })
    }

    /// Starts it again when it has ended, at once or after a growing wait; waits for nothing.
    pub(super) fn tend(&mut self) {
        let now = Instant::now();
        if self.down.is_none()
            && let Some(end) = self.server.end()
        {
            let steady = now.duration_since(self.started) >= self.supervision.steady();
            self.deaths_in_a_row = if steady { 1 } else { self.deaths_in_a_row + 1 };
            let waits = (self.deaths_in_a_row - 1).min(MOST_WAITS);
            let wait = self.supervision.redis_backoff() * waits;
            self.down = Some((now, now + wait));
            say(&format!(
                "\nwarning: redis-server ended with {end}; the hot path goes on without the cold one, it is started again"
            ));
        }
        let Some((died, due)) = self.down else { return };
        if now < due {
            return;
        }
        match spawn(&self.socket, &self.launcher, &self.logs) {
            Ok(server) => {
                (self.server, self.started, self.down) = (server, now, None);
                self.restarts += 1;
                self.away.push(died.elapsed());
            }
            Err(failure) => {
                self.down = Some((died, now + self.supervision.crash_loop_wait()));
                say(&format!(
                    "\nwarning: redis-server cannot be started: {failure}"
                ));
            }
        }
    }

    /// When it is to be started again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.down.map(|(_, due)| due)
    }

    /// Stops it.
    pub(super) fn stop(&mut self, patience: Duration, events: &mut Events) {
        self.server.stop(patience, events);
    }

    /// How it ended. Its recovery ends with the start of a successor, which answers some ms later.
    pub(super) fn report(&mut self) -> ProcessReport {
        self.server.report(self.restarts, &self.away)
    }
}

fn spawn(socket: &Path, launcher: &Path, logs: &Path) -> Result<Child, Failure> {
    let _ = std::fs::remove_file(socket);
    let directory = socket.parent().unwrap_or(socket).display().to_string();
    let path = socket.display().to_string();
    let arguments = [
        "exec",
        "--",
        "redis-server",
        "--port",
        "0",
        "--unixsocket",
        &path,
        "--unixsocketperm",
        "700",
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        &directory,
        "--daemonize",
        "no",
    ];
    Child::start(NAME, None, launcher, arguments, logs)
}

fn await_answer(
    server: &mut Child,
    url: &str,
    socket: &Path,
    events: &mut Events,
) -> Result<(), Failure> {
    let client = redis::Client::open(url)
        .map_err(|error| Failure::Configuration(format!("redis address `{url}`: {error}")))?;
    let due = Instant::now() + PATIENCE;
    loop {
        if socket.exists()
            && client
                .get_connection_with_timeout(PATIENCE)
                .is_ok_and(|mut connection| ping(&mut connection))
        {
            return Ok(());
        }
        if let Some(end) = server.end() {
            return Err(Failure::other(format!(
                "redis-server ended with {end}:\n{}",
                server.last_words()
            )));
        }
        if events.stop_requested() {
            return Err(Failure::other("interrupted"));
        }
        if Instant::now() >= due {
            return Err(Failure::other(format!(
                "redis-server does not answer on `{}`",
                socket.display()
            )));
        }
        // The socket's appearance is news; the short limit is for the moment between bind and listen.
        events.wait_until(due.min(Instant::now() + Duration::from_millis(50)));
    }
}

fn ping(connection: &mut redis::Connection) -> bool {
    redis::cmd("PING")
        .query::<String>(connection)
        .is_ok_and(|answer| answer == "PONG")
}
