//! The measuring harness.
//!
//! On a shared machine no absolute time means anything: virtual cores move, and the same round trip
//! reads 55 or 450 ns from one second to the next. So contenders take turns in short windows, each
//! next to a window of the floor (a bare cache line handed to and fro), and what is compared is the
//! median of the paired ratios.

#![forbid(unsafe_code)]

pub mod floor;
pub mod paired;
pub mod pin;
pub mod ring;
