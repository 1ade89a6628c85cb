//! The monitor's I/O side: markets from discovery, frames from the venue, events for the books.
//!
//! Three channels on one session: the books (`subscription`); what becomes of markets, without whose confirmation
//! the session is of no use; and the trades, which are counted (`channel`). Whether a market trades is put together
//! in `standings`; what the channels cannot tell is asked over REST (`inquiry`).

mod channel;
mod frames;
mod inquiry;
mod standings;
mod subscription;

use crate::cold::announcer::heart;
use crate::cold::redis::Cold;
use crate::discovery::Discovery;
use crate::process::complaints::Complaints;
use crate::process::discoveries::followed;
use crate::runtime::handoff::{IoInbox, ToHot};
use crate::venue::VenueError;
use crate::venue::backoff::Backoff;
use crate::venue::frame_tally::FrameTally;
use crate::venue::kalshi_rest::KalshiRest;
use crate::venue::kalshi_ws::{Endpoint, Session, TICKERS_PER_COMMAND};
use channel::Channel;
use inquiry::{Answer, inquire};
use pipeline::Safety;
use stages::books::{Event, Facts, Trading, Wanted};
use standings::{Listing, Question, Standings};
use std::time::Duration;
use subscription::Subscription;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;
use tokio::time::{Instant, interval, sleep};

/// The venue's channel of book snapshots and deltas.
const BOOKS: &str = "orderbook_delta";
/// The venue's channel of what becomes of markets.
const LIFECYCLE: &str = "market_lifecycle_v2";
/// The venue's channel of trades between any two.
const TRADES: &str = "trade";
/// Markets in one question over REST, so that its address stays short.
const TICKERS_PER_QUESTION: usize = 100;
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
    /// Frames, each in one kind.
    pub frames: FrameTally,
    /// Breaks in the sequence of what becomes of markets, or frames of it that cannot be read.
    pub lifecycle_gaps: u64,
    /// Trades between any two in our markets.
    pub trades: u64,
    /// Contracts that they traded, 1/100.
    pub contracts_centi: u64,
    /// Breaks in the sequence of trades, or frames of it that cannot be read.
    pub trade_gaps: u64,
    /// Snapshots asked for.
    pub resyncs: u64,
    /// Connections after the first.
    pub reconnects: u64,
}

/// The hot thread is gone: there is nobody to work for.
struct Gone;

/// Where the venue is.
#[derive(Debug, Clone)]
pub struct Venue {
    /// Its frames.
    pub endpoint: Endpoint,
    /// What is asked of it.
    pub rest: KalshiRest,
}

/// The monitor's I/O side.
pub struct Feed {
    venue: Venue,
    safety: Safety,
    cold: Cold,
    to_hot: ToHot<Note>,
    subscription: Subscription,
    lifecycle: Channel,
    trades: Channel,
    /// Tickers whose trades are to be subscribed.
    untold: Vec<String>,
    standings: Standings,
    /// A market whose price steps the frame at hand has changed.
    new_steps: Option<Listing>,
    /// Whether this session has brought a book that was asked for.
    healthy: bool,
    counters: FeedCounters,
    complaints: Complaints,
}

impl Feed {
    /// A feed from a venue to the hot thread.
    #[must_use]
    pub fn new(venue: Venue, safety: Safety, cold: Cold, to_hot: ToHot<Note>) -> Self {
        Self {
            venue,
            safety,
            cold,
            to_hot,
            subscription: Subscription::default(),
            lifecycle: Channel::default(),
            trades: Channel::default(),
            untold: Vec::new(),
            standings: Standings::default(),
            new_steps: None,
            healthy: false,
            counters: FeedCounters::default(),
            complaints: Complaints::default(),
        }
    }

    /// Runs until the hot thread is gone.
    pub async fn run(mut self, wanted: IoInbox<Wanted>, (name, heartbeat_ms): (String, u64)) {
        let beat = heart(self.cold.clone(), &name, heartbeat_ms);
        let mut ears = Ears {
            discoveries: followed(self.cold.clone()),
            wanted,
            answers: inquire(self.venue.rest.clone()),
        };
        // Nothing to subscribe before the first market is known.
        while self.subscription.is_empty() {
            let Some(discovery) = ears.discoveries.recv().await else {
                return;
            };
            if self.learn(discovery).await.is_err() {
                return;
            }
        }
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        loop {
            match Session::connect(&self.venue.endpoint).await {
                Ok(session) => {
                    tracing::info!("connected to the venue");
                    self.complaints.forget("cannot connect to the venue");
                    let served = self.serve(session, &mut ears, &beat, &mut backoff).await;
                    match served {
                        Ok(error) => tracing::warn!(%error, "connection lost"),
                        Err(Gone) => return,
                    }
                    if self.withdraw().await.is_err() {
                        return;
                    }
                    self.counters.reconnects += 1;
                }
                Err(error) => self.complaints.say("cannot connect to the venue", &error),
            }
            sleep(backoff.delay()).await;
        }
    }

    /// The session is over: no price of it is good, and whether a market trades is to be asked anew.
    async fn withdraw(&mut self) -> Result<(), Gone> {
        self.event(Event::Disconnected, ipc::clock::mono_ns())
            .await?;
        self.standings.doubt(Instant::now());
        self.tell_trading().await
    }

    /// Serves one session to its end.
    async fn serve(
        &mut self,
        session: Session,
        ears: &mut Ears,
        beat: &watch::Sender<serde_json::Value>,
        backoff: &mut Backoff,
    ) -> Result<VenueError, Gone> {
        let silence = Duration::from_millis(self.safety.max_venue_silence_ms);
        let mut session = session.dead_after(silence);
        // All that is known goes into the first subscription.
        while let Ok(discovery) = ears.discoveries.try_recv() {
            self.learn(discovery).await?;
        }
        if let Err(error) = self.begin(&mut session).await {
            return Ok(error);
        }
        let mut housekeeping = interval(HOUSEKEEPING);
        loop {
            let done = tokio::select! {
                received = session.next() => match received {
                    Ok(received) => {
                        let done = self.on_frame(&received).await?;
                        // Frames alone say little: a venue that refuses us sends them too.
                        if self.healthy && self.lifecycle.sid().is_some() {
                            backoff.reset();
                        }
                        done
                    }
                    Err(error) => Err(error),
                },
                Some(discovery) = ears.discoveries.recv() => {
                    self.learn(discovery).await?;
                    Ok(())
                }
                Some(answer) = ears.answers.1.recv() => {
                    self.on_answer(answer).await?;
                    Ok(())
                }
                request = ears.wanted.recv() => {
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
            self.inquire(&ears.answers.0);
            // Among others because a market's close has come.
            self.tell_trading().await?;
        }
    }

    /// Subscribes at the start of a session.
    async fn begin(&mut self, session: &mut Session) -> Result<(), VenueError> {
        self.subscription.begin();
        (self.lifecycle, self.trades) = Default::default();
        self.untold.clear();
        self.healthy = false;
        let command = session.subscribe(&[LIFECYCLE], None).await?;
        self.lifecycle.on_asked(command, Instant::now());
        self.ask(session).await
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
            self.untold.extend_from_slice(&tickers);
            self.subscription.on_asked(command, tickers, now);
        }
        self.ask_for_trades(session, now).await?;
        if let Some(sid) = self.subscription.sid() {
            let late = self.subscription.late_tickers(now);
            let tickers: Vec<&str> = late.iter().map(String::as_str).collect();
            session.get_snapshot(sid, &tickers).await?;
            self.counters.resyncs += late.len() as u64;
        }
        let deaf = self.lifecycle.is_late(now);
        let deaf = deaf.then_some("the lifecycle channel is not confirmed");
        match self.subscription.fault(now).or(deaf) {
            Some(reason) => Err(useless(reason)),
            None => Ok(()),
        }
    }

    /// Subscribes the trades of markets whose books were asked for.
    async fn ask_for_trades(
        &mut self,
        session: &mut Session,
        now: Instant,
    ) -> Result<(), VenueError> {
        while !self.untold.is_empty() && (self.trades.sid().is_some() || self.trades.is_free()) {
            let some = self.untold.len().min(TICKERS_PER_COMMAND);
            let tickers: Vec<String> = self.untold.drain(..some).collect();
            let tickers: Vec<&str> = tickers.iter().map(String::as_str).collect();
            match self.trades.sid() {
                Some(sid) => drop(session.add_markets(sid, &tickers).await?),
                None => {
                    let command = session.subscribe(&[TRADES], Some(&tickers)).await?;
                    self.trades.on_asked(command, now);
                }
            }
        }
        Ok(())
    }

    /// Asks over REST what is due. Not before the lifecycle channel tells what comes after the answer.
    fn inquire(&mut self, questions: &UnboundedSender<Question>) {
        if self.lifecycle.sid().is_none() {
            return;
        }
        let question = self
            .standings
            .question(Instant::now(), TICKERS_PER_QUESTION);
        if let Some(question) = question {
            // Its task lives as long as we do.
            let _ = questions.send(question);
        }
    }

    /// Takes what the venue answers over REST.
    async fn on_answer(&mut self, answer: Answer) -> Result<(), Gone> {
        const MARKETS: &str = "cannot ask whether markets trade: they are not traded";
        const EXCHANGE: &str = "cannot ask whether the venue trades: what it said last holds";
        match answer {
            Answer::Markets(question, Ok(listed)) => {
                self.complaints.forget(MARKETS);
                if listed.unreadable > 0 {
                    self.complaints.say(MARKETS, &listed.reason);
                }
                self.standings
                    .on_listed(&question, &listed.items, Instant::now());
                for record in &listed.items {
                    if let Some(market) = self.subscription.number(&record.ticker) {
                        let known = self.standings.on_steps(market, &record.price_ranges);
                        self.tell_listing(known).await?;
                    }
                }
            }
            Answer::Markets(question, Err(error)) => {
                self.complaints.say(MARKETS, &error);
                self.standings.on_listed(&question, &[], Instant::now());
            }
            Answer::Exchange(Ok(status)) => {
                self.complaints.forget(EXCHANGE);
                self.standings.on_exchange(status);
            }
            Answer::Exchange(Err(error)) => self.complaints.say(EXCHANGE, &error),
        }
        Ok(())
    }

    /// Tells the books what has changed about whether markets trade.
    async fn tell_trading(&mut self) -> Result<(), Gone> {
        let unix_ms = ipc::clock::unix_ns() / 1_000_000;
        for (market, trading) in self.standings.news(unix_ms) {
            if trading == Trading::Open {
                self.subscription.resume(market, Instant::now());
            }
            let event = Event::Trading { market, trading };
            self.event(event, ipc::clock::mono_ns()).await?;
        }
        Ok(())
    }

    /// Tells the hot thread of a market, new or changed, if there is one.
    async fn tell_listing(&mut self, listing: Option<Listing>) -> Result<(), Gone> {
        let Some(Listing {
            facts,
            shard,
            ticker,
            ..
        }) = listing
        else {
            return Ok(());
        };
        let note = Note::Market {
            facts,
            shard,
            ticker,
        };
        self.send(note).await
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
        let listing = Listing {
            facts,
            shard: market.shard,
            ticker: market.ticker,
            exchange_index: market.exchange_index,
        };
        self.subscription.add(listing.ticker.clone(), market.market);
        self.standings.add(listing.clone(), Instant::now());
        self.tell_listing(Some(listing)).await
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

/// What a feed listens to beside its session.
struct Ears {
    discoveries: UnboundedReceiver<Discovery>,
    wanted: IoInbox<Wanted>,
    /// Questions over REST, and their answers.
    answers: (UnboundedSender<Question>, UnboundedReceiver<Answer>),
}

/// The session cannot go on.
fn useless(reason: &str) -> VenueError {
    VenueError::Disconnected {
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
