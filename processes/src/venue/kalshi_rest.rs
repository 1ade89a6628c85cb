//! The exchange's REST interface as typed calls, over kept-alive connections.

use super::error::VenueError;
use super::kalshi_wire::{
    BalanceRecord, CreateOrder, EventRecord, FillRecord, MarketRecord, OrderResult, OrderState,
    PositionRecord, SeriesRecord, SettlementRecord, parse_error,
};
use super::signing::Signer;
use layouts::Side;
use layouts::units::format_decimal;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use url::Url;

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

/// A signed REST client. Clones share the connections.
#[derive(Debug, Clone)]
pub struct KalshiRest {
    http: reqwest::Client,
    base: Url,
    signer: Signer,
}

/// An immediate-or-cancel limit order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewOrder<'a> {
    /// Market.
    pub ticker: &'a str,
    /// Our id, unique for ever: sending it again cannot trade twice.
    pub client_order_id: &'a str,
    /// Buy or sell YES.
    pub side: Side,
    /// Contracts.
    pub count_centi: u32,
    /// Limit, the price of YES for either side.
    pub price_e4: u16,
    /// The market's shard; without it the venue must look it up, which takes time.
    pub exchange_index: u32,
}

/// One page of a list.
trait Page: DeserializeOwned {
    type Item;
    fn take(self) -> (Vec<Self::Item>, String);
}

macro_rules! page {
    ($name:ident { $list:ident: $item:ty }) => {
        #[derive(Deserialize)]
        struct $name {
            #[serde(default = "Vec::new")]
            $list: Vec<$item>,
            #[serde(default)]
            cursor: Option<String>,
        }
        impl Page for $name {
            type Item = $item;
            fn take(self) -> (Vec<$item>, String) {
                (self.$list, self.cursor.unwrap_or_default())
            }
        }
    };
}

page!(Events {
    events: EventRecord
});
page!(Markets {
    markets: MarketRecord
});
page!(Orders { orders: OrderState });
page!(Fills { fills: FillRecord });
page!(Positions {
    market_positions: PositionRecord
});
page!(Settlements {
    settlements: SettlementRecord
});

#[derive(Deserialize)]
struct OneSeries {
    series: SeriesRecord,
}

impl KalshiRest {
    /// A client of the interface at `rest_base`, such as `https://.../trade-api/v2`.
    pub fn new(rest_base: &str, signer: Signer) -> Result<Self, VenueError> {
        let address = |reason: String| VenueError::Address {
            address: rest_base.to_owned(),
            reason,
        };
        let base = Url::parse(rest_base).map_err(|error| address(error.to_string()))?;
        if base.cannot_be_a_base() || !matches!(base.scheme(), "http" | "https") {
            return Err(address("expected http:// or https://".into()));
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .pool_idle_timeout(None)
            .tcp_nodelay(true)
            .no_proxy()
            .build()
            .map_err(|error| address(error.to_string()))?;
        Ok(Self { http, base, signer })
    }

    /// Places an order. `Err` with [`VenueError::is_ambiguous`] may have reached the venue: ask with
    /// [`Self::order_by_client_id`], or send the same `client_order_id` again.
    pub async fn create_order(&self, order: &NewOrder<'_>) -> Result<OrderResult, VenueError> {
        let body = CreateOrder {
            ticker: order.ticker,
            client_order_id: order.client_order_id,
            side: order.side.as_str(),
            count: format_decimal(i64::from(order.count_centi), 2),
            price: format_decimal(i64::from(order.price_e4), 4),
            time_in_force: "immediate_or_cancel",
            self_trade_prevention_type: "taker_at_cross",
            exchange_index: order.exchange_index,
        };
        let url = self.url("/portfolio/events/orders", &[]);
        let request = self.signed(reqwest::Method::POST, url)?.json(&body);
        Self::answer("POST /portfolio/events/orders", request).await
    }

    /// The order that carries our id, if the venue has it.
    pub async fn order_by_client_id(
        &self,
        ticker: &str,
        client_order_id: &str,
    ) -> Result<Option<OrderState>, VenueError> {
        let orders = self.orders(Some(ticker)).await?;
        Ok(orders
            .into_iter()
            .find(|order| order.client_order_id == client_order_id))
    }

    /// Our orders, of one market or all.
    pub async fn orders(&self, ticker: Option<&str>) -> Result<Vec<OrderState>, VenueError> {
        let mut query = vec![("limit", "1000")];
        query.extend(ticker.map(|ticker| ("ticker", ticker)));
        self.pages::<Orders>("/portfolio/orders", &query).await
    }

    /// Our trades, of one order or all.
    pub async fn fills(&self, order_id: Option<&str>) -> Result<Vec<FillRecord>, VenueError> {
        let mut query = vec![("limit", "1000")];
        query.extend(order_id.map(|id| ("order_id", id)));
        self.pages::<Fills>("/portfolio/fills", &query).await
    }

    /// What we hold.
    pub async fn positions(&self) -> Result<Vec<PositionRecord>, VenueError> {
        self.pages::<Positions>("/portfolio/positions", &[("limit", "1000")])
            .await
    }

    /// Our money.
    pub async fn balance(&self) -> Result<BalanceRecord, VenueError> {
        self.get("/portfolio/balance", &[]).await
    }

    /// What decided markets paid us.
    pub async fn settlements(&self) -> Result<Vec<SettlementRecord>, VenueError> {
        self.pages::<Settlements>("/portfolio/settlements", &[("limit", "1000")])
            .await
    }

    /// The open events of a series, with their markets.
    pub async fn events(&self, series_ticker: &str) -> Result<Vec<EventRecord>, VenueError> {
        let query = [
            ("series_ticker", series_ticker),
            ("status", "open"),
            ("with_nested_markets", "true"),
            ("limit", "200"),
        ];
        self.pages::<Events>("/events", &query).await
    }

    /// The markets of one event.
    pub async fn markets(&self, event_ticker: &str) -> Result<Vec<MarketRecord>, VenueError> {
        self.pages::<Markets>(
            "/markets",
            &[("event_ticker", event_ticker), ("limit", "1000")],
        )
        .await
    }

    /// A series and its fees.
    pub async fn series(&self, series_ticker: &str) -> Result<SeriesRecord, VenueError> {
        self.get::<OneSeries>(&format!("/series/{series_ticker}"), &[])
            .await
            .map(|answer| answer.series)
    }

    /// Every page of a list.
    async fn pages<P: Page>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<P::Item>, VenueError> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        for _ in 0..MAX_PAGES {
            let mut query = query.to_vec();
            if !cursor.is_empty() {
                query.push(("cursor", &cursor));
            }
            let (page, next) = self.get::<P>(path, &query).await?.take();
            items.extend(page);
            if next.is_empty() {
                return Ok(items);
            }
            if next == cursor {
                break;
            }
            cursor = next;
        }
        Err(VenueError::Malformed {
            request: format!("GET {path}"),
            reason: "the cursor does not advance".into(),
        })
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
            let request = self.signed(reqwest::Method::GET, self.url(path, query))?;
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

    fn signed(
        &self,
        method: reqwest::Method,
        url: Url,
    ) -> Result<reqwest::RequestBuilder, VenueError> {
        let signature = self.signer.sign_now(method.as_str(), url.path())?;
        let request = self.http.request(method, url);
        Ok(signature
            .headers()
            .into_iter()
            .fold(request, |request, (name, value)| {
                request.header(name, value)
            }))
    }

    async fn answer<T: DeserializeOwned>(
        label: &str,
        request: reqwest::RequestBuilder,
    ) -> Result<T, VenueError> {
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
        serde_json::from_str(&body).map_err(|error| VenueError::Malformed {
            request: label.to_owned(),
            reason: error.to_string(),
        })
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
