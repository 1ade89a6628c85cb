//! How long does one message take there and back, with nobody else on the way?

use super::Place;
use crate::{
    Failure,
    exchange::{echo, round_trips, window_trips},
    job::{Assignment, ECHO_SLOTS, Job},
    outcome::Outcome,
    partner::Partner,
    payload::{Bytes48, Numbered, Size},
    rounds::{Cell, Contender, OURS, RTRB},
    transport::{Receiver, Sender, Shared, bare, ours, ringfire},
};
use ipc::{Consumer, Producer};
use rtrb::RingBuffer;

/// Round trips of a window that are timed as a whole.
const TRIPS: u64 = 2000;

/// The near side of a transport, with its partner.
struct Trips<T, S, R> {
    there: S,
    back: R,
    partner: Partner,
    number: u64,
    message: std::marker::PhantomData<T>,
}

impl<T: Numbered, S: Sender<T>, R: Receiver<T>> Contender for Trips<T, S, R> {
    fn window(&mut self) -> Result<Outcome, Failure> {
        self.partner.start(window_trips(TRIPS))?;
        let outcome = round_trips(&mut self.there, &mut self.back, TRIPS, &mut self.number)?;
        let partner = self.partner.outcome()?;
        Ok(Outcome {
            involuntary: partner.involuntary,
            ..outcome
        })
    }
}

fn trips<T: Numbered, S: Sender<T>, R: Receiver<T>>(
    there: S,
    back: R,
    partner: Partner,
) -> Trips<T, S, R> {
    Trips {
        there,
        back,
        partner,
        number: 0,
        message: std::marker::PhantomData,
    }
}

/// The cell: all transports with a message of the pipeline's size.
///
/// # Errors
///
/// When a transport or a partner cannot be had.
pub fn cell(place: Place<'_>) -> Result<Cell, Failure> {
    let mut cell = Cell::new("round trip");
    cell.message_bytes = Some(Size::B48.bytes());
    cell.slots = Some(ECHO_SLOTS);
    let (there, mut far_there) = bare::line();
    let (mut far_back, back) = bare::line();
    let partner = Partner::thread(place.cores.far, move |count| {
        echo(&mut far_there, &mut far_back, count)
    })?;
    cell.enter("floor: bare line", 0, trips(there, back, partner))?;
    for (name, stamp_every) in [
        (OURS, 0),
        ("ours, stamped 1 in 64", 64),
        ("ours, stamped", 1),
    ] {
        enter_ours(&mut cell, name, stamp_every, place)?;
    }
    let (there, mut far_there) = RingBuffer::<Bytes48>::new(ECHO_SLOTS as usize);
    let (mut far_back, back) = RingBuffer::<Bytes48>::new(ECHO_SLOTS as usize);
    let partner = Partner::thread(place.cores.far, move |count| {
        echo(&mut far_there, &mut far_back, count)
    })?;
    cell.enter(RTRB, 0, trips(there, back, partner))?;
    enter_ringfire(&mut cell, place)?;
    Ok(cell)
}

fn enter_ours(
    cell: &mut Cell,
    name: &'static str,
    stamp_every: u32,
    place: Place<'_>,
) -> Result<(), Failure> {
    let [there, back] = ["there", "back"].map(|way| {
        place
            .directory
            .join(format!("trip-{way}-{stamp_every}.ring"))
    });
    for path in [&there, &back] {
        ours::create::<Bytes48>(path, ECHO_SLOTS, stamp_every)?;
    }
    let partner = Partner::process(&Assignment {
        core: place.cores.far,
        job: Job::Echo {
            transport: Shared::Ours,
            size: Size::B48,
            there: there.clone(),
            back: back.clone(),
        },
    })?;
    let there = Producer::<Bytes48>::attach(&there)?;
    let back = Consumer::<Bytes48>::attach(&back)?;
    cell.enter(name, 0, trips(there, back, partner))
}

fn enter_ringfire(cell: &mut Cell, place: Place<'_>) -> Result<(), Failure> {
    let [there, back] =
        ["there", "back"].map(|way| place.directory.join(format!("trip-{way}.ringfire")));
    let producer = ringfire::create::<Bytes48>(&there, ECHO_SLOTS)?;
    let partner = Partner::process(&Assignment {
        core: place.cores.far,
        job: Job::Echo {
            transport: Shared::Ringfire,
            size: Size::B48,
            there,
            back: back.clone(),
        },
    })?;
    let consumer = ringfire::attach::<Bytes48>(&back)?;
    cell.enter("ringfire", 0, trips(producer, consumer, partner))
}
