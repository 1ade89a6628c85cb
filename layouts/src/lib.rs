//! What flows: the messages of the pipeline, in the order in which they flow, and their units.
//!
//! Every message is 48 bytes, so that it shares one cache line with the ring's sequence number and
//! time stamp. Every message carries the ingress time of the tick that caused it, so that the
//! latency from tick to order is known at every hop. Money is integer; see [`units`]. Beside the flow, each process
//! says on a board how it is: [`process`].

pub mod control;
pub mod fill;
pub mod game;
pub mod order;
pub mod price;
pub mod process;
pub mod signal;
pub mod units;

pub use control::{Control, Mode};
pub use fill::Fill;
pub use game::{GameState, Half, Phase, Sport};
pub use order::{Order, OrderAck, OrderStatus, RejectReason};
pub use price::{MarketStatus, PriceUpdate, TeamSide};
pub use process::{ProcessPhase, ProcessState};
pub use signal::{Signal, SignalKind};
pub use units::{CENTICONTRACTS_PER_CONTRACT, E4_PER_DOLLAR, MICROS_PER_DOLLAR, Side};
