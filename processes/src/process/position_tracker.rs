//! `position_tracker`: fills and settlements into the database, positions into Redis.
//!
//! This thread is the only writer of the database. It books fills in batches and commits the ring
//! only after the batch is durable, so a crash repeats fills and never loses one; booking is
//! idempotent by trade id. An I/O thread (`office`) learns market names from the discovery
//! stream, asks the venue for settlements, and caches positions.

mod office;

use crate::cold::database::{Database, DatabaseError, is_bookable, path};
use crate::cold::reconcile::MarketPosition;
use crate::cold::redis::Cold;
use crate::process::complaints::Complaints;
use crate::runtime::handoff::{ToIo, to_hot, to_io};
use crate::runtime::{Context, Failure, Input, io_thread};
use crate::venue::kalshi_rest::KalshiRest;
use crate::venue::signing::Signer;
use crate::venue::tls::Trust;
use layouts::Fill;
use layouts::units::fee_micros;
use office::{Change, Note, Office};
use serde_json::{Value, json};
use stages::positions::{Booked, PositionBook};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Fills in one transaction: a burst pays for one sync.
const BATCH: usize = 256;
/// Notes and changes that may wait between the threads.
const QUEUE: usize = 1_024;

/// The venue rounds each fee up to $0.0001.
const FEE_ROUNDING_MICROS: u64 = 100;

/// Runs the process.
///
/// # Errors
///
/// When the ring, the key or the database are unusable.
pub fn run(context: &Context) -> Result<Value, Failure> {
    let venue = &context.pipeline.venue;
    let signer = Signer::load(&venue.key_id, &venue.key_file).map_err(Failure::other)?;
    let trust = Trust::load(&context.pipeline.ca_file).map_err(Failure::other)?;
    let rest = KalshiRest::new(&venue.rest, signer, &trust).map_err(Failure::other)?;
    let mut input = context.input::<Fill>()?;
    let pipeline = &context.pipeline;
    let mut ledger = Ledger::open(&path(pipeline), &pipeline.run_id).map_err(Failure::other)?;
    let (changes, changes_inbox) = to_io::<Change>(QUEUE);
    let (notes, mut inbox) = to_hot::<Note>(QUEUE);
    let redis = &context.pipeline.redis;
    let cold = Cold::connect(&redis.url, &context.pipeline.name);
    let office = Office {
        rest,
        cold,
        process: context.name.clone(),
        heartbeat_ms: redis.heartbeat_ms,
    };
    let known = ledger.tickers.clone();
    let thread = io_thread("venue", move || office.run(known, changes_inbox, notes))?;
    let mut changes = Some(changes);
    context.ready()?;
    let mut idle = context.idle();
    loop {
        let mut worked = ledger.book_batch(&mut input).map_err(Failure::other)?;
        while let Some(note) = inbox.pop() {
            worked = true;
            ledger.take(note).map_err(Failure::other)?;
        }
        if let Some(changes) = &mut changes {
            ledger.tell(changes);
        }
        if worked {
            idle.progress();
        } else if changes.is_some() && context.stopping() && input.drained() {
            // Hanging up asks the other side for a last look at the settlements.
            changes = None;
        } else if inbox.drained() {
            thread
                .join()
                .map_err(|_| Failure::other("the venue's thread has panicked"))?;
            return match changes {
                None => Ok(ledger.figures()),
                Some(_) => Err(Failure::other("the venue's thread has ended")),
            };
        } else {
            idle.wait(&mut [&mut input, &mut inbox]);
        }
    }
}

/// The books: in the database, and in memory for questions.
struct Ledger {
    database: Database,
    /// The launch whose orders the ring's fills are of.
    launch: String,
    book: PositionBook,
    tickers: BTreeMap<u32, String>,
    /// Markets whose position Redis does not show yet.
    untold: BTreeSet<u32>,
    batch: Vec<Fill>,
    refused: u64,
    repeated: u64,
    /// Settlements that the venue has amended.
    amended: u64,
    /// The taker's fee rate of each market that was announced.
    fee_rates_e4: BTreeMap<u32, u16>,
    /// Fills whose fee is not what the market's rate says.
    fee_surprises: u64,
    complaints: Complaints,
}

impl Ledger {
    fn open(path: &Path, launch: &str) -> Result<Self, DatabaseError> {
        let database = Database::open(path)?;
        let book = database.load()?;
        Ok(Self {
            tickers: database.markets()?.into_iter().collect(),
            untold: book.markets().map(|(market, _)| market).collect(),
            database,
            launch: launch.to_owned(),
            book,
            batch: Vec::with_capacity(BATCH),
            refused: 0,
            repeated: 0,
            amended: 0,
            fee_rates_e4: BTreeMap::new(),
            fee_surprises: 0,
            complaints: Complaints::default(),
        })
    }

    /// Books what waits in the ring, up to a batch; whether there was any.
    fn book_batch(&mut self, input: &mut Input<Fill>) -> Result<bool, DatabaseError> {
        self.batch.clear();
        let mut taken = 0;
        while taken < BATCH {
            let Some(received) = input.pop() else { break };
            taken += 1;
            let fill = received.message;
            if is_bookable(&fill) {
                self.batch.push(fill);
            } else {
                self.refused += 1;
                tracing::error!(?fill, "a fill means nothing and is not booked");
            }
        }
        if taken == 0 {
            return Ok(false);
        }
        self.database.book(&self.launch, &self.batch)?;
        for at in 0..self.batch.len() {
            let fill = self.batch[at];
            match self.book.fill(&fill) {
                Booked::New => {
                    self.untold.insert(fill.market);
                    self.check_fee(&fill);
                }
                Booked::Again => self.repeated += 1,
                Booked::Amended | Booked::Refused => self.refused += 1,
            }
        }
        input.commit();
        Ok(true)
    }

    /// Compares what a fill was charged with what was reckoned with when its order was made. Makers pay less.
    fn check_fee(&mut self, fill: &Fill) {
        let rate = self.fee_rates_e4.get(&fill.market);
        let Some(rate_e4) = rate.filter(|_| fill.is_taker != 0) else {
            return;
        };
        let reckoned = fee_micros(*rate_e4, fill.price_e4, fill.count_centi);
        if i64::from(fill.fee_micros).abs_diff(reckoned) <= FEE_ROUNDING_MICROS {
            return;
        }
        self.fee_surprises += 1;
        let ticker = self.tickers.get(&fill.market).map_or("", String::as_str);
        let series = ticker.split('-').next().unwrap_or_default();
        let cause = format!("a fee of {series} is not what its rate says");
        let details = format!(
            "{ticker}: {} for {} at {}, reckoned {reckoned} at the rate {rate_e4}e-4 (micro-dollars, 1/100 contract, 1/10,000 dollar)",
            fill.fee_micros, fill.count_centi, fill.price_e4
        );
        self.complaints.say(&cause, &details);
    }

    fn take(&mut self, note: Note) -> Result<(), DatabaseError> {
        match note {
            Note::Market { market, ticker } => {
                self.database.name_market(market, &ticker)?;
                self.tickers.insert(market, ticker);
            }
            Note::Fee { market, rate_e4 } => drop(self.fee_rates_e4.insert(market, rate_e4)),
            Note::Settled {
                market,
                settlement,
                settled_unix_s,
            } => {
                let before = self.book.market(market).and_then(|held| held.settled_e4);
                if self.database.settle(market, settlement, settled_unix_s)? == Booked::Amended {
                    self.amended += 1;
                    // Rare, and money that was paid is taken back: a human must look at it.
                    tracing::error!(
                        market,
                        ticker = self.tickers.get(&market),
                        ?before,
                        now = settlement.value_e4,
                        "the venue has amended a settlement (1/10000 dollar)"
                    );
                }
                if let Booked::New | Booked::Amended = self.book.settle(market, settlement) {
                    self.untold.insert(market);
                }
            }
        }
        Ok(())
    }

    /// Passes changed positions on, as many as there is room for.
    fn tell(&mut self, changes: &mut ToIo<Change>) {
        while let Some(market) = self.untold.first().copied() {
            let json = json!(self.position(market)).to_string();
            if changes.push(Change { market, json }).is_err() {
                return;
            }
            self.untold.remove(&market);
        }
    }

    fn position(&self, market: u32) -> Option<MarketPosition> {
        let position = *self.book.market(market)?;
        let ticker = self.tickers.get(&market).cloned().unwrap_or_default();
        Some(MarketPosition { ticker, position })
    }

    fn figures(&self) -> Value {
        let total = self.book.total();
        let positions: Vec<MarketPosition> = self
            .book
            .markets()
            .filter_map(|(market, _)| self.position(market))
            .collect();
        let settled = positions
            .iter()
            .filter(|market| market.position.settled_e4.is_some());
        json!({
            "fills": self.book.fills(),
            "refused": self.refused,
            "repeated": self.repeated,
            "amended": self.amended,
            "fee_surprises": self.fee_surprises,
            "settled": settled.count(),
            "cash_flow_micros": total.cash_micros,
            "fees_micros": total.fees_micros,
            "pnl_micros": total.pnl_micros(),
            "collateral_micros": self.book.collateral_micros(),
            "positions": positions,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The venue may amend a result: the first one stayed booked, and every comparison differed for ever.
    #[test]
    fn an_amended_settlement_is_counted_and_the_last_word_is_booked() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("positions.db");
        let mut ledger = Ledger::open(&path, "aa").expect("opens");
        for value_e4 in [10_000, 0, 0, 5_000] {
            let settled = Note::Settled {
                market: 7,
                settlement: value_e4.into(),
                settled_unix_s: None,
            };
            ledger.take(settled).expect("goes on");
        }
        assert_eq!(ledger.amended, 2);
        let reopened = Ledger::open(&path, "aa").expect("opens").book;
        for book in [&ledger.book, &reopened] {
            let held = book.market(7).and_then(|position| position.settled_e4);
            assert_eq!(held, Some(5_000));
        }
    }

    #[test]
    fn a_fee_that_its_rate_does_not_explain_is_counted() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut ledger = Ledger::open(&directory.path().join("positions.db"), "aa").expect("opens");
        let fill = |fee_micros: u32, is_taker| Fill {
            market: 7,
            count_centi: 100,
            price_e4: 5_000,
            fee_micros,
            is_taker,
            ..bytemuck::Zeroable::zeroed()
        };
        ledger.check_fee(&fill(90_000, 1));
        assert_eq!(ledger.fee_surprises, 0, "nobody has told its rate");
        let told = Note::Fee {
            market: 7,
            rate_e4: 700,
        };
        ledger.take(told).expect("takes");
        for (fee, is_taker, surprises) in [
            (17_500, 1, 0),
            (17_600, 1, 0),
            (4_400, 0, 0),
            (17_700, 1, 1),
            (8_800, 1, 2),
            (35_000, 1, 3),
        ] {
            ledger.check_fee(&fill(fee, is_taker));
            assert_eq!(ledger.fee_surprises, surprises, "{fee}");
        }
    }
}
