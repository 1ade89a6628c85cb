//! Redis Streams, over the server's Unix socket or its port on the loopback, by the synchronous
//! connection of the crate `redis`.
//!
//! XADD waits for its reply: then the entry is in the stream, in the server's memory (this server
//! writes nothing to disk). MAXLEN ~ keeps a whole window, so that nothing is trimmed unread. The
//! reader sleeps in XREAD BLOCK from the last entry that it saw, and takes what is there, up to
//! 256; it is alone and needs no consumer group. By 64, commands are pipelined: they go at once, and
//! their replies are read together.

use super::{
    bytes::{Encoded, Fixed, Json, ReceiveBytes, SendBytes, Wire},
    redis_pub_sub::{TCP, UNIX, connect},
};
use crate::{
    Failure,
    carrier::{Carrier, Remote},
    entry::{Entry, Needs, Part},
    link::Link,
    meter::Plan,
    patience::LONGEST,
    row::Waiting,
};
use redis::{Cmd, Connection, ConnectionLike as _};

/// In the tables.
pub const ENTRIES: &[Entry] = &[
    entry("redis streams, unix", ALL, &One::<UNIX, Fixed>::NEW).fixed(),
    entry("redis streams, unix", FEW, &One::<UNIX, Json>::NEW).json(),
    entry("redis streams, tcp", FEW, &One::<TCP, Fixed>::NEW).fixed(),
    entry("redis streams, tcp", FEW, &One::<TCP, Json>::NEW).json(),
    entry("redis xadd by 64, unix", FLOW, &Many::<UNIX, Fixed>::NEW).fixed(),
    entry("redis xadd by 64, tcp", FLOW, &Many::<TCP, Fixed>::NEW).fixed(),
    entry("redis xadd by 64, tcp", FLOW, &Many::<TCP, Json>::NEW).json(),
];
const FLOW: &[Part] = &[Part::Stream];
const FEW: &[Part] = &[Part::Hop, Part::Stream, Part::Chain];
const ALL: &[Part] = &[Part::Hop, Part::Stream, Part::Rate, Part::Wake, Part::Chain];

type One<const BY: bool, E> = Remote<Encoded<Streams<BY, 1>, E>>;
type Many<const BY: bool, E> = Remote<Encoded<Streams<BY, 64>, E>>;

const fn entry(name: &'static str, parts: &'static [Part], what: &'static dyn Carrier) -> Entry {
    Entry::new(name, parts, what)
        .waits(Waiting::Sleeps)
        .through(Needs::Redis)
}

/// Adds to a stream of the link's name, so many commands at once.
pub struct Streams<const BY: bool, const AT_ONCE: usize>;

impl<const BY: bool, const AT_ONCE: usize> Wire for Streams<BY, AT_ONCE> {
    type Sender = Adder<AT_ONCE>;
    type Receiver = Reader;

    fn sender(link: &Link) -> Result<Adder<AT_ONCE>, Failure> {
        Ok(Adder {
            connection: connect::<BY>(link)?,
            stream: link.name.clone(),
            keep: Plan::for_slots(link.slots).total(),
            command: Cmd::new(),
            packed: Vec::new(),
            commands: 0,
        })
    }

    fn receiver(link: &Link) -> Result<Reader, Failure> {
        Ok(Reader {
            connection: connect::<BY>(link)?,
            stream: link.name.clone(),
            last: "0".into(),
            command: Cmd::new(),
            batch: Vec::new().into_iter(),
            message: Vec::new(),
        })
    }
}

/// The sending end.
pub struct Adder<const AT_ONCE: usize> {
    connection: Connection,
    stream: String,
    keep: u64,
    command: Cmd,
    packed: Vec<u8>,
    commands: usize,
}

impl<const AT_ONCE: usize> SendBytes for Adder<AT_ONCE> {
    fn send(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        self.command.clear();
        let command = self.command.arg("XADD").arg(&self.stream);
        let command = command.arg("MAXLEN").arg("~").arg(self.keep);
        let command = command.arg("*").arg("m").arg(bytes);
        command.write_packed_command(&mut self.packed);
        self.commands += 1;
        if self.commands == AT_ONCE {
            self.flush()?;
        }
        Ok(true)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        if self.commands > 0 {
            let (server, packed) = (&mut self.connection, &self.packed);
            for reply in server.req_packed_commands(packed, 0, self.commands)? {
                reply.extract_error()?;
            }
            self.packed.clear();
            self.commands = 0;
        }
        Ok(())
    }
}

/// An entry: its identity, and the one field with its value.
type Added = (String, (String, Vec<u8>));

/// The receiving end.
pub struct Reader {
    connection: Connection,
    stream: String,
    last: String,
    command: Cmd,
    batch: std::vec::IntoIter<Added>,
    message: Vec<u8>,
}

impl ReceiveBytes for Reader {
    fn receive(&mut self) -> Result<Option<&[u8]>, Failure> {
        if self.batch.as_slice().is_empty() {
            self.read()?;
        }
        let (id, (_, message)) = self.batch.next().ok_or("nothing was added for long")?;
        (self.last, self.message) = (id, message);
        Ok(Some(&self.message))
    }
}

impl Reader {
    fn read(&mut self) -> Result<(), Failure> {
        self.command.clear();
        let command = self.command.arg("XREAD").arg("COUNT").arg(256);
        let command = command.arg("BLOCK").arg(LONGEST.as_secs() * 1000);
        let command = command.arg("STREAMS").arg(&self.stream).arg(&self.last);
        let streams: Vec<(String, Vec<Added>)> = command.query(&mut self.connection)?;
        let added = streams.into_iter().flat_map(|(_, added)| added);
        self.batch = added.collect::<Vec<_>>().into_iter();
        Ok(())
    }
}
