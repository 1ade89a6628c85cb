//! Redis behind one door: keys of one pipeline, every call bounded in time, connections that heal.
//!
//! Nothing here is on the path of a tick. A call while the server is away fails within
//! two seconds; the next one connects anew. Callers log the failure and go on.

use crate::discovery::Discovery;
use pipeline::redis_address::shown;
use redis::aio::MultiplexedConnection;
use redis::streams::{StreamReadOptions, StreamReadReply};
use redis::{AsyncCommands as _, AsyncConnectionConfig, Client, FromRedisValue, Pipeline};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Longest time that a call takes beyond the time for which it was asked to block.
const PATIENCE: Duration = Duration::from_secs(2);
/// Entries that the discovery stream keeps, about.
const STREAM_LENGTH: usize = 10_000;
/// Entries of the stream in one read.
const READ_AT_ONCE: usize = 500;
/// How long a game or market stays known without being announced again.
const DISCOVERY_TTL: Duration = Duration::from_secs(24 * 60 * 60);
/// The hash of market numbers by ticker.
const NUMBERS: &str = "market_ids";

/// Why the cold path did not do as asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ColdError {
    /// The address is none.
    #[error(
        "`{url}` is no Redis address: {reason}\n  fix: redis://HOST:PORT or unix:///PATH in [redis] url"
    )]
    Address {
        /// The text, without a password.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The server is away, slow, or refuses.
    #[error("redis: {0}")]
    Failed(String),
    /// A value cannot be written as JSON.
    #[error("cannot be written as JSON: {0}")]
    Json(String),
}

/// The cold path of one pipeline. Clones share the connections.
#[derive(Debug, Clone)]
pub struct Cold {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    client: Result<Client, ColdError>,
    prefix: String,
    commands: Mutex<Option<MultiplexedConnection>>,
    /// Numbers given out here: they outlive a server that is wiped.
    numbers: Mutex<Numbers>,
}

#[derive(Debug, Default)]
struct Numbers {
    by_ticker: HashMap<String, u32>,
    taken: HashSet<u32>,
}

/// Where a reader stands in the discovery stream.
#[derive(Debug)]
pub struct Cursor {
    last: String,
    /// A read that blocks would hold up every command behind it, so it has a connection of its own.
    connection: Option<MultiplexedConnection>,
    /// Entries that could not be read and were passed over.
    pub malformed: u64,
}

impl Default for Cursor {
    fn default() -> Self {
        Self {
            last: "0".into(),
            connection: None,
            malformed: 0,
        }
    }
}

impl Cold {
    /// The cold path of a pipeline at a `redis://` or `unix://` address. Connects when first used.
    #[must_use]
    pub fn connect(url: &str, pipeline: &str) -> Self {
        let client = Client::open(url).map_err(|error| ColdError::Address {
            url: shown(url),
            reason: error.to_string(),
        });
        let shared = Shared {
            client,
            prefix: format!("arbees:{pipeline}:"),
            commands: Mutex::default(),
            numbers: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Announces a discovery: into the stream, and into the hash of games or markets.
    ///
    /// # Errors
    ///
    /// When it cannot be written as JSON, or the server is away, slow, or refuses.
    pub async fn announce(&self, discovery: &Discovery) -> Result<(), ColdError> {
        let event = to_json(discovery)?;
        let hash = discovery.hash();
        let (field, json) = match discovery {
            Discovery::Game(game) => (game.game, to_json(game)?),
            Discovery::Market(market) => (market.market, to_json(market)?),
        };
        let hash = self.key(hash);
        let mut pipe = redis::pipe();
        if let Discovery::Market(market) = discovery {
            // A server that was wiped learns the numbers again with the markets.
            pipe.hset(self.key(NUMBERS), &market.ticker, market.market)
                .ignore();
        }
        pipe.cmd("XADD")
            .arg(self.key("discovery"))
            .arg("MAXLEN")
            .arg("~")
            .arg(STREAM_LENGTH);
        pipe.arg("*").arg("event").arg(event).ignore();
        pipe.hset(&hash, field, json).ignore();
        pipe.expire(&hash, seconds(DISCOVERY_TTL)).ignore();
        self.run(pipe).await
    }

    /// What was announced since the cursor; waits for something up to `block`. Entries that cannot
    /// be read are passed over and counted in the cursor.
    ///
    /// # Errors
    ///
    /// When the server is away, slow, or refuses.
    pub async fn discoveries(
        &self,
        cursor: &mut Cursor,
        block: Duration,
    ) -> Result<Vec<Discovery>, ColdError> {
        let mut options = StreamReadOptions::default().count(READ_AT_ONCE);
        if !block.is_zero() {
            options = options.block(usize::try_from(block.as_millis()).unwrap_or(usize::MAX));
        }
        let key = self.key("discovery");
        let Cursor {
            last, connection, ..
        } = cursor;
        let reply: Option<StreamReadReply> = self
            .bounded(connection, PATIENCE + block, async |connection| {
                connection.xread_options(&[&key], &[&*last], &options).await
            })
            .await?;
        let mut found = Vec::new();
        for entry in reply
            .into_iter()
            .flat_map(|reply| reply.keys)
            .flat_map(|stream| stream.ids)
        {
            match entry
                .get::<String>("event")
                .map(|event| serde_json::from_str(&event))
            {
                Some(Ok(discovery)) => found.push(discovery),
                _ => cursor.malformed += 1,
            }
            cursor.last = entry.id;
        }
        Ok(found)
    }

    /// Writes a value that vanishes after `ttl`.
    ///
    /// # Errors
    ///
    /// When the server is away, slow, or refuses.
    pub async fn put(&self, key: &str, json: &str, ttl: Duration) -> Result<(), ColdError> {
        let mut pipe = redis::pipe();
        pipe.pset_ex(
            self.key(key),
            json,
            u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX),
        )
        .ignore();
        self.run(pipe).await
    }

    /// Writes one field of a hash; with a `ttl` the whole hash vanishes that long after its last write.
    ///
    /// # Errors
    ///
    /// When the server is away, slow, or refuses.
    pub async fn hash_put(
        &self,
        key: &str,
        field: &str,
        json: &str,
        ttl: Option<Duration>,
    ) -> Result<(), ColdError> {
        let key = self.key(key);
        let mut pipe = redis::pipe();
        pipe.hset(&key, field, json).ignore();
        if let Some(ttl) = ttl {
            pipe.expire(&key, seconds(ttl)).ignore();
        }
        self.run(pipe).await
    }

    /// Reads a whole hash.
    ///
    /// # Errors
    ///
    /// When the server is away, slow, or refuses.
    pub async fn hash_get_all(&self, key: &str) -> Result<HashMap<String, String>, ColdError> {
        let mut pipe = redis::pipe();
        pipe.hgetall(self.key(key));
        self.run::<(HashMap<String, String>,)>(pipe)
            .await
            .map(|(fields,)| fields)
    }

    /// Fields of a hash.
    ///
    /// # Errors
    ///
    /// When the server is away, slow, or refuses.
    pub async fn hash_len(&self, key: &str) -> Result<usize, ColdError> {
        let mut pipe = redis::pipe();
        pipe.hlen(self.key(key));
        self.run::<(usize,)>(pipe).await.map(|(count,)| count)
    }

    /// Says that a process lives, and how it does; holds for three periods.
    ///
    /// # Errors
    ///
    /// When the server is away, slow, or refuses.
    pub async fn heartbeat(
        &self,
        process: &str,
        figures: &serde_json::Value,
        period: Duration,
    ) -> Result<(), ColdError> {
        self.put(
            &format!("heartbeat:{process}"),
            &figures.to_string(),
            period * 3,
        )
        .await
    }

    /// The number of a market: the same for ever for the same ticker, never that of another.
    ///
    /// # Errors
    ///
    /// When the server is away, slow, or refuses.
    pub async fn market_number(&self, ticker: &str) -> Result<u32, ColdError> {
        let mut numbers = self.shared.numbers.lock().await;
        if let Some(number) = numbers.by_ticker.get(ticker) {
            return Ok(*number);
        }
        let hash = self.key(NUMBERS);
        let mut pipe = redis::pipe();
        pipe.hget(&hash, ticker);
        let (known,): (Option<u32>,) = self.run(pipe).await?;
        // A server that was wiped counts from the start again; pass over what is in use here.
        let mut number = known;
        while number.is_none_or(|number| numbers.taken.contains(&number)) {
            let mut pipe = redis::pipe();
            pipe.incr(self.key("market_id"), 1);
            number = Some(self.run::<(u32,)>(pipe).await?.0);
        }
        let number = number.unwrap_or_default();
        if known != Some(number) {
            let mut pipe = redis::pipe();
            pipe.hset(&hash, ticker, number).ignore();
            self.run::<()>(pipe).await?;
        }
        numbers.by_ticker.insert(ticker.to_owned(), number);
        numbers.taken.insert(number);
        Ok(number)
    }

    /// Numbers that were given out before, whatever the server remembers.
    pub async fn know_numbers(&self, known: impl IntoIterator<Item = (String, u32)>) {
        let mut numbers = self.shared.numbers.lock().await;
        for (ticker, number) in known {
            numbers.taken.insert(number);
            numbers.by_ticker.insert(ticker, number);
        }
    }

    /// Every number known here.
    pub async fn numbers(&self) -> HashMap<String, u32> {
        self.shared.numbers.lock().await.by_ticker.clone()
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.shared.prefix)
    }

    async fn run<T: FromRedisValue>(&self, pipe: Pipeline) -> Result<T, ColdError> {
        let mut slot = self.shared.commands.lock().await;
        self.bounded(&mut slot, PATIENCE, async |connection| {
            pipe.query_async(connection).await
        })
        .await
    }

    /// Runs one exchange within a time, connecting first where needed; forgets the connection after
    /// any failure, so that the next call starts afresh.
    async fn bounded<T>(
        &self,
        slot: &mut Option<MultiplexedConnection>,
        patience: Duration,
        exchange: impl AsyncFnOnce(&mut MultiplexedConnection) -> redis::RedisResult<T>,
    ) -> Result<T, ColdError> {
        let client = self.shared.client.as_ref().map_err(Clone::clone)?;
        let mut taken = slot.take();
        let whole = async {
            let mut connection = match taken.take() {
                Some(connection) => connection,
                None => {
                    // Our own bound holds for the whole; the library's would cut blocking reads short.
                    let config = AsyncConnectionConfig::new().set_response_timeout(None);
                    client
                        .get_multiplexed_async_connection_with_config(&config)
                        .await?
                }
            };
            let value = exchange(&mut connection).await?;
            Ok::<_, redis::RedisError>((connection, value))
        };
        match timeout(patience, whole).await {
            Ok(Ok((connection, value))) => {
                *slot = Some(connection);
                Ok(value)
            }
            Ok(Err(error)) => Err(ColdError::Failed(error.to_string())),
            Err(_) => Err(ColdError::Failed(format!(
                "no answer within {} ms",
                patience.as_millis()
            ))),
        }
    }
}

fn to_json(value: &impl serde::Serialize) -> Result<String, ColdError> {
    serde_json::to_string(value).map_err(|error| ColdError::Json(error.to_string()))
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(crate) mod private_server;
#[cfg(test)]
mod tests;
