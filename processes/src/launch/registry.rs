//! The registry in Redis: which rings and processes there are, for whoever wants to find them.

use crate::runtime::Failure;
use ipc::Message as _;
use pipeline::{CONTROL, Pipeline, attendance, redis_address::shown};
use serde_json::json;
use std::time::Duration;

/// Longest wait for the server.
const PATIENCE: Duration = Duration::from_secs(2);

/// What writes the whole registry in one exchange: what there is, which run it is of, whether it trades
/// (`state`) and within which limits, both as JSON.
pub(super) fn batch(pipeline: &Pipeline, state: &str, limits: &str) -> redis::Pipeline {
    let key = key(pipeline);
    let mut batch = redis::pipe();
    batch.del(&key).ignore();
    batch.hset(&key, "run", &pipeline.run_id).ignore();
    batch.hset(&key, "state", state).ignore();
    batch.hset(&key, "limits", limits).ignore();
    for process in &pipeline.processes {
        let value = json!({ "what": "process", "hot": process.hot, "core": process.core, "version": env!("CARGO_PKG_VERSION") });
        batch
            .hset(&key, format!("process:{}", process.name), value.to_string())
            .ignore();
    }
    for link in &pipeline.links {
        let value = json!({
            "what": "ring", "path": pipeline.ring_path(&link.name), "message": link.message, "kind": link.kind,
            "depth": link.depth, "producer": link.from, "consumer": link.to,
        });
        batch
            .hset(&key, format!("ring:{}", link.name), value.to_string())
            .ignore();
    }
    for board in &pipeline.boards {
        let value = json!({ "what": "board", "path": pipeline.board_path(&board.name), "message": board.message, "writer": board.writer });
        batch
            .hset(&key, format!("board:{}", board.name), value.to_string())
            .ignore();
    }
    let control = json!({ "what": "board", "path": pipeline.control_path(), "message": layouts::Control::NAME, "writer": "launcher" });
    batch
        .hset(&key, format!("board:{CONTROL}"), control.to_string())
        .ignore();
    batch
}

/// Writes the registry of a pipeline that nobody but its file governs, in one exchange.
///
/// # Errors
///
/// When Redis does not take it. The rings do not depend on it.
pub(super) fn publish(pipeline: &Pipeline) -> Result<(), Failure> {
    let state = json!({ "what": "state", "mode": "trade", "because": [] });
    let limits = json!({ "what": "limits", "in_force": pipeline.limits });
    exchange(
        pipeline,
        &batch(pipeline, &state.to_string(), &limits.to_string()),
    )
}

/// Takes the registry back, and what processes said of their rings: both hold while the pipeline runs. Before a run too, for
/// what a killed one left.
pub(super) fn withdraw(pipeline: &Pipeline) -> Result<(), Failure> {
    let mut batch = redis::pipe();
    batch.del(key(pipeline)).ignore();
    batch.del(attendance::key(&pipeline.name)).ignore();
    exchange(pipeline, &batch)
}

/// Where it is in Redis.
pub(super) fn key(pipeline: &Pipeline) -> String {
    format!("arbees:{}:registry", pipeline.name)
}

fn exchange(pipeline: &Pipeline, batch: &redis::Pipeline) -> Result<(), Failure> {
    let talk = || -> redis::RedisResult<()> {
        let mut connection = redis::Client::open(pipeline.redis.url.as_str())?
            .get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        batch.exec(&mut connection)
    };
    let url = &pipeline.redis.url;
    talk().map_err(|error| Failure::other(format!("redis `{}`: {error}", shown(url))))
}
