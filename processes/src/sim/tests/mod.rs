//! Tests over real sockets, and laws of the engine.

mod changes;
pub(crate) mod laws;
mod orders;
mod outside;
mod rest;
mod stream;
mod worlds;
