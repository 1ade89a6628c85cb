//! The launcher's correspondence with Redis, on a thread of its own: a server that is slow or away holds up
//! nobody who looks after processes.
//!
//! Once a period it reads what operators ask for (`config`), and looks whether the registry says what is so.
//! A server that has forgotten everything is told anew. A change is not waited for that long: the server is
//! asked to tell of it (`ears`), and the launcher is rung for.

mod ears;

use super::{registry, voice::say};
use crate::runtime::Failure;
use pipeline::Pipeline;
use redis::{Client, Connection, RedisResult};
use std::{
    collections::HashMap,
    io::Write as _,
    os::unix::net::UnixStream,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Longest time between two letters; a heartbeat that is shorter counts.
const PERIOD: Duration = Duration::from_secs(1);
/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a server may be away at the start, or still loading, before nobody waits for it any more.
const GIVE_UP: Duration = Duration::from_secs(5);

/// The thread, and what is exchanged with it. Dropping it ends it.
pub(super) struct Clerk {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    desk: Mutex<Desk>,
    news: Condvar,
}

#[derive(Default)]
struct Desk {
    /// To be said, as JSON.
    state: String,
    limits: String,
    /// Something above has changed and is not said yet.
    fresh: bool,
    letter: Letter,
    closed: bool,
}

/// What has come.
#[derive(Default)]
pub(super) struct Letter {
    /// What operators ask for, when it has been read since the last letter.
    pub(super) config: Option<HashMap<String, String>>,
    /// The server has answered, or was given up: trading does not depend on it.
    pub(super) asked: bool,
}

impl Clerk {
    /// Starts the thread for the server that the resolved pipeline names.
    ///
    /// # Errors
    ///
    /// When no thread can be had.
    pub(super) fn start(pipeline: &Pipeline, bell: UnixStream) -> Result<Self, Failure> {
        let shared = Arc::new(Shared::default());
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            let thread = std::thread::Builder::new().name(name.to_owned());
            let thread = thread.spawn(work);
            thread.map_err(|error| Failure::io("create a thread", error))
        };
        let (theirs, ours) = (Arc::clone(&shared), pipeline.clone());
        let thread = spawn("redis", Box::new(move || correspond(&theirs, &ours, &bell)))?;
        let (theirs, ours) = (Arc::clone(&shared), pipeline.clone());
        // It is not waited for: it ends within its patience, or with the process.
        spawn("redis-ears", Box::new(move || ears::listen(&theirs, &ours)))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Has it said as soon as the server takes it: how the pipeline stands, and its limits.
    pub(super) fn say(&self, state: String, limits: String) {
        let mut desk = self.shared.desk();
        (desk.state, desk.limits, desk.fresh) = (state, limits, true);
        drop(desk);
        self.shared.news.notify_one();
    }

    /// What has come since the last question.
    pub(super) fn letter(&self) -> Letter {
        let mut desk = self.shared.desk();
        Letter {
            config: desk.letter.config.take(),
            asked: desk.letter.asked,
        }
    }
}

impl Drop for Clerk {
    fn drop(&mut self) {
        self.shared.desk().closed = true;
        self.shared.news.notify_all();
        if let Some(thread) = self.thread.take() {
            // It does not panic; and if it did, nothing is left to do.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Has the server asked again at once.
    fn ask(&self) {
        self.desk().fresh = true;
        self.news.notify_one();
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn correspond(shared: &Shared, pipeline: &Pipeline, mut bell: &UnixStream) {
    let period = PERIOD.min(Duration::from_millis(pipeline.redis.heartbeat_ms));
    let began = Instant::now();
    let mut connection = None;
    let mut said = false;
    let mut known = HashMap::new();
    loop {
        let (state, limits) = {
            let waiting = |desk: &mut Desk| !desk.closed && !desk.fresh;
            let waited = shared
                .news
                .wait_timeout_while(shared.desk(), period, waiting);
            let mut desk = waited.unwrap_or_else(PoisonError::into_inner).0;
            if desk.closed {
                return;
            }
            desk.fresh = false;
            (desk.state.clone(), desk.limits.clone())
        };
        let answer = exchange(&mut connection, pipeline, &state, &limits);
        let mut desk = shared.desk();
        let is_asked = is_asked(answer.is_ok(), began.elapsed());
        let mut news = is_asked && !std::mem::replace(&mut desk.letter.asked, true);
        match answer {
            Ok(config) => {
                said = false;
                news |= known != config;
                known.clone_from(&config);
                desk.letter.config = Some(config);
            }
            Err(error) => {
                connection = None;
                if !std::mem::replace(&mut said, true) {
                    say(&format!(
                        "\nwarning: redis does not answer ({error}); trading goes on, changes by Redis wait"
                    ));
                }
                // What failed is due again, but not at once.
            }
        }
        drop(desk);
        if news {
            // Refused only when it rings already, or when nobody is there to hear it.
            let _ = bell.write(&[0]);
        }
    }
}

/// Whether nobody waits any more for what the server has to say, which may be that nothing is to be traded. A
/// server that comes up with the host refuses at first, or says that it is loading.
fn is_asked(answered: bool, waited: Duration) -> bool {
    answered || waited >= GIVE_UP
}

fn exchange(
    slot: &mut Option<Connection>,
    pipeline: &Pipeline,
    state: &str,
    limits: &str,
) -> RedisResult<HashMap<String, String>> {
    let connection = match slot {
        Some(connection) => connection,
        None => {
            let fresh =
                Client::open(pipeline.redis.url.as_str())?.get_connection_with_timeout(PATIENCE)?;
            fresh.set_read_timeout(Some(PATIENCE))?;
            fresh.set_write_timeout(Some(PATIENCE))?;
            slot.insert(fresh)
        }
    };
    let mut batch = redis::pipe();
    batch.hgetall(format!("arbees:{}:config", pipeline.name));
    batch.hmget(registry::key(pipeline), &["run", "state", "limits"]);
    let (config, known): (HashMap<String, String>, [Option<String>; 3]) =
        batch.query(connection)?;
    let current = [pipeline.run_id.as_str(), state, limits].map(Some);
    if known.each_ref().map(Option::as_deref) != current {
        registry::batch(pipeline, state, limits).exec(connection)?;
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, path::Path};

    /// A host that has just started: its config said `mode = safe`, and was not read yet.
    #[test]
    fn a_server_that_refuses_at_first_is_asked_again_before_anything_is_traded() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/demo.toml");
        let mut pipeline = Pipeline::load(&file).unwrap();
        pipeline.redis.url = format!("redis://{}", server.local_addr().unwrap());
        pipeline.redis.heartbeat_ms = 1;
        let (bell, _heard) = UnixStream::pair().unwrap();
        let shared = Shared::default();
        std::thread::scope(|scope| {
            scope.spawn(|| correspond(&shared, &pipeline, &bell));
            // It hangs up without a word; that it is called again shows that it was understood.
            drop(server.accept().unwrap());
            drop(server.accept().unwrap());
            let asked = shared.desk().letter.asked;
            shared.desk().closed = true;
            shared.news.notify_all();
            drop(server);
            assert!(!asked);
        });
    }

    #[test]
    fn a_server_that_stays_away_is_given_up() {
        assert!(is_asked(true, Duration::ZERO));
        assert!(!is_asked(
            false,
            GIVE_UP.saturating_sub(Duration::from_millis(1))
        ));
        assert!(is_asked(false, GIVE_UP));
    }
}
