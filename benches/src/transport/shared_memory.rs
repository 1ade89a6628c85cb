//! Shared memory as it is written first, with the crate `shared_memory`: one block with a sequence
//! number, a length, and a message as JSON behind them; the reader looks at the number until it changes.
//!
//! The writer puts the text and the length there, then the next number. It does not ask whether the
//! message before was seen: one that comes before the reader has looked is written over, and one that
//! comes while he copies leaves him half of each, which no JSON parser may notice. So it works where the
//! next message is sent only after an answer to the last, and takes part in round trips and the chain
//! alone.

use super::{
    End,
    bytes::{Encoded, Json, ReceiveBytes, SendBytes, Wire},
};
use crate::{
    Failure,
    carrier::Remote,
    entry::{Entry, Part},
    link::Link,
};
use ipc::foreign::words;
use nix::sys::mman::shm_unlink;
use shared_memory::{Shmem, ShmemConf};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// In the tables.
pub const ENTRIES: &[Entry] = &[Entry::new(
    "shared_memory block",
    &[Part::Hop, Part::Chain],
    &Remote::<Encoded<Block, Json>>::NEW,
)
.json()];

/// Bytes of the block: a page.
const BLOCK: usize = 4096;
/// Words of the block, in order.
const NUMBER: usize = 0;
const LENGTH: usize = 1;
const TEXT: usize = 2;
/// Bytes of a word.
const WORD: usize = size_of::<u64>();

/// One block.
pub struct Block;

impl Wire for Block {
    const FIRST: End = End::Sender;
    type Sender = BlockWriter;
    type Receiver = BlockReader;

    fn sender(link: &Link) -> Result<BlockWriter, Failure> {
        let block = ShmemConf::new().os_id(name(link)).size(BLOCK).create()?;
        Ok(BlockWriter { block, number: 0 })
    }

    fn receiver(link: &Link) -> Result<BlockReader, Failure> {
        let block = ShmemConf::new().os_id(name(link)).open()?;
        // POSIX names cannot lie in the directory of the run: without its name the block goes with
        // its ends, whatever ends them.
        shm_unlink(name(link).as_str())?;
        Ok(BlockReader {
            block,
            number: 0,
            text: vec![0; BLOCK],
        })
    }
}

/// The name of the run's directory and the link's.
fn name(link: &Link) -> String {
    let run = link.directory.file_name().unwrap_or_default();
    format!("/{}-{}", run.to_string_lossy(), link.name)
}

/// The sending end.
pub struct BlockWriter {
    block: Shmem,
    number: u64,
}

impl SendBytes for BlockWriter {
    fn send(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        let words = words(&self.block);
        let text = &words[TEXT..];
        if bytes.len() > text.len() * WORD {
            return Err(format!("{} bytes do not fit into the block", bytes.len()).into());
        }
        for (word, chunk) in text.iter().zip(bytes.chunks(WORD)) {
            let mut bytes = [0; WORD];
            bytes[..chunk.len()].copy_from_slice(chunk);
            word.store(u64::from_ne_bytes(bytes), Relaxed);
        }
        words[LENGTH].store(bytes.len() as u64, Relaxed);
        self.number += 1;
        // Pairs with the load of the reader.
        words[NUMBER].store(self.number, Release);
        Ok(true)
    }
}

/// The receiving end.
pub struct BlockReader {
    block: Shmem,
    number: u64,
    text: Vec<u8>,
}

impl ReceiveBytes for BlockReader {
    fn receive(&mut self) -> Result<Option<&[u8]>, Failure> {
        let words = words(&self.block);
        // Pairs with the store of the writer.
        let number = words[NUMBER].load(Acquire);
        if number == self.number {
            return Ok(None);
        }
        let length = usize::try_from(words[LENGTH].load(Relaxed))?;
        let text = words[TEXT..].iter().take(length.div_ceil(WORD));
        for (chunk, word) in self.text.chunks_exact_mut(WORD).zip(text) {
            chunk.copy_from_slice(&word.load(Relaxed).to_ne_bytes());
        }
        self.number = number;
        let text = self.text.get(..length);
        Ok(Some(text.ok_or("a length beyond the block")?))
    }
}
