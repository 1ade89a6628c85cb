//! The loops that every transport runs in: to and fro, and streaming.

use crate::{
    Failure,
    meter::Meter,
    outcome::Outcome,
    patience::Patience,
    payload::Numbered,
    transport::{Receiver, Sender},
};
use std::time::Instant;

/// Messages that a streaming reader takes before it gives their room back.
const COMMIT_EVERY: u64 = 64;
/// Pauses of a streaming reader after it found nothing, whatever the transport: looking again at
/// once takes the line from the writer who is just filling it.
pub const PAUSES: u32 = 64;
/// Round trips before the timed ones: the partner has just been woken.
const LEAD_TRIPS: u64 = 64;
/// Of the timed round trips, one in so many is timed again by itself, for the percentiles.
const SINGLE: u64 = 2;

/// Round trips of one window in which `trips` are timed as a whole.
#[must_use]
pub const fn window_trips(trips: u64) -> u64 {
    LEAD_TRIPS + trips + trips / SINGLE
}

/// The near side of a window of round trips. The level is that of trips timed as a whole; those
/// behind the percentiles carry the cost of reading the clock.
///
/// # Errors
///
/// When the far side does not answer, or not what it was sent.
pub fn round_trips<T: Numbered>(
    there: &mut impl Sender<T>,
    back: &mut impl Receiver<T>,
    trips: u64,
    number: &mut u64,
) -> Result<Outcome, Failure> {
    there.next_window();
    back.next_window();
    for _ in 0..LEAD_TRIPS {
        round_trip(there, back, number)?;
    }
    let start = Instant::now();
    for _ in 0..trips {
        round_trip(there, back, number)?;
    }
    let level_ps = picoseconds(start) / trips.max(1);
    let mut samples_ps = Vec::with_capacity(usize::try_from(trips / SINGLE)?);
    for _ in 0..trips / SINGLE {
        let start = Instant::now();
        round_trip(there, back, number)?;
        samples_ps.push(picoseconds(start));
    }
    Ok(Outcome {
        level_ps,
        samples_ps,
        ..Outcome::default()
    })
}

#[inline(always)]
fn round_trip<T: Numbered>(
    there: &mut impl Sender<T>,
    back: &mut impl Receiver<T>,
    number: &mut u64,
) -> Result<(), Failure> {
    let message = T::numbered(*number);
    if !there.send(&message)? {
        return Err("an empty transport says that it is full".into());
    }
    there.flush()?;
    // As a stage does it: what caused a message is committed once the message is sent.
    back.commit();
    let answer = receive(back)?;
    if answer.sum() != message.sum() {
        return Err(format!("message {number} came back as another").into());
    }
    *number += 1;
    Ok(())
}

/// The far side of a window of round trips.
///
/// # Errors
///
/// When the near side is gone.
pub fn echo<T: Numbered>(
    there: &mut impl Receiver<T>,
    back: &mut impl Sender<T>,
    trips: u64,
) -> Result<Outcome, Failure> {
    there.next_window();
    back.next_window();
    for _ in 0..trips {
        let message = receive(there)?;
        if !back.send(&message)? {
            return Err("an empty transport says that it is full".into());
        }
        back.flush()?;
        there.commit();
    }
    Ok(Outcome::default())
}

/// The next message, however long it takes.
///
/// # Errors
///
/// When none comes.
#[inline(always)]
pub fn receive<T>(from: &mut impl Receiver<T>) -> Result<T, Failure> {
    let mut patience = Patience::default();
    loop {
        if let Some(message) = from.receive() {
            return Ok(message);
        }
        from.check()?;
        patience.spin()?;
    }
}

/// Sends messages number 0 to `count` as fast as there is room.
///
/// # Errors
///
/// When the reader is gone, or the transport is broken.
pub fn produce<T: Numbered>(to: &mut impl Sender<T>, count: u64) -> Result<(), Failure> {
    for number in 0..count {
        let message = T::numbered(number);
        if !to.send(&message)? {
            send_when_there_is_room(to, &message)?;
        }
    }
    to.flush()
}

/// Tries until there is room.
///
/// # Errors
///
/// When there never is.
#[cold]
pub fn send_when_there_is_room<T>(to: &mut impl Sender<T>, message: &T) -> Result<(), Failure> {
    let mut patience = Patience::default();
    while !to.send(message)? {
        patience.spin()?;
    }
    Ok(())
}

/// Receives the messages of a window as fast as they come.
///
/// # Errors
///
/// When the writer is gone.
pub fn consume<T: Numbered>(from: &mut impl Receiver<T>, meter: &mut Meter) -> Result<(), Failure> {
    let mut uncommitted = 0;
    let mut patience = Patience::default();
    while !meter.is_done() {
        if let Some(message) = from.receive() {
            meter.take(1, message.sum());
            uncommitted += 1;
            if uncommitted == COMMIT_EVERY {
                from.commit();
                uncommitted = 0;
            }
            continue;
        }
        if uncommitted > 0 {
            from.commit();
            uncommitted = 0;
            patience = Patience::default();
        }
        from.check()?;
        for _ in 0..PAUSES {
            patience.spin()?;
        }
    }
    from.commit();
    Ok(())
}

/// Time since then.
#[must_use]
pub fn picoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).map_or(u64::MAX, |ns| ns.saturating_mul(1000))
}
