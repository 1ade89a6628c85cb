//! Tests over real sockets, and laws of the engine.

mod laws;
mod sockets;
