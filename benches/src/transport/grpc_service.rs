//! The gRPC service behind `grpc`, written by hand as the generator of `tonic` would:
//! `service Carrier { rpc Carry (stream Parcel) returns (Parcel); }` in the package `arbees`.

use crate::Failure;
use hyper_util::rt::TokioIo;
use prost::{Message, bytes::Bytes};
use std::{
    convert::Infallible,
    future::{pending, ready},
    io,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc::{Receiver, UnboundedSender},
};
use tonic::{
    Request, Response, Status, Streaming,
    body::Body,
    client,
    codegen::{
        http::{self, Uri, uri::PathAndQuery},
        tokio_stream::{Stream, wrappers::ReceiverStream},
    },
    server,
    transport::{Endpoint, Error, Server, server::Connected},
};
use tonic_prost::ProstCodec;
use tower::service_fn;

/// What the peer may send before it hears from us, bytes; 64 KiB unless told.
const WINDOW: u32 = (1 << 31) - 1;

/// A request.
#[derive(Clone, PartialEq, Message)]
pub struct Parcel {
    /// The message, encoded.
    #[prost(bytes = "bytes", tag = "1")]
    pub payload: Bytes,
}

/// Begins the call over that connection; a task of this runtime carries it on.
///
/// # Errors
///
/// When HTTP/2 cannot be begun.
pub async fn call<S>(socket: S, requests: Receiver<Parcel>) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut socket = Some(TokioIo::new(socket));
    let connector = service_fn(move |_: Uri| {
        let once = socket.take();
        ready(once.ok_or_else(|| io::Error::other("the connection was lost")))
    });
    let channel = Endpoint::from_static("http://localhost")
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .connect_with_connector(connector)
        .await?;
    let mut client = client::Grpc::new(channel);
    client.ready().await?;
    tokio::spawn(async move {
        let requests = Request::new(ReceiverStream::new(requests));
        let path = PathAndQuery::from_static("/arbees.Carrier/Carry");
        let codec = ProstCodec::<Parcel, Parcel>::default();
        // It has no answer: the call ends with the connection.
        client.client_streaming(requests, path, codec).await
    });
    Ok(())
}

/// Serves connections, and hands the requests of each call on.
///
/// # Errors
///
/// When the server fails.
pub async fn serve<S>(
    incoming: impl Stream<Item = io::Result<S>>,
    found: UnboundedSender<Streaming<Parcel>>,
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
{
    let carrier = service_fn(move |request: http::Request<Body>| {
        let found = found.clone();
        async move {
            let carry = service_fn(move |call: Request<Streaming<Parcel>>| {
                // If nobody wants it any more, then nobody waits for an answer either.
                let _ = found.send(call.into_inner());
                pending::<Result<Response<Parcel>, Status>>()
            });
            let mut grpc = server::Grpc::new(ProstCodec::<Parcel, Parcel>::default());
            Ok::<_, Infallible>(grpc.client_streaming(carry, request).await)
        }
    });
    Server::builder()
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .serve_with_incoming(carrier, incoming)
        .await
}
