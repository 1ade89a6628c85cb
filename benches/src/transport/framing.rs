//! What the byte streams share: messages behind their lengths, written with one call and read through
//! a buffer.

use super::{
    bytes::{ReceiveBytes, SendBytes},
    connection::explained,
};
use crate::Failure;
use std::io::{ErrorKind, Read, Write};

/// Bytes that a reader asks for at once: as many as a pipe holds.
pub const BUFFER: usize = 1 << 16;
/// The length before each message.
const PREFIX: usize = size_of::<u32>();

/// Writes messages, a number of them with one call.
pub struct FramedWriter<W> {
    stream: W,
    batch: Vec<u8>,
    messages: usize,
    most: usize,
}

impl<W: Write> FramedWriter<W> {
    /// `most` messages with one call; with 1 each is on its way when it is sent.
    pub fn new(stream: W, most: usize) -> Self {
        Self {
            stream,
            batch: Vec::with_capacity(BUFFER),
            messages: 0,
            most,
        }
    }
}

impl<W: Write> SendBytes for FramedWriter<W> {
    #[inline]
    fn send(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        let length = u32::try_from(bytes.len())?;
        self.batch.extend_from_slice(&length.to_ne_bytes());
        self.batch.extend_from_slice(bytes);
        self.messages += 1;
        if self.messages == self.most {
            self.flush()?;
        }
        Ok(true)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        if self.messages > 0 {
            self.stream.write_all(&self.batch).map_err(explained)?;
            self.batch.clear();
            self.messages = 0;
        }
        Ok(())
    }
}

/// Reads messages, as many with one call as there are.
pub struct FramedReader<R> {
    stream: R,
    spins: bool,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl<R: Read> FramedReader<R> {
    /// `spins` when the stream does not block.
    pub fn new(stream: R, spins: bool) -> Self {
        Self {
            stream,
            spins,
            buffer: vec![0; BUFFER].into(),
            start: 0,
            end: 0,
        }
    }

    /// Reads what is there behind the beginning of a message; `false` when there is nothing.
    fn fill(&mut self) -> Result<bool, Failure> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        match self.stream.read(&mut self.buffer[self.end..]) {
            Ok(0) => Err("the other side closed its end".into()),
            Ok(read) => {
                self.end += read;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock && self.spins => Ok(false),
            Err(error) => Err(explained(error)),
        }
    }
}

impl<R: Read> ReceiveBytes for FramedReader<R> {
    #[inline]
    fn receive(&mut self) -> Result<Option<&[u8]>, Failure> {
        loop {
            let there = &self.buffer[self.start..self.end];
            if let Some((length, rest)) = there.split_first_chunk::<PREFIX>() {
                let length = usize::try_from(u32::from_ne_bytes(*length))?;
                if length <= rest.len() {
                    let first = self.start + PREFIX;
                    self.start = first + length;
                    return Ok(Some(&self.buffer[first..self.start]));
                }
                if length > BUFFER - PREFIX {
                    return Err(format!("a message of {length} bytes is announced").into());
                }
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }
}
