//! What does a time stamp cost a stream: none, on one message in 64, on every message?
//!
//! With a stamp the reader records, in the segment, how long the message took and how old what caused
//! it is: that is in the figures. What it costs a round trip is told by `hop`, where the stamped ring takes part.

use super::{Place, stream};
use crate::{Failure, entry::Part, payload::Size, rounds::Cell};

/// As in the reports.
pub const NAME: &str = "stamps";

/// The cell: the pipeline's message size, through a deep ring.
///
/// # Errors
///
/// When the floor cannot be had.
pub fn cells(place: &Place<'_>) -> Result<Vec<Cell>, Failure> {
    Ok(vec![stream::cell(
        NAME,
        Size::Price,
        65_536,
        Part::Stamps,
        place,
    )?])
}
