//! The stages: pure functions of their inputs, with no clock, no I/O and no randomness.

pub mod attribution;
pub mod book;
pub mod books;
mod day;
pub mod execution;
mod exposure;
pub mod limits;
pub mod model;
pub mod opportunity;
pub mod positions;
pub mod risk;
pub mod shard;
pub mod sources;
pub mod table;
pub mod win_probability;
