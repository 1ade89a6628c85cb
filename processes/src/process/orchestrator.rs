//! `orchestrator`: scoreboards into game states, each to the ring of its game's shard.
//!
//! An I/O thread polls the leagues, each by a task and a tick of its own, so that one that answers
//! late makes no other old. It decides what is new ([`desk`]) and announces games; the hot thread
//! owns the rings.

pub mod desk;

use crate::cold::announcer::{Announcer, heart};
use crate::cold::redis::Cold;
use crate::discovery::{Discovery, Game};
use crate::process::complaints::Complaints;
use crate::runtime::{Context, Failure, Output, handoff, io_thread};
use crate::venue::VenueError;
use crate::venue::backoff::Backoff;
use crate::venue::espn::{Arrival, Scoreboard, parse_scoreboard};
use crate::venue::espn_client::{EspnClient, Poll};
use crate::venue::league::{LEAGUES, League};
use crate::venue::tls::Trust;
use desk::{GameDesk, Outcome};
use ipc::{Message as _, Observer};
use layouts::GameState;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// Batches between the threads.
const INBOX: usize = 1_024;
/// Looks at leagues that may wait to be judged.
const LOOKS: usize = 16;
/// How long Redis may take to tell which shard prices which game.
const MEMORY_PATIENCE: Duration = Duration::from_secs(5);

/// What one look at a league brings to the hot thread.
struct Batch {
    states: Vec<(u8, GameState)>,
    counters: Counters,
}

/// One look at a league.
struct Look {
    league: League,
    found: Found,
}

/// What a look came to.
enum Found {
    /// The document is as it was.
    Unchanged(Arrival),
    /// A new document.
    Board(Scoreboard, Arrival),
    /// A new document that cannot be read, and why.
    Malformed(String),
    /// No answer.
    Failed(VenueError),
}

#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
struct Counters {
    polls: u64,
    unchanged: u64,
    /// Unchanged for longer than is believed, while a game was live.
    frozen: u64,
    /// Games as an older copy showed them than is known.
    older: u64,
    failed: u64,
    malformed: u64,
    left_out: u64,
    games: usize,
}

/// Runs the process.
///
/// # Errors
///
/// When the rings are unusable, a league or address is wrong, or a ring cannot take what it must.
pub fn run(context: &Context) -> Result<Value, Failure> {
    let mut outputs = context.outputs::<GameState>()?;
    let clients = clients(context)?;
    let (mut to_hot, mut inbox) = handoff::to_hot::<Batch>(INBOX);
    let watcher = Watcher::new(context)?;
    io_thread("scoreboards", move || async move {
        watcher.run(clients, &mut to_hot).await
    })?;
    context.settle()?;
    context.ready()?;
    let (mut idle, mut counters) = (context.idle(), Counters::default());
    let (mut published, mut unroutable) = (0_u64, 0_u64);
    while !context.stopping() {
        outputs.iter().for_each(Output::beat);
        let Some(batch) = inbox.pop() else {
            if inbox.drained() {
                return Err(Failure::other("the scoreboards' thread has ended"));
            }
            idle.wait(&mut [&mut inbox]);
            continue;
        };
        idle.progress();
        counters = batch.counters;
        for (shard, state) in batch.states {
            match outputs.iter_mut().find(|output| output.to_index() == shard) {
                Some(output) => {
                    output.send(&state, context)?;
                    published += 1;
                }
                None => unroutable += 1,
            }
        }
    }
    Ok(json!({ "feed": counters, "states": published, "unroutable": unroutable }))
}

fn clients(context: &Context) -> Result<Vec<EspnClient>, Failure> {
    let feed = &context.pipeline.feed;
    let trust = Trust::load(&context.pipeline.ca_file).map_err(Failure::other)?;
    let known = || LEAGUES.map(|league| league.path).join(", ");
    let client = |path: &String| {
        let league = League::at(path).ok_or_else(|| {
            Failure::Configuration(format!("unknown league `{path}`; known are {}", known()))
        })?;
        EspnClient::new(&feed.url, league, &trust).map_err(Failure::other)
    };
    feed.leagues.iter().map(client).collect()
}

/// The I/O side.
struct Watcher {
    cold: Cold,
    name: String,
    heartbeat_ms: u64,
    poll: Duration,
    shards: u8,
    frozen_ms: u64,
    /// Games and their shards, as the rings showed them at the start.
    in_rings: Vec<(u32, u8)>,
    counters: Counters,
    complaints: Complaints,
}

impl Watcher {
    fn new(context: &Context) -> Result<Self, Failure> {
        let pipeline = &context.pipeline;
        let shards = u8::try_from(pipeline.shards()).map_err(|_| {
            Failure::Configuration("more shards than a signal's id can tell apart".into())
        })?;
        Ok(Self {
            cold: Cold::connect(&pipeline.redis.url, &pipeline.name),
            name: context.name.clone(),
            heartbeat_ms: pipeline.redis.heartbeat_ms,
            poll: Duration::from_millis(pipeline.feed.poll_ms.max(1)),
            shards,
            frozen_ms: pipeline.safety.max_feed_frozen_ms,
            in_rings: in_rings(context)?,
            counters: Counters::default(),
            complaints: Complaints::default(),
        })
    }

    /// Runs until the hot thread is gone.
    async fn run(mut self, clients: Vec<EspnClient>, to_hot: &mut handoff::ToHot<Batch>) {
        let beat = heart(self.cold.clone(), &self.name, self.heartbeat_ms);
        // A game must not change its shard: nothing is assigned before the past is known.
        let mut desk = GameDesk::new(self.shards, self.frozen_ms, self.remembered().await);
        let announcer = Announcer::start(self.cold.clone());
        let mut looks = watch_all(clients, self.poll);
        while let Some(look) = looks.recv().await {
            let outcome = self.judge(&mut desk, look);
            for game in outcome.announcements {
                announcer.announce(Discovery::Game(game));
            }
            self.counters.games = desk.len();
            beat.send_replace(json!(self.counters));
            let batch = Batch {
                states: outcome.states,
                counters: self.counters,
            };
            if to_hot.send(batch).await.is_err() {
                return;
            }
        }
    }

    fn judge(&mut self, desk: &mut GameDesk, Look { league, found }: Look) -> Outcome {
        let away = format!("scoreboard {} is away", league.path);
        let frozen = format!("scoreboard {} does not change", league.path);
        self.counters.polls += 1;
        if !matches!(found, Found::Failed(_)) {
            self.complaints.forget(&away);
        }
        match found {
            Found::Unchanged(arrival) => {
                self.counters.unchanged += 1;
                let outcome = desk.on_unchanged(league, arrival);
                if outcome.frozen {
                    self.counters.frozen += 1;
                    let bound = format!("for {} ms: its games grow old", self.frozen_ms);
                    self.complaints.say(&frozen, &bound);
                }
                outcome
            }
            Found::Board(scoreboard, arrival) => {
                self.complaints.forget(&frozen);
                for reason in &scoreboard.left_out {
                    self.counters.left_out += 1;
                    self.complaints
                        .say(&format!("left out: {reason}"), &league.path);
                }
                let outcome = desk.on_scoreboard(league, scoreboard.games, arrival);
                self.counters.older += outcome.older;
                outcome
            }
            Found::Malformed(reason) => {
                self.counters.malformed += 1;
                let cause = format!("scoreboard {} cannot be read", league.path);
                self.complaints.say(&cause, &reason);
                Outcome::default()
            }
            Found::Failed(error) => {
                self.counters.failed += 1;
                self.complaints.say(&away, &error);
                Outcome::default()
            }
        }
    }

    /// Which shard prices which game: what the rings show, which a predecessor has filled, and what Redis
    /// remembers of earlier runs. Does not wait for a Redis that is away: what this run has traded is in the
    /// rings.
    async fn remembered(&mut self) -> Vec<(u32, u8)> {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
        let due = tokio::time::Instant::now() + MEMORY_PATIENCE;
        loop {
            match self.cold.hash_get_all("games").await {
                Ok(games) => {
                    let game = |json: &String| serde_json::from_str::<Game>(json).ok();
                    let mut remembered: Vec<(u32, u8)> = games
                        .values()
                        .filter_map(game)
                        .map(|game| (game.game, game.shard))
                        .collect();
                    remembered.extend(&self.in_rings);
                    return remembered;
                }
                Err(error) => {
                    self.complaints.say(
                        "cannot learn from redis which shard prices which game",
                        &error,
                    );
                    if tokio::time::Instant::now() >= due {
                        return self.in_rings.clone();
                    }
                    sleep(backoff.delay()).await;
                }
            }
        }
    }
}

/// The games whose states the rings still hold, each with the shard that the last of them went to.
fn in_rings(context: &Context) -> Result<Vec<(u32, u8)>, Failure> {
    let pipeline = &context.pipeline;
    let mut last = HashMap::<u32, (u64, u8)>::new();
    let links = pipeline.links.iter();
    for link in links.filter(|link| link.message == GameState::NAME) {
        let shard = pipeline.processes.iter().find(|one| one.name == link.to);
        let Some(shard) = shard.map(pipeline::Process::index) else {
            continue;
        };
        let ring = Observer::open(&pipeline.ring_path(&link.name))?;
        let published = ring.statistics().published;
        for sequence in published.saturating_sub(ring.info().capacity.into())..published {
            if let Some(state) = ring.read::<GameState>(sequence)? {
                let word = (state.ingress_mono_ns, shard);
                let latest = last.entry(state.game).or_insert(word);
                *latest = word.max(*latest);
            }
        }
    }
    Ok(last
        .into_iter()
        .map(|(game, (_, shard))| (game, shard))
        .collect())
}

/// Polls every league on a task of its own. The tasks end with the receiver.
fn watch_all(clients: Vec<EspnClient>, poll: Duration) -> mpsc::Receiver<Look> {
    let (sender, looks) = mpsc::channel(LOOKS);
    for client in clients {
        tokio::spawn(watch(client, poll, sender.clone()));
    }
    looks
}

/// Polls one league for as long as anybody wants to know.
async fn watch(mut client: EspnClient, poll: Duration, looks: mpsc::Sender<Look>) {
    let league = client.league();
    let mut tick = interval(poll);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let found = match client.poll().await {
            Ok(Poll::Unchanged(arrival)) => Found::Unchanged(arrival),
            Ok(Poll::Document(document, arrival)) => {
                match parse_scoreboard(league, &document, arrival) {
                    Ok(scoreboard) => Found::Board(scoreboard, arrival),
                    Err(reason) => {
                        client.forget();
                        Found::Malformed(reason)
                    }
                }
            }
            Err(error) => Found::Failed(error),
        };
        if looks.send(Look { league, found }).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{
        Router,
        http::{StatusCode, Uri},
        response::IntoResponse as _,
    };
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    };

    /// A league that does not answer must not make the others wait for its time-out.
    #[tokio::test]
    async fn a_league_that_hangs_holds_up_no_other() {
        let handler = |uri: Uri| async move {
            if uri.path().contains("/nhl/") {
                std::future::pending::<()>().await;
            }
            r#"{"events":[]}"#
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("binds");
        let base = format!("http://{}/sports", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        let client = |path| {
            let league = League::at(path).expect("a league");
            EspnClient::new(&base, league, &Trust::none()).expect("a client")
        };
        let clients = vec![client("hockey/nhl"), client("football/nfl")];
        let mut looks = watch_all(clients, Duration::from_millis(1));
        for _ in 0..3 {
            let look = looks.recv().await.expect("a look");
            // What hangs comes in the end too, as a failure: it must not be first.
            assert_eq!(look.league.path, "football/nfl");
            assert!(!matches!(look.found, Found::Failed(_)));
        }
    }

    /// VENUE 8.5: a loop that skipped its sleep after a failure hammered the feed, and 20 games of a league
    /// fetched its document 20 times.
    #[tokio::test]
    async fn lesson_5_a_look_is_one_request_however_many_games_and_waits_its_turn_after_a_failure()
    {
        const POLL: Duration = Duration::from_millis(100);
        const LOOKS: u32 = 4;
        let asked = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
        let counted = Arc::clone(&asked);
        let handler = move |uri: Uri| {
            let fails = uri.path().contains("/nhl/");
            counted[usize::from(fails)].fetch_add(1, Relaxed);
            async move {
                if fails {
                    return StatusCode::BAD_GATEWAY.into_response();
                }
                let team = |side, id| json!({"homeAway": side, "score": "0", "team": {"id": id, "abbreviation": id}});
                let event = |id: u32| {
                    let competitors = [team("home", "1"), team("away", "2")];
                    json!({"id": id.to_string(), "competitions": [{"competitors": competitors}],
                        "status": {"period": 1, "clock": 600.0, "type": {"state": "in"}}})
                };
                let events: Vec<Value> = (1..=20).map(event).collect();
                json!({ "events": events }).to_string().into_response()
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("binds");
        let base = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        let clients = ["football/nfl", "hockey/nhl"].map(|path| {
            let league = League::at(path).expect("a league");
            EspnClient::new(&base, league, &Trust::none()).expect("a client")
        });
        let began = tokio::time::Instant::now();
        let mut looks = watch_all(clients.into(), POLL);
        let mut desk = GameDesk::new(2, 60_000, []);
        let mut seen = [0_u32; 2];
        while seen.iter().any(|looks| *looks < LOOKS) {
            let Look { league, found } = looks.recv().await.expect("a look");
            match found {
                Found::Failed(_) => seen[1] += 1,
                Found::Board(board, arrival) => {
                    seen[0] += 1;
                    let outcome = desk.on_scoreboard(league, board.games, arrival);
                    assert_eq!(outcome.states.len(), 20, "{:?}", board.left_out);
                }
                Found::Unchanged(_) => seen[0] += 1,
                Found::Malformed(reason) => panic!("{reason}"),
            }
        }
        let elapsed = began.elapsed();
        for (league, looks) in seen.into_iter().enumerate() {
            // A busy machine only makes it longer.
            assert!(elapsed >= POLL * (looks - 1), "{looks} in {elapsed:?}");
            // One may be on its way, and one in the channel.
            let asked = asked[league].load(Relaxed);
            assert!((looks..=looks + 2).contains(&asked), "{asked} for {looks}");
        }
    }
}
