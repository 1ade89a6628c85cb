//! The measuring harness.
//!
//! On a shared machine no absolute time means anything: virtual cores move, and the same round trip
//! reads 55 or 450 ns from one second to the next. So contenders take turns in short windows, in
//! random order, each next to a window of the floor (what the two cores can do with nothing else on
//! the line), and what is compared is the median of the paired ratios.
//!
//! | module | what |
//! |---|---|
//! | `cores`, `conditions`, `scratch` | where and under what circumstances it was measured |
//! | `payload`, `transport`, `link` | what is sent, through what, from where to where |
//! | `decisions` | the stages of the pipeline, for what goes through several hops |
//! | `entry`, `carrier` | who takes part, and how his ends are opened on both sides |
//! | `exchange`, `open_loop`, `meter`, `patience` | the loops that all transports share |
//! | `partner`, `outcome`, `job` | the other side, asleep in the kernel between its windows |
//! | `experiment` | one question each |
//! | `servers` | those that carry the messages of some, started for them |
//! | `suite`, `rounds`, `tally` | a run: turns, percentiles, paired ratios |
//! | `row`, `targets`, `report` | what it came to, and how that is shown |

use std::error::Error;

pub mod carrier;
pub mod conditions;
pub mod cores;
pub mod decisions;
pub mod entry;
pub mod exchange;
pub mod experiment;
pub mod job;
pub mod link;
pub mod meter;
pub mod open_loop;
pub mod outcome;
pub mod partner;
pub mod patience;
pub mod payload;
pub mod report;
pub mod rounds;
pub mod row;
pub mod scratch;
pub mod servers;
pub mod suite;
pub mod tally;
pub mod targets;
pub mod transport;

/// Why a measurement could not be made.
pub type Failure = Box<dyn Error + Send + Sync>;
