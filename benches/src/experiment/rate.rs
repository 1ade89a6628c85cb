//! What latency do messages have that come at a fixed rate, each timed from the instant at which it
//! was due?

use super::{
    Place,
    on_schedule::{enter_all, enter_floor},
};
use crate::{
    Failure, entry::Part, open_loop::Schedule, payload::Size, rounds::Cell, row::Waiting,
    transport::bare,
};

/// As in the reports.
pub const NAME: &str = "rate";
/// Messages that must fit.
const SLOTS: u32 = 65_536;
/// Rates, a second, with the timed messages of a window. The first is a busy market, the second the
/// worst second recorded in all of them; the others show where a transport ends.
const RATES: [(u64, u64); 4] = [
    (1_000, 25),
    (10_000, 200),
    (100_000, 1_500),
    (1_000_000, 10_000),
];

/// A cell for each rate.
///
/// # Errors
///
/// When the floor cannot be had.
pub fn cells(place: &Place<'_>) -> Result<Vec<Cell>, Failure> {
    RATES
        .into_iter()
        .map(|(rate, count)| cell(rate, count, place))
        .collect()
}

fn cell(rate: u64, count: u64, place: &Place<'_>) -> Result<Cell, Failure> {
    let schedule = Schedule {
        gap_ns: 1_000_000_000 / rate,
        count,
        lead: 2 + count / 50,
    };
    let mut cell = Cell::new(NAME);
    cell.message_bytes = Some(Size::Price.bytes());
    cell.offered_per_s = Some(rate as f64);
    let name = ("floor: bare line", Waiting::Spins);
    let floor = enter_floor(place, &mut cell, name, schedule, bare::line())?;
    enter_all(place, &mut cell, Part::Rate, schedule, SLOTS, |_| floor)?;
    Ok(cell)
}
