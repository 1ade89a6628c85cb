//! Tests over real sockets, and laws of the engine.

mod changes;
mod channels;
mod filters;
pub(crate) mod laws;
mod money;
mod orders;
pub(crate) mod outside;
mod pauses;
mod recorded_answers;
mod recorded_session;
mod rest;
mod shapes;
mod stream;
mod worlds;
