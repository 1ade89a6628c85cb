//! The measuring harness.
//!
//! On a shared machine no absolute time means anything: virtual cores move, and the same round trip
//! reads 55 or 450 ns from one second to the next. So contenders take turns in short windows, in
//! random order, each next to a window of the floor (what the two cores can do with nothing else on
//! the line), and what is compared is the median of the paired ratios.
//!
//! | module | what |
//! |---|---|
//! | `cores`, `conditions` | where and under what circumstances it was measured |
//! | `payload`, `transport` | what is sent, and through what |
//! | `exchange`, `meter`, `patience` | the loops that all transports share |
//! | `partner`, `outcome`, `job` | the other side, asleep in the kernel between its windows |
//! | `rounds`, `tally`, `report` | turns, percentiles, paired ratios, the table |
//! | `experiment` | one question each |

#![forbid(unsafe_code)]

use std::error::Error;

pub mod conditions;
pub mod cores;
pub mod exchange;
pub mod experiment;
pub mod job;
pub mod meter;
pub mod outcome;
pub mod partner;
pub mod patience;
pub mod payload;
pub mod report;
pub mod rounds;
pub mod row;
pub mod scratch;
pub mod tally;
pub mod transport;

/// Why a measurement could not be made.
pub type Failure = Box<dyn Error + Send + Sync>;
