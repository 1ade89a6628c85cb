//! The exchange's REST interface as typed calls, over kept-alive connections.

use super::error::VenueError;
use super::kalshi_wire::fees::{EventFees, FeeChangeRecord, SeriesFees};
use super::kalshi_wire::{
    AccountLimits, BalanceRecord, EventRecord, ExchangeStatus, FillRecord, MarketRecord,
    OrderState, PositionRecord, SeriesRecord, SettlementRecord, parse_error,
};
pub use super::pace::Pair;
use super::pace::{CANCEL_COST, DEFAULT_COST, Pace};
use super::signature_stock::{SignatureStock, SignedAhead};
use super::signing::{Signature, Signer};
use super::tls::Trust;
use reqwest::{Method, header::CONTENT_TYPE};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::{Duration, Instant};
use url::Url;

mod listing;
mod new_order;
mod order_groups;
pub use listing::Listing;
use listing::Page;
pub use new_order::NewOrder;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for an answer, connection included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Attempts of a read that is refused for too many requests; writes are the caller's to repeat.
const READ_ATTEMPTS: u32 = 4;
/// Wait after the first refusal; doubles. The venue's bucket refills within a second.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
/// Pages of one list before we hold the venue's cursor to be broken.
const MAX_PAGES: usize = 1_000;
const SETTLEMENTS: &str = "/portfolio/settlements";

/// A signed REST client. Clones share the connections.
#[derive(Debug, Clone)]
pub struct KalshiRest {
    http: reqwest::Client,
    base: Url,
    signer: Signer,
    pace: Arc<Pace>,
    /// Longest wait for the answer to an order.
    patience: Duration,
    /// For orders, where there are to be some.
    signed_ahead: Option<Arc<SignatureStock>>,
}

#[derive(Deserialize)]
struct OneSeries {
    series: SeriesRecord,
}

/// Where orders are placed, and all of them cancelled.
const CREATE_PATH: &str = "/portfolio/events/orders";
/// Where they are listed.
const ORDERS_PATH: &str = "/portfolio/orders";
/// The primary one, where our orders go and whose money we are told. Without it lists are of all subaccounts of the key's
/// owner, and whatever rests in any of them is cancelled.
const SUBACCOUNT: (&str, &str) = ("subaccount", "0");

impl KalshiRest {
    /// A client of the interface at `rest_base`, such as `https://.../trade-api/v2`.
    pub fn new(rest_base: &str, signer: Signer, trust: &Trust) -> Result<Self, VenueError> {
        let address = |reason: String| VenueError::Address {
            address: rest_base.to_owned(),
            reason,
        };
        let base = Url::parse(rest_base).map_err(|error| address(error.to_string()))?;
        if base.cannot_be_a_base() || !matches!(base.scheme(), "http" | "https") {
            return Err(address("expected http:// or https://".into()));
        }
        let http = trust
            .http(rest_base)?
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .pool_idle_timeout(None)
            .tcp_nodelay(true)
            // The venue redirects nobody, and our signature is for nobody else.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| address(error.to_string()))?;
        Ok(Self {
            http,
            base,
            signer,
            pace: Arc::new(Pace::new(Instant::now())),
            patience: REQUEST_TIMEOUT,
            signed_ahead: None,
        })
    }

    /// As it is, with the signatures of so many orders made ahead from now on, by a thread that inherits the caller's
    /// cores.
    ///
    /// # Errors
    ///
    /// When the key cannot sign, or no thread can be had.
    pub fn sign_orders_ahead(mut self, at_once: usize) -> Result<Self, VenueError> {
        let path = self.url(CREATE_PATH, &[]).path().to_owned();
        let stock = SignatureStock::keep(self.signer.clone(), "POST", path, at_once)?;
        self.signed_ahead = Some(Arc::new(stock));
        Ok(self)
    }

    /// As it is, with so long a wait for the answer to an order.
    #[cfg(test)]
    pub(crate) fn patient_for(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// How many orders found their signature ready.
    #[must_use]
    pub fn signed_ahead(&self) -> SignedAhead {
        let stock = self.signed_ahead.as_ref();
        stock.map(|stock| stock.counts()).unwrap_or_default()
    }

    /// Cancels whatever rests of ours, in all markets.
    pub async fn cancel_all_orders(&self) -> Result<(), VenueError> {
        let query = [SUBACCOUNT];
        let all = self.change(Method::DELETE, CREATE_PATH, &query, None, DEFAULT_COST);
        // What it answers beyond its success is of no use.
        all.await.map(drop)
    }

    /// Cancels what rests of one order. One that is done already is refused as not found.
    pub async fn cancel_order(
        &self,
        order_id: &str,
        ticker: Option<&str>,
        exchange_index: Option<u32>,
    ) -> Result<(), VenueError> {
        let path = format!("{CREATE_PATH}/{order_id}");
        let index = exchange_index.map(|index| index.to_string());
        // To the shard that is told, else to that of the market.
        let way = [
            ("exchange_index", index.as_deref()),
            ("market_ticker", ticker),
        ];
        let known = way
            .into_iter()
            .find_map(|(name, value)| Some((name, value?)));
        let query: Vec<_> = known.into_iter().collect();
        let one = self.change(Method::DELETE, &path, &query, None, CANCEL_COST);
        one.await.map(drop)
    }

    /// Exchanges a few bytes that cost nothing, so that a connection of the pool stays open, or is made anew.
    pub async fn touch(&self) -> Result<(), VenueError> {
        const PATH: &str = "/exchange/status";
        let request = self.http.get(self.url(PATH, &[]));
        Self::text(&format!("GET {PATH}"), request).await.map(drop)
    }

    /// A write that is no order, as soon as the budget has it; the body of its success.
    async fn change(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<String>,
        cost: u32,
    ) -> Result<String, VenueError> {
        let paid = self.pace.write(cost, Instant::now(), |_| true);
        pause(paid.unwrap_or_default()).await;
        let label = format!("{method} {path}");
        let mut request = self.signed(method, self.url(path, query))?;
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        Self::text(&label, request).await
    }

    /// Our orders, of one market or all.
    pub async fn orders(&self, ticker: Option<&str>) -> Result<Vec<OrderState>, VenueError> {
        self.readable_orders(ticker).await?.whole(ORDERS_PATH)
    }

    /// Our orders that rest, in all markets.
    pub async fn resting_orders(&self) -> Result<Vec<OrderState>, VenueError> {
        let query = [("limit", "1000"), SUBACCOUNT, ("status", "resting")];
        let orders = self.pages(ORDERS_PATH, "orders", &query).await?;
        orders.whole(ORDERS_PATH)
    }

    /// Our orders, of one market or all, as far as they can be read.
    pub async fn readable_orders(
        &self,
        ticker: Option<&str>,
    ) -> Result<Listing<OrderState>, VenueError> {
        let mut query = vec![("limit", "1000"), SUBACCOUNT];
        query.extend(ticker.map(|ticker| ("ticker", ticker)));
        self.pages(ORDERS_PATH, "orders", &query).await
    }

    /// Our trades of one order.
    pub async fn fills_of(&self, order_id: &str) -> Result<Vec<FillRecord>, VenueError> {
        self.fills(("order_id", order_id)).await
    }

    /// Our trades, from a Unix time in seconds on.
    pub async fn fills_since(&self, unix_s: i64) -> Result<Vec<FillRecord>, VenueError> {
        self.fills(("min_ts", &unix_s.to_string())).await
    }

    async fn fills(&self, filter: (&str, &str)) -> Result<Vec<FillRecord>, VenueError> {
        const PATH: &str = "/portfolio/fills";
        let query = [("limit", "1000"), SUBACCOUNT, filter];
        self.pages(PATH, "fills", &query).await?.whole(PATH)
    }

    /// What we hold.
    pub async fn positions(&self) -> Result<Vec<PositionRecord>, VenueError> {
        const PATH: &str = "/portfolio/positions";
        let query = [("limit", "1000"), SUBACCOUNT];
        let positions = self.pages(PATH, "market_positions", &query).await?;
        positions.whole(PATH)
    }

    /// Our money.
    pub async fn balance(&self) -> Result<BalanceRecord, VenueError> {
        self.get("/portfolio/balance", &[SUBACCOUNT]).await
    }

    /// What our tier lets us spend, and keeps to it from now on; before, to what the lowest tier may.
    pub async fn learn_limits(&self) -> Result<AccountLimits, VenueError> {
        let limits = self.get("/account/limits", &[]).await?;
        self.pace.adopt(&limits);
        Ok(limits)
    }

    /// What decided markets paid us, from a Unix time in seconds on, all of it.
    pub async fn settlements(
        &self,
        since_unix_s: i64,
    ) -> Result<Vec<SettlementRecord>, VenueError> {
        let readable = self.settlements_since(Some(since_unix_s)).await?;
        readable.whole(SETTLEMENTS)
    }

    /// What decided markets paid us, from a Unix time in seconds on if there is one, as far as it can be read.
    pub async fn settlements_since(
        &self,
        unix_s: Option<i64>,
    ) -> Result<Listing<SettlementRecord>, VenueError> {
        let since = unix_s.map(|unix_s| unix_s.to_string());
        let mut query = vec![("limit", "1000"), SUBACCOUNT];
        query.extend(since.as_deref().map(|since| ("min_ts", since)));
        self.pages(SETTLEMENTS, "settlements", &query).await
    }

    /// The open events of a series, with their markets, as far as they can be read.
    pub async fn events(&self, series_ticker: &str) -> Result<Listing<EventRecord>, VenueError> {
        let query = [
            ("series_ticker", series_ticker),
            ("status", "open"),
            ("with_nested_markets", "true"),
            ("limit", "200"),
        ];
        self.pages("/events", "events", &query).await
    }

    /// Some markets, as far as the venue knows them and they can be read.
    pub async fn markets(&self, tickers: &[&str]) -> Result<Listing<MarketRecord>, VenueError> {
        let tickers = tickers.join(",");
        let query = [("tickers", tickers.as_str()), ("limit", "1000")];
        self.pages("/markets", "markets", &query).await
    }

    /// Whether the venue trades.
    pub async fn exchange_status(&self) -> Result<ExchangeStatus, VenueError> {
        self.get("/exchange/status", &[]).await
    }

    /// A series and its fees.
    pub async fn series(&self, series_ticker: &str) -> Result<SeriesRecord, VenueError> {
        self.get::<OneSeries>(&format!("/series/{series_ticker}"), &[])
            .await
            .map(|answer| answer.series)
    }

    /// The changes of a series' fees that are still to come, as far as they can be read.
    pub async fn series_fee_changes(
        &self,
        series_ticker: &str,
    ) -> Result<Listing<FeeChangeRecord<SeriesFees>>, VenueError> {
        let query = [("series_ticker", series_ticker)];
        self.pages("/series/fee_changes", "series_fee_change_arr", &query)
            .await
    }

    /// The changes of what events charge that are still to come, of all series, as far as they can be read.
    pub async fn event_fee_changes(
        &self,
    ) -> Result<Listing<FeeChangeRecord<EventFees>>, VenueError> {
        self.pages("/events/fee_changes", "event_fee_changes", &[])
            .await
    }

    /// Every page of a list.
    async fn pages<T: DeserializeOwned>(
        &self,
        path: &str,
        list: &str,
        query: &[(&str, &str)],
    ) -> Result<Listing<T>, VenueError> {
        let malformed = |reason: &str| VenueError::Malformed {
            request: format!("GET {path}"),
            reason: reason.to_owned(),
        };
        let mut listing = Listing {
            items: Vec::new(),
            unreadable: 0,
            reason: String::new(),
        };
        let mut cursor = String::new();
        for _ in 0..MAX_PAGES {
            let mut query = query.to_vec();
            if !cursor.is_empty() {
                query.push(("cursor", &cursor));
            }
            let mut page = self.get::<Page>(path, &query).await?;
            let records = page.take(list);
            listing.extend(records.ok_or_else(|| malformed("it holds no list"))?);
            if page.cursor.is_empty() {
                return Ok(listing);
            }
            if page.cursor == cursor {
                break;
            }
            cursor = page.cursor;
        }
        Err(malformed("the cursor does not advance"))
    }

    /// A read, repeated a few times when refused for too many requests.
    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, VenueError> {
        let label = format!("GET {path}");
        let mut backoff = FIRST_BACKOFF;
        let mut attempt = 1;
        loop {
            pause(self.pace.read(DEFAULT_COST, Instant::now())).await;
            let request = self.signed(Method::GET, self.url(path, query))?;
            match Self::answer(&label, request).await {
                Err(error) if error.is_rate_limit() && attempt < READ_ATTEMPTS => {
                    tokio::time::sleep(backoff).await;
                    backoff *= 2;
                    attempt += 1;
                }
                other => return other,
            }
        }
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    fn signed(&self, method: Method, url: Url) -> Result<reqwest::RequestBuilder, VenueError> {
        let signature = self.signer.sign_now(method.as_str(), url.path())?;
        Ok(self.with_signature(method, url, &signature))
    }

    fn with_signature(
        &self,
        method: Method,
        url: Url,
        signature: &Signature,
    ) -> reqwest::RequestBuilder {
        let request = self.http.request(method, url);
        let headers = signature.headers().into_iter();
        headers.fold(request, |request, (name, value)| {
            request.header(name, value)
        })
    }

    async fn answer<T: DeserializeOwned>(
        label: &str,
        request: reqwest::RequestBuilder,
    ) -> Result<T, VenueError> {
        let body = Self::text(label, request).await?;
        serde_json::from_str(&body).map_err(|error| VenueError::Malformed {
            request: label.to_owned(),
            reason: error.to_string(),
        })
    }

    /// The body of a success.
    async fn text(label: &str, request: reqwest::RequestBuilder) -> Result<String, VenueError> {
        let transport = |error: reqwest::Error| VenueError::Transport {
            request: label.to_owned(),
            reason: causes(&error.without_url()),
        };
        let response = request.send().await.map_err(transport)?;
        let status = response.status();
        let body = response.text().await.map_err(transport)?;
        if !status.is_success() {
            let (code, details) = parse_error(&body);
            return Err(VenueError::Refused {
                request: label.to_owned(),
                status: status.as_u16(),
                code,
                details,
            });
        }
        Ok(body)
    }
}

async fn pause(wait: Duration) {
    // Even a wait of nothing would go through the timer, on the way from tick to order.
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
}

/// An error with its causes: the outermost alone ("error sending request") says nothing.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
