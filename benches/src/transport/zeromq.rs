//! ZeroMQ (libzmq, from Debian, through the crate `zmq`), publish and subscribe or push and pull, over
//! TCP on the loopback or a Unix socket; the reader sleeps in `recv`.
//!
//! Nothing is lost. Who pushes waits at a high-water mark of as many messages as the link has slots; a
//! publisher would drop there, so it has none, and its queue grows. It waits for the subscription
//! before it sends anything.
//!
//! libzmq does all input and output in a thread of its own on either side. It may run on both cores
//! of the measurement: on that of its own caller, who spins until the next message is due, it would
//! wait for the scheduler.

use super::{
    End,
    bytes::{Encoded, Fixed, Json, ReceiveBytes, SendBytes, Wire},
};
use crate::{
    Failure,
    carrier::{Carrier, Remote},
    cores,
    entry::{
        Entry,
        Part::{self, Chain, Hop, Rate, Stream, Wake},
    },
    link::Link,
    patience::LONGEST,
    row::Waiting,
};
use std::fs;
use zmq::{Context, Message, Socket, SocketType};

type Mq<const PUBLISHES: bool, const TCP: bool, E> = Remote<Encoded<Zeromq<PUBLISHES, TCP>, E>>;

const SOME: &[Part] = &[Hop, Stream];
const CHAIN: &[Part] = &[Hop, Stream, Chain];
const ALL: &[Part] = &[Hop, Stream, Rate, Wake, Chain];

/// In the tables.
pub const ENTRIES: &[Entry] = &[
    entry(PUB_TCP, SOME, &Mq::<true, true, Fixed>::NEW).fixed(),
    entry(PUB_TCP, SOME, &Mq::<true, true, Json>::NEW).json(),
    entry(PUB_IPC, ALL, &Mq::<true, false, Fixed>::NEW).fixed(),
    entry(PUB_IPC, CHAIN, &Mq::<true, false, Json>::NEW).json(),
    entry(PUSH_TCP, SOME, &Mq::<false, true, Fixed>::NEW).fixed(),
    entry(PUSH_TCP, SOME, &Mq::<false, true, Json>::NEW).json(),
    entry(PUSH_IPC, ALL, &Mq::<false, false, Fixed>::NEW).fixed(),
    entry(PUSH_IPC, CHAIN, &Mq::<false, false, Json>::NEW).json(),
];

const PUB_TCP: &str = "zeromq pub/sub, tcp";
const PUB_IPC: &str = "zeromq pub/sub, ipc";
const PUSH_TCP: &str = "zeromq push/pull, tcp";
const PUSH_IPC: &str = "zeromq push/pull, ipc";

type Name = &'static str;

const fn entry(name: Name, parts: &'static [Part], carrier: &'static dyn Carrier) -> Entry {
    Entry::new(name, parts, carrier).waits(Waiting::Sleeps)
}

/// Publishes or pushes, through TCP or a Unix socket.
pub struct Zeromq<const PUBLISHES: bool, const TCP: bool>;

impl<const PUBLISHES: bool, const TCP: bool> Wire for Zeromq<PUBLISHES, TCP> {
    // A publisher learns of a subscription when it reads; who subscribes says so when it connects.
    const FIRST: End = if PUBLISHES {
        End::Sender
    } else {
        End::Receiver
    };
    type Sender = Sending;
    type Receiver = Receiving;

    fn sender(link: &Link) -> Result<Sending, Failure> {
        let socket = socket(if PUBLISHES { zmq::XPUB } else { zmq::PUSH }, link)?;
        if PUBLISHES {
            socket.set_sndhwm(0)?;
            bind::<TCP>(&socket, link)?;
        } else {
            connect(&socket, link)?;
        }
        let is_awaited = !PUBLISHES;
        Ok(Sending { socket, is_awaited })
    }

    fn receiver(link: &Link) -> Result<Receiving, Failure> {
        let socket = socket(if PUBLISHES { zmq::SUB } else { zmq::PULL }, link)?;
        if PUBLISHES {
            socket.set_subscribe(b"")?;
            connect(&socket, link)?;
        } else {
            bind::<TCP>(&socket, link)?;
        }
        let message = Message::new();
        Ok(Receiving { socket, message })
    }
}

fn bind<const TCP: bool>(socket: &Socket, link: &Link) -> Result<(), Failure> {
    if TCP {
        socket.bind("tcp://127.0.0.1:*")?;
    } else {
        socket.bind(&format!("ipc://{}", link.file("zmq").display()))?;
    }
    let endpoint = socket.get_last_endpoint()?;
    let endpoint = endpoint.map_err(|_| "an endpoint that is no text")?;
    Ok(fs::write(link.file("endpoint"), endpoint)?)
}

fn connect(socket: &Socket, link: &Link) -> Result<(), Failure> {
    Ok(socket.connect(&fs::read_to_string(link.file("endpoint"))?)?)
}

fn socket(kind: SocketType, link: &Link) -> Result<Socket, Failure> {
    // The threads of a context start with its first socket, and inherit where they may run.
    let socket = cores::everywhere(|| Context::new().socket(kind))??;
    let (patience, mark) = (
        i32::try_from(LONGEST.as_millis())?,
        i32::try_from(link.slots)?,
    );
    socket.set_linger(0)?;
    socket.set_sndtimeo(patience)?;
    socket.set_rcvtimeo(patience)?;
    socket.set_sndhwm(mark)?;
    socket.set_rcvhwm(mark)?;
    Ok(socket)
}

/// The sending end.
pub struct Sending {
    socket: Socket,
    is_awaited: bool,
}

impl SendBytes for Sending {
    fn send(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        if !self.is_awaited {
            // The subscription.
            self.socket.recv_msg(0)?;
            self.is_awaited = true;
        }
        self.socket.send(bytes, 0)?;
        Ok(true)
    }
}

/// The receiving end.
pub struct Receiving {
    socket: Socket,
    message: Message,
}

impl ReceiveBytes for Receiving {
    fn receive(&mut self) -> Result<Option<&[u8]>, Failure> {
        self.socket.recv(&mut self.message, 0)?;
        Ok(Some(&self.message))
    }
}
