//! How long does one message take there and back, with nobody else on the way?

use super::Place;
use crate::{
    Failure,
    carrier::Trips,
    entry::Part,
    exchange::{echo, round_trips},
    job::Job,
    outcome::Outcome,
    partner::Partner,
    payload::Size,
    rounds::{Cell, Contender},
    row::{Between, Waiting},
    transport::{bare, empty},
};
use layouts::PriceUpdate;

/// As in the reports.
pub const NAME: &str = "hop";
/// Messages that must fit.
const SLOTS: u32 = 4096;
/// Round trips of a window of the empty harness.
const EMPTY_TRIPS: u64 = 2000;

/// The cell: all transports, with a message of the pipeline.
///
/// # Errors
///
/// When the floor cannot be had.
pub fn cells(place: &Place<'_>) -> Result<Vec<Cell>, Failure> {
    let mut cell = Cell::new(NAME);
    cell.message_bytes = Some(Size::Price.bytes());
    cell.slots = Some(SLOTS);
    let (there, mut far_there) = bare::line();
    let (mut far_back, back) = bare::line();
    let partner = Partner::thread(place.cores.far, move |count| {
        echo::<u64>(&mut far_there, &mut far_back, count)
    })?;
    let floor = cell.enter_own(
        "floor: bare line",
        Between::Threads,
        Waiting::Spins,
        None,
        Box::new(Trips::<u64, _, _>::new(there, back, partner)),
    )?;
    cell.enter_own(
        "empty harness",
        Between::Nothing,
        Waiting::Spins,
        Some(floor),
        Box::new(Empty(0)),
    )?;
    for entry in place.entries(NAME, Part::Hop) {
        let ways = [place.link(SLOTS), place.link(SLOTS)];
        let job = Job::RoundTrips {
            who: entry.id(),
            ways: ways.clone(),
        };
        let far = place.far(entry, job);
        let contender = entry.carrier.round_trips(&ways, far);
        place.enter(&mut cell, entry, floor, contender)?;
    }
    Ok(vec![cell])
}

/// The loop and the clock alone, with the number of the next message.
struct Empty(u64);

impl Contender for Empty {
    fn window(&mut self) -> Result<Outcome, Failure> {
        let (mut there, mut back) = empty::pair::<PriceUpdate>();
        round_trips(&mut there, &mut back, EMPTY_TRIPS, &mut self.0)
    }
}
