//! How long does a message take when one follows the other as fast as it can?

use super::{Place, Shape};
use crate::{
    Failure,
    exchange::{consume, produce},
    job::{Assignment, Job},
    meter::{Meter, Plan},
    outcome::Outcome,
    partner::Partner,
    payload::{Payload, Size},
    rounds::{Cell, Contender, OURS, OURS_BATCHES, RTRB},
    transport::{Shared, bare, ours, ringfire, rtrb as rtrb_chunks},
    with_payload,
};
use ipc::Producer;
use rtrb::RingBuffer;
use std::path::Path;

/// The sending side of a stream, with its reading partner.
struct Stream<P> {
    produce: P,
    partner: Partner,
    total: u64,
}

impl<P: FnMut(u64) -> Result<(), Failure>> Contender for Stream<P> {
    fn window(&mut self) -> Result<Outcome, Failure> {
        self.partner.start(self.total)?;
        (self.produce)(self.total)?;
        self.partner.outcome()
    }
}

/// All cells: three depths by three sizes.
///
/// # Errors
///
/// When a transport or a partner cannot be had.
pub fn cells(place: Place<'_>) -> Result<Vec<Cell>, Failure> {
    let mut cells = Vec::new();
    for slots in [1024, 4096, 65_536] {
        for size in [Size::B48, Size::B56, Size::B120] {
            cells.push(with_payload!(size, Sent => cell::<Sent>(Shape { size, slots }, place))?);
        }
    }
    Ok(cells)
}

fn cell<T: Payload>(shape: Shape, place: Place<'_>) -> Result<Cell, Failure> {
    let mut cell = Cell::new("streaming");
    cell.message_bytes = Some(shape.size.bytes());
    cell.slots = Some(shape.slots);
    enter_floor(&mut cell, shape, place)?;
    enter_ours::<T>(&mut cell, OURS, 0, shape, place)?;
    enter_ours_batches::<T>(&mut cell, shape, place)?;
    enter_rtrb::<T>(&mut cell, shape, place)?;
    enter_rtrb_chunks::<T>(&mut cell, shape, place)?;
    enter_ringfire::<T>(&mut cell, shape, place)?;
    Ok(cell)
}

/// Adds the floor: as many lines as a message of that size takes.
///
/// # Errors
///
/// When its partner cannot be had.
pub fn enter_floor(cell: &mut Cell, shape: Shape, place: Place<'_>) -> Result<(), Failure> {
    match shape.size {
        Size::B48 | Size::B56 => enter_lines::<8>(cell, shape, place),
        Size::B120 => enter_lines::<16>(cell, shape, place),
    }
}

fn enter_lines<const WORDS: usize>(
    cell: &mut Cell,
    shape: Shape,
    place: Place<'_>,
) -> Result<(), Failure> {
    let plan = Plan::for_slots(shape.slots);
    let (mut writer, mut reader) = bare::blocks::<WORDS>(shape.slots)?;
    let partner = Partner::thread(place.cores.far, move |_| {
        let mut meter = Meter::new(plan);
        reader.consume(&mut meter)?;
        meter.finish(WORDS as u64)
    })?;
    cell.enter(
        "floor: lines in blocks",
        0,
        Stream {
            produce: move |count| writer.produce(count),
            partner,
            total: plan.total(),
        },
    )
}

/// Adds our ring.
///
/// # Errors
///
/// When its file or its partner cannot be had.
pub fn enter_ours<T: Payload>(
    cell: &mut Cell,
    name: &'static str,
    stamp_every: u32,
    shape: Shape,
    place: Place<'_>,
) -> Result<(), Failure> {
    let plan = Plan::for_slots(shape.slots);
    let file = format!(
        "{}-{}-{}-{stamp_every}.ring",
        cell.experiment.replace(' ', "-"),
        shape.slots,
        shape.size.bytes()
    );
    let path = place.directory.join(file);
    ours::create::<T>(&path, shape.slots, stamp_every)?;
    let partner = reading_process(Shared::Ours, &path, shape, place)?;
    let mut producer = Producer::<T>::attach(&path)?;
    cell.enter(
        name,
        0,
        Stream {
            produce: move |count| produce(&mut producer, count),
            partner,
            total: plan.total(),
        },
    )
}

fn enter_ours_batches<T: Payload>(
    cell: &mut Cell,
    shape: Shape,
    place: Place<'_>,
) -> Result<(), Failure> {
    let plan = Plan::for_slots(shape.slots);
    let file = format!("batches-{}-{}.ring", shape.slots, shape.size.bytes());
    let path = place.directory.join(file);
    ours::create::<T>(&path, shape.slots, 0)?;
    let partner = reading_process(Shared::OursBatches, &path, shape, place)?;
    let mut producer = Producer::<T>::attach(&path)?;
    cell.enter(
        OURS_BATCHES,
        0,
        Stream {
            produce: move |count| ours::produce_batches(&mut producer, count),
            partner,
            total: plan.total(),
        },
    )
}

/// A process that reads the stream.
fn reading_process(
    transport: Shared,
    path: &Path,
    shape: Shape,
    place: Place<'_>,
) -> Result<Partner, Failure> {
    Partner::process(&Assignment {
        core: place.cores.far,
        job: Job::Drain {
            transport,
            size: shape.size,
            path: path.to_owned(),
            plan: Plan::for_slots(shape.slots),
        },
    })
}

/// Adds `rtrb`, message by message.
///
/// # Errors
///
/// When its partner cannot be had.
pub fn enter_rtrb<T: Payload>(
    cell: &mut Cell,
    shape: Shape,
    place: Place<'_>,
) -> Result<(), Failure> {
    let plan = Plan::for_slots(shape.slots);
    let (mut producer, mut consumer) = RingBuffer::<T>::new(shape.slots as usize);
    let partner = Partner::thread(place.cores.far, move |_| {
        let mut meter = Meter::new(plan);
        consume(&mut consumer, &mut meter)?;
        meter.finish(T::WORDS)
    })?;
    cell.enter(
        RTRB,
        0,
        Stream {
            produce: move |count| produce(&mut producer, count),
            partner,
            total: plan.total(),
        },
    )
}

fn enter_rtrb_chunks<T: Payload>(
    cell: &mut Cell,
    shape: Shape,
    place: Place<'_>,
) -> Result<(), Failure> {
    let plan = Plan::for_slots(shape.slots);
    let (mut producer, mut consumer) = RingBuffer::<T>::new(shape.slots as usize);
    let partner = Partner::thread(place.cores.far, move |_| {
        let mut meter = Meter::new(plan);
        rtrb_chunks::consume_chunks(&mut consumer, &mut meter)?;
        meter.finish(T::WORDS)
    })?;
    cell.enter(
        "rtrb, chunks of 64",
        0,
        Stream {
            produce: move |count| rtrb_chunks::produce_chunks(&mut producer, count),
            partner,
            total: plan.total(),
        },
    )
}

fn enter_ringfire<T: Payload>(
    cell: &mut Cell,
    shape: Shape,
    place: Place<'_>,
) -> Result<(), Failure> {
    let plan = Plan::for_slots(shape.slots);
    let file = format!("stream-{}-{}.ringfire", shape.slots, shape.size.bytes());
    let path = place.directory.join(file);
    let mut producer = ringfire::create::<T>(&path, shape.slots)?;
    let partner = reading_process(Shared::Ringfire, &path, shape, place)?;
    cell.enter(
        "ringfire",
        0,
        Stream {
            produce: move |count| produce(&mut producer, count),
            partner,
            total: plan.total(),
        },
    )
}
