//! The stages: pure functions of their inputs, with no clock, no I/O and no randomness.

pub mod book;
pub mod books;
