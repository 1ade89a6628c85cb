//! Sessions against a WebSocket server on loopback.

use super::*;
use crate::venue::kalshi_frames::Body;
use crate::venue::kalshi_ws::stand_in::{Venue, listen};
use crate::venue::signing::test_signer;
use base64::Engine as _;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::json;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;

/// Over a line that is not encrypted.
fn endpoint(address: &str) -> Endpoint {
    Endpoint {
        address: address.to_owned(),
        signer: test_signer(),
        trust: Trust::none(),
    }
}

/// Both ends of one connection.
async fn connected() -> (Session, Venue) {
    let (listener, address) = listen().await;
    let endpoint = endpoint(&address);
    let (session, venue) = tokio::join!(Session::connect(&endpoint), Venue::accept(&listener));
    let signed = &venue.signed;
    let message = format!("{}GET{}", signed.timestamp_ms, venue.path);
    let signature = base64::engine::general_purpose::STANDARD
        .decode(&signed.signature)
        .expect("base64");
    UnparsedPublicKey::new(&ED25519, endpoint.signer.public_key())
        .verify(message.as_bytes(), &signature)
        .expect("the upgrade is signed");
    assert_eq!(
        (signed.key_id.as_str(), venue.path.as_str()),
        ("test-key", "/trade-api/ws/v2")
    );
    (session.expect("connects"), venue)
}

#[tokio::test]
async fn commands_are_written_as_the_venue_reads_them() {
    let (mut session, mut venue) = connected().await;
    session
        .subscribe(&["orderbook_delta"], Some(&["A-B"]))
        .await
        .expect("sends");
    assert_eq!(
        venue.command().await,
        json!({"id":1,"cmd":"subscribe","params":{
            "channels":["orderbook_delta"],"market_tickers":["A-B"],"use_yes_price":false}})
    );
    session
        .subscribe(&["fill", "market_lifecycle_v2"], None)
        .await
        .expect("sends");
    assert_eq!(
        venue.command().await,
        json!({"id":2,"cmd":"subscribe","params":{"channels":["fill","market_lifecycle_v2"]}})
    );
    session.add_markets(7, &["C-D"]).await.expect("sends");
    assert_eq!(
        venue.command().await,
        json!({"id":3,"cmd":"update_subscription","params":{
            "sid":7,"market_tickers":["C-D"],"action":"add_markets"}})
    );
    let many: Vec<String> = (0..TICKERS_PER_COMMAND + 1)
        .map(|number| format!("T-{number}"))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    session.get_snapshot(7, &many).await.expect("sends");
    for expected in [TICKERS_PER_COMMAND, 1] {
        let command = venue.command().await;
        assert_eq!(command["params"]["action"], "get_snapshot");
        assert_eq!(
            command["params"]["market_tickers"].as_array().map(Vec::len),
            Some(expected)
        );
    }
}

#[tokio::test]
async fn frames_come_out_in_order_and_pings_are_answered() {
    let (mut session, mut venue) = connected().await;
    venue
        .says("{\"type\":\"ok\",\"id\":6,\"sid\":1,\"seq\":1}\n")
        .await;
    venue
        .socket
        .send(Message::Ping("heartbeat".into()))
        .await
        .expect("sends");
    venue.says("").await;
    let bytes = Message::Binary(vec![1, 2].into());
    venue.socket.send(bytes).await.expect("sends");
    venue
        .says("{\"type\":\"unsubscribed\",\"sid\":1,\"seq\":2}")
        .await;
    let first = session.next().await.expect("a frame");
    assert_eq!(first.frame().expect("reads").body, Body::Ok);
    let second = session.next().await.expect("a frame");
    assert_eq!(second.frame().expect("reads").body, Body::Blank);
    let bytes = session.next().await.expect("a frame");
    assert_eq!(bytes.frame().expect("reads").body, Body::Binary);
    let last = session.next().await.expect("a frame");
    assert_eq!(last.frame().expect("reads").body, Body::Unsubscribed);
    assert!(first.ingress_mono_ns > 0 && first.ingress_mono_ns <= second.ingress_mono_ns);
    // The answer goes out with the next read.
    let (_, pong) = tokio::join!(
        timeout(Duration::from_millis(50), session.next()),
        venue.hears()
    );
    assert_eq!(pong, Message::Pong("heartbeat".into()));
}

#[tokio::test]
async fn limit_connection_trips() {
    let (session, _venue) = connected().await;
    let mut session = session.dead_after(Duration::from_millis(60));
    let error = loop {
        // As in a select, however often: the wait is dropped and begun again.
        match timeout(Duration::from_millis(7), session.next()).await {
            Ok(ended) => break ended.expect_err("nothing was said"),
            Err(_) => continue,
        }
    };
    assert!(
        error.to_string().contains("nothing heard for 60 ms"),
        "{error}"
    );
}

/// A quiet market is no dead connection: the venue's heartbeat alone keeps it, for longer than the bound.
#[tokio::test]
async fn limit_connection_lets_pass() {
    const BOUND: Duration = Duration::from_secs(2);
    let (session, mut venue) = connected().await;
    let mut session = session.dead_after(BOUND);
    let began = tokio::time::Instant::now();
    while began.elapsed() < BOUND + BOUND / 2 {
        let ping = Message::Ping("heartbeat".into());
        venue.socket.send(ping).await.expect("sends");
        let heard = timeout(Duration::from_millis(100), session.next()).await;
        assert!(heard.is_err(), "no frame, and no end: {heard:?}");
    }
}

/// A venue with nothing to tell for longer than the bound answers our pings, which keeps the line.
#[tokio::test]
async fn a_quiet_venue_is_pinged_and_its_answers_keep_the_line() {
    const BOUND: Duration = Duration::from_secs(2);
    let (session, mut venue) = connected().await;
    let mut session = session.dead_after(BOUND);
    let told = async {
        let mut pings = 0;
        let began = Instant::now();
        while began.elapsed() < BOUND + BOUND / 2 {
            // The library answers it as it is read.
            pings += usize::from(matches!(venue.hears().await, Message::Ping(_)));
        }
        venue.says("{\"type\":\"ok\"}").await;
        pings
    };
    let (heard, pings) = tokio::join!(session.next(), told);
    assert_eq!(
        heard.expect("a frame").frame().expect("reads").body,
        Body::Ok
    );
    assert!(pings >= 2, "{pings}");
}

#[tokio::test]
async fn an_end_is_an_error_of_the_session() {
    let (mut session, mut venue) = connected().await;
    venue.socket.close(None).await.expect("closes");
    assert!(matches!(
        session.next().await,
        Err(VenueError::Disconnected { .. })
    ));
    let (mut session, venue) = connected().await;
    drop(venue);
    assert!(matches!(
        session.next().await,
        Err(VenueError::Disconnected { .. })
    ));
}

#[tokio::test]
#[allow(clippy::result_large_err, reason = "the library's own type")]
async fn a_refused_upgrade_carries_the_venues_words() {
    let (listener, address) = listen().await;
    let refuse = async {
        let (stream, _) = listener.accept().await.expect("accepts");
        let body =
            r#"{"error":{"code":"header_timestamp_expired","message":"header timestamp expired"}}"#;
        let refused = tokio_tungstenite::accept_hdr_async(stream, |_: &Request, _: Response| {
            let mut response = ErrorResponse::new(Some(body.to_owned()));
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            Err::<Response, _>(response)
        });
        assert!(refused.await.is_err());
    };
    let endpoint = endpoint(&address);
    let (session, ()) = tokio::join!(Session::connect(&endpoint), refuse);
    let error = session.expect_err("refused");
    assert_eq!(
        (error.status(), error.code()),
        (Some(401), Some("header_timestamp_expired"))
    );
    drop(listener);
    assert!(matches!(
        Session::connect(&endpoint).await,
        Err(VenueError::Transport { .. })
    ));
    let nowhere = Endpoint {
        address: "nonsense".to_owned(),
        ..endpoint
    };
    assert!(matches!(
        Session::connect(&nowhere).await,
        Err(VenueError::Address { .. } | VenueError::Transport { .. })
    ));
}
