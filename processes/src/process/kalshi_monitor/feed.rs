//! The monitor's I/O side: markets from discovery, frames from the venue, events for the books.

use crate::cold::announcer::heart;
use crate::cold::discovery::{Discovery, Market};
use crate::cold::redis::{Cold, Cursor};
use crate::process::complaints::Complaints;
use crate::runtime::handoff::{IoInbox, ToHot};
use crate::stages::books::{Event, Facts, Wanted};
use crate::venue::VenueError;
use crate::venue::backoff::Backoff;
use crate::venue::kalshi_frames::{Body, Frame};
use crate::venue::kalshi_ws::{Received, Session};
use crate::venue::signing::Signer;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval, sleep};

/// The venue's channel of book snapshots and deltas.
const BOOKS: &str = "orderbook_delta";
/// The venue's channel of what becomes of markets.
const LIFECYCLE: &str = "market_lifecycle_v2";
/// First and longest wait before connecting again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// How long a snapshot may take before it is asked for again.
const SNAPSHOT_PATIENCE: Duration = Duration::from_secs(3);
/// Between two looks for overdue snapshots, and two reports of counters.
const HOUSEKEEPING: Duration = Duration::from_millis(250);
/// One wait for discoveries.
const DISCOVERY_BLOCK: Duration = Duration::from_secs(5);

/// What the I/O thread tells the hot thread.
#[derive(Debug)]
pub enum Note {
    /// A market to follow.
    Market {
        /// What its prices carry.
        facts: Facts,
        /// Whose prices these are.
        shard: u8,
        /// The venue's name of it.
        ticker: String,
    },
    /// Something happened at the venue.
    Event {
        /// What.
        event: Event,
        /// When its frame came.
        ingress_mono_ns: u64,
    },
    /// The feed's counters so far.
    Counters(FeedCounters),
}

/// What the feed has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct FeedCounters {
    /// Text frames.
    pub frames: u64,
    /// Frames of unknown types or about unknown markets.
    pub unknown: u64,
    /// Frames that cannot be read.
    pub malformed: u64,
    /// Commands that the venue refused.
    pub errors: u64,
    /// Snapshots asked for.
    pub resyncs: u64,
    /// Connections after the first.
    pub reconnects: u64,
}

/// The hot thread is gone: there is nobody to work for.
struct Gone;

/// The monitor's I/O side.
pub struct Feed {
    websocket: String,
    signer: Signer,
    cold: Cold,
    to_hot: ToHot<Note>,
    /// Market number by ticker.
    numbers: HashMap<String, u32>,
    /// Markets whose snapshot is due, and when it was asked for.
    awaited: HashMap<u32, Instant>,
    /// Markets of this session's subscription that the venue was told.
    subscribed: HashSet<u32>,
    /// The books' subscription of this session.
    sid: Option<u32>,
    counters: FeedCounters,
    complaints: Complaints,
}

impl Feed {
    /// A feed from the WebSocket at an address to the hot thread.
    #[must_use]
    pub fn new(websocket: String, signer: Signer, cold: Cold, to_hot: ToHot<Note>) -> Self {
        Self {
            websocket,
            signer,
            cold,
            to_hot,
            numbers: HashMap::new(),
            awaited: HashMap::new(),
            subscribed: HashSet::new(),
            sid: None,
            counters: FeedCounters::default(),
            complaints: Complaints::default(),
        }
    }

    /// Runs until the hot thread is gone.
    pub async fn run(mut self, mut wanted: IoInbox<Wanted>, (name, heartbeat_ms): (String, u64)) {
        let beat = heart(self.cold.clone(), &name, heartbeat_ms);
        let mut markets = follow_markets(self.cold.clone());
        // Nothing to subscribe before the first market is known.
        let Some(first) = markets.recv().await else {
            return;
        };
        if self.add(first).await.is_err() {
            return;
        }
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        loop {
            match Session::connect(&self.websocket, &self.signer).await {
                Ok(session) => {
                    tracing::info!("connected to the venue");
                    self.complaints.forget("cannot connect to the venue");
                    // All that is known goes into the first subscription.
                    while let Ok(market) = markets.try_recv() {
                        if self.add(market).await.is_err() {
                            return;
                        }
                    }
                    match self
                        .serve(session, &mut markets, &mut wanted, &beat, &mut backoff)
                        .await
                    {
                        Ok(error) => tracing::warn!(%error, "connection lost"),
                        Err(Gone) => return,
                    }
                    if self
                        .event(Event::Disconnected, ipc::clock::mono_ns())
                        .await
                        .is_err()
                    {
                        return;
                    }
                    self.counters.reconnects += 1;
                }
                Err(error) => self.complaints.say("cannot connect to the venue", &error),
            }
            sleep(backoff.delay()).await;
        }
    }

    /// Serves one session to its end.
    async fn serve(
        &mut self,
        mut session: Session,
        markets: &mut mpsc::UnboundedReceiver<Market>,
        wanted: &mut IoInbox<Wanted>,
        beat: &watch::Sender<serde_json::Value>,
        backoff: &mut Backoff,
    ) -> Result<VenueError, Gone> {
        self.sid = None;
        self.awaited.clear();
        self.subscribed = self.numbers.values().copied().collect();
        let known: Vec<String> = self.numbers.keys().cloned().collect();
        let tickers: Vec<&str> = known.iter().map(String::as_str).collect();
        if let Err(error) = session.subscribe(&[BOOKS], Some(&tickers)).await {
            return Ok(error);
        }
        if let Err(error) = session.subscribe(&[LIFECYCLE], None).await {
            return Ok(error);
        }
        self.await_snapshots(self.subscribed.clone());
        let mut housekeeping = interval(HOUSEKEEPING);
        loop {
            let done = tokio::select! {
                received = session.next() => match received {
                    Ok(received) => {
                        backoff.reset();
                        self.on_frame(&received).await?
                    }
                    Err(error) => Err(error),
                },
                Some(market) = markets.recv() => {
                    self.add(market).await?;
                    Ok(())
                }
                request = wanted.recv() => {
                    self.on_wanted(request.ok_or(Gone)?);
                    Ok(())
                }
                _ = housekeeping.tick() => {
                    beat.send_replace(serde_json::json!(self.counters));
                    self.send(Note::Counters(self.counters)).await?;
                    Ok(())
                }
            };
            let done = match done {
                Ok(()) => self.ask(&mut session).await,
                error => error,
            };
            if let Err(error) = done {
                return Ok(error);
            }
        }
    }

    /// Sends what is due: new markets, and snapshots that are wanted or late.
    async fn ask(&mut self, session: &mut Session) -> Result<(), VenueError> {
        let Some(sid) = self.sid else { return Ok(()) };
        let now = Instant::now();
        let unknown = |market: &u32| !self.subscribed.contains(market);
        if self.numbers.values().any(unknown) {
            let new: Vec<(String, u32)> = self
                .numbers
                .iter()
                .filter(|(_, market)| unknown(market))
                .map(|(ticker, market)| (ticker.clone(), *market))
                .collect();
            let tickers: Vec<&str> = new.iter().map(|(ticker, _)| ticker.as_str()).collect();
            session.add_markets(sid, &tickers).await?;
            self.subscribed
                .extend(new.iter().map(|(_, market)| *market));
            self.await_snapshots(new.into_iter().map(|(_, market)| market));
        }
        if self.awaited.values().any(|due| *due <= now) {
            let late: HashSet<u32> = self
                .awaited
                .iter()
                .filter(|(_, due)| **due <= now)
                .map(|(market, _)| *market)
                .collect();
            let tickers: Vec<&str> = self
                .numbers
                .iter()
                .filter(|(_, market)| late.contains(market))
                .map(|(ticker, _)| ticker.as_str())
                .collect();
            session.get_snapshot(sid, &tickers).await?;
            self.counters.resyncs += late.len() as u64;
            self.await_snapshots(late);
        }
        Ok(())
    }

    fn await_snapshots(&mut self, markets: impl IntoIterator<Item = u32>) {
        let due = Instant::now() + SNAPSHOT_PATIENCE;
        self.awaited
            .extend(markets.into_iter().map(|market| (market, due)));
    }

    fn on_wanted(&mut self, wanted: Wanted) {
        let now = Instant::now();
        match wanted {
            Wanted::Nothing => {}
            // The request may be older than the session that is served now.
            Wanted::All { sid } if self.sid == Some(sid) => {
                self.awaited
                    .extend(self.subscribed.iter().map(|market| (*market, now)));
            }
            Wanted::One { sid, market } if self.sid == Some(sid) => {
                self.awaited.insert(market, now);
            }
            Wanted::All { .. } | Wanted::One { .. } => {}
        }
    }

    async fn add(&mut self, market: Market) -> Result<(), Gone> {
        let facts = Facts {
            market: market.market,
            game: market.game,
            team: market.team,
            fee_rate_e4: market.fee_rate_e4,
            tick_e4: market.tick_e4,
        };
        self.numbers.insert(market.ticker.clone(), market.market);
        self.send(Note::Market {
            facts,
            shard: market.shard,
            ticker: market.ticker,
        })
        .await
    }

    /// Turns one frame into an event. The inner error ends the session.
    async fn on_frame(&mut self, received: &Received) -> Result<Result<(), VenueError>, Gone> {
        self.counters.frames += 1;
        let frame = match received.frame() {
            Ok(frame) => frame,
            Err(error) => {
                // Its number is missing now, so the books see a gap and heal.
                self.counters.malformed += 1;
                self.complaints
                    .say(&format!("malformed frame `{}`", error.kind), &error);
                return Ok(Ok(()));
            }
        };
        if let Body::Error(error) = &frame.body {
            self.counters.errors += 1;
            self.complaints
                .say(&format!("the venue says error {}", error.code), &error.text);
            if error.is_terminal() {
                return Ok(Err(VenueError::Disconnected {
                    reason: format!("error {}: {}", error.code, error.text),
                }));
            }
        }
        if let Some(event) = self.event_of(frame) {
            self.event(event, received.ingress_mono_ns).await?;
        }
        Ok(Ok(()))
    }

    fn event_of(&mut self, frame: Frame<'_>) -> Option<Event> {
        let (sid, seq) = (frame.sid?, frame.seq);
        match (frame.body, seq) {
            (Body::Subscribed(channel), _) if channel == BOOKS => {
                // A further answer to the same subscription does not start it anew.
                (self.sid.replace(sid) != Some(sid)).then_some(Event::Subscribed { sid })
            }
            (Body::Snapshot(body), Some(seq)) => {
                let Some(market) = self.number(&body.ticker) else {
                    return Some(Event::Sequenced { sid, seq });
                };
                self.awaited.remove(&market);
                Some(Event::Snapshot {
                    sid,
                    seq,
                    market,
                    yes: body.yes,
                    no: body.no,
                })
            }
            (Body::Delta(body), Some(seq)) => {
                let Some(market) = self.number(&body.ticker) else {
                    return Some(Event::Sequenced { sid, seq });
                };
                let (outcome, price_e4, delta_centi) = (body.side, body.price_e4, body.delta_centi);
                let venue_unix_us = body.ts_ms.saturating_mul(1_000);
                Some(Event::Delta {
                    sid,
                    seq,
                    market,
                    outcome,
                    price_e4,
                    delta_centi,
                    venue_unix_us,
                })
            }
            (Body::Lifecycle(body), _) => {
                let open = match &*body.event_type {
                    "activated" => true,
                    "deactivated" | "determined" | "settled" => false,
                    _ => return None,
                };
                // The channel tells of every market of the venue; most are not ours.
                let market = *self.numbers.get(&*body.ticker)?;
                if !open {
                    self.awaited.remove(&market);
                }
                Some(Event::Trading { market, open })
            }
            (Body::Unknown(kind), seq) => {
                self.counters.unknown += 1;
                self.complaints.say("unknown frame type", &kind);
                seq.map(|seq| Event::Sequenced { sid, seq })
            }
            (_, seq) => seq.map(|seq| Event::Sequenced { sid, seq }),
        }
    }

    fn number(&mut self, ticker: &str) -> Option<u32> {
        let number = self.numbers.get(ticker).copied();
        if number.is_none() {
            self.counters.unknown += 1;
            self.complaints
                .say("frame about a market that was not asked for", &ticker);
        }
        number
    }

    async fn event(&mut self, event: Event, ingress_mono_ns: u64) -> Result<(), Gone> {
        self.send(Note::Event {
            event,
            ingress_mono_ns,
        })
        .await
    }

    async fn send(&mut self, note: Note) -> Result<(), Gone> {
        self.to_hot.send(note).await.map_err(|_| Gone)
    }
}

/// Follows the discovery stream for markets, on a task of its own; the task ends with the receiver.
fn follow_markets(cold: Cold) -> mpsc::UnboundedReceiver<Market> {
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let (mut cursor, mut complaints) = (Cursor::default(), Complaints::default());
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
        while !sender.is_closed() {
            match cold.discoveries(&mut cursor, DISCOVERY_BLOCK).await {
                Ok(found) => {
                    backoff.reset();
                    complaints.forget("discovery is away");
                    for discovery in found {
                        if let Discovery::Market(market) = discovery {
                            // A closed receiver ends the loop above.
                            let _ = sender.send(market);
                        }
                    }
                }
                Err(error) => {
                    complaints.say("discovery is away", &error);
                    sleep(backoff.delay()).await;
                }
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests;
