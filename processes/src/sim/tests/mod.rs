//! Tests over real sockets, and laws of the engine.

mod changes;
pub(crate) mod laws;
mod money;
mod orders;
mod outside;
mod recorded_answers;
mod rest;
mod stream;
mod worlds;
