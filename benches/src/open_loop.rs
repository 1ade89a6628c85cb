//! Messages sent at fixed times, whether or not the one before has arrived, and timed from the instant
//! at which each was due: a transport that stalls delays everything behind it, and all of that counts
//! (no coordinated omission).

use crate::{
    Failure,
    exchange::{receive as receive_one, send_when_there_is_room},
    outcome::Outcome,
    partner::Partner,
    payload::{number_of, price},
    rounds::Contender,
    transport::{Receiver, Sender},
};
use ipc::clock::mono_ns;
use layouts::{MarketStatus, PriceUpdate};
use serde::{Deserialize, Serialize};

/// When messages are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// From one to the next.
    pub gap_ns: u64,
    /// How many are timed in a window.
    pub count: u64,
    /// Messages before them, whose time does not count: the reader has just been woken for the
    /// window.
    pub lead: u64,
}

/// A window is cut short when it takes so many times as long as it should.
const OVERRUN: u64 = 3;
/// But not before this.
const SHORTEST_NS: u64 = 20_000_000;
/// Of the sends, one in so many is timed, on the sender's side.
const PUSH_TIMED: u64 = 4;

/// The sending side.
pub struct Pulses<S> {
    sender: S,
    partner: Partner,
    schedule: Schedule,
    number: u64,
}

impl<S: Sender<PriceUpdate>> Pulses<S> {
    /// With a partner whose end is open.
    pub fn new(sender: S, partner: Partner, schedule: Schedule) -> Self {
        Self {
            sender,
            partner,
            schedule,
            number: 0,
        }
    }
}

impl<S: Sender<PriceUpdate>> Contender for Pulses<S> {
    fn window(&mut self) -> Result<Outcome, Failure> {
        let Schedule { gap_ns, .. } = self.schedule;
        let total = self.schedule.total();
        self.partner.start(self.number)?;
        self.sender.next_window();
        let mut pushing = Vec::new();
        let mut due = mono_ns() + gap_ns;
        let deadline = due + (OVERRUN * total * gap_ns).max(SHORTEST_NS);
        for sent in 0..total {
            let mut now = mono_ns();
            while now < due {
                std::hint::spin_loop();
                now = mono_ns();
            }
            // One is timed however starved the window is.
            let last = sent + 1 == total || (now > deadline && sent >= self.schedule.lead);
            let mut message = price(self.number, due);
            if last {
                message.status = MarketStatus::Closed as u8;
            }
            if !self.sender.send(&message)? {
                send_when_there_is_room(&mut self.sender, &message)?;
            }
            self.sender.flush()?;
            if sent.is_multiple_of(PUSH_TIMED) {
                pushing.push(mono_ns() - now);
            }
            self.number += 1;
            due += gap_ns;
            if last {
                break;
            }
        }
        let outcome = self.partner.outcome()?;
        Ok(Outcome {
            push_ps: median(pushing).saturating_mul(1000),
            ..outcome
        })
    }
}

impl Schedule {
    /// Messages of a window.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.lead + self.count
    }
}

/// The receiving side of a window whose first message has that number.
///
/// A message that a later one overtook was seen when that one was: it counts from its own instant.
///
/// # Errors
///
/// When the sender is gone, or the transport is broken.
pub fn receive(
    from: &mut impl Receiver<PriceUpdate>,
    schedule: Schedule,
    first: u64,
) -> Result<Outcome, Failure> {
    from.next_window();
    let mut next = first;
    let mut record = Record::new(schedule);
    loop {
        let message = receive_one(from)?;
        let now = mono_ns();
        from.commit();
        let number = number_of(&message);
        if number < next {
            return Err(format!("message {number} came after {next} was expected").into());
        }
        record.seen(number - first, number - next, message.ingress_mono_ns, now);
        next = number + 1;
        if message.status == MarketStatus::Closed as u8 {
            return Ok(record.outcome());
        }
    }
}

/// The latencies of a window.
struct Record {
    schedule: Schedule,
    latencies_ns: Vec<u64>,
    first_due: Option<u64>,
    last_seen: u64,
    lost: u64,
}

impl Record {
    fn new(schedule: Schedule) -> Self {
        Self {
            schedule,
            latencies_ns: Vec::with_capacity(usize::try_from(schedule.count).unwrap_or(0)),
            first_due: None,
            last_seen: 0,
            lost: 0,
        }
    }

    /// The message with that index in its window was due then and seen now, with so many before it
    /// that it has overtaken.
    #[inline]
    fn seen(&mut self, index: u64, overtaken: u64, due: u64, now: u64) {
        for earlier in (0..=overtaken).rev() {
            if index - earlier >= self.schedule.lead {
                let due = due - earlier * self.schedule.gap_ns;
                self.first_due.get_or_insert(due);
                self.latencies_ns.push(now.saturating_sub(due));
                self.lost += u64::from(earlier > 0);
            }
        }
        self.last_seen = now;
    }

    fn outcome(self) -> Outcome {
        let span = self.first_due.map_or(0, |first| {
            self.schedule.gap_ns + self.last_seen.saturating_sub(first)
        });
        Outcome {
            arrived: self.latencies_ns.len() as u64 - self.lost,
            lost: self.lost,
            span_ns: span,
            samples_ps: self.latencies_ns.iter().map(|ns| ns * 1000).collect(),
            level_ps: median(self.latencies_ns).saturating_mul(1000),
            ..Outcome::default()
        }
    }
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_overtaken_counts_from_its_own_instant() {
        let schedule = Schedule {
            gap_ns: 100,
            count: 4,
            lead: 1,
        };
        let mut record = Record::new(schedule);
        record.seen(0, 0, 1_000, 1_010);
        record.seen(1, 0, 1_100, 1_110);
        record.seen(4, 2, 1_400, 1_420);
        let outcome = record.outcome();
        assert_eq!(outcome.samples_ps, [10_000, 220_000, 120_000, 20_000]);
        assert_eq!((outcome.arrived, outcome.lost), (2, 2));
        assert_eq!(outcome.span_ns, 420);
    }
}
