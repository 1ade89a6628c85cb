//! Connections that are there before orders need them.

use super::*;
use crate::venue::kalshi_rest::NewOrder;
use crate::venue::last_look::LastLook;
use crate::venue::signing::test_signer;
use crate::venue::tls::Trust;
use axum::Router;
use axum::serve::ListenerExt as _;
use layouts::Side;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::sync::Barrier;

const PLACED: &str = r#"{"order_id":"o","fill_count":"0.00","remaining_count":"0.00"}"#;
const LIMITS: &str = r#"{"read":{"bucket_capacity":200,"refill_rate":200},"write":{"bucket_capacity":100,"refill_rate":100}}"#;

/// Both legs of an arbitrage at once, on connections that were there.
#[tokio::test]
async fn two_orders_at_once_find_two_connections() {
    let opened = Arc::new(AtomicUsize::new(0));
    // Two are answered together or not at all, so no connection serves both.
    let pair = Arc::new(Barrier::new(2));
    let answer = move |uri: axum::http::Uri| {
        let pair = Arc::clone(&pair);
        async move {
            if uri.path().ends_with("/account/limits") {
                return LIMITS;
            }
            pair.wait().await;
            PLACED
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let base = format!("http://{}/x", listener.local_addr().expect("an address"));
    let counted = Arc::clone(&opened);
    let listener = listener.tap_io(move |_| {
        counted.fetch_add(1, Relaxed);
    });
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    let rest = KalshiRest::new(&base, test_signer(), &Trust::none()).expect("a client");
    warm(&rest).await;
    let warmed = opened.load(Relaxed);
    assert!(warmed >= 2, "{warmed} connections");
    let order = |id: &'static str| {
        let rest = rest.clone();
        async move {
            let order = NewOrder {
                ticker: "A-B",
                client_order_id: id,
                side: Side::Bid,
                count_centi: 100,
                price_e4: 5_000,
                exchange_index: None,
                order_group_id: None,
            };
            rest.create_order(&order, &LastLook::new(|_| true)).await
        }
    };
    let (one, other) = tokio::join!(order("c-1"), order("c-2"));
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(opened.load(Relaxed), warmed, "both were there");
}
