//! `simulator --frames FILE`: a WebSocket server that replays recorded frames verbatim, one a line,
//! to the first client that has subscribed, and then keeps the connection open.

use crate::runtime::Failure;
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use tokio::net::TcpListener;

/// What `simulator --frames` is told.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    about = "Replays recorded WebSocket frames verbatim to the first client that subscribes."
)]
pub struct Arguments {
    /// File of text frames, one a line; blank lines are skipped.
    #[arg(long)]
    pub frames: PathBuf,
    /// Port on loopback; 0 takes a free one, which the first line of output names.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
}

#[derive(Debug)]
struct Recording {
    frames: Vec<String>,
    served: AtomicBool,
}

/// Serves until SIGINT or SIGTERM.
///
/// # Errors
///
/// When the file cannot be read or the port cannot be bound.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let router = router(&arguments.frames)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("create a runtime", error))?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", arguments.port))
            .await
            .map_err(|error| Failure::io(format!("bind port {}", arguments.port), error))?;
        let address = listener.local_addr().map_err(|error| Failure::io("name the port", error))?;
        println!("ws://{address}{}", super::websocket::PATH);
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
            .map_err(|error| Failure::io("handle SIGTERM", error))?;
        tokio::select! {
            served = super::server::serve(listener, None, router) => served.map_err(|error| Failure::io("serve", error)),
            _ = terminate.recv() => Ok(()),
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    })
}

fn router(path: &Path) -> Result<Router, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::io(format!("read `{}`", path.display()), error))?;
    let frames = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(str::to_owned)
        .collect();
    let recording = Arc::new(Recording {
        frames,
        served: AtomicBool::new(false),
    });
    Ok(Router::new()
        .route(super::websocket::PATH, get(upgrade))
        .with_state(recording))
}

async fn upgrade(State(recording): State<Arc<Recording>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| replay(recording, socket))
}

async fn replay(recording: Arc<Recording>, mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else {
            continue;
        };
        let subscribes = serde_json::from_str::<Value>(text.as_str())
            .is_ok_and(|command| command["cmd"] == "subscribe");
        if !subscribes || recording.served.swap(true, Relaxed) {
            continue;
        }
        for frame in &recording.frames {
            if socket.send(Message::text(frame.as_str())).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{SinkExt as _, StreamExt as _};
    use std::io::Write as _;
    use tokio_tungstenite::tungstenite;

    #[tokio::test]
    async fn frames_come_verbatim_after_the_subscription() {
        let mut file = tempfile::NamedTempFile::new().expect("file");
        write!(file, "{{\"seq\": 1}}\n\n\n{{ \"seq\":2 }}\n").expect("write");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let router = router(file.path()).expect("router");
        tokio::spawn(super::super::server::serve(listener, None, router));
        let (mut socket, _) =
            tokio_tungstenite::connect_async(format!("ws://{address}/trade-api/ws/v2"))
                .await
                .expect("connect");
        for command in [
            "nonsense",
            r#"{"id":1,"cmd":"list_subscriptions"}"#,
            r#"{"id":1,"cmd":"subscribe","params":{}}"#,
        ] {
            socket
                .send(tungstenite::Message::text(command))
                .await
                .expect("send");
        }
        for expected in ["{\"seq\": 1}", "{ \"seq\":2 }"] {
            let frame = socket.next().await.expect("open").expect("frame");
            assert_eq!(frame.to_text().expect("text"), expected);
        }
        assert!(router_of_nothing().is_err());
    }

    fn router_of_nothing() -> Result<Router, Failure> {
        router(Path::new("/nowhere/frames.jsonl"))
    }
}
