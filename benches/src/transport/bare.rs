//! The floor: what the two cores can do with nothing else on the line.
//!
//! For a round trip, one number on one cache line each way. For a stream, whole lines written by one
//! core and read by the other, handed over in large blocks, so that the hand-over costs nothing.

use super::{Receiver, Sender};
use crate::{Failure, meter::Meter, patience::Patience};
use rtrb::{Consumer, Producer, RingBuffer};
use std::sync::{
    Arc,
    atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

/// Blocks that go round between writer and reader of a stream.
const BLOCKS: usize = 8;

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

/// The lines that one message takes: `WORDS` is 8 or 16.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Lines<const WORDS: usize>([u64; WORDS]);

type Block<const WORDS: usize> = Box<[Lines<WORDS>]>;

/// The writing end of a stream of bare lines.
pub struct BlockWriter<const WORDS: usize> {
    full: Producer<Block<WORDS>>,
    empty: Consumer<Block<WORDS>>,
}

/// The reading end of a stream of bare lines.
pub struct BlockReader<const WORDS: usize> {
    full: Consumer<Block<WORDS>>,
    empty: Producer<Block<WORDS>>,
}

/// A stream with as many lines in it as a ring of so many slots has.
///
/// # Errors
///
/// When there are fewer slots than blocks.
pub fn blocks<const WORDS: usize>(
    slots: u32,
) -> Result<(BlockWriter<WORDS>, BlockReader<WORDS>), Failure> {
    let length = usize::try_from(slots)? / BLOCKS;
    if length == 0 {
        return Err(format!("{slots} slots cannot be handed over in {BLOCKS} blocks").into());
    }
    let (full_in, full_out) = RingBuffer::new(BLOCKS);
    let (mut empty_in, empty_out) = RingBuffer::new(BLOCKS);
    for _ in 0..BLOCKS {
        let block = vec![Lines([1; WORDS]); length].into_boxed_slice();
        empty_in
            .push(block)
            .map_err(|_| "room for every block is there")?;
    }
    Ok((
        BlockWriter {
            full: full_in,
            empty: empty_out,
        },
        BlockReader {
            full: full_out,
            empty: empty_in,
        },
    ))
}

impl<const WORDS: usize> BlockWriter<WORDS> {
    /// Writes lines number 0 to `count`, which must be whole blocks.
    ///
    /// # Errors
    ///
    /// When the reader is gone.
    pub fn produce(&mut self, count: u64) -> Result<(), Failure> {
        let mut next = 0;
        while next < count {
            let mut patience = Patience::default();
            let mut block = loop {
                match self.empty.pop() {
                    Ok(block) => break block,
                    Err(_) => patience.spin()?,
                }
            };
            for (lines, number) in block.iter_mut().zip(next..) {
                lines.0 = [number; WORDS];
            }
            next += block.len() as u64;
            self.full
                .push(block)
                .map_err(|_| "room for every block is there")?;
        }
        Ok(())
    }
}

impl<const WORDS: usize> BlockReader<WORDS> {
    /// Reads the lines of a window.
    ///
    /// # Errors
    ///
    /// When the writer is gone.
    pub fn consume(&mut self, meter: &mut Meter) -> Result<(), Failure> {
        while !meter.is_done() {
            let mut patience = Patience::default();
            let block = loop {
                match self.full.pop() {
                    Ok(block) => break block,
                    Err(_) => patience.spin()?,
                }
            };
            let mut sums = [0_u64; WORDS];
            for lines in &block {
                for (sum, word) in sums.iter_mut().zip(lines.0) {
                    *sum = sum.wrapping_add(word);
                }
            }
            let sum = sums.iter().fold(0_u64, |sum, word| sum.wrapping_add(*word));
            meter.take(block.len() as u64, sum);
            self.empty
                .push(block)
                .map_err(|_| "room for every block is there")?;
        }
        Ok(())
    }
}
