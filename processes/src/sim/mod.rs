//! The simulator of both outside worlds, over real sockets on loopback.
