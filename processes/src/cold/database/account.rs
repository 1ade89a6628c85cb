//! What the position database knows of the account at a real venue: where our books of it begin, what has agreed with
//! the venue, and which launches traded on it.

use super::migrations::{AGREED, OPENED, ROUNDED};
use super::{Database, DatabaseError, version};
use rusqlite::{OptionalExtension as _, TransactionBehavior, params};
use std::collections::{BTreeMap, HashSet};

/// Where our books of the account at a real venue begin. What lies before is none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// When they begin, Unix seconds.
    pub began_unix_s: i64,
    /// From when on the venue is to be asked for fills, Unix seconds: what lies before is none of ours, or has agreed with it.
    /// It does not tell everything for ever.
    pub unix_s: i64,
    /// Money in the account before our first fill, with what was paid in or out since.
    pub cash_micros: i64,
}

impl Database {
    /// Where our books of the account begin, if that was written down.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn opening(&self) -> Result<Option<Opening>, DatabaseError> {
        let select = match version(&self.connection)? {
            AGREED.. => "SELECT unix_s, coalesce(agreed_unix_s, unix_s), cash_micros FROM opening",
            OPENED.. => "SELECT unix_s, unix_s, cash_micros FROM opening",
            _ => return Ok(None),
        };
        let row = self.connection.query_row(select, [], |row| {
            Ok(Opening {
                began_unix_s: row.get(0)?,
                unix_s: row.get(1)?,
                cash_micros: row.get(2)?,
            })
        });
        Ok(row.optional()?)
    }

    /// Writes down how the account was opened, or what it would have been opened with had money been paid in or out then.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn open_account(&mut self, opening: Opening) -> Result<(), DatabaseError> {
        self.connection.execute(
            "INSERT INTO opening (only, unix_s, cash_micros) VALUES (0, ?1, ?2)
             ON CONFLICT (only) DO UPDATE SET cash_micros = excluded.cash_micros",
            params![opening.began_unix_s, opening.cash_micros],
        )?;
        Ok(())
    }

    /// What the venue had charged in each market, by ticker, before our books began, micro-dollars.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn opening_fees(&self) -> Result<BTreeMap<String, i64>, DatabaseError> {
        if version(&self.connection)? < ROUNDED {
            return Ok(BTreeMap::new());
        }
        let mut select = self
            .connection
            .prepare("SELECT ticker, micros FROM opening_fees")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Writes that down.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn open_fees(&mut self, fees: &BTreeMap<String, i64>) -> Result<(), DatabaseError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (ticker, micros) in fees {
            transaction.execute(
                "INSERT INTO opening_fees VALUES (?1, ?2)
                 ON CONFLICT (ticker) DO UPDATE SET micros = excluded.micros",
                params![ticker, micros],
            )?;
        }
        Ok(transaction.commit()?)
    }

    /// Writes down that everything booked agrees with the venue, which needs to be asked only for what came at this moment
    /// or later, Unix seconds. The books keep all of it.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn agree(&mut self, unix_s: i64) -> Result<(), DatabaseError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(
            "UPDATE fills SET agreed = 1 WHERE agreed = 0;
             UPDATE settlements SET agreed = 1 WHERE agreed = 0;",
        )?;
        transaction.execute(
            "UPDATE opening SET agreed_unix_s = max(coalesce(agreed_unix_s, unix_s), ?1)",
            [unix_s],
        )?;
        Ok(transaction.commit()?)
    }

    /// The markets whose settlement was in the books when they last agreed with the venue's.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn settlements_agreed(&self) -> Result<HashSet<u32>, DatabaseError> {
        if version(&self.connection)? < AGREED {
            return Ok(HashSet::new());
        }
        let mut select = self
            .connection
            .prepare("SELECT market FROM settlements WHERE agreed = 1")?;
        let rows = select.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Remembers a launch, whose orders at the venue are ours from now on.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn begin_launch(&mut self, run_id: &str) -> Result<(), DatabaseError> {
        self.connection.execute(
            "INSERT INTO launches VALUES (?1) ON CONFLICT DO NOTHING",
            [run_id],
        )?;
        Ok(())
    }

    /// The run ids of all launches that traded on a real account.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn launches(&self) -> Result<HashSet<String>, DatabaseError> {
        let mut select = self.connection.prepare("SELECT run_id FROM launches")?;
        let rows = select.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
