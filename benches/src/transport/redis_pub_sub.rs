//! Redis pub/sub, over the server's Unix socket or its port on the loopback, by the synchronous
//! connection of the crate `redis`.
//!
//! Each PUBLISH waits for its reply, as the crate does it: the reply says how many subscribers the
//! message was handed to, and the sender fails if that is none. Nothing is kept: who is not subscribed
//! misses it. The server's limit for subscribers who lag is off, so that nobody is cut off within a
//! window. TCP without delay. The subscriber sleeps in a blocking read.

use super::bytes::{Encoded, Fixed, Json, ReceiveBytes, SendBytes, Wire};
use crate::{
    Failure,
    carrier::Remote,
    entry::{Entry, Needs, Part},
    link::Link,
    patience::LONGEST,
    row::Waiting,
};
use redis::{
    Client, Cmd, Connection, ConnectionAddr, IntoConnectionInfo, Msg, io::tcp::TcpSettings,
};

/// In the tables.
pub const ENTRIES: &[Entry] = &[
    Entry::new(
        "redis pub/sub, unix",
        &[Part::Hop, Part::Stream, Part::Rate, Part::Wake, Part::Chain],
        &Remote::<Encoded<PubSub<UNIX>, Fixed>>::NEW,
    )
    .fixed()
    .waits(Waiting::Sleeps)
    .through(Needs::Redis),
    Entry::new(
        "redis pub/sub, unix",
        PARTS,
        &Remote::<Encoded<PubSub<UNIX>, Json>>::NEW,
    )
    .json()
    .waits(Waiting::Sleeps)
    .through(Needs::Redis),
    Entry::new(
        "redis pub/sub, tcp",
        PARTS,
        &Remote::<Encoded<PubSub<TCP>, Fixed>>::NEW,
    )
    .fixed()
    .waits(Waiting::Sleeps)
    .through(Needs::Redis),
    Entry::new(
        "redis pub/sub, tcp",
        PARTS,
        &Remote::<Encoded<PubSub<TCP>, Json>>::NEW,
    )
    .json()
    .waits(Waiting::Sleeps)
    .through(Needs::Redis),
];
const PARTS: &[Part] = &[Part::Hop, Part::Stream, Part::Chain];

/// By the server's Unix socket.
pub const UNIX: bool = true;
/// By its port on the loopback.
pub const TCP: bool = false;

/// Publishes to a channel of the link's name.
pub struct PubSub<const BY: bool>;

impl<const BY: bool> Wire for PubSub<BY> {
    type Sender = Publisher;
    type Receiver = Subscriber;

    fn sender(link: &Link) -> Result<Publisher, Failure> {
        Ok(Publisher {
            connection: connect::<BY>(link)?,
            channel: link.name.clone(),
            command: Cmd::new(),
        })
    }

    fn receiver(link: &Link) -> Result<Subscriber, Failure> {
        let mut connection = connect::<BY>(link)?;
        connection.set_read_timeout(Some(LONGEST))?;
        // Its reply is here before this returns: nothing that is published later is missed.
        redis::cmd("SUBSCRIBE")
            .arg(&link.name)
            .exec(&mut connection)?;
        Ok(Subscriber {
            connection,
            message: None,
        })
    }
}

/// A connection to the run's server.
///
/// # Errors
///
/// When it is gone.
pub fn connect<const BY: bool>(link: &Link) -> Result<Connection, Failure> {
    let address = link.servers.redis.as_ref().ok_or("no redis-server runs")?;
    let address = if BY == UNIX {
        ConnectionAddr::Unix(address.socket.clone())
    } else {
        ConnectionAddr::Tcp("127.0.0.1".into(), address.port)
    };
    let without_delay = TcpSettings::default().set_nodelay(true);
    let info = address.into_connection_info()?;
    let client = Client::open(info.set_tcp_settings(without_delay))?;
    Ok(client.get_connection_with_timeout(LONGEST)?)
}

/// The sending end.
pub struct Publisher {
    connection: Connection,
    channel: String,
    command: Cmd,
}

impl SendBytes for Publisher {
    fn send(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        self.command.clear();
        let command = self.command.arg("PUBLISH").arg(&self.channel).arg(bytes);
        match command.query::<u64>(&mut self.connection)? {
            0 => Err("nobody is subscribed".into()),
            _ => Ok(true),
        }
    }
}

/// The receiving end.
pub struct Subscriber {
    connection: Connection,
    message: Option<Msg>,
}

impl ReceiveBytes for Subscriber {
    fn receive(&mut self) -> Result<Option<&[u8]>, Failure> {
        self.message = Msg::from_owned_value(self.connection.recv_response()?);
        Ok(self.message.as_ref().map(Msg::get_payload_bytes))
    }
}
