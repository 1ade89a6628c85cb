//! The position database: every fill, settlement and market name, in SQLite, by one writer.
//!
//! Only facts are stored; positions are a view over them, so they cannot disagree. Booking is
//! idempotent by the venue's trade id. The journal is a write-ahead log, so that readers never hold
//! up the writer; `synchronous` is FULL because the ring forgets a fill once its transaction is
//! done: NORMAL could lose the last transactions to a power cut, and with them money. Batches make
//! the cost of a sync small.

mod account;
mod migrations;

pub use account::Opening;
use layouts::{E4_PER_DOLLAR, Fill};
use migrations::{AGREED, AMENDED, FILLS_TIMED, LAUNCHED, MIGRATIONS, ROUNDED, TIMED};
use pipeline::Pipeline;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, params};
use stages::positions::{Booked, PositionBook, Settlement};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a statement waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A failure of the database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The engine's own word.
    #[error("position database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// Written by a later version of this program.
    #[error(
        "position database {path} has version {found}, this program knows {known}\n  fix: use the newer program, or another run directory"
    )]
    TooNew {
        /// The file.
        path: String,
        /// Its version.
        found: usize,
        /// The latest that this program knows.
        known: usize,
    },
    /// A market's number changed, because the registry of numbers was lost.
    #[error(
        "market {market} is said to be {ticker}, the position database knows {}\n  fix: use another run directory, or restore the registry `market_ids` in Redis",
        known.as_deref().unwrap_or("that ticker under another number")
    )]
    Renumbered {
        /// Market number.
        market: u32,
        /// What it is said to be.
        ticker: String,
        /// What it is here.
        known: Option<String>,
    },
}

/// A fill as it was booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookedFill {
    /// The run id of the launch that ordered it; empty where an earlier version of this program booked it.
    pub launch: String,
    /// The fill.
    pub fill: Fill,
    /// Whether it was in the books when they last agreed with the venue's at a live start.
    pub agreed: bool,
}

/// The database, open.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
}

/// The database file of a pipeline. A simulated venue starts with an empty ledger at each launch,
/// and so does its database; a real venue's goes on.
#[must_use]
pub fn path(pipeline: &Pipeline) -> PathBuf {
    let name = match &pipeline.simulator {
        Some(_) => format!("positions.{}.db", pipeline.run_id),
        None => "positions.db".to_owned(),
    };
    pipeline.run_dir.join(name)
}

impl Database {
    /// Opens the database, creating or migrating it as needed.
    ///
    /// # Errors
    ///
    /// When the file cannot be used.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        let mut database = Self { connection };
        database.migrate(path)?;
        Ok(database)
    }

    /// Opens an existing database to look at it.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be read.
    pub fn open_read_only(path: &Path) -> Result<Self, DatabaseError> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        Ok(Self { connection })
    }

    fn migrate(&mut self, path: &Path) -> Result<(), DatabaseError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version = version(&transaction)?;
        let known = MIGRATIONS.len();
        if version as usize > known {
            let path = path.display().to_string();
            return Err(DatabaseError::TooNew {
                path,
                found: version as usize,
                known,
            });
        }
        for (number, migration) in (1_u32..).zip(MIGRATIONS).skip(version as usize) {
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", number)?;
        }
        Ok(transaction.commit()?)
    }

    /// Books a batch of fills of a launch in one transaction; durable when it returns. How many were new.
    ///
    /// # Errors
    ///
    /// When nothing of the batch was booked.
    pub fn book(&mut self, launch: &str, fills: &[Fill]) -> Result<usize, DatabaseError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut new = 0;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO fills (trade, client_order, market, side, count_centi, price_e4, fee_micros,
                                    is_taker, ingress_mono_ns, launch, booked_unix_s)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, unixepoch())
                 ON CONFLICT (trade) DO NOTHING",
            )?;
            for fill in fills {
                new += insert.execute(params![
                    fill.trade,
                    fill.order.cast_signed(),
                    fill.market,
                    fill.side,
                    fill.count_centi,
                    fill.price_e4,
                    fill.fee_micros,
                    fill.is_taker,
                    fill.ingress_mono_ns.cast_signed(),
                    launch,
                ])?;
            }
        }
        transaction.commit()?;
        Ok(new)
    }

    /// Books the decision of a market, and when the venue made it, Unix seconds. A value that it had before is kept in
    /// `superseded`: the last word counts.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn settle(
        &mut self,
        market: u32,
        settlement: impl Into<Settlement>,
        settled_unix_s: Option<i64>,
    ) -> Result<Booked, DatabaseError> {
        let settlement = settlement.into();
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let before: Option<Settlement> = transaction
            .query_row(
                "SELECT value_e4, remainder_micros FROM settlements WHERE market = ?1",
                [market],
                |row| {
                    Ok(Settlement {
                        value_e4: row.get(0)?,
                        remainder_micros: row.get(1)?,
                    })
                },
            )
            .optional()?;
        let booked = match before {
            Some(before) if before == settlement => return Ok(Booked::Again),
            // Of earlier versions of this program, which did not know what was paid.
            Some(before) if before.value_e4 == settlement.value_e4 => Booked::Again,
            Some(_) => {
                transaction.execute(
                    "INSERT INTO superseded (market, value_e4, settled_unix_s)
                     SELECT market, value_e4, settled_unix_s FROM settlements WHERE market = ?1",
                    [market],
                )?;
                Booked::Amended
            }
            None => Booked::New,
        };
        transaction.execute(
            "INSERT INTO settlements (market, value_e4, remainder_micros, settled_unix_s) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (market) DO UPDATE SET value_e4 = excluded.value_e4,
             remainder_micros = excluded.remainder_micros, settled_unix_s = excluded.settled_unix_s, agreed = 0",
            params![
                market,
                settlement.value_e4,
                settlement.remainder_micros,
                settled_unix_s
            ],
        )?;
        transaction.commit()?;
        Ok(booked)
    }

    /// What settlements said before they were amended: market and value, the oldest first.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn superseded(&self) -> Result<Vec<(u32, u16)>, DatabaseError> {
        if version(&self.connection)? < AMENDED {
            return Ok(Vec::new());
        }
        let mut select = self
            .connection
            .prepare("SELECT market, value_e4 FROM superseded ORDER BY id")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Remembers the venue's name of a market number.
    ///
    /// # Errors
    ///
    /// When the number means another ticker here, or the ticker has another number: booking on
    /// would mix two markets. And when it cannot be written.
    pub fn name_market(&mut self, market: u32, ticker: &str) -> Result<(), DatabaseError> {
        self.connection.execute(
            "INSERT INTO markets VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            params![market, ticker],
        )?;
        let known: Option<String> = self
            .connection
            .query_row(
                "SELECT ticker FROM markets WHERE market = ?1",
                [market],
                |row| row.get(0),
            )
            .optional()?;
        match known {
            Some(known) if known == ticker => Ok(()),
            other => Err(DatabaseError::Renumbered {
                market,
                ticker: ticker.to_owned(),
                known: other,
            }),
        }
    }

    /// Every market number and its ticker.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn markets(&self) -> Result<Vec<(u32, String)>, DatabaseError> {
        let mut select = self
            .connection
            .prepare("SELECT market, ticker FROM markets ORDER BY market")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Every fill, by trade id.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn fills(&self) -> Result<Vec<Fill>, DatabaseError> {
        let booked = self.booked()?.into_iter();
        Ok(booked.map(|booked| booked.fill).collect())
    }

    /// Every fill with what else is known of it, by trade id.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn booked(&self) -> Result<Vec<BookedFill>, DatabaseError> {
        // Its writer may be about to bring it up to date.
        let version = version(&self.connection)?;
        let launch = if version < LAUNCHED { "''" } else { "launch" };
        let agreed = if version < AGREED { "0" } else { "agreed" };
        let mut select = self.connection.prepare(&format!(
            "SELECT trade, client_order, market, side, count_centi, price_e4, fee_micros, is_taker,
                    ingress_mono_ns, {launch}, {agreed} FROM fills ORDER BY trade",
        ))?;
        let rows = select.query_map([], |row| {
            let fill = Fill {
                trade: row.get(0)?,
                order: row.get::<_, i64>(1)?.cast_unsigned(),
                market: row.get(2)?,
                side: row.get(3)?,
                count_centi: row.get(4)?,
                price_e4: row.get(5)?,
                fee_micros: row.get(6)?,
                is_taker: row.get(7)?,
                ingress_mono_ns: row.get::<_, i64>(8)?.cast_unsigned(),
            };
            Ok(BookedFill {
                launch: row.get(9)?,
                fill,
                agreed: row.get(10)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Every settlement, by market.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn settlements(&self) -> Result<Vec<(u32, Settlement)>, DatabaseError> {
        let select = match version(&self.connection)? {
            ROUNDED.. => "SELECT market, value_e4, remainder_micros FROM settlements",
            _ => "SELECT market, value_e4, 0 FROM settlements",
        };
        let mut select = self.connection.prepare(select)?;
        let rows = select.query_map([], |row| {
            let settlement = Settlement {
                value_e4: row.get(1)?,
                remainder_micros: row.get(2)?,
            };
            Ok((row.get(0)?, settlement))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The markets that the venue has settled at this moment or later, Unix seconds. One whose time is not
    /// known, booked by an earlier version of this program, was settled before.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn settled_since(&self, unix_s: i64) -> Result<Vec<u32>, DatabaseError> {
        // Its writer may be about to bring it up to date: nothing that it holds has a time yet.
        if version(&self.connection)? < TIMED {
            return Ok(Vec::new());
        }
        let mut select = self
            .connection
            .prepare("SELECT market FROM settlements WHERE settled_unix_s >= ?1")?;
        let rows = select.query_map([unix_s], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The trades that were booked at this moment or later, Unix seconds, each with its market. One that an earlier
    /// version of this program booked has no time, and was booked before.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn traded_since(&self, unix_s: i64) -> Result<Vec<([u8; 16], u32)>, DatabaseError> {
        if version(&self.connection)? < FILLS_TIMED {
            return Ok(Vec::new());
        }
        let mut select = self
            .connection
            .prepare("SELECT trade, market FROM fills WHERE booked_unix_s >= ?1")?;
        let rows = select.query_map([unix_s], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether its tables are there: a file that its writer has only just created has none.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn is_laid_out(&self) -> Result<bool, DatabaseError> {
        Ok(version(&self.connection)? > 0)
    }

    /// The position book that all fills and settlements make.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn load(&self) -> Result<PositionBook, DatabaseError> {
        let mut book = PositionBook::default();
        for fill in self.fills()? {
            book.fill(&fill);
        }
        for (market, settlement) in self.settlements()? {
            book.settle(market, settlement);
        }
        Ok(book)
    }
}

/// How many migrations are applied.
fn version(connection: &Connection) -> Result<u32, DatabaseError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Whether the table takes this fill: its constraints are for faults of ours, not for bad input.
#[must_use]
pub fn is_bookable(fill: &Fill) -> bool {
    fill.side().is_some() && fill.price_e4 <= E4_PER_DOLLAR
}

#[cfg(test)]
mod tests;
