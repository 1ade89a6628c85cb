//! What does a time stamp cost a stream: none, on one message in 64, on every message?
//!
//! What it costs a round trip is told by the cell of round trips, where the same three take part.

use super::{Place, Shape, stream};
use crate::{
    Failure,
    payload::{Bytes48, Size},
    rounds::{Cell, OURS},
};

/// The cell: the pipeline's message size, through a deep ring.
///
/// # Errors
///
/// When a transport or a partner cannot be had.
pub fn cell(place: Place<'_>) -> Result<Cell, Failure> {
    let shape = Shape {
        size: Size::B48,
        slots: 65_536,
    };
    let mut cell = Cell::new("stamped streaming");
    cell.message_bytes = Some(shape.size.bytes());
    cell.slots = Some(shape.slots);
    stream::enter_floor(&mut cell, shape, place)?;
    for (name, stamp_every) in [
        (OURS, 0),
        ("ours, stamped 1 in 64", 64),
        ("ours, stamped", 1),
    ] {
        stream::enter_ours::<Bytes48>(&mut cell, name, stamp_every, shape, place)?;
    }
    stream::enter_rtrb::<Bytes48>(&mut cell, shape, place)?;
    Ok(cell)
}
