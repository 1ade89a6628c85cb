//! The floor: what the two cores can do with nothing else on the line. One number on one cache line
//! each way; the reader spins.

use super::{Receiver, Sender};
use crate::{
    Failure,
    payload::{number_of, price},
};
use layouts::{MarketStatus, PriceUpdate};
use std::sync::{
    Arc,
    atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

/// Lines that the windows of a run take turns on. Where a line has its home in the processor makes a
/// round trip of 376 or of 492 ns; on one line for the whole run the floor would be a matter of luck.
const LINES: usize = 64;

/// Two words alone in their pair of lines (the neighbour line is prefetched with the first).
#[derive(Default)]
#[repr(align(128))]
struct Shared {
    number: AtomicU64,
    stamp: AtomicU64,
}

/// The writing end of a bare line.
pub struct LineSender {
    lines: Arc<[Shared]>,
    window: usize,
}

/// The reading end of a bare line.
pub struct LineReceiver {
    lines: Arc<[Shared]>,
    window: usize,
    seen: u64,
}

/// A bare line, another one in each window.
#[must_use]
pub fn line() -> (LineSender, LineReceiver) {
    let lines: Arc<[Shared]> = (0..LINES).map(|_| Shared::default()).collect();
    (
        LineSender {
            lines: Arc::clone(&lines),
            window: 0,
        },
        LineReceiver {
            lines,
            window: 0,
            seen: 0,
        },
    )
}

impl LineSender {
    /// Puts a number and a time on the line. Numbers must grow, from 1.
    pub fn put(&self, number: u64, stamp: u64) {
        let line = &self.lines[self.window % LINES];
        line.stamp.store(stamp, Relaxed);
        // Pairs with the Acquire load in take: the stamp is there with the number.
        line.number.store(number, Release);
    }
}

impl LineReceiver {
    /// A number that was not taken before, and its time.
    #[inline(always)]
    pub fn take(&mut self) -> Option<(u64, u64)> {
        let line = &self.lines[self.window % LINES];
        // Pairs with the Release store in put. Other windows have left smaller numbers.
        let number = line.number.load(Acquire);
        if number <= self.seen {
            return None;
        }
        self.seen = number;
        Some((number, line.stamp.load(Relaxed)))
    }
}

impl Sender<u64> for LineSender {
    #[inline(always)]
    fn send(&mut self, message: &u64) -> Result<bool, Failure> {
        self.lines[self.window % LINES]
            .number
            .store(message + 1, Release);
        Ok(true)
    }

    fn next_window(&mut self) {
        self.window += 1;
    }
}

impl Receiver<u64> for LineReceiver {
    #[inline(always)]
    fn receive(&mut self) -> Option<u64> {
        let number = self.lines[self.window % LINES].number.load(Acquire);
        if number <= self.seen {
            return None;
        }
        self.seen = number;
        Some(number - 1)
    }

    fn next_window(&mut self) {
        self.window += 1;
    }
}

/// In the time of a message: it is the last of its window.
const LAST: u64 = 1 << 63;

impl Sender<PriceUpdate> for LineSender {
    #[inline(always)]
    fn send(&mut self, message: &PriceUpdate) -> Result<bool, Failure> {
        let last = if message.status == MarketStatus::Closed as u8 {
            LAST
        } else {
            0
        };
        self.put(number_of(message) + 1, message.ingress_mono_ns | last);
        Ok(true)
    }

    fn next_window(&mut self) {
        self.window += 1;
    }
}

impl Receiver<PriceUpdate> for LineReceiver {
    #[inline(always)]
    fn receive(&mut self) -> Option<PriceUpdate> {
        let (number, stamp) = self.take()?;
        let mut message = price(number - 1, stamp & !LAST);
        if stamp & LAST != 0 {
            message.status = MarketStatus::Closed as u8;
        }
        Some(message)
    }

    fn next_window(&mut self) {
        self.window += 1;
    }
}
