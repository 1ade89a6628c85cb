//! Contenders whose messages are due at given instants: what [`rate`](super::rate) and
//! [`wake`](super::wake) have in common.

use super::Place;
use crate::{
    Failure,
    entry::{Entry, Part},
    job::Job,
    open_loop::{Pulses, Schedule, receive},
    partner::Partner,
    rounds::Cell,
    row::{Between, Waiting},
    transport::{Receiver, Sender},
};
use layouts::PriceUpdate;

/// Adds a floor: both ends of it, in two threads.
///
/// # Errors
///
/// When there is no thread for it.
pub(super) fn enter_floor<S, R>(
    place: &Place<'_>,
    cell: &mut Cell,
    (name, waiting): (&str, Waiting),
    schedule: Schedule,
    (sender, mut receiver): (S, R),
) -> Result<usize, Failure>
where
    S: Sender<PriceUpdate> + 'static,
    R: Receiver<PriceUpdate> + Send + 'static,
{
    let partner = Partner::thread(place.cores.far, move |first| {
        receive(&mut receiver, schedule, first)
    })?;
    let pulses = Box::new(Pulses::new(sender, partner, schedule));
    cell.enter_own(name, Between::Threads, waiting, None, pulses)
}

/// Adds all transports that take part, each beside the floor that `floor` names.
///
/// # Errors
///
/// Never for want of a transport.
pub(super) fn enter_all(
    place: &Place<'_>,
    cell: &mut Cell,
    part: Part,
    schedule: Schedule,
    slots: u32,
    floor: impl Fn(&Entry) -> usize,
) -> Result<(), Failure> {
    for entry in place.entries(cell.experiment, part) {
        let way = place.link(slots);
        let job = Job::OpenLoop {
            who: entry.id(),
            schedule,
            way: way.clone(),
        };
        let far = place.far(entry, job);
        let contender = entry.carrier.open_loop(schedule, &way, far);
        place.enter(cell, entry, floor(entry), contender)?;
    }
    Ok(())
}
