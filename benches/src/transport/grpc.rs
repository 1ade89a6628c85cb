//! gRPC: one call with a stream of requests, with `tonic`, over TCP on the loopback or a Unix socket.
//!
//! Each request is a protobuf message with one field, `bytes payload = 1`, which holds the fixed
//! layout or JSON: several kinds of messages travel through one service (`grpc_service`). Nothing is
//! lost: HTTP/2's flow control would let the sender wait, but its windows are as large as they can be.
//!
//! Both ends run their tasks on the thread that sends or receives, in a runtime of its own: a second
//! thread would have to be woken for each message, and would compete for the core. The receiver sleeps
//! in `epoll_wait`; a flush runs the tasks until all is written.

use super::{
    bytes::{Encoded, Fixed, Json, ReceiveBytes, SendBytes, Wire},
    grpc_service::{Parcel, call, serve},
    watched::{Full, Watched},
};
use crate::{
    Failure,
    carrier::{Carrier, Remote},
    entry::{Entry, Part},
    link::Link,
    patience::LONGEST,
    row::Waiting,
};
use prost::bytes::Bytes;
use std::fs;
use tokio::{
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    runtime::{Builder, Runtime},
    sync::mpsc::{self, Sender, UnboundedReceiver},
    task::yield_now,
    time::timeout,
};
use tonic::{
    Streaming,
    codegen::tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream},
};

type Through<const TCP: bool, E> = Remote<Encoded<Grpc<TCP>, E>>;

/// In the tables.
pub const ENTRIES: &[Entry] = &[
    entry("grpc stream, tcp", &Through::<true, Fixed>::NEW).fixed(),
    entry("grpc stream, tcp", &Through::<true, Json>::NEW).json(),
    entry("grpc stream, unix", &Through::<false, Fixed>::NEW).fixed(),
    entry("grpc stream, unix", &Through::<false, Json>::NEW).json(),
];

const fn entry(name: &'static str, carrier: &'static dyn Carrier) -> Entry {
    Entry::new(name, &[Part::Hop, Part::Stream, Part::Chain], carrier).waits(Waiting::Sleeps)
}

/// Messages that wait for the tasks.
const QUEUE: usize = 128;
/// Turns of the runtime after which nothing waits in the queue, until nothing waits behind it either: the call's
/// task hands what it took to the connection's, which may get its turn with the next one. They overlap with the
/// message's way.
const TURNS: u32 = 3;

/// Through TCP or a Unix socket.
pub struct Grpc<const TCP: bool>;

impl<const TCP: bool> Wire for Grpc<TCP> {
    type Sender = Calling;
    type Receiver = Serving;

    fn sender(link: &Link) -> Result<Calling, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let full = Full::default();
        let (queue, requests) = mpsc::channel(QUEUE);
        let (path, flag) = (link.file("grpc"), full.clone());
        runtime.block_on(async {
            if TCP {
                let socket = TcpStream::connect(fs::read_to_string(path)?).await?;
                socket.set_nodelay(true)?;
                call(Watched::new(socket, flag), requests).await
            } else {
                let socket = UnixStream::connect(path).await?;
                call(Watched::new(socket, flag), requests).await
            }
        })?;
        Ok(Calling {
            runtime,
            queue,
            full,
        })
    }

    fn receiver(link: &Link) -> Result<Serving, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (found, calls) = mpsc::unbounded_channel();
        runtime.block_on(async {
            if TCP {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                fs::write(link.file("grpc"), listener.local_addr()?.to_string())?;
                tokio::spawn(serve(TcpListenerStream::new(listener), found));
            } else {
                let listener = UnixListener::bind(link.file("grpc"))?;
                tokio::spawn(serve(UnixListenerStream::new(listener), found));
            }
            Ok::<_, Failure>(())
        })?;
        Ok(Serving {
            runtime,
            calls,
            call: None,
            parcel: Parcel::default(),
        })
    }
}

/// The sending end.
pub struct Calling {
    runtime: Runtime,
    queue: Sender<Parcel>,
    full: Full,
}

impl SendBytes for Calling {
    fn send(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        let payload = Bytes::copy_from_slice(bytes);
        if let Err(error) = self.queue.try_send(Parcel { payload }) {
            let sent = async { timeout(LONGEST, self.queue.send(error.into_inner())).await };
            self.runtime.block_on(sent)??;
        }
        Ok(true)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let written = async {
            let mut quiet = 0;
            while quiet < TURNS {
                yield_now().await;
                let waits = self.queue.capacity() < QUEUE || self.full.is_set();
                quiet = if waits { 0 } else { quiet + 1 };
            }
        };
        let waiting = async { timeout(LONGEST, written).await };
        Ok(self.runtime.block_on(waiting)?)
    }
}

/// The receiving end.
pub struct Serving {
    runtime: Runtime,
    calls: UnboundedReceiver<Streaming<Parcel>>,
    call: Option<Streaming<Parcel>>,
    parcel: Parcel,
}

impl ReceiveBytes for Serving {
    fn receive(&mut self) -> Result<Option<&[u8]>, Failure> {
        let next = async {
            if self.call.is_none() {
                self.call = self.calls.recv().await;
            }
            let call = self.call.as_mut().ok_or("the server has ended")?;
            let parcel = call.message().await?;
            parcel.ok_or_else(|| Failure::from("the call has ended"))
        };
        let next = async { timeout(LONGEST, next).await };
        self.parcel = self.runtime.block_on(next)??;
        Ok(Some(&self.parcel.payload))
    }
}
