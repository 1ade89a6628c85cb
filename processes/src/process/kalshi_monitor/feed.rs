//! The monitor's I/O side: markets from discovery, frames from the venue, events for the books.

mod subscription;

use crate::cold::announcer::heart;
use crate::cold::redis::Cold;
use crate::discovery::Discovery;
use crate::process::complaints::Complaints;
use crate::process::discoveries::followed;
use crate::runtime::handoff::{IoInbox, ToHot};
use crate::venue::VenueError;
use crate::venue::backoff::Backoff;
use crate::venue::kalshi_frames::{Body, ErrorFrame, Frame};
use crate::venue::kalshi_ws::{Endpoint, Received, Session, TICKERS_PER_COMMAND};
use stages::books::{Event, Facts, Wanted};
use std::time::Duration;
use subscription::Subscription;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval, sleep};

/// The venue's channel of book snapshots and deltas.
const BOOKS: &str = "orderbook_delta";
/// The venue's channel of what becomes of markets.
const LIFECYCLE: &str = "market_lifecycle_v2";
/// First and longest wait before connecting again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// Between two looks for overdue snapshots, and two reports of counters.
const HOUSEKEEPING: Duration = Duration::from_millis(250);

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
    endpoint: Endpoint,
    cold: Cold,
    to_hot: ToHot<Note>,
    subscription: Subscription,
    /// Whether this session has brought a book that was asked for.
    healthy: bool,
    counters: FeedCounters,
    complaints: Complaints,
}

impl Feed {
    /// A feed from the WebSocket at an address to the hot thread.
    #[must_use]
    pub fn new(endpoint: Endpoint, cold: Cold, to_hot: ToHot<Note>) -> Self {
        Self {
            endpoint,
            cold,
            to_hot,
            subscription: Subscription::default(),
            healthy: false,
            counters: FeedCounters::default(),
            complaints: Complaints::default(),
        }
    }

    /// Runs until the hot thread is gone.
    pub async fn run(mut self, mut wanted: IoInbox<Wanted>, (name, heartbeat_ms): (String, u64)) {
        let beat = heart(self.cold.clone(), &name, heartbeat_ms);
        let mut discoveries = followed(self.cold.clone());
        // Nothing to subscribe before the first market is known.
        while self.subscription.is_empty() {
            let Some(discovery) = discoveries.recv().await else {
                return;
            };
            if self.learn(discovery).await.is_err() {
                return;
            }
        }
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        loop {
            match Session::connect(&self.endpoint).await {
                Ok(session) => {
                    tracing::info!("connected to the venue");
                    self.complaints.forget("cannot connect to the venue");
                    // All that is known goes into the first subscription.
                    while let Ok(discovery) = discoveries.try_recv() {
                        if self.learn(discovery).await.is_err() {
                            return;
                        }
                    }
                    match self
                        .serve(session, &mut discoveries, &mut wanted, &beat, &mut backoff)
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
        discoveries: &mut mpsc::UnboundedReceiver<Discovery>,
        wanted: &mut IoInbox<Wanted>,
        beat: &watch::Sender<serde_json::Value>,
        backoff: &mut Backoff,
    ) -> Result<VenueError, Gone> {
        self.subscription.begin();
        self.healthy = false;
        if let Err(error) = self.ask(&mut session).await {
            return Ok(error);
        }
        if let Err(error) = session.subscribe(&[LIFECYCLE], None).await {
            return Ok(error);
        }
        let mut housekeeping = interval(HOUSEKEEPING);
        loop {
            let done = tokio::select! {
                received = session.next() => match received {
                    Ok(received) => {
                        let done = self.on_frame(&received).await?;
                        // Frames alone say little: a venue that refuses us sends them too.
                        if self.healthy {
                            backoff.reset();
                        }
                        done
                    }
                    Err(error) => Err(error),
                },
                Some(discovery) = discoveries.recv() => {
                    self.learn(discovery).await?;
                    Ok(())
                }
                request = wanted.recv() => {
                    self.subscription.on_wanted(request.ok_or(Gone)?, Instant::now());
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
        let now = Instant::now();
        loop {
            let tickers = self.subscription.next_tickers(now, TICKERS_PER_COMMAND);
            if tickers.is_empty() {
                break;
            }
            let borrowed: Vec<&str> = tickers.iter().map(String::as_str).collect();
            let command = match self.subscription.sid() {
                Some(sid) => session.add_markets(sid, &borrowed).await?,
                None => session.subscribe(&[BOOKS], Some(&borrowed)).await?,
            };
            self.subscription.on_asked(command, tickers, now);
        }
        if let Some(sid) = self.subscription.sid() {
            let late = self.subscription.late_tickers(now);
            let tickers: Vec<&str> = late.iter().map(String::as_str).collect();
            session.get_snapshot(sid, &tickers).await?;
            self.counters.resyncs += late.len() as u64;
        }
        match self.subscription.fault(now) {
            Some(reason) => Err(useless(reason)),
            None => Ok(()),
        }
    }

    async fn learn(&mut self, discovery: Discovery) -> Result<(), Gone> {
        let Discovery::Market(market) = discovery else {
            return Ok(());
        };
        let Some(sport) = market.sport() else {
            self.complaints
                .say("a market's sport means nothing", &market.ticker);
            return Ok(());
        };
        let facts = Facts {
            market: market.market,
            game: market.game,
            team: market.team,
            sport,
            fee_rate_e4: market.fee_rate_e4,
            tick_e4: market.tick_e4,
        };
        self.subscription.add(market.ticker.clone(), market.market);
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
                // Without its subscription a book cannot be followed at all.
                let blind = error.kind == "subscribed" && self.subscription.sid().is_none();
                return Ok(match blind {
                    true => Err(useless("its confirmation cannot be read")),
                    false => Ok(()),
                });
            }
        };
        let ended = match &frame.body {
            Body::Error(error) => self.on_error(frame.id, error),
            Body::Unsubscribed if frame.sid.is_some() && frame.sid == self.subscription.sid() => {
                Some(useless("the venue has ended the subscription"))
            }
            _ => None,
        };
        if let Some(error) = ended {
            return Ok(Err(error));
        }
        if let Some(event) = self.event_of(frame) {
            self.event(event, received.ingress_mono_ns).await?;
        }
        Ok(Ok(()))
    }

    /// The venue refuses something. `Some` ends the session.
    fn on_error(&mut self, command: Option<u64>, error: &ErrorFrame<'_>) -> Option<VenueError> {
        self.counters.errors += 1;
        self.complaints
            .say(&format!("the venue says error {}", error.code), &error.text);
        let named = error.ticker.as_deref();
        let ours = self.subscription.on_refused(command, named, Instant::now());
        let text = format!("error {}: {}", error.code, error.text);
        (error.is_terminal() || (ours && error.is_about_the_session())).then(|| useless(&text))
    }

    fn event_of(&mut self, frame: Frame<'_>) -> Option<Event> {
        let (sid, seq) = (frame.sid?, frame.seq);
        match (frame.body, seq) {
            (Body::Subscribed(channel), _) if channel == BOOKS => {
                // A further answer to the same subscription does not start it anew.
                let news = self.subscription.on_subscribed(sid);
                news.then_some(Event::Subscribed { sid })
            }
            (Body::Snapshot(body), Some(seq)) => {
                let Some(market) = self.number(&body.ticker) else {
                    return Some(Event::Sequenced { sid, seq });
                };
                self.healthy |= self.subscription.on_snapshot(sid, market, Instant::now());
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
                if self.subscription.sid() != Some(sid) {
                    self.subscription.want(market, Instant::now());
                }
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
            (Body::Lifecycle(body), _) => self.trading(&body.ticker, &body.event_type),
            (Body::Unknown(kind), seq) => {
                self.counters.unknown += 1;
                self.complaints.say("unknown frame type", &kind);
                seq.map(|seq| Event::Sequenced { sid, seq })
            }
            (body, seq) => {
                if body == Body::Ok {
                    self.subscription.on_done(frame.id);
                }
                seq.map(|seq| Event::Sequenced { sid, seq })
            }
        }
    }

    /// What a step of a market's life means for trading it.
    fn trading(&mut self, ticker: &str, step: &str) -> Option<Event> {
        // The channel tells of every market of the venue; most are not ours.
        let market = self.subscription.number(ticker)?;
        let open = match step {
            "activated" => true,
            "deactivated" | "determined" | "settled" => false,
            _ => return None,
        };
        if step == "deactivated" {
            self.subscription.stop_awaiting(market);
        } else {
            self.subscription.set_over(market, !open);
        }
        Some(Event::Trading { market, open })
    }

    fn number(&mut self, ticker: &str) -> Option<u32> {
        let number = self.subscription.number(ticker);
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

/// The session cannot go on.
fn useless(reason: &str) -> VenueError {
    VenueError::Disconnected {
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
