//! What the processes of a pipeline say in Redis of the files that they are attached to.

use crate::{Failure, judge::Words};
use pipeline::{
    Pipeline,
    attendance::{End, key},
    redis_address::shown,
};
use redis::{Client, Commands as _, Connection};
use std::{collections::HashMap, path::Path, time::Duration};

/// Longest wait for the server, for each of a connection, a question and an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// A server that answers.
pub(crate) struct Server {
    /// Its address, without the password.
    shown: String,
    connection: Connection,
}

impl Server {
    /// Connects to `redis://HOST:PORT`, `unix:///PATH`, or what a pipeline file says, `PATH.toml`.
    ///
    /// # Errors
    ///
    /// When that is no address, holds a password for all to read, or nobody answers there.
    pub(crate) fn connect(given: &str) -> Result<Self, Failure> {
        let url = address(given)?;
        let talk = || -> redis::RedisResult<Connection> {
            let connection = Client::open(url.as_str())?.get_connection_with_timeout(PATIENCE)?;
            connection.set_read_timeout(Some(PATIENCE))?;
            connection.set_write_timeout(Some(PATIENCE))?;
            Ok(connection)
        };
        let shown = shown(&url);
        let connection = talk().map_err(|error| failed(&shown, &error))?;
        Ok(Self { shown, connection })
    }

    /// What the processes of a pipeline say. What cannot be understood is left out: nothing follows from it.
    ///
    /// # Errors
    ///
    /// When the server does not answer.
    pub(crate) fn words(&mut self, pipeline: &str) -> Result<Words, Failure> {
        let said: HashMap<String, String> = self
            .connection
            .hgetall(key(pipeline))
            .map_err(|error| failed(&self.shown, &error))?;
        let read =
            |(field, json): (&String, &String)| End::read(field, serde_json::from_str(json).ok()?);
        Ok(Words {
            pipeline: pipeline.to_owned(),
            ends: said.iter().filter_map(read).collect(),
            unix_ms: jiff::Timestamp::now().as_millisecond(),
        })
    }
}

/// The address that an argument names. Every user of the host can read arguments.
fn address(given: &str) -> Result<String, Failure> {
    if Path::new(given)
        .extension()
        .is_some_and(|kind| kind == "toml")
        && !given.contains("://")
    {
        let pipeline = Pipeline::load(Path::new(given));
        return Ok(pipeline
            .map_err(|error| Failure::Other(error.to_string()))?
            .redis
            .url);
    }
    let shown = shown(given);
    if shown == given {
        return Ok(shown);
    }
    Err(Failure::Other(format!(
        "--redis {shown}: everybody on this host can read the password in a command line (fix: name the run directory's pipeline.toml instead, whose [redis] url is asked)"
    )))
}

fn failed(shown: &str, error: &redis::RedisError) -> Failure {
    Failure::Other(format!(
        "cannot ask Redis at `{shown}` who is attached to what: {error} (fix: redis://HOST:PORT or unix:///PATH, as [redis] url in the pipeline's resolved file; without --redis the files alone are judged)"
    ))
}
