//! A client of the simulator, and the recorded answers of the real venue as the measure of shapes.

use super::laws::START;
use crate::sim::Exchange;
use crate::sim::auth::Verifier;
use crate::sim::auth::tests::{fresh_key, signed_headers};
use crate::sim::generated::Generated;
use crate::sim::network::Network;
use crate::sim::server::{Shared, drive, scoreboards, serve, venue};
pub(crate) use crate::sim::times::now_us;
use crate::venue::tls::Trust;
use futures_util::StreamExt as _;
use pipeline::Tier;
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// A client's end of the WebSocket.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(crate) const KEY_ID: &str = "a952bcbe-ec3b-4b5b-b8f9-11dae589608c";

/// A simulator on free ports, without network delay, and a client of it.
pub(crate) struct Outside {
    pub(crate) address: String,
    pub(crate) feed: String,
    pub(crate) pair: Ed25519KeyPair,
    /// The private key.
    pub(crate) pem: String,
    pub(crate) shared: Arc<Shared>,
    pub(crate) http: reqwest::Client,
    /// The world, where nobody drives it.
    pub(crate) world: Option<Generated>,
}

impl Outside {
    /// With `running`, the games go on; otherwise the world stands still.
    pub(crate) async fn open(games: usize, running: bool) -> Self {
        Self::open_with(games, running, |exchange| exchange.endow(START)).await
    }

    /// As [`Outside::open`], with what else is to be at the exchange; the client's money too.
    pub(crate) async fn open_with(
        games: usize,
        running: bool,
        prepare: impl FnOnce(&mut Exchange),
    ) -> Self {
        let (pair, pem) = fresh_key();
        let mut exchange = Exchange::new("run");
        let world = Generated::new(1, games, 30.0, &mut exchange, now_us());
        prepare(&mut exchange);
        exchange.happenings();
        let verifier = Verifier::from_private_pem(KEY_ID, &pem).expect("key");
        let shared = Arc::new(Shared::new(
            exchange,
            verifier,
            Network::new([0.0, 0.0], 1),
            Tier::Basic.into(),
            &world,
        ));
        let bind = || TcpListener::bind("127.0.0.1:0");
        let (one, two) = (bind().await.expect("bind"), bind().await.expect("bind"));
        let (address, feed) = (
            one.local_addr().expect("address"),
            two.local_addr().expect("address"),
        );
        tokio::spawn(serve(one, None, venue(&shared)));
        tokio::spawn(serve(two, None, scoreboards(&shared)));
        let http = Trust::none().http("http://").expect("plain");
        let mut world = Some(world);
        if running && let Some(world) = world.take() {
            tokio::spawn(drive(Arc::clone(&shared), Box::new(world)));
        }
        Self {
            address: address.to_string(),
            feed: feed.to_string(),
            pair,
            pem,
            shared,
            http: http.build().expect("a client"),
            world,
        }
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<&str>) -> (u16, Value) {
        let whole = format!("/trade-api/v2{path}");
        let signed = whole.split('?').next().unwrap_or("");
        let headers = signed_headers(&self.pair, KEY_ID, now_us() / 1_000, method, signed);
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("method");
        let mut request = self
            .http
            .request(method, format!("http://{}{whole}", self.address))
            .headers(headers);
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let answer = request.send().await.expect("answer");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("body");
        (
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        )
    }

    pub(crate) async fn connect(&self) -> Socket {
        let path = "/trade-api/ws/v2";
        let mut request = format!("ws://{}{path}", self.address)
            .into_client_request()
            .expect("request");
        request.headers_mut().extend(signed_headers(
            &self.pair,
            KEY_ID,
            now_us() / 1_000,
            "GET",
            path,
        ));
        connect_async(request).await.expect("upgrade").0
    }

    pub(crate) async fn tickers(&self) -> Vec<String> {
        let (_, body) = self.call("GET", "/markets?limit=1000", None).await;
        body["markets"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|market| Some(market["ticker"].as_str()?.to_string()))
            .collect()
    }

    pub(crate) fn order(
        ticker: &str,
        id: &str,
        side: &str,
        price: &str,
        count: &str,
        time_in_force: &str,
    ) -> String {
        json!({
            "client_order_id": id, "count": count, "price": price, "self_trade_prevention_type": "taker_at_cross",
            "side": side, "ticker": ticker, "time_in_force": time_in_force,
        }).to_string()
    }

    pub(crate) async fn place(&self, body: &str) -> (u16, Value) {
        self.call("POST", "/portfolio/events/orders", Some(body))
            .await
    }
}

/// The recorded samples, or `None` with a line that says so.
pub(crate) fn recorded(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ARBEES_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    let file = root.join(path);
    if !file.exists() {
        println!("skipped: no recorded {path} (set ARBEES_DATA)");
        return None;
    }
    Some(file)
}

pub(crate) fn recorded_json(path: &str) -> Option<Value> {
    let text = std::fs::read_to_string(recorded(path)?).expect("readable");
    Some(serde_json::from_str(&text).expect("JSON"))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Every key of the recorded object that is not left out is in ours, with the same JSON type.
pub(crate) fn assert_shape(what: &str, theirs: &Value, ours: &Value, left_out: &[&str]) {
    for (key, value) in theirs.as_object().expect("an object") {
        if left_out.contains(&key.as_str()) {
            continue;
        }
        let own = ours
            .get(key)
            .unwrap_or_else(|| panic!("{what}: `{key}` is missing in {ours}"));
        assert_eq!(kind(own), kind(value), "{what}: type of `{key}`");
    }
}

/// The next text frame.
pub(crate) async fn next_json(socket: &mut Socket) -> Value {
    loop {
        if let Message::Text(text) = socket.next().await.expect("open").expect("frame") {
            return serde_json::from_str(text.as_str()).expect("JSON");
        }
    }
}
