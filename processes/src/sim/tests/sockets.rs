//! The simulator as a client meets it: real sockets, real signatures, and the recorded answers of the
//! real venue and feed as the measure of every shape.

use super::super::auth::Verifier;
use super::super::auth::tests::{fresh_key, signed_headers};
use super::super::feed::document;
use super::super::game::League;
use super::super::generated::Generated;
use super::super::network::Network;
use super::super::server::{Shared, drive, scoreboards, serve, venue};
use super::super::times::now_us;
use super::super::world::World;
use super::super::{Exchange, recorded::Recorded};
use super::laws::START;
use futures_util::{SinkExt as _, StreamExt as _};
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const KEY_ID: &str = "a952bcbe-ec3b-4b5b-b8f9-11dae589608c";

/// A simulator on free ports, without network delay, and a client of it.
struct Outside {
    address: String,
    feed: String,
    pair: Ed25519KeyPair,
    shared: Arc<Shared>,
    http: reqwest::Client,
    /// The world, where nobody drives it.
    world: Option<Generated>,
}

impl Outside {
    /// With `running`, the games go on; otherwise the world stands still.
    async fn open(games: usize, running: bool) -> Self {
        let (pair, pem) = fresh_key();
        let mut exchange = Exchange::new("run", START);
        let world = Generated::new(1, games, 30.0, &mut exchange, now_us());
        exchange.happenings();
        let verifier = Verifier::from_private_pem(KEY_ID, &pem).expect("key");
        let shared = Arc::new(Shared::new(
            exchange,
            verifier,
            Network::new([0.0, 0.0], 1),
            &world,
        ));
        let bind = || TcpListener::bind("127.0.0.1:0");
        let (one, two) = (bind().await.expect("bind"), bind().await.expect("bind"));
        let (address, feed) = (
            one.local_addr().expect("address"),
            two.local_addr().expect("address"),
        );
        tokio::spawn(serve(one, venue(&shared)));
        tokio::spawn(serve(two, scoreboards(&shared)));
        let mut world = Some(world);
        if running && let Some(world) = world.take() {
            tokio::spawn(drive(Arc::clone(&shared), Box::new(world)));
        }
        Self {
            address: address.to_string(),
            feed: feed.to_string(),
            pair,
            shared,
            http: reqwest::Client::new(),
            world,
        }
    }

    async fn call(&self, method: &str, path: &str, body: Option<&str>) -> (u16, Value) {
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

    async fn connect(&self) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
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

    async fn tickers(&self) -> Vec<String> {
        let (_, body) = self.call("GET", "/markets?limit=1000", None).await;
        body["markets"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|market| Some(market["ticker"].as_str()?.to_string()))
            .collect()
    }

    fn order(
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

    async fn place(&self, body: &str) -> (u16, Value) {
        self.call("POST", "/portfolio/events/orders", Some(body))
            .await
    }
}

/// The recorded samples, or `None` with a line that says so.
fn recorded(path: &str) -> Option<PathBuf> {
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

fn recorded_json(path: &str) -> Option<Value> {
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
fn assert_shape(what: &str, theirs: &Value, ours: &Value, left_out: &[&str]) {
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

#[tokio::test]
async fn answers_have_the_shapes_of_the_recorded_ones() {
    let outside = Outside::open(6, false).await;
    let ticker = outside.tickers().await.remove(0);
    let taken = outside
        .place(&Outside::order(
            &ticker,
            "taker",
            "bid",
            "0.9900",
            "1.00",
            "immediate_or_cancel",
        ))
        .await;
    let resting = outside
        .place(&Outside::order(
            &ticker,
            "maker",
            "bid",
            "0.0100",
            "1.00",
            "good_till_canceled",
        ))
        .await;
    assert_eq!((taken.0, resting.0), (201, 201), "{taken:?} {resting:?}");
    tokio::time::sleep(Duration::from_millis(450)).await;
    let id = resting.1["order_id"].as_str().unwrap_or("").to_string();
    let (_, order) = outside
        .call("GET", &format!("/portfolio/orders/{id}"), None)
        .await;
    let (_, fills) = outside.call("GET", "/portfolio/fills", None).await;
    let (_, positions) = outside.call("GET", "/portfolio/positions", None).await;
    let (_, balance) = outside.call("GET", "/portfolio/balance", None).await;
    let (_, market) = outside
        .call("GET", &format!("/markets/{ticker}"), None)
        .await;
    let (_, book) = outside
        .call("GET", &format!("/markets/{ticker}/orderbook"), None)
        .await;
    let (_, limits) = outside.call("GET", "/account/limits", None).await;
    let (_, costs) = outside.call("GET", "/account/endpoint_costs", None).await;
    let (status, cancelled) = outside
        .call("DELETE", &format!("/portfolio/events/orders/{id}"), None)
        .await;
    assert_eq!((status, &cancelled["reduced_by"]), (200, &json!("1.00")));
    let cases: [(&str, &str, &Value); 12] = [
        ("orders__create_v2_taker_ioc", "", &taken.1),
        ("orders__create_v2_maker", "", &resting.1),
        ("orders__get_after_create", "/order", &order["order"]),
        ("fills__after_taker", "/fills/0", &fills["fills"][0]),
        (
            "portfolio__positions",
            "/market_positions/0",
            &positions["market_positions"][0],
        ),
        (
            "portfolio__positions",
            "/event_positions/0",
            &positions["event_positions"][0],
        ),
        ("auth__balance_ok", "", &balance),
        ("markets__single", "/market", &market["market"]),
        ("orderbook__base", "/orderbook_fp", &book["orderbook_fp"]),
        ("account__limits", "", &limits),
        ("account__endpoint_costs", "", &costs),
        ("orders__cancel_v2", "", &cancelled),
    ];
    for (file, pointer, ours) in cases {
        let Some(theirs) =
            recorded_json(&format!("kalshi_rest/fortuna_demo_2026-06-11/{file}.json"))
        else {
            return;
        };
        assert_shape(file, theirs.pointer(pointer).expect(file), ours, &[]);
    }
}

#[tokio::test]
async fn refusals_are_the_recorded_ones_word_for_word() {
    let outside = Outside::open(2, false).await;
    let ticker = outside.tickers().await.remove(0);
    let order = |id: &str, price: &str, count: &str| {
        Outside::order(&ticker, id, "bid", price, count, "good_till_canceled")
    };
    let (_, first) = outside.place(&order("a", "0.0100", "1.00")).await;
    let path = format!(
        "/portfolio/events/orders/{}",
        first["order_id"].as_str().unwrap_or("")
    );
    assert_eq!(outside.call("DELETE", &path, None).await.0, 200);
    let post_only = order("e", "0.9900", "1.00").replacen('{', "{\"post_only\":true,", 1);
    let numeric =
        format!(r#"{{"client_order_id":"f","count":1,"price":0.01,"ticker":"{ticker}"}}"#);
    let answers = [
        (
            "orders__reuse_canceled_client_id",
            409,
            outside.place(&order("a", "0.0100", "1.00")).await,
        ),
        (
            "orders__cancel_already_canceled",
            404,
            outside.call("DELETE", &path, None).await,
        ),
        (
            "orders__insufficient_balance",
            400,
            outside.place(&order("c", "0.9900", "99999.00")).await,
        ),
        (
            "orders__invalid_price_structure",
            400,
            outside.place(&order("d", "0.5150", "1.00")).await,
        ),
        (
            "orders__post_only_cross",
            400,
            outside.place(&post_only).await,
        ),
        (
            "orders__numeric_field_types",
            400,
            outside.place(&numeric).await,
        ),
        (
            "markets__limit_over_max",
            400,
            outside.call("GET", "/markets?limit=1001", None).await,
        ),
    ];
    for (file, status, (got, body)) in answers {
        assert_eq!(got, status, "{file}: {body}");
        let Some(mut theirs) =
            recorded_json(&format!("kalshi_rest/fortuna_demo_2026-06-11/{file}.json"))
        else {
            return;
        };
        // `service` has been dropped since the recording.
        if let Some(error) = theirs.get_mut("error").and_then(Value::as_object_mut) {
            error.remove("service");
        }
        assert_eq!(body, theirs, "{file}");
    }
}

#[tokio::test]
async fn unsigned_calls_of_the_account_are_refused_and_public_ones_are_not() {
    let outside = Outside::open(2, false).await;
    let get = |path: &str| {
        outside
            .http
            .get(format!("http://{}{path}", outside.address))
            .send()
    };
    assert_eq!(
        get("/trade-api/v2/portfolio/balance")
            .await
            .expect("answer")
            .status()
            .as_u16(),
        401
    );
    assert_eq!(
        get("/trade-api/v2/exchange/status")
            .await
            .expect("answer")
            .status()
            .as_u16(),
        200
    );
    assert_eq!(
        get("/simulator/status")
            .await
            .expect("answer")
            .json::<Value>()
            .await
            .expect("JSON")["games"],
        2
    );
    let unsigned = connect_async(format!("ws://{}/trade-api/ws/v2", outside.address)).await;
    assert!(matches!(unsigned, Err(Error::Http(answer)) if answer.status().as_u16() == 401));
    assert_eq!(
        outside
            .call("POST", "/portfolio/orders", Some("{}"))
            .await
            .0,
        410
    );
    let burst = async |count: usize| {
        let mut refused = 0;
        for _ in 0..count {
            refused += usize::from(outside.place("{}").await.0 == 429);
        }
        refused
    };
    assert!(
        burst(40).await > 0,
        "a basic account cannot write 40 times at once"
    );
}

#[tokio::test]
async fn pages_follow_their_cursors_to_the_end() {
    let outside = Outside::open(6, false).await;
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let (_, page) = outside
            .call(
                "GET",
                &format!("/events?limit=4&with_nested_markets=true&cursor={cursor}"),
                None,
            )
            .await;
        for event in page["events"].as_array().expect("events") {
            assert_eq!(event["markets"].as_array().map(Vec::len), Some(2));
            seen.push(event["event_ticker"].to_string());
        }
        cursor = page["cursor"].as_str().expect("cursor").to_string();
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(seen.len(), 6);
    let (status, page) = outside.call("GET", "/events?cursor=%21%21", None).await;
    assert_eq!(
        (status, page["events"].as_array().map(Vec::len)),
        (200, Some(6)),
        "a garbage cursor is silently the first page"
    );
    let (_, page) = outside
        .call("GET", "/events?series_ticker=KXMLBGAME&status=open", None)
        .await;
    assert_eq!(page["events"].as_array().map(Vec::len), Some(1));
    let (_, series) = outside.call("GET", "/series/KXMLBGAME", None).await;
    assert_eq!(
        (
            &series["series"]["fee_multiplier"],
            &series["series"]["fee_type"]
        ),
        (&json!(0.5), &json!("quadratic_with_maker_fees"))
    );
}

/// A client's books, kept as a client must: per-subscription sequence, NO prices turned over.
#[derive(Default)]
struct Books {
    seq: BTreeMap<u64, u64>,
    levels: BTreeMap<String, BTreeMap<(String, String), i64>>,
    deltas: usize,
}

impl Books {
    fn apply(&mut self, frame: &Value) {
        if let (Some(sid), Some(seq)) = (frame["sid"].as_u64(), frame["seq"].as_u64()) {
            let last = self.seq.insert(sid, seq).unwrap_or(0);
            assert_eq!(seq, last + 1, "a gap before {frame}");
        }
        let message = &frame["msg"];
        let text = |value: &Value| value.as_str().unwrap_or("").to_string();
        let centi = |value: &Value| {
            layouts::units::parse_centi(value.as_str().unwrap_or("")).expect("a count")
        };
        let book = self
            .levels
            .entry(text(&message["market_ticker"]))
            .or_default();
        match frame["type"].as_str() {
            Some("orderbook_snapshot") => {
                book.clear();
                for side in ["yes", "no"] {
                    for level in message[format!("{side}_dollars_fp")]
                        .as_array()
                        .into_iter()
                        .flatten()
                    {
                        book.insert((side.to_string(), text(&level[0])), centi(&level[1]));
                    }
                }
            }
            Some("orderbook_delta") => {
                self.deltas += 1;
                let key = (text(&message["side"]), text(&message["price_dollars"]));
                let left = book.get(&key).copied().unwrap_or(0) + centi(&message["delta_fp"]);
                assert!(left >= 0, "a level below zero at {frame}");
                if left == 0 {
                    book.remove(&key)
                } else {
                    book.insert(key, left)
                };
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_book_kept_from_the_stream_is_the_book() {
    let mut outside = Outside::open(6, false).await;
    let tickers = outside.tickers().await;
    let mut socket = outside.connect().await;
    let command = json!({"id": 1, "cmd": "subscribe", "params": {"channels": ["orderbook_delta", "trade"], "market_tickers": tickers}});
    socket
        .send(Message::text(command.to_string()))
        .await
        .expect("send");
    let mut books = Books::default();
    let mut world = outside.world.take().expect("a world that stands still");
    for second in 1..=10_u32 {
        read_all(&mut socket, &mut books).await;
        outside
            .shared
            .hub
            .with(|exchange| world.advance(f64::from(second), exchange, now_us()));
    }
    read_all(&mut socket, &mut books).await;
    assert!(books.deltas > 5_000, "{}", books.deltas);
    for ticker in &tickers {
        let (_, body) = outside
            .call("GET", &format!("/markets/{ticker}/orderbook"), None)
            .await;
        let mut truth = BTreeMap::new();
        for (side, key) in [("yes", "yes_dollars"), ("no", "no_dollars")] {
            for level in body["orderbook_fp"][key].as_array().expect("levels") {
                let text = |index: usize| level[index].as_str().expect("a string").to_string();
                truth.insert(
                    (side.to_string(), text(0)),
                    layouts::units::parse_centi(&text(1)).expect("a count"),
                );
            }
        }
        assert_eq!(books.levels.get(ticker), Some(&truth), "{ticker}");
    }
    // A gap, injected on purpose, is one missing number and nothing else.
    let before = books.seq.get(&1).copied();
    outside.shared.hub.inject_gap();
    outside
        .shared
        .hub
        .with(|exchange| world.advance(10.5, exchange, now_us()));
    let next = loop {
        let frame = next_json(&mut socket).await;
        if frame["sid"] == 1 {
            break frame["seq"].as_u64();
        }
    };
    assert_eq!(next, before.map(|last| last + 2));
}

/// Reads everything that the venue has told so far: the answer to a command comes after it.
async fn read_all(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>, books: &mut Books) {
    socket
        .send(Message::text(r#"{"id":99,"cmd":"list_subscriptions"}"#))
        .await
        .expect("send");
    loop {
        let frame = next_json(socket).await;
        if frame["id"] == 99 {
            return;
        }
        books.apply(&frame);
    }
}

#[tokio::test]
async fn the_protocol_answers_every_command_and_survives_nonsense() {
    let outside = Outside::open(2, false).await;
    let tickers = outside.tickers().await;
    let mut socket = outside.connect().await;
    let first = &tickers[0];
    let exchanges = [
        ("nonsense".to_string(), vec![json!({"type": "error", "msg": {"code": 1, "msg": "Unable to process message"}})]),
        (r#"{"id":1,"cmd":"dance","params":{}}"#.into(), vec![json!({"id": 1, "type": "error", "msg": {"code": 5, "msg": "Unknown command"}})]),
        (r#"{"id":2,"cmd":"subscribe"}"#.into(), vec![json!({"id": 2, "type": "error", "msg": {"code": 2, "msg": "Params required"}})]),
        (
            r#"{"id":3,"cmd":"subscribe","params":{"channels":["orderbook_delta"]}}"#.into(),
            vec![json!({"id": 3, "type": "error", "msg": {"code": 14, "msg": "Market Ticker required"}})],
        ),
        (
            r#"{"id":4,"cmd":"subscribe","params":{"channels":["fill","user_orders"]}}"#.into(),
            vec![
                json!({"id": 4, "type": "subscribed", "msg": {"channel": "fill", "sid": 1}}),
                json!({"id": 4, "type": "subscribed", "msg": {"channel": "user_orders", "sid": 2}}),
            ],
        ),
        (
            r#"{"id":5,"cmd":"update_subscription","params":{"sids":[1,2],"action":"add_markets"}}"#.into(),
            vec![json!({"id": 5, "type": "error", "msg": {"code": 12, "msg": "Exactly one subscription ID is required"}})],
        ),
        (
            r#"{"id":6,"cmd":"list_subscriptions"}"#.into(),
            vec![json!({"id": 6, "type": "ok", "msg": [{"channel": "fill", "sid": 1}, {"channel": "user_orders", "sid": 2}]})],
        ),
        (r#"{"id":7,"cmd":"unsubscribe","params":{"sids":[2]}}"#.into(), vec![json!({"id": 7, "type": "unsubscribed", "sid": 2, "seq": 1})]),
    ];
    for (command, expected) in exchanges {
        socket
            .send(Message::text(command.clone()))
            .await
            .expect("send");
        for frame in expected {
            assert_eq!(next_json(&mut socket).await, frame, "{command}");
        }
    }
    let (_, taken) = outside
        .place(&Outside::order(
            first,
            "x",
            "bid",
            "0.9900",
            "2.00",
            "immediate_or_cancel",
        ))
        .await;
    let fill = next_json(&mut socket).await;
    assert_eq!(
        (
            &fill["type"],
            &fill["msg"]["client_order_id"],
            &fill["msg"]["order_id"]
        ),
        (&json!("fill"), &json!("x"), &taken["order_id"])
    );
    if let Some(file) = recorded("kalshi_ws/jfreun123_demo_session_2026-07-01.raw.jsonl") {
        let text = std::fs::read_to_string(file).expect("readable");
        let theirs = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|frame| frame["type"] == "fill")
            .expect("a fill");
        assert_shape("fill", &theirs["msg"], &fill["msg"], &[]);
    }
}

async fn next_json(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) -> Value {
    loop {
        if let Message::Text(text) = socket.next().await.expect("open").expect("frame") {
            return serde_json::from_str(text.as_str()).expect("JSON");
        }
    }
}

#[tokio::test]
async fn scoreboards_are_conditional_and_live_ones_have_the_recorded_types() {
    let outside = Outside::open(12, true).await;
    let url = |path: &str| {
        format!(
            "http://{}/apis/site/v2/sports/{path}/scoreboard",
            outside.feed
        )
    };
    let first = outside
        .http
        .get(url("football/college-football"))
        .send()
        .await
        .expect("answer");
    let tag = first
        .headers()
        .get("etag")
        .and_then(|tag| tag.to_str().ok())
        .expect("tag")
        .to_string();
    assert!(first.headers().contains_key("cache-control"));
    let again = outside
        .http
        .get(url("football/college-football"))
        .header("If-None-Match", tag)
        .send()
        .await
        .expect("answer");
    assert_eq!(again.status().as_u16(), 304);
    assert_eq!(
        outside
            .http
            .get(url("curling/world"))
            .send()
            .await
            .expect("answer")
            .status()
            .as_u16(),
        400
    );
    for league in League::ALL {
        let body: Value = outside
            .http
            .get(url(league.path()))
            .send()
            .await
            .expect("answer")
            .json()
            .await
            .expect("JSON");
        assert_eq!(
            body["events"].as_array().map(Vec::len),
            Some(2),
            "{league:?}"
        );
    }
    let none: Value = outside
        .http
        .get(format!("{}?dates=19990101", url("football/nfl")))
        .send()
        .await
        .expect("answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(none["events"], json!([]));
}

/// The recorded live games against ours of the same sport, field by field.
#[test]
fn feed_documents_have_the_types_of_the_recorded_ones() {
    let mut exchange = Exchange::new("run", START);
    let mut world = Generated::new(3, 12, 1.0, &mut exchange, now_us());
    world.advance(0.05, &mut exchange, now_us());
    let cases = [
        (
            League::Nfl,
            "nfl_2025-12-07T185945Z_8live",
            vec![
                "isRedZone",
                "downDistanceText",
                "shortDownDistanceText",
                "possessionText",
                "possession",
            ],
        ),
        (League::Nhl, "ha_teamtracker_nhl_2022-09_live", vec![]),
        (
            League::Mlb,
            "ha_teamtracker_mlb_2022-09_live",
            vec!["pitcher", "batter", "dueUp"],
        ),
    ];
    for (league, file, optional) in cases {
        let live = |document: &Value| {
            document["events"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|event| event["status"]["type"]["state"] == "in")
                .cloned()
        };
        let ours = live(&document(league, &world.games(), None)).expect("a live game");
        let Some(theirs) = recorded_json(&format!("espn_scoreboard/{file}.json")) else {
            return;
        };
        let theirs = live(&theirs).expect("a live game");
        assert_shape("event", &theirs, &ours, &["week", "links", "weather"]);
        assert_shape(
            "status",
            &theirs["status"],
            &ours["status"],
            &["isTBDFlex", "featuredAthletes"],
        );
        assert_shape(
            "status type",
            &theirs["status"]["type"],
            &ours["status"]["type"],
            &[],
        );
        let (theirs, ours) = (&theirs["competitions"][0], &ours["competitions"][0]);
        let (competitor, own) = (&theirs["competitors"][0], &ours["competitors"][0]);
        assert_shape(
            "competitor",
            competitor,
            own,
            &[
                "linescores",
                "leaders",
                "hits",
                "errors",
                "probables",
                "curatedRank",
            ],
        );
        assert_shape(
            "team",
            &competitor["team"],
            &own["team"],
            &["links", "logo", "color", "alternateColor", "venue"],
        );
        let mut left_out = optional;
        left_out.extend(["lastPlay", "$ref"]);
        assert_shape(
            "situation",
            &theirs["situation"],
            &ours["situation"],
            &left_out,
        );
        if league == League::Nfl {
            let (play, own) = (
                &theirs["situation"]["lastPlay"],
                &ours["situation"]["lastPlay"],
            );
            assert_shape(
                "last play",
                play,
                own,
                &["drive", "start", "end", "statYardage", "athletesInvolved"],
            );
            assert_shape(
                "probability",
                &play["probability"],
                &own["probability"],
                &[],
            );
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_games_and_the_same_tape() {
    let run = |seed: u64, looks: u32| {
        let mut exchange = Exchange::new("run", START);
        let now = 1_781_159_348_000_000;
        let mut world = Generated::new(seed, 6, 30.0, &mut exchange, now);
        for look in 1..=looks {
            world.advance(5.0 * f64::from(look) / f64::from(looks), &mut exchange, now);
        }
        let trades: Vec<_> = exchange
            .tape()
            .iter()
            .map(|trade| (trade.market, trade.price_e4, trade.count_centi))
            .collect();
        let states: Vec<_> = world
            .games()
            .iter()
            .map(|game| (game.fixture.id, game.state.score, game.state.plays))
            .collect();
        (trades, states)
    };
    assert_eq!(run(5, 1), run(5, 250));
    assert!(!run(5, 1).0.is_empty());
    assert_ne!(run(5, 1), run(6, 1));
}

#[test]
fn a_demo_has_tens_of_thousands_of_changes_bursts_arbitrage_and_settlements() {
    use super::super::exchange::Happening;
    let mut exchange = Exchange::new("run", START);
    let mut world = Generated::new(2_026, 6, 30.0, &mut exchange, now_us());
    exchange.happenings();
    let (mut deltas, mut worst, mut arbitrages) = (0, 0, 0);
    for second in 0..30 {
        let mut in_second = 0;
        for step in 0..100 {
            world.advance(
                f64::from(second) + f64::from(step + 1) / 100.0,
                &mut exchange,
                now_us(),
            );
            in_second += exchange
                .happenings()
                .iter()
                .filter(|one| matches!(one, Happening::Delta { .. }))
                .count();
            arbitrages += usize::from(
                exchange
                    .events()
                    .iter()
                    .any(|event| is_arbitrage(&exchange, event.markets)),
            );
        }
        deltas += in_second;
        worst = worst.max(in_second);
    }
    println!(
        "{deltas} changes, {worst} in the worst second, arbitrage in {arbitrages} of 3000 steps, {} settled",
        world.settled()
    );
    assert!(deltas > 18_000 && worst > deltas / 30 + 350 && arbitrages > 20);
    assert!(world.settled() >= 1);
}

/// Whether both YES together cost less than the dollar that one of them pays, after fees.
fn is_arbitrage(exchange: &Exchange, markets: [usize; 2]) -> bool {
    let offers = markets.map(|market| {
        exchange.markets()[market]
            .book
            .best(layouts::Side::Ask)
            .map(|(price, _)| price)
    });
    let rate = exchange.markets()[markets[0]].series.taker_rate_e4();
    match offers {
        [Some(one), Some(two)] => {
            let fees: i64 = [one, two]
                .map(|price| layouts::units::fee_micros(rate, price, 100))
                .iter()
                .sum();
            (i64::from(one) + i64::from(two)) * 100 + fees < 1_000_000
        }
        _ => false,
    }
}

#[test]
fn recorded_games_play_to_their_real_results() {
    let Some(file) = recorded("pbp_wp/mlb_2026-06_kalshi_minute_prices_vs_game_state.csv.gz")
    else {
        return;
    };
    let mut exchange = Exchange::new("run", START);
    let mut world = Recorded::open(&file, 5, 600.0, &mut exchange, now_us()).expect("record");
    let first = world.games().remove(0);
    assert_eq!(exchange.events()[0].ticker, "KXMLBGAME-26JUN281335CINPIT");
    assert_eq!(
        (
            first.fixture.id,
            first.fixture.home.code,
            first.fixture.away.code
        ),
        (823_362, "PIT", "CIN")
    );
    let book = |exchange: &Exchange| {
        exchange.markets()[0]
            .book
            .best(layouts::Side::Bid)
            .zip(exchange.markets()[0].book.best(layouts::Side::Ask))
    };
    // 17:39:00, the first minute of the record, is 113 s after the start of the stretch.
    world.advance(0.19, &mut exchange, now_us());
    let touch = book(&exchange).map(|((bid, size), (ask, _))| (bid, ask, size));
    assert_eq!(touch, Some((5_600, 5_700, 16_700)));
    let away = exchange.markets()[1]
        .book
        .best(layouts::Side::Bid)
        .map(|(price, _)| price);
    assert_eq!(away, Some(4_300));
    let mut at = 0.0;
    while world.settled() < 5 && at < 200.0 {
        at += 0.05;
        world.advance(at, &mut exchange, now_us());
    }
    assert_eq!(world.settled(), 5);
    let results: Vec<_> = exchange
        .markets()
        .iter()
        .map(|market| market.life.result())
        .collect();
    assert_eq!(
        results,
        [
            "yes", "no", "no", "yes", "no", "yes", "yes", "no", "no", "yes"
        ]
    );
    for game in world.games() {
        let winner = usize::from(game.state.home_win < 0.5);
        assert!(
            game.state.score[winner] > game.state.score[1 - winner],
            "{:?}",
            game.state.score
        );
    }
}
