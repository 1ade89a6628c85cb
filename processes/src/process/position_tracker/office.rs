//! The I/O side of `position_tracker`: market names in, settlements in, positions out.

use super::super::complaints::Complaints;
use super::super::discoveries::followed;
use crate::cold::announcer::heart;
use crate::cold::outbox::{Outbox, outbox};
use crate::cold::redis::Cold;
use crate::cold::settlement::{settled_unix_s, settlement};
use crate::discovery::{Discovery, Market};
use crate::runtime::handoff::{IoInbox, ToHot};
use crate::venue::backoff::Backoff;
use crate::venue::kalshi_rest::KalshiRest;
use serde_json::json;
use stages::positions::Settlement;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// Time between two looks at the venue's settlements.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks at what is new for one at everything, which finds what came late or was amended.
const LOOKS_AT_NEW: u32 = 60;
/// How far behind the latest settlement a look at what is new begins, in seconds: some are told late.
const OVERLAP_S: i64 = 600;
/// First and longest wait after a position could not be cached.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long the cached positions outlive the last change.
const CACHED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// The hash of positions by market number.
const POSITIONS: &str = "positions";

/// To the thread that keeps the books.
pub(super) enum Note {
    /// A market's name at the venue.
    Market { market: u32, ticker: String },
    /// The taker's fee rate of a market, from now on.
    Fee { market: u32, rate_e4: u16 },
    /// A market was decided.
    Settled {
        market: u32,
        settlement: Settlement,
        settled_unix_s: Option<i64>,
    },
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
        let mut discoveries = followed(self.cold.clone());
        let cached = self.start_cache();
        let mut look = Look::new(self.rest, known);
        let mut due = interval(LOOK_EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let told = tokio::select! {
                change = changes.recv() => match change {
                    Some(Change { market, json }) => {
                        cached.put(market, json);
                        Ok(())
                    }
                    None => break,
                },
                Some(discovery) = discoveries.recv() => look.learn(discovery, &mut notes).await,
                _ = due.tick() => {
                    heart.send_replace(json!({ "markets": look.markets.len(), "settled": look.settled.len() }));
                    look.settlements(&mut notes).await
                }
            };
            if told.is_err() {
                return;
            }
        }
        while let Ok(discovery) = discoveries.try_recv() {
            if look.learn(discovery, &mut notes).await.is_err() {
                return;
            }
        }
        look.new_only = 0;
        // Whether it could be told says nothing any more.
        let _ = look.settlements(&mut notes).await;
    }

    /// Writes positions to Redis on a task of its own: a Redis that is away holds nothing up, and
    /// each market's latest position waits for it.
    fn start_cache(&self) -> Outbox<u32, String> {
        const AWAY: &str = "positions cannot be cached, trying on";
        let (sender, mut changes) = outbox::<u32, String>();
        let cold = self.cold.clone();
        tokio::spawn(async move {
            let mut complaints = Complaints::default();
            let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
            while let Some((market, json)) = changes.next().await {
                let field = market.to_string();
                let put = cold.hash_put(POSITIONS, &field, &json, Some(CACHED_FOR));
                match put.await {
                    Ok(()) => {
                        complaints.forget(AWAY);
                        backoff.reset();
                    }
                    Err(error) => {
                        complaints.say(AWAY, &error);
                        changes.put_back(market, json);
                        sleep(backoff.delay()).await;
                    }
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
    /// Value told by ticker.
    settled: HashMap<String, Settlement>,
    /// Time of the latest settlement seen, Unix seconds.
    latest_s: Option<i64>,
    /// Looks at what is new only, until everything is looked at again.
    new_only: u32,
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
            settled: HashMap::new(),
            latest_s: None,
            new_only: 0,
            complaints: Complaints::default(),
        }
    }

    async fn learn(&mut self, discovery: Discovery, notes: &mut ToHot<Note>) -> Told {
        let Discovery::Market(Market {
            market,
            ticker,
            fee_rate_e4: rate_e4,
            ..
        }) = discovery
        else {
            return Ok(());
        };
        let fee = Note::Fee { market, rate_e4 };
        notes.send(fee).await.map_err(drop)?;
        if self.markets.get(&ticker) == Some(&market) {
            return Ok(());
        }
        self.markets.insert(ticker.clone(), market);
        // It may be settled since long ago.
        self.new_only = 0;
        notes
            .send(Note::Market { market, ticker })
            .await
            .map_err(drop)
    }

    /// Asks the venue which markets are decided and tells those that are new.
    async fn settlements(&mut self, notes: &mut ToHot<Note>) -> Told {
        const AWAY: &str = "settlements cannot be read, trying on";
        let since = match self.new_only {
            0 => None,
            _ => self.latest_s.map(|latest| latest.saturating_sub(OVERLAP_S)),
        };
        let found = match self.rest.settlements_since(since).await {
            Ok(found) => found,
            Err(error) => {
                self.complaints.say(AWAY, &error);
                return Ok(());
            }
        };
        self.complaints.forget(AWAY);
        if found.unreadable > 0 {
            self.complaints
                .say("settlements that cannot be read", &found.reason);
        }
        self.new_only = self.new_only.checked_sub(1).unwrap_or(LOOKS_AT_NEW);
        for record in found.items {
            let settled_unix_s = settled_unix_s(&record);
            self.latest_s = self.latest_s.max(settled_unix_s);
            // One of a market that is not discovered yet is looked at again when it is.
            let Some(market) = self.markets.get(&record.ticker).copied() else {
                continue;
            };
            let Some(settlement) = settlement(&record) else {
                self.complaints
                    .say("a settlement does not state its value", &record.ticker);
                continue;
            };
            // Told again when it is amended, for the books to see.
            if self.settled.insert(record.ticker, settlement) != Some(settlement) {
                notes
                    .send(Note::Settled {
                        market,
                        settlement,
                        settled_unix_s,
                    })
                    .await
                    .map_err(drop)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::handoff::to_hot;
    use crate::venue::signing::test_signer;
    use crate::venue::tls::Trust;
    use axum::http::Uri;
    use axum::{Json, Router};
    use tokio::sync::mpsc;

    /// A venue with one settlement; what it was asked.
    async fn venue() -> (KalshiRest, mpsc::UnboundedReceiver<Uri>) {
        let (asked, questions) = mpsc::unbounded_channel();
        let handler = move |uri: Uri| {
            asked.send(uri).expect("listens");
            let settled = json!({"ticker": "A-B", "market_result": "yes", "yes_count_fp": "1.00",
                "no_count_fp": "0.00", "revenue": 100, "value": 100, "settled_time": "1970-01-01T01:00:00Z"});
            async move { Json(json!({"settlements": [settled, {"ticker": 7}]})) }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("binds");
        let base = format!("http://{}/v2", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        let rest = KalshiRest::new(&base, test_signer(), &Trust::none()).expect("a client");
        (rest, questions)
    }

    fn market(number: u32, ticker: &str) -> Discovery {
        Discovery::Market(Market {
            market: number,
            ticker: ticker.into(),
            event_ticker: String::new(),
            game: 1,
            shard: 0,
            team: 0,
            sport: 0,
            fee_rate_e4: 700,
            tick_e4: 100,
            exchange_index: Some(0),
        })
    }

    /// Every page of every settlement was read every second, and one bad record hid them all.
    #[tokio::test]
    async fn all_settlements_are_read_once_and_then_those_that_are_new() {
        let (rest, mut questions) = venue().await;
        let (mut notes, mut inbox) = to_hot(16);
        let mut look = Look::new(rest, BTreeMap::new());
        let mut since = async |look: &mut Look, notes: &mut ToHot<Note>| {
            look.settlements(notes).await.expect("told");
            let asked = questions.recv().await.expect("a question");
            let query = asked.query().unwrap_or_default().to_owned();
            query
                .split_once("min_ts=")
                .map(|(_, since)| since.to_owned())
        };
        let new = Some((3_600 - OVERLAP_S).to_string());
        assert_eq!(since(&mut look, &mut notes).await, None);
        assert_eq!(since(&mut look, &mut notes).await, new);
        assert!(inbox.pop().is_none(), "of no market that we know");
        // It may be settled since long ago.
        let named = look.learn(market(4, "A-B"), &mut notes).await;
        assert_eq!((named, since(&mut look, &mut notes).await), (Ok(()), None));
        let fee = inbox.pop();
        assert!(matches!(
            fee,
            Some(Note::Fee {
                market: 4,
                rate_e4: 700
            })
        ));
        assert!(matches!(inbox.pop(), Some(Note::Market { market: 4, .. })));
        let settled = inbox.pop();
        assert!(matches!(
            settled,
            Some(Note::Settled {
                market: 4,
                settlement: Settlement {
                    value_e4: 10_000,
                    remainder_micros: 0
                },
                settled_unix_s: Some(3_600),
            })
        ));
        for _ in 0..LOOKS_AT_NEW {
            assert_eq!(since(&mut look, &mut notes).await, new);
        }
        assert_eq!(since(&mut look, &mut notes).await, None, "all again");
        assert!(inbox.pop().is_none(), "told once");
    }
}
