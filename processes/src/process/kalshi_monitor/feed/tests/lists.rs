//! What the venue lists over REST, for tests.

use crate::venue::kalshi_rest::KalshiRest;
use crate::venue::signing::test_signer;
use crate::venue::tls::Trust;
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::net::TcpListener;

/// Every market is active, and the venue trades, but for what is said here.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// Fields of markets, by ticker.
    pub(super) markets: BTreeMap<String, Value>,
    pub(super) halted: bool,
    /// Tickers that were asked for.
    pub(super) asked: Vec<String>,
}

type Shared = Arc<Mutex<Lists>>;

/// A venue's lists on loopback.
#[derive(Clone)]
pub(super) struct Desk {
    lists: Shared,
    pub(super) rest: KalshiRest,
}

impl Desk {
    pub(super) async fn open() -> Self {
        let lists = Shared::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let base = format!("http://{}/", listener.local_addr().expect("bound"));
        let router = Router::new()
            .route("/markets", get(markets))
            .route("/exchange/status", get(status))
            .with_state(Arc::clone(&lists));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let rest = KalshiRest::new(&base, test_signer(), &Trust::none()).expect("a client");
        Self { lists, rest }
    }

    pub(super) fn lists(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().expect("whole")
    }

    /// What is listed of a market from now on.
    pub(super) fn list(&self, ticker: &str, fields: Value) {
        self.lists().markets.insert(ticker.to_owned(), fields);
    }
}

async fn markets(
    State(lists): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> String {
    let mut lists = lists.lock().expect("whole");
    let mut records = Vec::new();
    for ticker in query["tickers"].split(',') {
        lists.asked.push(ticker.to_owned());
        let mut record = json!({"ticker": ticker, "event_ticker": "E", "status": "active"});
        if let Some(Value::Object(fields)) = lists.markets.get(ticker) {
            let record = record.as_object_mut().expect("an object");
            record.extend(fields.clone());
        }
        records.push(record);
    }
    json!({"cursor": "", "markets": records}).to_string()
}

async fn status(State(lists): State<Shared>) -> String {
    let lists = lists.lock().expect("whole");
    json!({"exchange_active": true, "trading_active": !lists.halted}).to_string()
}
