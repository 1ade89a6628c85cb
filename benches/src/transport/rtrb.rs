//! The crate `rtrb`: a ring between two threads of one process, message by message and by chunks;
//! the reader spins.

use super::{InProcess, Receiver, Sender};
use crate::{
    Failure,
    carrier::Local,
    entry::{Entry, Part},
    exchange::PAUSES,
    meter::Meter,
    patience::Patience,
    payload::{Carried, Numbered},
    rounds::RTRB,
};
use rtrb::{Consumer, Producer, RingBuffer};

/// In the tables.
pub const ENTRIES: &[Entry] = &[
    Entry::new(
        RTRB,
        &[
            Part::Hop,
            Part::Stream,
            Part::Sweep,
            Part::Stamps,
            Part::Rate,
        ],
        &Local::<Rtrb>::NEW,
    )
    .threads(),
    Entry::new(
        "rtrb, chunks of 64",
        &[Part::Stream, Part::Sweep],
        &Local::<Chunks>::NEW,
    )
    .threads(),
];

/// Messages of a chunk: as many as our consumer reads between two commits.
pub const CHUNK: usize = 64;

/// Message by message.
pub struct Rtrb;

impl InProcess for Rtrb {
    const SIZES: bool = true;
    type Sender<T: Carried> = Producer<T>;
    type Receiver<T: Carried> = Consumer<T>;

    fn pair<T: Carried>(slots: u32) -> Result<(Producer<T>, Consumer<T>), Failure> {
        Ok(RingBuffer::new(usize::try_from(slots)?))
    }
}

impl<T: Carried> Sender<T> for Producer<T> {
    #[inline(always)]
    fn send(&mut self, message: &T) -> Result<bool, Failure> {
        // Full is its only error.
        Ok(self.push(*message).is_ok())
    }
}

impl<T: Carried> Receiver<T> for Consumer<T> {
    #[inline(always)]
    fn receive(&mut self) -> Option<T> {
        self.pop().ok()
    }
}

/// By chunks of up to [`CHUNK`].
pub struct Chunks;

impl InProcess for Chunks {
    const SIZES: bool = true;
    type Sender<T: Carried> = ChunkProducer<T>;
    type Receiver<T: Carried> = ChunkConsumer<T>;

    fn pair<T: Carried>(slots: u32) -> Result<(ChunkProducer<T>, ChunkConsumer<T>), Failure> {
        let (producer, consumer) = Rtrb::pair(slots)?;
        Ok((ChunkProducer(producer), ChunkConsumer(consumer)))
    }
}

/// Fills chunks.
pub struct ChunkProducer<T>(Producer<T>);

impl<T: Carried> Sender<T> for ChunkProducer<T> {
    #[inline(always)]
    fn send(&mut self, message: &T) -> Result<bool, Failure> {
        self.0.send(message)
    }

    fn produce(&mut self, count: u64) -> Result<(), Failure>
    where
        T: Numbered,
    {
        let mut next = 0;
        while next < count {
            let length = usize::try_from(count - next).map_or(CHUNK, |left| left.min(CHUNK));
            let mut patience = Patience::default();
            let chunk = loop {
                match self.0.write_chunk_uninit(length) {
                    Ok(chunk) => break chunk,
                    Err(_) => patience.spin()?,
                }
            };
            next += chunk.fill_from_iter((next..count).map(T::numbered)) as u64;
        }
        Ok(())
    }
}

/// Reads chunks of whatever is there.
pub struct ChunkConsumer<T>(Consumer<T>);

impl<T: Carried> Receiver<T> for ChunkConsumer<T> {
    #[inline(always)]
    fn receive(&mut self) -> Option<T> {
        self.0.receive()
    }

    fn consume(&mut self, meter: &mut Meter) -> Result<(), Failure>
    where
        T: Numbered,
    {
        let mut patience = Patience::default();
        while !meter.is_done() {
            let there = self.0.slots().min(CHUNK);
            let Ok(chunk) = self.0.read_chunk(there) else {
                continue;
            };
            if there == 0 {
                for _ in 0..PAUSES {
                    patience.spin()?;
                }
                continue;
            }
            patience = Patience::default();
            let (first, second) = chunk.as_slices();
            let sum = first
                .iter()
                .chain(second)
                .fold(0_u64, |sum, message| sum.wrapping_add(message.sum()));
            chunk.commit_all();
            meter.take(there as u64, sum);
        }
        Ok(())
    }
}
