//! The outside world as it speaks: the exchange and the scoreboard feed.

pub mod backoff;
pub mod error;
pub mod espn;
pub mod espn_client;
pub mod frame_tally;
pub mod kalshi_frames;
pub mod kalshi_rest;
pub mod kalshi_wire;
pub mod kalshi_ws;
pub mod last_look;
pub mod league;
mod pace;
#[cfg(test)]
pub(crate) mod recorded;
mod signature_stock;
pub mod signing;
pub mod teams;
pub mod tls;

pub use error::VenueError;
pub use signature_stock::SignedAhead;
