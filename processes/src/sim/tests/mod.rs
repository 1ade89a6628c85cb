//! Tests over real sockets, and laws of the engine.

pub(crate) mod laws;
mod outside;
mod rest;
mod stream;
mod worlds;
