//! The floor of a stream: whole lines written by one core and read by the other, handed over in large
//! blocks, so that the hand-over costs nothing.

use crate::{Failure, meter::Meter, patience::Patience};
use rtrb::{Consumer, Producer, RingBuffer};

/// Blocks that go round between writer and reader of a stream.
const BLOCKS: usize = 8;

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
pub fn pair<const WORDS: usize>(
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
