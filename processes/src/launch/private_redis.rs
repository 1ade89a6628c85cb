//! The private `redis-server` of a pipeline that names none: on a Unix socket, nothing on disk.

use super::{children::Child, events::Events};
use crate::runtime::Failure;
use pipeline::Pipeline;
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// Its name in the report.
pub(super) const NAME: &str = "redis-server";
/// Longest path of a Unix socket, with its final zero.
const SOCKET_PATH_LIMIT: usize = 108;
/// How long the server may take to answer its first question.
const PATIENCE: Duration = Duration::from_secs(10);

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
) -> Result<Child, Failure> {
    let socket = pipeline.run_dir.join("redis.sock");
    if socket.as_os_str().len() >= SOCKET_PATH_LIMIT {
        return Err(Failure::Configuration(format!(
            "run_dir `{}` is too long for a Unix socket in it ({SOCKET_PATH_LIMIT} bytes at most)",
            pipeline.run_dir.display()
        )));
    }
    let _ = std::fs::remove_file(&socket);
    let directory = pipeline.run_dir.display().to_string();
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
    let mut server = Child::start(NAME, None, launcher, arguments, logs)?;
    pipeline.redis.url = format!("redis+unix://{path}");
    await_answer(&mut server, &pipeline.redis.url, &socket, events)?;
    Ok(server)
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
