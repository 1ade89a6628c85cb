//! A Unix stream socket between two processes, without a server; each message lies behind its length.
//!
//! A write per message (or per 64, to see what the calls cost); a read takes whatever is there, up to
//! 64 KiB. The reader sleeps in `read`, or spins on a socket that does not block. The kernel's default
//! buffers; when they are full the writer sleeps in `write`. Nothing is lost or reordered. Both calls
//! give up after 20 s (`SO_RCVTIMEO`, `SO_SNDTIMEO`).

use super::{
    bytes::{Encoded, Fixed, Json, Wire},
    connection::{Accepted, Listen},
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
use std::{
    io::Error,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::{UnixListener, UnixStream},
    },
};

/// In the tables.
pub const ENTRIES: &[Entry] = &[
    Entry::new(
        "unix stream",
        &[Part::Hop, Part::Stream, Part::Rate, Part::Wake, Part::Chain],
        &Remote::<Encoded<Socket<1, false>, Fixed>>::NEW,
    )
    .fixed()
    .waits(Waiting::Sleeps),
    Entry::new(
        "unix stream",
        &[Part::Hop, Part::Stream, Part::Chain],
        &Remote::<Encoded<Socket<1, false>, Json>>::NEW,
    )
    .json()
    .waits(Waiting::Sleeps),
    Entry::new(
        "unix stream, spinning",
        &[Part::Hop, Part::Rate, Part::Wake],
        &Remote::<Encoded<Socket<1, true>, Fixed>>::NEW,
    )
    .fixed(),
    Entry::new(
        "unix stream, batches of 64",
        &[Part::Stream],
        &Remote::<Encoded<Socket<64, false>, Fixed>>::NEW,
    )
    .fixed()
    .waits(Waiting::Sleeps),
];

/// So many messages with one write; a reader that spins, or sleeps.
pub struct Socket<const BATCH: usize, const SPINS: bool>;

impl<const BATCH: usize, const SPINS: bool> Wire for Socket<BATCH, SPINS> {
    type Sender = FramedWriter<UnixStream>;
    type Receiver = FramedReader<Accepted<Listener<SPINS>>>;

    fn sender(link: &Link) -> Result<Self::Sender, Failure> {
        let stream = UnixStream::connect(link.file("socket"))?;
        stream.set_write_timeout(Some(LONGEST))?;
        Ok(FramedWriter::new(stream, BATCH))
    }

    fn receiver(link: &Link) -> Result<Self::Receiver, Failure> {
        let listener = Listener(UnixListener::bind(link.file("socket"))?);
        Ok(FramedReader::new(Accepted::by(listener), SPINS))
    }
}

/// Where the other side connects.
pub struct Listener<const SPINS: bool>(pub UnixListener);

impl<const SPINS: bool> AsFd for Listener<SPINS> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl<const SPINS: bool> Listen for Listener<SPINS> {
    type Stream = UnixStream;

    fn accept(&self) -> Result<UnixStream, Error> {
        let (stream, _) = self.0.accept()?;
        stream.set_nonblocking(SPINS)?;
        stream.set_read_timeout(Some(LONGEST))?;
        Ok(stream)
    }
}
