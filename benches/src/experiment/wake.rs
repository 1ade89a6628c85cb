//! How soon does a reader that had nothing to do have the next message, and what does waiting cost?
//!
//! The sender pushes at fixed times, whether or not the one before has arrived. The floor of a
//! spinning reader is a bare line, that of a sleeping one is a parked thread.

use super::Place;
use crate::{
    Failure,
    job::{Assignment, Job},
    outcome::Outcome,
    partner::{Partner, Work},
    patience::Patience,
    payload::{Bytes56, Size},
    rounds::{Cell, Contender, OURS},
    transport::{
        bare::{self, LineReceiver, LineSender},
        ours,
    },
};
use ipc::{Consumer, Ladder, Producer, Waiter, clock::mono_ns};
use serde::{Deserialize, Serialize};
use std::{
    path::Path,
    sync::mpsc::channel,
    thread::{self, Thread},
    time::Duration,
};

/// How a reader waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rung {
    /// Looks again at once.
    Spin,
    /// Lets others run between two looks.
    Yield,
    /// Spins and yields briefly, then sleeps until woken.
    Sleep,
}

/// Messages of a window whose time does not count: the reader has just been woken for the window.
const LEAD: u64 = 2;
const SLOTS: u32 = 1024;
/// Idle gaps, and how many messages of a window have one before them.
const GAPS: [(Duration, u64); 2] = [
    (Duration::from_micros(50), 100),
    (Duration::from_millis(1), 15),
];

/// The sending side.
struct Pulses<P> {
    /// Sends the number and the time.
    push: P,
    partner: Partner,
    gap: Duration,
    count: u64,
    number: u64,
}

impl<P: FnMut(u64, u64) -> Result<(), Failure>> Contender for Pulses<P> {
    fn window(&mut self) -> Result<Outcome, Failure> {
        let gap = u64::try_from(self.gap.as_nanos())?;
        self.partner.start(LEAD + self.count)?;
        let mut due = mono_ns() + gap;
        let mut pushing = Vec::new();
        for _ in 0..LEAD + self.count {
            let mut now = mono_ns();
            while now < due {
                std::hint::spin_loop();
                now = mono_ns();
            }
            self.number += 1;
            (self.push)(self.number, now)?;
            pushing.push(mono_ns() - now);
            due += gap;
        }
        let outcome = self.partner.outcome()?;
        Ok(Outcome {
            push_ps: median(pushing) * 1000,
            ..outcome
        })
    }
}

/// The cells: one for each gap.
///
/// # Errors
///
/// When a ring or a partner cannot be had.
pub fn cells(place: Place<'_>) -> Result<Vec<Cell>, Failure> {
    GAPS.into_iter()
        .map(|(gap, count)| cell(gap, count, place))
        .collect()
}

fn cell(gap: Duration, count: u64, place: Place<'_>) -> Result<Cell, Failure> {
    let mut cell = Cell::new("wake-up");
    cell.message_bytes = Some(Size::B56.bytes());
    cell.gap_us = Some(u64::try_from(gap.as_micros())?);
    let pulse = |partner, push| Pulses {
        push,
        partner,
        gap,
        count,
        number: 0,
    };
    let (sender, receiver) = bare::line();
    let partner = Partner::thread(place.cores.far, spin_on_line(receiver))?;
    cell.enter(
        "floor: bare line",
        0,
        pulse(partner, line_push(sender, None)),
    )?;
    let (sender, receiver) = bare::line();
    let (partner, sleeper) = parked_partner(receiver, place)?;
    cell.enter(
        "floor: parked thread",
        1,
        pulse(partner, line_push(sender, Some(sleeper))),
    )?;
    for (name, rung, floor) in [
        (OURS, Rung::Spin, 0),
        ("ours, yielding", Rung::Yield, 0),
        ("ours, asleep", Rung::Sleep, 1),
    ] {
        let path = place
            .directory
            .join(format!("wake-{}-{rung:?}.ring", gap.as_micros()));
        ours::create::<Bytes56>(&path, SLOTS, 0)?;
        let partner = Partner::process(&Assignment {
            core: place.cores.far,
            job: Job::Wake {
                rung,
                path: path.clone(),
            },
        })?;
        let producer = Producer::<Bytes56>::attach(&path)?;
        cell.enter(name, floor, pulse(partner, ring_push(producer)))?;
    }
    Ok(cell)
}

type Push = Box<dyn FnMut(u64, u64) -> Result<(), Failure>>;

fn ring_push(mut producer: Producer<Bytes56>) -> Push {
    Box::new(move |number, now| {
        let mut words = [number; 7];
        words[0] = now;
        producer.push(&Bytes56 { words })?;
        Ok(())
    })
}

fn line_push(sender: LineSender, sleeper: Option<Thread>) -> Push {
    Box::new(move |number, now| {
        sender.put(number, now);
        if let Some(sleeper) = &sleeper {
            sleeper.unpark();
        }
        Ok(())
    })
}

fn spin_on_line(mut line: LineReceiver) -> impl FnMut(u64) -> Result<Outcome, Failure> + Send {
    move |count| read_line(&mut line, count, Patience::spin)
}

/// A partner that parks, and its handle for waking it.
fn parked_partner(mut line: LineReceiver, place: Place<'_>) -> Result<(Partner, Thread), Failure> {
    let (tell, told) = channel();
    let mut partner = Partner::thread(place.cores.far, move |count| {
        if count == 0 {
            tell.send(thread::current())?;
            return Ok(Outcome::default());
        }
        read_line(&mut line, count, |_| {
            thread::park();
            Ok(())
        })
    })?;
    partner.start(0)?;
    partner.outcome()?;
    Ok((partner, told.recv()?))
}

/// A reader that was away when two numbers came sees the latter only.
fn read_line(
    line: &mut LineReceiver,
    count: u64,
    wait: impl Fn(&mut Patience) -> Result<(), Failure>,
) -> Result<Outcome, Failure> {
    let mut latencies = Vec::new();
    let mut last = None;
    loop {
        let mut patience = Patience::default();
        let (number, stamp) = loop {
            match line.take() {
                Some(taken) => break taken,
                None => wait(&mut patience)?,
            }
        };
        let latency = mono_ns().saturating_sub(stamp);
        let last = *last.get_or_insert(number.div_ceil(count) * count);
        if number > last - count + LEAD {
            latencies.push(latency);
        }
        if number == last {
            return Ok(outcome(latencies));
        }
    }
}

/// What the partner process does.
///
/// # Errors
///
/// When the ring cannot be attached.
pub fn work(rung: Rung, path: &Path) -> Result<Work, Failure> {
    let mut consumer = Consumer::<Bytes56>::attach(path)?;
    Ok(Box::new(move |count| {
        let mut waiter = Waiter::new(Ladder::Sleep);
        let mut latencies = Vec::new();
        for message in 0..count {
            let mut patience = Patience::default();
            let received = loop {
                if let Ok(received) = consumer.pop() {
                    break received;
                }
                match rung {
                    Rung::Spin => patience.spin()?,
                    Rung::Yield => thread::yield_now(),
                    Rung::Sleep => waiter.wait(&mut [&mut consumer]),
                }
            };
            let latency = mono_ns().saturating_sub(received.message.words[0]);
            waiter.progress();
            consumer.commit();
            if message >= LEAD {
                latencies.push(latency);
            }
        }
        Ok(outcome(latencies))
    }))
}

fn outcome(latencies: Vec<u64>) -> Outcome {
    let samples_ps = latencies.iter().map(|ns| ns.saturating_mul(1000)).collect();
    Outcome {
        level_ps: median(latencies).saturating_mul(1000),
        samples_ps,
        ..Outcome::default()
    }
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}
