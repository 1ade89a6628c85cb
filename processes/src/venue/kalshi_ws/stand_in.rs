//! The venue's side of a WebSocket, for tests.

use crate::venue::signing::{KEY_HEADER, SIGNATURE_HEADER, Signature, TIMESTAMP_HEADER};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

/// The venue's side of one connection.
pub(crate) struct Venue {
    pub(crate) socket: WebSocketStream<TcpStream>,
    pub(crate) signed: Signature,
    pub(crate) path: String,
}

impl Venue {
    /// Takes one connection.
    #[allow(clippy::result_large_err, reason = "the library's own type")]
    pub(crate) async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().await.expect("accepts");
        let mut seen = None;
        let socket =
            tokio_tungstenite::accept_hdr_async(stream, |request: &Request, response: Response| {
                let header = |name: &str| {
                    let value = request
                        .headers()
                        .get(name)
                        .and_then(|value| value.to_str().ok());
                    value.unwrap_or_default().to_owned()
                };
                let signed = Signature {
                    key_id: header(KEY_HEADER),
                    timestamp_ms: header(TIMESTAMP_HEADER),
                    signature: header(SIGNATURE_HEADER),
                };
                seen = Some((signed, request.uri().path().to_owned()));
                Ok::<_, ErrorResponse>(response)
            })
            .await
            .expect("upgrades");
        let (signed, path) = seen.expect("a request");
        Self {
            socket,
            signed,
            path,
        }
    }

    pub(crate) async fn says(&mut self, text: &str) {
        self.socket
            .send(Message::text(text.to_owned()))
            .await
            .expect("sends");
    }

    pub(crate) async fn hears(&mut self) -> Message {
        self.socket.next().await.expect("hears").expect("well")
    }

    /// The next command; the library answers pings by itself.
    pub(crate) async fn command(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.hears().await {
                return serde_json::from_str(&text).expect("JSON");
            }
        }
    }
}

/// A loopback address where the venue may be.
pub(crate) async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = format!(
        "ws://{}/trade-api/ws/v2",
        listener.local_addr().expect("bound")
    );
    (listener, address)
}
