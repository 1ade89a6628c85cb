//! The I/O side of `position_tracker`: market names in, settlements in, positions out.

use super::super::complaints::Complaints;
use super::super::discoveries::follow;
use crate::cold::announcer::heart;
use crate::cold::discovery::Discovery;
use crate::cold::reconcile::settlement_value;
use crate::cold::redis::Cold;
use crate::runtime::handoff::{IoInbox, ToHot};
use crate::venue::kalshi_rest::KalshiRest;
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

/// Time between two looks at the venue's settlements.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the cached positions outlive the last change.
const CACHED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// The hash of positions by market number.
const POSITIONS: &str = "positions";

/// To the thread that keeps the books.
pub(super) enum Note {
    /// A market's name at the venue.
    Market { market: u32, ticker: String },
    /// A market was decided.
    Settled { market: u32, value_e4: u16 },
}

/// From it: a position to be cached.
pub(super) struct Change {
    pub(super) market: u32,
    pub(super) json: String,
}

/// The outside world of this process.
pub(super) struct Office {
    pub(super) rest: KalshiRest,
    pub(super) cold: Cold,
    pub(super) process: String,
    pub(super) heartbeat_ms: u64,
}

impl Office {
    /// Works until the other side hangs up, then looks at the settlements once more.
    pub(super) async fn run(
        self,
        known: BTreeMap<u32, String>,
        mut changes: IoInbox<Change>,
        mut notes: ToHot<Note>,
    ) {
        let heart = heart(self.cold.clone(), &self.process, self.heartbeat_ms);
        let (names, mut named) = mpsc::unbounded_channel();
        tokio::spawn(follow(self.cold.clone(), async move |discovery| {
            if let Discovery::Market(market) = discovery {
                // Refused only when this thread is on its way out.
                let _ = names.send((market.market, market.ticker));
            }
        }));
        let cached = self.start_cache();
        let mut look = Look::new(self.rest, known);
        let mut due = interval(LOOK_EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let told = tokio::select! {
                change = changes.recv() => match change {
                    Some(change) => cached.send(change).map_err(drop),
                    None => break,
                },
                Some((market, ticker)) = named.recv() => look.name(market, ticker, &mut notes).await,
                _ = due.tick() => {
                    heart.send_replace(json!({ "markets": look.markets.len(), "settled": look.settled.len() }));
                    look.settlements(&mut notes).await
                }
            };
            if told.is_err() {
                return;
            }
        }
        while let Ok((market, ticker)) = named.try_recv() {
            if look.name(market, ticker, &mut notes).await.is_err() {
                return;
            }
        }
        // Whether it could be told says nothing any more.
        let _ = look.settlements(&mut notes).await;
    }

    /// Writes positions to Redis on a task of its own: a Redis that is away holds nothing up.
    fn start_cache(&self) -> mpsc::UnboundedSender<Change> {
        let (sender, mut changes) = mpsc::unbounded_channel::<Change>();
        let cold = self.cold.clone();
        tokio::spawn(async move {
            let mut complaints = Complaints::default();
            while let Some(Change { market, json }) = changes.recv().await {
                let field = market.to_string();
                let put = cold
                    .hash_put(POSITIONS, &field, &json, Some(CACHED_FOR))
                    .await;
                if let Err(error) = put {
                    complaints.say("positions cannot be cached", &error);
                }
            }
        });
        sender
    }
}

/// The books' thread is gone.
type Told = Result<(), ()>;

/// What is known of markets, and which were told to be decided.
struct Look {
    rest: KalshiRest,
    /// Market number by ticker.
    markets: BTreeMap<String, u32>,
    settled: HashSet<String>,
    complaints: Complaints,
}

impl Look {
    fn new(rest: KalshiRest, known: BTreeMap<u32, String>) -> Self {
        Self {
            rest,
            markets: known
                .into_iter()
                .map(|(market, ticker)| (ticker, market))
                .collect(),
            settled: HashSet::new(),
            complaints: Complaints::default(),
        }
    }

    async fn name(&mut self, market: u32, ticker: String, notes: &mut ToHot<Note>) -> Told {
        if self.markets.get(&ticker) == Some(&market) {
            return Ok(());
        }
        self.markets.insert(ticker.clone(), market);
        notes
            .send(Note::Market { market, ticker })
            .await
            .map_err(drop)
    }

    /// Asks the venue which markets are decided and tells those that are new.
    async fn settlements(&mut self, notes: &mut ToHot<Note>) -> Told {
        const AWAY: &str = "settlements cannot be read, trying on";
        let records = match self.rest.settlements().await {
            Ok(records) => records,
            Err(error) => {
                self.complaints.say(AWAY, &error);
                return Ok(());
            }
        };
        self.complaints.forget(AWAY);
        for record in records {
            // One of a market that is not discovered yet is looked at again next time.
            let Some(market) = self.markets.get(&record.ticker).copied() else {
                continue;
            };
            let Some(value_e4) = settlement_value(&record) else {
                self.complaints
                    .say("a settlement does not state its value", &record.ticker);
                continue;
            };
            if self.settled.insert(record.ticker) {
                notes
                    .send(Note::Settled { market, value_e4 })
                    .await
                    .map_err(drop)?;
            }
        }
        Ok(())
    }
}
