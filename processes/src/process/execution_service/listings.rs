//! What an order needs to know of its market at the venue, by market number.

use super::super::discoveries::follow;
use crate::cold::market_numbers::Numbers;
use crate::cold::redis::Cold;
use crate::discovery::Discovery;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A market at the venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) ticker: String,
    /// The venue's shard; where it is not known the venue must look it up, which takes time.
    pub(super) exchange_index: Option<u32>,
}

/// The table as far as it is known.
#[derive(Debug, Clone)]
pub(super) struct Listings {
    table: watch::Receiver<HashMap<u32, Arc<Listing>>>,
    /// The venue's shards that any of them is on, and the first.
    shards: watch::Receiver<BTreeSet<u32>>,
    /// Holds the numbers that markets were ever given.
    run_dir: PathBuf,
}

impl Listings {
    /// Follows the discovery stream on a task of the current runtime.
    pub(super) fn follow(cold: Cold, run_dir: &Path) -> Self {
        let (sender, table) = watch::channel(HashMap::new());
        let (all_shards, shards) = watch::channel(BTreeSet::from([0]));
        tokio::spawn(follow(cold, async move |discovery| {
            if let Discovery::Market(market) = discovery {
                let listing = Listing {
                    ticker: market.ticker,
                    exchange_index: market.exchange_index,
                };
                if let Some(shard) = market.exchange_index {
                    all_shards.send_if_modified(|shards| shards.insert(shard));
                }
                sender.send_modify(|table| {
                    table.insert(market.market, Arc::new(listing));
                });
            }
        }));
        let run_dir = run_dir.to_owned();
        Self {
            table,
            shards,
            run_dir,
        }
    }

    /// The venue's shards, as far as they are known.
    pub(super) fn shards(&self) -> watch::Receiver<BTreeSet<u32>> {
        self.shards.clone()
    }

    /// The market as far as it is known now.
    pub(super) fn known(&self, market: u32) -> Option<Arc<Listing>> {
        self.table.borrow().get(&market).cloned()
    }

    /// The ticker of a market that may not be announced any more: its game is over and Redis forgot it, or
    /// nobody has read Redis yet.
    pub(super) fn ticker_of_old(&self, market: u32) -> Option<String> {
        let numbers = Numbers::within(&self.run_dir).load();
        let found = numbers.into_iter().find(|(_, number)| *number == market);
        found.map(|(ticker, _)| ticker)
    }

    /// The market; waits for it to be discovered, but no longer than `patience`.
    pub(super) async fn of(&mut self, market: u32, patience: Duration) -> Option<Arc<Listing>> {
        let known = self.table.wait_for(|table| table.contains_key(&market));
        let table = tokio::time::timeout(patience, known).await.ok()?.ok()?;
        table.get(&market).cloned()
    }
}

#[cfg(test)]
impl Listings {
    /// A table of one market.
    pub(super) fn of_one(market: u32, ticker: &str, exchange_index: Option<u32>) -> Self {
        let listing = Listing {
            ticker: ticker.into(),
            exchange_index,
        };
        let (_, table) = watch::channel(HashMap::from([(market, Arc::new(listing))]));
        let (_, shards) = watch::channel(exchange_index.into_iter().collect());
        let run_dir = PathBuf::from("/nowhere");
        Self {
            table,
            shards,
            run_dir,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_unknown_market_is_waited_for_and_no_longer_than_told() {
        let (sender, table) = watch::channel(HashMap::new());
        let directory = tempfile::tempdir().expect("a directory");
        let run_dir = directory.path().to_owned();
        let (_, shards) = watch::channel(BTreeSet::new());
        let mut listings = Listings {
            table,
            shards,
            run_dir,
        };
        assert_eq!(listings.of(3, Duration::from_millis(1)).await, None);
        let listing = Arc::new(Listing {
            ticker: "A-B".into(),
            exchange_index: Some(3),
        });
        let (found, ()) = tokio::join!(listings.of(3, Duration::from_secs(600)), async {
            sender.send_modify(|table| drop(table.insert(3, Arc::clone(&listing))));
        });
        assert_eq!(found, Some(Arc::clone(&listing)));
        assert_eq!(
            (listings.known(3), listings.known(4)),
            (Some(listing), None)
        );
        assert_eq!(listings.ticker_of_old(4), None);
        let numbers = HashMap::from([("A-B".to_owned(), 3), ("C-D".to_owned(), 4)]);
        let kept = Numbers::within(directory.path()).keep(&numbers);
        kept.expect("writes");
        assert_eq!(listings.ticker_of_old(4), Some("C-D".into()));
    }
}
