//! A Unix seqpacket socket between two processes, without a server: connected and in order like a
//! stream, but the kernel keeps the borders between messages, so that each is one `write` and one
//! `read`, and none lies behind its length.
//!
//! The reader sleeps in `read`. The kernel's default buffers; when they are full the writer sleeps in
//! `write`. Nothing is lost or reordered. Both calls give up after 20 s (`SO_RCVTIMEO`, `SO_SNDTIMEO`).
//! `sendmmsg` and `recvmmsg`, which carry several messages with one call, are left out.

use super::{
    bytes::{Encoded, Fixed, Json, ReceiveBytes, SendBytes, Wire},
    connection::{Accepted, explained},
    framing::BUFFER,
    unix_stream::Listener,
};
use crate::{
    Failure,
    carrier::Remote,
    entry::{Entry, Part},
    link::Link,
    patience::LONGEST,
    row::Waiting,
};
use socket2::{Domain, SockAddr, Socket, Type};
use std::{
    io::{ErrorKind, Read, Write},
    os::{
        fd::OwnedFd,
        unix::net::{UnixListener, UnixStream},
    },
};

/// In the tables.
pub const ENTRIES: &[Entry] = &[
    Entry::new(
        "unix seqpacket",
        &[Part::Hop, Part::Stream, Part::Rate, Part::Wake, Part::Chain],
        &Remote::<Encoded<Seqpacket, Fixed>>::NEW,
    )
    .fixed()
    .waits(Waiting::Sleeps),
    Entry::new(
        "unix seqpacket",
        &[Part::Hop, Part::Stream, Part::Chain],
        &Remote::<Encoded<Seqpacket, Json>>::NEW,
    )
    .json()
    .waits(Waiting::Sleeps),
];

/// One packet for each message.
pub struct Seqpacket;

impl Wire for Seqpacket {
    type Sender = Packets;
    type Receiver = PacketReader;

    fn sender(link: &Link) -> Result<Packets, Failure> {
        let socket = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
        socket.connect(&SockAddr::unix(link.file("socket"))?)?;
        socket.set_write_timeout(Some(LONGEST))?;
        // The calls of a stream are those of every connected socket.
        Ok(Packets(OwnedFd::from(socket).into()))
    }

    fn receiver(link: &Link) -> Result<PacketReader, Failure> {
        let socket = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
        socket.bind(&SockAddr::unix(link.file("socket"))?)?;
        socket.listen(1)?;
        let listener = UnixListener::from(OwnedFd::from(socket));
        Ok(PacketReader {
            socket: Accepted::by(Listener(listener)),
            buffer: vec![0; BUFFER].into(),
        })
    }
}

/// The sending end.
pub struct Packets(UnixStream);

impl SendBytes for Packets {
    #[inline]
    fn send(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        // A packet goes as a whole or not at all.
        self.0.write_all(bytes).map_err(explained)?;
        Ok(true)
    }
}

/// The receiving end.
pub struct PacketReader {
    socket: Accepted<Listener<false>>,
    buffer: Box<[u8]>,
}

impl ReceiveBytes for PacketReader {
    #[inline]
    fn receive(&mut self) -> Result<Option<&[u8]>, Failure> {
        match self.socket.read(&mut self.buffer) {
            Ok(0) => Err("the other side closed its end".into()),
            Ok(length) => Ok(Some(&self.buffer[..length])),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(explained(error)),
        }
    }
}
