//! TCP on the loopback between two processes, without a server; each message lies behind its length.
//!
//! `TCP_NODELAY`: a message never waits for the acknowledgement of the one before. A write per message
//! (or per 64, to see what the calls cost); a read takes whatever is there, up to 64 KiB. The reader
//! sleeps in `read`. The kernel's default buffers; when they are full the writer sleeps in `write`.
//! Nothing is lost or reordered. Both calls give up after 20 s (`SO_RCVTIMEO`, `SO_SNDTIMEO`).

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
    fs,
    io::Error,
    net::{Ipv4Addr, TcpListener, TcpStream},
};

/// In the tables.
pub const ENTRIES: &[Entry] = &[
    Entry::new(
        "tcp",
        &[Part::Hop, Part::Stream, Part::Rate, Part::Wake],
        &Remote::<Encoded<Tcp<1>, Fixed>>::NEW,
    )
    .fixed()
    .waits(Waiting::Sleeps),
    Entry::new(
        "tcp",
        &[Part::Hop, Part::Stream],
        &Remote::<Encoded<Tcp<1>, Json>>::NEW,
    )
    .json()
    .waits(Waiting::Sleeps),
    Entry::new(
        "tcp, batches of 64",
        &[Part::Stream],
        &Remote::<Encoded<Tcp<64>, Fixed>>::NEW,
    )
    .fixed()
    .waits(Waiting::Sleeps),
];

/// So many messages with one write.
pub struct Tcp<const BATCH: usize>;

impl<const BATCH: usize> Wire for Tcp<BATCH> {
    type Sender = FramedWriter<TcpStream>;
    type Receiver = FramedReader<Accepted<TcpListener>>;

    fn sender(link: &Link) -> Result<Self::Sender, Failure> {
        let port = fs::read_to_string(link.file("port"))?.parse::<u16>()?;
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(LONGEST))?;
        Ok(FramedWriter::new(stream, BATCH))
    }

    fn receiver(link: &Link) -> Result<Self::Receiver, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        fs::write(link.file("port"), port.to_string())?;
        Ok(FramedReader::new(Accepted::by(listener), false))
    }
}

impl Listen for TcpListener {
    type Stream = TcpStream;

    fn accept(&self) -> Result<TcpStream, Error> {
        let (stream, _) = TcpListener::accept(self)?;
        stream.set_read_timeout(Some(LONGEST))?;
        Ok(stream)
    }
}
