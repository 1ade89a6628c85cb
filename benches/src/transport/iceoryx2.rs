//! The crate `iceoryx2`: publish and subscribe between two processes, without a daemon; each message
//! is written into a loaned sample of shared memory and read where it lies; the reader polls.
//!
//! Safe overflow is off and a full buffer refuses, so nothing is lost. The buffer holds as many
//! messages as the link has slots. A payload must be of a type that iceoryx2 knows by name: the words
//! of the message, which is copied once on either side, as everywhere here.
//!
//! Its shared memory lies beside this run's directory and has a name that begins with that of the
//! directory, so that it is removed together with it.

use super::{Receiver, Sender, Transport};
use crate::{
    Failure,
    carrier::Remote,
    entry::{
        Entry,
        Part::{self, Chain, Hop, Rate, Stream, Sweep},
    },
    link::Link,
    payload::Carried,
};
use iceoryx2::{
    config::Config,
    node::NodeBuilder,
    port::{
        backpressure_strategy::BackpressureStrategy, publisher::Publisher, subscriber::Subscriber,
    },
    prelude::{FileName, LogLevel, Path, SemanticString, SignalHandlingMode, ipc, set_log_level},
    service::port_factory::publish_subscribe::PortFactory,
};
use std::os::unix::ffi::OsStrExt as _;

const PARTS: &[Part] = &[Hop, Stream, Sweep, Rate, Chain];

/// In the tables.
pub const ENTRIES: &[Entry] = &[Entry::new("iceoryx2", PARTS, &Remote::<Iceoryx2>::NEW)];

/// Message by message.
pub struct Iceoryx2;

/// A port for messages of 48, 56 or 120 bytes.
#[expect(missing_docs, reason = "words of a message")]
pub enum Port<Six, Seven, Fifteen> {
    Six(Six),
    Seven(Seven),
    Fifteen(Fifteen),
}

type Out<const WORDS: usize> = Publisher<ipc::Service, [u64; WORDS], ()>;
type In<const WORDS: usize> = Subscriber<ipc::Service, [u64; WORDS], ()>;

/// Opens the port for that payload, or does something with the one that is open.
macro_rules! port {
    ($payload:ty, $open:expr) => {
        match size_of::<$payload>() {
            48 => Port::Six($open?),
            56 => Port::Seven($open?),
            120 => Port::Fifteen($open?),
            bytes => return Err(format!("no payload of {bytes} bytes is provided for").into()),
        }
    };
    ($port:expr, $end:ident => $act:expr) => {
        match $port {
            Port::Six($end) => $act,
            Port::Seven($end) => $act,
            Port::Fifteen($end) => $act,
        }
    };
}

impl Transport for Iceoryx2 {
    const SIZES: bool = true;
    type Sender<T: Carried> = Port<Out<6>, Out<7>, Out<15>>;
    type Receiver<T: Carried> = Reader;

    fn sender<T: Carried>(link: &Link) -> Result<Self::Sender<T>, Failure> {
        Ok(port!(T, publisher(link)))
    }

    fn receiver<T: Carried>(link: &Link) -> Result<Reader, Failure> {
        let port = port!(T, subscriber(link));
        let failure = None;
        Ok(Reader { port, failure })
    }
}

fn service<const WORDS: usize>(
    link: &Link,
) -> Result<PortFactory<ipc::Service, [u64; WORDS], ()>, Failure> {
    let directory = link.directory.as_os_str().as_bytes();
    let run = link.directory.file_name().ok_or("a run has a directory")?;
    let mut config = Config::default();
    config.global.set_root_path(&Path::new(directory)?);
    config.global.prefix = FileName::new(&[run.as_bytes(), b"."].concat())?;
    set_log_level(LogLevel::Error);
    let node = NodeBuilder::new()
        .config(&config)
        .signal_handling_mode(SignalHandlingMode::Disabled)
        .create::<ipc::Service>()?;
    Ok(node
        .service_builder(&link.name.as_str().try_into()?)
        .publish_subscribe::<[u64; WORDS]>()
        .enable_safe_overflow(false)
        .subscriber_max_buffer_size(usize::try_from(link.slots)?)
        .history_size(0)
        .max_publishers(1)
        .max_subscribers(1)
        .open_or_create()?)
}

fn publisher<const WORDS: usize>(link: &Link) -> Result<Out<WORDS>, Failure> {
    Ok(service(link)?
        .publisher_builder()
        .backpressure_strategy(BackpressureStrategy::DiscardData)
        .create()?)
}

fn subscriber<const WORDS: usize>(link: &Link) -> Result<In<WORDS>, Failure> {
    Ok(service(link)?.subscriber_builder().create()?)
}

impl<T: Carried> Sender<T> for Port<Out<6>, Out<7>, Out<15>> {
    #[inline(always)]
    fn send(&mut self, message: &T) -> Result<bool, Failure> {
        port!(self, publisher => {
            let words = bytemuck::try_cast(*message).map_err(|_| MISMATCH)?;
            let receivers = publisher.loan_uninit()?.write_payload(words).send()?;
            Ok(receivers == 1)
        })
    }
}

/// Cannot be: the port was chosen by the size.
const MISMATCH: &str = "a message of another size";

/// The subscribed end.
pub struct Reader {
    port: Port<In<6>, In<7>, In<15>>,
    failure: Option<Failure>,
}

impl<T: Carried> Receiver<T> for Reader {
    #[inline(always)]
    fn receive(&mut self) -> Option<T> {
        port!(&self.port, subscriber => match subscriber.receive() {
            Ok(sample) => bytemuck::try_cast(*sample?).ok(),
            Err(error) => {
                self.failure = Some(error.into());
                None
            }
        })
    }

    fn check(&mut self) -> Result<(), Failure> {
        self.failure.take().map_or(Ok(()), Err)
    }
}
