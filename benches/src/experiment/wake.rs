//! How soon does a reader that had nothing to do have the next message, and what does waiting cost?
//!
//! The floor of a spinning reader is a bare line, that of a sleeping one a parked thread.

use super::{
    Place,
    on_schedule::{enter_all, enter_floor},
};
use crate::{
    Failure,
    entry::Part,
    open_loop::Schedule,
    payload::Size,
    rounds::Cell,
    row::Waiting,
    transport::{bare, parked},
};

/// As in the reports.
pub const NAME: &str = "wake";
/// Messages that must fit.
const SLOTS: u32 = 1024;
/// Idle gaps, us, with the timed messages of a window.
const GAPS: [(u64, u64); 5] = [(10, 200), (100, 60), (1_000, 15), (10_000, 3), (100_000, 1)];

/// A cell for each gap.
///
/// # Errors
///
/// When a floor cannot be had.
pub fn cells(place: &Place<'_>) -> Result<Vec<Cell>, Failure> {
    GAPS.into_iter()
        .map(|(gap_us, count)| cell(gap_us, count, place))
        .collect()
}

fn cell(gap_us: u64, count: u64, place: &Place<'_>) -> Result<Cell, Failure> {
    let schedule = Schedule {
        gap_ns: gap_us * 1000,
        count,
        lead: if count > 3 { 2 } else { 1 },
    };
    let mut cell = Cell::new(NAME);
    cell.message_bytes = Some(Size::Price.bytes());
    cell.gap_us = Some(gap_us);
    let name = ("floor: bare line", Waiting::Spins);
    let spinning = enter_floor(place, &mut cell, name, schedule, bare::line())?;
    let name = ("floor: parked thread", Waiting::Sleeps);
    let sleeping = enter_floor(place, &mut cell, name, schedule, parked::pair())?;
    enter_all(
        place,
        &mut cell,
        Part::Wake,
        schedule,
        SLOTS,
        |entry| match entry.waiting {
            Waiting::Sleeps => sleeping,
            Waiting::Spins | Waiting::Yields => spinning,
        },
    )?;
    Ok(cell)
}
