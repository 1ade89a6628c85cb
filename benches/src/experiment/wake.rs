//! How soon does a reader that had nothing to do have the next message, and what does waiting cost?
//!
//! The floor of a spinning reader is a bare line, that of a sleeping one a parked thread.

use super::Place;
use crate::{
    Failure,
    entry::Part,
    job::Job,
    open_loop::{Pulses, Schedule, receive},
    partner::Partner,
    payload::Size,
    rounds::Cell,
    row::{Between, Waiting},
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
    let (sender, mut receiver) = bare::line();
    let partner = Partner::thread(place.cores.far, move |first| {
        receive(&mut receiver, schedule, first)
    })?;
    let spinning = cell.enter_floor(
        "floor: bare line",
        Between::Threads,
        Waiting::Spins,
        Box::new(Pulses::new(sender, partner, schedule)),
    )?;
    let (sender, mut receiver) = parked::pair();
    let partner = Partner::thread(place.cores.far, move |first| {
        receive(&mut receiver, schedule, first)
    })?;
    let sleeping = cell.enter_floor(
        "floor: parked thread",
        Between::Threads,
        Waiting::Sleeps,
        Box::new(Pulses::new(sender, partner, schedule)),
    )?;
    for entry in place.entries(NAME, Part::Wake) {
        let way = place.link(SLOTS);
        let job = Job::OpenLoop {
            who: entry.id(),
            schedule,
            way: way.clone(),
        };
        let floor = match entry.waiting {
            Waiting::Sleeps => sleeping,
            Waiting::Spins | Waiting::Yields => spinning,
        };
        let far = place.far(entry, job);
        let contender = entry.carrier.open_loop(schedule, &way, far);
        place.enter(&mut cell, entry, floor, contender)?;
    }
    Ok(cell)
}
