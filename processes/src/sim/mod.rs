//! The simulator of both outside worlds, over real sockets on loopback.

mod answer;
mod auth;
mod book;
mod catalogue;
mod exchange;
mod ledger;
mod network;
mod rate_limit;
mod times;
mod wire;
