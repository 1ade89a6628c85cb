//! The cold path: what lives in Redis and in the database, off every hot thread.

pub mod announcer;
pub mod attendance;
mod collateral_return;
pub mod database;
pub(crate) mod market_numbers;
pub mod outbox;
pub mod reconcile;
pub mod redis;
pub mod settlement;
pub mod standing;
