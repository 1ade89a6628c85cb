//! One WebSocket session with the exchange, whatever its channels.
//!
//! A session ends for good with an error; whoever owns it connects anew, after a
//! [`Backoff`](super::backoff::Backoff), and subscribes again. Frames come out as text with the time
//! of their arrival; [`Received::frame`] reads them.

use super::error::VenueError;
use super::kalshi_frames::{self, Body, Command, Frame, MalformedFrame, Parameters};
use super::kalshi_wire::parse_error;
use super::signing::Signer;
use super::tls::Trust;
use futures_util::{SinkExt as _, StreamExt as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Bytes, Error as WsError, Message, Utf8Bytes};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream};

/// Longest wait for the connection and its upgrade.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Silence that is taken for death where nobody has set another bound: the venue pings every 10 s.
const DEAD_AFTER: Duration = Duration::from_secs(30);
/// The venue's pings are too far apart to tell a dead line soon, so it is pinged itself after a silence of so
/// long, or of a third of what is taken for death.
const PING_AFTER: Duration = Duration::from_secs(1);
/// Market tickers in one command, so that no command grows without bound.
pub const TICKERS_PER_COMMAND: usize = 500;

/// Where the WebSocket is, who we are there, and who vouches for it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Such as `wss://.../trade-api/ws/v2`.
    pub address: String,
    /// Signs the upgrade.
    pub signer: Signer,
    /// Vouches for the other end where the line is encrypted.
    pub trust: Trust,
}

/// A connected, signed session.
#[derive(Debug)]
pub struct Session {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    next_id: u64,
    /// When anything was last heard, pings included. Kept here and not in [`Session::next`], which
    /// its caller may drop and call again at any time.
    heard: Instant,
    /// When we pinged last.
    pinged: Instant,
    dead_after: Duration,
}

/// A frame of data and when it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// Arrival, `CLOCK_MONOTONIC`.
    pub ingress_mono_ns: u64,
    /// Arrival by the wall clock.
    pub ingress_unix_ms: u64,
    /// The frame as sent; `None` for one of bytes.
    text: Option<Utf8Bytes>,
}

impl Received {
    /// A frame that comes now.
    #[cfg(test)]
    pub(crate) fn now(text: Option<&str>) -> Self {
        Self {
            ingress_mono_ns: ipc::clock::mono_ns(),
            ingress_unix_ms: ipc::clock::unix_ns() / 1_000_000,
            text: text.map(Utf8Bytes::from),
        }
    }

    /// Reads the frame.
    pub fn frame(&self) -> Result<Frame<'_>, MalformedFrame> {
        let nothing = |body| Frame {
            id: None,
            sid: None,
            seq: None,
            body,
        };
        match &self.text {
            None => Ok(nothing(Body::Binary)),
            Some(text) if text.trim().is_empty() => Ok(nothing(Body::Blank)),
            Some(text) => kalshi_frames::parse(text),
        }
    }
}

impl Session {
    /// Connects and signs the upgrade.
    pub async fn connect(endpoint: &Endpoint) -> Result<Self, VenueError> {
        let Endpoint {
            address,
            signer,
            trust,
        } = endpoint;
        let no_address = |error: WsError| VenueError::Address {
            address: address.clone(),
            reason: error.to_string(),
        };
        let mut request = address.into_client_request().map_err(no_address)?;
        let signature = signer.sign_now("GET", request.uri().path())?;
        for (name, value) in signature.headers() {
            let value = HeaderValue::from_str(value)
                .map_err(|error| no_address(WsError::HttpFormat(error.into())))?;
            request.headers_mut().insert(name, value);
        }
        let connector = Connector::Rustls(Arc::new(trust.client(address)?));
        let connecting =
            tokio_tungstenite::connect_async_tls_with_config(request, None, true, Some(connector));
        let (socket, _) = timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_| VenueError::Transport {
                request: label(address),
                reason: "timed out".into(),
            })?
            .map_err(|error| refusal(address, error))?;
        Ok(Self {
            socket,
            next_id: 1,
            heard: Instant::now(),
            pinged: Instant::now(),
            dead_after: DEAD_AFTER,
        })
    }

    /// Sets how long a silence is taken for death.
    #[must_use]
    pub fn dead_after(mut self, silence: Duration) -> Self {
        self.dead_after = silence;
        self
    }

    /// Subscribes channels, for all markets or for some, at most [`TICKERS_PER_COMMAND`]; more are
    /// added to the subscription once it is confirmed. The answer, one `subscribed` for each
    /// channel, comes as a frame with the returned id.
    pub async fn subscribe(
        &mut self,
        channels: &[&str],
        tickers: Option<&[&str]>,
    ) -> Result<u64, VenueError> {
        let parameters = Parameters {
            channels: Some(channels),
            market_tickers: tickers,
            // Stated, because the venue has announced that it will change what its absence means.
            use_yes_price: channels.contains(&"orderbook_delta").then_some(false),
            ..Default::default()
        };
        self.command("subscribe", parameters).await
    }

    /// Adds markets to a subscription, at most [`TICKERS_PER_COMMAND`]; their snapshots follow. The
    /// answer carries the returned id.
    pub async fn add_markets(&mut self, sid: u32, tickers: &[&str]) -> Result<u64, VenueError> {
        self.update(sid, "add_markets", tickers).await
    }

    /// Asks for the whole books of markets of a subscription.
    pub async fn get_snapshot(&mut self, sid: u32, tickers: &[&str]) -> Result<(), VenueError> {
        for tickers in tickers.chunks(TICKERS_PER_COMMAND) {
            self.update(sid, "get_snapshot", tickers).await?;
        }
        Ok(())
    }

    async fn update(
        &mut self,
        sid: u32,
        action: &'static str,
        tickers: &[&str],
    ) -> Result<u64, VenueError> {
        let parameters = Parameters {
            sid: Some(sid),
            market_tickers: Some(tickers),
            action: Some(action),
            ..Default::default()
        };
        self.command("update_subscription", parameters).await
    }

    async fn command(
        &mut self,
        cmd: &'static str,
        params: Parameters<'_>,
    ) -> Result<u64, VenueError> {
        let id = self.next_id;
        self.next_id += 1;
        let text = serde_json::to_string(&Command { id, cmd, params }).map_err(|error| {
            VenueError::Malformed {
                request: cmd.into(),
                reason: error.to_string(),
            }
        })?;
        // A peer that no longer reads would hold us here for ever once the socket's buffer is full.
        match timeout(CONNECT_TIMEOUT, self.socket.send(Message::text(text))).await {
            Ok(sent) => sent.map_err(disconnected).map(|()| id),
            Err(_) => Err(VenueError::Disconnected {
                reason: format!("`{cmd}` cannot be sent"),
            }),
        }
    }

    /// The next frame of data. May be dropped and called again without losing one.
    pub async fn next(&mut self) -> Result<Received, VenueError> {
        loop {
            let message = self.message().await?;
            let ingress_mono_ns = ipc::clock::mono_ns();
            let ingress_unix_ms = ipc::clock::unix_ns() / 1_000_000;
            self.heard = Instant::now();
            let text = match message {
                Message::Text(text) => Some(text),
                Message::Binary(_) => None,
                Message::Close(frame) => {
                    let reason = frame.map_or_else(String::new, |frame| {
                        format!("{} {}", frame.code, frame.reason)
                    });
                    return Err(VenueError::Disconnected {
                        reason: format!("the venue closed it: {reason}"),
                    });
                }
                // The library answers pings by itself, on the next read.
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            };
            return Ok(Received {
                ingress_mono_ns,
                ingress_unix_ms,
                text,
            });
        }
    }

    /// Whatever comes next. Pings the venue while nothing does.
    async fn message(&mut self) -> Result<Message, VenueError> {
        let dead = self.heard + self.dead_after;
        loop {
            let ping = self.heard.max(self.pinged) + PING_AFTER.min(self.dead_after / 3);
            match timeout_at(ping.min(dead), self.socket.next()).await {
                Ok(Some(message)) => return message.map_err(disconnected),
                Ok(None) => {
                    return Err(VenueError::Disconnected {
                        reason: "the venue closed it".into(),
                    });
                }
                Err(_) if dead <= Instant::now() => {
                    let reason = format!("nothing heard for {} ms", self.dead_after.as_millis());
                    return Err(VenueError::Disconnected { reason });
                }
                Err(_) => {
                    self.pinged = Instant::now();
                    let ping = self.socket.send(Message::Ping(Bytes::new()));
                    // Too late or not at all: then nothing will be heard either, which is seen above.
                    if let Ok(sent) = timeout_at(dead, ping).await {
                        sent.map_err(disconnected)?;
                    }
                }
            }
        }
    }
}

fn label(address: &str) -> String {
    format!("upgrade of {address}")
}

fn disconnected(error: WsError) -> VenueError {
    VenueError::Disconnected {
        reason: error.to_string(),
    }
}

fn refusal(address: &str, error: WsError) -> VenueError {
    let WsError::Http(response) = error else {
        return VenueError::Transport {
            request: label(address),
            reason: error.to_string(),
        };
    };
    let body = response
        .body()
        .as_deref()
        .map(String::from_utf8_lossy)
        .unwrap_or_default();
    let (code, details) = parse_error(&body);
    VenueError::Refused {
        request: label(address),
        status: response.status().as_u16(),
        code,
        details,
    }
}

#[cfg(test)]
pub(crate) mod stand_in;
#[cfg(test)]
mod tests;
