//! The venue's WebSocket: signed upgrade, commands in, frames out with the network's delay, a ping
//! with the body `heartbeat` every 10 s, and an end to clients that do not keep up.

use super::alarm::Alarm;
use super::answer::Answer;
use super::hub::{Hub, Listener};
use super::network::Network;
use super::server::Shared;
use super::subscriptions::OVERFLOW;
use super::times::now_us;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::SplitStream;
use futures_util::{Sink, SinkExt as _, StreamExt as _};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

/// Path of the upgrade, as it is signed.
pub(crate) const PATH: &str = "/trade-api/ws/v2";
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How long a client may leave a write hanging.
const PATIENCE: Duration = Duration::from_secs(5);

/// Upgrades a signed request.
pub(crate) async fn upgrade(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if let Err(refusal) = shared
        .verifier
        .check(&headers, "GET", PATH, now_us() / 1_000)
    {
        return refusal.into_response();
    }
    match upgrade {
        Ok(upgrade) => upgrade.on_upgrade(move |socket| serve(shared, socket)),
        Err(_) => Answer::fault(400, "bad_request", "bad request", None).into_response(),
    }
}

async fn serve(shared: Arc<Shared>, socket: WebSocket) {
    let (sink, stream) = socket.split();
    let listener = shared.hub.join();
    let session = listener.session;
    let reader = read(&shared.hub, session, stream);
    let writer = write(&shared.network, sink, listener);
    tokio::select! {
        () = reader => {}
        () = writer => {}
    }
    shared.hub.leave(session);
}

async fn read(hub: &Hub, session: u64, mut stream: SplitStream<WebSocket>) {
    while let Some(Ok(message)) = stream.next().await {
        match message {
            Message::Text(text) => hub.command(session, text.as_str()),
            Message::Close(_) => return,
            // Pings are answered by the library; the venue has no binary commands.
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => {}
        }
    }
}

/// Sends frames in order, each not before its delay has passed: none overtakes another. Those that are due
/// together leave together.
async fn write<S: Sink<Message>>(network: &Network, sink: S, listener: Listener) {
    let Listener {
        mut frames,
        overflowed,
        ..
    } = listener;
    let mut sink = pin!(sink);
    let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut arrival, mut alarm) = (Instant::now(), Alarm::new());
    // The hub lets go of a session that is too slow, or is to be cut off.
    while !frames.is_closed() {
        let message = tokio::select! {
            frame = frames.recv() => {
                let Some((queued, frame)) = frame else { break };
                arrival = arrival.max(queued + network.delay());
                if arrival > Instant::now() {
                    if !matches!(timeout(PATIENCE, sink.flush()).await, Ok(Ok(()))) {
                        return;
                    }
                    alarm.wait_until(arrival).await;
                }
                Message::text(frame)
            }
            _ = heartbeat.tick() => Message::Ping("heartbeat".into()),
        };
        let last = frames.is_empty();
        let sent = async {
            match last {
                true => sink.send(message).await,
                false => sink.feed(message).await,
            }
        };
        if !matches!(timeout(PATIENCE, sent).await, Ok(Ok(()))) {
            return;
        }
    }
    if overflowed.load(Relaxed) {
        // Best effort: a client that reads again learns why it was cut off.
        let _ = timeout(PATIENCE, sink.send(Message::text(OVERFLOW))).await;
        let _ = timeout(PATIENCE, sink.send(Message::Close(None))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// What the writer sends when the hub has let go of a session with so many frames queued.
    async fn parting_words(queued: usize, too_slow: bool) -> Vec<Message> {
        let (sender, receiver) = tokio::sync::mpsc::channel(8);
        for _ in 0..queued {
            sender
                .try_send((Instant::now(), "{}".to_string()))
                .expect("room");
        }
        drop(sender);
        let sent = Mutex::new(Vec::new());
        let sink = futures_util::sink::unfold(&sent, async |sent, message| {
            sent.lock().expect("lock").push(message);
            Ok::<_, std::convert::Infallible>(sent)
        });
        let listener = Listener {
            session: 1,
            frames: receiver,
            overflowed: Arc::new(too_slow.into()),
        };
        write(&Network::new([0.0, 0.0], 1), sink, listener).await;
        sent.into_inner().expect("messages")
    }

    #[tokio::test]
    async fn a_client_that_does_not_keep_up_is_told_and_cut_off() {
        assert_eq!(
            parting_words(8, true).await,
            [Message::text(OVERFLOW), Message::Close(None)]
        );
        // Whatever waits for it: who is hung up on is not told that it was too slow.
        for queued in [0, 8] {
            assert_eq!(parting_words(queued, false).await, [], "{queued}");
        }
    }
}
