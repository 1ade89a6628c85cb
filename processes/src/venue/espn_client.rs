//! The feed's HTTP side: one conditional request for one league.

use super::error::VenueError;
use super::espn::Arrival;
use super::league::League;
use super::tls::Trust;
use reqwest::StatusCode;
use reqwest::header::{ETAG, HeaderValue, IF_NONE_MATCH};
use std::time::Duration;
use url::Url;

/// Longest wait for a whole document.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Polls one league's scoreboard.
#[derive(Debug)]
pub struct EspnClient {
    http: reqwest::Client,
    url: Url,
    league: League,
    etag: Option<HeaderValue>,
}

/// What a poll brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poll {
    /// The document is as it was.
    Unchanged(Arrival),
    /// A document.
    Document(Vec<u8>, Arrival),
}

impl EspnClient {
    /// A client for a league of the feed at `base`, such as `https://.../apis/site/v2/sports`.
    ///
    /// # Errors
    ///
    /// When the address is none, or its encryption cannot be had.
    pub fn new(base: &str, league: League, trust: &Trust) -> Result<Self, VenueError> {
        let address = |reason: String| VenueError::Address {
            address: base.to_owned(),
            reason,
        };
        let text = format!("{}/{}/scoreboard", base.trim_end_matches('/'), league.path);
        let mut url = Url::parse(&text).map_err(|error| address(error.to_string()))?;
        url.set_query(Some(league.query).filter(|query| !query.is_empty()));
        let http = trust
            .http(base)?
            .timeout(REQUEST_TIMEOUT)
            .tcp_nodelay(true)
            .build()
            .map_err(|error| address(error.to_string()))?;
        Ok(Self {
            http,
            url,
            league,
            etag: None,
        })
    }

    /// The league.
    #[must_use]
    pub fn league(&self) -> League {
        self.league
    }

    /// Asks once.
    ///
    /// # Errors
    ///
    /// When the feed does not answer in time, or not with a document.
    pub async fn poll(&mut self) -> Result<Poll, VenueError> {
        let request = || format!("GET {}", self.league.path);
        let transport = |error: reqwest::Error| VenueError::Transport {
            request: request(),
            reason: error.without_url().to_string(),
        };
        let mut get = self.http.get(self.url.clone());
        if let Some(etag) = &self.etag {
            get = get.header(IF_NONE_MATCH, etag);
        }
        let response = get.send().await.map_err(transport)?;
        let status = response.status();
        if status == StatusCode::NOT_MODIFIED {
            return Ok(Poll::Unchanged(arrival()));
        }
        if !status.is_success() {
            let (code, details) = (String::new(), String::new());
            return Err(VenueError::Refused {
                request: request(),
                status: status.as_u16(),
                code,
                details,
            });
        }
        let etag = response.headers().get(ETAG).cloned();
        let document = response.bytes().await.map_err(transport)?.to_vec();
        self.etag = etag;
        Ok(Poll::Document(document, arrival()))
    }

    /// The last document could not be used: ask for it again, whole.
    pub fn forget(&mut self) {
        self.etag = None;
    }
}

fn arrival() -> Arrival {
    let unix_us = jiff::Timestamp::now().as_microsecond();
    Arrival {
        mono_ns: ipc::clock::mono_ns(),
        unix_us: u64::try_from(unix_us).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::league::LEAGUES;
    use axum::http::{HeaderMap, StatusCode, Uri};
    use axum::{Router, response::IntoResponse};

    /// A feed with one version of its document.
    async fn feed() -> String {
        let handler = |uri: Uri, headers: HeaderMap| async move {
            if uri.path() == "/sports/hockey/nhl/scoreboard" {
                return StatusCode::BAD_GATEWAY.into_response();
            }
            match headers.get(IF_NONE_MATCH) {
                Some(tag) if tag == "\"v1\"" => StatusCode::NOT_MODIFIED.into_response(),
                _ => ([(ETAG, "\"v1\"")], uri.to_string()).into_response(),
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("binds");
        let base = format!("http://{}/sports", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        base
    }

    #[tokio::test]
    async fn a_document_is_fetched_once_until_it_changes() {
        let mut client =
            EspnClient::new(&feed().await, LEAGUES[3], &Trust::none()).expect("a client");
        let path = "/sports/basketball/mens-college-basketball/scoreboard?groups=50&limit=400";
        for round in ["first", "after it could not be read"] {
            let Ok(Poll::Document(document, arrival)) = client.poll().await else {
                panic!("{round}")
            };
            assert_eq!(document, path.as_bytes(), "all games are asked for");
            assert!(arrival.mono_ns > 0 && arrival.unix_us > 0);
            assert!(
                matches!(client.poll().await, Ok(Poll::Unchanged(again)) if again.mono_ns >= arrival.mono_ns)
            );
            client.forget();
        }
    }

    #[tokio::test]
    async fn a_feed_in_trouble_is_an_error() {
        let mut client =
            EspnClient::new(&feed().await, LEAGUES[4], &Trust::none()).expect("a client");
        assert_eq!(
            client.poll().await.expect_err("refused").status(),
            Some(502)
        );
        let mut client =
            EspnClient::new("http://127.0.0.1:1", LEAGUES[0], &Trust::none()).expect("a client");
        assert!(matches!(
            client.poll().await,
            Err(VenueError::Transport { .. })
        ));
        assert!(EspnClient::new("nowhere", LEAGUES[0], &Trust::none()).is_err());
    }
}
