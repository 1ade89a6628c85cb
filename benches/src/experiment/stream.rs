//! How long does a message take when one follows the other as fast as it can?

use super::Place;
use crate::{
    Failure,
    entry::Part,
    job::Job,
    meter::{Meter, Plan},
    outcome::Outcome,
    partner::Partner,
    payload::Size,
    rounds::{Cell, Contender},
    row::{Between, Waiting},
    transport::blocks::{self, BlockWriter},
};

/// As in the reports.
pub const NAME: &str = "stream";
/// Messages that must fit, where all transports take part.
const SLOTS: u32 = 4096;

/// A cell with all transports, and the rings alone at three depths by three sizes, of which the
/// first may be one.
///
/// # Errors
///
/// When the floor cannot be had.
pub fn cells(place: &Place<'_>) -> Result<Vec<Cell>, Failure> {
    let mut cells = Vec::new();
    if !place.rings_only {
        cells.push(cell(NAME, Size::Price, SLOTS, Part::Stream, place)?);
    }
    for slots in [1024, SLOTS, 65_536] {
        for size in [Size::B48, Size::B56, Size::B120] {
            if place.rings_only || slots != SLOTS || size != Size::B48 {
                cells.push(cell(NAME, size, slots, Part::Sweep, place)?);
            }
        }
    }
    Ok(cells)
}

/// One size and depth.
///
/// # Errors
///
/// When the floor cannot be had.
pub fn cell(
    experiment: &'static str,
    size: Size,
    slots: u32,
    part: Part,
    place: &Place<'_>,
) -> Result<Cell, Failure> {
    let mut cell = Cell::new(experiment);
    cell.message_bytes = Some(size.bytes());
    cell.slots = Some(slots);
    let floor: Box<dyn Contender> = match size {
        Size::Price | Size::B48 | Size::B56 => lines::<8>(slots, place)?,
        Size::B120 => lines::<16>(slots, place)?,
    };
    let floor = cell.enter_own(
        "floor: lines in blocks",
        Between::Threads,
        Waiting::Spins,
        None,
        floor,
    )?;
    for entry in place.entries(experiment, part) {
        let way = place.link(slots);
        let job = Job::Stream {
            who: entry.id(),
            size,
            way: way.clone(),
        };
        let far = place.far(entry, job);
        let contender = entry.carrier.stream(size, &way, far);
        place.enter(&mut cell, entry, floor, contender)?;
    }
    Ok(cell)
}

/// The floor: as many lines as a message of that size takes.
fn lines<const WORDS: usize>(slots: u32, place: &Place<'_>) -> Result<Box<dyn Contender>, Failure> {
    let plan = Plan::for_slots(slots);
    let (writer, mut reader) = blocks::pair::<WORDS>(slots)?;
    let partner = Partner::thread(place.cores.far, move |_| {
        let mut meter = Meter::new(plan);
        reader.consume(&mut meter)?;
        meter.finish(WORDS as u64)
    })?;
    Ok(Box::new(Lines {
        writer,
        partner,
        total: plan.total(),
    }))
}

/// The near side of the floor.
struct Lines<const WORDS: usize> {
    writer: BlockWriter<WORDS>,
    partner: Partner,
    total: u64,
}

impl<const WORDS: usize> Contender for Lines<WORDS> {
    fn window(&mut self) -> Result<Outcome, Failure> {
        self.partner.start(self.total)?;
        self.writer.produce(self.total)?;
        self.partner.outcome()
    }
}
