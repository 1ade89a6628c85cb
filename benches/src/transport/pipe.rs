//! A named pipe between two processes; each message lies behind its length.
//!
//! A write per message (or per 64, to see what the calls cost); a read takes whatever is there, up to
//! 64 KiB, which is also what the pipe holds; when it is full the writer sleeps in `write`, and the
//! reader sleeps in `read`. Nothing is lost or reordered. A pipe's `read` knows no time-out, and `poll`
//! before each would add a tenth to a round trip: so a thread that sleeps otherwise looks every 20 s,
//! and ends a `read` that takes longer.

use super::{
    bytes::{Encoded, Fixed, Json, Wire},
    framing::{FramedReader, FramedWriter},
};
use crate::{
    Failure,
    carrier::Remote,
    entry::{Entry, Part},
    link::Link,
    patience::LONGEST,
    row::Waiting,
};
use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::stat::Mode,
    unistd::mkfifo,
};
use std::{
    fs::{File, OpenOptions},
    io::{Error, ErrorKind, Read, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

/// In the tables.
pub const ENTRIES: &[Entry] = &[
    Entry::new(
        "pipe",
        &[Part::Hop, Part::Stream, Part::Rate, Part::Wake],
        &Remote::<Encoded<Pipe<1>, Fixed>>::NEW,
    )
    .fixed()
    .waits(Waiting::Sleeps),
    Entry::new(
        "pipe",
        &[Part::Hop, Part::Stream],
        &Remote::<Encoded<Pipe<1>, Json>>::NEW,
    )
    .json()
    .waits(Waiting::Sleeps),
    Entry::new(
        "pipe, batches of 64",
        &[Part::Stream],
        &Remote::<Encoded<Pipe<64>, Fixed>>::NEW,
    )
    .fixed()
    .waits(Waiting::Sleeps),
];

/// So many messages with one write.
pub struct Pipe<const BATCH: usize>;

impl<const BATCH: usize> Wire for Pipe<BATCH> {
    type Sender = FramedWriter<File>;
    type Receiver = FramedReader<ReadEnd>;

    fn sender(link: &Link) -> Result<Self::Sender, Failure> {
        let end = OpenOptions::new().write(true).open(link.file("pipe"))?;
        Ok(FramedWriter::new(end, BATCH))
    }

    fn receiver(link: &Link) -> Result<Self::Receiver, Failure> {
        let path = link.file("pipe");
        mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR)?;
        // The open would wait for a writer otherwise.
        let end = OpenOptions::new()
            .read(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(&path)?;
        fcntl(&end, FcntlArg::F_SETFL(OFlag::empty()))?;
        let reads = Arc::new(AtomicU64::new(0));
        let seen = Arc::downgrade(&reads);
        thread::Builder::new().spawn(move || end_long_read(&path, &seen))?;
        Ok(FramedReader::new(ReadEnd { end, reads }, false))
    }
}

/// The reading end.
pub struct ReadEnd {
    end: File,
    /// Twice the reads so far; odd during one; [`TOO_LONG`].
    reads: Arc<AtomicU64>,
}

/// Instead of a number of reads: the last one was ended.
const TOO_LONG: u64 = u64::MAX;

impl Read for ReadEnd {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let this = self.reads.load(Relaxed) + 1;
        self.reads.store(this, Relaxed);
        let read = self.end.read(buffer);
        // Whoever wrote to end this read had stored that before, and the pipe put the two in order.
        if self.reads.load(Relaxed) == TOO_LONG {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.reads.store(this + 1, Relaxed);
        read
    }
}

/// Ends a read that takes longer than [`LONGEST`], by writing something; returns when the end is gone.
fn end_long_read(path: &Path, reads: &Weak<AtomicU64>) {
    let mut last = 0;
    loop {
        thread::sleep(LONGEST);
        let Some(reads) = reads.upgrade() else { return };
        let now = reads.load(Relaxed);
        if now == last && !now.is_multiple_of(2) {
            reads.store(TOO_LONG, Relaxed);
            // When the pipe is gone, the read has ended.
            let end = OpenOptions::new().write(true).open(path);
            let _ = end.and_then(|mut end| end.write_all(&[0]));
            return;
        }
        last = now;
    }
}
