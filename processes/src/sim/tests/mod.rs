//! Tests over real sockets, and laws of the engine.

mod changes;
pub(crate) mod laws;
mod orders;
pub(crate) mod outside;
mod recorded_answers;
mod rest;
mod stream;
mod worlds;
